package core

import (
	"context"
	"errors"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/identity"
)

// Contacts implements Client.
func (c *Core) Contacts(ctx context.Context) ([]chat.Contact, error) {
	all, err := read(ctx, c, ReadTx.Contacts)
	for i := range all {
		all[i] = c.contactOnline(all[i])
	}
	return all, err
}

// Contact implements Client.
func (c *Core) Contact(ctx context.Context, id chat.PersonID) (chat.Contact, error) {
	ct, err := read(ctx, c, func(tx ReadTx) (chat.Contact, error) { return tx.Contact(id) })
	return c.contactOnline(ct), err
}

// changeContact changes a stored contact.
func (c *Core) changeContact(ctx context.Context, id chat.PersonID, fn func(*step, *chat.Contact) error) error {
	return c.update(ctx, func(s *step) error {
		ct, err := s.Contact(id)
		if err != nil {
			return err
		}
		if err := fn(s, &ct); err != nil {
			return err
		}
		s.contactChanged(id)
		return s.PutContact(ct)
	})
}

// Rename implements Client.
func (c *Core) Rename(ctx context.Context, id chat.PersonID, alias string) error {
	if alias != "" {
		if err := checkName(alias); err != nil {
			return err
		}
	}
	return c.changeContact(ctx, id, func(_ *step, ct *chat.Contact) error {
		ct.Alias = alias
		ct.Name = shownName(*ct)
		return nil
	})
}

// Safety implements Client. chat.ErrNotFound while a contact's keys are not
// known yet.
func (c *Core) Safety(ctx context.Context, id chat.PersonID) (Safety, error) {
	return read(ctx, c, func(tx ReadTx) (Safety, error) {
		ct, err := tx.Contact(id)
		if err != nil {
			return Safety{}, err
		}
		self, err := c.selfFrom(tx)
		if err != nil {
			return Safety{}, err
		}
		p, err := peerFrom(tx, id)
		if err != nil {
			return Safety{}, err
		}
		pub, ok := p.Public()
		if !ok {
			return Safety{}, chat.ErrNotFound
		}
		return Safety{Number: identity.SafetyNumber(self.Public(), pub), Verified: ct.Verified}, nil
	})
}

// Verify implements Client.
func (c *Core) Verify(ctx context.Context, id chat.PersonID) error {
	return c.changeContact(ctx, id, func(s *step, ct *chat.Contact) error {
		p, err := s.peer(id)
		if err != nil {
			return err
		}
		if p.Alarmed() {
			p.Resume()
			s.setPeer(id, p)
			s.wake(id)
		}
		if err := s.dropDigits(id); err != nil || ct.Verified {
			return err
		}
		ct.Verified = true
		return s.notice(id, chat.NoticeVerified)
	})
}

// SetBlocked implements Client.
func (c *Core) SetBlocked(ctx context.Context, id chat.PersonID, blocked bool) error {
	return c.changeContact(ctx, id, func(s *step, ct *chat.Contact) error {
		ct.Blocked = blocked
		s.then(func() {
			c.keys.forget()
			if blocked {
				c.lanes.leave(id)
			}
			c.followPerson(id)
			c.keepMailAgain()
			c.mail.changed()
		})
		if err := s.followJoining(id, !blocked); err != nil {
			return err
		}
		if !blocked { // keys and addresses may have changed meanwhile
			if err := s.queueReach(id); err != nil {
				return err
			}
		}
		return s.dropDigits(id)
	})
}

// followJoining looks for the inviter whom I am about to join, or stops to.
func (s *step) followJoining(person chat.PersonID, on bool) error {
	j, err := joiningOf(s, person)
	if errors.Is(err, chat.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	code, err := codeOf(j)
	if err != nil {
		return err
	}
	s.then(func() {
		if on {
			s.core.followInvitation(code)
		} else {
			s.core.net.Unfollow(inviteRef(j.ID))
		}
	})
	return nil
}

// Requests implements Client.
func (c *Core) Requests(ctx context.Context) ([]chat.Request, error) {
	return read(ctx, c, ReadTx.Requests)
}

// AnswerRequest implements Client: accepting opens the kept handshake as if it
// arrived now.
func (c *Core) AnswerRequest(ctx context.Context, id chat.PersonID, accept bool) error {
	return c.update(ctx, func(s *step) error {
		r, err := requestOf(s, id)
		if err != nil {
			return err
		}
		s.publish(event.Event{Kind: event.RequestChanged, Contact: id})
		if err := s.DeleteRequest(id); err != nil || !accept {
			return err
		}
		return s.admit(r)
	})
}

func requestOf(tx ReadTx, id chat.PersonID) (chat.Request, error) {
	all, err := tx.Requests()
	if err != nil {
		return chat.Request{}, err
	}
	for _, r := range all {
		if r.ID == id {
			return r, nil
		}
	}
	return chat.Request{}, chat.ErrNotFound
}

// admit makes a stranger a contact.
func (s *step) admit(r chat.Request) error {
	hs, _, err := s.openHandshake(r.Frame)
	if err != nil {
		return errors.Join(chat.ErrRefused, err) // its prekey is gone: they must ask again
	}
	in := inbox{step: s}
	answer, err := in.accept(r.ID, hs, func() error {
		s.then(s.core.keys.forget)
		s.then(func() { s.core.followPerson(r.ID) })
		return s.newContact(chat.Contact{ID: r.ID, GivenName: r.Name, AddedAt: s.env.Now}, chat.NoticeConnected)
	})
	if err != nil {
		return err
	}
	if answer != AnswerCommitted && answer != AnswerDuplicate {
		return chat.ErrRefused
	}
	return in.finish()
}
