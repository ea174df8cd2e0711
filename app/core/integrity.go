package core

import (
	"context"
	"errors"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
)

const (
	// verifyEvery is how often every page of the database is looked at, verifyFirst
	// how long after the start for the first time: not while the person waits.
	verifyEvery = 24 * time.Hour
	verifyFirst = 15 * time.Minute
)

// verifyLoop looks every day whether the database is as it was written. Damage is
// said until the program ends, whatever still succeeds.
func (c *Core) verifyLoop(ctx context.Context) error {
	wait := verifyFirst
	for {
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
		c.verify(ctx)
		wait = verifyEvery
	}
}

func (c *Core) verify(ctx context.Context) {
	err := c.store.Verify(ctx)
	switch {
	case err == nil, ctx.Err() != nil:
		return
	case !errors.Is(err, chat.ErrCorrupt):
		c.log.Warn("database was not looked through", "err", err)
		return
	}
	c.log.Error("database is damaged", "err", err)
	if c.trouble.setDamaged() {
		c.bus.Publish(event.Event{Kind: event.TroubleChanged})
	}
}

// setDamaged says that the database is damaged, for good, and reports a change.
func (t *trouble) setDamaged() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.damaged
	t.damaged = true
	return !was
}

// full reports whether nothing new may be taken because the disk is full: what room
// there is serves to delete.
func (c *Core) full() bool {
	if c.spent == nil {
		return false
	}
	now := c.spent()
	if c.wasFull.Swap(now) != now {
		c.bus.Publish(event.Event{Kind: event.TroubleChanged})
	}
	return now
}
