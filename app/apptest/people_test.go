package apptest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/apptest"
	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

func two(t *testing.T, fn func(w *apptest.World, alice, bob *apptest.Person)) {
	t.Helper()
	apptest.Run(t, func(w *apptest.World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		fn(w, alice, bob)
	})
}

func sameTexts(t testing.TB, a, b *apptest.Person, want ...string) {
	t.Helper()
	ta, tb := a.Texts(b), b.Texts(a)
	if !slices.Equal(ta, tb) {
		t.Fatalf("%s shows %q, %s shows %q", a.Name, ta, b.Name, tb)
	}
	if want != nil && !slices.Equal(ta, want) {
		t.Fatalf("shown %q, want %q", ta, want)
	}
}

func TestConversation(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		m1 := alice.Sends(bob, "Guten Morgen")
		bob.Receives(m1)
		alice.Sees(m1, chat.Delivered)
		m2 := bob.Sends(alice, "Moin")
		alice.Receives(m2)
		bob.Sees(m2, chat.Delivered)
		w.Section("alice reads")
		w.Reads(alice, bob)
		bob.Sees(m2, chat.Read)
		sameTexts(t, alice, bob, "Guten Morgen", "Moin")
		d, err := bob.Core.Delivery(context.Background(), m2)
		if err != nil || d.Why != core.WhyNone {
			t.Fatalf("delivery of a read message: %+v, %v", d, err)
		}
	})
}

func TestReadReceiptsOff(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		if err := alice.Core.SetSetting(context.Background(), core.SettingReadReceipts, "false"); err != nil {
			t.Fatal(err)
		}
		m := bob.Sends(alice, "gelesen?")
		alice.Receives(m)
		w.Reads(alice, bob)
		w.Advance(time.Minute)
		if s := bob.State(m); s != chat.Delivered {
			t.Fatalf("state %s although read receipts are off", s)
		}
	})
}

func TestOfflineRecipient(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		w.Section("bob is offline")
		bob.GoesOffline()
		var ids []chat.MessageID
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprintf("Nachricht %d", i))
			ids = append(ids, alice.Sends(bob, want[i]))
		}
		w.Advance(time.Hour)
		d, err := alice.Core.Delivery(context.Background(), ids[0])
		if err != nil || d.State != chat.Queued || d.Why != core.WhyNotFound {
			t.Fatalf("delivery while bob is offline: %+v, %v", d, err)
		}
		w.Section("alice restarts, bob comes back")
		alice.Restarts()
		bob.ComesOnline()
		bob.Receives(ids...)
		for _, id := range ids {
			alice.Sees(id, chat.Delivered)
		}
		sameTexts(t, alice, bob, want...)
	})
}

func TestMoreThanTheWindow(t *testing.T) {
	if testing.Short() {
		t.Skip("1,200 messages take a minute under the race detector")
	}
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		bob.GoesOffline()
		var ids []chat.MessageID
		for i := range 1200 {
			ids = append(ids, alice.Sends(bob, fmt.Sprint(i)))
		}
		bob.ComesOnline()
		bob.Receives(ids[len(ids)-1])
		alice.Sees(ids[len(ids)-1], chat.Delivered)
		texts := bob.Texts(alice)
		if len(texts) != len(ids) {
			t.Fatalf("%d of %d arrived", len(texts), len(ids))
		}
		for i, text := range texts {
			if text != fmt.Sprint(i) {
				t.Fatalf("message %d shows %q", i, text)
			}
		}
	})
}

// fewer cuts a repetition down for the race detector's short run.
func fewer(all, short int) int {
	if testing.Short() {
		return short
	}
	return all
}

// Each kill point of both sides, before and after each commit.
func TestKillPoints(t *testing.T) {
	for _, victim := range []string{"alice", "bob"} {
		for _, after := range []bool{false, true} {
			for n := 1; n <= fewer(12, 4); n++ {
				t.Run(fmt.Sprintf("%s/after=%v/%d", victim, after, n), func(t *testing.T) { killAt(t, victim, after, n) })
			}
		}
	}
}

func killAt(t *testing.T, victim string, after bool, n int) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		who := map[string]*apptest.Person{"alice": alice, "bob": bob}[victim]
		who.KillAt(n, after)
		var sent []string
		for i := range 4 {
			for _, p := range []*apptest.Person{alice, bob} {
				text := fmt.Sprintf("%s %d", p.Name, i)
				other := bob
				if p == bob {
					other = alice
				}
				_, err := p.Core.Send(context.Background(), p.With(other), core.Outgoing{Text: text})
				if err == nil {
					sent = append(sent, text)
				}
			}
			w.Advance(time.Second)
		}
		who.Restarts()
		w.Advance(10 * time.Minute)
		sameTexts(t, alice, bob)
		got := alice.Texts(bob)
		for _, text := range sent {
			if n := count(got, text); n != 1 {
				t.Fatalf("%q is shown %d times in %q", text, n, got)
			}
		}
		w.Delivered(alice, bob)
		w.Delivered(bob, alice)
	})
}

// dice are drawn from by the test and by whoever carries frames.
type dice struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newDice(seed uint64) *dice {
	return &dice{rng: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // a test's schedule
}

func (d *dice) IntN(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rng.IntN(n)
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

func TestBadNetwork(t *testing.T) {
	for seed := range uint64(fewer(12, 3)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			two(t, func(w *apptest.World, alice, bob *apptest.Person) {
				rng := newDice(seed)
				w.Net.SetFault(func(string, string, int, []byte) apptest.Verdict {
					if rng.IntN(3) > 0 {
						return apptest.Pass
					}
					return apptest.Verdict(rng.IntN(6))
				})
				for i := range 40 {
					alice.Sends(bob, fmt.Sprintf("a%d", i))
					bob.Sends(alice, fmt.Sprintf("b%d", i))
					if rng.IntN(10) == 0 {
						[]*apptest.Person{alice, bob}[rng.IntN(2)].Restarts()
					}
					w.Advance(time.Duration(rng.IntN(2000)) * time.Millisecond)
				}
				w.Net.SetFault(nil)
				settles(w, alice, bob)
				if n := len(alice.Texts(bob)); n != 80 {
					w.T.Fatalf("%d of 80 messages are shown", n)
				}
				w.Delivered(alice, bob)
				w.Delivered(bob, alice)
			})
		})
	}
}

// settles lets a conversation come to rest after damage. Damaged frames may have
// spent the handshakes of the hour, or of the day: what is missing then has to say
// so, and has to arrive once another one is allowed.
func settles(w *apptest.World, alice, bob *apptest.Person) {
	w.T.Helper()
	w.Advance(20 * time.Minute)
	for range 24 {
		if slices.Equal(alice.Texts(bob), bob.Texts(alice)) {
			return
		}
		saysRenewing(w, alice, bob)
		saysRenewing(w, bob, alice)
		w.Advance(time.Hour)
	}
	sameTexts(w.T, alice, bob)
}

// saysRenewing fails if somebody's message is missing on the other side for
// another reason than a limit of handshakes, on either side.
func saysRenewing(w *apptest.World, from, to *apptest.Person) {
	w.T.Helper()
	ctx := context.Background()
	there := to.Texts(from)
	page, err := from.Core.Messages(ctx, chat.MessageQuery{Conversation: from.With(to), Limit: chat.MaxPage, TextOnly: true})
	if err != nil {
		w.T.Fatal(err)
	}
	for _, m := range page {
		if m.Sender != from.Me() || slices.Contains(there, m.Text) {
			continue
		}
		d, err := from.Core.Delivery(ctx, m.ID)
		if err != nil || d.Why != core.WhyRenewing && d.Why != core.WhyOtherBusy {
			w.T.Fatalf("%s's %q is missing and says %+v, %v", from.Name, m.Text, d, err)
		}
	}
}

// A network that damages every handshake spends those of the hour. What waits says
// why, and goes out when another one is allowed.
func TestDamagedHandshakes(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		back := bob.Snapshot()
		for i := range 3 {
			alice.Receives(bob.Sends(alice, fmt.Sprint("vorher ", i)))
		}
		w.Net.SetFault(func(from, _ string, _ int, _ []byte) apptest.Verdict {
			if from == bob.Name {
				return apptest.Flip
			}
			return apptest.Pass
		})
		bob.PutBack(back)
		m := bob.Sends(alice, "danach")
		w.Advance(2 * time.Minute)
		w.Net.SetFault(nil)
		w.Advance(20 * time.Minute)
		d, err := bob.Core.Delivery(context.Background(), m)
		if err != nil || d.State != chat.Queued || d.Why != core.WhyRenewing {
			w.T.Fatalf("while no handshake is allowed: %+v, %v", d, err)
		}
		w.Advance(time.Hour)
		alice.Receives(m)
		bob.Sees(m, chat.Delivered)
	})
}

func TestRolledBackProfile(t *testing.T) {
	for _, who := range []string{"alice", "bob"} {
		t.Run(who, func(t *testing.T) {
			two(t, func(w *apptest.World, alice, bob *apptest.Person) {
				victim := map[string]*apptest.Person{"alice": alice, "bob": bob}[who]
				alice.Receives(bob.Sends(alice, "vorher"))
				w.Advance(time.Minute)
				back := victim.Snapshot()
				for i := range 5 {
					bob.Receives(alice.Sends(bob, fmt.Sprintf("a%d", i)))
					alice.Receives(bob.Sends(alice, fmt.Sprintf("b%d", i)))
				}
				w.Advance(time.Minute)
				w.Section("the older copy is put back")
				victim.PutBack(back)
				w.Advance(time.Minute)
				m1, m2 := alice.Sends(bob, "danach a"), bob.Sends(alice, "danach b")
				bob.Receives(m1)
				alice.Receives(m2)
				alice.Sees(m1, chat.Delivered)
				bob.Sees(m2, chat.Delivered)
				other := map[string]*apptest.Person{"alice": bob, "bob": alice}[who]
				partner := map[string]*apptest.Person{"alice": alice, "bob": bob}[who]
				if !slices.Contains(other.Notices(partner), chat.NoticeSessionRenewed) {
					t.Errorf("%s was not told that the keys were renewed: %q", other.Name, other.Notices(partner))
				}
			})
		})
	}
}

func TestBothInviteEachOther(t *testing.T) {
	apptest.Run(t, func(w *apptest.World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		alice.GoesOffline()
		toBob, toAlice := alice.Invites(), bob.Invites()
		bob.Accepts(toBob)
		alice.Accepts(toAlice)
		m1, m2 := alice.Sends(bob, "a"), bob.Sends(alice, "b")
		alice.ComesOnline()
		bob.Receives(m1)
		alice.Receives(m2)
		alice.Sees(m1, chat.Delivered)
		bob.Sees(m2, chat.Delivered)
		sameTexts(t, alice, bob)
	})
}

func TestBlocked(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		if err := alice.Core.SetBlocked(context.Background(), bob.Me(), true); err != nil {
			t.Fatal(err)
		}
		m := bob.Sends(alice, "hallo?")
		w.Advance(time.Hour)
		if s := bob.State(m); s != chat.Queued {
			t.Fatalf("a blocked sender sees %s", s)
		}
		if slices.Contains(alice.Texts(bob), "hallo?") {
			t.Fatal("a blocked person's message is shown")
		}
		if _, err := alice.Core.Send(context.Background(), alice.With(bob), core.Outgoing{Text: "x"}); !errors.Is(err, chat.ErrBlocked) {
			t.Fatalf("sending to somebody blocked: %v", err)
		}
		w.Section("unblocked")
		if err := alice.Core.SetBlocked(context.Background(), bob.Me(), false); err != nil {
			t.Fatal(err)
		}
		alice.Receives(m)
	})
}

func TestNothingReadableOnTheWire(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		secret := "Die Rechnung an Elektro Böhm ist falsch"
		bob.Receives(alice.Sends(bob, secret))
		me, other := alice.Me(), bob.Me()
		for _, f := range w.Net.Carried() {
			for what, needle := range map[string][]byte{
				"text": []byte(secret[:12]), "name": []byte("alice"), "sender": me[:], "recipient": other[:],
			} {
				if bytes.Contains(f, needle) {
					t.Errorf("a frame holds the %s", what)
				}
			}
		}
	})
}

func TestSafetyNumbers(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		ctx := context.Background()
		a, err := alice.Core.Safety(ctx, bob.Me())
		if err != nil {
			t.Fatal(err)
		}
		b, err := bob.Core.Safety(ctx, alice.Me())
		if err != nil || a.Number != b.Number || len(strings.Fields(a.Number)) != 12 {
			t.Fatalf("%q and %q, %v", a.Number, b.Number, err)
		}
		w.Section("the six digits of the invitation")
		pa, _ := alice.Core.Pairings(ctx)
		pb, _ := bob.Core.Pairings(ctx)
		if len(pa) != 1 || len(pb) != 1 || pa[0].Digits != pb[0].Digits || len(pa[0].Digits) != 6 {
			t.Fatalf("%+v and %+v", pa, pb)
		}
		if err := alice.Core.Confirm(ctx, pa[0].ID, true); err != nil {
			t.Fatal(err)
		}
		ct, err := alice.Core.Contact(ctx, bob.Me())
		if err != nil || !ct.Verified {
			t.Fatalf("%+v, %v", ct, err)
		}
		if !slices.Contains(alice.Notices(bob), chat.NoticeVerified) {
			t.Error("no line tells of the verification")
		}
	})
}

func TestInvitationErrors(t *testing.T) {
	apptest.Run(t, func(w *apptest.World) {
		ctx := context.Background()
		alice, bob, mallory := w.Person("alice"), w.Person("bob"), w.Person("mallory")
		code := alice.Invites()
		for name, c := range map[string]struct {
			who  *apptest.Person
			code string
			want error
		}{
			"own":       {alice, code, chat.ErrInvitationOwn},
			"malformed": {bob, "https://example.org", chat.ErrInvitationMalformed},
			"cut":       {bob, code[:len(code)-20], chat.ErrInvitationMalformed},
			"empty":     {bob, "", chat.ErrInvitationMalformed},
		} {
			if _, err := c.who.Core.Accept(ctx, c.code, false); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		w.Section("in lower case and with line breaks")
		bob.Accepts(strings.ToLower(code[:40]) + "\r\n " + code[40:])
		w.Advance(time.Minute)
		if _, err := bob.Core.Accept(ctx, code, false); !errors.Is(err, chat.ErrAlreadyContact) {
			t.Errorf("again: %v", err)
		}
		w.Section("mallory saw the code as well")
		if _, err := mallory.Core.Accept(ctx, code, false); err != nil {
			t.Fatal(err)
		}
		m := mallory.Sends(alice, "ich bin bob")
		w.Advance(10 * time.Minute)
		d, err := mallory.Core.Delivery(ctx, m)
		if err != nil || d.Why != core.WhyRefused {
			t.Errorf("delivery of the second guest: %+v, %v", d, err)
		}
		if !slices.Contains(alice.Notices(bob), chat.NoticeInviteReused) {
			t.Error("alice was not warned")
		}
		w.Section("expired")
		late := alice.Invites()
		w.Advance(8 * 24 * time.Hour)
		if _, err := mallory.Core.Accept(ctx, late, false); !errors.Is(err, chat.ErrInvitationExpired) {
			t.Errorf("expired: %v", err)
		}
	})
}

func TestPairByClick(t *testing.T) {
	for _, same := range []bool{true, false} {
		t.Run(fmt.Sprint(same), func(t *testing.T) {
			apptest.Run(t, func(w *apptest.World) {
				ctx := context.Background()
				alice, bob := w.Person("alice"), w.Person("bob")
				if err := bob.Core.SetSetting(ctx, core.SettingVisible, "true"); err != nil {
					t.Fatal(err)
				}
				w.Advance(time.Second)
				near, err := alice.Core.Nearby(ctx)
				if err != nil || len(near) != 1 || near[0].Name != "bob" {
					t.Fatalf("nearby %+v, %v", near, err)
				}
				if _, err := alice.Core.Pair(ctx, near[0].ID); err != nil {
					t.Fatal(err)
				}
				w.Advance(time.Second)
				pa, _ := alice.Core.Pairings(ctx)
				pb, _ := bob.Core.Pairings(ctx)
				if len(pa) != 1 || len(pb) != 1 || pa[0].Digits != pb[0].Digits || len(pa[0].Digits) != 6 || pb[0].Name != "alice" || !pb[0].Incoming {
					t.Fatalf("%+v and %+v", pa, pb)
				}
				w.Section("nobody is a contact before both have confirmed")
				if err := alice.Core.Confirm(ctx, pa[0].ID, true); err != nil {
					t.Fatal(err)
				}
				w.Advance(time.Second)
				if cs, _ := alice.Core.Contacts(ctx); len(cs) != 0 {
					t.Fatalf("contacts %+v", cs)
				}
				if err := bob.Core.Confirm(ctx, pb[0].ID, same); err != nil {
					t.Fatal(err)
				}
				w.Advance(time.Second)
				ca, _ := alice.Core.Contacts(ctx)
				cb, _ := bob.Core.Contacts(ctx)
				if !same {
					if len(ca)+len(cb) != 0 {
						t.Fatalf("rejected, but contacts %+v and %+v", ca, cb)
					}
					return
				}
				if len(ca) != 1 || len(cb) != 1 || !ca[0].Verified || !cb[0].Verified || ca[0].Name != "bob" || cb[0].Name != "alice" {
					t.Fatalf("contacts %+v and %+v", ca, cb)
				}
				m := alice.Sends(bob, "da sind wir")
				bob.Receives(m)
				alice.Sees(m, chat.Delivered)
				bob.Receives()
				alice.Receives(bob.Sends(alice, "ja"))
			})
		})
	}
}

func TestNewName(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		ctx := context.Background()
		if err := alice.Core.SetSetting(ctx, core.SettingName, "Alice Schmidt"); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Minute)
		ct, err := bob.Core.Contact(ctx, alice.Me())
		if err != nil || ct.Name != "Alice Schmidt" {
			t.Fatalf("%+v, %v", ct, err)
		}
		if err := bob.Core.Rename(ctx, alice.Me(), "Chefin"); err != nil {
			t.Fatal(err)
		}
		if ct, _ = bob.Core.Contact(ctx, alice.Me()); ct.Name != "Chefin" || ct.GivenName != "Alice Schmidt" {
			t.Fatalf("%+v", ct)
		}
	})
}

func TestWrongInput(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		ctx := context.Background()
		conv := alice.With(bob)
		for text, want := range map[string]error{
			"": chat.ErrEmpty, " \n ": chat.ErrEmpty, strings.Repeat("x", chat.MaxTextSize+1): chat.ErrTooLong, "a\xff": chat.ErrUnsupported,
		} {
			if _, err := alice.Core.Send(ctx, conv, core.Outgoing{Text: text}); !errors.Is(err, want) {
				t.Errorf("%.10q: %v, want %v", text, err, want)
			}
		}
		for _, kv := range [][2]string{{"network", "moon"}, {"nonsense", "1"}, {"notify", "yes"}, {"name", ""}, {"name", "a\nb"}, {"name", "a\u202eb"}} {
			if err := alice.Core.SetSetting(ctx, kv[0], kv[1]); err == nil {
				t.Errorf("setting %q = %q was taken", kv[0], kv[1])
			}
		}
		for _, f := range [][]byte{nil, {0}, {1}, {2}, bytes.Repeat([]byte{2}, 100), bytes.Repeat([]byte{1}, 200)} {
			if a := alice.Core.Frames(ctx, "", core.HostKey{1}, [][]byte{f}); a[0] < core.AnswerCannotOpen {
				t.Errorf("frame %x was taken: %d", f, a[0])
			}
			if a := alice.Core.Frames(ctx, bob.Me().String(), core.HostKey{1}, [][]byte{f}); a[0] < core.AnswerCannotOpen {
				t.Errorf("frame %x of a contact was taken: %d", f, a[0])
			}
		}
		bob.Receives(alice.Sends(bob, "geht noch"))
	})
}

func TestDraft(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		ctx := context.Background()
		if err := alice.Core.SaveDraft(ctx, alice.With(bob), "angefangen"); err != nil {
			t.Fatal(err)
		}
		alice.Restarts()
		if c, err := alice.Core.Conversation(ctx, alice.With(bob)); err != nil || c.Draft != "angefangen" {
			t.Fatalf("%+v, %v", c, err)
		}
		alice.Sends(bob, "fertig")
		if c, _ := alice.Core.Conversation(ctx, alice.With(bob)); c.Draft != "" {
			t.Fatalf("draft %q after sending", c.Draft)
		}
	})
}
