package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Few of everything, so that random operations meet.
var (
	people = []chat.PersonID{{}, anna, bert, {0xff, 31: 0xff}}
	rooms  = []chat.ConversationID{{}, room, {15: 1}}
	names  = []string{"", "a", "B", "Ä", "\x00'\xff"}
	hashes = [][32]byte{{}, {1}, {31: 9}}
)

// gen draws the values of one check.
type gen struct{ *rapid.T }

func pick[T any](g gen, from []T) T { return rapid.SampledFrom(from).Draw(g.T, "pick") }
func (g gen) n(most int) int        { return rapid.IntRange(0, most).Draw(g.T, "n") }
func (g gen) yes() bool             { return rapid.Bool().Draw(g.T, "yes") }
func (g gen) id() chat.MessageID    { return chat.MessageID{15: byte(g.n(12))} }

func (g gen) ids() (ids []chat.MessageID) {
	for range g.n(4) {
		ids = append(ids, g.id())
	}
	return ids
}

func (g gen) time() time.Time {
	if g.n(4) == 0 {
		return time.Time{}
	}
	return t0.Add(time.Duration(g.n(9)-4) * time.Hour)
}

func (g gen) blob() []byte {
	n := pick(g, []int{0, 1, 30, 5000})
	if n == 0 {
		return nil
	}
	return []byte(fmt.Sprintf("%0*d", n, g.n(9)))
}

func (g gen) message() chat.Message {
	return chat.Message{
		ID: g.id(), Conversation: pick(g, rooms), Sender: pick(g, people),
		Kind: pick(g, []chat.Kind{chat.KindText, chat.KindText, chat.KindNotice}), Text: pick(g, names),
		SentAt: g.time(), ReceivedAt: g.time(), State: chat.State(g.n(5) + 1), ReplyTo: g.id(), Seq: uint64(g.n(5)),
	}
}

func (g gen) outboxItem() chat.OutboxItem {
	i := chat.OutboxItem{
		Contact: pick(g, people), Message: g.id(), Type: uint8(g.n(255)), Payload: g.blob(),
		CreatedAt: g.time(), SentAt: g.time(), Attempts: g.n(3), NextAt: g.time(),
	}
	if g.yes() {
		i.Inner, i.Session, i.Ctr, i.Number, i.SealedAt = []byte("inner"), [16]byte{byte(g.n(2))}, ^uint64(0), 1<<63, t0
		i.MailedAt, i.MailedTo = g.time(), pick(g, hashes)
	}
	return i
}

// addrs are such as JSON keeps.
func (g gen) addrs() []string {
	return pick(g, [][]string{nil, {}, {"/ip4/1.2.3.4/udp/1", "Ä\"\x00"}})
}

func (g gen) id24() (id [24]byte) { return [24]byte{23: byte(g.n(2))} }

func (g gen) queue() chat.Queue {
	return chat.Queue{
		Contact: pick(g, people), Invite: [16]byte{byte(g.n(2))}, Out: g.yes(), Mine: g.yes(),
		RecvID: g.id24(), RecvCap: pick(g, hashes), SendID: g.id24(), SendCap: pick(g, hashes), Key: pick(g, hashes),
		Host: pick(g, hashes), Addrs: g.addrs(), MadeAt: g.time(), Until: g.time(),
		Relay: g.yes(), SlotAt: g.time(), SlotHash: pick(g, hashes),
	}
}

func (g gen) contacted() chat.Contacted {
	return chat.Contacted{
		Kind: chat.ContactKind(g.n(2) + 1), Person: pick(g, people[:2]), Host: pick(g, hashes[:2]), Addr: pick(g, names[:3]),
		First: g.time(), Last: g.time(), Count: g.n(3),
	}
}

func (g gen) contact() chat.Contact {
	return chat.Contact{
		ID: pick(g, people), Name: pick(g, names), GivenName: pick(g, names), Alias: pick(g, names), Verified: g.yes(),
		Blocked: g.yes(), Pending: g.yes(), AddedAt: g.time(), LastSeen: g.time(),
	}
}

// op does one thing to the store and to the model. What it returns from both must
// be equal.
type op func(g gen, tx *Tx, m *model) (got, expected any, err error)

var ops = map[string]op{
	"setting": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		k, v := pick(g, names), pick(g, names)
		m.settings[k] = v
		return nil, nil, tx.PutSetting(k, v)
	},
	"secret": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		k, v := pick(g, names), g.blob()
		m.secrets[k] = string(v)
		return nil, nil, tx.PutSecret(k, v)
	},
	"delete secret": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		k := pick(g, names)
		delete(m.secrets, k)
		return nil, nil, tx.DeleteSecret(k)
	},
	"contact": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		c := g.contact()
		m.contacts[c.ID] = c
		return nil, nil, tx.PutContact(c)
	},
	"delete contact": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		p := pick(g, people)
		m.deleteContact(p)
		return nil, nil, tx.DeleteContact(p)
	},
	"peer": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		p, v := pick(g, people), g.blob()
		m.peers[p] = string(v)
		return nil, nil, tx.PutPeer(p, v)
	},
	"host": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		h := chat.Host{Contact: pick(g, people), HostKey: [32]byte{byte(g.n(12))}, SeenAt: g.time()}
		if g.yes() {
			h.Addrs = names[1:4]
		}
		m.putHost(h)
		return nil, nil, tx.PutHost(h)
	},
	"request": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		r := chat.Request{ID: pick(g, people), Name: pick(g, names), ReceivedAt: g.time(), Frame: g.blob()}
		m.requests = replace(m.requests, r, func(o chat.Request) bool { return o.ID == r.ID })
		return nil, nil, tx.PutRequest(r)
	},
	"conversation": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		id, p, at := pick(g, rooms), pick(g, people), g.time()
		if m.conversation(id) == nil {
			m.conversations = append(m.conversations, modelConversation{id: id, contact: p, lastAt: at})
		}
		return nil, nil, tx.PutConversation(id, p, at)
	},
	"message": func(g gen, tx *Tx, m *model) (got, expected any, err error) {
		msg := g.message()
		if m.conversation(msg.Conversation) == nil {
			_, err := tx.InsertMessage(msg)
			return errors.Is(err, chat.ErrNotFound), true, nil
		}
		got, err = tx.InsertMessage(msg)
		return got, m.insert(msg), err
	},
	"raise": func(g gen, tx *Tx, m *model) (got, expected any, err error) {
		ids, to := g.ids(), chat.State(g.n(4)+1)
		got, err = tx.RaiseState(ids, to)
		return got, m.raise(ids, to), err
	},
	"read": func(g gen, tx *Tx, m *model) (got, expected any, err error) {
		id, seq := pick(g, rooms), uint64(g.n(7))
		if m.conversation(id) == nil {
			_, err := tx.MarkRead(id, seq)
			return errors.Is(err, chat.ErrNotFound), true, nil
		}
		got, err = tx.MarkRead(id, seq)
		return got, m.markRead(id, seq), err
	},
	"draft": func(g gen, tx *Tx, m *model) (got, expected any, err error) {
		id, draft := pick(g, rooms), pick(g, names)
		c := m.conversation(id)
		if c == nil {
			return errors.Is(tx.SetDraft(id, draft), chat.ErrNotFound), true, nil
		}
		c.draft = draft
		return nil, nil, tx.SetDraft(id, draft)
	},
	"page": func(g gen, tx *Tx, m *model) (got, expected any, err error) {
		q := chat.MessageQuery{Conversation: pick(g, rooms), Limit: g.n(5), TextOnly: g.yes()}
		if g.yes() {
			q.Before = &chat.Position{Seq: uint64(g.n(6)), ID: g.id()}
		}
		if g.yes() {
			q.After = &chat.Position{Seq: uint64(g.n(6)), ID: g.id()}
		}
		got, err = tx.Messages(q)
		return got, m.page(q), err
	},
	"add outbox": func(g gen, tx *Tx, m *model) (got, expected any, err error) {
		item := g.outboxItem()
		duplicate := m.outboxItem(item.Message) != nil
		item.ID, err = tx.AddOutbox(item)
		if duplicate {
			return errors.Is(err, ErrDuplicate), true, nil
		}
		return m.addOutbox(item), true, err
	},
	"put outbox": func(g gen, tx *Tx, m *model) (got, expected any, err error) {
		item := g.outboxItem()
		old := m.outboxItem(item.Message)
		if old == nil {
			item.ID = 1 << 40
			return errors.Is(tx.PutOutbox(item), chat.ErrNotFound), true, nil
		}
		item.ID, item.Contact, item.Type, item.Payload = old.ID, old.Contact, old.Type, old.Payload
		*old = item
		return nil, nil, tx.PutOutbox(item)
	},
	"unseal": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		p := pick(g, people)
		m.unseal(p)
		return nil, nil, tx.UnsealOutbox(p)
	},
	"delete outbox": func(g gen, tx *Tx, m *model) (got, expected any, err error) {
		p, ids := pick(g, people), g.ids()
		got, err = tx.DeleteOutbox(p, ids)
		return got, m.deleteOutbox(p, ids), err
	},
	"seen": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		h, p, at := pick(g, hashes), pick(g, people), g.time()
		old, ok := m.seen[h]
		if !ok {
			old.person = p
		}
		if !ok || millis(at) > old.at {
			old.at = millis(at)
		}
		m.seen[h] = old
		return nil, nil, tx.PutSeen(h, p, at, true)
	},
	"prune": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		before, keep := g.time(), 1+g.n(3)
		for _, p := range people {
			var times []int64
			for _, s := range m.seen {
				if s.person == p {
					times = append(times, s.at)
				}
			}
			slices.SortFunc(times, func(a, b int64) int { return cmp.Compare(b, a) })
			maps.DeleteFunc(m.seen, func(_ [32]byte, s seenHash) bool {
				return s.person == p && s.at < millis(before) && len(times) >= keep && s.at < times[keep-1]
			})
		}
		return nil, nil, tx.PruneSeen(before, keep)
	},
	"invitation": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		i := chat.Invitation{
			ID: [16]byte{byte(g.n(3))}, Code: pick(g, names), Keys: g.blob(), Bundle: g.blob(),
			Hints: [2]string{pick(g, names), pick(g, names)}, CreatedAt: g.time(), ExpiresAt: g.time(),
			UsedBy: pick(g, people), UsedAt: g.time(), Revoked: g.yes(),
		}
		m.invitations = replace(m.invitations, i, func(o chat.Invitation) bool { return o.ID == i.ID })
		return nil, nil, tx.PutInvitation(i)
	},
	"node": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		n := chat.Node{
			Host: pick(g, hashes), Addrs: g.addrs(), Token: pick(g, hashes), Relay: g.yes(), Keeper: pick(g, people), AddedAt: g.time(),
		}
		m.nodes = replace(m.nodes, n, func(o chat.Node) bool { return o.Host == n.Host })
		return nil, nil, tx.PutNode(n)
	},
	"delete node": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		h := pick(g, hashes)
		m.nodes = slices.DeleteFunc(m.nodes, func(n chat.Node) bool { return n.Host == h })
		return nil, nil, tx.DeleteNode(h)
	},
	"add queue": func(g gen, tx *Tx, m *model) (got, expected any, err error) {
		q := g.queue()
		q.ID, err = tx.PutQueue(q)
		return m.addQueue(q), true, err
	},
	"put queue": func(g gen, tx *Tx, m *model) (got, expected any, err error) {
		q := g.queue()
		if len(m.queues) == 0 {
			q.ID = 1 << 40
			_, err := tx.PutQueue(q)
			return errors.Is(err, chat.ErrNotFound), true, nil
		}
		i := g.n(len(m.queues) - 1)
		q.ID = m.queues[i].ID
		m.queues[i] = q
		got, err = tx.PutQueue(q)
		return got, q.ID, err
	},
	"delete queue": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		id := m.lastQueue - int64(g.n(3))
		m.queues = slices.DeleteFunc(m.queues, func(q chat.Queue) bool { return q.ID == id })
		return nil, nil, tx.DeleteQueue(id)
	},
	"contacted": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		c := g.contacted()
		m.putContacted(c)
		return nil, nil, tx.PutContacted(c)
	},
	"contacted since": func(g gen, tx *Tx, m *model) (got, expected any, err error) {
		since := g.time()
		got, err = tx.Contacted(since)
		return got, m.contactedSince(since), err
	},
	"prune contacted": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		before := g.time()
		m.contacted = slices.DeleteFunc(m.contacted, func(c chat.Contacted) bool { return c.Last.Before(before) })
		return nil, nil, tx.PruneContacted(before)
	},
	"joining": func(g gen, tx *Tx, m *model) (_, _ any, err error) {
		j := chat.Joining{ID: [16]byte{byte(g.n(3))}, Contact: pick(g, people), Code: pick(g, names), StartedAt: g.time()}
		m.joinings = replace(m.joinings, j, func(o chat.Joining) bool { return o.ID == j.ID })
		return nil, nil, tx.PutJoining(j)
	},
}

// dump reads everything.
func dump(tx *ReadTx) (s state, err error) {
	s = newState()
	errs := make([]error, 11)
	s.Settings, errs[0] = tx.Settings()
	s.Contacts, errs[1] = tx.Contacts()
	s.Requests, errs[2] = tx.Requests()
	s.Conversations, errs[3] = tx.Conversations()
	s.People, errs[4] = tx.OutboxPeople()
	s.Waiting, errs[5] = tx.OutboxCount()
	s.Invitations, errs[6] = tx.Invitations()
	s.Joinings, errs[7] = tx.Joinings()
	s.Nodes, errs[8] = tx.Nodes()
	s.AllQueues, errs[9] = tx.AllQueues()
	s.Contacted, errs[10] = tx.Contacted(time.Time{})
	if err := errors.Join(errs...); err != nil {
		return s, err
	}
	for _, h := range hashes {
		if ok, _, err := tx.Seen(h); err != nil {
			return s, err
		} else if ok {
			s.Seen[h] = true
		}
	}
	return s, errors.Join(dumpEach(people, s.Hosts, tx.Hosts), dumpEach(people, s.Queues, tx.Queues), dumpEach(people, s.Outbox,
		func(p chat.PersonID) ([]chat.OutboxItem, error) { return tx.Outbox(p, 0, 1000) }),
		dumpEach(rooms, s.Messages, func(id chat.ConversationID) ([]chat.Message, error) {
			return tx.Messages(chat.MessageQuery{Conversation: id, Limit: chat.MaxPage})
		}), dumpBlobs(people, s.Peers, tx.Peer), dumpBlobs(names, s.Secrets, tx.Secret))
}

func dumpEach[K comparable, V any](keys []K, into map[K][]V, read func(K) ([]V, error)) error {
	for _, k := range keys {
		v, err := read(k)
		if err != nil {
			return err
		}
		if v != nil {
			into[k] = v
		}
	}
	return nil
}

func dumpBlobs[K comparable](keys []K, into map[K]string, read func(K) ([]byte, error)) error {
	for _, k := range keys {
		b, err := read(k)
		if errors.Is(err, chat.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		into[k] = string(b)
	}
	return nil
}

// TestStoreBehavesLikeTheModel runs random transactions, some of which fail, and
// compares everything after each.
func TestStoreBehavesLikeTheModel(t *testing.T) {
	all := slices.Sorted(maps.Keys(ops))
	rapid.Check(t, func(rt *rapid.T) {
		s := openTest(t, filepath.Join(memoryDir(t), "kuvert.db"))
		defer func() { _ = s.Close() }()
		g, m := gen{rt}, newModel()
		for range 30 {
			next := m.clone()
			fails := g.n(5) == 0
			err := s.Update(context.Background(), func(tx *Tx) error {
				for range g.n(3) + 1 {
					name := pick(g, all)
					got, expected, err := ops[name](g, tx, next)
					if err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
					if !reflect.DeepEqual(got, expected) {
						rt.Fatalf("%s: got %v, want %v", name, got, expected)
					}
				}
				if fails {
					return errMine
				}
				return nil
			})
			if fails != errors.Is(err, errMine) || !fails && err != nil {
				rt.Fatal(err)
			}
			if !fails {
				m = next
			}
			compareState(rt, s, m)
		}
	})
}

// memoryDir is a folder in memory where there is one: thousands of commits that are
// never to survive anything need no disk.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "kuvert-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func compareState(rt *rapid.T, s *Store, m *model) {
	rt.Helper()
	err := s.View(context.Background(), func(tx *ReadTx) error {
		got, err := dump(tx)
		if err != nil {
			return err
		}
		g, w := reflect.ValueOf(got), reflect.ValueOf(m.state())
		for i := range g.NumField() {
			a, b := g.Field(i), w.Field(i)
			if isEmpty(a) && isEmpty(b) {
				continue // nil and empty are the same here
			}
			if !reflect.DeepEqual(a.Interface(), b.Interface()) {
				return fmt.Errorf("%s:\ngot  %+v\nwant %+v", g.Type().Field(i).Name, a, b)
			}
		}
		return nil
	})
	if err != nil {
		rt.Fatal(err)
	}
}

func isEmpty(v reflect.Value) bool { return v.Kind() != reflect.Int && v.Len() == 0 }
