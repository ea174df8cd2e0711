package core

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
)

// secretMoved says that the profile has moved to another computer: JSON of moved.
// It is not in backups.
const secretMoved = "moved"

// moved is what a profile notes as it moves.
type moved struct {
	At time.Time `json:"at"`
	To string    `json:"to"` // the file
}

// movedFrom reads when the profile moved and into which file. Profiles of before
// these were noted have neither.
func movedFrom(tx ReadTx) (at time.Time, to string, err error) {
	b, err := tx.Secret(secretMoved)
	if err != nil {
		return at, "", err
	}
	var m moved
	_ = json.Unmarshal(b, &m) // then it stays empty
	return m.At, m.To, nil
}

// Moved reports whether the profile in a store has moved to another computer: it can
// be read, and no network is to be opened for it.
func Moved(ctx context.Context, st Store) (moved bool, err error) {
	err = st.View(ctx, func(tx ReadTx) error {
		switch _, err := tx.Secret(secretMoved); {
		case errors.Is(err, chat.ErrNotFound):
			return nil
		case err != nil:
			return err
		}
		moved = true
		return nil
	})
	return moved, err
}

// Move implements Backups. The profile is sealed first: what would arrive from then
// on is refused for the moment and waits with its sender, so that nothing is
// acknowledged that the backup does not hold.
func (c *Core) Move(ctx context.Context, o BackupOptions) (BackupReport, error) {
	if c.hasMoved() {
		return c.move(ctx, o)
	}
	if !c.backups.sealed.CompareAndSwap(false, true) {
		return BackupReport{}, chat.ErrBackupRunning
	}
	r, err := c.move(ctx, o)
	if err != nil {
		c.backups.sealed.Store(false)
		return BackupReport{}, err
	}
	c.backups.once.Do(func() { close(c.backups.moved) })
	c.bus.Publish(event.Event{Kind: event.BackupChanged}, event.Event{Kind: event.TroubleChanged})
	return r, nil
}

func (c *Core) move(ctx context.Context, o BackupOptions) (BackupReport, error) {
	// Whatever began before the seal is committed when this is.
	if err := c.store.Update(ctx, func(Tx) error { return nil }); err != nil {
		return BackupReport{}, err
	}
	r, err := c.writeWhole(ctx, o)
	if err != nil {
		return r, err
	}
	return r, c.store.Update(ctx, func(tx Tx) error {
		m := moved{At: c.now(), To: r.Path}
		if at, _, err := movedFrom(tx); err == nil {
			m.At = at // when it was sealed, whatever was written since
		}
		b, err := json.Marshal(m)
		return errors.Join(err, tx.PutSecret(secretMoved, b))
	})
}

// hasMoved reports whether the profile has moved for good.
func (c *Core) hasMoved() bool {
	select {
	case <-c.backups.moved:
		return true
	default:
		return false
	}
}

// loadMoved reads at the start whether the profile has moved.
func (c *Core) loadMoved(ctx context.Context) error {
	moved, err := Moved(ctx, c.store)
	if moved {
		c.backups.sealed.Store(true)
		c.backups.once.Do(func() { close(c.backups.moved) })
	}
	return err
}

// Run serves the network and the profile's upkeep until ctx ends, and returns after
// everything it started has ended. A nil error means that ctx ended. A profile that
// has moved is served no network; one that moves meanwhile is served none from then
// on.
func (c *Core) Run(ctx context.Context) error {
	if !c.hasMoved() {
		serving, stop := context.WithCancel(ctx)
		defer stop()
		go func() {
			select {
			case <-c.backups.moved:
				stop()
			case <-serving.Done():
			}
		}()
		err := c.serve(serving)
		if errors.Is(err, chat.ErrMoved) {
			err = nil // what a service had left to note as it ended
		}
		if err != nil || !c.hasMoved() {
			return err
		}
	}
	<-ctx.Done()
	return nil
}
