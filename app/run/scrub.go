package run

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
)

// logLevelEnv names the least level that is logged, "debug" for instance; without it
// "info".
const logLevelEnv = "KUVERT_LOG"

// newLog is a profile's or node's log. The file is not encrypted, so that it can be
// read when nothing else opens: what says who this person is in touch with is left
// out of it, wherever an error brought it along.
func newLog(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(os.Getenv(logLevelEnv))) // what is no level leaves info
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: scrubAttr}))
}

// scrubAttr is for slog.HandlerOptions. Messages are constant texts; times and numbers
// say nothing.
func scrubAttr(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return a
	}
	v := a.Value.Resolve()
	if v.Kind() == slog.KindString || v.Kind() == slog.KindAny {
		a.Value = slog.StringValue(scrub(fmt.Sprintf("%+v", v.Any())))
	}
	return a
}

// scrubs are what is replaced, in this order.
var scrubs = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`"(?:[^"\\]|\\.)*"`), "[text]"}, // what somebody typed or sent
	{regexp.MustCompile(`/(?:ip[46]|dns[46]?|dnsaddr)/[^/\s]+`), "/[address]"},
	{regexp.MustCompile(`\b(?:12D3KooW|16Uiu2HA|Qm)[1-9A-HJ-NP-Za-km-z]{30,}`), "[machine]"},
	{regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+|/\d+)?`), "[address]"},
	{regexp.MustCompile(`\[?(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:%\w+)?(?:\]:\d+|/\d+)?`), "[address]"},
	{regexp.MustCompile(`\b[a-z2-7]{52}\b|\b[0-9a-fA-F]{32,}\b`), "[id]"},
}

// scrub takes addresses, keys, ids and quoted texts out of an error's text.
func scrub(text string) string {
	for _, s := range scrubs {
		text = s.what.ReplaceAllString(text, s.with)
	}
	return text
}
