package sqlite

import (
	"math"
	"strings"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/sqlite/fold"
)

const (
	// searchTime is after how long a search that has not found enough answers with
	// what it has: the reader is not held up, and a screen can show it.
	searchTime = 12 * time.Millisecond
	// firstPassed is how many places in the index's lists are passed over before the
	// first look at the clock: some milliseconds. After it a stretch is twice as long
	// as the one before.
	firstPassed = 60_000
	// scanned is how many messages are read one by one between two looks.
	scanned = 1000
)

// candidate is a message that may fit.
type candidate struct {
	num          int64
	conversation int64
	names        string // of its files, one a line
	message      chat.Message
}

// candidateColumns are what a candidate is made of, after its number.
const candidateColumns = `m.conversation, CASE WHEN m.files > 0
		THEN (SELECT coalesce(group_concat(f.name, char(10) ORDER BY f.place), '') FROM file f WHERE f.message = m.id)
		ELSE '' END, c.id, ` + messageColumns

func scanCandidate(r *row) candidate {
	c := candidate{num: r.int64(), conversation: r.int64(), names: r.text()}
	c.message = scanMessage(r, r.id16())
	return c
}

// source is the text that is searched.
func (c *candidate) source() string {
	if c.names == "" {
		return c.message.Text
	}
	return c.message.Text + "\n" + c.names
}

// The two ways to candidates between two numbers, newest first: by the index, and
// where that does not reach, one by one.
const (
	indexedCandidates = "SELECT search.rowid, " + candidateColumns + ` FROM search
		CROSS JOIN message m ON m.num = search.rowid CROSS JOIN conversation c ON c.num = m.conversation
		WHERE search MATCH ?1 AND search.rowid < ?2 AND search.rowid >= ?3 ORDER BY search.rowid DESC`
	allCandidates = "SELECT m.num, " + candidateColumns + ` FROM message m
		CROSS JOIN conversation c ON c.num = m.conversation
		WHERE m.num < ?1 AND m.num >= ?2 ORDER BY m.num DESC`
)

// Search returns messages that fit, the newest first: those that were stored last.
// It takes about searchTime at most and then says how to go on.
func (t *ReadTx) Search(q chat.SearchQuery) (page chat.SearchPage, err error) {
	s := search{
		c: t.c, query: q, patterns: fold.Patterns(q.Text), limit: pageSize(q.Limit),
		deadline: time.Now().Add(searchTime), before: q.Before,
	}
	if !s.asksForSomething() {
		return page, nil
	}
	if err := s.run(); err != nil {
		return page, err
	}
	page.Hits, page.Next = s.hits, s.before
	for i := range page.Hits {
		if err := t.fillFiles(&page.Hits[i].Message); err != nil {
			return page, err
		}
	}
	return page, nil
}

// search is one under way.
type search struct {
	c        *conn
	query    chat.SearchQuery
	patterns []string
	limit    int
	deadline time.Time

	state  searchState
	match  string // what the index is asked for
	first  int64  // length of the first stretch in messages
	hits   []chat.Hit
	before int64 // everything from here on was looked at; 0: all
}

func (s *search) asksForSomething() bool {
	q := &s.query
	return len(s.patterns) > 0 || q.HasFile || !q.Conversation.IsZero() || !q.Sender.IsZero() || !q.Since.IsZero() || !q.Until.IsZero()
}

// run looks through the stretches of messages from the newest on until there is
// enough, or the time is over, or nothing is left.
func (s *search) run() (err error) {
	newest, err := s.c.int("SELECT coalesce(max(num), 0) FROM message")
	if err != nil {
		return err
	}
	if s.before <= 0 || s.before > newest {
		s.before = newest + 1
	}
	if s.state, err = s.c.searchState(); err != nil {
		return err
	}
	if s.state.low < s.state.high {
		if err := s.prepare(newest); err != nil {
			return err
		}
	}
	for stretch := max(s.first, firstPassed); s.before > 1; stretch = min(2*stretch, math.MaxInt64/4) {
		full, err := s.stretch(stretch)
		if err != nil || full {
			return err
		}
		if s.before > 1 && time.Now().After(s.deadline) {
			return nil
		}
	}
	s.before = 0
	return nil
}

// prepare decides what the index is asked for.
func (s *search) prepare(newest int64) error {
	f, err := s.c.searchFrequencies(newest)
	if err != nil {
		return err
	}
	var wanted []alternatives
	for _, p := range s.patterns {
		for g := range grams(p) {
			wanted = append(wanted, alternatives{g})
		}
	}
	marks, err := s.marks()
	if err != nil {
		return err
	}
	var parts []string
	chosen, passed := f.choose(append(wanted, marks...))
	for _, a := range chosen {
		parts = append(parts, a.expression())
	}
	s.first = int64(firstPassed / max(passed, 1e-6))
	s.match = strings.Join(parts, " AND ")
	return nil
}

// marks are those of the filters.
func (s *search) marks() (out []alternatives, err error) {
	q := &s.query
	if !q.Conversation.IsZero() {
		var num int64 // 0, which no message has, if there is no such conversation
		if _, err = s.c.one(func(r *row) { num = r.int64() }, "SELECT num FROM conversation WHERE id = ?", q.Conversation); err != nil {
			return nil, err
		}
		out = append(out, alternatives{conversationMark(num)})
	}
	if !q.Sender.IsZero() {
		out = append(out, alternatives{senderMark(q.Sender)})
	}
	if !q.Since.IsZero() || !q.Until.IsZero() {
		if period := periodMarks(q.Since, q.Until); len(period) > 0 {
			out = append(out, period)
		}
	}
	if q.HasFile {
		out = append(out, alternatives{mark(markFile, 0)})
	}
	return out, nil
}

// stretch looks through at most n messages and reports whether that is all there
// is to do now.
func (s *search) stretch(n int64) (full bool, err error) {
	from := max(s.before-n, 1)
	last := s.before - 1
	query, args := allCandidates, []any{s.before, int64(0)}
	switch low, high := s.state.low, s.state.high; {
	case last > high:
		from = max(s.before-scanned, high+1)
	case last > low:
		from = max(from, low+1)
		query, args = indexedCandidates, []any{s.match, s.before, int64(0)}
	default:
		from = max(s.before-scanned, 1)
	}
	args[len(args)-1] = from
	err = s.c.rows(func(r *row) error {
		c := scanCandidate(r)
		if hit, ok := s.check(&c); ok {
			s.hits = append(s.hits, hit)
		}
		full = len(s.hits) >= s.limit || time.Now().After(s.deadline)
		if full {
			s.before = c.num
			return errEnough
		}
		return nil
	}, query, args...)
	if !full {
		s.before = from
	}
	return full, err
}

// check looks whether a candidate really fits.
func (s *search) check(c *candidate) (chat.Hit, bool) {
	m, q := &c.message, &s.query
	at := m.ShownAt()
	switch {
	case m.Kind != chat.KindText,
		!q.Conversation.IsZero() && m.Conversation != q.Conversation,
		!q.Sender.IsZero() && m.Sender != q.Sender,
		!q.Since.IsZero() && at.Before(q.Since),
		!q.Until.IsZero() && !at.Before(q.Until),
		q.HasFile && m.Attachments == nil:
		return chat.Hit{}, false
	}
	folded := fold.Text(c.source())
	for _, p := range s.patterns {
		if !strings.Contains(folded, p) {
			return chat.Hit{}, false
		}
	}
	hit := chat.Hit{Message: c.message}
	hit.Snippet, hit.Marks = snippet(c.source(), s.patterns)
	return hit, true
}
