package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

func salvageFixture(t *testing.T, all int) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kuvert.db")
	s := openTest(t, path)
	at := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	put(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutContact(chat.Contact{ID: anna, Name: "Anna Käse", AddedAt: at}), tx.PutConversation(room, anna, at))
	})
	put(t, s, func(tx *Tx) error {
		for n := 1; n <= all; n++ {
			m := chat.Message{
				ID: number(n), Conversation: room, Sender: anna, Kind: chat.KindText, State: chat.Received,
				Text: strings.Repeat("Grüße ", 1+n%5*n), SentAt: at, ReceivedAt: at, Seq: uint64(n),
			} //nolint:gosec // small
			if n == 7 {
				m.Attachments = []chat.Attachment{{Name: "Bericht.pdf"}}
			}
			_, err := tx.InsertMessage(m)
			if n == 7 {
				err = errors.Join(err, tx.PutFile(chat.File{Attachment: m.Attachments[0], Message: m.ID, ID: chat.FileID{1}}))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return s, path
}

func salvageAll(t *testing.T, path string) (map[chat.MessageID]Salvaged, SalvageReport) {
	t.Helper()
	all := map[chat.MessageID]Salvaged{}
	report, err := Salvage(t.Context(), path, &testKey, func(s Salvaged) error {
		all[s.Message.ID] = s
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, report
}

// Everything of a whole database comes out, be it still in the WAL or not.
func TestSalvageWhole(t *testing.T) {
	const all = 300
	s, path := salvageFixture(t, all)
	for closed := range 2 {
		got, report := salvageAll(t, path)
		if len(got) != all || report.Messages != all || report.Damaged != 0 || report.Lost != 0 {
			t.Fatalf("%d messages, %+v", len(got), report)
		}
		for n := 1; n <= all; n++ {
			s := got[number(n)]
			if s.Message.Text != strings.Repeat("Grüße ", 1+n%5*n) || s.Name != "Anna Käse" || s.Contact != anna || s.Message.Conversation != room || s.Message.Seq != uint64(n) { //nolint:gosec // small
				t.Fatalf("message %d is %+v", n, s)
			}
		}
		if f := got[number(7)].Files; len(f) != 1 || f[0].Name != "Bericht.pdf" {
			t.Errorf("files are %+v", f)
		}
		if closed == 0 {
			if err := s.Close(); err != nil { // folds the WAL into the database
				t.Fatal(err)
			}
		}
	}
}

// A page that is damaged costs what stands on it, and is counted; the wrong key
// opens nothing.
func TestSalvageDamaged(t *testing.T) {
	const all = 300
	s, path := salvageFixture(t, all)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []int{0, 1, 100, 130, 131} { // 0 is the clear head
		b[page*cryptvfs.PageSize+100] ^= 1
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	got, report := salvageAll(t, path)
	if report.Damaged != 4 || report.Pages < 200 || len(got) < all*9/10 || len(got) == all || len(got) != report.Messages {
		t.Errorf("%d messages, %+v", len(got), report)
	}
	for id, s := range got {
		if !strings.HasPrefix(s.Message.Text, "Grüße ") {
			t.Errorf("%v says %q", id, s.Message.Text)
		}
	}
	report, err = Salvage(t.Context(), path, &cryptvfs.Key{9}, func(Salvaged) error { return nil })
	if err == nil && report.Damaged < report.Pages {
		t.Errorf("wrong key: %+v", report)
	}
}
