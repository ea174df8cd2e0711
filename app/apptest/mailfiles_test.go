package apptest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/apptest"
	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// A small file waits with its message in the mailbox: neither has to be up at the
// same time as the other.
func TestASmallFileGoesThroughAMailbox(t *testing.T) {
	twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station) {
		bob.Quits()
		small, large := randomBytes(1_000_000), randomBytes(9<<20)
		m := alice.SendsFiles(bob, "anbei", map[string][]byte{"a.bin": small, "b.bin": large}, "a.bin", "b.bin")
		alice.Sees(m, chat.Sent)
		w.Advance(time.Minute)
		for _, b := range s.Stored() {
			if len(b) > 160<<10 || bytes.Contains(b, small[:16]) || bytes.Contains(b, []byte("age-encryption")) {
				t.Error("a blob tells what it is")
			}
		}
		alice.Quits()
		bob.Starts()
		bob.Receives(m)
		bob.SeesFile(m, 0, chat.FileHere)
		if !bytes.Equal(bob.Saves(m, 0), small) {
			t.Error("another file")
		}
		if st := bob.FileState(m, 1); st.File.State != chat.FileWaiting || st.Got != 0 {
			t.Errorf("the large one: %+v", st)
		}
		w.Section("the large one comes when both are up")
		alice.Starts()
		bob.SeesFile(m, 1, chat.FileHere)
		if !bytes.Equal(bob.Saves(m, 1), large) {
			t.Error("another file")
		}
	})
}

// A mailbox that is full holds the message, and part of the file; the rest comes
// when both are up, and nothing twice.
func TestAFileDoesNotFitIntoTheMailbox(t *testing.T) {
	twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station) {
		bob.Quits()
		s.SetRoom(len(s.Stored()) + 10)
		content := randomBytes(2 << 20)
		m := alice.SendsFiles(bob, "anbei", map[string][]byte{"a.bin": content}, "a.bin")
		alice.Sees(m, chat.Sent)
		w.Advance(time.Minute)
		alice.Quits()
		bob.Starts()
		bob.Receives(m)
		w.Advance(time.Minute)
		if st := bob.FileState(m, 0); st.File.State != chat.FileWaiting || st.Got == 0 || st.Got > 1<<20 {
			t.Errorf("%+v", st)
		}
		var came int
		w.Net.SetFileFault(func(_ string, want core.FileWant, _ int64, b []byte) ([]byte, error) {
			if !want.Hashes {
				came += len(b)
			}
			return b, nil
		})
		before := bob.FileState(m, 0).Got
		alice.Starts()
		bob.SeesFile(m, 0, chat.FileHere)
		if st := bob.FileState(m, 0); int64(came) != st.Total-before {
			t.Errorf("%d bytes came of the %d that were missing", came, st.Total-before)
		}
	})
}

// Blocks that nobody announced, or that were altered, bring nothing onto the disk.
func TestForeignBlocksInAMailbox(t *testing.T) {
	twoAndStation(t, func(w *apptest.World, alice, bob *apptest.Person, s *apptest.Station) {
		if err := bob.Core.SetSetting(context.Background(), core.SettingFileLimit, "0"); err != nil {
			t.Fatal(err)
		}
		bob.Quits()
		m := alice.SendsFiles(bob, "anbei", map[string][]byte{"a.bin": randomBytes(100_000)}, "a.bin")
		w.Advance(time.Minute)
		alice.Quits()
		bob.Starts()
		bob.Receives(m)
		w.Advance(time.Minute)
		if u, err := bob.Core.FileUsage(context.Background()); err != nil || u.Bytes != 0 {
			t.Errorf("%+v, %v", u, err)
		}
		if n := len(s.Stored()); n > 2 {
			t.Errorf("%d blobs stay in the mailbox", n)
		}
	})
}
