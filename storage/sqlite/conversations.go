package sqlite

import (
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

const conversationQuery = `SELECT c.id, c.contact, c.unread, c.read_seq, c.last_at,
		coalesce(d.text, ''), c.timer, c.last, ` + messageColumns + `
	FROM conversation c
	LEFT JOIN draft d ON d.conversation = c.num
	LEFT JOIN message m ON m.num = c.last`

func scanConversation(r *row) chat.Conversation {
	c := chat.Conversation{
		ID: r.id16(), Contact: r.id32(), Unread: r.int(), ReadSeq: r.uint64(), LastAt: r.time(),
		Draft: r.text(), Timer: time.Duration(r.int64()) * time.Second,
	}
	if r.int64() != 0 {
		m := scanMessage(r, c.ID)
		c.Last = &m
	}
	return c
}

// Conversation returns one conversation.
func (t *ReadTx) Conversation(id chat.ConversationID) (c chat.Conversation, err error) {
	err = t.get(func(r *row) { c = scanConversation(r) }, conversationQuery+" WHERE c.id = ?", id)
	if err != nil {
		return c, err
	}
	return c, t.fillFiles(c.Last)
}

// Conversations returns all conversations, newest LastAt first and of equal ones
// the younger. It sorts here: SQLite would carry every text through its sorter.
func (t *ReadTx) Conversations() ([]chat.Conversation, error) {
	all, err := list(t.c, scanConversation, conversationQuery+" ORDER BY c.num DESC")
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := t.fillFiles(all[i].Last); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b chat.Conversation) int { return b.LastAt.Compare(a.LastAt) })
	return all, nil
}

// PutConversation creates the conversation if it is missing.
func (t *Tx) PutConversation(id chat.ConversationID, contact chat.PersonID, at time.Time) error {
	return t.do(`INSERT INTO conversation
			(id, contact, unread, read_seq, last, last_seq, last_id, last_kind, last_at)
		VALUES (?, ?, 0, 0, 0, 0, x'', 0, ?) ON CONFLICT (id) DO NOTHING`, id, contact, at)
}

// SetDraft replaces what is written and not sent yet; "" removes it.
func (t *Tx) SetDraft(id chat.ConversationID, text string) error {
	c, err := t.counters(id)
	if err != nil {
		return err
	}
	if text == "" {
		return t.do("DELETE FROM draft WHERE conversation = ?", c.num)
	}
	return t.do(`INSERT INTO draft (conversation, text) VALUES (?, ?)
		ON CONFLICT (conversation) DO UPDATE SET text = excluded.text WHERE text <> excluded.text`, c.num, text)
}
