package gdpr

import (
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/assets/translations/words"
)

// subjectShown is how many bytes of an entry's subject are printed: enough to tell
// entries about different people apart.
const subjectShown = 8

// WriteErasures writes the deletion log as PDF to be read and filed, with what a
// check of it gave. Its last line holds the hash of the newest entry: beside a later
// copy it shows whether entries were cut off.
func WriteErasures(w io.Writer, language, name string, now time.Time, l core.ErasureLog) error {
	if language != words.German && language != words.English {
		return fmt.Errorf("gdpr: deletion log in %q: %w", language, chat.ErrUnsupported)
	}
	return writePDF(w, language, now, logBlocks(language, name, now, l))
}

func logBlocks(language, name string, now time.Time, l core.ErasureLog) []block {
	word := func(key string, pairs map[string]string) string { return words.Text(language, "gdpr."+key, pairs) }
	at := func(t time.Time) string {
		return t.Local().Format(map[string]string{words.German: "02.01.2006 15:04", words.English: "2 January 2006 15:04"}[language])
	}
	verdict := "log.valid"
	if core.VerifyErasures(l) != nil {
		verdict = "log.changed"
	}
	out := []block{
		{kind: "title", text: word("export.erasures", nil)},
		{kind: "text", text: word("log.about", map[string]string{"name": oneLine(name), "at": at(now)})},
		{kind: "text", text: word(verdict, nil)},
	}
	if len(l.Entries) == 0 {
		return append(out, block{kind: "text", text: word("export.no_erasures", nil)})
	}
	for _, e := range l.Entries {
		out = append(out, block{
			kind: "row", text: fmt.Sprintf("%d · %s", e.Number, at(e.At)),
			more: word("erased."+e.Kind, nil) + ", " + word("reason."+string(e.Reason), nil) + " · " +
				hex.EncodeToString(e.Subject[:min(subjectShown, len(e.Subject))]),
		})
	}
	last := l.Entries[len(l.Entries)-1]
	return append(out, block{kind: "text", text: word("log.last", map[string]string{"hash": hex.EncodeToString(last.Hash())})})
}
