package session

import (
	"errors"
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/crypto/ratchet"
)

// What a caller decides on.
var (
	// ErrNoSession says that nothing can be sealed before a handshake is started,
	// for which the person's bundle may have to be fetched first.
	ErrNoSession = errors.New("session: no session to send on")
	// ErrWindow says that too much is unanswered: what is to be sealed waits.
	ErrWindow = errors.New("session: too much is unacknowledged")
	// ErrLimited says that no handshake may be started for now. The error is a
	// *LimitedError.
	ErrLimited = errors.New("session: too many handshakes")
	// ErrNoBundle says that no usable bundle of the person is held: none, an
	// expired one, or one that was of no use.
	ErrNoBundle = errors.New("session: no usable bundle")
	// ErrStale says that sealed bytes are not to be sent any more: their session
	// was replaced, or they are too old. Seal the payload anew.
	ErrStale = errors.New("session: sealed for an earlier session, or too long ago")

	// ErrCannotOpen is the answer "cannot open".
	ErrCannotOpen = errors.New("session: cannot open")
	// ErrBusy is the answer "busy": the handshake may be offered again later.
	ErrBusy = errors.New("session: busy")
	// ErrRefused is the answer "refused": an old handshake, or one that contradicts
	// what is known.
	ErrRefused = errors.New("session: refused")
	// ErrBranch says that a second installation appeared within 7 days that was
	// not announced. It wraps ErrRefused. Observe keeps the alarm; Resume ends it.
	ErrBranch = fmt.Errorf("%w: a second unannounced installation", ErrRefused)

	// ErrOldBundle says that a bundle has a lower counter than one seen before, or
	// the same one and other content.
	ErrOldBundle = errors.New("session: bundle is older than a known one")
	// ErrForeign says that something belongs to another person.
	ErrForeign = errors.New("session: belongs to somebody else")
	// ErrBadStatus says that a status is malformed.
	ErrBadStatus = errors.New("session: malformed status")
)

// LimitedError says until when no handshake may be started.
type LimitedError struct{ Until time.Time }

// Error implements error.
func (e *LimitedError) Error() string { return ErrLimited.Error() }

// Unwrap returns ErrLimited.
func (*LimitedError) Unwrap() error { return ErrLimited }

// openError says on which session an envelope was recognised but not opened.
type openError struct {
	sid [16]byte
	err error
}

func (e *openError) Error() string   { return fmt.Sprintf("%v: %v", ErrCannotOpen, e.err) }
func (e *openError) Unwrap() []error { return []error{ErrCannotOpen, e.err} }

// evidence returns the session of which err shows that one of the two sides was
// put back.
func evidence(err error) (sid [16]byte, ok bool) {
	var oe *openError
	if errors.As(err, &oe) && ratchet.IsEvidence(oe.err) {
		return oe.sid, true
	}
	return sid, false
}
