package gdpr

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/assets/translations/words"
)

// TestErasuresOnPaper: every entry is printed, with what the check gave; a log that
// is not what was signed says so.
func TestErasuresOnPaper(t *testing.T) {
	l := core.ErasureLog{}
	for n := range int64(200) {
		l.Entries = append(l.Entries, core.ErasureEntry{
			Number: n + 1, At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Kind: "contact", Reason: core.ErasedOnRequest, Subject: bytes.Repeat([]byte{0xAB}, 32),
		})
	}
	for _, lang := range []string{words.German, words.English} {
		var pdf bytes.Buffer
		if err := WriteErasures(&pdf, lang, "Anna | <b>\n# x", time.Now(), l); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(pdf.Bytes(), []byte("/Type /Page\n")); n < 4 {
			t.Errorf("%d pages", n)
		}
		rows, all := 0, ""
		for _, b := range logBlocks(lang, "Anna | <b>\n# x", time.Now(), l) {
			if b.kind == "row" {
				rows++
			}
			all += b.text + b.more + "\n"
		}
		if rows != len(l.Entries) || strings.Contains(all, "{{") || strings.Count(all, "abababababababab") != rows {
			t.Errorf("%s: %d rows in %q", lang, rows, all)
		}
		for key, want := range map[string]bool{"gdpr.log.changed": true, "gdpr.log.valid": false} {
			if strings.Contains(all, words.Text(lang, key, nil)) != want {
				t.Errorf("%s: %s is wrong", lang, key)
			}
		}
		empty := logBlocks(lang, "Anna", time.Now(), core.ErasureLog{})
		if empty[len(empty)-1].text != words.Text(lang, "gdpr.export.no_erasures", nil) {
			t.Errorf("%s: an empty log: %+v", lang, empty)
		}
	}
	if err := WriteErasures(&bytes.Buffer{}, "fr", "Anna", time.Now(), l); err == nil {
		t.Error("French")
	}
}

// TestDocumentsAreForEverybody: neither the network's own words nor rows about
// nothing.
func TestDocumentsAreForEverybody(t *testing.T) {
	f := facts()
	f.Timers = 1
	for _, lang := range []string{words.German, words.English} {
		for _, doc := range Documents {
			blocks, err := compose(doc, lang, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range blocks {
				for _, jargon := range []string{"Knoten", "node", "(en)", "(s)", "Peer", "gdpr."} {
					if strings.Contains(b.text+b.more, jargon) {
						t.Errorf("%s.%s says %q", doc, lang, b.text+b.more)
					}
				}
				if b.kind == "row" && (b.text == "" || b.more == "") {
					t.Errorf("%s.%s: half a row %+v", doc, lang, b)
				}
			}
		}
	}
}
