// Package handshake starts a session with somebody who need not be there: a
// PQXDH-like agreement between an initiator A and the bundle of a responder B
// (docs/protocol/handshake.md; Signal's PQXDH, revision 3).
//
// A's offer travels in a stock age file to B's hybrid prekey, together with the
// first ratchet envelope. Nothing outside that file names A. Everything both sides
// know is in the transcript hash TH; the root key depends on four Diffie-Hellman
// results at most, a seed only B's post-quantum key opens, and an invitation's
// secret if there is one.
//
// It promises that [Open] returns an offer only from the owner of the identity key
// it names, meant for this very bundle, and changes nothing: all state is in what
// it returns. Whether a handshake is fresh, wanted or rate-limited is decided
// above, as is the clock against a bundle's expiry.
package handshake

import (
	"errors"

	"github.com/kuvert-im/kuvert/crypto/identity"
)

var (
	// ErrMalformed: bytes that are no frame, no offer or no stored handshake.
	ErrMalformed = errors.New("handshake: malformed")
	// ErrTooBig: the frame would be over [MaxFrame].
	ErrTooBig = errors.New("handshake: frame too big")
	// ErrVersion: an offer of a version we do not know.
	ErrVersion = errors.New("handshake: unknown version")
	// ErrUnknownPrekey: the frame's hint, or a prekey the offer names, is not the
	// one given.
	ErrUnknownPrekey = errors.New("handshake: unknown prekey")
	// ErrUnknownBundle: the offer refers to a bundle that is not among those given.
	ErrUnknownBundle = errors.New("handshake: unknown bundle")
	// ErrUnknownInvite: the offer names another invitation than the one given, or
	// one where there is none, or none where there is one.
	ErrUnknownInvite = errors.New("handshake: unknown invitation")
	// ErrCannotOpen: the outer age file is damaged or not for this prekey.
	ErrCannotOpen = errors.New("handshake: cannot open")
	// ErrBadMAC: initiator and responder did not agree on a key.
	ErrBadMAC = errors.New("handshake: bad confirmation")
	// ErrBadSignature: the offer is not signed by the identity it names.
	ErrBadSignature = errors.New("handshake: bad signature")
	// ErrSelf: a handshake with oneself.
	ErrSelf = errors.New("handshake: with oneself")
	// ErrZeroDH is identity.ErrZeroDH, for a Diffie-Hellman result without a secret.
	ErrZeroDH = identity.ErrZeroDH
)

// suite names the whole construction in TH: another choice of algorithms is
// another suite.
const suite = "kuvert/v1 X25519 ML-KEM-768 Ed25519 SHA-256 ChaCha20-Poly1305"

// version is the offer's.
const version = 1
