package apptest

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/crypto/envelope"
)

const day = 24 * time.Hour

// apart is a pair of contacts who find each other only by what they know.
func apart(t *testing.T, fn func(w *World, alice, bob *Person)) {
	t.Helper()
	Run(t, func(w *World) {
		w.Net.SetFar(true)
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		fn(w, alice, bob)
	})
}

// talk lets both say something that has to arrive.
func (w *World) talk(a, b *Person) {
	w.T.Helper()
	m1, m2 := a.Sends(b, "hallo"), b.Sends(a, "ja")
	b.Receives(m1)
	a.Receives(m2)
	a.Sees(m1, chat.Delivered)
	b.Sees(m2, chat.Delivered)
}

// waits are the payloads of a type that wait for somebody.
func (p *Person) waits(to *Person, typ uint8) (items []chat.OutboxItem) {
	p.w.T.Helper()
	p.w.check(p.store.View(context.Background(), func(tx core.ReadTx) error {
		all, err := tx.Outbox(to.Me(), 0, chat.MaxPage)
		for _, it := range all {
			if it.Type == typ {
				items = append(items, it)
			}
		}
		return err
	}))
	return items
}

// restartsWithNewKey restarts and checks that the host key changed, or not.
func (p *Person) restartsWithNewKey(want bool) {
	p.w.T.Helper()
	before := p.link.HostKey()
	p.Restarts()
	if changed := p.link.HostKey() != before; changed != want {
		p.w.T.Fatalf("%s: host key changed: %v, want %v", p.Name, changed, want)
	}
}

// afterAWhile is restartsWithNewKey with the computer off for some time.
func (p *Person) afterAWhile(d time.Duration, want bool) {
	p.w.T.Helper()
	before := p.link.HostKey()
	p.Quits()
	p.w.Advance(d)
	p.Starts()
	if changed := p.link.HostKey() != before; changed != want {
		p.w.T.Fatalf("%s: host key changed: %v, want %v", p.Name, changed, want)
	}
}

// A month later alice's machine has another key. Bob was away for all of it.
func TestHostKeyChanges(t *testing.T) {
	apart(t, func(w *World, alice, bob *Person) {
		for range 3 {
			bob.GoesOffline()
			w.Advance(time.Hour)
			bob.Quits()
			alice.afterAWhile(31*day, true)
			w.Advance(time.Hour)
			w.Section("bob is back")
			bob.Starts()
			bob.ComesOnline()
			w.talk(alice, bob)
			w.Advance(time.Hour)
			alice.restartsWithNewKey(false)
			w.talk(alice, bob)
		}
	})
}

func TestHostKeysOfBothChange(t *testing.T) {
	apart(t, func(w *World, alice, bob *Person) {
		alice.Quits()
		bob.Quits()
		w.Advance(31 * day)
		was := [2]core.HostKey{alice.link.HostKey(), bob.link.HostKey()}
		alice.Starts()
		w.Advance(day)
		bob.Starts()
		if alice.link.HostKey() == was[0] || bob.link.HostKey() == was[1] {
			w.T.Fatal("a host key is the old one")
		}
		w.talk(alice, bob)
	})
}

func TestHostKeyStays(t *testing.T) {
	apart(t, func(w *World, alice, bob *Person) {
		bob.Quits()
		alice.afterAWhile(29*day, false)
		w.Section("an open invitation names the key")
		inv, err := alice.Core.Invite(context.Background(), 30*day)
		w.check(err)
		alice.afterAWhile(2*day, false)
		w.Section("it is withdrawn")
		w.check(alice.Core.Revoke(context.Background(), inv.ID))
		alice.restartsWithNewKey(true)
		w.Section("one open invitation after the other")
		for _, last := range []bool{false, false, false, true} {
			_, err := alice.Core.Invite(context.Background(), 30*day)
			w.check(err)
			alice.afterAWhile(16*day, last)
		}
	})
}

// The real nodes check host keys, too.
func TestSimulatedHostKeyChanges(t *testing.T) {
	RunSimulated(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		alice.SetDiscovery(false)
		bob.SetDiscovery(false)
		alice.Quits()
		bob.Quits()
		w.Advance(31 * day)
		alice.Starts()
		bob.Starts()
		w.talk(alice, bob)
	})
}

func TestMoving(t *testing.T) {
	apart(t, func(w *World, alice, bob *Person) {
		w.Advance(time.Minute)
		w.Section("alice moves, and bob is told while they are connected")
		alice.link.Moves(2)
		w.Advance(2 * time.Minute)
		if n := len(alice.waits(bob, envelope.TypeReach)); n != 0 {
			w.T.Fatalf("%d times alice's address waits for bob", n)
		}
		w.Section("bob moves while he is away")
		bob.GoesOffline()
		bob.link.Moves(3)
		w.Advance(2 * time.Minute)
		bob.ComesOnline()
		w.talk(alice, bob)
		w.Section("bob told her in turn, for she is the one who moves next")
		w.Advance(2 * time.Minute)
		alice.GoesOffline()
		alice.link.Moves(4)
		w.Advance(2 * time.Minute)
		if n := len(alice.waits(bob, envelope.TypeReach)); n != 0 {
			w.T.Fatal("addresses of a computer without a network are told")
		}
		alice.ComesOnline()
		w.talk(alice, bob)
	})
}

// A computer that is carried about tells those who are away once, in the end, and
// uses nothing up meanwhile.
func TestMovingAboutWhileAContactIsAway(t *testing.T) {
	apart(t, func(w *World, alice, bob *Person) {
		bob.GoesOffline()
		m := alice.Sends(bob, "davor")
		for i := range 1100 {
			alice.link.Moves(byte(i%200 + 2))
			w.Advance(time.Minute)
		}
		alice.link.Moves(77)
		w.Advance(2 * time.Minute)
		items := alice.waits(bob, envelope.TypeReach)
		if len(items) != 1 || items[0].Inner != nil {
			w.T.Fatalf("%d items wait, not one unsealed", len(items))
		}
		last := alice.Sends(bob, "danach")
		bob.ComesOnline()
		bob.Receives(m, last)
		alice.Sees(last, chat.Delivered)
		w.Advance(time.Minute)
		hosts := bob.hosts(alice)
		if !slices.Contains(hosts[alice.link.HostKey()], address(77)) {
			w.T.Fatalf("bob knows %v", hosts)
		}
	})
}

func (p *Person) hosts(of *Person) map[core.HostKey][]string {
	p.w.T.Helper()
	out := map[core.HostKey][]string{}
	p.w.check(p.store.View(context.Background(), func(tx core.ReadTx) error {
		all, err := tx.Hosts(of.Me())
		for _, h := range all {
			out[h.HostKey] = h.Addrs
		}
		return err
	}))
	return out
}

// At most once a minute, and only news.
func TestReachIsNotToldTooOften(t *testing.T) {
	apart(t, func(w *World, alice, bob *Person) {
		w.Advance(2 * time.Minute)
		before := len(w.Net.Carried())
		for range 50 {
			alice.link.owner().NetworkChanged()
			w.Advance(time.Second)
		}
		if n := len(w.Net.Carried()) - before; n != 0 {
			w.T.Fatalf("%d frames although nothing changed", n)
		}
		for i := range 60 {
			alice.link.Moves(byte(i + 2))
			w.Advance(time.Second)
		}
		w.Advance(2 * time.Minute)
		if n := len(w.Net.Carried()) - before; n > 6 { // with the acknowledgements
			w.T.Fatalf("%d frames for addresses that changed within a minute", n)
		}
		if hosts := bob.hosts(alice); !slices.Equal(hosts[alice.link.HostKey()], []string{address(61)}) {
			w.T.Fatalf("bob knows %v", hosts)
		}
	})
}

// Somebody who was blocked while the key changed twice learns the new one.
func TestHostKeyAfterABlock(t *testing.T) {
	apart(t, func(w *World, alice, bob *Person) {
		ctx := context.Background()
		w.check(alice.Core.SetBlocked(ctx, bob.Me(), true))
		bob.Quits()
		for range 2 {
			alice.afterAWhile(31*day, true)
			w.Advance(time.Minute)
		}
		bob.Starts()
		w.check(alice.Core.SetBlocked(ctx, bob.Me(), false))
		w.talk(alice, bob)
		w.Advance(time.Minute)
		if _, ok := bob.hosts(alice)[alice.link.HostKey()]; !ok {
			w.T.Fatal("bob does not know alice's machine")
		}
		known := bob.hosts(alice)
		bob.Quits()
		alice.afterAWhile(31*day, true)
		if _, ok := known[alice.link.HostKey()]; !ok {
			w.T.Fatal("bob was not told of the key to come")
		}
	})
}

// A reach without addresses, from somebody whose network was down, does not make
// the known ones forgotten.
func TestReachWithoutAddresses(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		m.introduces()
		key, next := [32]byte{7}, [32]byte{8}
		m.says(envelope.TypeReach, envelope.ReachBody{HostKey: key, Addrs: [][]byte{{1, 10, 0, 0, 9, 0x0f, 0xa1}}})
		m.says(envelope.TypeReach, envelope.ReachBody{HostKey: key, Next: next})
		synctest.Wait()
		var got []chat.Host
		w.check(alice.store.View(context.Background(), func(tx core.ReadTx) (err error) {
			got, err = tx.Hosts(chat.PersonID(m.env.Self.ID()))
			return err
		}))
		found := 0
		for _, h := range got {
			if h.HostKey == key || h.HostKey == next {
				found++
				if !slices.Equal(h.Addrs, []string{address(9)}) {
					w.T.Errorf("addresses %q", h.Addrs)
				}
			}
		}
		if found != 2 {
			w.T.Errorf("%d of 2 keys are known", found)
		}
	})
}
