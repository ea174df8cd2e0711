package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// step is one transaction with what must happen after its commit. Peers that a
// step changed are written back once, at its end.
type step struct {
	Tx
	core   *Core
	env    session.Env
	peers  map[chat.PersonID]*session.Peer
	dirty  map[chat.PersonID]bool
	events []event.Event
	after  []func()
}

// update runs fn in one durable transaction; events and other effects happen
// after the commit and only then.
func (c *Core) update(ctx context.Context, fn func(*step) error) error {
	var s *step
	err := c.store.Update(ctx, func(tx Tx) error {
		if c.backups.sealed.Load() {
			return chat.ErrMoved
		}
		s = &step{Tx: tx, core: c, peers: map[chat.PersonID]*session.Peer{}, dirty: map[chat.PersonID]bool{}}
		self, err := c.selfFrom(tx)
		if err != nil {
			return err
		}
		s.env = session.Env{Self: self, Now: c.now(), Rand: c.rand}
		if err := fn(s); err != nil {
			return err
		}
		return s.flush()
	})
	if c.trouble.note(err) {
		c.bus.Publish(event.Event{Kind: event.TroubleChanged})
	}
	if err != nil {
		return err
	}
	c.bus.Publish(s.events...)
	for _, f := range s.after {
		f()
	}
	return nil
}

// now is the clock's time at the precision in which times are stored.
func (c *Core) now() time.Time { return c.clock.Now().UTC().Truncate(time.Millisecond) }

// peer returns what the protocol remembers about a person, empty if nothing.
// Changes are stored only after touch.
func (s *step) peer(id chat.PersonID) (*session.Peer, error) {
	if p := s.peers[id]; p != nil {
		return p, nil
	}
	p, err := peerFrom(s, id)
	if err != nil {
		return nil, err
	}
	s.peers[id] = p
	return p, nil
}

// setPeer puts a changed peer in the place of the one that the step read.
func (s *step) setPeer(id chat.PersonID, p *session.Peer) {
	s.peers[id] = p
	s.dirty[id] = true
}

func (s *step) flush() error {
	for id := range s.dirty {
		if gone, err := s.isErased(id); err != nil {
			return err
		} else if gone {
			continue
		}
		b, err := s.peers[id].Marshal()
		if err != nil {
			return fmt.Errorf("core: peer state: %w", err)
		}
		if err := s.PutPeer(id, b); err != nil {
			return err
		}
	}
	return nil
}

func (s *step) publish(e event.Event) { s.events = append(s.events, e) }
func (s *step) then(f func())         { s.after = append(s.after, f) }
func (s *step) wake(id chat.PersonID) { s.then(func() { s.core.lanes.wake(id) }) }
func (s *step) me() chat.PersonID     { return chat.PersonID(s.env.Self.ID()) }
func (s *step) contactChanged(id chat.PersonID) {
	s.publish(event.Event{Kind: event.ContactChanged, Contact: id})
}

func peerFrom(tx ReadTx, id chat.PersonID) (*session.Peer, error) {
	b, err := tx.Peer(id)
	if errors.Is(err, chat.ErrNotFound) {
		return session.NewPeer(identityID(id)), nil
	}
	if err != nil {
		return nil, err
	}
	p, err := session.ParsePeer(b)
	if err != nil {
		return nil, fmt.Errorf("core: peer state: %w: %w", chat.ErrCorrupt, err)
	}
	return p, nil
}

// peerEnv returns what a read-only look at a person's sessions needs.
func (c *Core) peerEnv(tx ReadTx, id chat.PersonID) (session.Env, *session.Peer, error) {
	self, err := c.selfFrom(tx)
	if err != nil {
		return session.Env{}, nil, err
	}
	p, err := peerFrom(tx, id)
	return session.Env{Self: self, Now: c.now(), Rand: c.rand}, p, err
}

// view runs fn on a snapshot.
func (c *Core) view(ctx context.Context, fn func(ReadTx) error) error {
	return c.store.View(ctx, fn)
}

// read runs fn on a snapshot and returns what it found.
func read[T any](ctx context.Context, c *Core, fn func(ReadTx) (T, error)) (T, error) {
	var out T
	err := c.view(ctx, func(tx ReadTx) (err error) {
		out, err = fn(tx)
		return err
	})
	return out, err
}
