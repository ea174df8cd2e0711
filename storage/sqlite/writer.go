package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// maxBatch is how many updates share a commit at most: beyond some dozens the
// sync no longer weighs anything, and the first one would only wait longer.
const maxBatch = 64

// errUnfinished marks an update whose function panicked or ended its goroutine.
// Nobody receives it.
var errUnfinished = errors.New("update did not finish")

// update is one call of Update on its way through the writer goroutine.
//
// The function runs in its caller's goroutine: the writer hands it the
// transaction through turn and waits for ran. So a panic is the caller's own,
// and the writer survives it.
type update struct {
	fn    func(*Tx) error
	taken atomic.Bool // by the writer, or by a caller who gave up
	turn  chan *Tx    // closed without a transaction if none could be begun
	ran   chan error
	done  chan error // 1: the writer never waits for a caller
}

// Update runs fn in one transaction and returns after it is durable. If fn fails,
// its error is returned and nothing of it is stored. Updates that wait together
// share one commit, each with a savepoint of its own; fn must use only tx and
// must not wait for anything. ctx counts until fn starts: from then on Update
// waits for the commit.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	u := &update{fn: fn, turn: make(chan *Tx), ran: make(chan error), done: make(chan error, 1)}
	select {
	case s.queue <- u:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case tx := <-u.turn:
		return u.run(tx)
	case <-ctx.Done():
		if u.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return u.run(<-u.turn)
	}
}

// run runs in the caller's goroutine while it has the writer's connection.
func (u *update) run(tx *Tx) error {
	if tx == nil {
		return <-u.done
	}
	returned := false
	defer func() {
		if !returned {
			tx.c = nil
			u.ran <- errUnfinished
		}
	}()
	err := u.fn(tx)
	tx.c = nil
	returned = true
	u.ran <- err
	return <-u.done
}

// write is the writer goroutine: it owns the writing connection until the queue
// is closed.
func (s *Store) write() {
	defer close(s.written)
	for {
		var u *update
		select {
		case answer := <-s.scrubs:
			answer <- s.scrub()
			continue
		case u = <-s.queue:
		}
		if u == nil {
			return
		}
		s.batch(u)
		s.wakeIndex()
		if s.batches++; s.batches == trimEvery {
			s.batches = 0
			s.trim()
		}
	}
}

// batch runs u and whatever else waits in one transaction, commits it and answers
// them all.
func (s *Store) batch(u *update) {
	var ran []*update // succeeded so far, to be committed
	begun := false
	for n := 0; u != nil; u = s.waiting(&n) {
		if !u.taken.CompareAndSwap(false, true) {
			continue
		}
		if !begun {
			if err := s.begin(); err != nil {
				close(u.turn)
				u.done <- err
				return
			}
			begun = true
		}
		err := s.run(u)
		if err == nil {
			ran = append(ran, u)
			continue
		}
		u.done <- err
		if err := s.undo(); err != nil {
			s.abandon(ran, err)
			return
		}
	}
	if begun {
		s.finish(ran)
	}
}

// waiting returns the next update of a batch that holds n, nil if there is none.
func (s *Store) waiting(n *int) *update {
	if *n++; *n >= maxBatch {
		return nil
	}
	select {
	case u := <-s.queue:
		return u
	default:
		return nil
	}
}

func (s *Store) begin() error {
	if err := s.stopped.Load(); err != nil {
		return fmt.Errorf("sqlite: %w: %w", ErrStopped, *err)
	}
	s.writer.err = nil
	_, err := s.writer.exec("BEGIN IMMEDIATE")
	return s.note(err)
}

// run lends the connection to u's caller for one savepoint.
func (s *Store) run(u *update) error {
	if _, err := s.writer.exec("SAVEPOINT one"); err != nil {
		close(u.turn)
		return err
	}
	u.turn <- &Tx{ReadTx{c: s.writer}}
	if err := <-u.ran; err != nil {
		return err
	}
	// This fails too if a statement of fn has failed, even if fn looked away.
	_, err := s.writer.exec("RELEASE one")
	return err
}

// undo takes the last savepoint back. An error means that the whole transaction
// is lost: the disk failed, or SQLite has rolled everything back by itself.
func (s *Store) undo() error {
	cause := s.note(s.writer.err)
	if s.stopped.Load() != nil {
		return cause
	}
	s.writer.err = nil
	for _, q := range []string{"ROLLBACK TO one", "RELEASE one"} {
		if _, err := s.writer.exec(q); err != nil {
			if cause != nil {
				return cause
			}
			return err
		}
	}
	return nil
}

// finish commits the batch and answers its updates.
func (s *Store) finish(ran []*update) {
	if len(ran) == 0 {
		s.abandon(nil, nil)
		return
	}
	if _, err := s.writer.exec("COMMIT"); err != nil {
		s.abandon(ran, s.note(err))
		return
	}
	for _, u := range ran {
		u.done <- nil
	}
}

// abandon rolls the batch back and fails its updates.
func (s *Store) abandon(ran []*update, cause error) {
	s.writer.err = nil
	// Fails only if SQLite has rolled back already.
	_, _ = s.writer.exec("ROLLBACK")
	for _, u := range ran {
		u.done <- cause
	}
}

// note remembers an error after which nothing may be written any more: the state
// of the disk is unknown.
func (s *Store) note(err error) error {
	if err != nil && stops(err) && s.stopped.CompareAndSwap(nil, &err) {
		s.cfg.Log.Error("database writes are stopped", "err", err)
	}
	return err
}
