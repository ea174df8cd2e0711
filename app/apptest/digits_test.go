package apptest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/apptest"
	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// digits are the six digits that somebody is asked to compare, "" for none.
func digits(t testing.TB, p *apptest.Person) string {
	t.Helper()
	all, err := p.Core.Pairings(context.Background())
	if err != nil || len(all) > 1 {
		t.Fatalf("%s: pairings %+v, %v", p.Name, all, err)
	}
	if len(all) == 0 {
		return ""
	}
	if !all[0].Invitation || len(all[0].Digits) != 6 {
		t.Fatalf("%s: pairing %+v", p.Name, all[0])
	}
	return all[0].Digits
}

func sameDigits(t testing.TB, a, b *apptest.Person) {
	t.Helper()
	if da, db := digits(t, a), digits(t, b); da != db || da == "" {
		t.Fatalf("%s sees %q, %s sees %q", a.Name, da, b.Name, db)
	}
}

func TestDigitsAfterAnInvitation(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		sameDigits(w.T, alice, bob)
		before := digits(w.T, alice)
		w.Section("both restart")
		alice.Restarts()
		bob.Restarts()
		w.Advance(time.Minute)
		if sameDigits(w.T, alice, bob); digits(w.T, bob) != before {
			t.Error("a restart changed the digits")
		}
		w.Section("alice confirms")
		if err := alice.Core.Verify(context.Background(), bob.Me()); err != nil {
			t.Fatal(err)
		}
		if d := digits(w.T, alice); d != "" {
			t.Errorf("alice is still asked to compare %s", d)
		}
		if d := digits(w.T, bob); d != before {
			t.Errorf("bob sees %q, not %q, after alice confirmed", d, before)
		}
		w.Section("after a week nobody is asked any more")
		w.Advance(8 * 24 * time.Hour)
		if d := digits(w.T, bob); d != "" {
			t.Errorf("bob is still asked to compare %s", d)
		}
	})
}

// The one who scanned the code has verified the inviter. The inviter has not, and
// needs the digits on both screens.
func TestDigitsAfterScanning(t *testing.T) {
	apptest.Run(t, func(w *apptest.World) {
		ctx := context.Background()
		alice, bob := w.Person("alice"), w.Person("bob")
		if _, err := bob.Core.Accept(ctx, alice.Invites(), true); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Minute)
		sameDigits(w.T, alice, bob)
		w.Section("the session is made anew before anybody compared")
		before := digits(w.T, bob)
		back := bob.Snapshot()
		bob.Receives(alice.Sends(bob, "1"))
		alice.Receives(bob.Sends(alice, "2"))
		bob.PutBack(back)
		w.Advance(time.Minute)
		bob.Receives(alice.Sends(bob, "3"))
		w.Advance(time.Minute)
		if sameDigits(w.T, alice, bob); digits(w.T, bob) == before {
			w.T.Error("the session was not made anew")
		}
		if err := bob.Core.Verify(ctx, alice.Me()); err != nil {
			t.Fatal(err)
		}
		if d := digits(w.T, bob); d != "" {
			t.Errorf("bob is still asked to compare %s", d)
		}
	})
}

// However long the inviter is away, before or in the middle of the exchange.
func TestDigitsOfALateAnswer(t *testing.T) {
	for n := range 4 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			apptest.Run(t, func(w *apptest.World) {
				alice, bob := w.Person("alice"), w.Person("bob")
				inv, err := alice.Core.Invite(context.Background(), 29*24*time.Hour)
				if err != nil {
					w.T.Fatal(err)
				}
				alice.KillAt(n+1, true)
				bob.Accepts(string(inv.File))
				w.Advance(10 * time.Second)
				if !alice.Killed() {
					w.T.Fatal("the exchange was over before")
				}
				alice.Quits()
				w.Advance(20 * 24 * time.Hour)
				alice.Starts()
				w.Advance(time.Minute)
				sameDigits(w.T, alice, bob)
			})
		})
	}
}

// Whoever sent it last, whatever got lost: the digits are there, and equal.
func TestDigitsThroughKills(t *testing.T) {
	for _, victim := range []string{"alice", "bob"} {
		for _, after := range []bool{false, true} {
			for n := 1; n <= fewer(10, 3); n++ {
				t.Run(fmt.Sprintf("%s/after=%v/%d", victim, after, n), func(t *testing.T) {
					apptest.Run(t, func(w *apptest.World) {
						alice, bob := w.Person("alice"), w.Person("bob")
						code := alice.Invites()
						alice.GoesOffline()
						bob.Accepts(code)
						map[string]*apptest.Person{"alice": alice, "bob": bob}[victim].KillAt(n, after)
						alice.ComesOnline()
						w.Advance(time.Minute)
						for _, p := range []*apptest.Person{alice, bob} {
							if p.Killed() {
								p.Restarts()
							}
						}
						w.Advance(10 * time.Minute)
						sameDigits(w.T, alice, bob)
					})
				})
			}
		}
	}
}

func TestDigitsOverABadNetwork(t *testing.T) {
	faults := []apptest.Verdict{apptest.Pass, apptest.Drop, apptest.LoseAnswer, apptest.Twice}
	for seed := range uint64(fewer(16, 3)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			apptest.Run(t, func(w *apptest.World) {
				alice, bob := w.Person("alice"), w.Person("bob")
				rng := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // a test's schedule
				w.Net.SetFault(func(_, _ string, n int, _ []byte) apptest.Verdict {
					if n > 12 {
						return apptest.Pass
					}
					return faults[rng.IntN(len(faults))]
				})
				bob.Accepts(alice.Invites())
				bob.Sends(alice, "und gleich eine Nachricht dazu")
				w.Advance(20 * time.Minute)
				sameDigits(w.T, alice, bob)
			})
		})
	}
}

func TestDigitsOfARenewedSession(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		before := digits(w.T, alice)
		back := alice.Snapshot()
		bob.Receives(alice.Sends(bob, "1"))
		alice.Receives(bob.Sends(alice, "2"))
		alice.PutBack(back)
		w.Advance(time.Minute)
		bob.Receives(alice.Sends(bob, "3"))
		w.Advance(time.Minute)
		if sameDigits(w.T, alice, bob); digits(w.T, alice) == before {
			t.Error("the digits are those of the session before")
		}
	})
}

func TestDigitsWhenBothInvite(t *testing.T) {
	apptest.Run(t, func(w *apptest.World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		alice.GoesOffline()
		toBob, toAlice := alice.Invites(), bob.Invites()
		bob.Accepts(toBob)
		alice.Accepts(toAlice)
		alice.ComesOnline()
		alice.Receives(bob.Sends(alice, "a"))
		bob.Receives(alice.Sends(bob, "b"))
		sameDigits(w.T, alice, bob)
	})
}

func TestDigitsOfSomebodyBlocked(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		ctx := context.Background()
		all, err := alice.Core.Pairings(ctx)
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		if err := alice.Core.Confirm(ctx, all[0].ID, false); err != nil {
			t.Fatal(err)
		}
		if d := digits(w.T, alice); d != "" {
			t.Errorf("asked to compare %s with somebody blocked", d)
		}
		if _, err := alice.Core.Send(ctx, alice.With(bob), core.Outgoing{Text: "x"}); !errors.Is(err, chat.ErrBlocked) {
			t.Errorf("different digits did not block: %v", err)
		}
	})
}
