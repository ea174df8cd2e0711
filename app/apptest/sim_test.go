package apptest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/apptest"
	"github.com/kuvert-im/kuvert/app/chat"
)

// twoSimulated runs a scenario with real nodes on simulated packets.
func twoSimulated(t *testing.T, fn func(w *apptest.World, alice, bob *apptest.Person)) {
	t.Helper()
	apptest.RunSimulated(t, func(w *apptest.World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		fn(w, alice, bob)
	})
}

// within waits for a condition, in virtual time, and fails if it takes longer.
func within(w *apptest.World, d time.Duration, what string, cond func() bool) {
	w.T.Helper()
	for start := time.Now(); !cond(); time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > d {
			w.T.Fatalf("not within %v: %s", d, what)
		}
	}
}

func online(p, other *apptest.Person) bool {
	ct, err := p.Core.Contact(context.Background(), other.Me())
	return err == nil && ct.Online
}

func TestSimulatedConversation(t *testing.T) {
	twoSimulated(t, func(w *apptest.World, alice, bob *apptest.Person) {
		m1 := alice.Sends(bob, "Guten Morgen")
		bob.Receives(m1)
		alice.Sees(m1, chat.Delivered)
		m2 := bob.Sends(alice, "Moin")
		alice.Receives(m2)
		w.Reads(alice, bob)
		bob.Sees(m2, chat.Read)
		sameTexts(t, alice, bob, "Guten Morgen", "Moin")
	})
}

// Timers alone would take up to their longest backoff: both sides notice by
// themselves that the network is back.
func TestSimulatedPartitionOfAWeek(t *testing.T) {
	if testing.Short() {
		t.Skip("a week of tries to connect takes minutes under the race detector")
	}
	twoSimulated(t, func(w *apptest.World, alice, bob *apptest.Person) {
		w.Section("the cable is out for a week")
		bob.GoesOffline()
		w.Advance(time.Minute)
		if online(alice, bob) {
			t.Fatal("bob is shown as online")
		}
		var fromAlice, fromBob []chat.MessageID
		for i := range 20 {
			fromAlice = append(fromAlice, alice.Sends(bob, fmt.Sprintf("a%d", i)))
			fromBob = append(fromBob, bob.Sends(alice, fmt.Sprintf("b%d", i)))
		}
		w.Advance(7 * 24 * time.Hour)
		if s := alice.State(fromAlice[0]); s != chat.Queued {
			t.Fatalf("state %s while bob is away", s)
		}
		w.Section("the cable is in again")
		bob.ComesOnline()
		within(w, 15*time.Second, "everything is delivered", func() bool {
			return alice.State(fromAlice[19]) == chat.Delivered && bob.State(fromBob[19]) == chat.Delivered
		})
		sameTexts(t, alice, bob)
		if n := len(alice.Texts(bob)); n != 40 {
			t.Fatalf("%d of 40 messages are shown", n)
		}
	})
}

func TestSimulatedAddressBook(t *testing.T) {
	twoSimulated(t, func(w *apptest.World, alice, bob *apptest.Person) {
		w.Section("both restart, and nothing is announced any more")
		alice.SetDiscovery(false)
		bob.SetDiscovery(false)
		alice.Quits()
		bob.Quits()
		w.Advance(time.Minute)
		bob.Starts()
		alice.Starts()
		within(w, 30*time.Second, "they see each other", func() bool { return online(alice, bob) && online(bob, alice) })
		m := alice.Sends(bob, "wieder da")
		bob.Receives(m)
		alice.Sees(m, chat.Delivered)
	})
}

// Guest and inviter both restart at every moment of the pairing.
func TestSimulatedRestartsWhilePairing(t *testing.T) {
	const ms = time.Millisecond
	for _, at := range []time.Duration{0, 10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, time.Second} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			apptest.RunSimulated(t, func(w *apptest.World) {
				alice, bob := w.Person("alice"), w.Person("bob")
				bob.Accepts(alice.Invites())
				m := bob.Sends(alice, "hallo")
				w.Advance(at)
				for _, p := range []*apptest.Person{alice, bob} {
					p.Restarts()
				}
				alice.Receives(m)
				bob.Sees(m, chat.Delivered)
				alice.Receives()
				bob.Receives(alice.Sends(bob, "willkommen"))
				within(w, time.Minute, "names", func() bool {
					ca, _ := alice.Core.Contact(context.Background(), bob.Me())
					cb, _ := bob.Core.Contact(context.Background(), alice.Me())
					return ca.Name == "bob" && cb.Name == "alice" && !cb.Pending
				})
				sameTexts(t, alice, bob, "hallo", "willkommen")
			})
		})
	}
}

// 200 messages each way over a bad network, with restarts: nothing is lost or
// doubled, and both sides show the same order.
func TestSimulatedLossAndRestarts(t *testing.T) {
	twoSimulated(t, func(w *apptest.World, alice, bob *apptest.Person) {
		w.Sim.SetLoss(0.1)
		w.Sim.SetDuplicates(0.05)
		w.Sim.SetDelay(time.Millisecond, 40*time.Millisecond)
		var want []string
		for i := range 200 {
			a, b := fmt.Sprintf("a%03d", i), fmt.Sprintf("b%03d", i)
			alice.Sends(bob, a)
			bob.Sends(alice, b)
			want = append(want, a, b)
			if i%50 == 20 {
				bob.Restarts()
			}
			if i%70 == 35 {
				alice.Restarts()
			}
			w.Advance(200 * time.Millisecond)
		}
		w.Section("the network is good again")
		w.Sim.SetLoss(0)
		w.Sim.SetDuplicates(0)
		w.Delivered(alice, bob)
		w.Delivered(bob, alice)
		sameTexts(t, alice, bob)
		got := alice.Texts(bob)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%d messages are shown, %d were sent", len(got), len(want))
		}
	})
}
