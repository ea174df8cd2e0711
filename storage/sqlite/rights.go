package sqlite

import "github.com/kuvert-im/kuvert/app/chat"

// CountMessages returns how many messages and notices a conversation holds.
func (t *ReadTx) CountMessages(id chat.ConversationID) (int64, error) {
	return t.c.int("SELECT count(*) FROM message m JOIN conversation c ON c.num = m.conversation WHERE c.id = ?", id)
}

// CountSeen returns how many hashes of a person's envelopes are kept.
func (t *ReadTx) CountSeen(person chat.PersonID) (int64, error) {
	return t.c.int("SELECT count(*) FROM seen WHERE person = ?", person)
}

// holdings are what Holdings counts: kind, and a query for number, oldest, newest.
var holdings = []struct{ kind, query string }{
	{"contacts", "SELECT count(*), min(added_at), max(added_at) FROM contact"},
	{"requests", "SELECT count(*), min(received_at), max(received_at) FROM request"},
	{"conversations", "SELECT count(*), min(last_at), max(last_at) FROM conversation"},
	{"messages", "SELECT count(*), min(received_at), max(received_at) FROM message"},
	{"drafts", "SELECT count(*), NULL, NULL FROM draft"},
	{"files", "SELECT count(*), NULL, NULL FROM file WHERE state = 1"},
	{"outbox", "SELECT count(*), min(created_at), max(created_at) FROM outbox"},
	{"seen", "SELECT count(*), min(at), max(at) FROM seen"},
	{"hosts", "SELECT count(*), min(seen_at), max(seen_at) FROM host"},
	{"queues", "SELECT count(*), NULL, NULL FROM queue"},
	{"nodes", "SELECT count(*), min(added_at), max(added_at) FROM node"},
	{"invitations", "SELECT count(*), min(created_at), max(created_at) FROM invitation"},
	{"contacted", "SELECT count(*), min(first_at), max(last_at) FROM contacted"},
}

// Holdings counts what the database holds of each kind.
func (t *ReadTx) Holdings() ([]chat.Holding, error) {
	var out []chat.Holding
	for _, h := range holdings {
		_, err := t.c.one(func(r *row) {
			one := chat.Holding{Kind: h.kind, Count: r.int64()}
			oldest, newest := r.value(), r.value()
			if ms, ok := oldest.(int64); ok {
				one.Oldest = instant(ms)
			}
			if ms, ok := newest.(int64); ok {
				one.Newest = instant(ms)
			}
			out = append(out, one)
		}, h.query)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ErasePerson removes everything of a person: contact, peer, hosts, request,
// joining, mailbox queues, kept nodes, invitations they answered, what was
// contacted, the conversation with its messages, files' rows, draft and search
// rows. Of the hashes of their envelopes it forgets whose they were: the hashes
// alone keep an envelope that is sent once more from being taken for a new one.
// What was written may be read in the files of the database until Scrub. It returns
// how many messages went. The zero id is nobody's.
func (t *Tx) ErasePerson(id chat.PersonID) (messages int64, err error) {
	if id.IsZero() {
		return 0, chat.ErrNotFound
	}
	texts, err := list(t.c, func(r *row) chat.MessageID { return r.id16() },
		"SELECT m.id FROM message m JOIN conversation c ON c.num = m.conversation WHERE c.contact = ?", id)
	if err != nil {
		return 0, err
	}
	for _, m := range texts {
		if err := t.unindex(m); err != nil {
			return 0, err
		}
	}
	const theirs = "(SELECT num FROM conversation WHERE contact = ?1)"
	for _, q := range []string{
		"DELETE FROM outbox WHERE contact = ?1 OR message IN (SELECT id FROM message WHERE conversation IN " + theirs + ")",
		"DELETE FROM file WHERE message IN (SELECT id FROM message WHERE conversation IN " + theirs + ")",
		"DELETE FROM message WHERE conversation IN " + theirs,
		"DELETE FROM draft WHERE conversation IN " + theirs,
		"DELETE FROM conversation WHERE contact = ?1",
		"DELETE FROM contacted WHERE person = ?1 OR host IN (SELECT host_key FROM host WHERE contact = ?1)",
		"DELETE FROM request WHERE id = ?1",
		"DELETE FROM invitation WHERE used_by = ?1",
		"UPDATE seen SET person = x'' WHERE person = ?1",
	} {
		if err := t.do(q, id); err != nil {
			return 0, err
		}
	}
	return int64(len(texts)), t.DeleteContact(id)
}
