package mailstore

import (
	"context"
	"time"
)

// What one step of a sweep looks at and deletes at most, so that others wait for
// milliseconds only.
const (
	sweepQueues = 64
	sweepBlobs  = 512
	sweepPages  = 256
)

// maxPassed is how much time a sweep takes to have passed since the last one. A
// clock that jumped ahead by years so deletes no more than what is due within a
// day; a machine that was off for a month catches up in thirty sweeps.
const maxPassed = 24 * time.Hour

// sweepEvery is the pause between two passes, sweepPause that between two steps of
// one: others write in between.
const (
	sweepEvery = time.Hour
	sweepPause = 20 * time.Millisecond
)

// Run deletes what is too old, now and every hour, until ctx ends. What fails is
// logged and tried again with the next pass.
func (s *Store) Run(ctx context.Context) {
	for {
		more, err := s.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			s.options.Log.Warn("old mail was not deleted", "err", err)
		}
		pause := sweepEvery
		if more {
			pause = sweepPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Sweep does one bounded step of a pass over all queues and pages and deletes what
// is too old: blobs over their life, queues and pages over their end. more tells
// that the pass has not come to its end.
func (s *Store) Sweep(ctx context.Context) (more bool, err error) {
	err = s.update(ctx, func(tx *statements) error {
		now, err := s.sweepTime(tx)
		if err != nil {
			return err
		}
		from, done, err := s.sweepStep(tx, now)
		if err != nil {
			return err
		}
		if more = !done; done {
			from = 0
			_, err = tx.exec(background, `UPDATE swept SET at = ?`, millis(now))
		}
		s.sweepFrom = from
		return err
	})
	return more && err == nil, err
}

// sweepTime is up to which time a pass looks.
func (s *Store) sweepTime(tx *statements) (time.Time, error) {
	var at int64
	if err := tx.row(background, `SELECT at FROM swept`, nil, &at); err != nil {
		return time.Time{}, err
	}
	now := s.options.Now()
	if latest := time.UnixMilli(at).Add(maxPassed); at != 0 && now.After(latest) {
		return latest, nil
	}
	return now, nil
}

// sweepStep goes on behind s.sweepFrom and returns how far it came, and whether
// that was the end.
func (s *Store) sweepStep(tx *statements, now time.Time) (from int64, done bool, err error) {
	due, err := s.due(tx)
	if err != nil {
		return 0, false, err
	}
	from = s.sweepFrom
	left := sweepBlobs
	for i := range due {
		n, err := s.sweepQueue(tx, &due[i], now, left)
		if err != nil {
			return 0, false, err
		}
		if left -= n; left <= 0 {
			return from, false, nil // there may be more in this queue
		}
		from = due[i].id
	}
	if len(due) == sweepQueues {
		return from, false, nil
	}
	full, err := s.sweepPages(tx, now)
	return from, !full, err
}

// due returns the next queues to look at.
func (s *Store) due(tx *statements) (list []queue, err error) {
	query := `SELECT id, account, blobs, bytes, next, last, slot, until FROM queue WHERE id > ? ORDER BY id LIMIT ?`
	err = tx.rows(background, query, []any{s.sweepFrom, sweepQueues}, func(scan func(...any) error) (bool, error) {
		var q queue
		err := scan(&q.id, &q.account, &q.blobs, &q.bytes, &q.next, &q.last, &q.slot, &q.until)
		list = append(list, q)
		return true, err
	})
	return list, err
}

// sweepQueue deletes up to left blobs of a queue that are too old, all of them if
// it has ended, and then the queue as well. It returns how many blobs it deleted.
func (s *Store) sweepQueue(tx *statements, q *queue, now time.Time, left int) (deleted int, err error) {
	oldest := now.Add(-s.options.Life).UnixMicro()
	ended := over(q.until, now)
	if ended {
		oldest = 1<<63 - 1
	}
	if deleted, err = q.expire(tx, oldest, left); err != nil || deleted == left {
		return deleted, err
	}
	if ended {
		return deleted, q.remove(tx)
	}
	_, err = tx.exec(background, `DELETE FROM gone WHERE queue = ? AND at < ?`, q.id, millis(now.Add(-goneLife)))
	return deleted, err
}

// expire deletes up to limit blobs before a place.
func (q *queue) expire(tx *statements, before int64, limit int) (deleted int, err error) {
	var ids []int64
	query := `SELECT id, length(data) FROM blob WHERE queue = ? AND place < ? ORDER BY place LIMIT ?`
	err = tx.rows(background, query, []any{q.id, before, limit}, func(scan func(...any) error) (bool, error) {
		var id, length int64
		err := scan(&id, &length)
		ids = append(ids, id)
		q.count(-1, -length)
		return true, err
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	for _, id := range ids {
		if _, err := tx.exec(background, `DELETE FROM blob WHERE id = ?`, id); err != nil {
			return 0, err
		}
		if id == q.slot {
			q.slot = 0
		}
	}
	err = q.save(tx)
	q.addBlobs, q.addBytes = 0, 0
	return len(ids), err
}

// sweepPages deletes pages that have ended; full tells that there may be more.
func (s *Store) sweepPages(tx *statements, now time.Time) (full bool, err error) {
	type row struct {
		id              []byte
		account, length int64
	}
	var pages []row
	err = tx.rows(background, `SELECT id, account, length(data) FROM page WHERE until <= ? LIMIT ?`, []any{millis(now), sweepPages},
		func(scan func(...any) error) (bool, error) {
			var p row
			err := scan(&p.id, &p.account, &p.length)
			pages = append(pages, p)
			return true, err
		})
	if err != nil {
		return false, err
	}
	for _, p := range pages {
		if _, err := tx.exec(background, `DELETE FROM page WHERE id = ?`, p.id); err != nil {
			return false, err
		}
		if err := charge(tx, p.account, -(p.length + rowCost), 0, 0, -1); err != nil {
			return false, err
		}
	}
	return len(pages) == sweepPages, nil
}
