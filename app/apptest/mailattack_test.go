package apptest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/envelope"
)

// attackMail is attack with a node that alice uses, and with carol, her contact,
// whom she reaches through it alone. queue is what mallory was told of it.
func attackMail(t *testing.T, fn func(w *World, alice, carol *Person, m *mallory, s *Station, queue envelope.ReachMail)) {
	t.Helper()
	attack(t, func(w *World, alice *Person, m *mallory) {
		s := w.Net.NewStation("office")
		alice.Uses(s)
		m.introduces()
		carol := w.Person("carol")
		w.Pair(carol, alice)
		w.Advance(3 * time.Minute)
		w.Net.SetApart(true)
		queue, ok := m.queue()
		if !ok {
			w.T.Fatal("alice did not tell of a queue")
		}
		fn(w, alice, carol, m, s, queue)
	})
}

// queue is the one that the victim told of last.
func (m *mallory) queue() (q envelope.ReachMail, ok bool) {
	m.w.T.Helper()
	for _, pl := range m.got {
		var reach *envelope.ReachBody
		switch pl.Type {
		case envelope.TypeStart:
			b, err := envelope.DecodeStart(pl.Body)
			m.w.check(err)
			reach = b.Reach
		case envelope.TypeReach:
			b, err := envelope.DecodeReach(pl.Body)
			m.w.check(err)
			reach = &b
		}
		if reach != nil && len(reach.Mail) > 0 {
			q, ok = reach.Mail[0], true
		}
	}
	return q, ok
}

// fills puts rubbish into a queue until it is full.
func (m *mallory) fills(s *Station, q envelope.ReachMail) (count int) {
	m.w.T.Helper()
	for ; ; count += core.MaxMailPage {
		var page [][]byte
		for i := range core.MaxMailPage {
			page = append(page, fmt.Appendf(nil, "rubbish %d", count+i))
		}
		if _, err := m.link.PutMail(context.Background(), s.node, q.SendID, q.SendCap, page); err != nil {
			if !errors.Is(err, chat.ErrQuota) {
				m.w.T.Fatal(err)
			}
			return count
		}
	}
}

// A contact fills the queue that is meant for them: others' messages come at once,
// and the rubbish costs little.
func TestContactFillsTheirOwnQueue(t *testing.T) {
	attackMail(t, func(w *World, alice, carol *Person, m *mallory, s *Station, q envelope.ReachMail) {
		alice.GoesOffline()
		if n := m.fills(s, q); n < 1000 {
			w.T.Fatalf("the queue was full after %d", n)
		}
		c := carol.Sends(alice, "von carol")
		carol.Sees(c, chat.Sent)
		alice.ComesOnline()
		w.Advance(3 * time.Second)
		if got := alice.Texts(carol); !slices.Equal(got, []string{"von carol"}) {
			w.T.Errorf("three seconds later alice shows %q", got)
		}
		if n := len(alice.shownTexts(m.conversation())); n != 0 {
			w.T.Errorf("%d texts of rubbish", n)
		}
		w.Advance(30 * time.Minute)
		if n := len(s.Stored()); n > 20 {
			w.T.Errorf("%d blobs are left in the mailbox", n)
		}
	})
}

// A list that never ends: the others at the same node are served, and an hour of it
// costs a bounded number of pages.
func TestEndlessList(t *testing.T) {
	attackMail(t, func(w *World, alice, carol *Person, m *mallory, s *Station, q envelope.ReachMail) {
		s.Endless(q.SendID)
		if _, err := m.link.PutMail(context.Background(), s.node, q.SendID, q.SendCap, [][]byte{{1}}); err != nil {
			w.T.Fatal(err)
		}
		w.Advance(time.Minute)
		c := carol.Sends(alice, "von carol")
		w.Advance(3 * time.Second)
		if got := alice.Texts(carol); !slices.Equal(got, []string{"von carol"}) {
			w.T.Errorf("three seconds later alice shows %q", got)
		}
		carol.Sees(c, chat.Delivered)
		before, begun := s.Lists(), alice.Transactions()
		w.Advance(time.Hour)
		if n := s.Lists() - before; n == 0 || n > 300 {
			w.T.Errorf("%d pages of rubbish were fetched in an hour", n)
		}
		if n := alice.Transactions() - begun; n > 400 {
			w.T.Errorf("%d transactions in an hour", n)
		}
	})
}

// follow counts what somebody is looked for at, and rooms at how many nodes queues
// are watched.
func (p *Person) follow(ref string) (hosts, addrs int) {
	p.w.Net.mu.Lock()
	defer p.w.Net.mu.Unlock()
	book := p.link.follows[ref]
	for _, a := range book {
		addrs = max(addrs, len(a))
	}
	return len(book), addrs
}

// queues counts what is kept of somebody's mailbox queues, and at how many nodes.
func (p *Person) queues(of chat.PersonID) (queues, nodes int) {
	p.w.T.Helper()
	p.w.check(p.store.View(context.Background(), func(tx core.ReadTx) error {
		all, err := tx.Queues(of)
		hosts := map[core.HostKey]bool{}
		for _, q := range all {
			hosts[q.Host] = true
		}
		queues, nodes = len(all), len(hosts)
		return err
	}))
	return queues, nodes
}

// A contact tells of ever more machines, addresses, nodes and queues: only so many
// are kept and tried, and their own computer offered as a mailbox replaces the one
// before.
func TestAddressStuffing(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		m.introduces()
		me := chat.PersonID(m.env.Self.ID())
		for i := range byte(60) {
			b := envelope.ReachBody{HostKey: core.HostKey{9, i + 1}, Next: core.HostKey{10, i + 1}, Keep: [32]byte{1, i}}
			for j := range byte(envelope.MaxAddrs) {
				b.Addrs = append(b.Addrs, []byte{1, 10, 1, i, j, 0x0f, 0xa1})
			}
			for j := range byte(envelope.MaxReachNodes) {
				b.Nodes = append(b.Nodes, envelope.ReachNode{Host: core.HostKey{11, i + 1, j}, Addrs: b.Addrs})
				b.Mail = append(b.Mail, envelope.ReachMail{Node: j, SendID: [24]byte{1, i, j}, SendCap: [32]byte{1}, Key: [32]byte{1}})
				b.Inbox = append(b.Inbox, envelope.ReachInbox{Node: j, RecvID: [24]byte{2, i, j}, RecvCap: [32]byte{1}, Key: [32]byte{1}})
			}
			m.says(envelope.TypeReach, b)
		}
		w.Advance(time.Minute)
		if hosts, addrs := alice.follow(me.String()); hosts > 8 || addrs > envelope.MaxAddrs {
			w.T.Errorf("followed at %d machines with up to %d addresses", hosts, addrs)
		}
		// Their queues, and one of alice's own at their computer.
		if q, nodes := alice.queues(me); q > envelope.MaxReachMail+envelope.MaxReachInbox+2 || nodes > envelope.MaxReachNodes+1 {
			w.T.Errorf("%d queues at %d nodes are kept", q, nodes)
		}
		if all, err := alice.Core.Nodes(context.Background()); err != nil || len(all) > 1 {
			w.T.Errorf("%d nodes are used, %v", len(all), err)
		}
		begun := alice.Transactions()
		w.Advance(time.Hour)
		if n := alice.Transactions() - begun; n > 400 {
			w.T.Errorf("%d transactions in an hour", n)
		}
		var over envelope.ReachBody
		over.HostKey, over.Addrs = core.HostKey{1}, slices.Repeat([][]byte{{1, 10, 0, 0, 1, 0, 1}}, envelope.MaxAddrs+1)
		if _, err := over.Encode(); err == nil {
			w.T.Error("more addresses than allowed were encoded")
		}
	})
}

// Thousands of wishes of strangers: a hundred are kept, and a screen that is slow is
// told of at most those.
func TestRequestsAreCapped(t *testing.T) {
	Run(t, func(w *World) {
		ctx := context.Background()
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		bundle := bundleOf(w, alice, bob)
		w.check(alice.Core.SetSetting(ctx, core.SettingVisible, "true"))
		sub, err := alice.Core.Subscribe(ctx)
		w.check(err)
		defer sub.Close()
		w.crowd(alice, 90)
		taken := 0
		var last []byte
		for range 20 {
			_, last = w.stranger("Volk", bundle)
			if alice.Core.Frames(ctx, "", core.HostKey{7}, [][]byte{last})[0] == core.AnswerCommitted {
				taken++
			}
		}
		full := alice.Core.Frames(ctx, "", core.HostKey{7}, slices.Repeat([][]byte{last}, 500))
		if i := slices.IndexFunc(full, func(a byte) bool { return a != core.AnswerBusy }); i >= 0 {
			w.T.Errorf("answer %d to the wish %d over the limit", full[i], i)
		}
		if rs, err := alice.Core.Requests(ctx); err != nil || len(rs) != 100 || taken != 10 {
			w.T.Errorf("%d wishes are kept, %d of the last were taken, %v", len(rs), taken, err)
		}
		told, err := sub.Next(ctx)
		w.check(err)
		n := 0
		for _, e := range told {
			if e.Kind == event.RequestChanged {
				n++
			}
		}
		if n == 0 || n > taken {
			w.T.Errorf("%d events for %d wishes", n, taken)
		}
		bob.Receives(alice.Sends(bob, "wie immer"))
	})
}

// later is what the next version may add to something.
var later = canon.Ext{99: cbor.RawMessage{0x82, 0x01, 0x61, 'x'}}

// Start, reach, message and status of the next version hold fields that this one
// does not know: everything works, both ways.
func TestFieldsOfALaterVersion(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		t, ctx := w.T, context.Background()
		host := core.HostKey{9, 9}
		reach := envelope.ReachBody{HostKey: host, Addrs: [][]byte{{1, 10, 0, 0, 9, 0x0f, 0xa1}, {77, 1, 2, 3}}, Ext: later}
		m.says(envelope.TypeStart, envelope.StartBody{Name: "bob", Reach: &reach, Ext: later})
		m.says(envelope.TypeReach, reach)
		m.says(envelope.TypeMessage, envelope.MessageBody{Text: "mit mehr", Ext: later})
		if got := alice.shownTexts(m.conversation()); !slices.Equal(got, []string{"mit mehr"}) {
			t.Errorf("shown %q", got)
		}
		me := chat.PersonID(m.env.Self.ID())
		if hosts, addrs := alice.follow(me.String()); hosts == 0 || addrs != 1 {
			t.Errorf("followed at %d machines with %d addresses", hosts, addrs)
		}
		w.Section("a status with a field more")
		raw, err := m.peer.Status(m.now())
		w.check(err)
		for name, raw := range map[string][]byte{"status": raw, "status with more": withMore(t, raw)} {
			if err := alice.Core.OnStatus(ctx, me.String(), raw); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		id, err := alice.Core.Send(ctx, m.conversation(), core.Outgoing{Text: "zurück"})
		w.check(err)
		w.Advance(time.Minute)
		if !slices.ContainsFunc(m.got, func(pl envelope.Payload) bool { return chat.MessageID(pl.MessageID) == id }) {
			t.Error("the answer did not come")
		}
	})
}

// withMore adds fields of a later version to an encoded map.
func withMore(t testing.TB, raw []byte) []byte {
	t.Helper()
	var all map[int]cbor.RawMessage
	if err := cbor.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	ext, err := canon.Marshal(later)
	if err != nil {
		t.Fatal(err)
	}
	all[-1] = ext
	out, err := canon.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The machines of a flood of strangers are noted up to a limit, and those of
// contacts beside them.
func TestContactedIsBounded(t *testing.T) {
	Run(t, func(w *World) {
		ctx := context.Background()
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		for i := range 40 {
			for j := range 500 {
				alice.Core.Traffic(chat.ContactStranger, "", core.HostKey{1, byte(i), byte(j), byte(j >> 8)}, fmt.Sprintf("10.1.%d.%d", i, j))
			}
			alice.Core.Traffic(chat.ContactPerson, bob.Me().String(), core.HostKey{2}, "10.0.0.1:4001")
			w.Advance(2 * time.Minute)
		}
		all, err := alice.Core.Contacted(ctx)
		w.check(err)
		known := 0
		for _, c := range all {
			if c.Who == bob.Me() {
				known++
			}
		}
		if len(all) > 4096 || known == 0 {
			w.T.Errorf("%d machines are noted, %d of them bob's", len(all), known)
		}
	})
}
