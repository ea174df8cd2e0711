package apptest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/apptest"
	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
)

// Two mailboxes that hold different things: what counts is their union, and nothing
// is shown twice.
func TestTwoMailboxesDisagree(t *testing.T) {
	for name, fault := range map[string]func(w *apptest.World, one, two *apptest.Station, i int){
		"each loses the other half": func(_ *apptest.World, one, two *apptest.Station, i int) {
			one.Swallow, two.Swallow = i < 3, i >= 3
		},
		"one is full": func(_ *apptest.World, one, _ *apptest.Station, _ int) { one.SetRoom(0) },
		"one is off, then the other": func(w *apptest.World, one, two *apptest.Station, i int) {
			w.Net.SetStation(one, i < 3)
			w.Net.SetStation(two, i >= 3)
		},
		"one gives all twice, the other backwards": func(_ *apptest.World, one, two *apptest.Station, _ int) {
			one.Meddle, two.Meddle = twice, backwards
		},
		"both are well": func(*apptest.World, *apptest.Station, *apptest.Station, int) {},
	} {
		t.Run(name, func(t *testing.T) {
			twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, one *apptest.Station) {
				t := w.T
				two := w.Net.NewStation("second")
				bob.Uses(two)
				w.Advance(2 * time.Minute)
				w.Net.SetApart(true)
				bob.Quits()
				var ids []chat.MessageID
				for i := range 6 {
					fault(w, one, two, i)
					w.Advance(10 * time.Minute)
					ids = append(ids, alice.Sends(bob, fmt.Sprint(i)))
					w.Advance(10 * time.Minute)
				}
				one.Swallow, two.Swallow = false, false
				w.Net.SetStation(one, true)
				w.Net.SetStation(two, true)
				bob.Starts()
				w.Advance(10 * time.Second)
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

// The mailbox that took a message first is gone for good: the other one gets it a
// day later.
func TestMailboxThatTookItIsGone(t *testing.T) {
	twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, one *apptest.Station) {
		two := w.Net.NewStation("second")
		bob.Uses(two)
		w.Advance(2 * time.Minute)
		w.Net.SetApart(true)
		bob.Quits()
		w.Net.SetStation(two, false)
		m := alice.Sends(bob, "zweimal abgelegt")
		alice.Sees(m, chat.Sent)
		w.Net.SetStation(one, false)
		w.Net.SetStation(two, true)
		w.Advance(25 * time.Hour)
		alice.Quits()
		bob.Starts()
		bob.Receives(m)
	})
}

// A full mailbox: the sender is told why the message waits and when the next try
// is, and it goes there as soon as there is room.
func TestFullMailboxIsTold(t *testing.T) {
	apartWithStation(t, func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station) {
		t, ctx := w.T, context.Background()
		bob.Quits()
		s.SetRoom(2)
		var ids []chat.MessageID
		for i := range 5 {
			ids = append(ids, alice.Sends(bob, fmt.Sprint(i)))
			w.Advance(time.Second)
		}
		w.Advance(time.Minute)
		for i, id := range ids {
			d, err := alice.Core.Delivery(ctx, id)
			switch {
			case err != nil:
				t.Error(err)
			case i < 2 && (d.Where != core.WhereMailbox || d.Why != core.WhyOffline || d.State != chat.Sent):
				t.Errorf("message %d, which has room: %+v", i, d)
			case i >= 2 && (d.Where != core.WhereHere || d.Why != core.WhyMailboxFull || d.State != chat.Queued || !d.NextTry.After(time.Now())):
				t.Errorf("message %d, which has none: %+v", i, d)
			}
		}
		w.Section("there is room again")
		s.SetRoom(100)
		w.Advance(3 * time.Minute)
		for i, id := range ids {
			if d, err := alice.Core.Delivery(ctx, id); err != nil || d.Where != core.WhereMailbox || d.Why != core.WhyOffline {
				t.Errorf("message %d, with room: %+v, %v", i, d, err)
			}
		}
		alice.Quits()
		bob.Starts()
		bob.Receives(ids...)
		if got := bob.Texts(alice); !slices.Equal(got, []string{"0", "1", "2", "3", "4"}) {
			t.Errorf("shown %q", got)
		}
	})
}

// Each queue is given what lies in another: nothing of it opens, nothing lands in
// another conversation, and everything comes again.
func TestBlobsSwappedBetweenQueues(t *testing.T) {
	twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station) {
		t := w.T
		carol := w.Person("carol")
		w.Pair(carol, bob)
		w.Advance(2 * time.Minute)
		w.Net.SetApart(true)
		bob.Quits()
		fromAlice := alice.Sends(bob, "von alice")
		fromCarol := carol.Sends(bob, "von carol")
		alice.Sees(fromAlice, chat.Sent)
		carol.Sees(fromCarol, chat.Sent)
		s.Swap()
		bob.Starts()
		w.Advance(time.Hour)
		if n := len(bob.Texts(alice)) + len(bob.Texts(carol)); n != 0 {
			t.Fatalf("%d messages were shown although each lay in another's queue", n)
		}
		w.Section("the senders' outboxes put them there again")
		w.Advance(25 * time.Hour)
		sameTexts(t, alice, bob, "von alice")
		sameTexts(t, carol, bob, "von carol")
		alice.Sees(fromAlice, chat.Delivered)
		carol.Sees(fromCarol, chat.Delivered)
	})
}

// A clock that goes wrong by years, and right again, with nothing but a mailbox
// between the two.
func TestClockJumpsWithAMailboxBetween(t *testing.T) {
	for _, jump := range []time.Duration{decade, -decade} {
		for _, who := range []string{"alice", "bob"} {
			t.Run(fmt.Sprint(who, jump), func(t *testing.T) {
				apartWithStation(t, func(w *apptest.World, alice, bob *apptest.Person, _ *apptest.Station) {
					victim := map[string]*apptest.Person{"alice": alice, "bob": bob}[who]
					talk := func() {
						m1, m2 := alice.Sends(bob, "a"), bob.Sends(alice, "b")
						w.Advance(5 * time.Minute)
						if s1, s2 := alice.State(m1), bob.State(m2); s1 != chat.Delivered || s2 != chat.Delivered {
							t.Fatalf("after five minutes %s and %s", s1, s2)
						}
					}
					talk()
					victim.SetClock(jump)
					talk()
					w.Advance(2 * time.Hour) // upkeep, under the wrong clock
					talk()
					victim.SetClock(0)
					talk()
					w.Advance(2 * time.Hour)
					victim.Restarts()
					talk()
					sameTexts(t, alice, bob)
				})
			})
		}
	}
}

// A month apart, longer than seals and what lies in a mailbox live: everything comes
// when they meet, or when the mailbox serves both.
func TestAMonthApart(t *testing.T) {
	t.Run("without a mailbox", func(t *testing.T) { two(t, monthApart) })
	t.Run("with a mailbox", func(t *testing.T) {
		twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station) {
			w.Net.SetApart(true)
			bob.Quits()
			alice.Sends(bob, "am Tag davor")
			w.Advance(31 * 24 * time.Hour)
			s.Forget(false) // blobs live 30 days
			bob.Starts()
			w.Advance(25 * time.Hour)
			sameTexts(w.T, alice, bob, "am Tag davor")
			w.Delivered(alice, bob)
		})
	})
}

func monthApart(w *apptest.World, alice, bob *apptest.Person) {
	t := w.T
	bob.GoesOffline()
	for i := range 31 {
		alice.Sends(bob, fmt.Sprint("a", i))
		bob.Sends(alice, fmt.Sprint("b", i))
		w.Advance(24 * time.Hour)
	}
	bob.ComesOnline()
	w.Advance(time.Minute)
	w.Delivered(alice, bob)
	w.Delivered(bob, alice)
	sameTexts(t, alice, bob)
	if n := len(bob.Texts(alice)); n != 62 {
		t.Errorf("%d of 62 messages are shown", n)
	}
}

// The cable goes in and out a hundred times while both write.
func TestFlapping(t *testing.T) {
	for _, apart := range []bool{false, true} {
		t.Run(fmt.Sprint("mailbox=", apart), func(t *testing.T) {
			twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, _ *apptest.Station) {
				t := w.T
				w.Net.SetApart(apart)
				begun := alice.Transactions() + bob.Transactions()
				for i := range 100 {
					bob.GoesOffline()
					if i%10 == 0 {
						alice.Sends(bob, fmt.Sprint("a", i))
						bob.Sends(alice, fmt.Sprint("b", i))
					}
					w.Advance(100 * time.Millisecond)
					bob.ComesOnline()
					w.Advance(200 * time.Millisecond)
				}
				w.Advance(time.Minute)
				w.Delivered(alice, bob)
				w.Delivered(bob, alice)
				sameTexts(t, alice, bob)
				if n := len(bob.Texts(alice)); n != 20 {
					t.Errorf("%d of 20 messages are shown", n)
				}
				// Each connection costs a handful of transactions, and no storm follows.
				if n := alice.Transactions() + bob.Transactions() - begun; n > 100*20 {
					t.Errorf("%d transactions for a hundred interruptions", n)
				}
			})
		})
	}
}

// Hundreds wait for somebody on a slow link: they go in order, and a message to
// somebody else does not wait for them.
func TestThousandsForOneDoNotStarveAnother(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		t := w.T
		carol := w.Person("carol")
		w.Pair(alice, carol)
		bob.GoesOffline()
		most := fewer(500, 200)
		var last chat.MessageID
		for i := range most {
			last = alice.Sends(bob, fmt.Sprint(i))
		}
		bob.Link().SetSlow(300 * time.Millisecond)
		bob.ComesOnline()
		w.Advance(5 * time.Second)
		begin := time.Now()
		m := alice.Sends(carol, "dazwischen")
		alice.Sees(m, chat.Delivered)
		if d := time.Since(begin); d > 2*time.Second {
			t.Errorf("the other message took %v", d)
		}
		if s := alice.State(last); s != chat.Queued {
			t.Fatalf("the queue was over already: %s", s)
		}
		w.Advance(10 * time.Minute)
		alice.Sees(last, chat.Delivered)
		got := bob.Texts(alice)
		for i := range most {
			if got[i] != fmt.Sprint(i) {
				t.Fatalf("message %d is %q", i, got[i])
			}
		}
	})
}

// Thousands of messages arrive while somebody writes: each answer goes out at once,
// and a screen that looks only afterwards is told of each message once and of
// everything else once at all.
func TestWritingWhileThousandsArrive(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		t, ctx := w.T, context.Background()
		bob.GoesOffline()
		most := fewer(2000, 300)
		for i := range most {
			bob.Sends(alice, fmt.Sprint(i))
		}
		alice.Link().SetSlow(10 * time.Millisecond)
		sub, err := alice.Core.Subscribe(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		bob.ComesOnline()
		var own []chat.MessageID
		for i := range 20 {
			w.Advance(100 * time.Millisecond)
			begin := time.Now()
			own = append(own, alice.Sends(bob, fmt.Sprint("Antwort ", i)))
			if took := time.Since(begin); took > 0 {
				t.Errorf("answer %d waited %v", i, took)
			}
		}
		if n := len(alice.Texts(bob)); n == 20 || n == most+20 {
			t.Fatalf("%d messages: nothing arrived meanwhile", n)
		}
		w.Advance(2 * time.Minute)
		for _, id := range own {
			alice.Sees(id, chat.Delivered)
		}
		events, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		added, others := 0, map[event.Event]int{}
		for _, e := range events {
			if others[e]++; e.Kind == event.MessageAdded {
				added++
			}
			if others[e] > 1 {
				t.Errorf("%+v is told twice", e)
			}
		}
		if added != most+20 || len(events) > 2*added+100 {
			t.Errorf("%d messages in %d events", added, len(events))
		}
		next, theirs := 0, 0
		for _, text := range alice.Texts(bob) {
			switch text {
			case fmt.Sprint("Antwort ", next):
				next++
			case fmt.Sprint(theirs):
				theirs++
			}
		}
		if next != 20 || theirs != most {
			t.Errorf("%d answers and %d messages are in order", next, theirs)
		}
	})
}
