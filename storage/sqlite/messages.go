package sqlite

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

const messageColumns = `m.id, m.sender, m.kind, m.text, m.sent_at, m.received_at, m.state, m.reply_to, m.seq, m.files,
	m.life, m.expires_at`

func scanMessage(r *row, in chat.ConversationID) chat.Message {
	return chat.Message{
		Conversation: in, ID: r.id16(), Sender: r.id32(), Kind: chat.Kind(r.int64()), Text: r.text(), //nolint:gosec // was an int8
		SentAt: r.time(), ReceivedAt: r.time(), State: chat.State(r.int64()), ReplyTo: r.id16(), Seq: r.uint64(), //nolint:gosec // was an int8
		Attachments: attachmentsOf(r.int()), Life: time.Duration(r.int64()) * time.Second, ExpiresAt: r.time(),
	}
}

// Message returns one message.
func (t *ReadTx) Message(id chat.MessageID) (m chat.Message, err error) {
	err = t.get(func(r *row) {
		in := chat.ConversationID(r.id16())
		m = scanMessage(r, in)
	}, "SELECT c.id, "+messageColumns+` FROM message m
		JOIN conversation c ON c.num = m.conversation WHERE m.id = ?`, id)
	if err != nil {
		return m, err
	}
	return m, t.fillFiles(&m)
}

// Bounds of an open page: before every place and after every place.
var (
	firstPlace = place{seq: -1, id: []byte{}}
	lastPlace  = place{seq: math.MaxInt64, id: bytes.Repeat([]byte{0xff}, 17)}
)

// place is a chat.Position as it is stored.
type place struct {
	seq int64
	id  []byte
}

func placeOf(p *chat.Position, open place) place {
	switch {
	case p == nil:
		return open
	case p.Seq > math.MaxInt64:
		return lastPlace
	default:
		return place{seq: int64(p.Seq), id: blob16(p.ID)}
	}
}

// compare orders places as the index does.
func (p place) compare(q place) int {
	if p.seq != q.seq {
		if p.seq < q.seq {
			return -1
		}
		return 1
	}
	return bytes.Compare(p.id, q.id)
}

// The ways through a conversation: from either end, with and without notices.
const (
	pageOf = "SELECT " + messageColumns + ` FROM message m WHERE m.conversation = ?
		AND (m.seq, m.id) > (?, ?) AND (m.seq, m.id) < (?, ?)`
	newestFirst = " ORDER BY m.seq DESC, m.id DESC LIMIT ?"
	oldestFirst = " ORDER BY m.seq, m.id LIMIT ?"
	textOnly    = " AND m.kind = 1"
)

// Messages returns a page of a conversation, oldest first.
func (t *ReadTx) Messages(q chat.MessageQuery) ([]chat.Message, error) {
	var num int64
	found, err := t.c.one(func(r *row) { num = r.int64() },
		"SELECT num FROM conversation WHERE id = ?", q.Conversation)
	if err != nil || !found {
		return nil, err
	}
	ascending := q.After != nil && q.Before == nil
	after, before := placeOf(q.After, firstPlace), placeOf(q.Before, lastPlace)
	page, err := list(t.c, func(r *row) chat.Message { return scanMessage(r, q.Conversation) },
		pageQuery(ascending, q.TextOnly), num, after.seq, after.id, before.seq, before.id, pageSize(q.Limit))
	if err != nil {
		return nil, err
	}
	if !ascending {
		slices.Reverse(page)
	}
	for i := range page {
		if err := t.fillFiles(&page[i]); err != nil {
			return nil, err
		}
	}
	return page, nil
}

func pageQuery(ascending, textsOnly bool) string {
	switch {
	case ascending && textsOnly:
		return pageOf + textOnly + oldestFirst
	case ascending:
		return pageOf + oldestFirst
	case textsOnly:
		return pageOf + textOnly + newestFirst
	default:
		return pageOf + newestFirst
	}
}

func pageSize(limit int) int {
	if limit <= 0 {
		return chat.DefaultPage
	}
	return min(limit, chat.MaxPage)
}

// InsertMessage stores a message and updates its conversation's counters. A
// message id that is known, or was deleted, is left alone and reported as false. Of its files it
// stores how many there are; PutFile stores each. Without its
// conversation it is chat.ErrNotFound, with a Seq over math.MaxInt64 ErrRange.
func (t *Tx) InsertMessage(m chat.Message) (inserted bool, err error) {
	if m.Seq > math.MaxInt64 {
		return false, fmt.Errorf("sqlite: place of a message: %w", ErrRange)
	}
	c, err := t.counters(m.Conversation)
	if err != nil {
		return false, err
	}
	unread := m.Kind == chat.KindText && m.State == chat.Received
	res, err := t.c.exec(`INSERT INTO message
			(id, conversation, seq, kind, state, unread, sent_at, received_at, sender, reply_to, text, files, life, expires_at)
		SELECT ?1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM gone WHERE id = ?1)
		ON CONFLICT (id) DO NOTHING`,
		m.ID, c.num, int64(m.Seq), int(m.Kind), int(m.State), unread,
		m.SentAt, m.ReceivedAt, m.Sender, m.ReplyTo, m.Text, len(m.Attachments), int64(m.Life/time.Second), m.ExpiresAt)
	if err != nil {
		return false, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	num, err := res.LastInsertId()
	if err != nil {
		return false, err
	}
	c.add(num, m, unread)
	if err := t.putCounters(c); err != nil {
		return false, err
	}
	return true, t.countOutbox(m)
}

// countOutbox makes an outbox item count as a message that was there before its
// message.
func (t *Tx) countOutbox(m chat.Message) error {
	if m.Kind != chat.KindText || m.State == chat.Received {
		return nil
	}
	return t.do("UPDATE outbox SET counted = 1 WHERE message = ? AND counted = 0", m.ID)
}

// counters is what a conversation's row keeps so that lists need not count.
type counters struct {
	num    int64
	unread int64
	last   int64 // the shown message's num, 0: none
	place  place // of that message
	kind   chat.Kind
	lastAt int64
}

func (t *Tx) counters(id chat.ConversationID) (c counters, err error) {
	err = t.get(func(r *row) {
		c = counters{
			num: r.int64(), unread: r.int64(), last: r.int64(),
			place: place{seq: r.int64(), id: r.blob()},
			kind:  chat.Kind(r.int64()), lastAt: r.int64(), //nolint:gosec // was an int8
		}
	}, `SELECT num, unread, last, last_seq, last_id, last_kind, last_at
		FROM conversation WHERE id = ?`, id)
	if err != nil {
		return c, fmt.Errorf("sqlite: conversation: %w", err)
	}
	return c, nil
}

// add counts a new message in.
func (c *counters) add(num int64, m chat.Message, unread bool) {
	if unread {
		c.unread++
	}
	at := millis(happened(m))
	p := place{seq: int64(m.Seq), id: blob16(m.ID)} //nolint:gosec // InsertMessage checked it
	if !c.precedes(m.Kind, p) {
		c.lastAt = max(c.lastAt, at)
		return
	}
	// The newest message sets the time even to an earlier one: a clock that was
	// far ahead for a while must not hold a conversation at the top for ever.
	c.last, c.place, c.kind, c.lastAt = num, p, m.Kind, at
}

// precedes reports whether a message of this kind at p replaces the shown one: a
// text replaces every notice, a notice no text, and else the later place counts.
func (c *counters) precedes(kind chat.Kind, p place) bool {
	isText, wasText := kind == chat.KindText, c.kind == chat.KindText
	switch {
	case c.last == 0:
		return true
	case isText != wasText:
		return isText
	default:
		return c.place.compare(p) < 0
	}
}

// happened is when a message came into being here. A sender's own clock would let
// them hold their conversation at the top of the list.
func happened(m chat.Message) time.Time {
	if m.ReceivedAt.IsZero() {
		return m.SentAt
	}
	return m.ReceivedAt
}

func (t *Tx) putCounters(c counters) error {
	return t.do(`UPDATE conversation SET unread = ?, last = ?, last_seq = ?, last_id = ?,
			last_kind = ?, last_at = ? WHERE num = ?`,
		c.unread, c.last, c.place.seq, c.place.id, int(c.kind), c.lastAt, c.num)
}

// raises holds for each state the statement that raises a message to it from the
// states it may follow. Failed follows only what is not delivered, and any news
// from the other side overrides it.
var raises = map[chat.State]string{
	chat.Queued:    raise(chat.Failed),
	chat.Sent:      raise(chat.Queued, chat.Failed),
	chat.Delivered: raise(chat.Queued, chat.Sent, chat.Failed),
	chat.Read:      raise(chat.Queued, chat.Sent, chat.Delivered, chat.Failed),
	chat.Failed:    raise(chat.Queued, chat.Sent),
}

func raise(from ...chat.State) string {
	q := "UPDATE message SET state = ?2 WHERE id = ?1 AND state IN (0"
	for _, s := range from {
		q += fmt.Sprintf(", %d", int(s))
	}
	return q + ")"
}

// RaiseState moves own messages forward; it never moves one back, except from
// Failed to Queued. It returns those that changed, in the order of ids.
func (t *Tx) RaiseState(ids []chat.MessageID, s chat.State) ([]chat.MessageID, error) {
	q, ok := raises[s]
	if !ok {
		return nil, fmt.Errorf("sqlite: raise to %v: %w", s, chat.ErrUnsupported)
	}
	return t.each(ids, q, int(s))
}

// MarkRead moves the conversation's read mark and returns the messages of others
// that became read by it, oldest first. A message that arrived late, at a place
// before the mark, is unread until the next MarkRead.
func (t *Tx) MarkRead(id chat.ConversationID, seq uint64) ([]chat.MessageID, error) {
	c, err := t.counters(id)
	if err != nil {
		return nil, err
	}
	upTo := placeOf(&chat.Position{Seq: seq}, lastPlace).seq
	read, err := list(t.c, func(r *row) chat.MessageID { return r.id16() },
		`SELECT id FROM message WHERE conversation = ? AND unread = 1 AND seq <= ? ORDER BY seq, id`,
		c.num, upTo)
	if err != nil {
		return nil, err
	}
	if len(read) > 0 {
		err = t.do("UPDATE message SET unread = 0 WHERE conversation = ? AND unread = 1 AND seq <= ?", c.num, upTo)
		if err != nil {
			return nil, err
		}
	}
	return read, t.moveMark(c.num, upTo, len(read))
}

// moveMark raises the read mark, though never beyond the newest message: what
// comes next is new. It writes nothing if nothing changes, since screens call
// MarkRead all the time.
func (t *Tx) moveMark(conversation, upTo int64, read int) error {
	newest, err := t.c.int("SELECT coalesce(max(seq), 0) FROM message WHERE conversation = ?", conversation)
	if err != nil {
		return err
	}
	return t.do(`UPDATE conversation SET unread = unread - ?1, read_seq = max(read_seq, ?2)
		WHERE num = ?3 AND (?1 > 0 OR read_seq < ?2)`, read, min(upTo, newest), conversation)
}
