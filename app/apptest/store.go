package apptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/storage/sqlite"
)

// errKilled is what a program sees that was killed at a kill point: whatever it
// does afterwards fails.
var errKilled = errors.New("apptest: killed")

// faultStore is the real store with kill points around each commit.
type faultStore struct {
	db *sqlite.Store

	mu        sync.Mutex
	countdown int // updates until the kill, 0: none planned
	after     bool
	dead      bool
	full      bool
	count     int // transactions begun
}

func newFaultStore(db *sqlite.Store) *faultStore { return &faultStore{db: db} }

var _ core.Store = (*faultStore)(nil)

// KillAt kills the program at its n-th transaction from now: before its commit,
// or after it and before anybody learns of it. Restarts brings it back.
func (p *Person) KillAt(n int, afterCommit bool) {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	p.store.countdown, p.store.after = n, afterCommit
}

// Killed reports whether the kill point was reached.
func (p *Person) Killed() bool {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	return p.store.dead
}

// DiskIsFull lets every transaction of the person's fail, or none any more.
func (p *Person) DiskIsFull(full bool) {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	p.store.full = full
}

func (s *faultStore) isFull() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		s.count++
	}
	return s.full
}

// Transactions counts what the person's program has begun to write since its
// start.
func (p *Person) Transactions() int {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	return p.store.count
}

// next reports whether this transaction may run and whether it is the last one.
func (s *faultStore) next() (run, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	if s.dead {
		return false, true
	}
	if s.countdown > 0 {
		if s.countdown--; s.countdown == 0 {
			s.dead = true
			return s.after, true
		}
	}
	return true, false
}

// Update implements core.Store.
func (s *faultStore) Update(ctx context.Context, fn func(core.Tx) error) error {
	if s.isFull() {
		return fmt.Errorf("apptest: %w", chat.ErrDiskFull)
	}
	run, last := s.next()
	if run {
		if err := s.db.Update(ctx, func(tx *sqlite.Tx) error { return fn(tx) }); err != nil {
			return err
		}
	}
	if last {
		return errKilled
	}
	return nil
}

// View implements core.Store.
func (s *faultStore) View(ctx context.Context, fn func(core.ReadTx) error) error {
	return s.db.View(ctx, func(tx *sqlite.ReadTx) error { return fn(tx) })
}

// Scrub implements core.Store.
func (s *faultStore) Scrub(ctx context.Context) error { return s.db.Scrub(ctx) }

// Verify implements core.Store.
func (s *faultStore) Verify(ctx context.Context) error { return s.db.Verify(ctx) }

// logger writes a person's log into the world's.
func (l *worldLog) logger(name string) *slog.Logger {
	return slog.New(slog.NewTextHandler(lineWriter{l, name}, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

type lineWriter struct {
	log  *worldLog
	name string
}

func (w lineWriter) Write(b []byte) (int, error) {
	w.log.add(w.name + ": " + string(bytes.TrimSpace(b)))
	return len(b), nil
}
