package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// The index is not written with each message: that would take as long as storing
// twenty. Messages come together first, and a goroutine of the store takes them
// into the index; until then Search reads them one by one. The same goroutine
// works off what was there before there was an index. Each step is a transaction,
// so it may end anywhere.
const (
	// indexStep is how many messages are taken in at a time. It is also about as
	// many milliseconds/10 as a writer may have to wait for it.
	indexStep = 200
	// indexPause lets messages come together.
	indexPause = time.Second
)

// searchState says which messages are in the index: low < num <= high.
type searchState struct{ low, high int64 }

// searchState is empty while the index is of another version.
func (c *conn) searchState() (s searchState, err error) {
	_, err = c.one(func(r *row) { s = searchState{low: r.int64(), high: r.int64()} },
		"SELECT low, high FROM search_state WHERE version = ?", searchVersion)
	return s, err
}

// index is the goroutine that keeps the index until the store is closed.
func (s *Store) index() {
	defer close(s.indexed)
	for {
		more, err := s.indexSome(context.Background())
		switch {
		case errors.Is(err, ErrClosed), errors.Is(err, ErrStopped):
			return
		case err != nil:
			s.cfg.Log.Warn("search index could not be written", "err", err)
		case more:
			continue
		default:
			s.countWords()
		}
		if !s.pause() {
			return
		}
	}
}

// countWords sees to it that no search has to count.
func (s *Store) countWords() {
	err := s.View(context.Background(), func(tx *ReadTx) error {
		newest, err := tx.c.int("SELECT coalesce(max(num), 0) FROM message")
		if err != nil {
			return err
		}
		_, err = tx.c.searchFrequencies(newest)
		return err
	})
	if err != nil && !errors.Is(err, ErrClosed) {
		s.cfg.Log.Warn("words could not be counted", "err", err)
	}
}

// pause waits until something was written, and then a little. It reports false
// when the store is being closed.
func (s *Store) pause() bool {
	select {
	case <-s.toIndex:
	case <-s.closing:
		return false
	}
	t := time.NewTimer(indexPause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.closing:
		return false
	}
}

// wakeIndex tells the goroutine that something was written. It never blocks.
func (s *Store) wakeIndex() {
	select {
	case s.toIndex <- struct{}{}:
	default:
	}
}

// indexSome takes some messages into the index and reports whether there may be
// more. It writes nothing if there are none.
func (s *Store) indexSome(ctx context.Context) (more bool, err error) {
	err = s.View(ctx, func(tx *ReadTx) (err error) {
		more, err = tx.unindexed()
		return err
	})
	if err != nil || !more {
		return false, err
	}
	return true, s.Update(ctx, (*Tx).indexSome)
}

// unindexed reports whether messages wait for the index.
func (t *ReadTx) unindexed() (bool, error) {
	n, err := t.c.int(`SELECT count(*) FROM search_state
		WHERE (SELECT max(num) FROM message) > CASE WHEN version <> ?1 OR low > 0 THEN 0 ELSE high END`, searchVersion)
	return n > 0, err
}

// indexSome takes up to indexStep messages in: new ones, else the newest of those
// that were there before.
func (t *Tx) indexSome() error {
	if err := t.renewIndex(); err != nil {
		return err
	}
	st, err := t.c.searchState()
	if err != nil {
		return err
	}
	newest, err := t.c.int("SELECT coalesce(max(num), 0) FROM message")
	if err != nil {
		return err
	}
	if newest > st.high {
		return t.indexRange(st, st.high, min(newest, st.high+indexStep))
	}
	if st.low > 0 {
		return t.indexRange(st, max(0, st.low-indexStep), st.low)
	}
	return nil
}

// renewIndex empties an index of another version. All that is there is then old.
func (t *Tx) renewIndex() error {
	n, err := t.c.int("SELECT count(*) FROM search_state WHERE version <> ?", searchVersion)
	if err != nil || n == 0 {
		return err
	}
	if err := t.do("INSERT INTO search (search) VALUES ('delete-all')"); err != nil {
		return err
	}
	return t.do(`UPDATE search_state SET version = ?,
		low = (SELECT coalesce(max(num), 0) FROM message), high = (SELECT coalesce(max(num), 0) FROM message)`, searchVersion)
}

// indexRange takes in the messages with from < num <= to, which touches st at one
// of its ends.
func (t *Tx) indexRange(st searchState, from, to int64) error {
	all, err := list(t.c, scanCandidate, allCandidates, to+1, from+1)
	if err != nil {
		return err
	}
	for i := len(all) - 1; i >= 0; i-- { // growing numbers are written together
		if err := t.putIndex(&all[i]); err != nil {
			return err
		}
	}
	return t.do("UPDATE search_state SET low = ?, high = ?", min(st.low, from), max(st.high, to))
}

func (t *Tx) putIndex(c *candidate) error {
	if c.message.Kind != chat.KindText {
		return nil
	}
	e := c.entry()
	return t.do("INSERT INTO search (rowid, text, conversation, sender, year, month, file) VALUES (?, ?, ?, ?, ?, ?, ?)",
		c.num, e.text, e.conversation, e.sender, e.year, e.month, e.file)
}

// unindex takes a message out of the index, so that none of its words stays there.
// It must be called before anything of the message or its files is deleted or
// changed; what was changed is taken in again by reindex.
func (t *Tx) unindex(id chat.MessageID) error {
	c, found, err := t.indexed(id)
	if err != nil || !found {
		return err
	}
	e := c.entry()
	return t.do(`INSERT INTO search (search, rowid, text, conversation, sender, year, month, file)
		VALUES ('delete', ?, ?, ?, ?, ?, ?, ?)`,
		c.num, e.text, e.conversation, e.sender, e.year, e.month, e.file)
}

// reindex takes a message in after unindex and a change.
func (t *Tx) reindex(id chat.MessageID) error {
	c, found, err := t.indexed(id)
	if err != nil || !found {
		return err
	}
	return t.putIndex(&c)
}

// indexed returns a message that lies in the range of the index.
func (t *Tx) indexed(id chat.MessageID) (c candidate, found bool, err error) {
	st, err := t.c.searchState()
	if err != nil {
		return c, false, err
	}
	var num int64
	found, err = t.c.one(func(r *row) { num = r.int64() },
		"SELECT num FROM message WHERE id = ? AND kind = 1 AND num > ? AND num <= ?", id, st.low, st.high)
	if err != nil || !found {
		return c, false, err
	}
	_, err = t.c.one(func(r *row) { c = scanCandidate(r) }, allCandidates, num+1, num)
	return c, true, err
}

// sampleSize is how many messages are counted for the frequencies: enough to tell
// what is rare, and read in a few milliseconds.
const sampleSize = 500

// searchFrequencies counts what stands in some messages. It counts anew when there
// are twice as many as the last time.
func (c *conn) searchFrequencies(newest int64) (*frequencies, error) {
	if c.common != nil {
		if f := c.common.Load(); f != nil && newest < 2*f.newest {
			return f, nil
		}
	}
	f := &frequencies{counts: map[string]int{}, newest: newest}
	step := max(1, newest/sampleSize)
	for at := newest; at > 0; at -= step {
		_, err := c.one(func(r *row) {
			m := scanCandidate(r)
			f.messages++
			m.entry().each(func(g string) { f.counts[g]++ })
		}, allCandidates, at+1, at)
		if err != nil {
			return nil, err
		}
	}
	if c.common != nil {
		c.common.Store(f)
	}
	return f, nil
}
