package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

var (
	anna = chat.PersonID{0xa}
	bert = chat.PersonID{0xb, 31: 1}
	room = chat.ConversationID{0xc}
)

// step is one thing done in a transaction of its own.
type step func(*Tx) error

func do(t testing.TB, s *Store, steps ...step) {
	t.Helper()
	for _, fn := range steps {
		put(t, s, fn)
	}
}

// want compares what a reading method returns, in a snapshot of its own.
func want[T any](t testing.TB, s *Store, expected T, read func(*ReadTx) (T, error)) {
	t.Helper()
	view(t, s, func(tx *ReadTx) error {
		got, err := read(tx)
		if err == nil && !reflect.DeepEqual(got, expected) {
			t.Errorf("got  %+v\nwant %+v", got, expected)
		}
		return err
	})
}

func wantMissing[T any](t testing.TB, s *Store, read func(*ReadTx) (T, error)) {
	t.Helper()
	err := s.View(t.Context(), func(tx *ReadTx) error {
		_, err := read(tx)
		return err
	})
	if !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestSettings(t *testing.T) {
	s := newTest(t)
	want(t, s, map[string]string{}, (*ReadTx).Settings)
	do(t, s,
		func(tx *Tx) error { return tx.PutSetting("name", "Käthe") },
		func(tx *Tx) error { return tx.PutSetting("theme", "dark") },
		func(tx *Tx) error { return tx.PutSetting("theme", "") })
	want(t, s, map[string]string{"name": "Käthe", "theme": ""}, (*ReadTx).Settings)
}

func TestSecrets(t *testing.T) {
	s := newTest(t)
	read := func(tx *ReadTx) ([]byte, error) { return tx.Secret("self") }
	wantMissing(t, s, read)
	do(t, s, func(tx *Tx) error { return tx.PutSecret("self", []byte{0, 1}) })
	want(t, s, []byte{0, 1}, read)
	do(t, s, func(tx *Tx) error { return tx.PutSecret("self", nil) })
	want(t, s, []byte(nil), read)
	for range 2 {
		do(t, s, func(tx *Tx) error { return tx.DeleteSecret("self") })
	}
	wantMissing(t, s, read)
}

func TestContacts(t *testing.T) {
	s := newTest(t)
	read := func(tx *ReadTx) (chat.Contact, error) { return tx.Contact(anna) }
	wantMissing(t, s, read)
	c := chat.Contact{
		ID: anna, Name: "anna", GivenName: "Anna", Alias: "anna", Verified: true,
		Pending: true, AddedAt: t0, LastSeen: t0.Add(time.Hour),
	}
	do(t, s, func(tx *Tx) error { return tx.PutContact(c) })
	want(t, s, c, read)

	c.Blocked, c.Pending, c.LastSeen, c.Online = true, false, time.Time{}, true
	other := chat.Contact{ID: bert, Name: "Bert"}
	do(t, s, func(tx *Tx) error { return tx.PutContact(other) },
		func(tx *Tx) error { return tx.PutContact(c) })
	c.Online = false
	want(t, s, []chat.Contact{c, other}, (*ReadTx).Contacts)
}

func TestPeers(t *testing.T) {
	s := newTest(t)
	read := func(tx *ReadTx) ([]byte, error) { return tx.Peer(anna) }
	wantMissing(t, s, read)
	for _, size := range []int{1, 5000, 4999, 200_000, 0} {
		state := bytes.Repeat([]byte{7}, size)
		do(t, s, func(tx *Tx) error { return tx.PutPeer(anna, state) })
		view(t, s, func(tx *ReadTx) error {
			if got, err := tx.Peer(anna); err != nil || !bytes.Equal(got, state) {
				t.Errorf("%d bytes became %d, %v", size, len(got), err)
			}
			return nil
		})
	}
}

func TestHostsKeepsTheNewest(t *testing.T) {
	s := newTest(t)
	host := func(n int) chat.Host {
		return chat.Host{
			Contact: anna, HostKey: [32]byte{byte(n)}, SeenAt: t0.Add(time.Duration(n) * time.Minute),
			Addrs: []string{fmt.Sprintf("/ip4/192.168.1.%d/udp/4001/quic-v1", n)},
		}
	}
	foreign := chat.Host{Contact: bert, HostKey: [32]byte{1}, SeenAt: time.UnixMilli(1).UTC()}
	do(t, s, func(tx *Tx) error { return tx.PutHost(foreign) })
	for _, n := range []int{5, 1, 9, 10, 2, 7, 8, 4, 3, 6} {
		do(t, s, func(tx *Tx) error { return tx.PutHost(host(n)) })
	}
	var newest []chat.Host
	for n := 10; n > 2; n-- {
		newest = append(newest, host(n))
	}
	read := func(tx *ReadTx) ([]chat.Host, error) { return tx.Hosts(anna) }
	want(t, s, newest, read)

	moved := host(11)
	moved.HostKey = host(3).HostKey
	do(t, s, func(tx *Tx) error { return tx.PutHost(moved) })
	want(t, s, append([]chat.Host{moved}, newest[:7]...), read)
	want(t, s, []chat.Host{foreign}, func(tx *ReadTx) ([]chat.Host, error) { return tx.Hosts(bert) })
	want(t, s, nil, func(tx *ReadTx) ([]chat.Host, error) { return tx.Hosts(chat.PersonID{1}) })
}

func TestRequests(t *testing.T) {
	s := newTest(t)
	a := chat.Request{ID: anna, Name: "A", ReceivedAt: t0.Add(time.Second), Frame: []byte("frame")}
	b := chat.Request{ID: bert, Name: "B", ReceivedAt: t0}
	do(t, s, func(tx *Tx) error { return tx.PutRequest(a) }, func(tx *Tx) error { return tx.PutRequest(b) })
	want(t, s, []chat.Request{b, a}, (*ReadTx).Requests)
	b.Name, b.ReceivedAt = "B2", t0.Add(time.Minute)
	do(t, s, func(tx *Tx) error { return tx.PutRequest(b) })
	want(t, s, []chat.Request{a, b}, (*ReadTx).Requests)
	do(t, s, func(tx *Tx) error { return tx.DeleteRequest(anna) })
	want(t, s, []chat.Request{b}, (*ReadTx).Requests)
}

func TestDeleteContactLeavesTheConversation(t *testing.T) {
	s := newTest(t)
	fill := func(p chat.PersonID, n byte) step {
		return func(tx *Tx) error {
			_, err := tx.AddOutbox(chat.OutboxItem{Contact: p, Message: chat.MessageID{n}})
			return errors.Join(err,
				tx.PutContact(chat.Contact{ID: p}), tx.PutPeer(p, []byte{n}),
				tx.PutHost(chat.Host{Contact: p, HostKey: [32]byte{n}, SeenAt: t0}),
				tx.PutJoining(chat.Joining{ID: [16]byte{n}, Contact: p}),
				tx.PutNode(chat.Node{Host: [32]byte{n}, Keeper: p}), addQueue(tx, &chat.Queue{Contact: p}),
				tx.PutConversation(chat.ConversationID{n}, p, t0))
		}
	}
	nobody := chat.PersonID{}
	do(t, s, fill(anna, 1), fill(bert, 2), fill(nobody, 3),
		func(tx *Tx) error { return errors.Join(tx.DeleteContact(anna), tx.DeleteContact(nobody)) })
	wantMissing(t, s, func(tx *ReadTx) (chat.Contact, error) { return tx.Contact(anna) })
	wantMissing(t, s, func(tx *ReadTx) ([]byte, error) { return tx.Peer(anna) })
	want(t, s, nil, func(tx *ReadTx) ([]chat.Host, error) { return tx.Hosts(anna) })
	want(t, s, []chat.PersonID{bert}, (*ReadTx).OutboxPeople)
	want(t, s, []byte{2}, func(tx *ReadTx) ([]byte, error) { return tx.Peer(bert) })
	view(t, s, func(tx *ReadTx) error {
		contacts, _ := tx.Contacts()
		hosts, _ := tx.Hosts(bert)
		joinings, _ := tx.Joinings()
		conversations, _ := tx.Conversations()
		if len(contacts) != 1 || len(hosts) != 1 || len(joinings) != 1 || len(conversations) != 3 {
			t.Error(contacts, hosts, joinings, conversations)
		}
		nodes, _ := tx.Nodes()
		queues, _ := tx.AllQueues()
		if len(nodes) != 2 || nodes[0].Keeper != bert || len(queues) != 2 || queues[0].Contact != bert {
			t.Error("own nodes and open invitations stay", nodes, queues)
		}
		return nil
	})
}

// text is a message of the table tests: its id is its seq.
func text(seq uint64, from chat.PersonID) chat.Message {
	m := chat.Message{
		ID: chat.MessageID{byte(seq >> 8), byte(seq)}, Conversation: room, Sender: from, Kind: chat.KindText,
		Text: fmt.Sprint("Nr. ", seq), SentAt: t0.Add(time.Duration(seq) * time.Second), State: chat.Queued, Seq: seq,
	}
	if from != anna {
		m.ReceivedAt, m.State = m.SentAt.Add(time.Millisecond), chat.Received
	}
	return m
}

func notice(seq uint64) chat.Message {
	m := text(seq, bert)
	m.Kind, m.Text = chat.KindNotice, string(chat.NoticeVerified)
	return m
}

func insert(ms ...chat.Message) step {
	return func(tx *Tx) error {
		for _, m := range ms {
			if ok, err := tx.InsertMessage(m); err != nil || !ok {
				return fmt.Errorf("inserted %v: %w", ok, err)
			}
		}
		return nil
	}
}

func makeRoom(tx *Tx) error { return tx.PutConversation(room, bert, t0) }

func newRoom(t testing.TB) *Store {
	s := newTest(t)
	do(t, s, makeRoom)
	return s
}

func readRoom(tx *ReadTx) (chat.Conversation, error) { return tx.Conversation(room) }

func TestInsertMessage(t *testing.T) {
	s := newRoom(t)
	m := text(1, bert)
	m.ReplyTo, m.Text = chat.MessageID{9}, "odd: \x00 ' \xff\xfe 🙂"
	do(t, s, insert(m), func(tx *Tx) error {
		again := m
		again.Text = "other"
		if ok, err := tx.InsertMessage(again); ok || err != nil {
			t.Error("a known id was inserted", ok, err)
		}
		return nil
	})
	want(t, s, m, func(tx *ReadTx) (chat.Message, error) { return tx.Message(m.ID) })
	want(t, s, chat.Conversation{ID: room, Contact: bert, Unread: 1, Last: &m, LastAt: m.ReceivedAt}, readRoom)
	wantMissing(t, s, func(tx *ReadTx) (chat.Message, error) { return tx.Message(chat.MessageID{99}) })
}

func TestInsertMessageRefuses(t *testing.T) {
	s := newRoom(t)
	stray, far := text(1, bert), text(2, bert)
	stray.Conversation = chat.ConversationID{1}
	far.Seq = math.MaxInt64 + 1
	for _, c := range []struct {
		m   chat.Message
		err error
	}{{stray, chat.ErrNotFound}, {far, ErrRange}} {
		err := s.Update(t.Context(), func(tx *Tx) error { _, err := tx.InsertMessage(c.m); return err })
		if !errors.Is(err, c.err) {
			t.Errorf("got %v, want %v", err, c.err)
		}
	}
	far.Seq--
	do(t, s, insert(far))
	want(t, s, []chat.Message{far}, func(tx *ReadTx) ([]chat.Message, error) {
		return tx.Messages(chat.MessageQuery{Conversation: room, Before: &chat.Position{Seq: math.MaxUint64}})
	})
	want(t, s, nil, func(tx *ReadTx) ([]chat.Message, error) {
		return tx.Messages(chat.MessageQuery{Conversation: room, After: &chat.Position{Seq: math.MaxUint64}})
	})
}

func TestUnreadCountsOnlyTextsOfOthers(t *testing.T) {
	for _, c := range []struct {
		name   string
		m      chat.Message
		unread int
	}{
		{"theirs", text(1, bert), 1},
		{"mine", text(1, anna), 0},
		{"notice", notice(1), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newRoom(t)
			do(t, s, insert(c.m))
			view(t, s, func(tx *ReadTx) error {
				if r, err := readRoom(tx); err != nil || r.Unread != c.unread {
					t.Error(r.Unread, err)
				}
				return nil
			})
		})
	}
}

func TestLastIsTheNewestText(t *testing.T) {
	older := text(2, bert)
	sameSeq := text(2, bert)
	sameSeq.ID = chat.MessageID{0, 1}
	early := text(3, bert)
	early.ReceivedAt = t0.Add(-time.Hour)
	future := text(3, bert)
	future.SentAt = t0.AddDate(1000, 0, 0)
	for _, c := range []struct {
		name   string
		in     []chat.Message
		last   int
		lastAt time.Time
	}{
		{"a notice in an empty conversation", []chat.Message{notice(1)}, 0, notice(1).ReceivedAt},
		{"the later notice", []chat.Message{notice(1), notice(2)}, 1, notice(2).ReceivedAt},
		{"a notice does not hide a text", []chat.Message{text(1, bert), notice(2)}, 0, notice(2).ReceivedAt},
		{"a text hides a later notice", []chat.Message{notice(5), text(1, bert)}, 1, text(1, bert).ReceivedAt},
		{"an overtaken message", []chat.Message{text(3, bert), older}, 0, text(3, bert).ReceivedAt},
		{"the id decides at the same place", []chat.Message{older, sameSeq}, 0, older.ReceivedAt},
		{"my own", []chat.Message{text(1, bert), text(2, anna)}, 1, text(2, anna).SentAt},
		{"after the clock was put back", []chat.Message{text(2, bert), early}, 1, early.ReceivedAt},
		{"the sender's clock does not count", []chat.Message{future}, 0, future.ReceivedAt},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newRoom(t)
			do(t, s, insert(c.in...))
			view(t, s, func(tx *ReadTx) error {
				r, err := readRoom(tx)
				if err != nil || !reflect.DeepEqual(*r.Last, c.in[c.last]) || !r.LastAt.Equal(c.lastAt) {
					t.Errorf("last %+v at %v, want %v, %v", r.Last, r.LastAt, c.lastAt, err)
				}
				return nil
			})
		})
	}
}

func TestMessagesPages(t *testing.T) {
	s := newRoom(t)
	var all []chat.Message
	for i := uint64(1); i <= 120; i++ {
		m := text(i, bert)
		m.Seq = i / 2 // two messages at each place
		if i%10 == 0 {
			m.Kind = chat.KindNotice
		}
		all = append(all, m)
	}
	do(t, s, insert(all...))
	at := func(i int) *chat.Position { return &chat.Position{Seq: all[i].Seq, ID: all[i].ID} }
	var texts []chat.Message
	for _, m := range all {
		if m.Kind == chat.KindText {
			texts = append(texts, m)
		}
	}
	for _, c := range []struct {
		name string
		q    chat.MessageQuery
		want []chat.Message
	}{
		{"newest", chat.MessageQuery{}, all[70:]},
		{"newest 3", chat.MessageQuery{Limit: 3}, all[117:]},
		{"before", chat.MessageQuery{Before: at(100), Limit: 10}, all[90:100]},
		{"before the first", chat.MessageQuery{Before: at(0)}, nil},
		{"after", chat.MessageQuery{After: at(100), Limit: 10}, all[101:111]},
		{"after the last", chat.MessageQuery{After: at(119)}, nil},
		{"between", chat.MessageQuery{After: at(10), Before: at(20), Limit: 5}, all[15:20]},
		{"all between", chat.MessageQuery{After: at(10), Before: at(20)}, all[11:20]},
		{"everything", chat.MessageQuery{Limit: math.MaxInt}, all},
		{"negative", chat.MessageQuery{Limit: -1}, all[70:]},
		{"texts", chat.MessageQuery{Limit: 1000, TextOnly: true}, texts},
		{"newest texts", chat.MessageQuery{Limit: 2, TextOnly: true}, texts[len(texts)-2:]},
		{"oldest texts", chat.MessageQuery{After: at(8), Limit: 2, TextOnly: true}, all[10:12]},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.q.Conversation = room
			want(t, s, c.want, func(tx *ReadTx) ([]chat.Message, error) { return tx.Messages(c.q) })
		})
	}
	want(t, s, nil, func(tx *ReadTx) ([]chat.Message, error) {
		return tx.Messages(chat.MessageQuery{Conversation: chat.ConversationID{1}})
	})
}

func TestMessagesKeepsToMaxPage(t *testing.T) {
	s := newRoom(t)
	do(t, s, func(tx *Tx) error {
		for i := range uint64(chat.MaxPage + 1) {
			if err := insert(text(i, bert))(tx); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx *ReadTx) error {
		page, err := tx.Messages(chat.MessageQuery{Conversation: room, Limit: chat.MaxPage + 1})
		if err != nil || len(page) != chat.MaxPage || page[0].Seq != 1 {
			t.Error(len(page), err)
		}
		return nil
	})
}

func TestRaiseStateNeverLowers(t *testing.T) {
	states := []chat.State{chat.Queued, chat.Sent, chat.Delivered, chat.Read, chat.Failed, chat.Received}
	// allowed[to] are the states a message may come from.
	allowed := map[chat.State][]chat.State{
		chat.Queued:    {chat.Failed},
		chat.Sent:      {chat.Queued, chat.Failed},
		chat.Delivered: {chat.Queued, chat.Sent, chat.Failed},
		chat.Read:      {chat.Queued, chat.Sent, chat.Delivered, chat.Failed},
		chat.Failed:    {chat.Queued, chat.Sent},
	}
	for to, from := range allowed {
		s := newRoom(t)
		var ids, raised []chat.MessageID
		for i, st := range states {
			m := text(uint64(i+1), anna)
			m.State = st
			do(t, s, insert(m))
			ids = append(ids, m.ID)
			if slices.Contains(from, st) {
				raised = append(raised, m.ID)
			}
		}
		do(t, s, func(tx *Tx) error {
			got, err := tx.RaiseState(append(ids, chat.MessageID{99}), to)
			if err != nil || !reflect.DeepEqual(got, raised) {
				t.Errorf("to %v: %v, %v, want %v", to, got, err, raised)
			}
			return nil
		})
		for i, id := range ids {
			m, _ := readOne(t, s, func(tx *ReadTx) (chat.Message, error) { return tx.Message(id) })
			expected := states[i]
			if slices.Contains(raised, id) {
				expected = to
			}
			if m.State != expected {
				t.Errorf("%v to %v became %v", states[i], to, m.State)
			}
		}
	}
}

func readOne[T any](t testing.TB, s *Store, read func(*ReadTx) (T, error)) (v T, err error) {
	t.Helper()
	view(t, s, func(tx *ReadTx) error { v, err = read(tx); return nil })
	return v, err
}

func TestRaiseStateRefusesReceived(t *testing.T) {
	s := newRoom(t)
	for _, st := range []chat.State{0, chat.Received, 77} {
		err := s.Update(t.Context(), func(tx *Tx) error {
			_, err := tx.RaiseState(nil, st)
			return err
		})
		if !errors.Is(err, chat.ErrUnsupported) {
			t.Errorf("%v: %v", st, err)
		}
	}
}

func TestMarkRead(t *testing.T) {
	s := newRoom(t)
	markRead := func(seq uint64, expected ...uint64) step {
		return func(tx *Tx) error {
			got, err := tx.MarkRead(room, seq)
			var ids []chat.MessageID
			for _, e := range expected {
				ids = append(ids, text(e, bert).ID)
			}
			if !reflect.DeepEqual(got, ids) {
				t.Errorf("up to %d: %v became read, want %v", seq, got, ids)
			}
			return err
		}
	}
	wantRoom := func(unread int, mark uint64) {
		t.Helper()
		if r, err := readOne(t, s, readRoom); err != nil || r.Unread != unread || r.ReadSeq != mark {
			t.Errorf("unread %d, mark %d, %v; want %d, %d", r.Unread, r.ReadSeq, err, unread, mark)
		}
	}
	do(t, s, insert(text(4, bert), text(1, bert), text(2, anna), notice(3), text(6, bert)), markRead(4, 1, 4))
	wantRoom(1, 4)
	do(t, s, markRead(2))
	wantRoom(1, 4)
	do(t, s, insert(text(5, bert), text(3+256, bert)))
	late := text(2+256, bert)
	late.Seq = 2
	do(t, s, insert(late))
	wantRoom(4, 4)
	do(t, s, markRead(2, 2+256))
	wantRoom(3, 4)
	do(t, s, markRead(5, 5))
	wantRoom(2, 5)
	do(t, s, markRead(math.MaxUint64, 6, 3+256))
	wantRoom(0, 3+256)
	do(t, s, insert(text(4+256, bert)))
	wantRoom(1, 3+256)
	err := s.Update(t.Context(), func(tx *Tx) error { _, err := tx.MarkRead(chat.ConversationID{1}, 1); return err })
	if !errors.Is(err, chat.ErrNotFound) {
		t.Error(err)
	}
}

func TestMarkReadKeepsTheMessage(t *testing.T) {
	s := newRoom(t)
	m := text(1, bert)
	do(t, s, insert(m), func(tx *Tx) error { _, err := tx.MarkRead(room, 1); return err })
	want(t, s, m, func(tx *ReadTx) (chat.Message, error) { return tx.Message(m.ID) })
}

func TestConversations(t *testing.T) {
	s := newTest(t)
	other := chat.ConversationID{0xd}
	put := func(id chat.ConversationID, p chat.PersonID, at time.Time) step {
		return func(tx *Tx) error { return tx.PutConversation(id, p, at) }
	}
	do(t, s, put(room, bert, t0), put(other, anna, t0), put(room, anna, t0.Add(time.Hour)),
		func(tx *Tx) error { return tx.SetDraft(room, "Liebe") },
		func(tx *Tx) error { return tx.SetDraft(room, "Lieber Bert,\n") })
	r := chat.Conversation{ID: room, Contact: bert, LastAt: t0, Draft: "Lieber Bert,\n"}
	o := chat.Conversation{ID: other, Contact: anna, LastAt: t0}
	want(t, s, []chat.Conversation{o, r}, (*ReadTx).Conversations)
	m := text(1, bert)
	do(t, s, insert(m), func(tx *Tx) error { return tx.SetDraft(room, "") })
	r.Draft, r.Last, r.LastAt, r.Unread = "", &m, m.ReceivedAt, 1
	want(t, s, []chat.Conversation{r, o}, (*ReadTx).Conversations)
	wantMissing(t, s, func(tx *ReadTx) (chat.Conversation, error) { return tx.Conversation(chat.ConversationID{}) })
	err := s.Update(t.Context(), func(tx *Tx) error { return tx.SetDraft(chat.ConversationID{1}, "x") })
	if !errors.Is(err, chat.ErrNotFound) {
		t.Error(err)
	}
}

func TestOutbox(t *testing.T) {
	s := newRoom(t)
	sealed := chat.OutboxItem{
		Contact: bert, Message: chat.MessageID{1}, Type: 255, Payload: []byte("p"),
		Session: [16]byte{15: 1}, Ctr: math.MaxUint64, Number: 1 << 63, Inner: []byte("inner"), SealedAt: t0,
		CreatedAt: t0, SentAt: t0, Attempts: 3, NextAt: t0, MailedAt: t0.Add(time.Hour), MailedTo: [32]byte{31: 1},
	}
	plain := chat.OutboxItem{Contact: bert, Message: chat.MessageID{2}, Payload: []byte("q"), CreatedAt: t0}
	other := chat.OutboxItem{Contact: anna, Message: chat.MessageID{3}}
	add := func(item *chat.OutboxItem) step {
		return func(tx *Tx) (err error) { item.ID, err = tx.AddOutbox(*item); return err }
	}
	do(t, s, add(&sealed), add(&plain), add(&other))
	if !(0 < sealed.ID && sealed.ID < plain.ID && plain.ID < other.ID) {
		t.Error("ids do not rise", sealed.ID, plain.ID, other.ID)
	}
	outbox := func(p chat.PersonID, after int64, limit int) func(*ReadTx) ([]chat.OutboxItem, error) {
		return func(tx *ReadTx) ([]chat.OutboxItem, error) { return tx.Outbox(p, after, limit) }
	}
	want(t, s, []chat.OutboxItem{sealed, plain}, outbox(bert, 0, 10))
	want(t, s, []chat.OutboxItem{sealed}, outbox(bert, 0, 1))
	want(t, s, []chat.OutboxItem{plain}, outbox(bert, sealed.ID, 1))
	want(t, s, nil, outbox(bert, 0, 0))
	want(t, s, nil, outbox(bert, 0, -1))
	want(t, s, nil, outbox(chat.PersonID{1}, 0, 10))
	want(t, s, []chat.PersonID{anna, bert}, (*ReadTx).OutboxPeople)
	want(t, s, plain, func(tx *ReadTx) (chat.OutboxItem, error) { return tx.OutboxItem(plain.Message) })
	wantMissing(t, s, func(tx *ReadTx) (chat.OutboxItem, error) { return tx.OutboxItem(chat.MessageID{99}) })

	plain.Inner, plain.Session, plain.Ctr, plain.Number, plain.SealedAt = []byte("x"), [16]byte{1}, 7, 8, t0
	plain.Attempts, plain.NextAt, plain.SentAt = 1, t0, t0
	plain.MailedAt, plain.MailedTo = t0, [32]byte{7}
	do(t, s, func(tx *Tx) error { return tx.PutOutbox(plain) })
	want(t, s, []chat.OutboxItem{sealed, plain}, outbox(bert, 0, 10))

	do(t, s, func(tx *Tx) error { return tx.UnsealOutbox(bert) })
	for _, i := range []*chat.OutboxItem{&sealed, &plain} {
		i.Inner, i.Session, i.Ctr, i.Number, i.SealedAt = nil, [16]byte{}, 0, 0, time.Time{}
		i.MailedAt, i.MailedTo = time.Time{}, [32]byte{}
	}
	want(t, s, []chat.OutboxItem{sealed, plain}, outbox(bert, 0, 10))

	do(t, s, func(tx *Tx) error {
		gone, err := tx.DeleteOutbox(bert, []chat.MessageID{other.Message, {99}, plain.Message})
		if !reflect.DeepEqual(gone, []chat.MessageID{plain.Message}) {
			t.Error("deleted", gone)
		}
		return err
	})
	want(t, s, []chat.OutboxItem{sealed}, outbox(bert, 0, 10))
	want(t, s, []chat.OutboxItem{other}, outbox(anna, 0, 10))
}

func TestOutboxRefuses(t *testing.T) {
	s := newRoom(t)
	item := chat.OutboxItem{Contact: bert, Message: chat.MessageID{1}}
	do(t, s, func(tx *Tx) error { _, err := tx.AddOutbox(item); return err })
	err := s.Update(t.Context(), func(tx *Tx) error { _, err := tx.AddOutbox(item); return err })
	if !errors.Is(err, ErrDuplicate) {
		t.Error(err)
	}
	err = s.Update(t.Context(), func(tx *Tx) error { return tx.PutOutbox(chat.OutboxItem{ID: 99}) })
	if !errors.Is(err, chat.ErrNotFound) {
		t.Error(err)
	}
}

func TestOutboxIDsAreNotUsedAgain(t *testing.T) {
	s := newRoom(t)
	var before int64
	for i := range byte(5) {
		item := chat.OutboxItem{Contact: bert, Message: chat.MessageID{i + 1}}
		do(t, s, func(tx *Tx) error {
			id, err := tx.AddOutbox(item)
			if id <= before {
				t.Errorf("id %d after %d", id, before)
			}
			before = id
			return err
		}, func(tx *Tx) error { _, err := tx.DeleteOutbox(bert, []chat.MessageID{item.Message}); return err })
	}
}

func TestOutboxCountsWaitingTexts(t *testing.T) {
	s := newRoom(t)
	waiting := func(n int) { t.Helper(); want(t, s, n, (*ReadTx).OutboxCount) }
	item := func(id chat.MessageID) chat.OutboxItem { return chat.OutboxItem{Contact: bert, Message: id} }
	add := func(id chat.MessageID) step {
		return func(tx *Tx) error { _, err := tx.AddOutbox(item(id)); return err }
	}
	do(t, s, insert(text(1, anna), notice(2)), add(text(1, anna).ID), add(notice(2).ID), add(chat.MessageID{77}))
	waiting(1)
	do(t, s, add(text(3, anna).ID))
	waiting(1)
	do(t, s, insert(text(3, anna)))
	waiting(2)
	do(t, s, func(tx *Tx) error {
		i, err := tx.OutboxItem(text(1, anna).ID)
		if err != nil {
			return err
		}
		i.SentAt = t0
		return tx.PutOutbox(i)
	})
	waiting(1)
	do(t, s, func(tx *Tx) error { _, err := tx.DeleteOutbox(bert, []chat.MessageID{text(3, anna).ID}); return err })
	waiting(0)
}

func TestSeen(t *testing.T) {
	s := newTest(t)
	seen := func(h byte, expected bool) {
		t.Helper()
		want(t, s, expected, func(tx *ReadTx) (bool, error) {
			ok, asks, err := tx.Seen([32]byte{h})
			if asks != (ok && h%2 == 1) {
				t.Errorf("hash %d: asks %t", h, asks)
			}
			return ok, err
		})
	}
	putSeen := func(h byte, at time.Time) step {
		return func(tx *Tx) error { return tx.PutSeen([32]byte{h}, bert, at, h%2 == 1) }
	}
	seen(1, false)
	do(t, s, putSeen(1, t0), putSeen(2, t0.Add(time.Second)), putSeen(3, t0), putSeen(3, t0.Add(time.Hour)))
	seen(1, true)
	do(t, s, func(tx *Tx) error { return tx.PruneSeen(t0.Add(2*time.Hour), 3) })
	seen(1, true)
	do(t, s, func(tx *Tx) error { return tx.PruneSeen(t0.Add(time.Second), 1) })
	seen(1, false)
	seen(2, true)
	seen(3, true)
	do(t, s, func(tx *Tx) error { return tx.PutSeen([32]byte{5}, anna, t0, true) },
		func(tx *Tx) error { return tx.PruneSeen(t0.Add(2*time.Hour), 1) })
	seen(2, false)
	seen(3, true)
	seen(5, true)
}

func TestInvitations(t *testing.T) {
	s := newTest(t)
	a := chat.Invitation{
		ID: [16]byte{1}, Code: "KUVERT:A", Keys: []byte("k"), Bundle: []byte("b"),
		Hints: [2]string{"one", "two"}, CreatedAt: t0, ExpiresAt: t0.Add(time.Hour),
	}
	b := chat.Invitation{ID: [16]byte{2}, CreatedAt: t0.Add(time.Second)}
	do(t, s, func(tx *Tx) error { return tx.PutInvitation(b) }, func(tx *Tx) error { return tx.PutInvitation(a) })
	want(t, s, []chat.Invitation{b, a}, (*ReadTx).Invitations)
	a.UsedBy, a.UsedAt, a.Revoked, a.Keys = bert, t0, true, nil
	do(t, s, func(tx *Tx) error { return tx.PutInvitation(a) })
	read := func(tx *ReadTx) (chat.Invitation, error) { return tx.Invitation(a.ID) }
	want(t, s, a, read)
	do(t, s, func(tx *Tx) error { return tx.DeleteInvitation(a.ID) })
	wantMissing(t, s, read)
	want(t, s, []chat.Invitation{b}, (*ReadTx).Invitations)
}

func TestJoinings(t *testing.T) {
	s := newTest(t)
	a := chat.Joining{ID: [16]byte{1}, Contact: anna, Code: "KUVERT:A", StartedAt: t0.Add(time.Second)}
	b := chat.Joining{ID: [16]byte{2}, Contact: bert, StartedAt: t0}
	do(t, s, func(tx *Tx) error { return tx.PutJoining(a) }, func(tx *Tx) error { return tx.PutJoining(b) })
	want(t, s, []chat.Joining{b, a}, (*ReadTx).Joinings)
	b.Code = "KUVERT:B"
	do(t, s, func(tx *Tx) error { return tx.PutJoining(b) }, func(tx *Tx) error { return tx.DeleteJoining(a.ID) })
	want(t, s, []chat.Joining{b}, (*ReadTx).Joinings)
}

func TestTimesAreMilliseconds(t *testing.T) {
	s := newTest(t)
	for _, c := range []struct{ in, out time.Time }{
		{time.Time{}, time.Time{}},
		{t0.Add(999_999), t0},
		{t0.In(time.FixedZone("CEST", 7200)), t0},
		{time.UnixMilli(-5).UTC(), time.UnixMilli(-5).UTC()},
		{time.Date(292_000_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(292_000_000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		do(t, s, func(tx *Tx) error { return tx.PutContact(chat.Contact{ID: anna, AddedAt: c.in}) })
		want(t, s, chat.Contact{ID: anna, AddedAt: c.out},
			func(tx *ReadTx) (chat.Contact, error) { return tx.Contact(anna) })
	}
}
