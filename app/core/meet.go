package core

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/handshake"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// Limits of what strangers can cause (docs/protocol, handshake).
const (
	maxRequests = 100
	requestLife = 7 * 24 * time.Hour
)

// takeHandshake handles the first flight of somebody: a guest of an open
// invitation, a contact who renews, or a stranger.
func (in *inbox) takeHandshake(raw []byte) (byte, error) {
	hs, inv, err := in.openHandshake(raw)
	if errors.Is(err, session.ErrCannotOpen) || errors.Is(err, session.ErrRefused) {
		in.core.log.Info("handshake not opened", "err", err)
		return in.unopened(raw, answerOf(err))
	}
	if err != nil {
		return 0, err
	}
	from := chat.PersonID(hs.From())
	if from == in.me() {
		return AnswerRefused, nil
	}
	ct, err := in.Contact(from)
	switch {
	case err == nil && ct.Blocked && in.ref != "":
		return AnswerBusy, nil
	case err == nil && ct.Blocked:
		return in.unwelcome()
	case err == nil:
		return in.accept(from, hs, func() error { return in.useInvitation(inv, from) })
	case !errors.Is(err, chat.ErrNotFound):
		return 0, err
	case inv != nil:
		return in.guest(from, hs, inv)
	case in.mailed:
		return in.refuse("stranger in a mailbox", nil), nil
	}
	return in.stranger(from, raw)
}

func answerOf(err error) byte {
	switch {
	case errors.Is(err, session.ErrBusy):
		return AnswerBusy
	case errors.Is(err, session.ErrRefused):
		return AnswerRefused
	}
	return AnswerCannotOpen
}

// openHandshake opens the outer file with one of my own prekeys or with those of
// an invitation, which it then returns. An unknown prekey costs no key
// operation.
func (s *step) openHandshake(raw []byte) (*session.Incoming, *chat.Invitation, error) {
	var found *chat.Invitation
	var failed error
	hs, err := session.OpenHandshake(s.env, raw, func(hint [8]byte) (session.Invitation, bool) {
		inv, err := s.invitationByHint(hex.EncodeToString(hint[:]))
		if err != nil {
			if !errors.Is(err, chat.ErrNotFound) {
				failed = err
			}
			return session.Invitation{}, false
		}
		found = &inv
		return session.Invitation{Keys: inv.Keys, Bundle: inv.Bundle}, true
	})
	if failed != nil {
		return nil, nil, failed
	}
	return hs, found, err
}

func (s *step) invitationByHint(hint string) (chat.Invitation, error) {
	all, err := s.Invitations()
	if err != nil {
		return chat.Invitation{}, err
	}
	for _, inv := range all {
		if inv.Hints[0] == hint && len(inv.Keys) > 0 {
			return inv, nil
		}
	}
	return chat.Invitation{}, chat.ErrNotFound
}

// accept takes a handshake of somebody who may make one.
func (in *inbox) accept(from chat.PersonID, hs *session.Incoming, admit func() error) (byte, error) {
	if seen, err := in.known(from, hs.Inner()); err != nil || seen {
		return AnswerDuplicate, err
	}
	p, err := in.peer(from)
	if err != nil {
		return 0, err
	}
	q := p.Clone()
	o, err := q.Accept(in.env, hs)
	if err != nil {
		return in.notOpened(from, p, err)
	}
	return in.opened(from, q, o, admit)
}

// guest admits the first one who answers an open invitation; a second one is
// refused, and the inviter is warned.
func (in *inbox) guest(from chat.PersonID, hs *session.Incoming, inv *chat.Invitation) (byte, error) {
	switch {
	case inv.Revoked, in.env.Now.After(inv.ExpiresAt):
		return in.refuse("invitation over", nil), nil
	case !inv.UsedBy.IsZero() && inv.UsedBy != from:
		return in.refuse("used invitation", nil), in.warnReuse(*inv)
	}
	return in.accept(from, hs, func() error {
		if err := in.useInvitation(inv, from); err != nil {
			return err
		}
		in.becomeContact(from)
		return in.newContact(chat.Contact{ID: from, AddedAt: in.env.Now}, chat.NoticeConnected)
	})
}

// unopened looks at a handshake to a prekey that is not held any more: if it was
// a used invitation's, and this is not its guest, somebody else has the code.
func (in *inbox) unopened(raw []byte, answer byte) (byte, error) {
	hint, ok := handshake.Peek(raw)
	if !ok || !isInviteRef(in.ref) {
		return answer, nil
	}
	all, err := in.Invitations()
	if err != nil {
		return 0, err
	}
	for _, inv := range all {
		if inv.Hints[0] == hex.EncodeToString(hint[:]) && !inv.UsedBy.IsZero() {
			return in.refuse("used invitation", nil), in.warnReuse(inv)
		}
	}
	return answer, nil
}

// warnReuse tells, once, that a used invitation was answered again.
func (in *inbox) warnReuse(inv chat.Invitation) error {
	if inv.Revoked {
		return nil
	}
	inv.Revoked = true
	in.then(in.core.keys.forget)
	return errors.Join(in.PutInvitation(inv), in.notice(inv.UsedBy, chat.NoticeInviteReused))
}

// useInvitation notes who answered an invitation first; nil is none.
func (in *inbox) useInvitation(inv *chat.Invitation, by chat.PersonID) error {
	if inv == nil || !inv.UsedBy.IsZero() {
		return nil
	}
	inv.UsedBy, inv.UsedAt = by, in.env.Now
	in.publish(event.Event{Kind: event.InvitationChanged})
	return errors.Join(in.PutInvitation(*inv), in.adoptQueues(inv.ID, by))
}

// newContact stores a contact and the conversation with them.
func (s *step) newContact(ct chat.Contact, n chat.Notice) error {
	ct.Name = shownName(ct)
	if err := s.PutContact(ct); err != nil {
		return err
	}
	conv := chat.DirectConversation(s.me(), ct.ID)
	if err := s.PutConversation(conv, ct.ID, s.env.Now); err != nil {
		return err
	}
	s.contactChanged(ct.ID)
	s.then(s.core.keepMailAgain)
	s.publish(event.Event{Kind: event.ConversationChanged, Conversation: conv})
	s.publish(event.Event{Kind: event.PairingChanged})
	if n == "" {
		return nil
	}
	return s.notice(ct.ID, n)
}

// becomeContact lets the network know, after the commit, that the one on this
// connection is a contact now.
func (in *inbox) becomeContact(person chat.PersonID) {
	host, from, to := in.host, in.ref, person.String()
	in.then(func() {
		in.core.keys.forget()
		if from != to && !in.mailed {
			in.core.lanes.enter(person, to, true)
			in.core.net.Rebind(host, from, to)
		}
		in.core.followPerson(person)
	})
}

// unwelcome answers somebody blocked whose connection was not recognised: as a
// stranger is answered whom there is no room for.
func (in *inbox) unwelcome() (byte, error) {
	set, err := settingsFrom(in)
	if err != nil {
		return 0, err
	}
	if set[SettingVisible] != "true" {
		return in.refuse("stranger", nil), nil
	}
	return AnswerBusy, nil
}

// stranger keeps a handshake of somebody unknown, sealed, if this person chose
// to be visible, until they accept or decline.
func (in *inbox) stranger(from chat.PersonID, raw []byte) (byte, error) {
	set, err := settingsFrom(in)
	if err != nil {
		return 0, err
	}
	if set[SettingVisible] != "true" {
		return in.refuse("stranger", nil), nil
	}
	all, err := in.Requests()
	if err != nil {
		return 0, err
	}
	for _, r := range all {
		if r.ID == from {
			return AnswerDuplicate, nil
		}
	}
	if len(all) >= maxRequests {
		return AnswerBusy, nil
	}
	r := chat.Request{ID: from, ReceivedAt: in.env.Now, Frame: raw}
	if r.Name, err = in.nameIn(raw); err != nil {
		return AnswerRefused, nil //nolint:nilerr // bad input is an answer, not our error
	}
	in.publish(event.Event{Kind: event.RequestChanged, Contact: from})
	return AnswerCommitted, in.PutRequest(r)
}

// nameIn reads the name that a stranger's handshake gives, keeping nothing.
func (s *step) nameIn(raw []byte) (string, error) {
	hs, _, err := s.openHandshake(raw)
	if err != nil {
		return "", err
	}
	o, err := session.NewPeer(hs.From()).Accept(s.env, hs)
	if err != nil {
		return "", err
	}
	if o.Payload.Type != envelope.TypeStart {
		return "", errInvalid
	}
	body, err := envelope.DecodeStart(o.Payload.Body)
	if err != nil || checkName(body.Name) != nil {
		return "", errInvalid
	}
	return body.Name, nil
}

const invitePrefix = "invite:"

func inviteRef(id [16]byte) string { return invitePrefix + hex.EncodeToString(id[:]) }

func isInviteRef(ref string) bool { return strings.HasPrefix(ref, invitePrefix) }

// aliases are the invitations of others through which somebody became a contact
// since the start: what they sent under the old name is still on its way.
type aliases struct {
	mu sync.Mutex
	m  map[string]chat.PersonID
}

func (a *aliases) set(ref string, person chat.PersonID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m == nil {
		a.m = map[string]chat.PersonID{}
	}
	a.m[ref] = person
}

func (a *aliases) get(ref string) (chat.PersonID, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	person, ok := a.m[ref]
	return person, ok
}

// personOf finds who a connection is with: a contact, the inviter whom I am
// joining, or the guest who answered my invitation. chat.ErrNotFound if nobody.
func (c *Core) personOf(tx ReadTx, ref string) (chat.PersonID, error) {
	var person chat.PersonID
	if hexID, ok := strings.CutPrefix(ref, invitePrefix); ok {
		var id [16]byte
		if n, err := hex.Decode(id[:], []byte(hexID)); err != nil || n != len(id) {
			return person, chat.ErrNotFound
		}
		if person, ok := c.aliases.get(ref); ok {
			return person, nil
		}
		return behindInvitation(tx, id)
	}
	if person.UnmarshalText([]byte(ref)) != nil {
		return person, chat.ErrNotFound
	}
	_, err := tx.Contact(person)
	return person, err
}

// errUnwelcome is somebody blocked: whatever they ask, they are nobody.
var errUnwelcome = fmt.Errorf("core: blocked: %w", chat.ErrNotFound)

// welcome finds whom a connection is with, as personOf does, but nobody who is
// blocked: an invitation's name may outlive that.
func (c *Core) welcome(tx ReadTx, ref string) (chat.PersonID, error) {
	person, err := c.personOf(tx, ref)
	if err != nil {
		return chat.PersonID{}, err
	}
	ct, err := tx.Contact(person)
	if err != nil {
		return chat.PersonID{}, err
	}
	if ct.Blocked {
		return chat.PersonID{}, errUnwelcome
	}
	return person, nil
}

func behindInvitation(tx ReadTx, id [16]byte) (chat.PersonID, error) {
	all, err := tx.Joinings()
	if err != nil {
		return chat.PersonID{}, err
	}
	for _, j := range all {
		if j.ID == id {
			return j.Contact, nil
		}
	}
	inv, err := tx.Invitation(id)
	if err != nil {
		return chat.PersonID{}, err
	}
	if inv.UsedBy.IsZero() {
		return chat.PersonID{}, chat.ErrNotFound
	}
	return inv.UsedBy, nil
}

func joiningOf(tx ReadTx, person chat.PersonID) (chat.Joining, error) {
	all, err := tx.Joinings()
	if err != nil {
		return chat.Joining{}, err
	}
	for _, j := range all {
		if j.Contact == person {
			return j, nil
		}
	}
	return chat.Joining{}, chat.ErrNotFound
}
