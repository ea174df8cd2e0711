// Package fold turns text into the form that search compares: words in small
// letters without diacritics, apart by one space. "Die KÄSE-Straße!" becomes
// " die kase strasse ". Text and query are folded alike, and the index is made of
// what comes out, so a change here needs a new Version.
//
// What is folded away, in this order: compatibility forms (NFKD: "ﬁ" is "fi", "²"
// is "2"), case, marks (Mn, Me), characters that only shape others (Cf: soft
// hyphens, joiners; skin tones), and a few letters that no normalisation takes
// apart (ß is ss, ø is o). Punctuation separates words; symbols, emoji and the
// characters of Chinese and Japanese are words of their own.
//
// Promises, for any bytes: the result is valid UTF-8 of letters, numbers, symbols
// and single spaces, it is empty or begins and ends with a space, it holds no
// private-use character and no quotation mark, and folding it again changes
// nothing.
package fold

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Version says how text is folded; it changes with what comes out.
const Version = "1/" + unicode.Version + "/" + norm.Version

// letters are those that lose their shape by no normalisation.
var letters = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ħ': "h", 'ı': "i", 'ς': "σ",
}

// Text folds s.
func Text(s string) string {
	f := folder{out: make([]byte, 0, len(s)+2)}
	for _, r := range norm.NFKD.String(valid(s)) {
		f.add(r, 0, 0)
	}
	return f.end()
}

// valid puts a space for each byte that is not UTF-8, so that all others stay where
// they are.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	b := []byte(s)
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			b[i] = ' '
		}
		i += n
	}
	return string(b)
}

// Mapped is a folded text that knows where it came from.
type Mapped struct {
	Text   string
	source string
	spans  []span // of each byte of Text
}

// span is a range of bytes of the source.
type span struct{ from, to int }

// Map folds s like Text and remembers where each byte comes from.
func Map(s string) Mapped {
	s = valid(s)
	f := folder{out: make([]byte, 0, len(s)+2), mapped: true, spans: make([]span, 0, len(s)+2)}
	for from := 0; from < len(s); {
		to := from + max(1, norm.NFKD.NextBoundaryInString(s[from:], true))
		for _, r := range norm.NFKD.String(s[from:to]) {
			f.add(r, from, to)
		}
		from = to
	}
	return Mapped{Text: f.end(), source: s, spans: f.spans}
}

// Range is where bytes from to to of the folded text come from, in whole
// characters: marks and joined emoji go along with what they belong to. Spaces at
// its ends do not count.
func (m Mapped) Range(from, to int) (start, end int) {
	for from < to && m.Text[from] == ' ' {
		from++
	}
	for to > from && m.Text[to-1] == ' ' {
		to--
	}
	if from >= to {
		return 0, 0
	}
	return m.back(m.spans[from].from), m.forth(m.spans[to-1].to)
}

const joiner = '\u200d'

// forth moves the end of a range over what belongs to the character before it.
func (m Mapped) forth(at int) int {
	for at < len(m.source) {
		r, n := utf8.DecodeRuneInString(m.source[at:])
		if before, _ := utf8.DecodeLastRuneInString(m.source[:at]); !shapes(r) && before != joiner {
			break
		}
		at += n
	}
	return at
}

// back moves the beginning of a range to that of its character.
func (m Mapped) back(at int) int {
	for at > 0 {
		r, _ := utf8.DecodeRuneInString(m.source[at:])
		before, n := utf8.DecodeLastRuneInString(m.source[:at])
		if !shapes(r) && before != joiner {
			break
		}
		at -= n
	}
	return at
}

// folder collects a folded text.
type folder struct {
	out    []byte
	apart  bool // what comes next is a new word
	mapped bool
	spans  []span
}

// add folds one rune of a decomposed text, which came from a range of the source.
func (f *folder) add(r rune, from, to int) {
	if r < utf8.RuneSelf {
		f.addASCII(r, from, to)
		return
	}
	r = unicode.ToLower(r)
	switch {
	case shapes(r):
	case r == utf8.RuneError:
		f.apart = true
	case alone(r):
		f.apart = true
		f.put(string(r), from, to)
		f.apart = true
	case unicode.IsLetter(r) || unicode.IsNumber(r):
		if s, ok := letters[r]; ok {
			f.put(s, from, to)
			return
		}
		f.put(string(r), from, to)
	default:
		f.apart = true
	}
}

func (f *folder) addASCII(r rune, from, to int) {
	switch {
	case 'A' <= r && r <= 'Z':
		r += 'a' - 'A'
	case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
	case strings.ContainsRune("$+<=>^`|~", r):
		f.apart = true
		f.put(string(r), from, to)
		f.apart = true
		return
	default:
		f.apart = true
		return
	}
	f.put(string(r), from, to)
}

func (f *folder) put(s string, from, to int) {
	if f.apart || len(f.out) == 0 {
		f.space(from)
		f.apart = false
	}
	f.out = append(f.out, s...)
	if f.mapped {
		for range len(s) {
			f.spans = append(f.spans, span{from, to})
		}
	}
}

func (f *folder) space(at int) {
	f.out = append(f.out, ' ')
	if f.mapped {
		f.spans = append(f.spans, span{at, at})
	}
}

func (f *folder) end() string {
	if len(f.out) > 0 {
		f.space(0)
	}
	return string(f.out)
}

// shapes reports whether r only changes how others look.
func shapes(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) || 0x1F3FB <= r && r <= 0x1F3FF
}

// alone reports whether r is a word by itself.
func alone(r rune) bool {
	return unicode.IsSymbol(r) || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) && unicode.IsLetter(r)
}
