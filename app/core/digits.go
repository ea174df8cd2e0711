package core

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// Limits of the six digits after an invitation (docs/protocol, invitations).
const (
	// digitsLife is for how long they are offered for comparison.
	digitsLife = 7 * 24 * time.Hour
	// maxDigits bounds the exchanges with a contact before they are verified: each
	// is a try for somebody who stands between the two, good once in a million times.
	maxDigits = 5
)

// digitsState is how far the exchange of the two numbers has come that go into
// the six digits of a session. It is stored; a session that is replaced leaves it
// without effect, but Tries stays.
type digitsState struct {
	Session   [16]byte `cbor:"1,keyasint"`
	At        int64    `cbor:"2,keyasint"` // of the latest move, unix ms
	Tries     uint8    `cbor:"3,keyasint"` // in which both had chosen, this one included
	Commit    [32]byte `cbor:"4,keyasint"` // at the responder: what the initiator committed to
	Initiator [32]byte `cbor:"5,keyasint"` // the two numbers; zero: not known yet
	Responder [32]byte `cbor:"6,keyasint"`
	Failed    bool     `cbor:"7,keyasint"` // revealed was something else
}

func digitsSecret(person chat.PersonID) string { return "digits:" + person.String() }

// digitsOf reads the state with a person; known is false if there is none.
func digitsOf(tx ReadTx, person chat.PersonID) (d digitsState, known bool, err error) {
	raw, err := tx.Secret(digitsSecret(person))
	if errors.Is(err, chat.ErrNotFound) {
		return d, false, nil
	}
	if err != nil {
		return d, false, err
	}
	if err := canon.Unmarshal(raw, &d); err != nil {
		return d, false, fmt.Errorf("core: exchange of digits: %w: %w", chat.ErrCorrupt, err)
	}
	return d, true, nil
}

func (s *step) putDigits(person chat.PersonID, d digitsState) error {
	d.At = s.env.Now.UnixMilli()
	raw, err := canon.Marshal(d)
	if err != nil {
		return fmt.Errorf("core: exchange of digits: %w", err)
	}
	s.publish(event.Event{Kind: event.PairingChanged})
	return s.PutSecret(digitsSecret(person), raw)
}

// dropDigits ends the comparison with a person, whatever came of it.
func (s *step) dropDigits(person chat.PersonID) error {
	s.publish(event.Event{Kind: event.PairingChanged})
	return s.DeleteSecret(digitsSecret(person))
}

// complete reports whether both numbers are known here.
func (d digitsState) complete() bool {
	return d.Initiator != [32]byte{} && d.Responder != [32]byte{}
}

// expired reports whether nobody will compare these digits any more. An exchange
// that waits for the other side waits as long as it has to.
func (d digitsState) expired(now time.Time) bool {
	return (d.complete() || d.Failed) && now.Sub(timeMs(d.At)) > digitsLife
}

// digits returns what both people see, "" before both numbers are known.
func (d digitsState) digits(env session.Env, p *session.Peer) string {
	active, ok := p.Active()
	if !ok || active.SID != d.Session || !d.complete() {
		return ""
	}
	digits, _ := p.SAS(env, slices.Concat(d.Initiator[:], d.Responder[:]))
	return digits
}

// mayCompare reports whether an exchange is to begin with a contact. One whose
// invitation was scanned counts as verified here, but not on the other side,
// whose person needs the digits on this screen.
func mayCompare(ct chat.Contact, d digitsState, known bool) bool {
	return !ct.Blocked && d.Tries < maxDigits && (!ct.Verified || ct.Pending || known)
}

// beginDigits is the first move, for a session that this side has just begun: the
// commitment to a number that the other side gets to see only after its own is
// on its way. Without it somebody in between could choose keys until the digits
// that the two see are equal.
func (s *step) beginDigits(person chat.PersonID) error {
	ct, err := s.Contact(person)
	if errors.Is(err, chat.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	old, known, err := digitsOf(s, person)
	if err != nil || !mayCompare(ct, old, known) {
		return err
	}
	p, err := s.peer(person)
	if err != nil {
		return err
	}
	active, ok := p.Active()
	if !ok {
		return nil
	}
	d := digitsState{Session: active.SID, Tries: old.Tries}
	if err := s.drawNumber(&d.Initiator); err != nil {
		return err
	}
	if err := s.giveUpOlder(person, envelope.TypeDigits); err != nil {
		return err
	}
	if err := s.putDigits(person, d); err != nil {
		return err
	}
	return s.queueDigits(person, envelope.MoveCommit, envelope.DigitsCommit(d.Session, d.Initiator))
}

func (s *step) drawNumber(n *[32]byte) error {
	if _, err := io.ReadFull(s.env.Rand, n[:]); err != nil {
		return fmt.Errorf("core: draw a number: %w", err)
	}
	return nil
}

func (s *step) queueDigits(person chat.PersonID, move uint8, value [32]byte) error {
	body, err := envelope.DigitsBody{Move: move, Value: value}.Encode()
	if err != nil {
		return err
	}
	return s.queue(person, chat.NewMessageID(), unsealed{
		Type: envelope.TypeDigits, Conversation: chat.DirectConversation(s.me(), person),
		Sent: s.env.Now.UnixMilli(), Body: body,
	})
}

func (in *inbox) digitsPayload(person chat.PersonID, p envelope.Payload) (func() error, error) {
	body, err := envelope.DecodeDigits(p.Body)
	if err != nil {
		return nil, errInvalid
	}
	return func() error { return in.takeDigits(person, p.Session, body) }, nil
}

// takeDigits takes a move of the other side. What does not fit is passed over:
// the first of each move counts, only in the active session, and only in the role
// that this session's handshake gave.
func (in *inbox) takeDigits(person chat.PersonID, sid [16]byte, body envelope.DigitsBody) error {
	p, err := in.peer(person)
	if err != nil {
		return err
	}
	active, ok := p.Active()
	if !ok || active.SID != sid || active.Initiator != (body.Move == envelope.MoveNonce) {
		return nil
	}
	d, known, err := digitsOf(in, person)
	if err != nil {
		return err
	}
	switch here := d.Session == sid; {
	case body.Move == envelope.MoveCommit && !here:
		return in.answerDigits(person, sid, d, known, body.Value)
	case body.Move == envelope.MoveNonce && here && d.Responder == [32]byte{}:
		d.Responder = body.Value
		d.Tries++
		in.reply(func() error { return in.queueDigits(person, envelope.MoveReveal, d.Initiator) })
		return in.putDigits(person, d)
	case body.Move == envelope.MoveReveal && here && d.Initiator == [32]byte{} && !d.Failed:
		return in.revealDigits(person, d, body.Value)
	}
	return nil
}

// answerDigits is the second move: the initiator's choice is made, this side
// draws its own.
func (in *inbox) answerDigits(person chat.PersonID, sid [16]byte, old digitsState, known bool, commit [32]byte) error {
	ct, err := in.Contact(person)
	if err != nil || !mayCompare(ct, old, known) {
		return err
	}
	d := digitsState{Session: sid, Tries: old.Tries + 1, Commit: commit}
	if err := in.drawNumber(&d.Responder); err != nil {
		return err
	}
	if err := in.giveUpOlder(person, envelope.TypeDigits); err != nil {
		return err
	}
	in.reply(func() error { return in.queueDigits(person, envelope.MoveNonce, d.Responder) })
	return in.putDigits(person, d)
}

// revealDigits is the end: what the initiator shows must be what it committed to.
func (in *inbox) revealDigits(person chat.PersonID, d digitsState, value [32]byte) error {
	if envelope.DigitsCommit(d.Session, value) == d.Commit {
		d.Initiator = value
	} else {
		in.core.log.Warn("six digits: revealed was not what had been committed to")
		d.Failed = true
	}
	return in.putDigits(person, d)
}

// expireDigits drops what nobody will compare any more; that it was a try stays.
func (s *step) expireDigits(person chat.PersonID) error {
	d, known, err := digitsOf(s, person)
	if err != nil || !known || !d.expired(s.env.Now) {
		return err
	}
	return s.putDigits(person, digitsState{Tries: d.Tries})
}
