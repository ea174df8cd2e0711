// Package pairing holds the messages of /kuvert/pair/1, by which two people who see
// each other's names on one network become contacts with a click and compare six
// digits (docs/protocol/invitations.md).
//
//	A → B  request   version, A's name
//	B → A  offer     B's bundle, B's name
//	A → B  commit    SHA-256("pair" | A's handshake frame)
//	B → A  nonce     32 random bytes
//	A → B  reveal    the frame
//	both   decision  whether the person says the digits are equal
//
// Both screens then show the digits of the handshake, with B's nonce mixed in. It
// promises that neither somebody in the middle nor A or B can choose keys after
// seeing what the other's digits will be: A's keys are fixed by the commitment
// before the nonce is known, and B's bundle and nonce before A's frame is. One who
// stands between them gets equal digits on both screens once in a million tries,
// and each try is seen on both screens.
//
// The package has no state and no clock. Whoever drives it must send the messages
// in this order, a fresh nonce each time, and count a commitment that is never
// revealed as an attempt.
package pairing

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/handshake"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

const (
	// Version is the protocol's, in the request.
	Version = 1
	// MaxName bounds a display name, in bytes of UTF-8.
	MaxName = 128

	// MaxSmall bounds an encoded request, commit or nonce, in bytes.
	MaxSmall = 256
	// MaxOffer bounds an encoded offer, in bytes.
	MaxOffer = prekey.MaxBundleSize + MaxSmall
	// MaxReveal bounds an encoded reveal, in bytes.
	MaxReveal = handshake.MaxFrame + 16
)

var (
	// ErrMalformed: bytes that are not the expected message.
	ErrMalformed = errors.New("pairing: malformed message")
	// ErrVersion: a request of a version we do not know.
	ErrVersion = errors.New("pairing: unknown version")
	// ErrCommitment: the frame is not the one committed to. Nothing of it may be used.
	ErrCommitment = errors.New("pairing: the frame is not the one committed to")
)

// kind is in each message, so that none passes for another. The values are on the
// wire.
type kind uint8

const (
	kindRequest kind = 1
	kindOffer   kind = 2
	kindCommit  kind = 3
	kindNonce   kind = 4
	kindReveal  kind = 5
)

// Request asks for pairing. It names A to B, and to nobody else: the stream is
// encrypted.
type Request struct {
	Version uint64
	Name    string
}

// Offer answers with what A needs for a handshake.
type Offer struct {
	Bundle []byte // signed, not checked here
	Name   string
}

// Commit fixes A's handshake before B has said its nonce.
type Commit struct{ Hash [32]byte }

// Nonce is B's part of the digits.
type Nonce struct{ Value [32]byte }

// Reveal is A's handshake frame, complete with its start payload.
type Reveal struct{ Frame []byte }

type wireRequest struct {
	Kind    kind      `cbor:"1,keyasint"`
	Version uint64    `cbor:"2,keyasint"`
	Name    string    `cbor:"3,keyasint"`
	Ext     canon.Ext `cbor:"-1,keyasint,omitempty"`
}

type wireOffer struct {
	Kind   kind      `cbor:"1,keyasint"`
	Bundle []byte    `cbor:"2,keyasint"`
	Name   string    `cbor:"3,keyasint"`
	Ext    canon.Ext `cbor:"-1,keyasint,omitempty"`
}

// wireFixed is a commit or a nonce.
type wireFixed struct {
	Kind  kind     `cbor:"1,keyasint"`
	Value [32]byte `cbor:"2,keyasint"`
}

type wireReveal struct {
	Kind  kind   `cbor:"1,keyasint"`
	Frame []byte `cbor:"2,keyasint"`
}

// CommitTo returns the commitment to a frame.
func CommitTo(frame []byte) Commit { return Commit{canon.Hash("pair", frame)} }

// Check returns [ErrCommitment] unless r is what c committed to.
func (c Commit) Check(r Reveal) error {
	want := CommitTo(r.Frame)
	if !hmac.Equal(want.Hash[:], c.Hash[:]) {
		return ErrCommitment
	}
	return nil
}

// NewNonce draws a nonce from rand.
func NewNonce(rand io.Reader) (n Nonce, err error) {
	if _, err := io.ReadFull(rand, n.Value[:]); err != nil {
		return Nonce{}, fmt.Errorf("pairing: draw nonce: %w", err)
	}
	return n, nil
}

// Encode returns the message's bytes; the error is [ErrMalformed] for a name that
// no one would accept.
func (r Request) Encode() ([]byte, error) {
	if err := checkName(r.Name); err != nil {
		return nil, err
	}
	return encode(wireRequest{Kind: kindRequest, Version: r.Version, Name: r.Name}, MaxSmall)
}

// DecodeRequest reads a request. A later version is [ErrVersion].
func DecodeRequest(b []byte) (Request, error) {
	var w wireRequest
	if err := decode(b, &w, MaxSmall); err != nil {
		return Request{}, err
	}
	if w.Kind != kindRequest {
		return Request{}, wrongKind(w.Kind)
	}
	if w.Version != Version {
		return Request{}, ErrVersion
	}
	return Request{w.Version, w.Name}, checkName(w.Name)
}

// Encode returns the message's bytes.
func (o Offer) Encode() ([]byte, error) {
	if err := checkName(o.Name); err != nil {
		return nil, err
	}
	return encode(wireOffer{Kind: kindOffer, Bundle: o.Bundle, Name: o.Name}, MaxOffer)
}

// DecodeOffer reads an offer; the bundle in it is still to be checked.
func DecodeOffer(b []byte) (Offer, error) {
	var w wireOffer
	if err := decode(b, &w, MaxOffer); err != nil {
		return Offer{}, err
	}
	if w.Kind != kindOffer {
		return Offer{}, wrongKind(w.Kind)
	}
	return Offer{w.Bundle, w.Name}, checkName(w.Name)
}

// Encode returns the message's bytes.
func (c Commit) Encode() ([]byte, error) { return encode(wireFixed{kindCommit, c.Hash}, MaxSmall) }

// DecodeCommit reads a commit.
func DecodeCommit(b []byte) (Commit, error) {
	v, err := decodeFixed(b, kindCommit)
	return Commit{v}, err
}

// Encode returns the message's bytes.
func (n Nonce) Encode() ([]byte, error) { return encode(wireFixed{kindNonce, n.Value}, MaxSmall) }

// DecodeNonce reads a nonce.
func DecodeNonce(b []byte) (Nonce, error) {
	v, err := decodeFixed(b, kindNonce)
	return Nonce{v}, err
}

// Encode returns the message's bytes.
func (r Reveal) Encode() ([]byte, error) {
	if len(r.Frame) > handshake.MaxFrame {
		return nil, fmt.Errorf("%w: frame too big", ErrMalformed)
	}
	return encode(wireReveal{kindReveal, r.Frame}, MaxReveal)
}

// DecodeReveal reads a reveal, whose frame must be a handshake.
func DecodeReveal(b []byte) (Reveal, error) {
	var w wireReveal
	if err := decode(b, &w, MaxReveal); err != nil {
		return Reveal{}, err
	}
	if w.Kind != kindReveal {
		return Reveal{}, wrongKind(w.Kind)
	}
	if _, ok := handshake.Peek(w.Frame); !ok {
		return Reveal{}, fmt.Errorf("%w: not a handshake frame", ErrMalformed)
	}
	return Reveal{w.Frame}, nil
}

// checkName: what is shown is cleaned by whoever shows it; here is only what
// cannot be a name at all.
func checkName(name string) error {
	if len(name) == 0 || len(name) > MaxName || !utf8.ValidString(name) {
		return fmt.Errorf("%w: name", ErrMalformed)
	}
	return nil
}

func wrongKind(k kind) error { return fmt.Errorf("%w: message %d out of order", ErrMalformed, k) }

func encode(v any, limit int) ([]byte, error) {
	b, err := canon.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("pairing: %w", err)
	}
	if len(b) > limit {
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	return b, nil
}

func decode(b []byte, v any, limit int) error {
	if err := canon.UnmarshalMax(b, v, limit); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

func decodeFixed(b []byte, want kind) ([32]byte, error) {
	var w wireFixed
	if err := decode(b, &w, MaxSmall); err != nil {
		return [32]byte{}, err
	}
	if w.Kind != want {
		return [32]byte{}, wrongKind(w.Kind)
	}
	return w.Value, nil
}
