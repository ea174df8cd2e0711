package sqlite

import (
	"errors"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

func addQueue(tx *Tx, q *chat.Queue) (err error) {
	q.ID, err = tx.PutQueue(*q)
	return err
}

func TestNodes(t *testing.T) {
	s := newTest(t)
	want(t, s, nil, (*ReadTx).Nodes)
	own := chat.Node{
		Host: [32]byte{1}, Addrs: []string{"/ip4/192.168.1.5/udp/47100/quic-v1", "/ip6/2001:db8::5/tcp/47100"},
		Token: [32]byte{31: 2}, Relay: true, AddedAt: t0.Add(time.Second),
	}
	theirs := chat.Node{Host: [32]byte{2}, Keeper: anna, AddedAt: t0}
	do(t, s, func(tx *Tx) error { return tx.PutNode(own) }, func(tx *Tx) error { return tx.PutNode(theirs) })
	want(t, s, []chat.Node{theirs, own}, (*ReadTx).Nodes)

	own.Addrs, own.Token, own.Relay, own.Keeper = nil, [32]byte{}, false, bert
	own.AddedAt = t0.Add(-time.Second)
	do(t, s, func(tx *Tx) error { return tx.PutNode(own) })
	want(t, s, []chat.Node{own, theirs}, (*ReadTx).Nodes)
	for range 2 {
		do(t, s, func(tx *Tx) error { return tx.DeleteNode(own.Host) })
	}
	want(t, s, []chat.Node{theirs}, (*ReadTx).Nodes)
}

func TestQueues(t *testing.T) {
	s := newTest(t)
	in := chat.Queue{
		Contact: anna, Invite: [16]byte{1}, Mine: true, RecvID: [24]byte{23: 1}, RecvCap: [32]byte{2}, SendID: [24]byte{3},
		SendCap: [32]byte{4}, Key: [32]byte{31: 5}, Host: [32]byte{6}, Addrs: []string{"/ip4/192.168.1.5/tcp/1"},
		MadeAt: t0, Until: t0.Add(time.Hour), Relay: true, SlotAt: t0.Add(time.Minute), SlotHash: [32]byte{7},
	}
	out := chat.Queue{Contact: anna, Out: true, SendID: [24]byte{8}, Host: [32]byte{6}}
	open := chat.Queue{Invite: [16]byte{9}}
	do(t, s, func(tx *Tx) error { return errors.Join(addQueue(tx, &in), addQueue(tx, &open), addQueue(tx, &out)) })
	if !(0 < in.ID && in.ID < open.ID && open.ID < out.ID) {
		t.Error("ids do not rise", in.ID, open.ID, out.ID)
	}
	queues := func(p chat.PersonID) func(*ReadTx) ([]chat.Queue, error) {
		return func(tx *ReadTx) ([]chat.Queue, error) { return tx.Queues(p) }
	}
	want(t, s, []chat.Queue{in, out}, queues(anna))
	want(t, s, []chat.Queue{open}, queues(chat.PersonID{}))
	want(t, s, nil, queues(bert))
	want(t, s, []chat.Queue{in, open, out}, (*ReadTx).AllQueues)

	open.Contact, open.SlotAt = bert, t0
	id := open.ID
	do(t, s, func(tx *Tx) error { return addQueue(tx, &open) })
	if open.ID != id {
		t.Error("a replaced queue has another id", id, open.ID)
	}
	want(t, s, []chat.Queue{in, open, out}, (*ReadTx).AllQueues)
	want(t, s, []chat.Queue{open}, queues(bert))

	do(t, s, func(tx *Tx) error { return tx.DeleteQueue(out.ID) })
	want(t, s, []chat.Queue{in}, queues(anna))
	later := chat.Queue{Contact: anna}
	do(t, s, func(tx *Tx) error { return addQueue(tx, &later) })
	if later.ID <= out.ID {
		t.Error("an id was used again", later.ID)
	}
	err := s.Update(t.Context(), func(tx *Tx) error { return addQueue(tx, &out) })
	if !errors.Is(err, chat.ErrNotFound) {
		t.Error("a queue that is gone was replaced", err)
	}
}

func TestContacted(t *testing.T) {
	s := newTest(t)
	contacted := func(since time.Time) func(*ReadTx) ([]chat.Contacted, error) {
		return func(tx *ReadTx) ([]chat.Contacted, error) { return tx.Contacted(since) }
	}
	put := func(c chat.Contacted) step { return func(tx *Tx) error { return tx.PutContacted(c) } }
	a := chat.Contacted{
		Kind: chat.ContactPerson, Person: anna, Host: [32]byte{1}, Addr: "192.168.1.5:47100",
		First: t0, Last: t0.Add(time.Minute), Count: 2,
	}
	router := chat.Contacted{Kind: chat.ContactRouter, Addr: "192.168.1.1:1900", First: t0, Last: t0, Count: 1}
	do(t, s, put(router), put(a))
	want(t, s, []chat.Contacted{a, router}, contacted(time.Time{}))

	again := a
	again.First, again.Last, again.Count = t0.Add(time.Hour), t0.Add(2*time.Hour), 3
	do(t, s, put(again))
	a.Last, a.Count = again.Last, 5
	want(t, s, []chat.Contacted{a, router}, contacted(t0))
	again.Last = t0 // told late
	do(t, s, put(again))
	a.Count = 8
	want(t, s, []chat.Contacted{a}, contacted(t0.Add(time.Millisecond)))

	// Each part of the key makes another machine.
	var others []chat.Contacted
	for i, change := range []func(*chat.Contacted){
		func(c *chat.Contacted) { c.Kind = chat.ContactTheirs },
		func(c *chat.Contacted) { c.Person = bert },
		func(c *chat.Contacted) { c.Host = [32]byte{2} },
		func(c *chat.Contacted) { c.Addr = "" },
	} {
		o := a
		change(&o)
		o.Last = t0.Add(time.Duration(10-i) * time.Hour)
		others = append(others, o)
		do(t, s, put(o))
	}
	want(t, s, append(others, a, router), contacted(time.Time{}))

	do(t, s, func(tx *Tx) error { return tx.PruneContacted(a.Last) })
	want(t, s, append(others, a), contacted(time.Time{}))
	do(t, s, func(tx *Tx) error { return tx.PruneContacted(t0.AddDate(1, 0, 0)) })
	want(t, s, nil, contacted(time.Time{}))
}

func TestContactedIsBounded(t *testing.T) {
	s := newTest(t)
	const most = maxContacted
	person := chat.Contacted{Kind: chat.ContactPerson, Person: anna, Addr: "192.168.1.5:1", First: t0, Last: t0, Count: 1}
	do(t, s, func(tx *Tx) error { return tx.PutContacted(person) })
	flood := func(from, to int) step {
		return func(tx *Tx) error {
			for i := from; i < to; i++ {
				at := t0.Add(time.Duration(i+1) * time.Second)
				c := chat.Contacted{Kind: chat.ContactStranger, Host: numbered32(1, i), Addr: "192.168.1.9:1", First: at, Last: at, Count: 1}
				if err := tx.PutContacted(c); err != nil {
					return err
				}
			}
			return tx.PruneContacted(t0)
		}
	}
	check := func(n, oldest int) {
		t.Helper()
		view(t, s, func(tx *ReadTx) error {
			all, err := tx.Contacted(time.Time{})
			if err != nil || len(all) != n+1 || all[n] != person || all[n-1].Host != numbered32(1, oldest) {
				t.Error("the newest strangers and every person should be left", len(all), err)
			}
			return nil
		})
	}
	do(t, s, flood(0, most))
	check(most, 0)
	do(t, s, flood(most, most+300))
	check(most, 300)
}

// BenchmarkContacted notes 64 machines again and again, as a flood of connections
// would, in updates of one each.
func BenchmarkContacted(b *testing.B) {
	s := newTest(b)
	stop := measure(b)
	for i := 0; b.Loop(); i++ {
		put(b, s, func(tx *Tx) error {
			return tx.PutContacted(chat.Contacted{
				Kind: chat.ContactStranger, Host: numbered32(1, i%64), Addr: "10.0.0.1:1", First: t0, Last: t0, Count: 1,
			})
		})
	}
	stop()
}
