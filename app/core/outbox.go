package core

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// unsealed is a payload as it waits in the outbox: what it says, without what
// belongs to a session.
type unsealed struct {
	Type         uint8      `cbor:"1,keyasint"`
	Conversation [16]byte   `cbor:"2,keyasint"`
	Seq          uint64     `cbor:"3,keyasint"`
	Parents      [][16]byte `cbor:"4,keyasint"`
	Sent         int64      `cbor:"5,keyasint"` // unix ms
	Body         []byte     `cbor:"6,keyasint"`
}

// newItem makes the outbox item of a payload.
func newItem(person chat.PersonID, id chat.MessageID, u unsealed, now time.Time) (chat.OutboxItem, error) {
	raw, err := canon.Marshal(u)
	if err != nil {
		return chat.OutboxItem{}, fmt.Errorf("core: payload: %w", err)
	}
	return chat.OutboxItem{Contact: person, Message: id, Type: u.Type, Payload: raw, CreatedAt: now}, nil
}

// queue puts a payload into a person's outbox, seals it at once if nothing
// unsealed waits before it, and wakes the lane after the commit.
func (s *step) queue(person chat.PersonID, id chat.MessageID, u unsealed) error {
	it, err := newItem(person, id, u, s.env.Now)
	if err != nil {
		return err
	}
	ahead, err := s.sealsAhead(person)
	if err != nil {
		return err
	}
	if ahead {
		p, err := s.peer(person)
		if err != nil {
			return err
		}
		switch err := s.seal(p, &it); {
		case err == nil:
		case isWait(err):
			s.core.lanes.setBacklog(person, true)
		default:
			return err
		}
	}
	if _, err := s.AddOutbox(it); err != nil {
		return err
	}
	s.wake(person)
	return nil
}

// isWait tells errors that leave an item unsealed for now from real ones.
func isWait(err error) bool {
	for _, wait := range []error{session.ErrNoSession, session.ErrNoBundle, session.ErrWindow, session.ErrLimited, session.ErrBranch} {
		if errors.Is(err, wait) {
			return true
		}
	}
	return false
}

// seal seals an item on the person's active session; the caller stores the item.
func (s *step) seal(p *session.Peer, it *chat.OutboxItem) error {
	if err := sealItem(s.env, p, it); err != nil {
		return err
	}
	s.setPeer(it.Contact, p)
	return nil
}

// sealItem seals an item on a peer's active session; the caller stores both.
func sealItem(env session.Env, p *session.Peer, it *chat.OutboxItem) error {
	var u unsealed
	if err := canon.Unmarshal(it.Payload, &u); err != nil {
		return fmt.Errorf("core: outbox item %d: %w: %w", it.ID, chat.ErrCorrupt, err)
	}
	sealed, err := p.Seal(env, envelope.Payload{
		Type: u.Type, Conversation: u.Conversation, MessageID: it.Message,
		Seq: u.Seq, Parents: u.Parents, Sent: timeMs(u.Sent), Body: u.Body,
	}, it.Ctr, true)
	if err != nil {
		return err
	}
	it.Session, it.Ctr, it.Number = sealed.Session, sealed.Ctr, sealed.Number
	it.Inner, it.SealedAt = sealed.Inner, sealed.At
	return nil
}

func sealedOf(it chat.OutboxItem) session.Sealed {
	return session.Sealed{Session: it.Session, Ctr: it.Ctr, Number: it.Number, Inner: it.Inner, At: it.SealedAt}
}

// queueStart queues the payload that says who I am and where I am reached; a
// handshake owns one, and a changed name sends one.
//
// One that waits already and says the same keeps its place before the messages:
// whoever gets the first of them is to know whose it is.
func (s *step) queueStart(person chat.PersonID) error {
	body, err := s.startBody(person)
	if err != nil {
		return err
	}
	if waits, err := s.waits(person, envelope.TypeStart, body); err != nil || waits {
		return err
	}
	if err := s.giveUpOlder(person, envelope.TypeStart); err != nil {
		return err
	}
	return s.queue(person, chat.NewMessageID(), unsealed{
		Type: envelope.TypeStart, Conversation: chat.DirectConversation(s.me(), person),
		Sent: s.env.Now.UnixMilli(), Body: body,
	})
}

// maxOlderScan is how far into an outbox an older payload is looked for that a
// new one replaces; one that lies deeper is sent as well, which is harmless.
const maxOlderScan = 1000

// waits reports whether a payload of this type and content is in the outbox.
func (s *step) waits(person chat.PersonID, typ uint8, body []byte) (bool, error) {
	items, err := s.Outbox(person, 0, maxOlderScan)
	if err != nil {
		return false, err
	}
	for _, it := range items {
		var u unsealed
		if it.Type == typ && canon.Unmarshal(it.Payload, &u) == nil && bytes.Equal(u.Body, body) {
			s.wake(person)
			return true, nil
		}
	}
	return false, nil
}

// giveUpOlder takes payloads of a type out of the outbox that a new one replaces.
func (s *step) giveUpOlder(person chat.PersonID, typ uint8) error {
	items, err := s.Outbox(person, 0, maxOlderScan)
	if err != nil {
		return err
	}
	for _, it := range items {
		if it.Type != typ {
			continue
		}
		if err := s.giveUp(it); err != nil {
			return err
		}
	}
	return nil
}

func (s *step) startBody(person chat.PersonID) ([]byte, error) {
	set, err := settingsFrom(s)
	if err != nil {
		return nil, err
	}
	reach, err := s.reachFor(person)
	if err != nil {
		return nil, err
	}
	return envelope.StartBody{Name: set[SettingName], Reach: reach}.Encode()
}

// ready brings a person's session into a state in which something can be
// sealed: upkeep, a wanted handshake, or the first one.
func (s *step) ready(person chat.PersonID, p *session.Peer) (session.Effects, error) {
	eff, err := p.Maintain(s.env)
	if err != nil {
		return eff, err
	}
	if _, ok := p.Active(); !ok && !eff.Started {
		secret, err := s.joiningSecret(person)
		if err != nil {
			return eff, err
		}
		switch err := p.Start(s.env, secret); {
		case err == nil:
			eff.Started, eff.Unseal = true, true
		case !isWait(err):
			return eff, err
		}
	}
	s.setPeer(person, p)
	if eff.Unseal {
		if err := s.unseal(person); err != nil {
			return eff, err
		}
	}
	if !eff.Started {
		return eff, nil
	}
	if err := s.queueStart(person); err != nil {
		return eff, err
	}
	return eff, s.beginDigits(person)
}

// unseal drops the seals of everything unacknowledged: the session they were
// made for was replaced.
func (s *step) unseal(person chat.PersonID) error {
	s.core.lanes.setBacklog(person, true)
	s.then(func() { s.core.lanes.rewind(person) })
	return s.UnsealOutbox(person)
}

// joiningSecret is the secret of the invitation through which I am about to
// meet a person, nil if there is none.
func (s *step) joiningSecret(person chat.PersonID) (*invite.Secret, error) {
	j, err := joiningOf(s, person)
	if errors.Is(err, chat.ErrNotFound) {
		return nil, nil //nolint:nilnil // no invitation is an ordinary answer
	}
	if err != nil {
		return nil, err
	}
	code, err := codeOf(j)
	if err != nil {
		return nil, err
	}
	return &code.Auth, nil
}

// acknowledged takes what a person's own acknowledgement covers out of the
// outbox and marks the messages among it as delivered.
func (s *step) acknowledged(person chat.PersonID, ids [][16]byte) error {
	if len(ids) == 0 {
		return nil
	}
	mids := make([]chat.MessageID, len(ids))
	for i, id := range ids {
		mids[i] = id
	}
	gone, err := s.DeleteOutbox(person, mids)
	if err != nil {
		return err
	}
	if err := s.raise(gone, chat.Delivered); err != nil {
		return err
	}
	s.publish(event.Event{Kind: event.NetworkChanged})
	s.wake(person)
	return nil
}

// answered records what the other machine said to items that were handed over.
func (s *step) answered(person chat.PersonID, items []chat.OutboxItem, answers []byte) error {
	p, err := s.peer(person)
	if err != nil {
		return err
	}
	var sent []chat.MessageID
	for i, a := range answers {
		it, err := s.OutboxItem(items[i].Message)
		if errors.Is(err, chat.ErrNotFound) {
			continue // acknowledged in the meantime
		}
		if err != nil {
			return err
		}
		if it.Number != items[i].Number || it.Session != items[i].Session {
			continue // sealed anew in the meantime
		}
		if err := s.answer(p, &it, a); err != nil {
			return err
		}
		if a == AnswerCommitted || a == AnswerDuplicate {
			sent = append(sent, it.Message)
		}
	}
	return s.raise(sent, chat.Sent)
}

func (s *step) answer(p *session.Peer, it *chat.OutboxItem, a byte) error {
	it.Attempts++
	switch a {
	case AnswerCommitted, AnswerDuplicate:
		it.SentAt, it.NextAt = s.env.Now, time.Time{}
	case AnswerCannotOpen, AnswerRefused:
		if a == AnswerRefused {
			if err := s.invitationRefused(it.Contact); err != nil {
				return err
			}
		}
		refused := p.Refuses()
		unseal := p.OnAnswer(s.env, sealedOf(*it), a)
		s.setPeer(it.Contact, p)
		if p.Refuses() && !refused {
			if err := s.notice(it.Contact, chat.NoticeRefused); err != nil {
				return err
			}
		}
		if active, ok := p.Active(); a == AnswerRefused && !unseal && ok && active.Confirmed && active.SID == it.Session {
			return s.fail(*it)
		}
		if unseal {
			it.Inner = nil
			s.core.lanes.setBacklog(it.Contact, true)
		}
		it.NextAt = s.env.Now.Add(backoff(it.Attempts))
	default:
		it.NextAt = s.env.Now.Add(backoff(it.Attempts))
	}
	return s.PutOutbox(*it)
}

// invitationRefused ends the attempt to join somebody whose app refused the
// invitation; without one, nothing happens.
func (s *step) invitationRefused(person chat.PersonID) error {
	j, err := joiningOf(s, person)
	if errors.Is(err, chat.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.then(func() {
		s.core.keys.forget()
		s.core.net.Unfollow(inviteRef(j.ID))
		s.core.lanes.leave(person)
	})
	s.contactChanged(person)
	return errors.Join(s.DeleteJoining(j.ID), s.notice(person, chat.NoticeInviteRefused))
}

// fail gives up an item that the other side's app refused for good.
func (s *step) fail(it chat.OutboxItem) error {
	if err := s.giveUp(it); err != nil {
		return err
	}
	return s.raise([]chat.MessageID{it.Message}, chat.Failed)
}

// giveUp takes an item out of the outbox that nobody acknowledged.
func (s *step) giveUp(it chat.OutboxItem) error {
	p, err := s.peer(it.Contact)
	if err != nil {
		return err
	}
	p.Forget(it.Message)
	s.setPeer(it.Contact, p)
	_, err = s.DeleteOutbox(it.Contact, []chat.MessageID{it.Message})
	return err
}

// Bounds of the wait between two attempts on a live connection: whatever held the
// other side up, a minute after it is over everything has arrived. Reconnecting
// starts at once, whatever the wait was.
const (
	backoffFirst = time.Second
	backoffMost  = 30 * time.Second
)

func backoff(attempts int) time.Duration {
	d := backoffFirst << min(max(attempts-1, 0), 10)
	return min(d, backoffMost)
}
