package core

import (
	"context"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// seenLife is how long the hash of a received envelope is kept: its session's
// retirement and 60 days more (docs/protocol, messages). seenKeep are kept of each
// person in any case: on the active session, however long it lasts, an envelope
// whose key is used up and whose hash is forgotten would prove that its sender was
// put back. No more than this many can be under a header key that is still known.
const (
	seenLife = 90 * 24 * time.Hour
	seenKeep = 2 * session.AckWindow
)

// upkeep does what time asks for: new prekeys, tired sessions, old hashes,
// expired invitations and requests.
func (c *Core) upkeep(ctx context.Context) error {
	return c.update(ctx, func(s *step) error {
		if err := s.rotate(); err != nil {
			return err
		}
		if err := s.keepHostKeys(); err != nil {
			return err
		}
		if err := s.PruneSeen(s.env.Now.Add(-seenLife), seenKeep); err != nil {
			return err
		}
		if err := s.expire(); err != nil {
			return err
		}
		contacts, err := s.Contacts()
		if err != nil {
			return err
		}
		for _, ct := range contacts {
			if err := s.expireDigits(ct.ID); err != nil {
				return err
			}
			if ct.Blocked {
				continue
			}
			p, err := s.peer(ct.ID)
			if err != nil {
				return err
			}
			if _, ok := p.Active(); !ok {
				continue
			}
			if _, err := s.ready(ct.ID, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// rotate renews the prekeys and sends the new bundle to each contact.
func (s *step) rotate() error {
	changed := false
	err := s.changeSelf(func(self *session.Self) (err error) {
		changed, err = self.Rotate(s.env.Rand, s.env.Now)
		return err
	})
	if err != nil || !changed {
		return err
	}
	body, err := envelope.BundleBody{Bundle: s.env.Self.Bundle()}.Encode()
	if err != nil {
		return err
	}
	contacts, err := s.Contacts()
	if err != nil {
		return err
	}
	for _, ct := range contacts {
		if ct.Blocked || ct.Pending {
			continue
		}
		err := s.queue(ct.ID, chat.NewMessageID(), unsealed{
			Type: envelope.TypeBundle, Conversation: chat.DirectConversation(s.me(), ct.ID),
			Sent: s.env.Now.UnixMilli(), Body: body,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// expire drops invitations and requests whose time is over.
func (s *step) expire() error {
	all, err := s.Invitations()
	if err != nil {
		return err
	}
	for _, inv := range all {
		if s.env.Now.Sub(inv.ExpiresAt) > inviteKeep {
			if err := s.DeleteInvitation(inv.ID); err != nil {
				return err
			}
		}
	}
	requests, err := s.Requests()
	if err != nil {
		return err
	}
	for _, r := range requests {
		if s.env.Now.Sub(r.ReceivedAt) > requestLife {
			s.publish(event.Event{Kind: event.RequestChanged, Contact: r.ID})
			if err := s.DeleteRequest(r.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func timeMs(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
