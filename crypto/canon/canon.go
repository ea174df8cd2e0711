// Package canon is the one serialisation of everything Kuvert hashes, signs,
// authenticates or sends: deterministic CBOR (RFC 8949, section 4.2.1), and
// hashes, MACs and key derivations over length-prefixed parts.
//
// It promises that one value has one encoding. [Unmarshal] therefore refuses
// whatever [Marshal] would not have written: duplicate or unsorted keys, integers
// or lengths longer than need be, indefinite lengths, tags, floats, unknown
// fields, strings of a wrong length, trailing bytes. The form is checked, and
// depth and size are bounded, before anything is allocated.
//
// Structs use integer keys (`cbor:"1,keyasint"`). A type that may grow without a
// new version carries an [Ext] under key -1; what an older app does not know is
// kept in it and written out again.
package canon

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Prefix starts every label, so that no hash, MAC, signature or derived key of
// this protocol can be taken for one of another.
const Prefix = "kuvert/v1 "

const (
	// MaxSize bounds one document, in bytes. What comes from the network has
	// smaller limits of its own; this one is for our own stored state.
	MaxSize = 4 << 20
	// MaxDepth bounds nesting. Our deepest document (payload, acknowledgement,
	// range) needs 6.
	MaxDepth = 12
)

// ErrMalformed is wrapped by every error of [Unmarshal].
var ErrMalformed = errors.New("canon: malformed or not canonical")

// Ext holds the fields of later versions that an older reader may ignore.
type Ext map[uint64]cbor.RawMessage

var encoding, decoding = modes()

func modes() (cbor.EncMode, cbor.DecMode) {
	eo := cbor.CoreDetEncOptions()
	eo.NilContainers = cbor.NilContainerAsEmpty
	eo.TagsMd = cbor.TagsForbidden
	em, err := eo.EncMode()
	if err != nil {
		panic(err) // the options above are constants
	}
	dm, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   MaxDepth,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return em, dm
}

// Marshal returns the one encoding of v.
func Marshal(v any) ([]byte, error) {
	b, err := encoding.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("canon: encode: %w", err)
	}
	return b, nil
}

// Unmarshal decodes b into v, a pointer to a zero value. Every error wraps
// [ErrMalformed]; v is then to be thrown away.
func Unmarshal(b []byte, v any) error { return UnmarshalMax(b, v, MaxSize) }

// UnmarshalMax is [Unmarshal] with a limit of its own, in bytes.
func UnmarshalMax(b []byte, v any, limit int) error {
	if len(b) > limit {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrMalformed, len(b), limit)
	}
	if err := check(b); err != nil {
		return err
	}
	if err := decoding.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	// The form is canonical; encoding again shows whether it also fits the type:
	// a 31-byte string decodes into [32]byte, but comes out as 32 bytes.
	again, err := encoding.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !bytes.Equal(again, b) {
		return fmt.Errorf("%w: does not fit its type", ErrMalformed)
	}
	return nil
}

// Frame returns "kuvert/v1 "+label and each part, each with its length before it
// as four bytes, big endian. No two calls with different arguments return the
// same bytes.
func Frame(label string, parts ...[]byte) []byte {
	n := 4 + len(Prefix) + len(label)
	for _, p := range parts {
		n += 4 + len(p)
	}
	out := appendLen(make([]byte, 0, n), len(Prefix)+len(label))
	out = append(append(out, Prefix...), label...)
	return appendParts(out, parts)
}

// Hash is SHA-256 over [Frame].
func Hash(label string, parts ...[]byte) [32]byte {
	return sha256.Sum256(Frame(label, parts...))
}

// MAC is HMAC-SHA-256 over [Frame]. Compare MACs with hmac.Equal or
// subtle.ConstantTimeCompare only.
func MAC(key []byte, label string, parts ...[]byte) [32]byte {
	h := hmac.New(sha256.New, key)
	h.Write(Frame(label, parts...))
	return [32]byte(h.Sum(nil))
}

// KDF derives n bytes with HKDF-SHA-256. The info is "kuvert/v1 "+label, followed
// by each part with its length before it; a nil salt is 32 zero bytes. n is at
// most 255 × 32.
func KDF(secret, salt []byte, label string, info [][]byte, n int) []byte {
	return must(hkdf.Key(sha256.New, secret, salt, infoOf(label, info), n))
}

// Extract and Expand are the halves of [KDF]: what [Extract] returns may be kept
// where the secret itself must not be.
func Extract(secret, salt []byte) []byte { return must(hkdf.Extract(sha256.New, secret, salt)) }

// Expand derives n bytes from what [Extract] returned.
func Expand(prk []byte, label string, info [][]byte, n int) []byte {
	return must(hkdf.Expand(sha256.New, prk, infoOf(label, info), n))
}

func infoOf(label string, parts [][]byte) string {
	return string(appendParts([]byte(Prefix+label), parts))
}

func appendParts(out []byte, parts [][]byte) []byte {
	for _, p := range parts {
		out = append(appendLen(out, len(p)), p...)
	}
	return out
}

func appendLen(out []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(out, uint32(n))
}

// must: HKDF fails only for lengths no caller asks for.
func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
