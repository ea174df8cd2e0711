package handshake

import (
	"fmt"

	"github.com/kuvert-im/kuvert/crypto/prekey"
)

// Kind says what a deliver frame holds. The values are on the wire.
type Kind byte

// The kinds of version 1.
const (
	KindHandshake Kind = 1 // an offer with the first envelopes of a session
	KindRatchet   Kind = 2 // an envelope of a session
)

// MaxFrame bounds a deliver frame without its length, in bytes.
const MaxFrame = 128 << 10

// AppendFrame appends kind, hint and envelope to dst. The hint is written for
// handshakes only.
func AppendFrame(dst []byte, kind Kind, hint prekey.Hint, envelope []byte) []byte {
	dst = append(dst, byte(kind))
	if kind == KindHandshake {
		dst = append(dst, hint[:]...)
	}
	return append(dst, envelope...)
}

// ParseFrame takes a frame apart; the envelope aliases it. The error is
// [ErrMalformed].
func ParseFrame(frame []byte) (kind Kind, hint prekey.Hint, envelope []byte, err error) {
	if len(frame) == 0 || len(frame) > MaxFrame {
		return 0, hint, nil, fmt.Errorf("%w: frame of %d bytes", ErrMalformed, len(frame))
	}
	kind, envelope = Kind(frame[0]), frame[1:]
	switch kind {
	case KindRatchet:
	case KindHandshake:
		if len(envelope) < len(hint) {
			return 0, hint, nil, fmt.Errorf("%w: frame cut short", ErrMalformed)
		}
		hint, envelope = prekey.Hint(envelope[:len(hint)]), envelope[len(hint):]
	default:
		return 0, hint, nil, fmt.Errorf("%w: frame of kind %d", ErrMalformed, kind)
	}
	if len(envelope) == 0 {
		return 0, hint, nil, fmt.Errorf("%w: empty frame", ErrMalformed)
	}
	return kind, hint, envelope, nil
}

// Peek returns the hint of a handshake frame; ok is false for any other frame. It
// costs nothing: call it before any key is touched.
func Peek(frame []byte) (hint prekey.Hint, ok bool) {
	kind, hint, _, err := ParseFrame(frame)
	return hint, err == nil && kind == KindHandshake
}
