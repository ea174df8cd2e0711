package apptest_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/apptest"
	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// twoAndStation are alice and bob, contacts, of whom bob uses a node.
func twoAndStation(t *testing.T, fn func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station)) {
	t.Helper()
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		s := w.Net.NewStation("office")
		bob.Uses(s)
		w.Advance(2 * time.Minute)
		fn(w, alice, bob, s)
	})
}

func TestMailboxHoldsWhatIsSentToSomebodyOffline(t *testing.T) {
	twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, _ *apptest.Station) {
		bob.Quits()
		m := alice.Sends(bob, "bis morgen")
		alice.Sees(m, chat.Sent)
		d, err := alice.Core.Delivery(context.Background(), m)
		if err != nil || d.Where != core.WhereMailbox || d.Why != core.WhyOffline || d.HeldAt.IsZero() || d.Name != "bob" {
			t.Errorf("delivery of a message in a mailbox: %+v, %v", d, err)
		}
		alice.Quits()
		bob.Starts()
		bob.Receives(m)
		bob.Sends(alice, "ja")
		bob.Quits()
		alice.Starts()
		w.Advance(time.Minute)
		alice.Sees(m, chat.Delivered)
		sameTexts(t, alice, bob.Started(), "bis morgen", "ja")
	})
}

// Inviter and guest never run at the same time.
func TestFirstContactThroughAMailbox(t *testing.T) {
	apptest.Run(t, func(w *apptest.World) {
		s := w.Net.NewStation("office")
		alice, bob := w.Person("alice"), w.Person("bob")
		alice.Uses(s)
		bob.Quits()
		code := alice.Invites()
		w.Advance(10 * time.Second)
		alice.Quits()
		bob.Starts()
		bob.Accepts(code)
		m1 := bob.Sends(alice, "hier bin ich")
		bob.Sees(m1, chat.Sent)
		bob.Quits()
		alice.Starts()
		alice.Receives(m1)
		m2 := alice.Sends(bob, "willkommen")
		w.Advance(10 * time.Second)
		alice.Quits()
		bob.Starts()
		bob.Receives(m2)
		bob.Sees(m1, chat.Delivered)
		bob.Quits()
		alice.Starts()
		alice.Sees(m2, chat.Delivered)
	})
}

// The guest of the first contact has no node: the inviter's serves both.
func TestMailboxOfOneSideServesBoth(t *testing.T) {
	twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, _ *apptest.Station) {
		alice.Quits()
		m := bob.Sends(alice, "für dich")
		bob.Sees(m, chat.Sent)
		bob.Quits()
		alice.Starts()
		alice.Receives(m)
		alice.Quits()
		bob.Starts()
		bob.Sees(m, chat.Delivered)
	})
}

func TestMailboxFaultsLoseNothing(t *testing.T) {
	for name, fault := range map[string]func(w *apptest.World, s *apptest.Station){
		"off for a while": func(w *apptest.World, s *apptest.Station) {
			w.Net.SetStation(s, false)
			w.Advance(time.Hour)
			w.Net.SetStation(s, true)
		},
		"loses the blobs":   func(_ *apptest.World, s *apptest.Station) { s.Forget(false) },
		"loses everything":  func(_ *apptest.World, s *apptest.Station) { s.Forget(true) },
		"gives all twice":   func(_ *apptest.World, s *apptest.Station) { s.Meddle = twice },
		"reorders":          func(_ *apptest.World, s *apptest.Station) { s.Meddle = backwards },
		"keeps back":        func(_ *apptest.World, s *apptest.Station) { s.Meddle = holdBack() },
		"flips bits":        func(_ *apptest.World, s *apptest.Station) { s.Meddle = flip() },
		"says stored, lies": func(_ *apptest.World, s *apptest.Station) { s.Swallow = true },
		"full":              func(_ *apptest.World, s *apptest.Station) { s.SetRoom(1) },
	} {
		t.Run(name, func(t *testing.T) {
			twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station) {
				bob.Quits()
				var ids []chat.MessageID
				for i := range 5 {
					ids = append(ids, alice.Sends(bob, fmt.Sprint("vorher ", i)))
				}
				w.Advance(time.Second)
				fault(w, s)
				for i := range 5 {
					ids = append(ids, alice.Sends(bob, fmt.Sprint("nachher ", i)))
				}
				w.Advance(time.Second)
				alice.GoesOffline()
				bob.Starts()
				w.Advance(time.Minute)
				bob.Quits()
				alice.ComesOnline()
				w.Advance(25 * time.Hour) // the outbox puts again what nobody acknowledged
				s.Meddle, s.Swallow = nil, false
				s.SetRoom(1000)
				bob.Starts() // both are up now
				bob.Receives(ids...)
				for _, id := range ids {
					alice.Sees(id, chat.Delivered)
				}
				sameTexts(t, alice, bob)
				if n := len(bob.Texts(alice)); n != len(ids) {
					t.Errorf("%d messages shown, %d sent", n, len(ids))
				}
			})
		})
	}
}

func twice(in []core.MailBlob) []core.MailBlob { return append(in, in...) }

func backwards(in []core.MailBlob) []core.MailBlob {
	out := slices.Clone(in)
	for i := range out {
		out[i].Blob = in[len(in)-1-i].Blob
	}
	return out
}

func holdBack() func([]core.MailBlob) []core.MailBlob {
	dice := rand.New(rand.NewPCG(1, 2))
	return func(in []core.MailBlob) []core.MailBlob {
		return slices.DeleteFunc(slices.Clone(in), func(core.MailBlob) bool { return dice.IntN(2) == 0 })
	}
}

func flip() func([]core.MailBlob) []core.MailBlob {
	return func(in []core.MailBlob) []core.MailBlob {
		out := slices.Clone(in)
		for i, b := range in {
			out[i].Blob = slices.Clone(b.Blob)
			if len(b.Blob) > 100 && i%2 == 0 {
				out[i].Blob[77] ^= 1
			}
		}
		return out
	}
}

// A mailbox that was put back to an older copy brings duplicates and nothing else.
func TestMailboxRestoredFromAnOldCopy(t *testing.T) {
	twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station) {
		bob.Quits()
		m1 := alice.Sends(bob, "eins")
		w.Advance(time.Second)
		old := s.Snapshot()
		bob.Starts()
		bob.Receives(m1)
		alice.Sees(m1, chat.Delivered)
		bob.Quits()
		m2 := alice.Sends(bob, "zwei")
		w.Advance(time.Second)
		s.Restore(old)
		bob.Starts()
		bob.Receives(m2)
		w.Advance(time.Minute)
		sameTexts(t, alice, bob, "eins", "zwei")
	})
}

// More than a session's window waits for somebody who only ever meets the mailbox.
func TestManyMessagesThroughAMailbox(t *testing.T) {
	twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, _ *apptest.Station) {
		const count = 2000
		w.Net.SetFar(true)
		bob.Quits()
		var ids []chat.MessageID
		for i := range count {
			ids = append(ids, alice.Sends(bob, fmt.Sprint(i)))
		}
		w.Advance(time.Minute)
		bob.Starts()
		bob.Receives(ids[count-1])
		w.Advance(time.Minute)
		for _, id := range ids {
			alice.Sees(id, chat.Delivered)
		}
		texts := bob.Texts(alice)
		for i := range count {
			if texts[i] != fmt.Sprint(i) {
				t.Fatalf("message %d is %q", i, texts[i])
			}
		}
	})
}

// Nothing a station stores names anybody or shows a text.
func TestStationSeesNothing(t *testing.T) {
	twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station) {
		bob.Quits()
		m := alice.Sends(bob, "ein geheimer Satz")
		alice.Sees(m, chat.Sent)
		stored := s.Stored()
		if len(stored) == 0 {
			t.Fatal("nothing is stored")
		}
		me, other := alice.Me(), bob.Me()
		for _, b := range stored {
			for _, secret := range [][]byte{[]byte("geheim"), []byte("alice"), []byte("bob"), []byte("age-encryption"), me[:], other[:]} {
				if bytes.Contains(b, secret) {
					t.Errorf("a blob holds %q", secret)
				}
			}
		}
		w.Advance(0)
	})
}
