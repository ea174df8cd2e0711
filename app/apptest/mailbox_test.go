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
		t := w.T
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
				t := w.T
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
		t := w.T
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
		t := w.T
		count := fewer(2000, 900)
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
		t := w.T
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

// apartWithStation are alice and bob who reach nobody but bob's node.
func apartWithStation(t *testing.T, fn func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station)) {
	t.Helper()
	twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station) {
		w.Net.SetApart(true)
		w.Advance(time.Second)
		fn(w, alice, bob, s)
	})
}

func TestOnlyAMailboxBetween(t *testing.T) {
	apartWithStation(t, func(w *apptest.World, alice, bob *apptest.Person, _ *apptest.Station) {
		m1, m2 := alice.Sends(bob, "hin"), bob.Sends(alice, "her")
		w.Advance(5 * time.Second)
		bob.Receives(m1)
		alice.Receives(m2)
		alice.Sees(m1, chat.Delivered)
		bob.Sees(m2, chat.Delivered)
		w.Reads(bob, alice)
		alice.Sees(m1, chat.Read)
	})
}

// Each side is killed before and after each of its transactions, with nothing but
// a mailbox between the two.
func TestKillPointsWithAMailboxBetween(t *testing.T) {
	points := 14
	if testing.Short() {
		points = 5
	}
	for n := 1; n <= points; n++ {
		for _, after := range []bool{false, true} {
			for _, who := range []string{"alice", "bob"} {
				t.Run(fmt.Sprint(who, n, after), func(t *testing.T) {
					apartWithStation(t, func(w *apptest.World, alice, bob *apptest.Person, _ *apptest.Station) {
						t := w.T
						victim := map[string]*apptest.Person{"alice": alice, "bob": bob}[who]
						ids := []chat.MessageID{alice.Sends(bob, "1"), bob.Sends(alice, "2")}
						victim.KillAt(n, after)
						for i, from := range []*apptest.Person{alice, bob, alice, bob} {
							to := map[*apptest.Person]*apptest.Person{alice: bob, bob: alice}[from]
							id, err := from.Core.Send(context.Background(), from.With(to), core.Outgoing{Text: fmt.Sprint("x", i)})
							if err == nil {
								ids = append(ids, id)
							}
							w.Advance(time.Second)
						}
						if victim.Killed() {
							victim.Restarts()
						}
						w.Advance(5 * time.Minute)
						for _, id := range ids {
							state := alice.State(id)
							if state == chat.Received {
								state = bob.State(id)
							}
							if state != chat.Delivered {
								t.Errorf("state %s", state)
							}
						}
						sameTexts(t, alice, bob)
					})
				})
			}
		}
	}
}

// A profile put back to an older copy learns of it from the mailbox alone, and
// what was never acknowledged comes again.
func TestOlderCopyWithAMailboxBetween(t *testing.T) {
	for _, who := range []string{"alice", "bob"} {
		t.Run(who, func(t *testing.T) {
			apartWithStation(t, func(w *apptest.World, alice, bob *apptest.Person, _ *apptest.Station) {
				t := w.T
				victim, other := alice, bob
				if who == "bob" {
					victim, other = bob, alice
				}
				talk := func(a, b *apptest.Person, texts ...string) {
					for _, text := range texts {
						id := a.Sends(b, text)
						w.Advance(10 * time.Second)
						if s := a.State(id); s != chat.Delivered {
							t.Fatalf("%s's %q is %s", a.Name, text, s)
						}
					}
				}
				talk(alice, bob, "a1", "a2")
				talk(bob, alice, "b1")
				old := victim.Snapshot()
				talk(victim, other, "v1", "v2", "v3")
				talk(other, victim, "o1", "o2")
				w.Advance(2 * time.Hour)
				victim.PutBack(old)
				w.Advance(5 * time.Minute)
				m1, m2 := victim.Sends(other, "danach"), other.Sends(victim, "ebenso")
				w.Advance(10 * time.Minute)
				if s1, s2 := victim.State(m1), other.State(m2); s1 != chat.Delivered || s2 != chat.Delivered {
					t.Errorf("ten minutes later: %s and %s", s1, s2)
				}
				if got := other.Texts(victim); slices.Contains(got, "") || len(got) != 10 {
					t.Errorf("%s shows %q", other.Name, got)
				}
			})
		})
	}
}

// Chance: two people with nothing but a mailbox between, who are killed, go away
// and come back, and a node that forgets, is put back and is switched off.
func TestMailboxUnderChance(t *testing.T) {
	for seed := range uint64(fewer(16, 3)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			apartWithStation(t, func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station) {
				t := w.T
				dice := rand.New(rand.NewPCG(seed, 7))
				people := []*apptest.Person{alice, bob}
				var ids [2][]chat.MessageID
				old, count := s.Snapshot(), 0
				for range 60 {
					i := dice.IntN(2)
					from, to := people[i], people[1-i]
					switch dice.IntN(12) {
					case 0:
						from.Restarts()
					case 1:
						from.KillAt(1+dice.IntN(4), dice.IntN(2) == 0)
					case 2:
						from.GoesOffline()
						w.Advance(time.Duration(dice.IntN(100)) * time.Minute)
						from.ComesOnline()
					case 3:
						s.Forget(dice.IntN(2) == 0)
					case 4:
						old = s.Snapshot()
					case 5:
						s.Restore(old)
					case 6:
						w.Net.SetStation(s, dice.IntN(2) == 0)
					case 7:
						w.Net.SetApart(dice.IntN(3) != 0)
					default:
						count++
						id, err := from.Core.Send(context.Background(), from.With(to), core.Outgoing{Text: fmt.Sprint(from.Name, count)})
						if err == nil {
							ids[i] = append(ids[i], id)
						}
					}
					w.Advance(time.Duration(dice.IntN(20)) * time.Second)
					for _, p := range people {
						if p.Killed() {
							p.Restarts()
						}
					}
				}
				w.Section("everything is well again")
				w.Net.SetStation(s, true)
				for _, p := range people {
					p.KillAt(0, false)
					if p.Killed() {
						p.Restarts()
					}
				}
				w.Net.SetApart(seed%2 == 0)
				w.Advance(26 * time.Hour)
				for i, p := range people {
					for _, id := range ids[i] {
						if got := p.State(id); got != chat.Delivered {
							t.Errorf("%s's message is %s", p.Name, got)
						}
					}
				}
				sameTexts(t, alice, bob)
				texts := alice.Texts(bob)
				if n := len(texts); n < len(ids[0])+len(ids[1]) {
					t.Errorf("%d shown, %d sent", n, len(ids[0])+len(ids[1]))
				}
				slices.Sort(texts)
				if len(slices.Compact(slices.Clone(texts))) != len(texts) {
					t.Errorf("shown twice: %q", texts)
				}
			})
		})
	}
}

// Carol's computer keeps the mail of her contacts: alice and bob, who never meet.
func TestColleagueKeepsMail(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		t, ctx := w.T, context.Background()
		carol := w.Person("carol")
		w.Pair(carol, alice)
		w.Pair(carol, bob)
		if err := carol.Core.SetSetting(ctx, core.SettingKeepMail, "true"); err != nil {
			t.Fatal(err)
		}
		w.Advance(3 * time.Minute)
		nodes, err := bob.Core.Nodes(ctx)
		if err != nil || len(nodes) != 1 || nodes[0].KeeperName != "carol" || nodes[0].State != core.NodeConnected {
			t.Fatalf("bob's nodes: %+v, %v", nodes, err)
		}
		bob.Quits()
		m := alice.Sends(bob, "über carol")
		alice.Sees(m, chat.Sent)
		if d, err := alice.Core.Delivery(ctx, m); err != nil || d.Where != core.WhereMailbox || d.Holder != "carol" {
			t.Errorf("delivery %+v, %v", d, err)
		}
		if k, err := carol.Core.KeptMail(ctx); err != nil || !k.On || k.People != 2 || k.Blobs == 0 {
			t.Errorf("kept %+v, %v", k, err)
		}
		alice.Quits()
		bob.Starts()
		bob.Receives(m)
		w.Section("and she ends it")
		if err := carol.Core.SetSetting(ctx, core.SettingKeepMail, "false"); err != nil {
			t.Fatal(err)
		}
		w.Advance(3 * time.Minute)
		if nodes, err := bob.Core.Nodes(ctx); err != nil || len(nodes) != 0 {
			t.Errorf("bob's nodes: %+v, %v", nodes, err)
		}
		alice.Starts()
		alice.Sees(m, chat.Delivered)
	})
}

// What a blocked contact left in a mailbox is not fetched; what they sent comes when
// they are not blocked any more.
func TestBlockedContactInAMailbox(t *testing.T) {
	apartWithStation(t, func(w *apptest.World, alice, bob *apptest.Person, _ *apptest.Station) {
		t, ctx := w.T, context.Background()
		if err := bob.Core.SetBlocked(ctx, alice.Me(), true); err != nil {
			t.Fatal(err)
		}
		m := alice.Sends(bob, "hörst du mich")
		w.Advance(time.Minute)
		if s := alice.State(m); s != chat.Sent {
			t.Errorf("the blocked one sees %s", s)
		}
		if n := len(bob.Texts(alice)); n != 0 {
			t.Errorf("%d messages of somebody blocked are shown", n)
		}
		if err := bob.Core.SetBlocked(ctx, alice.Me(), false); err != nil {
			t.Fatal(err)
		}
		bob.Receives(m)
		alice.Sees(m, chat.Delivered)
	})
}

// A node that is not used any more is told to contacts; what waits comes another
// way.
func TestNodeRemoved(t *testing.T) {
	twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station) {
		t, ctx := w.T, context.Background()
		other := w.Net.NewStation("new office")
		nodes, err := bob.Core.Nodes(ctx)
		if err != nil || len(nodes) != 1 {
			t.Fatalf("%+v, %v", nodes, err)
		}
		if err := bob.Core.RemoveNode(ctx, nodes[0].ID); err != nil {
			t.Fatal(err)
		}
		bob.Uses(other)
		w.Advance(3 * time.Minute)
		w.Net.SetStation(s, false)
		w.Net.SetApart(true)
		m := alice.Sends(bob, "am neuen Ort")
		bob.Receives(m)
		alice.Sees(m, chat.Delivered)
	})
}

// A revoked invitation's queue is closed: whoever still holds the code gets no
// further.
func TestRevokedInvitationInAMailbox(t *testing.T) {
	apptest.Run(t, func(w *apptest.World) {
		t, ctx := w.T, context.Background()
		s := w.Net.NewStation("office")
		alice, bob := w.Person("alice"), w.Person("bob")
		alice.Uses(s)
		code := alice.Invites()
		w.Advance(10 * time.Second)
		open, err := alice.Core.Issued(ctx)
		if err != nil || len(open) != 1 {
			t.Fatalf("%+v, %v", open, err)
		}
		w.Net.SetApart(true)
		if err := alice.Core.Revoke(ctx, open[0].ID); err != nil {
			t.Fatal(err)
		}
		w.Advance(10 * time.Second)
		bob.Accepts(code)
		w.Advance(time.Hour)
		if all, err := alice.Core.Contacts(ctx); err != nil || len(all) != 0 {
			t.Errorf("alice's contacts: %+v, %v", all, err)
		}
	})
}
