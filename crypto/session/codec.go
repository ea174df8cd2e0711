package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// ErrBadState says that stored bytes are not a Self or Peer.
var ErrBadState = errors.New("session: malformed state")

// The stored forms are fields of fixed size, big endian, and byte strings with
// their length before them: they are read and written with every message and
// never leave the machine.

type writer struct{ b []byte }

func (w *writer) u8(v uint8)       { w.b = append(w.b, v) }
func (w *writer) u16(v int)        { w.b = binary.BigEndian.AppendUint16(w.b, uint16(v)) } //nolint:gosec // counts are bounded
func (w *writer) u64(v uint64)     { w.b = binary.BigEndian.AppendUint64(w.b, v) }
func (w *writer) raw(v []byte)     { w.b = append(w.b, v...) }
func (w *writer) time(t time.Time) { w.u64(uint64(unixMilli(t))) } //nolint:gosec // two's complement both ways

func (w *writer) bytes(v []byte) {
	w.b = binary.BigEndian.AppendUint32(w.b, uint32(len(v))) //nolint:gosec // bounded by the state's size
	w.b = append(w.b, v...)
}

func (w *writer) flags(fs ...bool) {
	var v uint8
	for i, f := range fs {
		if f {
			v |= 1 << i
		}
	}
	w.u8(v)
}

// unixMilli is 0 for the zero time.
func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// reader takes fields off the front of b. Once b is too short it yields zeros
// and says so in bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) next(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return make([]byte, min(n, 64))
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) u8() uint8   { return r.next(1)[0] }
func (r *reader) u16() int    { return int(binary.BigEndian.Uint16(r.next(2))) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.next(8)) }

func (r *reader) read(dst []byte) {
	if v := r.next(len(dst)); !r.bad {
		copy(dst, v)
	}
}

func (r *reader) time() time.Time {
	if ms := int64(r.u64()); ms != 0 { //nolint:gosec // two's complement both ways
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

// bytes returns a string that shares the input's memory.
func (r *reader) bytes() []byte {
	n := int(binary.BigEndian.Uint32(r.next(4)))
	if n > len(r.b) {
		r.bad = true
		return nil
	}
	if n == 0 {
		return nil
	}
	return r.next(n)
}

// count reads a number of items of which each takes size bytes at least.
func (r *reader) count(size int) int {
	n := r.u16()
	if n*size > len(r.b) {
		r.bad = true
		return 0
	}
	return n
}

// flags reads what writer.flags wrote; bits beyond those asked for are bad.
func (r *reader) flags(fs ...*bool) {
	v := r.u8()
	for i, f := range fs {
		*f = v>>i&1 == 1
	}
	if v>>len(fs) != 0 {
		r.bad = true
	}
}

func (r *reader) end(what string) error {
	if r.bad || len(r.b) != 0 {
		return fmt.Errorf("%w: %s", ErrBadState, what)
	}
	return nil
}
