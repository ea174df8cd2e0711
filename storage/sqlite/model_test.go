package sqlite

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// seenHash is whose envelope a hash is, and when it came last, in unix ms.
type seenHash struct {
	person chat.PersonID
	at     int64
}

// model is the store as simply as it can be thought: no counters, no indexes,
// everything computed from lists when it is asked for. Its values are never
// changed in place, so that a clone needs only new lists.
type model struct {
	settings      map[string]string
	secrets       map[string]string
	contacts      map[chat.PersonID]chat.Contact
	peers         map[chat.PersonID]string
	hosts         []chat.Host
	requests      []chat.Request
	conversations []modelConversation
	messages      []modelMessage
	outbox        []chat.OutboxItem
	lastOutbox    int64
	seen          map[[32]byte]seenHash
	invitations   []chat.Invitation
	joinings      []chat.Joining
	nodes         []chat.Node
	queues        []chat.Queue
	lastQueue     int64
	contacted     []chat.Contacted
}

type modelConversation struct {
	id      chat.ConversationID
	contact chat.PersonID
	draft   string
	readSeq uint64
	lastAt  time.Time
}

type modelMessage struct {
	chat.Message
	unread bool
}

func newModel() *model {
	return &model{
		settings: map[string]string{}, secrets: map[string]string{},
		contacts: map[chat.PersonID]chat.Contact{}, peers: map[chat.PersonID]string{},
		seen: map[[32]byte]seenHash{},
	}
}

func (m *model) clone() *model {
	c := *m
	c.settings, c.secrets = maps.Clone(m.settings), maps.Clone(m.secrets)
	c.contacts, c.peers, c.seen = maps.Clone(m.contacts), maps.Clone(m.peers), maps.Clone(m.seen)
	c.hosts, c.requests = slices.Clone(m.hosts), slices.Clone(m.requests)
	c.conversations, c.messages = slices.Clone(m.conversations), slices.Clone(m.messages)
	c.outbox, c.invitations, c.joinings = slices.Clone(m.outbox), slices.Clone(m.invitations), slices.Clone(m.joinings)
	c.nodes, c.queues, c.contacted = slices.Clone(m.nodes), slices.Clone(m.queues), slices.Clone(m.contacted)
	return &c
}

// replace puts v in the place of what same finds, or at the end.
func replace[T any](list []T, v T, same func(T) bool) []T {
	if i := slices.IndexFunc(list, same); i >= 0 {
		list[i] = v
		return list
	}
	return append(list, v)
}

func (m *model) putHost(h chat.Host) {
	m.hosts = replace(m.hosts, h, func(o chat.Host) bool { return o.Contact == h.Contact && o.HostKey == h.HostKey })
	for len(m.hostsOf(h.Contact)) > maxHosts {
		oldest := m.hostsOf(h.Contact)[maxHosts]
		m.hosts = slices.DeleteFunc(m.hosts, func(o chat.Host) bool {
			return o.Contact == oldest.Contact && o.HostKey == oldest.HostKey
		})
	}
}

func (m *model) hostsOf(p chat.PersonID) (hosts []chat.Host) {
	for _, h := range m.hosts {
		if h.Contact == p {
			hosts = append(hosts, h)
		}
	}
	slices.SortFunc(hosts, func(a, b chat.Host) int {
		return cmp.Or(b.SeenAt.Compare(a.SeenAt), bytes.Compare(a.HostKey[:], b.HostKey[:]))
	})
	return hosts
}

func (m *model) deleteContact(p chat.PersonID) {
	delete(m.contacts, p)
	delete(m.peers, p)
	m.hosts = slices.DeleteFunc(m.hosts, func(h chat.Host) bool { return h.Contact == p })
	m.outbox = slices.DeleteFunc(m.outbox, func(i chat.OutboxItem) bool { return i.Contact == p })
	m.joinings = slices.DeleteFunc(m.joinings, func(j chat.Joining) bool { return j.Contact == p })
	if p != (chat.PersonID{}) {
		m.queues = slices.DeleteFunc(m.queues, func(q chat.Queue) bool { return q.Contact == p })
		m.nodes = slices.DeleteFunc(m.nodes, func(n chat.Node) bool { return n.Keeper == p })
	}
}

// addQueue is to queues what addOutbox is to the outbox.
func (m *model) addQueue(q chat.Queue) (rises bool) {
	rises = q.ID > m.lastQueue
	m.lastQueue = q.ID
	m.queues = append(m.queues, q)
	return rises
}

func (m *model) putContacted(c chat.Contacted) {
	for i, o := range m.contacted {
		if o.Kind == c.Kind && o.Person == c.Person && o.Host == c.Host && o.Addr == c.Addr {
			o.Count += c.Count
			if c.Last.After(o.Last) {
				o.Last = c.Last
			}
			m.contacted[i] = o
			return
		}
	}
	m.contacted = append(m.contacted, c)
}

func (m *model) contactedSince(since time.Time) (all []chat.Contacted) {
	for _, c := range m.contacted {
		if !c.Last.Before(since) {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b chat.Contacted) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Kind, b.Kind), bytes.Compare(a.Person[:], b.Person[:]),
			bytes.Compare(a.Host[:], b.Host[:]), strings.Compare(a.Addr, b.Addr))
	})
	return all
}

func (m *model) conversation(id chat.ConversationID) *modelConversation {
	i := slices.IndexFunc(m.conversations, func(c modelConversation) bool { return c.id == id })
	if i < 0 {
		return nil
	}
	return &m.conversations[i]
}

func (m *model) message(id chat.MessageID) *modelMessage {
	i := slices.IndexFunc(m.messages, func(o modelMessage) bool { return o.ID == id })
	if i < 0 {
		return nil
	}
	return &m.messages[i]
}

// of returns the messages of a conversation in its order.
func (m *model) of(id chat.ConversationID) (all []modelMessage) {
	for _, o := range m.messages {
		if o.Conversation == id {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b modelMessage) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return all
}

func (m *model) last(id chat.ConversationID) *chat.Message {
	var last *chat.Message
	for _, o := range m.of(id) {
		if last == nil || o.Kind == chat.KindText || last.Kind != chat.KindText {
			last = &o.Message
		}
	}
	return last
}

func (m *model) insert(msg chat.Message) bool {
	if m.message(msg.ID) != nil {
		return false
	}
	m.messages = append(m.messages, modelMessage{msg, msg.Kind == chat.KindText && msg.State == chat.Received})
	c, at := m.conversation(msg.Conversation), msg.ReceivedAt
	if at.IsZero() {
		at = msg.SentAt
	}
	if m.last(msg.Conversation).ID == msg.ID || at.After(c.lastAt) {
		c.lastAt = at
	}
	return true
}

func (m *model) raise(ids []chat.MessageID, to chat.State) (changed []chat.MessageID) {
	for _, id := range ids {
		o := m.message(id)
		if o == nil || o.State == chat.Received || o.State == to {
			continue
		}
		switch {
		case o.State == chat.Failed:
		case to == chat.Failed && o.State <= chat.Sent:
		case to == chat.Failed || to < o.State:
			continue
		}
		o.State = to
		changed = append(changed, id)
	}
	return changed
}

func (m *model) markRead(id chat.ConversationID, seq uint64) (read []chat.MessageID) {
	var newest uint64
	for _, o := range m.of(id) {
		newest = o.Seq
		if o.unread && o.Seq <= seq {
			m.message(o.ID).unread = false
			read = append(read, o.ID)
		}
	}
	c := m.conversation(id)
	c.readSeq = max(c.readSeq, min(seq, newest))
	return read
}

// page answers a query from the whole list.
func (m *model) page(q chat.MessageQuery) (page []chat.Message) {
	at := func(p *chat.Position, o modelMessage) int {
		return cmp.Or(cmp.Compare(o.Seq, p.Seq), bytes.Compare(o.ID[:], p.ID[:]))
	}
	for _, o := range m.of(q.Conversation) {
		if q.TextOnly && o.Kind != chat.KindText || q.After != nil && at(q.After, o) <= 0 || q.Before != nil && at(q.Before, o) >= 0 {
			continue
		}
		page = append(page, o.Message)
	}
	limit := q.Limit
	if limit == 0 {
		limit = chat.DefaultPage
	}
	switch {
	case len(page) <= limit:
		return page
	case q.After != nil && q.Before == nil:
		return page[:limit]
	default:
		return page[len(page)-limit:]
	}
}

// addOutbox takes the id the store chose and reports whether it is a new one:
// numbers may be left out, and rise.
func (m *model) addOutbox(item chat.OutboxItem) (rises bool) {
	rises = item.ID > m.lastOutbox
	m.lastOutbox = item.ID
	m.outbox = append(m.outbox, item)
	return rises
}

func (m *model) outboxItem(id chat.MessageID) *chat.OutboxItem {
	i := slices.IndexFunc(m.outbox, func(o chat.OutboxItem) bool { return o.Message == id })
	if i < 0 {
		return nil
	}
	return &m.outbox[i]
}

func (m *model) unseal(p chat.PersonID) {
	for i, o := range m.outbox {
		if o.Contact == p && o.Inner != nil {
			o.Session, o.Ctr, o.Number, o.Inner, o.SealedAt = [16]byte{}, 0, 0, nil, time.Time{}
			o.MailedAt, o.MailedTo = time.Time{}, [32]byte{}
			m.outbox[i] = o
		}
	}
}

func (m *model) deleteOutbox(p chat.PersonID, ids []chat.MessageID) (gone []chat.MessageID) {
	for _, id := range ids {
		i := slices.IndexFunc(m.outbox, func(o chat.OutboxItem) bool { return o.Message == id && o.Contact == p })
		if i >= 0 {
			m.outbox = slices.Delete(m.outbox, i, i+1)
			gone = append(gone, id)
		}
	}
	return gone
}

// state is everything a store can tell.
type state struct {
	Settings      map[string]string
	Secrets       map[string]string
	Contacts      []chat.Contact
	Peers         map[chat.PersonID]string
	Hosts         map[chat.PersonID][]chat.Host
	Requests      []chat.Request
	Conversations []chat.Conversation
	Messages      map[chat.ConversationID][]chat.Message
	Outbox        map[chat.PersonID][]chat.OutboxItem
	People        []chat.PersonID
	Waiting       int
	Seen          map[[32]byte]bool
	Invitations   []chat.Invitation
	Joinings      []chat.Joining
	Nodes         []chat.Node
	Queues        map[chat.PersonID][]chat.Queue
	AllQueues     []chat.Queue
	Contacted     []chat.Contacted
}

func newState() state {
	return state{
		Secrets: map[string]string{}, Peers: map[chat.PersonID]string{}, Hosts: map[chat.PersonID][]chat.Host{},
		Messages: map[chat.ConversationID][]chat.Message{}, Outbox: map[chat.PersonID][]chat.OutboxItem{},
		Seen: map[[32]byte]bool{}, Queues: map[chat.PersonID][]chat.Queue{},
	}
}

func (m *model) state() state {
	s := newState()
	s.Settings, s.Secrets, s.Peers = m.settings, m.secrets, m.peers
	s.Contacts = slices.SortedFunc(maps.Values(m.contacts), func(a, b chat.Contact) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), bytes.Compare(a.ID[:], b.ID[:]))
	})
	s.Requests = slices.Clone(m.requests)
	slices.SortStableFunc(s.Requests, func(a, b chat.Request) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	s.Invitations = slices.Clone(m.invitations)
	slices.Reverse(s.Invitations)
	slices.SortStableFunc(s.Invitations, func(a, b chat.Invitation) int { return b.CreatedAt.Compare(a.CreatedAt) })
	s.Joinings = slices.Clone(m.joinings)
	slices.SortStableFunc(s.Joinings, func(a, b chat.Joining) int { return a.StartedAt.Compare(b.StartedAt) })
	for _, p := range people {
		if hosts := m.hostsOf(p); hosts != nil {
			s.Hosts[p] = hosts
		}
	}
	m.conversationState(&s)
	m.outboxState(&s)
	m.mailboxState(&s)
	for h := range m.seen {
		s.Seen[h] = true
	}
	return s
}

func (m *model) mailboxState(s *state) {
	s.Nodes = slices.Clone(m.nodes)
	slices.SortStableFunc(s.Nodes, func(a, b chat.Node) int { return a.AddedAt.Compare(b.AddedAt) })
	s.AllQueues = slices.Clone(m.queues)
	for _, q := range m.queues {
		s.Queues[q.Contact] = append(s.Queues[q.Contact], q)
	}
	s.Contacted = m.contactedSince(time.Time{})
}

func (m *model) conversationState(s *state) {
	for i := len(m.conversations) - 1; i >= 0; i-- {
		c := m.conversations[i]
		unread := 0
		for _, o := range m.of(c.id) {
			if o.unread {
				unread++
			}
		}
		s.Conversations = append(s.Conversations, chat.Conversation{
			ID: c.id, Contact: c.contact, Unread: unread, Draft: c.draft, Last: m.last(c.id), ReadSeq: c.readSeq, LastAt: c.lastAt,
		})
		if page := m.page(chat.MessageQuery{Conversation: c.id, Limit: chat.MaxPage}); page != nil {
			s.Messages[c.id] = page
		}
	}
	slices.SortStableFunc(s.Conversations, func(a, b chat.Conversation) int { return b.LastAt.Compare(a.LastAt) })
}

func (m *model) outboxState(s *state) {
	for _, o := range m.outbox {
		s.Outbox[o.Contact] = append(s.Outbox[o.Contact], o)
		msg := m.message(o.Message)
		if o.SentAt.IsZero() && msg != nil && msg.Kind == chat.KindText && msg.State != chat.Received {
			s.Waiting++
		}
	}
	s.People = slices.SortedFunc(maps.Keys(s.Outbox), func(a, b chat.PersonID) int { return bytes.Compare(a[:], b[:]) })
}
