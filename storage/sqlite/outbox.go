package sqlite

import (
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

const outboxColumns = `id, contact, message, type, session, ctr, number, sealed_at,
	created_at, sent_at, attempts, next_at, payload, inner, mailed_at, mailed_to`

func scanOutbox(r *row) chat.OutboxItem {
	return chat.OutboxItem{
		ID: r.int64(), Contact: r.id32(), Message: r.id16(), Type: uint8(r.int64()), //nolint:gosec // was a uint8
		Session: r.id16(), Ctr: r.uint64(), Number: r.uint64(), SealedAt: r.time(),
		CreatedAt: r.time(), SentAt: r.time(), Attempts: r.int(), NextAt: r.time(),
		Payload: r.blob(), Inner: r.blob(), MailedAt: r.time(), MailedTo: r.id32(),
	}
}

// Outbox returns up to limit items of one person with ID > after, oldest first.
func (t *ReadTx) Outbox(person chat.PersonID, after int64, limit int) ([]chat.OutboxItem, error) {
	return list(t.c, scanOutbox, "SELECT "+outboxColumns+` FROM outbox
		WHERE contact = ? AND id > ? ORDER BY id LIMIT ?`, person, after, max(limit, 0))
}

// OutboxPeople returns everybody for whom something waits. It steps from one
// person to the next in the index: thousands may wait for each.
func (t *ReadTx) OutboxPeople() ([]chat.PersonID, error) {
	return list(t.c, func(r *row) chat.PersonID { return r.id32() }, `
		WITH RECURSIVE person (id) AS (
			SELECT min(contact) FROM outbox
			UNION ALL
			SELECT (SELECT min(contact) FROM outbox WHERE contact > person.id)
			FROM person WHERE person.id IS NOT NULL
		)
		SELECT id FROM person WHERE id IS NOT NULL`)
}

// OutboxItem finds the item of a message.
func (t *ReadTx) OutboxItem(id chat.MessageID) (item chat.OutboxItem, err error) {
	err = t.get(func(r *row) { item = scanOutbox(r) },
		"SELECT "+outboxColumns+" FROM outbox WHERE message = ?", id)
	return item, err
}

// OutboxCount counts the own messages (chat.KindText) without a SentAt.
func (t *ReadTx) OutboxCount() (waiting int, err error) {
	n, err := t.c.int("SELECT count(*) FROM outbox WHERE sent_at = 0 AND counted = 1")
	return int(n), err
}

// AddOutbox appends an item and returns its ID; ErrDuplicate if its message has
// one already. item.ID is ignored.
func (t *Tx) AddOutbox(item chat.OutboxItem) (int64, error) {
	res, err := t.c.exec(`INSERT INTO outbox (contact, message, type, counted, session, ctr, number,
			sealed_at, created_at, sent_at, attempts, next_at, payload, inner, mailed_at, mailed_to)
		VALUES (?1, ?2, ?3, EXISTS (SELECT 1 FROM message m WHERE m.id = ?2 AND m.kind = ?4 AND m.state <> ?5),
			?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
		ON CONFLICT (message) DO NOTHING`,
		item.Contact, item.Message, int(item.Type), int(chat.KindText), int(chat.Received),
		item.Session, int64(item.Ctr), int64(item.Number), //nolint:gosec // stored bit by bit
		item.SealedAt, item.CreatedAt, item.SentAt, item.Attempts, item.NextAt, item.Payload, item.Inner,
		item.MailedAt, item.MailedTo)
	if err != nil {
		return 0, err
	}
	if n, err := res.RowsAffected(); err != nil {
		return 0, err
	} else if n == 0 {
		return 0, fmt.Errorf("sqlite: outbox item of a message: %w", ErrDuplicate)
	}
	return res.LastInsertId()
}

// PutOutbox replaces the seal and the way of an item by its ID.
func (t *Tx) PutOutbox(item chat.OutboxItem) error {
	n, err := t.c.changed(`UPDATE outbox SET session = ?, ctr = ?, number = ?, sealed_at = ?,
			created_at = ?, sent_at = ?, attempts = ?, next_at = ?, inner = ?,
			mailed_at = ?, mailed_to = ? WHERE id = ?`,
		item.Session, int64(item.Ctr), int64(item.Number), item.SealedAt, //nolint:gosec // stored bit by bit
		item.CreatedAt, item.SentAt, item.Attempts, item.NextAt, item.Inner,
		item.MailedAt, item.MailedTo, item.ID)
	return needed(n, err)
}

// needed turns a change of nothing into chat.ErrNotFound.
func needed(changed int64, err error) error {
	if err == nil && changed == 0 {
		return chat.ErrNotFound
	}
	return err
}

// UnsealOutbox drops the seals of everything that waits for a person, and with
// them what mailboxes have of it.
func (t *Tx) UnsealOutbox(person chat.PersonID) error {
	return t.do(`UPDATE outbox SET session = x'', ctr = 0, number = 0, sealed_at = 0, inner = x'',
			mailed_at = 0, mailed_to = x''
		WHERE contact = ? AND length(inner) > 0`, person)
}

// DeleteOutbox removes the items of these messages for a person and returns those
// that were there.
func (t *Tx) DeleteOutbox(person chat.PersonID, ids []chat.MessageID) ([]chat.MessageID, error) {
	return t.each(ids, "DELETE FROM outbox WHERE message = ?1 AND contact = ?2", person)
}

// each runs a statement for every id, as its first argument, and returns those
// for which it changed something.
func (t *Tx) each(ids []chat.MessageID, query string, more ...any) ([]chat.MessageID, error) {
	var changed []chat.MessageID
	args := append([]any{nil}, more...)
	for _, id := range ids {
		args[0] = id
		n, err := t.c.changed(query, args...)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			changed = append(changed, id)
		}
	}
	return changed, nil
}

// PutSeen remembers the hash of an opened envelope, and whether it asked for an
// acknowledgement.
func (t *Tx) PutSeen(hash [32]byte, person chat.PersonID, at time.Time, asks bool) error {
	return t.do(`INSERT INTO seen (hash, person, at, asks) VALUES (?, ?, ?, ?)
		ON CONFLICT (hash) DO UPDATE SET at = max(at, excluded.at)`, hash, person, at, asks)
}

// seenPeople steps through the index from one person to the next.
const seenPeople = `WITH RECURSIVE one (id) AS (
		SELECT min(person) FROM seen
		UNION ALL
		SELECT (SELECT min(person) FROM seen WHERE person > one.id) FROM one WHERE one.id IS NOT NULL
	)
	SELECT id FROM one WHERE id IS NOT NULL`

// pruneSeen spares the newest: of fewer than those, the bound is NULL.
const pruneSeen = `DELETE FROM seen WHERE person = ?1 AND at < min(?2,
	(SELECT at FROM seen WHERE person = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?3))`

// PruneSeen forgets the hashes from before a time, except the newest keep of each
// person.
func (t *Tx) PruneSeen(before time.Time, keep int) error {
	people, err := list(t.c, func(r *row) chat.PersonID { return r.id32() }, seenPeople)
	if err != nil {
		return err
	}
	for _, p := range people {
		if err := t.do(pruneSeen, p, before, max(keep, 1)-1); err != nil {
			return err
		}
	}
	return nil
}
