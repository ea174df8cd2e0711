package sqlite

import (
	"errors"
	"fmt"
	"math"

	"github.com/kuvert-im/kuvert/app/chat"
)

// restoreMany is from how many messages on RestoreMessages gives the writer a larger
// cache (64 MiB), which it keeps until the store is closed.
const (
	restoreMany  = 1000
	restoreCache = "PRAGMA cache_size = -65536"
)

// LastMessage is the number of the message stored last, 0 if there was none yet.
func (t *ReadTx) LastMessage() (int64, error) {
	return t.c.int("SELECT coalesce(max(num), 0) FROM message")
}

// StoredMessages returns up to limit messages with after < number <= last, in the
// order in which they were stored, without those that disappear. Their files are not filled in: see Files.
func (t *ReadTx) StoredMessages(after, last int64, limit int) ([]chat.StoredMessage, error) {
	return list(t.c, func(r *row) chat.StoredMessage {
		m := chat.StoredMessage{Num: r.int64(), Unread: r.bool()}
		in := chat.ConversationID(r.id16())
		m.Message = scanMessage(r, in)
		return m
	}, "SELECT m.num, m.unread, c.id, "+messageColumns+` FROM message m
		JOIN conversation c ON c.num = m.conversation
		WHERE m.num > ? AND m.num <= ? AND m.life = 0 ORDER BY m.num LIMIT ?`, after, last, max(limit, 0))
}

// HeldFiles returns how many sealed files are here and what they take together.
func (t *ReadTx) HeldFiles() (count int, bytes int64, err error) {
	_, err = t.c.one(func(r *row) { count, bytes = r.int(), r.int64() },
		"SELECT count(*), coalesce(sum(sealed), 0) FROM (SELECT max(sealed) AS sealed FROM file WHERE state = 1 GROUP BY id)")
	return count, bytes, err
}

// RestoreMessages stores messages as they were, without the counters of their
// conversations: RestoreConversation counts afterwards. Of a message that is there
// only its state and whether it is unread change. A message without its
// conversation, or one that was deleted, is passed over. It returns how many were
// new.
func (t *Tx) RestoreMessages(all []chat.StoredMessage) (added int, err error) {
	if len(all) >= restoreMany {
		// Ids are random: the whole index of them is written to, again and again.
		if err := t.do(restoreCache); err != nil {
			return 0, err
		}
	}
	counts, err := t.c.int("SELECT EXISTS (SELECT 1 FROM outbox WHERE counted = 0)")
	if err != nil {
		return 0, err
	}
	nums := map[chat.ConversationID]int64{}
	for i := range all {
		n, err := t.restoreMessage(&all[i], nums)
		if err == nil && n > 0 && counts != 0 {
			err = t.countOutbox(all[i].Message)
		}
		if err != nil {
			return added, err
		}
		added += int(n)
	}
	return added, nil
}

// restoreMessage stores one message and returns 1 if it was new. It inserts plain
// values: for INSERT … SELECT SQLite keeps a journal of each statement, which takes
// the longer the more a transaction has changed.
func (t *Tx) restoreMessage(m *chat.StoredMessage, nums map[chat.ConversationID]int64) (int64, error) {
	if m.Seq > math.MaxInt64 {
		return 0, fmt.Errorf("sqlite: place of a message: %w", ErrRange)
	}
	in, known := nums[m.Conversation]
	if !known {
		_, err := t.c.one(func(r *row) { in = r.int64() }, "SELECT num FROM conversation WHERE id = ?", m.Conversation)
		if err != nil {
			return 0, err
		}
		nums[m.Conversation] = in // 0: there is none
	}
	if in != 0 {
		gone, err := t.c.int("SELECT EXISTS (SELECT 1 FROM gone WHERE id = ?)", m.ID)
		if err != nil || gone != 0 {
			return 0, err
		}
		n, err := t.c.changed(`INSERT INTO message
				(id, conversation, seq, kind, state, unread, sent_at, received_at, sender, reply_to, text, files)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			m.ID, in, int64(m.Seq), int(m.Kind), int(m.State), m.Unread, m.SentAt, m.ReceivedAt, m.Sender, m.ReplyTo, m.Text, len(m.Attachments))
		if err != nil || n > 0 {
			return n, err
		}
	}
	return 0, t.do("UPDATE message SET state = ?, unread = ? WHERE id = ?", int(m.State), m.Unread, m.ID)
}

// Deleted returns up to limit ids of deleted messages, in their order, from after one
// on.
func (t *ReadTx) Deleted(after chat.MessageID, limit int) ([]chat.MessageID, error) {
	return list(t.c, func(r *row) chat.MessageID { return r.id16() },
		"SELECT id FROM gone WHERE id > ? ORDER BY id LIMIT ?", after, max(limit, 0))
}

// PutDeleted notes messages as deleted: they stay away when they come again.
func (t *Tx) PutDeleted(ids []chat.MessageID) error {
	for _, id := range ids {
		if err := t.do("INSERT INTO gone (id) VALUES (?) ON CONFLICT DO NOTHING", id); err != nil {
			return err
		}
	}
	return nil
}

// RestoreConversation gives a conversation the read mark and the time that it had,
// counts what RestoreMessages stored, and lets no new message stand before lastPlace.
func (t *Tx) RestoreConversation(c chat.Conversation, lastPlace uint64) error {
	have, err := t.counters(c.ID)
	if err != nil {
		return err
	}
	fresh := counters{num: have.num, lastAt: millis(c.LastAt)}
	if fresh.unread, err = t.c.int("SELECT count(*) FROM message WHERE conversation = ? AND unread = 1", have.num); err != nil {
		return err
	}
	if fresh, err = t.newest(fresh); err != nil {
		return err
	}
	return errors.Join(t.putCounters(fresh),
		t.do("UPDATE conversation SET read_seq = ?, floor = max(floor, ?) WHERE num = ?",
			int64(min(c.ReadSeq, math.MaxInt64)), int64(min(lastPlace, math.MaxInt64)), have.num)) //nolint:gosec // bounded
}
