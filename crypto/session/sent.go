package session

import (
	"time"

	"github.com/kuvert-im/kuvert/crypto/envelope"
)

// sent is what I remember of what I sealed in one session, as far as the peer
// has not acknowledged it: enough to compare an acknowledgement with before
// anything is marked. If it does not fit, I am the one who was put back.
type sent struct {
	// Envelopes, by number.
	number     uint64    // the highest sealed
	opened     uint64    // the highest the peer reported opening
	openedHash [8]byte   // its hash
	envelopes  [][8]byte // the hashes of opened+1 … number
	closedAt   time.Time // when opened rose last, or the window closed since

	// What asks for an acknowledgement, by ctr.
	ctr     uint64   // the highest given
	contig  uint64   // acknowledged without a gap
	base    [8]byte  // the chain's hash at contig
	asks    []ask    // contig+1 … ctr
	chain   [32]byte // the chain's hash at ctr
	pending int      // asks neither acknowledged nor settled
}

// ask is one payload that asks for an acknowledgement.
type ask struct {
	id      [16]byte
	chain   [8]byte // the chain's hash here
	acked   bool
	settled bool // nobody waits for it: acknowledged in another session, or an empty payload
}

func short(h [32]byte) [8]byte { return [8]byte(h[:8]) }

// unopened is how many envelopes the peer did not report as opened, with one
// more sealed.
func (s *sent) unopened() uint64 { return s.number + 1 - s.opened }

// find returns the ctr under which a message was sealed before, or 0.
func (s *sent) find(id [16]byte) uint64 {
	for i := range s.asks {
		if s.asks[i].id == id {
			return s.contig + 1 + uint64(i)
		}
	}
	return 0
}

func (s *sent) at(ctr uint64) *ask {
	if ctr <= s.contig || ctr > s.ctr {
		return nil
	}
	return &s.asks[ctr-s.contig-1]
}

// give gives a message the next ctr.
func (s *sent) give(id [16]byte, settled bool) uint64 {
	s.ctr++
	s.chain = envelope.AckChain(s.chain, id)
	s.asks = append(s.asks, ask{id: id, chain: short(s.chain), settled: settled})
	if !settled {
		s.pending++
	}
	return s.ctr
}

// log records a sealed envelope.
func (s *sent) log(hash [32]byte, now time.Time, l *limits) {
	s.number++
	s.envelopes = append(s.envelopes, short(hash))
	if s.unopened() == l.newWindow+1 {
		s.closedAt = milli(now)
	}
}

// hole returns the first ctr that the peer misses and that nobody waits for. Its
// envelope may never be sent, so that only an empty payload under the same ctr
// and id lets the peer's account close.
func (s *sent) hole() (ctr uint64, id [16]byte, ok bool) {
	for i := range s.asks {
		if a := &s.asks[i]; a.settled && !a.acked {
			return s.contig + 1 + uint64(i), a.id, true
		}
	}
	return 0, id, false
}

// mustFill reports whether the oldest gap is one to fill and lies far behind.
func (s *sent) mustFill(window uint64) bool {
	return s.ctr-s.contig > window && s.asks[0].settled && !s.asks[0].acked
}

// settle marks messages as acknowledged elsewhere or given up.
func (s *sent) settle(ids map[[16]byte]bool) {
	for i := range s.asks {
		if a := &s.asks[i]; !a.settled && ids[a.id] {
			a.settled = true
			if !a.acked {
				s.pending--
			}
		}
	}
}

// fits reports whether an acknowledgement agrees with what was sealed. What was
// acknowledged before and is forgotten was compared then.
func (s *sent) fits(a *envelope.Ack) bool {
	return s.fitsHighest(a) && s.fitsChain(a) && s.fitsRanges(a)
}

func (s *sent) fitsHighest(a *envelope.Ack) bool {
	switch {
	case a.Hi > s.number:
		return false
	case a.Hi > s.opened:
		return s.envelopes[a.Hi-s.opened-1] == a.HiHash
	case a.Hi == s.opened:
		return s.openedHash == a.HiHash
	}
	return true
}

func (s *sent) fitsChain(a *envelope.Ack) bool {
	switch {
	case a.Contiguous > s.ctr:
		return false
	case a.Contiguous > s.contig:
		return s.at(a.Contiguous).chain == a.Chain
	case a.Contiguous == s.contig:
		return s.base == a.Chain
	}
	return true
}

func (s *sent) fitsRanges(a *envelope.Ack) bool {
	for _, g := range a.Ranges {
		if g.To > s.ctr {
			return false
		}
		if g.From > s.contig && s.rangeHash(g.From, g.To) != g.Hash {
			return false
		}
	}
	return true
}

func (s *sent) rangeHash(from, to uint64) [8]byte {
	asks := s.asks[from-s.contig-1 : to-s.contig]
	ids := make([][16]byte, len(asks))
	for i := range asks {
		ids[i] = asks[i].id
	}
	return envelope.AckRangeHash(ids...)
}

// regressed reports whether an account is newer than the last one and yet lacks
// what was acknowledged before: the peer was put back. It will never have the
// gaps closed, so that no account of it could be compared for long.
func (s *sent) regressed(a *envelope.Ack) bool { return a.Hi > s.opened && a.Contiguous < s.contig }

// apply marks what a fitting acknowledgement says and returns the ids that were
// waited for.
func (s *sent) apply(a *envelope.Ack, now time.Time) (ids [][16]byte) {
	if a.Hi > s.opened {
		s.envelopes = s.envelopes[a.Hi-s.opened:]
		s.opened, s.openedHash, s.closedAt = a.Hi, a.HiHash, milli(now)
	}
	ids = s.mark(ids, s.contig+1, a.Contiguous)
	for _, g := range a.Ranges {
		if g.From > s.contig {
			ids = s.mark(ids, g.From, g.To)
		}
	}
	s.forget()
	return ids
}

func (s *sent) mark(ids [][16]byte, from, to uint64) [][16]byte {
	for n := from; n <= to; n++ {
		a := s.at(n)
		if a.acked {
			continue
		}
		a.acked = true
		if !a.settled {
			s.pending--
			ids = append(ids, a.id)
		}
	}
	return ids
}

// forget drops what is acknowledged without a gap.
func (s *sent) forget() {
	n := 0
	for n < len(s.asks) && s.asks[n].acked {
		s.base = s.asks[n].chain
		n++
	}
	s.contig += uint64(n)
	s.asks = s.asks[n:]
}

const (
	envelopeSize = 8
	askSize      = 16 + 8 + 1

	flagAcked, flagSettled = 1, 2
)

func (s *sent) marshal(w *writer) {
	w.u64(s.number)
	w.u64(s.opened)
	w.raw(s.openedHash[:])
	w.time(s.closedAt)
	w.u64(s.ctr)
	w.u64(s.contig)
	w.raw(s.base[:])
	w.raw(s.chain[:])
	for i := range s.envelopes {
		w.b = append(w.b, s.envelopes[i][:]...)
	}
	for i := range s.asks {
		w.b = s.asks[i].append(w.b)
	}
}

// parse reads what marshal wrote. The counts follow from the numbers.
func (s *sent) parse(r *reader) {
	s.number, s.opened = r.u64(), r.u64()
	r.read(s.openedHash[:])
	s.closedAt = r.time()
	s.ctr, s.contig = r.u64(), r.u64()
	r.read(s.base[:])
	r.read(s.chain[:])
	envelopes, asks := s.number-s.opened, s.ctr-s.contig
	if s.opened > s.number || s.contig > s.ctr || envelopes > uint64(len(r.b)) || asks > uint64(len(r.b)) ||
		envelopes*envelopeSize+asks*askSize > uint64(len(r.b)) {
		r.bad = true
		return
	}
	s.envelopes = make([][8]byte, envelopes)
	b := r.next(int(envelopes) * envelopeSize)
	for i := range s.envelopes {
		s.envelopes[i] = [8]byte(b[i*envelopeSize:])
	}
	s.asks = make([]ask, asks)
	b = r.next(int(asks) * askSize)
	for i := range s.asks {
		s.asks[i].parse(r, b[i*askSize:][:askSize])
		if !s.asks[i].acked && !s.asks[i].settled {
			s.pending++
		}
	}
}

func (a *ask) parse(r *reader, b []byte) {
	flags := b[askSize-1]
	if flags&^(flagAcked|flagSettled) != 0 {
		r.bad = true
	}
	a.id, a.chain = [16]byte(b), [8]byte(b[16:])
	a.acked, a.settled = flags&flagAcked != 0, flags&flagSettled != 0
}

func (a *ask) append(b []byte) []byte {
	b = append(append(b, a.id[:]...), a.chain[:]...)
	flags := byte(0)
	if a.acked {
		flags |= flagAcked
	}
	if a.settled {
		flags |= flagSettled
	}
	return append(b, flags)
}
