// Package core holds the use cases: what happens when a message is composed,
// sealed, committed, delivered, acknowledged and read, when people meet, and
// when something goes wrong in between.
//
// It keeps no state of its own that matters: everything that must survive is in
// the Store, and every step is ONE transaction (see update). What lives in
// memory (lanes, pairings under way, who is connected) is rebuilt after a start.
//
// # A message goes out
//
// Send commits the message, the ratchet's new state and the outbox item in one
// transaction and wakes the person's lane. A lane exists while a machine of
// that person is connected; it seals what is still unsealed, hands sealed
// envelopes to the Transport in order, and records the answers. An item leaves
// the outbox only on the recipient's own acknowledgement (invariant I6).
//
// # A message comes in
//
// Frames opens each frame on a clone of the session and commits ratchet,
// message, dedup hash and the acknowledgement in one transaction; only then is
// it answered (I1). Frames that arrive together share the transaction.
//
// The rules of sessions and healing are crypto/session's; this package carries
// out what it asks for.
package core

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
)

// Config is what a Core needs. Store is required; the rest has defaults.
type Config struct {
	Store Store
	// Transport is the network; nil for a profile that is opened only to read it
	// or to leave something in its outbox.
	Transport Transport
	Clock     Clock     // default: the computer's
	Rand      io.Reader // default: crypto/rand
	Log       *slog.Logger
	// Files keeps the files of messages; nil for a profile without.
	Files FileStore
	// BackupWork is the logarithm of the work factor by which a backup's passphrase is
	// protected; 0 is the usual one. Tests take less.
	BackupWork int
	// DiskFree tells how many bytes can still be stored; nil: not known.
	DiskFree func() (int64, error)
	// Spent tells that the disk was full and has no room yet: nothing new is taken.
	// nil: never.
	Spent func() bool
}

// Core is a running Kuvert: it implements Client for screens and commands, and
// TransportHandler for the network. Safe for concurrent use.
type Core struct {
	store Store
	net   Transport
	clock Clock
	rand  io.Reader
	log   *slog.Logger
	bus   event.Bus

	self      selfCache
	keys      keyCache
	lanes     lanes
	mail      mail
	contacted contactLog
	pairs     pairs
	aliases   aliases
	trouble   trouble
	files     files
	backups   backups
	erased    sync.Map // of chat.PersonID: erased since the start, see Erase
	lives     lives

	diskFree  func() (int64, error)
	spent     func() bool // nil: never
	wasFull   atomic.Bool
	reachKick chan struct{} // this machine may be reached elsewhere than before
}

var (
	_ Client           = (*Core)(nil)
	_ TransportHandler = (*Core)(nil)
)

// New makes a Core over a store that holds a profile (see Create).
// chat.ErrNoProfile if it holds none.
func New(cfg Config) (*Core, error) {
	c := &Core{store: cfg.Store, net: cfg.Transport, clock: cfg.Clock, rand: cfg.Rand, log: cfg.Log}
	if c.clock == nil {
		c.clock = systemClock{}
	}
	if c.rand == nil {
		c.rand = rand.Reader
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.net == nil {
		c.net = noTransport{}
	}
	if c.diskFree = cfg.DiskFree; c.diskFree == nil {
		c.diskFree = func() (int64, error) { return 0, chat.ErrUnsupported }
	}
	c.spent = cfg.Spent
	c.reachKick = make(chan struct{}, 1)
	c.lanes.init(c)
	c.mail.init(c)
	c.contacted.init()
	c.pairs.init()
	c.files.init(c, cfg.Files)
	c.lives.init()
	c.backups.init(cfg.BackupWork)
	if _, err := c.loadSelf(context.Background()); err != nil {
		return nil, err
	}
	if err := c.loadMoved(context.Background()); err != nil {
		return nil, err
	}
	return c, nil
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

// serve is Run for a profile that has not moved.
func (c *Core) serve(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	switch err := c.upkeep(ctx); {
	case errors.Is(err, chat.ErrDiskFull):
		c.log.Warn("upkeep has to wait", "err", err) // the person sees it, and can still read
	case err != nil:
		return fmt.Errorf("core: first upkeep: %w", err)
	}
	if err := c.followAll(ctx); err != nil {
		return fmt.Errorf("core: address book: %w", err)
	}
	if err := c.applyNetworkSettings(ctx); err != nil {
		return fmt.Errorf("core: network settings: %w", err)
	}
	c.lanes.start(ctx)
	if err := errors.Join(c.useNodes(ctx), c.keepMail(ctx)); err != nil {
		return fmt.Errorf("core: mailboxes: %w", err)
	}
	g.Go(func() error { return c.net.Run(ctx, c) })
	g.Go(func() error { return c.mail.run(ctx) })
	g.Go(func() error { return c.postStart(ctx) })
	g.Go(func() error { return c.contactedLoop(ctx) })
	g.Go(func() error { return c.upkeepLoop(ctx) })
	g.Go(func() error { return c.reachLoop(ctx) })
	g.Go(func() error { return c.files.run(ctx) })
	g.Go(func() error { return c.backupLoop(ctx) })
	g.Go(func() error { return c.lifeLoop(ctx) })
	g.Go(func() error { return c.verifyLoop(ctx) })
	err := g.Wait()
	c.lanes.stop()
	c.pairs.closeAll()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// upkeepEvery is how often keys, sessions and old hashes are looked after.
const upkeepEvery = time.Hour

func (c *Core) upkeepLoop(ctx context.Context) error {
	t := time.NewTicker(upkeepEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if err := errors.Join(c.upkeep(ctx), c.postWaiting(ctx), c.sweepFiles(ctx)); err != nil && ctx.Err() == nil {
				c.log.Warn("upkeep failed", "err", err)
			}
		}
	}
}

// Subscribe implements Events.
func (c *Core) Subscribe(context.Context) (Subscription, error) { return c.bus.Subscribe(), nil }

// RequestWindow tells the screens that a second start asked for the window.
func (c *Core) RequestWindow() { c.bus.Publish(event.Event{Kind: event.WindowRequested}) }

// trouble is what currently stands in the way of the store.
type trouble struct {
	mu      sync.Mutex
	what    string
	damaged bool // by the daily look: for good
}

// note keeps what an update's error says about the store and reports a change.
func (t *trouble) note(err error) (changed bool) {
	what := ""
	switch {
	case errors.Is(err, chat.ErrDiskFull):
		what = TroubleDiskFull
	case errors.Is(err, chat.ErrCorrupt), errors.Is(err, chat.ErrDisk):
		what = TroubleDatabase
	case err != nil:
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	changed = t.what != what
	t.what = what
	return changed
}

func (t *trouble) now() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.damaged {
		return TroubleDatabase
	}
	return t.what
}
