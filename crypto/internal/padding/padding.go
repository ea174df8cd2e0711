// Package padding hides how long something is: a length, the content and zeros,
// up to a size of which there are few.
//
// The sizes are Padmé's (Nikitin et al., "Reducing Metadata Leakage from
// Encrypted Files and Communication with PURBs", section 4): what is left of a
// size of n bytes is O(log log n) bits.
package padding

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// LengthSize is what stands in front of the content, in bytes.
const LengthSize = 4

// ErrMalformed says that bytes are not what [Frame] returns.
var ErrMalformed = errors.New("malformed padding")

// Padme rounds up to the next Padmé size: at most 12 % more, and never more than
// 6.2 % from 512 on.
func Padme(n int) int {
	if n < 2 {
		return n
	}
	e := bits.Len(uint(n)) - 1
	mask := 1<<(e-bits.Len(uint(e))) - 1
	return (n + mask) &^ mask
}

// Frame returns length | content | zeros, size bytes in all. size is at least
// LengthSize + len(content).
func Frame(content []byte, size int) []byte {
	out := make([]byte, size)
	binary.BigEndian.PutUint32(out, uint32(len(content)))
	copy(out[LengthSize:], content)
	return out
}

// Content is the reverse; what follows the content must be zeros. The result is
// part of b.
func Content(b []byte) ([]byte, error) {
	if len(b) < LengthSize {
		return nil, ErrMalformed
	}
	n, rest := binary.BigEndian.Uint32(b), b[LengthSize:]
	if uint64(n) > uint64(len(rest)) {
		return nil, ErrMalformed
	}
	for _, c := range rest[n:] {
		if c != 0 {
			return nil, ErrMalformed
		}
	}
	return rest[:n:n], nil
}
