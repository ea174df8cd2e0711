package mailstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

const (
	// maxBatch is how many updates share a commit at most.
	maxBatch = 64
	// trimEvery is after how many commits the WAL's length is looked at, walLimit in
	// bytes the length from which the writer waits for readers to leave it: while
	// they never do so at the same moment, SQLite cannot begin it anew.
	trimEvery = 64
	walLimit  = 64 << 20
)

// update is one change on its way through the writer goroutine.
type update struct {
	// fn must only use tx. It may be run again if a commit failed, so it sets what
	// it returns anew each time. An error that is Denied means that it has written
	// nothing; any other ends the whole transaction.
	fn    func(tx *statements) error
	taken atomic.Bool // by the writer, or by a caller who gave up
	err   error
	done  chan error // 1: the writer never waits for a caller
}

// update runs fn in the writer goroutine and returns after it is durable. ctx
// counts until it begins.
func (s *Store) update(ctx context.Context, fn func(tx *statements) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	u := &update{fn: fn, done: make(chan error, 1)}
	select {
	case s.queue <- u:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-u.done:
		return err
	case <-ctx.Done():
		if u.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return <-u.done
	}
}

// serve is the writer goroutine: it owns the writing connection until the queue is
// closed.
func (s *Store) serve() {
	defer close(s.written)
	for u := range s.queue {
		s.commit(s.gather(u))
		if s.batches++; s.batches == trimEvery {
			s.batches = 0
			s.trim()
		}
	}
}

// gather returns u and whatever else waits.
func (s *Store) gather(u *update) []*update {
	var batch []*update
	for {
		if u.taken.CompareAndSwap(false, true) {
			batch = append(batch, u)
		}
		if len(batch) == maxBatch {
			return batch
		}
		select {
		case next, open := <-s.queue:
			if !open {
				return batch
			}
			u = next
		default:
			return batch
		}
	}
}

// commit runs a batch in one transaction and answers it. Should that fail, each is
// tried by itself: one must not fail for another.
func (s *Store) commit(batch []*update) {
	err := s.transaction(batch)
	if err != nil && len(batch) > 1 {
		for _, u := range batch {
			s.commit([]*update{u})
		}
		return
	}
	for _, u := range batch {
		if u.err == nil {
			u.err = err
		}
		u.done <- u.err
	}
}

// transaction runs a batch. After an error nothing of it is stored.
func (s *Store) transaction(batch []*update) error {
	if err := s.stopped.Load(); err != nil {
		return fmt.Errorf("%w: %w", ErrStopped, *err)
	}
	if len(batch) == 0 {
		return nil
	}
	// A transaction that has begun runs to its end, whoever still waits for it.
	ctx := context.Background()
	_, err := s.prepared.exec(ctx, "BEGIN IMMEDIATE")
	if err != nil {
		return s.note(err)
	}
	for _, u := range batch {
		if err = s.run(u); err != nil {
			break
		}
	}
	if err == nil {
		_, err = s.prepared.exec(ctx, "COMMIT")
	}
	if err != nil {
		// Fails only if SQLite has rolled back by itself.
		_, _ = s.prepared.exec(ctx, "ROLLBACK")
	}
	return s.note(err)
}

// run runs one update; an error ends the transaction.
func (s *Store) run(u *update) error {
	u.err = nil
	err := u.fn(s.prepared)
	var d Denied
	if errors.As(err, &d) {
		u.err = d
		return nil
	}
	return err
}

// note remembers an error after which nothing may be written any more: the state of
// the disk is unknown.
func (s *Store) note(err error) error {
	if err != nil && stops(err) && s.stopped.CompareAndSwap(nil, &err) {
		s.options.Log.Error("mailbox writes are stopped", "err", err)
	}
	return err
}

// trim begins a WAL that has become too long anew.
func (s *Store) trim() {
	fi, err := os.Stat(s.path + "-wal")
	if err != nil || fi.Size() < walLimit || s.stopped.Load() != nil {
		return
	}
	if err := s.checkpoint("RESTART"); err != nil {
		s.options.Log.Warn("WAL cannot be begun anew", "err", err)
	}
}

// checkpoint moves the WAL into the file.
func (s *Store) checkpoint(mode string) error {
	var busy, log, moved int64
	return s.prepared.row(context.Background(), "PRAGMA wal_checkpoint("+mode+")", nil, &busy, &log, &moved)
}
