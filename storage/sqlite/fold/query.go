package fold

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a query. What is beyond them is left out: whatever a person types or
// pastes finds something or nothing, and is never an error.
const (
	// MaxQuery in bytes: a long sentence.
	MaxQuery = 512
	// MaxPatterns is how many words and phrases are looked for.
	MaxPatterns = 16
)

// quotes begin and end a phrase, in German, English and French texts.
const quotes = "\"„“”«»"

// Patterns says what a query asks for: texts that must all stand somewhere in the
// folded message, each of at least three characters. Words of three or more
// characters are found inside others ("schiff" in "Dampfschiff"), of two at the
// beginning of a word, of one as a whole word. What stands in quotation marks is
// found as whole words in this order; while the second mark is missing, its last
// word may go on.
func Patterns(query string) []string {
	if len(query) > MaxQuery {
		query = query[:MaxQuery]
	}
	query = strings.ToValidUTF8(query, " ")
	var out []string
	for quoted := false; ; quoted = !quoted {
		part, rest, more := cutQuote(query)
		if quoted {
			out = add(out, phrase(part, more))
		} else {
			for _, w := range strings.Fields(part) {
				out = add(out, word(w))
			}
		}
		if !more {
			return out
		}
		query = rest
	}
}

// cutQuote returns what stands before and after the first quotation mark.
func cutQuote(s string) (before, after string, found bool) {
	i := strings.IndexAny(s, quotes)
	if i < 0 {
		return s, "", false
	}
	_, n := utf8.DecodeRuneInString(s[i:])
	return s[:i], s[i+n:], true
}

func add(out []string, p string) []string {
	if p == "" || len(out) == MaxPatterns || slices.Contains(out, p) {
		return out
	}
	return append(out, p)
}

// word is the pattern of what stands between two spaces; "" if there is nothing to
// look for in it.
func word(w string) string {
	f := Text(w)
	core := strings.Trim(f, " ")
	switch utf8.RuneCountInString(core) {
	case 0:
		return ""
	case 1:
		return f
	case 2:
		return " " + core
	default:
		return core
	}
}

// phrase is the pattern of what stands in quotation marks.
func phrase(s string, closed bool) string {
	f := Text(s)
	if open := strings.TrimSuffix(f, " "); !closed && utf8.RuneCountInString(open) > 2 {
		return open
	}
	return f
}
