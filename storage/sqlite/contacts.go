package sqlite

import "github.com/kuvert-im/kuvert/app/chat"

// maxHosts is how many machines of a contact are remembered: several computers,
// and a few that were replaced.
const maxHosts = 8

const contactColumns = `id, name, given_name, alias, verified, blocked, pending, added_at, last_seen`

func scanContact(r *row) chat.Contact {
	return chat.Contact{
		ID: r.id32(), Name: r.text(), GivenName: r.text(), Alias: r.text(),
		Verified: r.bool(), Blocked: r.bool(), Pending: r.bool(),
		AddedAt: r.time(), LastSeen: r.time(),
	}
}

// Contact returns one contact.
func (t *ReadTx) Contact(id chat.PersonID) (c chat.Contact, err error) {
	err = t.get(func(r *row) { c = scanContact(r) },
		"SELECT "+contactColumns+" FROM contact WHERE id = ?", id)
	return c, err
}

// Contacts returns all contacts by name.
func (t *ReadTx) Contacts() ([]chat.Contact, error) {
	return list(t.c, scanContact,
		"SELECT "+contactColumns+" FROM contact ORDER BY name COLLATE NOCASE, id")
}

// PutContact inserts or replaces a contact. Online is not stored.
func (t *Tx) PutContact(c chat.Contact) error {
	return t.do(`INSERT INTO contact (`+contactColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, given_name = excluded.given_name,
			alias = excluded.alias, verified = excluded.verified, blocked = excluded.blocked,
			pending = excluded.pending, added_at = excluded.added_at, last_seen = excluded.last_seen`,
		c.ID, c.Name, c.GivenName, c.Alias, c.Verified, c.Blocked, c.Pending, c.AddedAt, c.LastSeen)
}

// DeleteContact removes a contact with peer, hosts, outbox, joining, mailbox
// queues and the nodes that they keep. The conversation stays. The zero id is
// nobody's: it takes neither own nodes nor the queues of open invitations along.
func (t *Tx) DeleteContact(id chat.PersonID) error {
	for _, q := range []string{
		"DELETE FROM contact WHERE id = ?",
		"DELETE FROM peer WHERE contact = ?",
		"DELETE FROM host WHERE contact = ?",
		"DELETE FROM outbox WHERE contact = ?",
		"DELETE FROM joining WHERE contact = ?",
		"DELETE FROM queue WHERE contact = ? AND contact <> x''",
		"DELETE FROM node WHERE keeper = ? AND keeper <> x''",
	} {
		if err := t.do(q, id); err != nil {
			return err
		}
	}
	return nil
}

// Peer returns what the protocol remembers of a contact.
func (t *ReadTx) Peer(id chat.PersonID) (state []byte, err error) {
	err = t.get(func(r *row) { state = r.blob() }, "SELECT state FROM peer WHERE contact = ?", id)
	return state, err
}

// PutPeer inserts or replaces it.
func (t *Tx) PutPeer(id chat.PersonID, state []byte) error {
	return t.do(`INSERT INTO peer (contact, state) VALUES (?, ?)
		ON CONFLICT (contact) DO UPDATE SET state = excluded.state`, id, state)
}

// Hosts returns the machines of a contact, the one seen last first.
func (t *ReadTx) Hosts(id chat.PersonID) ([]chat.Host, error) {
	return list(t.c, scanHost, `SELECT contact, host_key, seen_at, addrs FROM host
		WHERE contact = ? ORDER BY seen_at DESC, host_key`, id)
}

func scanHost(r *row) chat.Host {
	return chat.Host{Contact: r.id32(), HostKey: r.id32(), SeenAt: r.time(), Addrs: r.list()}
}

// PutHost inserts or replaces a machine by contact and host key, and keeps the
// newest maxHosts of the contact.
func (t *Tx) PutHost(h chat.Host) error {
	addrs, err := listText(h.Addrs)
	if err != nil {
		return err
	}
	err = t.do(`INSERT INTO host (contact, host_key, seen_at, addrs) VALUES (?, ?, ?, ?)
		ON CONFLICT (contact, host_key) DO UPDATE SET seen_at = excluded.seen_at, addrs = excluded.addrs`,
		h.Contact, h.HostKey, h.SeenAt, addrs)
	if err != nil {
		return err
	}
	return t.do(`DELETE FROM host WHERE contact = ?1 AND host_key IN (
		SELECT host_key FROM host WHERE contact = ?1 ORDER BY seen_at DESC, host_key LIMIT -1 OFFSET ?2)`,
		h.Contact, maxHosts)
}

// Requests returns the strangers who wish to become contacts, oldest first.
func (t *ReadTx) Requests() ([]chat.Request, error) {
	return list(t.c, func(r *row) chat.Request {
		return chat.Request{ID: r.id32(), Name: r.text(), ReceivedAt: r.time(), Frame: r.blob()}
	}, "SELECT id, name, received_at, frame FROM request ORDER BY received_at, num")
}

// PutRequest inserts or replaces a stranger's request.
func (t *Tx) PutRequest(r chat.Request) error {
	return t.do(`INSERT INTO request (id, name, received_at, frame) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name,
			received_at = excluded.received_at, frame = excluded.frame`,
		r.ID, r.Name, r.ReceivedAt, r.Frame)
}

// DeleteRequest removes a request.
func (t *Tx) DeleteRequest(id chat.PersonID) error {
	return t.do("DELETE FROM request WHERE id = ?", id)
}
