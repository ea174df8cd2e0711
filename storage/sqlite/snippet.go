package sqlite

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/sqlite/fold"
)

// Sizes of a snippet in bytes: about two lines beside a picture.
const (
	snippetBefore = 40
	snippetSize   = 200
	// maxMarks bounds the marks of a snippet: "a a a a …".
	maxMarks = 32
)

// cutSign stands where text was left out.
const cutSign = "…"

// snippet is the part of text around the first place that fits a pattern, in one
// line, with all such places in it.
func snippet(text string, patterns []string) (string, []chat.Mark) {
	all := places(fold.Map(text), patterns)
	first := 0
	if len(all) > 0 {
		first = all[0].From
	}
	from, to := window(text, first)
	marks := []chat.Mark{}
	shift := -from
	lead, tail := "", ""
	if from > 0 {
		lead = cutSign
		shift += len(cutSign)
	}
	if to < len(text) {
		tail = cutSign
	}
	for _, m := range all {
		if m.From >= from && m.To <= to && len(marks) < maxMarks {
			marks = append(marks, chat.Mark{From: m.From + shift, To: m.To + shift})
		}
	}
	return lead + oneLine(text[from:to]) + tail, marks
}

// oneLine puts a space for each control character, so that nothing moves.
func oneLine(s string) string {
	b := []byte(strings.ToValidUTF8(s, "?"))
	if len(b) != len(s) { // not UTF-8, which the core lets nobody write
		b = []byte(s)
	}
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = ' '
		}
	}
	return string(b)
}

// places are where patterns stand in a text, in order; those that meet are one.
func places(m fold.Mapped, patterns []string) []chat.Mark {
	var all []chat.Mark
	for _, p := range patterns {
		for at := 0; ; {
			i := strings.Index(m.Text[at:], p)
			if i < 0 {
				break
			}
			i += at
			from, to := m.Range(i, i+len(p))
			all = append(all, chat.Mark{From: from, To: to})
			// The space at a word's end is also the next one's beginning.
			at = i + max(1, len(strings.TrimRight(p, " ")))
		}
	}
	slices.SortFunc(all, func(a, b chat.Mark) int {
		if a.From != b.From {
			return a.From - b.From
		}
		return a.To - b.To
	})
	var out []chat.Mark
	for _, n := range all {
		if last := len(out) - 1; last >= 0 && n.From <= out[last].To {
			out[last].To = max(out[last].To, n.To)
			continue
		}
		out = append(out, n)
	}
	return out
}

// window is the part of text that a snippet shows: from a word's beginning a
// little before first on.
func window(text string, first int) (from, to int) {
	if first > snippetBefore {
		from = runeStart(text, first-snippetBefore)
		if i := strings.IndexAny(text[from:first], " \n\t"); i >= 0 {
			from += i + 1
		}
	}
	to = len(text)
	if to-from > snippetSize {
		to = runeStart(text, from+snippetSize)
	}
	return from, to
}

// runeStart is the beginning of the character at byte i, with what shapes it.
func runeStart(s string, i int) int {
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}
