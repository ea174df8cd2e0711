package core

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
)

// Rights is what people may ask for about their data (docs/gdpr.md).
type Rights interface {
	// Erase removes everything of a person from this computer: contact, keys,
	// addresses, conversation, files, what waits for them; and closes their mailbox
	// queues, which the nodes drop as soon as they can be reached. The other side is
	// not told and keeps what it has. It works for a contact request, too. The
	// deletion log gets an entry. Within one transaction; chat.ErrNotFound if nothing
	// of the person is here, chat.ErrUnsupported for a reason that is none of
	// ErasureReasons.
	Erase(ctx context.Context, id chat.PersonID, reason ErasureReason) (Erased, error)
	// ErasureLog returns the deletion log; see VerifyErasures.
	ErasureLog(ctx context.Context) (ErasureLog, error)
	// PersonRecord is all that is kept of a person besides messages and files.
	PersonRecord(ctx context.Context, id chat.PersonID) (PersonRecord, error)
	// Holdings tells how much of what is kept.
	Holdings(ctx context.Context) ([]chat.Holding, error)
}

// RightsReads are what Rights needs to read from the store.
type RightsReads interface {
	CountMessages(id chat.ConversationID) (int64, error)
	CountSeen(person chat.PersonID) (int64, error)
	Holdings() ([]chat.Holding, error)
}

// RightsWrites are what Rights needs to write into the store.
type RightsWrites interface {
	// ErasePerson removes everything of a person but nodes and queues at them that
	// were cut off before; hashes of their envelopes stay without whose they were.
	ErasePerson(id chat.PersonID) (messages int64, err error)
}

// ErasureReason says why something was erased.
type ErasureReason string

// The reasons.
const (
	ErasedByChoice  ErasureReason = "own_decision"
	ErasedOnRequest ErasureReason = "request_of_person" // the person asked for it (Art. 17 GDPR)
)

// Erased is what Erase did.
type Erased struct {
	Messages int64 `json:"messages"`
	Files    int   `json:"files"`
	Queues   int   `json:"queues"` // to be dropped at nodes
	// Scrubbed: nothing of it can be found in the database's files any more. If not,
	// it is tried again.
	Scrubbed bool         `json:"scrubbed"`
	Entry    ErasureEntry `json:"entry"`
}

// PersonRecord is all that is kept of a person besides messages and files. Keys
// and capabilities are not in it: they would let others act in somebody's name.
type PersonRecord struct {
	Contact      *chat.Contact       `json:"contact"` // nil: a contact request alone
	Request      *chat.Request       `json:"request"`
	Conversation chat.ConversationID `json:"conversation"`
	Draft        string              `json:"draft"`
	Messages     int64               `json:"messages"`
	Keys         bool                `json:"keys"` // keys of an encrypted session are kept
	Hosts        []RecordHost        `json:"hosts"`
	Queues       []RecordQueue       `json:"queues"`
	Keeper       bool                `json:"keeper"`  // their computer keeps this person's mail
	Waiting      int                 `json:"waiting"` // in the outbox for them
	Envelopes    int64               `json:"envelopes"`
	Invitations  []RecordInvitation  `json:"invitations"`
	Contacted    []Contacted         `json:"contacted"`
}

// RecordHost is one of a person's computers.
type RecordHost struct {
	Host   string    `json:"host"` // its host key, hexadecimal
	Addrs  []string  `json:"addrs"`
	SeenAt time.Time `json:"seen_at"`
}

// RecordQueue is a mailbox queue with a person.
type RecordQueue struct {
	Node   string    `json:"node"` // the node's host key, hexadecimal
	Out    bool      `json:"out"`  // this side puts into it
	MadeAt time.Time `json:"made_at"`
	Until  time.Time `json:"until"`
}

// RecordInvitation is an invitation that a person answered.
type RecordInvitation struct {
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	UsedAt    time.Time `json:"used_at"`
}

// Holdings implements Rights.
func (c *Core) Holdings(ctx context.Context) ([]chat.Holding, error) {
	return read(ctx, c, ReadTx.Holdings)
}

// Erase implements Rights.
func (c *Core) Erase(ctx context.Context, id chat.PersonID, reason ErasureReason) (Erased, error) {
	if reason != ErasedByChoice && reason != ErasedOnRequest {
		return Erased{}, fmt.Errorf("core: reason %q: %w", reason, chat.ErrUnsupported)
	}
	var out Erased
	var files []chat.File
	err := c.update(ctx, func(s *step) (err error) {
		out, files, err = s.erase(id, reason)
		return err
	})
	if err != nil {
		return Erased{}, err
	}
	if c.files.store != nil {
		for _, f := range files {
			c.files.cancel(f.ID)
		}
		if err := c.removeUnused(ctx, files); err != nil {
			c.log.Warn("files of somebody erased stay for now", "err", err) // sweepFiles removes them
		}
	}
	out.Scrubbed = c.store.Scrub(ctx) == nil
	if !out.Scrubbed {
		c.lives.scrub()
	}
	return out, nil
}

// erase is the transaction of Erase. It returns the files that the messages had.
func (s *step) erase(id chat.PersonID, reason ErasureReason) (out Erased, files []chat.File, err error) {
	kind, err := s.erasable(id)
	if err != nil {
		return out, nil, err
	}
	if files, err = s.filesWith(id); err != nil {
		return out, nil, err
	}
	out.Files = len(files)
	if out.Queues, err = s.cutQueues(id); err != nil {
		return out, nil, err
	}
	s.forgetInMemory(id)
	joins, err := s.Joinings()
	if err != nil {
		return out, nil, err
	}
	for _, j := range joins {
		if j.Contact == id {
			s.then(func() { s.core.net.Unfollow(inviteRef(j.ID)) })
		}
	}
	if err := s.dropDigits(id); err != nil {
		return out, nil, err
	}
	if out.Messages, err = s.ErasePerson(id); err != nil {
		return out, nil, err
	}
	out.Entry, err = s.logErasure(kind, reason, id)
	return out, files, err
}

// erasable tells what a person is here: "contact", "request" or, of somebody whose
// contact is gone already, "conversation".
func (s *step) erasable(id chat.PersonID) (kind string, err error) {
	if _, err = s.Contact(id); err == nil {
		return "contact", nil
	} else if !errors.Is(err, chat.ErrNotFound) {
		return "", err
	}
	if _, err = requestOf(s, id); err == nil {
		return "request", nil
	} else if !errors.Is(err, chat.ErrNotFound) {
		return "", err
	}
	_, err = s.Conversation(chat.DirectConversation(s.me(), id))
	return "conversation", err
}

// filesWith are the files of all messages exchanged with a person.
func (s *step) filesWith(id chat.PersonID) (files []chat.File, err error) {
	q := chat.MessageQuery{Conversation: chat.DirectConversation(s.me(), id), Limit: chat.MaxPage, After: &chat.Position{}}
	for {
		page, err := s.Messages(q)
		if err != nil {
			return nil, err
		}
		for _, m := range page {
			q.After = &chat.Position{Seq: m.Seq, ID: m.ID}
			if len(m.Attachments) == 0 {
				continue
			}
			had, err := s.Files(m.ID)
			if err != nil {
				return nil, err
			}
			files = append(files, had...)
		}
		if len(page) < q.Limit {
			return files, nil
		}
	}
}

// cutQueues closes the queues that this side made for a person, without saying any
// longer whose they were: their rooms let the nodes drop them. Nodes that the
// person keeps are forgotten.
func (s *step) cutQueues(id chat.PersonID) (cut int, err error) {
	nodes, err := s.Nodes()
	if err != nil {
		return 0, err
	}
	for _, n := range nodes {
		if n.Keeper == id {
			if err := s.forgetNode(n.Host); err != nil {
				return 0, err
			}
		}
	}
	queues, err := s.Queues(id)
	if err != nil {
		return 0, err
	}
	for _, q := range queues {
		if !q.Mine {
			continue
		}
		cut++
		closing := chat.Queue{
			ID: q.ID, Mine: true, Out: q.Out, RecvID: q.RecvID, RecvCap: q.RecvCap,
			Host: q.Host, Addrs: q.Addrs, MadeAt: q.MadeAt, Until: s.env.Now,
		}
		if _, err := s.PutQueue(closing); err != nil {
			return 0, err
		}
	}
	return cut, nil
}

// forgetInMemory lets everything that is not stored forget a person, before
// anything else can store it again, and after the commit once more.
func (s *step) forgetInMemory(id chat.PersonID) {
	c, conv := s.core, chat.DirectConversation(s.me(), id)
	s.then(func() {
		c.erased.Store(id, struct{}{})
		c.contacted.forget(c.aliases.drop(id), id.String())
		c.keys.forget()
		c.lanes.leave(id)
		c.net.Unfollow(id.String())
		c.keepMailAgain()
		c.mail.changed()
	})
	s.contactChanged(id)
	s.publish(event.Event{Kind: event.ConversationChanged, Conversation: conv})
	s.publish(event.Event{Kind: event.RequestChanged, Contact: id})
	s.publish(event.Event{Kind: event.InvitationChanged})
	s.publish(event.Event{Kind: event.NetworkChanged})
}

// isErased reports whether a person was erased since the start and did not become
// a contact again: what was under way then must not store their keys anew.
func (s *step) isErased(id chat.PersonID) (bool, error) {
	if _, was := s.core.erased.Load(id); !was {
		return false, nil
	}
	_, err := s.Contact(id)
	there, err := found(err)
	return !there, err
}

// drop forgets the names under which a person was connected, and returns them.
func (a *aliases) drop(person chat.PersonID) (refs []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for ref, p := range a.m {
		if p == person {
			delete(a.m, ref)
			refs = append(refs, ref)
		}
	}
	return refs
}

// forget drops what was noted under some names and not stored yet.
func (l *contactLog) forget(refs []string, more ...string) {
	gone := map[string]bool{}
	for _, r := range append(refs, more...) {
		gone[r] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.seen {
		if gone[key.ref] {
			delete(l.seen, key)
		}
	}
}

// PersonRecord implements Rights.
func (c *Core) PersonRecord(ctx context.Context, id chat.PersonID) (PersonRecord, error) {
	if err := c.storeContacted(ctx); err != nil {
		return PersonRecord{}, err
	}
	return read(ctx, c, func(tx ReadTx) (PersonRecord, error) {
		r := PersonRecord{Hosts: []RecordHost{}, Queues: []RecordQueue{}, Invitations: []RecordInvitation{}, Contacted: []Contacted{}}
		self, err := c.selfFrom(tx)
		if err != nil {
			return r, err
		}
		r.Conversation = chat.DirectConversation(chat.PersonID(self.ID()), id)
		err = errors.Join(r.who(tx, id), r.ways(tx, id), r.traces(tx, id))
		if err == nil && r.Contact == nil && r.Request == nil && r.Messages == 0 {
			err = chat.ErrNotFound
		}
		return r, err
	})
}

// found passes on all errors but chat.ErrNotFound.
func found(err error) (bool, error) {
	if errors.Is(err, chat.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (r *PersonRecord) who(tx ReadTx, id chat.PersonID) error {
	ct, err := tx.Contact(id)
	if ok, err := found(err); err != nil {
		return err
	} else if ok {
		r.Contact = &ct
	}
	req, err := requestOf(tx, id)
	if ok, err := found(err); err != nil {
		return err
	} else if ok {
		r.Request = &req
	}
	_, err = tx.Peer(id)
	if r.Keys, err = found(err); err != nil {
		return err
	}
	conv, err := tx.Conversation(r.Conversation)
	if ok, err := found(err); err != nil || !ok {
		return err
	}
	r.Draft = conv.Draft
	r.Messages, err = tx.CountMessages(r.Conversation)
	return err
}

func (r *PersonRecord) ways(tx ReadTx, id chat.PersonID) error {
	hosts, err := tx.Hosts(id)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		r.Hosts = append(r.Hosts, RecordHost{hex.EncodeToString(h.HostKey[:]), h.Addrs, h.SeenAt})
	}
	queues, err := tx.Queues(id)
	if err != nil {
		return err
	}
	for _, q := range queues {
		r.Queues = append(r.Queues, RecordQueue{hex.EncodeToString(q.Host[:]), q.Out, q.MadeAt, q.Until})
	}
	nodes, err := tx.Nodes()
	for _, n := range nodes {
		r.Keeper = r.Keeper || n.Keeper == id
	}
	return err
}

// recordBatch is how much of an outbox is counted at a time.
const recordBatch = 100

func (r *PersonRecord) traces(tx ReadTx, id chat.PersonID) (err error) {
	for after := int64(0); ; {
		page, err := tx.Outbox(id, after, recordBatch)
		if err != nil {
			return err
		}
		r.Waiting += len(page)
		if len(page) < recordBatch {
			break
		}
		after = page[len(page)-1].ID
	}
	if r.Envelopes, err = tx.CountSeen(id); err != nil {
		return err
	}
	invs, err := tx.Invitations()
	if err != nil {
		return err
	}
	for _, i := range invs {
		if i.UsedBy == id {
			r.Invitations = append(r.Invitations, RecordInvitation{i.CreatedAt, i.ExpiresAt, i.UsedAt})
		}
	}
	all, err := tx.Contacted(time.Time{})
	for _, e := range all {
		if e.Person == id {
			r.Contacted = append(r.Contacted, Contacted{
				Kind: ContactedKinds[e.Kind], Who: id, Host: hex.EncodeToString(e.Host[:]), Addr: e.Addr,
				First: e.First, Last: e.Last, Count: e.Count,
			})
		}
	}
	return err
}
