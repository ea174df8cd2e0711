package ratchet

import (
	"encoding/binary"
	"fmt"
)

// The stored form is a version byte, a byte of flags and fields of fixed size,
// big endian: it is written with every message. It never leaves the machine.
const stateVersion = 1

const (
	flagSend = 1 << iota
	flagRecv
	flagOffer
	flagAnswer
	flagsKnown = flagSend | flagRecv | flagOffer | flagAnswer
)

const (
	skippedSize = 4 + 4 + 32
	chainSize   = 32 + 32 + 2

	// MaxStateSize bounds Marshal's result in bytes: every skipped key on a
	// chain of its own, and both KEM parts.
	MaxStateSize = 2 + 6*32 + 12 + 72 + ctSize + 64 + ekSize + 2 + 36 + chainSize + MaxSkipTotal*(skippedSize+chainSize)
)

// Marshal returns the state as bytes for storage. They hold secret keys.
func (s *State) Marshal() ([]byte, error) {
	b := make([]byte, 0, s.size())
	b = append(b, stateVersion, s.flags())
	for _, k := range []*key{&s.rk, &s.ad, &s.self.priv, &s.self.pub, &s.nhks, &s.nhkr} {
		b = append(b, k[:]...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(s.kemAt))
	b = binary.BigEndian.AppendUint32(b, s.kemMsg)
	b = s.appendSend(b)
	if s.offer != nil {
		b = append(append(b, s.offer.seed[:]...), s.offer.ek[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.old)))
	for i := range s.old {
		b = s.old[i].append(b)
	}
	if s.recv != nil {
		b = append(b, s.recv.ck[:]...)
		b = binary.BigEndian.AppendUint32(b, s.recv.n)
		b = s.recv.append(b)
	}
	if len(b) > MaxStateSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadState, len(b))
	}
	return b, nil
}

// size is at least the length of the stored form.
func (s *State) size() int {
	n := 2 + 6*32 + 12 + 72 + 2 + 36 + chainSize
	if s.send != nil {
		n += len(s.send.ct)
	}
	if s.offer != nil {
		n += len(s.offer.seed) + len(s.offer.ek)
	}
	return n + len(s.old)*chainSize + s.SkippedCount()*skippedSize
}

func (s *State) flags() (f byte) {
	if s.send != nil {
		f |= flagSend
		if s.send.ct != nil {
			f |= flagAnswer
		}
	}
	if s.recv != nil {
		f |= flagRecv
	}
	if s.offer != nil {
		f |= flagOffer
	}
	return f
}

func (s *State) appendSend(b []byte) []byte {
	if s.send == nil {
		return b
	}
	b = append(append(b, s.send.hk[:]...), s.send.ck[:]...)
	b = binary.BigEndian.AppendUint32(b, s.send.n)
	b = binary.BigEndian.AppendUint32(b, s.send.pn)
	return append(b, s.send.ct...)
}

func (c *skipChain) append(b []byte) []byte {
	b = append(append(b, c.hk[:]...), c.tag[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.keys)))
	for i := range c.keys {
		b = binary.BigEndian.AppendUint32(b, c.keys[i].n)
		b = binary.BigEndian.AppendUint32(b, c.keys[i].at)
		b = append(b, c.keys[i].mk[:]...)
	}
	return b
}

// Parse reads what Marshal wrote. Every accepted input is what Marshal returns
// for the result; the error wraps ErrBadState.
func Parse(b []byte) (*State, error) {
	r := &reader{b: b}
	if len(b) > MaxStateSize || r.byte() != stateVersion {
		return nil, fmt.Errorf("%w: size or version", ErrBadState)
	}
	s := new(State)
	flags := r.byte()
	for _, k := range []*key{&s.rk, &s.ad, &s.self.priv, &s.self.pub, &s.nhks, &s.nhkr} {
		r.read(k[:])
	}
	s.kemAt = int64(binary.BigEndian.Uint64(r.next(8)))
	s.kemMsg = r.uint32()
	s.readSend(r, flags)
	if flags&flagOffer != 0 {
		s.offer = new(kemOffer)
		r.read(s.offer.seed[:])
		r.read(s.offer.ek[:])
	}
	s.readReceived(r, flags)
	if err := s.check(r, flags); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *State) readSend(r *reader, flags byte) {
	if flags&flagSend == 0 {
		return
	}
	s.send = new(sendChain)
	r.read(s.send.hk[:])
	r.read(s.send.ck[:])
	s.send.n, s.send.pn = r.uint32(), r.uint32()
	if flags&flagAnswer != 0 {
		s.send.ct = make([]byte, ctSize)
		r.read(s.send.ct)
	}
}

func (s *State) readReceived(r *reader, flags byte) {
	chains := r.count(chainSize)
	if chains > 0 {
		s.old = make([]skipChain, chains)
	}
	for i := range s.old {
		s.old[i].read(r)
	}
	if flags&flagRecv != 0 {
		s.recv = new(recvChain)
		r.read(s.recv.ck[:])
		s.recv.n = r.uint32()
		s.recv.read(r)
	}
}

func (c *skipChain) read(r *reader) {
	r.read(c.hk[:])
	r.read(c.tag[:])
	c.keys = make([]skippedKey, r.count(skippedSize))
	for i := range c.keys {
		c.keys[i].n, c.keys[i].at = r.uint32(), r.uint32()
		r.read(c.keys[i].mk[:])
	}
}

// check holds the parsed state to what Marshal can have written.
func (s *State) check(r *reader, flags byte) error {
	switch {
	case r.short || len(r.b) > 0:
		return fmt.Errorf("%w: length", ErrBadState)
	case flags != s.flags() || flags&^flagsKnown != 0:
		return fmt.Errorf("%w: flags", ErrBadState)
	case s.SkippedCount() > MaxSkipTotal || s.kemMsg > KEMEveryMessages:
		return fmt.Errorf("%w: limits", ErrBadState)
	case s.recv == nil && len(s.old) > 0 || s.recv != nil && !s.recv.ordered(s.recv.n):
		return fmt.Errorf("%w: receiving chain", ErrBadState)
	}
	for i := range s.old {
		if len(s.old[i].keys) == 0 || !s.old[i].ordered(lastNumber) {
			return fmt.Errorf("%w: earlier chain", ErrBadState)
		}
	}
	return nil
}

// ordered reports whether the keys ascend and stay below end.
func (c *skipChain) ordered(end uint32) bool {
	for i := range c.keys {
		if c.keys[i].n >= end || i > 0 && c.keys[i].n <= c.keys[i-1].n {
			return false
		}
	}
	return true
}

// reader takes fields off the front of b. Once b is too short it yields zeros
// and says so in short.
type reader struct {
	b     []byte
	short bool
}

var zeros [ekSize]byte

func (r *reader) next(n int) []byte {
	if len(r.b) < n {
		r.short, r.b = true, nil
		return zeros[:n]
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) read(dst []byte) { copy(dst, r.next(len(dst))) }
func (r *reader) byte() byte      { return r.next(1)[0] }
func (r *reader) uint32() uint32  { return binary.BigEndian.Uint32(r.next(4)) }
func (r *reader) uint16() int     { return int(binary.BigEndian.Uint16(r.next(2))) }

// count reads a number of items of at least size bytes, never more than the
// rest can hold: nothing is allocated for what is not there.
func (r *reader) count(size int) int {
	n := r.uint16()
	if n*size > len(r.b) {
		r.short, r.b = true, nil
		return 0
	}
	return n
}
