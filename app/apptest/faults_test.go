package apptest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/apptest"
	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

const decade = 10 * 365 * 24 * time.Hour

// A clock that goes wrong in mid-session, and right again, stops nothing.
func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{decade, -decade} {
		for _, who := range []string{"alice", "bob"} {
			t.Run(fmt.Sprint(who, jump), func(t *testing.T) {
				two(t, func(w *apptest.World, alice, bob *apptest.Person) {
					victim := map[string]*apptest.Person{"alice": alice, "bob": bob}[who]
					talk := func() {
						m1, m2 := alice.Sends(bob, "a"), bob.Sends(alice, "b")
						w.Advance(time.Minute)
						if s1, s2 := alice.State(m1), bob.State(m2); s1 != chat.Delivered || s2 != chat.Delivered {
							t.Fatalf("after a minute %s and %s", s1, s2)
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
					talk()
					w.Section("and a fresh connection")
					bob.Restarts()
					talk()
					sameTexts(t, alice, bob)
				})
			})
		}
	}
}

// An attempt that failed under a wrong clock is not put off to where it was.
func TestClockJumpsBackWhileTheOtherIsBusy(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		alice.SetClock(decade)
		bob.DiskIsFull(true)
		m := alice.Sends(bob, "a")
		w.Advance(time.Minute)
		alice.SetClock(0)
		bob.DiskIsFull(false)
		w.Advance(time.Minute)
		if s := alice.State(m); s != chat.Delivered {
			t.Fatalf("a minute after everything is well: %s", s)
		}
	})
}

func TestDiskFullOnReceive(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		ctx := context.Background()
		bob.DiskIsFull(true)
		m := alice.Sends(bob, "passt nicht")
		w.Advance(2 * time.Hour)
		if s := alice.State(m); s != chat.Queued {
			t.Fatalf("the sender sees %s although nothing could be stored", s)
		}
		if d, err := alice.Core.Delivery(ctx, m); err != nil || d.Why != core.WhyOtherBusy {
			t.Errorf("delivery %+v, %v", d, err)
		}
		if n, err := bob.Core.Network(ctx); err != nil || n.Trouble != core.TroubleDiskFull {
			t.Errorf("network %+v, %v", n, err)
		}
		w.Section("there is room again")
		bob.DiskIsFull(false)
		w.Advance(time.Minute)
		if s := alice.State(m); s != chat.Delivered {
			t.Fatalf("a minute later: %s", s)
		}
		if n, _ := bob.Core.Network(ctx); n.Trouble != "" {
			t.Errorf("trouble %q stays", n.Trouble)
		}
	})
}

func TestDiskFullOnSend(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		ctx := context.Background()
		kept := alice.Sends(bob, "vorher")
		w.Advance(time.Minute)
		if err := alice.Core.SaveDraft(ctx, alice.With(bob), "wichtig"); err != nil {
			t.Fatal(err)
		}
		alice.DiskIsFull(true)
		if _, err := alice.Core.Send(ctx, alice.With(bob), core.Outgoing{Text: "wichtig"}); !errors.Is(err, chat.ErrDiskFull) {
			t.Fatalf("sending with a full disk: %v", err)
		}
		if c, err := alice.Core.Conversation(ctx, alice.With(bob)); err != nil || c.Draft != "wichtig" || c.Last.ID != kept {
			t.Errorf("conversation %+v, %v", c, err)
		}
		if n, err := alice.Core.Network(ctx); err != nil || n.Trouble != core.TroubleDiskFull {
			t.Errorf("network %+v, %v", n, err)
		}
	})
}

// A profile on a full disk opens and shows what it holds.
func TestDiskFullAtTheStart(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		bob.Receives(alice.Sends(bob, "vorher"))
		conv := bob.With(alice)
		alice.Quits()
		m, err := bob.Core.Send(context.Background(), conv, core.Outgoing{Text: "inzwischen"})
		if err != nil {
			t.Fatal(err)
		}
		alice.StartsWithFullDisk()
		w.Advance(time.Minute)
		if n, err := alice.Core.Network(context.Background()); err != nil || n.Trouble != core.TroubleDiskFull {
			t.Errorf("network %+v, %v", n, err)
		}
		if s := bob.State(m); s != chat.Queued {
			t.Errorf("state %s", s)
		}
		alice.DiskIsFull(false)
		back := alice.Sends(bob, "zurück")
		w.Advance(time.Minute)
		if s1, s2 := bob.State(m), alice.State(back); s1 != chat.Delivered || s2 != chat.Delivered {
			t.Errorf("a minute later: %s and %s", s1, s2)
		}
	})
}

// Each answer that is no success leads to another attempt soon, however long the
// two have been connected.
func TestTriesAgainSoon(t *testing.T) {
	for name, v := range map[string]apptest.Verdict{"flipped": apptest.Flip, "cut": apptest.Truncate} {
		t.Run(name, func(t *testing.T) {
			two(t, func(w *apptest.World, alice, bob *apptest.Person) {
				w.Advance(3 * time.Hour)
				left := 1
				w.Net.SetFault(func(from, _ string, _ int, _ []byte) apptest.Verdict {
					if from == "alice" && left > 0 {
						left--
						return v
					}
					return apptest.Pass
				})
				m := alice.Sends(bob, "a")
				w.Advance(10 * time.Second)
				if s := alice.State(m); s != chat.Delivered {
					t.Fatalf("ten seconds later: %s", s)
				}
			})
		})
	}
}

// An acknowledgement whose way failed while the connection stands goes again.
func TestLostAcknowledgement(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		w.Advance(3 * time.Hour)
		bob.Link().FailDeliveries(2)
		m := alice.Sends(bob, "a")
		w.Advance(time.Minute)
		if s := alice.State(m); s != chat.Delivered {
			t.Fatalf("a minute later: %s", s)
		}
	})
}

// Blocking somebody while their invitation is still known under its own name.
func TestBlockedGuest(t *testing.T) {
	apptest.Run(t, func(w *apptest.World) {
		ctx := context.Background()
		alice, bob := w.Person("alice"), w.Person("bob")
		code := alice.Invites()
		bob.Accepts(code)
		w.Advance(time.Minute)
		bob.GoesOffline()
		secret := alice.Sends(bob, "nur für bob")
		if err := alice.Core.SetBlocked(ctx, bob.Me(), true); err != nil {
			t.Fatal(err)
		}
		w.Section("bob's program still shows the invitation")
		bob.ComesOnline()
		keys, err := alice.Core.HelloKeys(ctx)
		if err != nil || len(keys) != 0 {
			t.Errorf("%d keys are recognised, %v", len(keys), err)
		}
		for _, ref := range []string{bob.Me().String(), apptest.InvitationRef(code)} {
			alice.Core.Recognised(ctx, ref, core.HostKey{1}, nil)
			if st, err := alice.Core.Status(ctx, ref); err == nil && st != nil {
				t.Errorf("%s: a status is told", ref)
			}
			if b, err := alice.Core.Bundle(ctx, ref); err == nil && b != nil {
				t.Errorf("%s: a bundle is given", ref)
			}
		}
		w.Advance(time.Hour)
		if s := alice.State(secret); s != chat.Queued {
			t.Errorf("state %s", s)
		}
		if slices.Contains(bob.Texts(alice), "nur für bob") {
			t.Error("somebody blocked was sent a message")
		}
		if err := func() error { _, err := alice.Core.Contact(ctx, bob.Me()); return err }(); err != nil {
			t.Error(err)
		}
	})
}

// Blocking the inviter before they answered.
func TestBlockedInviter(t *testing.T) {
	apptest.Run(t, func(w *apptest.World) {
		ctx := context.Background()
		alice, bob := w.Person("alice"), w.Person("bob")
		alice.GoesOffline()
		bob.Accepts(alice.Invites())
		if err := bob.Core.SetBlocked(ctx, alice.Me(), true); err != nil {
			t.Fatal(err)
		}
		bob.Restarts()
		alice.ComesOnline()
		w.Advance(time.Hour)
		if cs, err := alice.Core.Contacts(ctx); err != nil || len(cs) != 0 {
			t.Fatalf("the inviter has %+v, %v", cs, err)
		}
		w.Section("unblocked")
		if err := bob.Core.SetBlocked(ctx, alice.Me(), false); err != nil {
			t.Fatal(err)
		}
		alice.Receives(bob.Sends(alice, "doch"))
	})
}

// The name comes before the first message, so that its notification can say who
// wrote it.
func TestNameComesFirst(t *testing.T) {
	apptest.Run(t, func(w *apptest.World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		alice.GoesOffline()
		bob.Accepts(alice.Invites())
		m := bob.Sends(alice, "hallo")
		w.Net.SetFault(func(from, _ string, n int, _ []byte) apptest.Verdict {
			if from == "bob" && n > 1 {
				go w.Net.SetOnline(bob.Link(), false)
				return apptest.Drop
			}
			return apptest.Pass
		})
		alice.ComesOnline()
		w.Advance(time.Minute)
		if ct, err := alice.Core.Contact(context.Background(), bob.Me()); err != nil || ct.Name != "bob" {
			t.Errorf("after the first frame: %+v, %v", ct, err)
		}
		w.Net.SetFault(nil)
		bob.ComesOnline()
		alice.Receives(m)
	})
}

// Accepting a second invitation of somebody keeps what I noted about them.
func TestAcceptedAgain(t *testing.T) {
	apptest.Run(t, func(w *apptest.World) {
		ctx := context.Background()
		alice, bob := w.Person("alice"), w.Person("bob")
		alice.GoesOffline()
		bob.Accepts(alice.Invites())
		if err := bob.Core.Rename(ctx, alice.Me(), "Chefin"); err != nil {
			t.Fatal(err)
		}
		bob.Accepts(alice.Invites())
		if ct, err := bob.Core.Contact(ctx, alice.Me()); err != nil || ct.Alias != "Chefin" || ct.Name != "Chefin" {
			t.Errorf("%+v, %v", ct, err)
		}
		alice.ComesOnline()
		alice.Receives(bob.Sends(alice, "da"))
	})
}

// What a command does to a profile that nobody serves is done when it is served.
func TestOfflineProfile(t *testing.T) {
	apptest.Run(t, func(w *apptest.World) {
		ctx := context.Background()
		alice, bob := w.Person("alice"), w.Person("bob")
		alice.Quits()
		bob.Quits()
		var code string
		alice.Offline(func(c *core.Core) {
			inv, err := c.Invite(ctx, 0)
			if err != nil {
				t.Fatal(err)
			}
			code = inv.Code
		})
		var m chat.MessageID
		bob.Offline(func(c *core.Core) {
			a, err := c.Accept(ctx, code, false)
			if err != nil {
				t.Fatal(err)
			}
			me, _ := c.Whoami(ctx)
			if m, err = c.Send(ctx, chat.DirectConversation(me.ID, a.Contact), core.Outgoing{Text: "aus der Ferne"}); err != nil {
				t.Fatal(err)
			}
		})
		alice.Starts()
		bob.Starts()
		alice.Receives(m)
		bob.Sees(m, chat.Delivered)
		w.Section("with a session")
		bob.Quits()
		bob.Offline(func(c *core.Core) {
			var err error
			if m, err = c.Send(ctx, alice.With(bob), core.Outgoing{Text: "noch einmal"}); err != nil {
				t.Fatal(err)
			}
			if d, err := c.Delivery(ctx, m); err != nil || d.State != chat.Queued {
				t.Errorf("%+v, %v", d, err)
			}
		})
		bob.Starts()
		alice.Receives(m)
		sameTexts(t, alice, bob, "aus der Ferne", "noch einmal")
	})
}

// clicks lets a connect with b, who is visible, and both say that the digits are
// the same.
func clicks(w *apptest.World, a, b *apptest.Person) {
	w.T.Helper()
	ctx := context.Background()
	if err := b.Core.SetSetting(ctx, core.SettingVisible, "true"); err != nil {
		w.T.Fatal(err)
	}
	w.Advance(time.Second)
	near, err := a.Core.Nearby(ctx)
	if err != nil || len(near) != 1 {
		w.T.Fatalf("nearby %+v, %v", near, err)
	}
	if _, err := a.Core.Pair(ctx, near[0].ID); err != nil {
		w.T.Fatal(err)
	}
	w.Advance(time.Second)
	for _, p := range []*apptest.Person{a, b} {
		all, _ := p.Core.Pairings(ctx)
		for _, u := range all {
			if u.State == core.PairingCompare && !u.Invitation {
				_ = p.Core.Confirm(ctx, u.ID, true)
			}
		}
	}
	w.Advance(time.Minute)
}

// An invitation came to nothing, but then the two met in the network: what waited
// goes out.
func TestPairByClickInsteadOfTheInvitation(t *testing.T) {
	for _, asks := range []string{"guest", "inviter"} {
		t.Run(asks, func(t *testing.T) {
			apptest.Run(t, func(w *apptest.World) {
				ctx := context.Background()
				alice, bob := w.Person("alice"), w.Person("bob")
				inv, err := alice.Core.Invite(ctx, 0)
				if err != nil {
					t.Fatal(err)
				}
				if err := alice.Core.Revoke(ctx, inv.ID); err != nil {
					t.Fatal(err)
				}
				bob.Accepts(inv.Code)
				m := bob.Sends(alice, "wartet")
				w.Advance(time.Minute)
				if asks == "guest" {
					clicks(w, bob, alice)
				} else {
					clicks(w, alice, bob)
				}
				ct, err := bob.Core.Contact(ctx, alice.Me())
				if err != nil || ct.Pending || !ct.Verified || ct.Name != "alice" {
					t.Errorf("%+v, %v", ct, err)
				}
				alice.Receives(m)
				bob.Sees(m, chat.Delivered)
				bob.Receives(alice.Sends(bob, "da"))
			})
		})
	}
}

// Pairing is no way around a block, and shows nothing of it.
func TestPairByClickOfSomebodyBlocked(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		ctx := context.Background()
		if err := bob.Core.SetBlocked(ctx, alice.Me(), true); err != nil {
			t.Fatal(err)
		}
		if err := bob.Core.SetSetting(ctx, core.SettingVisible, "true"); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Second)
		host := bob.Link().HostKey()
		alice.Core.Visible(host, "bob")
		if _, err := alice.Core.Pair(ctx, fmt.Sprintf("%x", host[:])); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Minute)
		all, _ := bob.Core.Pairings(ctx)
		for _, u := range all {
			if u.State == core.PairingCompare {
				t.Errorf("bob is asked: %+v", u)
			}
		}
		if ct, _ := bob.Core.Contact(ctx, alice.Me()); !ct.Blocked || ct.Verified {
			t.Errorf("%+v", ct)
		}
	})
}

// A message that failed goes again, but not to somebody blocked meanwhile.
func TestNothingToSomebodyBlocked(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		ctx := context.Background()
		bob.GoesOffline()
		m := alice.Sends(bob, "wartet")
		if err := alice.Core.SetBlocked(ctx, bob.Me(), true); err != nil {
			t.Fatal(err)
		}
		bob.ComesOnline()
		w.Advance(time.Hour)
		if s := alice.State(m); s != chat.Queued {
			t.Errorf("state %s", s)
		}
		if d, err := alice.Core.Delivery(ctx, m); err != nil || d.Why != core.WhyBlocked {
			t.Errorf("%+v, %v", d, err)
		}
		if slices.Contains(bob.Texts(alice), "wartet") {
			t.Error("it was sent")
		}
		if err := alice.Core.SetBlocked(ctx, bob.Me(), false); err != nil {
			t.Fatal(err)
		}
		bob.Receives(m)
	})
}

// Once the inviter has answered, nothing of the invitation stays with the guest,
// and the two lines that tell of it stay two.
func TestInvitationEndsWithItsAnswer(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		ctx := context.Background()
		for range 3 {
			bob.Receives(alice.Sends(bob, "a"))
			alice.Receives(bob.Sends(alice, "b"))
		}
		bob.Restarts()
		bob.Receives(alice.Sends(bob, "c"))
		if keys, err := bob.Core.HelloKeys(ctx); err != nil || len(keys) != 1 {
			t.Errorf("the guest still looks for %d connections, %v", len(keys), err)
		}
		for _, c := range []struct{ p, with *apptest.Person }{{alice, bob}, {bob, alice}} {
			if got := c.p.Notices(c.with); !slices.Equal(got, []chat.Notice{chat.NoticeConnected}) {
				t.Errorf("%s: %q", c.p.Name, got)
			}
		}
	})
}

// What answers something stands behind it, whatever the clocks say.
func TestOrderIsCausal(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		alice.SetClock(2 * time.Hour)
		bob.SetClock(-decade)
		var want []string
		for i := range 6 {
			from, to := alice, bob
			if i%2 == 1 {
				from, to = bob, alice
			}
			want = append(want, fmt.Sprint(i))
			to.Receives(from.Sends(to, want[i]))
			w.Advance(time.Minute)
		}
		sameTexts(t, alice, bob, want...)
		if c, err := bob.Core.Conversation(context.Background(), bob.With(alice)); err != nil || c.Last.Text != "5" {
			t.Errorf("the list shows %+v, %v", c.Last, err)
		}
	})
}

// A profile that was put back makes itself anew: what the older copy had offered
// to anybody is withdrawn, and other contacts are not left behind.
func TestRolledBackProfileWithdraws(t *testing.T) {
	apptest.Run(t, func(w *apptest.World) {
		ctx := context.Background()
		alice, bob, carol := w.Person("alice"), w.Person("bob"), w.Person("carol")
		w.Pair(alice, bob)
		w.Pair(alice, carol)
		carol.GoesOffline()
		alice.Invites()
		back := alice.Snapshot()
		for range 5 {
			bob.Receives(alice.Sends(bob, "a"))
			alice.Receives(bob.Sends(alice, "b"))
		}
		w.Advance(time.Minute)
		alice.PutBack(back)
		w.Advance(time.Minute)
		if open, err := alice.Core.Issued(ctx); err != nil || len(open) != 0 {
			t.Errorf("%d invitations of the older copy are open, %v", len(open), err)
		}
		carol.ComesOnline()
		m1, m2 := alice.Sends(carol, "x"), carol.Sends(alice, "y")
		carol.Receives(m1)
		alice.Receives(m2)
		if !slices.Contains(carol.Notices(alice), chat.NoticeSessionRenewed) {
			t.Errorf("carol's lines: %q", carol.Notices(alice))
		}
	})
}

// What was sealed for a session that is no more is sealed anew, once.
func TestWaitingMessagesMoveToTheNewSession(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		bob.Receives(alice.Sends(bob, "vorher"))
		w.Advance(time.Minute)
		back := bob.Snapshot()
		for range 3 {
			bob.Receives(alice.Sends(bob, "dazwischen"))
			alice.Receives(bob.Sends(alice, "ja"))
		}
		w.Advance(time.Minute)
		bob.GoesOffline()
		var ids []chat.MessageID
		for i := range 5 {
			ids = append(ids, alice.Sends(bob, fmt.Sprintf("wartet %d", i)))
		}
		bob.PutBack(back)
		bob.ComesOnline()
		w.Advance(time.Minute)
		for _, id := range ids {
			if s := alice.State(id); s != chat.Delivered {
				t.Errorf("state %s", s)
			}
		}
		got := bob.Texts(alice)
		for i := range ids {
			if n := count(got, fmt.Sprintf("wartet %d", i)); n != 1 {
				t.Errorf("message %d is shown %d times", i, n)
			}
		}
	})
}

// A profile that was put back to a time when messages were waiting sends them
// again in its new session; they are shown once.
func TestOlderCopyWithWaitingMessages(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		bob.GoesOffline()
		var ids []chat.MessageID
		var want []string
		for i := range 5 {
			want = append(want, fmt.Sprint(i))
			ids = append(ids, alice.Sends(bob, want[i]))
		}
		back := alice.Snapshot()
		bob.ComesOnline()
		for _, text := range []string{"x", "y", "z"} {
			want = append(want, text)
			bob.Receives(alice.Sends(bob, text))
		}
		w.Advance(time.Minute)
		alice.PutBack(back)
		w.Advance(time.Minute)
		for _, id := range ids {
			if s := alice.State(id); s != chat.Delivered {
				t.Errorf("state %s", s)
			}
		}
		if got := bob.Texts(alice); !slices.Equal(got, want) {
			t.Errorf("shown %q, want %q", got, want)
		}
	})
}
