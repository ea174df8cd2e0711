package apptest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// An envelope that comes again after its hash was forgotten is still no reason to
// do anything.
func TestReplayAYearLater(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		for range 3 {
			bob.Receives(alice.Sends(bob, "a"))
			alice.Receives(bob.Sends(alice, "b"))
		}
		bob.GoesOffline()
		for range 5 { // several under one key of the ratchet
			alice.Sends(bob, "c")
		}
		bob.ComesOnline()
		w.Advance(time.Hour)
		carried := w.Net.Carried()
		alice.Quits()
		bob.Quits()
		time.Sleep(365 * 24 * time.Hour)
		bob.Starts()
		w.Advance(time.Minute)
		for _, f := range carried {
			bob.Core.Frames(context.Background(), alice.Me().String(), alice.link.key, [][]byte{f})
		}
		alice.Starts()
		w.Advance(time.Minute)
		if got := bob.Notices(alice); slices.Contains(got, chat.NoticeSessionRenewed) {
			t.Errorf("notices %q", got)
		}
		if n := len(bob.shownTexts(bob.With(alice))); n != 11 {
			t.Errorf("%d messages are shown", n)
		}
		m := alice.Sends(bob, "geht")
		bob.Receives(m)
		alice.Sees(m, chat.Delivered)
	})
}
