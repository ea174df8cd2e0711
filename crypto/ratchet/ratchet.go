// Package ratchet is Kuvert's Double Ratchet with encrypted headers and a
// post-quantum step, in the shape of an age recipient and an age identity:
// every message is an ordinary age file whose file key only the session opens.
//
// It follows Signal's "The Double Ratchet Algorithm", revision 3, §4 (header
// encryption), and docs/protocol/messages.md for the bytes. The post-quantum
// step mixes an ML-KEM-768 secret into the root chain beside X25519, at the
// latest every KEMEveryMessages messages or KEMEveryTime.
//
// What the package promises:
//
//   - It does no I/O and keeps no time: randomness and the clock are given.
//   - A State changes only where the documentation says so. A failed Unwrap
//     leaves it as it was.
//   - Unwrap runs before age has verified the payload. Work on a Clone, and keep
//     the clone only after the payload was read to its verified end; otherwise a
//     flipped byte of the payload would burn a message key.
//   - Commit the state before the sealed bytes leave the process.
//   - Work and memory are bounded whatever a peer sends: MaxSkipStep chain steps
//     for one envelope, MaxSkipTotal stored keys for one State.
//
// A State is not safe for concurrent use.
package ratchet

import (
	"errors"
	"fmt"
	"time"

	"filippo.io/age"
)

// StanzaType is the type of the one stanza in the header of a ratchet envelope.
const StanzaType = "kuvert/dr1"

const (
	// MaxSkipStep is how many message keys one envelope may make us derive and
	// keep, those of the chain before included. The senders' own limit of 1,000
	// envelopes beyond the highest one reported as opened keeps honest peers
	// below it.
	MaxSkipStep = 1000

	// MaxSkipTotal is how many message keys of envelopes not yet seen a State
	// keeps. Beyond it the oldest goes; a message is never refused for that.
	MaxSkipTotal = 2000

	// SkippedLife is how long a message key of an envelope not yet seen is kept.
	SkippedLife = 30 * 24 * time.Hour

	// KEMEveryMessages and KEMEveryTime say when the next sending chain offers a
	// KEM key: that many messages sealed and opened, or that much time, after
	// the last KEM step of our own offering (or the start of the session).
	KEMEveryMessages = 50
	KEMEveryTime     = 24 * time.Hour
)

var (
	// ErrNotMine says that no live header key of this State opens the header.
	// It wraps age.ErrIncorrectIdentity: another session may be tried.
	ErrNotMine = fmt.Errorf("ratchet: envelope belongs to no chain of this session: %w", age.ErrIncorrectIdentity)

	// ErrUsed says that the header opens under a live key and its message key is
	// gone: a duplicate, or, if these bytes were never seen, a peer whose state
	// was put back.
	ErrUsed = errors.New("ratchet: message key is used up")

	// ErrBeyond says that an authenticated header is beyond MaxSkipStep.
	ErrBeyond = errors.New("ratchet: envelope is beyond the skip limit")

	// ErrMismatch says that an authenticated header contradicts what was opened
	// before: another ratchet key in a known chain, a chain shorter than what we
	// opened of it, a KEM answer missing or never asked for.
	ErrMismatch = errors.New("ratchet: header contradicts the session")

	// ErrTampered says that the stanza is malformed or was altered, or that an
	// authenticated header holds a key no honest peer sends.
	ErrTampered = errors.New("ratchet: envelope was altered")

	// ErrCannotSend says that a responder has opened nothing yet.
	ErrCannotSend = errors.New("ratchet: no sending chain before the first message was opened")

	// ErrExhausted says that the sending chain has used its last message number.
	// N never wraps.
	ErrExhausted = errors.New("ratchet: sending chain is exhausted")

	// ErrSpent says that a recipient was used for a second file.
	ErrSpent = errors.New("ratchet: recipient was used already")

	// ErrBadState says that stored bytes are not a State.
	ErrBadState = errors.New("ratchet: malformed state")
)

// IsEvidence reports whether err, met on the active session and with an envelope
// never seen before, shows that one of the two sides was put back to an older
// state ("Healing" in the protocol's documentation).
func IsEvidence(err error) bool {
	return errors.Is(err, ErrUsed) || errors.Is(err, ErrBeyond) || errors.Is(err, ErrMismatch)
}
