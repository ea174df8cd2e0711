package apptest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

// remains reports whether a text is in the decrypted pages of a person's database
// or its WAL.
func (p *Person) remains(text string) bool {
	p.w.T.Helper()
	pages, err := cryptvfs.OpenPages(p.path, &cryptvfs.Key{7})
	p.w.check(err)
	defer pages.Close() //nolint:errcheck // only read
	found := false
	b := make([]byte, cryptvfs.PageSize)
	for n := int64(1); n <= pages.Count(); n++ {
		found = found || pages.MainPage(n, b) == nil && bytes.Contains(b, []byte(text))
	}
	p.w.check(pages.Frames(func(_, _ int64, _ bool, b []byte) error {
		found = found || bytes.Contains(b, []byte(text))
		return nil
	}))
	return found
}

func (p *Person) timer(with *Person) time.Duration {
	p.w.T.Helper()
	c, err := p.Core.Conversation(context.Background(), p.With(with))
	p.w.check(err)
	return c.Timer
}

func (p *Person) hasMessage(id chat.MessageID) bool {
	p.w.T.Helper()
	_, err := p.Core.Message(context.Background(), id)
	if !errors.Is(err, chat.ErrNotFound) {
		p.w.check(err)
	}
	return err == nil
}

// A timer holds for both; the sender's copy goes its time after it was sent, the
// other after it was read, and nothing of it is left in either database.
func TestMessagesDisappear(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		ctx := context.Background()
		stays := alice.Sends(bob, "bleibt")
		bob.Receives(stays)
		w.check(alice.Core.SetTimer(ctx, alice.With(bob), time.Hour))
		w.Advance(time.Minute)
		if bob.timer(alice) != time.Hour || alice.timer(bob) != time.Hour {
			t.Fatalf("timers are %s and %s", alice.timer(bob), bob.timer(alice))
		}
		if n := bob.Notices(alice); !slices.Contains(n, "timer_1h") {
			t.Errorf("bob sees %q", n)
		}
		if n := alice.Notices(bob); !slices.Contains(n, "timer_1h_own") {
			t.Errorf("alice sees %q", n)
		}
		m := alice.SendsFiles(bob, "qzjxwvvk", map[string][]byte{"qzjxwvvk.txt": []byte("x")}, "qzjxwvvk.txt")
		bob.Receives(m)
		bob.SeesFile(m, 0, chat.FileHere)
		alice.Sees(m, chat.Delivered)
		w.Advance(2 * time.Hour)
		if alice.hasMessage(m) {
			t.Error("alice's copy is there")
		}
		if !bob.hasMessage(m) {
			t.Error("bob's went before he read it")
		}
		w.Reads(bob, alice)
		w.Advance(50 * time.Minute)
		if !bob.hasMessage(m) {
			t.Error("bob's went too soon")
		}
		w.Advance(30 * time.Minute)
		if bob.hasMessage(m) {
			t.Error("bob's copy is there")
		}
		for _, p := range []*Person{alice, bob} {
			if p.remains("qzjxwvvk") {
				t.Errorf("%s's database holds the text", p.Name)
			}
			if !p.remains("bleibt") || !p.hasMessage(stays) {
				t.Errorf("%s lost what is to stay", p.Name)
			}
			names, err := os.ReadDir(p.path + ".files")
			w.check(err)
			if len(names) > 1 { // the store's own
				t.Errorf("%s's files: %v", p.Name, names)
			}
		}
		w.Section("what comes after stands behind it")
		last := bob.Sends(alice, "danach")
		alice.Receives(last)
		if got := alice.Texts(bob); got[len(got)-1] != "danach" {
			t.Errorf("alice sees %q", got)
		}
	})
}

// What its recipient has not got yet does not go, and what nobody reads does in the
// end.
func TestMessagesWaitBeforeTheyDisappear(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		w.check(bob.Core.SetTimer(context.Background(), bob.With(alice), 24*time.Hour))
		w.Advance(time.Minute)
		bob.GoesOffline()
		m := alice.Sends(bob, "wartet")
		w.Advance(3 * 24 * time.Hour)
		if !alice.hasMessage(m) {
			t.Fatal("an unsent message went")
		}
		bob.ComesOnline()
		bob.Receives(m)
		alice.Sees(m, chat.Delivered)
		w.Advance(time.Hour)
		if alice.hasMessage(m) {
			t.Error("alice's copy is there")
		}
		w.Advance(30 * 24 * time.Hour)
		if !bob.hasMessage(m) {
			t.Error("the unread one went before its time")
		}
		w.Advance(25 * time.Hour)
		if bob.hasMessage(m) {
			t.Error("the unread one is there")
		}
	})
}

// Two people change a timer at the same time: both end with the same.
func TestTimersMeet(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		bob.GoesOffline()
		w.check(alice.Core.SetTimer(context.Background(), alice.With(bob), time.Hour))
		w.check(bob.Core.SetTimer(context.Background(), bob.With(alice), 24*time.Hour))
		bob.ComesOnline()
		w.Advance(time.Minute)
		if a, b := alice.timer(bob), bob.timer(alice); a != b {
			t.Errorf("%s and %s", a, b)
		}
		if err := alice.Core.SetTimer(context.Background(), alice.With(bob), time.Minute); !errors.Is(err, chat.ErrUnsupported) {
			t.Errorf("a minute: %v", err)
		}
	})
}

// Deleted here: it is gone here and does not come again; the other keeps it. One
// that has not left is not sent.
func TestDeleteForMe(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		ctx := context.Background()
		m := alice.Sends(bob, "qzjxwvvk")
		bob.Receives(m)
		alice.Sees(m, chat.Delivered)
		w.check(bob.Core.DeleteMessage(ctx, m))
		w.Advance(time.Minute)
		if bob.hasMessage(m) || bob.remains("qzjxwvvk") || !alice.hasMessage(m) {
			t.Error("deleted at the wrong side, or not at all")
		}
		for _, f := range w.Net.Carried() {
			bob.Core.Frames(ctx, alice.Me().String(), alice.link.key, [][]byte{f})
		}
		if bob.hasMessage(m) {
			t.Error("it came again")
		}
		if err := bob.Core.DeleteMessage(ctx, m); !errors.Is(err, chat.ErrNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
		bob.GoesOffline()
		unsent := alice.Sends(bob, "doch nicht")
		w.check(alice.Core.SaveDraft(ctx, alice.With(bob), "qzjxwvvk entwurf"))
		w.check(alice.Core.DeleteMessage(ctx, unsent))
		later := alice.Sends(bob, "später")
		bob.ComesOnline()
		bob.Receives(later)
		if bob.hasMessage(unsent) {
			t.Error("a deleted message was sent")
		}
		alice.Sees(later, chat.Delivered)
		w.check(alice.Core.ClearConversation(ctx, alice.With(bob)))
		w.Advance(time.Minute)
		if len(alice.Texts(bob)) != 0 || alice.remains("qzjxwvvk") || alice.remains("später") {
			t.Error("something of the conversation is left")
		}
		again := alice.Sends(bob, "neu")
		bob.Receives(again)
		if got := bob.Texts(alice); got[len(got)-1] != "neu" {
			t.Errorf("bob sees %q", got)
		}
	})
}

// A bit that the disk changed is found within a day, and said.
func TestDamageIsFound(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		alice.Quits() // folds the WAL into the database
		alice.Starts()
		trouble := func() string {
			n, err := alice.Core.Network(context.Background())
			w.check(err)
			return n.Trouble
		}
		w.Advance(time.Hour)
		if got := trouble(); got == core.TroubleDatabase {
			t.Fatalf("trouble is %q", got)
		}
		f, err := os.OpenFile(alice.path, os.O_RDWR, 0)
		w.check(err)
		fi, err := f.Stat()
		w.check(err)
		b := make([]byte, 1)
		_, err = f.ReadAt(b, fi.Size()-100)
		w.check(err)
		b[0] ^= 1
		_, err = f.WriteAt(b, fi.Size()-100)
		w.check(errors.Join(err, f.Close()))
		w.Advance(25 * time.Hour)
		if got := trouble(); got != core.TroubleDatabase {
			t.Errorf("trouble is %q", got)
		}
	})
}
