package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Timer returns what new messages of a conversation get as their life.
func (t *ReadTx) Timer(id chat.ConversationID) (out chat.Timer, err error) {
	err = t.get(func(r *row) {
		out = chat.Timer{Life: time.Duration(r.int64()) * time.Second, Version: r.uint64(), By: r.id32()}
	}, "SELECT timer, timer_version, timer_by FROM conversation WHERE id = ?", id)
	return out, err
}

// PutTimer replaces a conversation's timer.
func (t *Tx) PutTimer(id chat.ConversationID, timer chat.Timer) error {
	if timer.Version > math.MaxInt64 {
		return fmt.Errorf("sqlite: version of a timer: %w", ErrRange)
	}
	n, err := t.c.changed("UPDATE conversation SET timer = ?, timer_version = ?, timer_by = ? WHERE id = ?",
		int64(timer.Life/time.Second), int64(timer.Version), timer.By, id) //nolint:gosec // checked
	return needed(n, err)
}

// LastPlace is the highest place of a conversation, of what was deleted too; 0 if
// there never was a message.
func (t *ReadTx) LastPlace(id chat.ConversationID) (uint64, error) {
	n, err := t.c.int(`SELECT coalesce(max(c.floor, coalesce((SELECT max(seq) FROM message m WHERE m.conversation = c.num), 0)), 0)
		FROM conversation c WHERE c.id = ?`, id)
	return uint64(n), err //nolint:gosec // never negative
}

// Expired returns up to limit messages whose time is over, the oldest first. An own
// one that its recipient has not acknowledged yet, or that failed, is none of them.
func (t *ReadTx) Expired(now time.Time, limit int) ([]chat.MessageID, error) {
	return list(t.c, func(r *row) chat.MessageID { return r.id16() }, `SELECT m.id FROM message m
		WHERE m.expires_at > 0 AND m.expires_at <= ? AND m.state <> 5
			AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.message = m.id)
		ORDER BY m.expires_at LIMIT ?`, now, max(limit, 0))
}

// NextExpiry is when the next message goes after a time, zero if none does.
func (t *ReadTx) NextExpiry(after time.Time) (at time.Time, err error) {
	_, err = t.c.one(func(r *row) { at = r.time() },
		"SELECT coalesce(min(expires_at), 0) FROM message WHERE expires_at > 0 AND expires_at > ?", after)
	return at, err
}

// StartLife lets the lives of messages begin that were read at a time. A life that
// began already is not made longer.
func (t *Tx) StartLife(ids []chat.MessageID, read time.Time) error {
	for _, id := range ids {
		err := t.do("UPDATE message SET expires_at = min(expires_at, ?2 + 1000 * life) WHERE id = ?1 AND life > 0", id, read)
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteMessage removes a message with everything that its conversation, the search
// index and its files' rows hold of it, and keeps its id, so that it does not come
// again. Its outbox item stays. What it said may be read in the files of the
// database until Scrub. chat.ErrNotFound if there is none.
func (t *Tx) DeleteMessage(id chat.MessageID) error {
	m, err := t.Message(id)
	if err != nil {
		return err
	}
	if err := t.unindex(id); err != nil {
		return err
	}
	c, err := t.counters(m.Conversation)
	if err != nil {
		return err
	}
	err = errors.Join(
		t.do("UPDATE conversation SET floor = max(floor, ?), unread = unread - (SELECT unread FROM message WHERE id = ?) WHERE num = ?",
			int64(m.Seq), id, c.num), //nolint:gosec // was an int64
		t.do("DELETE FROM file WHERE message = ?", id),
		t.do("DELETE FROM message WHERE id = ?", id),
		t.do("INSERT INTO gone (id) VALUES (?) ON CONFLICT DO NOTHING", id))
	if err != nil {
		return err
	}
	return t.showNewest(m.Conversation)
}

// showNewest lets a conversation show the newest message there is, unless the one
// it shows is there. When something last happened stays as it is.
func (t *Tx) showNewest(id chat.ConversationID) error {
	c, err := t.counters(id)
	if err != nil {
		return err
	}
	n, err := t.c.int("SELECT count(*) FROM message WHERE num = ?", c.last)
	if err != nil || n > 0 {
		return err
	}
	if c, err = t.newest(c); err != nil {
		return err
	}
	return t.putCounters(c)
}

// newest is c with the message that its conversation is to show.
func (t *Tx) newest(c counters) (counters, error) {
	c.last, c.place, c.kind = 0, place{id: []byte{}}, 0
	shown := func(r *row) {
		c.last, c.place = r.int64(), place{seq: r.int64(), id: r.blob()}
		c.kind = chat.Kind(r.int64()) //nolint:gosec // was an int8
	}
	const newest = "SELECT num, seq, id, kind FROM message WHERE conversation = ?"
	found, err := t.c.one(shown, newest+" AND kind = 1 ORDER BY seq DESC, id DESC LIMIT 1", c.num)
	if err == nil && !found {
		_, err = t.c.one(shown, newest+" ORDER BY seq DESC, id DESC LIMIT 1", c.num)
	}
	return c, err
}

// ErrScrub is returned by Scrub while somebody reads an older state.
var ErrScrub = errors.New("sqlite: WAL is still read")

// Scrub moves everything into the database and empties the WAL, so that what was
// deleted before is in neither. It waits for readers for a few seconds; ErrScrub if
// that was not enough.
func (s *Store) Scrub(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	answer := make(chan error, 1)
	select {
	case s.scrubs <- answer:
		return <-answer
	case <-ctx.Done():
		return ctx.Err()
	}
}

// scrub runs in the writer goroutine.
func (s *Store) scrub() error {
	if err := s.stopped.Load(); err != nil {
		return fmt.Errorf("sqlite: %w: %w", ErrStopped, *err)
	}
	s.writer.err = nil
	busy, err := s.writer.int("PRAGMA wal_checkpoint(TRUNCATE)")
	if err == nil && busy != 0 {
		err = ErrScrub
	}
	return s.note(err)
}

// Verify reads every page of the database, and returns chat.ErrCorrupt if a single
// bit of one is not as it was written. It holds no snapshot and lets writers through
// every few pages; it takes about a second for 1 GB. Check looks at the tables, too.
func (s *Store) Verify(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.db.Verify(ctx); err != nil {
		return classifyFile(err)
	}
	return nil
}
