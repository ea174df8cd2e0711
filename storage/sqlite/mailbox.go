package sqlite

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

const nodeColumns = `host, addrs, token, relay, keeper, added_at`

func scanNode(r *row) chat.Node {
	return chat.Node{
		Host: r.id32(), Addrs: r.list(), Token: r.id32(),
		Relay: r.bool(), Keeper: r.id32(), AddedAt: r.time(),
	}
}

// Nodes returns the always-on machines this person uses, the oldest first.
func (t *ReadTx) Nodes() ([]chat.Node, error) {
	return list(t.c, scanNode, "SELECT "+nodeColumns+" FROM node ORDER BY added_at, num")
}

// PutNode inserts or replaces a node by its host key.
func (t *Tx) PutNode(n chat.Node) error {
	addrs, err := listText(n.Addrs)
	if err != nil {
		return err
	}
	return t.do(`INSERT INTO node (`+nodeColumns+`) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (host) DO UPDATE SET addrs = excluded.addrs, token = excluded.token,
			relay = excluded.relay, keeper = excluded.keeper, added_at = excluded.added_at`,
		n.Host, addrs, n.Token, n.Relay, n.Keeper, n.AddedAt)
}

// DeleteNode removes a node. Its queues stay.
func (t *Tx) DeleteNode(host [32]byte) error {
	return t.do("DELETE FROM node WHERE host = ?", host)
}

const queueColumns = `id, contact, invite, out, mine, recv_id, recv_cap, send_id, send_cap, key,
	host, addrs, made_at, until, relay, slot_at, slot_hash`

func scanQueue(r *row) chat.Queue {
	return chat.Queue{
		ID: r.int64(), Contact: r.id32(), Invite: r.id16(), Out: r.bool(), Mine: r.bool(),
		RecvID: r.id24(), RecvCap: r.id32(), SendID: r.id24(), SendCap: r.id32(), Key: r.id32(),
		Host: r.id32(), Addrs: r.list(), MadeAt: r.time(), Until: r.time(), Relay: r.bool(),
		SlotAt: r.time(), SlotHash: r.id32(),
	}
}

// queuesOf finds a person's queues.
const queuesOf = "SELECT " + queueColumns + " FROM queue WHERE contact = ? ORDER BY id"

// Queues returns a person's mailbox queues in both directions, oldest first; of
// the zero id those of open invitations.
func (t *ReadTx) Queues(person chat.PersonID) ([]chat.Queue, error) {
	return list(t.c, scanQueue, queuesOf, person)
}

// AllQueues returns everybody's mailbox queues, oldest first.
func (t *ReadTx) AllQueues() ([]chat.Queue, error) {
	return list(t.c, scanQueue, "SELECT "+queueColumns+" FROM queue ORDER BY id")
}

// PutQueue inserts a queue with ID 0 and replaces any other by its ID;
// chat.ErrNotFound if there is none. It returns the ID, which is never used again.
func (t *Tx) PutQueue(q chat.Queue) (int64, error) {
	addrs, err := listText(q.Addrs)
	if err != nil {
		return 0, err
	}
	args := []any{
		q.Contact, q.Invite, q.Out, q.Mine, q.RecvID, q.RecvCap, q.SendID, q.SendCap, q.Key,
		q.Host, addrs, q.MadeAt, q.Until, q.Relay, q.SlotAt, q.SlotHash,
	}
	if q.ID == 0 {
		return t.addQueue(args)
	}
	n, err := t.c.changed(`UPDATE queue SET contact = ?, invite = ?, out = ?, mine = ?, recv_id = ?,
			recv_cap = ?, send_id = ?, send_cap = ?, key = ?, host = ?, addrs = ?, made_at = ?,
			until = ?, relay = ?, slot_at = ?, slot_hash = ? WHERE id = ?`, append(args, q.ID)...)
	return q.ID, needed(n, err)
}

func (t *Tx) addQueue(args []any) (int64, error) {
	res, err := t.c.exec(`INSERT INTO queue (contact, invite, out, mine, recv_id, recv_cap, send_id,
			send_cap, key, host, addrs, made_at, until, relay, slot_at, slot_hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// DeleteQueue removes a queue by its ID.
func (t *Tx) DeleteQueue(id int64) error {
	return t.do("DELETE FROM queue WHERE id = ?", id)
}

// Contacted returns the machines last contacted at or after a time, newest first.
func (t *ReadTx) Contacted(since time.Time) ([]chat.Contacted, error) {
	return list(t.c, func(r *row) chat.Contacted {
		return chat.Contacted{
			Kind: chat.ContactKind(r.int64()), Person: r.id32(), Host: r.id32(), Addr: r.text(), //nolint:gosec // was an int8
			First: r.time(), Last: r.time(), Count: r.int(),
		}
	}, `SELECT kind, person, host, addr, first_at, last_at, count FROM contacted
		WHERE last_at >= ? ORDER BY last_at DESC, kind, person, host, addr`, since)
}

// putContacted finds and writes one row by its key.
const putContacted = `INSERT INTO contacted (kind, person, host, addr, first_at, last_at, count)
	VALUES (?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (kind, person, host, addr) DO UPDATE SET
		last_at = max(last_at, excluded.last_at), count = count + excluded.count`

// PutContacted adds to what is known of the same Kind, Person, Host and Addr: the
// first time stays, the last one and the count are raised.
func (t *Tx) PutContacted(c chat.Contacted) error {
	return t.do(putContacted, int(c.Kind), c.Person, c.Host, c.Addr, c.First, c.Last, c.Count)
}

// maxContacted is how many machines of each kind are remembered: more than any
// office has, and no room for a stranger who comes from ever new addresses. Other
// kinds lose nothing to them.
const maxContacted = 2048

// pruneKind spares the newest of a kind: of fewer than those, the bound is NULL.
const pruneKind = `DELETE FROM contacted WHERE kind = ?1 AND last_at <
	(SELECT last_at FROM contacted WHERE kind = ?1 ORDER BY last_at DESC LIMIT 1 OFFSET ?2)`

// PruneContacted forgets the machines last contacted before a time, and all but
// the newest maxContacted of each kind.
func (t *Tx) PruneContacted(before time.Time) error {
	if err := t.do("DELETE FROM contacted WHERE last_at < ?", before); err != nil {
		return err
	}
	kinds, err := list(t.c, func(r *row) int64 { return r.int64() },
		"SELECT kind FROM contacted GROUP BY kind HAVING count(*) > ?", maxContacted)
	if err != nil {
		return err
	}
	for _, k := range kinds {
		if err := t.do(pruneKind, k, maxContacted-1); err != nil {
			return err
		}
	}
	return nil
}

// listText is how a list of texts is stored; row.list is its inverse.
func listText(texts []string) (string, error) {
	b, err := json.Marshal(texts)
	if err != nil {
		return "", fmt.Errorf("sqlite: addresses: %w", err)
	}
	return string(b), nil
}
