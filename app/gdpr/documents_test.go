package gdpr

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/assets/translations/words"
)

func facts() Facts {
	return Facts{
		Name: "<b>Anna</b> | [x]\n# Titel", Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Settings: map[string]string{core.SettingNetwork: core.NetworkLAN, core.SettingLockAfter: "15"},
		Holdings: []chat.Holding{{Kind: "messages", Count: 4711, Oldest: time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC)}},
		Nodes:    []string{"192.0.2.1:4001"}, Passphrase: true, Sheet: true, Timers: 3,
		Backup: core.BackupStatus{On: true, Last: time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)},
	}
}

func TestDocumentsHoldTheProfilesSettings(t *testing.T) {
	for _, l := range []string{words.German, words.English} {
		dir := filepath.Join(t.TempDir(), "d")
		names, err := WriteDocuments(dir, l, facts())
		if err != nil || len(names) != len(Documents) {
			t.Fatal(names, err)
		}
		var all strings.Builder
		for _, n := range names {
			page, err := os.ReadFile(filepath.Join(dir, n+".html"))
			if err != nil {
				t.Fatal(err)
			}
			all.Write(page)
			if bytes.Contains(page, []byte("<b>")) || bytes.Contains(page, []byte("<no value>")) || bytes.Contains(page, []byte("{{")) || bytes.Count(page, []byte("<h1>")) != 1 {
				t.Errorf("%s is not clean", n)
			}
			pdf, err := os.ReadFile(filepath.Join(dir, n+".pdf"))
			if err != nil || !bytes.HasPrefix(pdf, []byte("%PDF-")) {
				t.Errorf("%s.pdf: %v", n, err)
			}
			if pages := bytes.Count(pdf, []byte("/Type /Page\n")); pages != 1 {
				t.Errorf("%s.pdf has %d pages", n, pages)
			}
		}
		for _, s := range []string{"4711", "192.0.2.1:4001", "15 ", "Argon2id", map[string]string{"de": "28.02.2026", "en": "28 February 2026"}[l], "<mark>["} {
			if !strings.Contains(all.String(), s) {
				t.Errorf("%s: %q is missing", l, s)
			}
		}
		if _, err := WriteDocuments(dir, l, facts()); err == nil {
			t.Error("documents that somebody completed were overwritten")
		}
	}
}

func TestCountMessagesSeesACutFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), DataFile)
	whole := `{"schema":"x","people":[{"a":[1]}],"conversations":[{"id":"","messages":[{"text":"a"},{"text":"b"}]},{"messages":[]}],"erasures":{}}`
	for cut, want := range map[int]bool{0: true, 1: false, 40: false, 70: false} {
		if err := os.WriteFile(path, []byte(whole[:len(whole)-cut]), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := countMessages(path); (err == nil) != want || want && n != 2 {
			t.Errorf("%d bytes cut: %d, %v", cut, n, err)
		}
	}
}
