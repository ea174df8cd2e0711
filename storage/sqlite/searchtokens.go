package sqlite

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/sqlite/fold"
)

// searchVersion says what the index is made of: of folded texts and of the marks
// below. Another one makes the index anew.
const searchVersion = "1 " + fold.Version

// gramSize is how many characters make an entry of the index.
const gramSize = 3

// A mark says something of a message that is not in its text: whose conversation it
// is, from when. It is made of private-use characters, which no folded text holds,
// and is as long as what the index takes for one entry.
const (
	markConversation rune = 0xE000 + iota
	markSender
	markYear
	markMonth
	markFile

	markDigits = 0xE100 // the first of markBase digits
	markBase   = 6000
)

// mark makes an entry of a kind and a number. Numbers beyond markBase² begin anew:
// what is found is looked at once more.
func mark(kind rune, n int64) string {
	n = max(n, 0)
	return string([]rune{kind, markDigits + rune(n/markBase%markBase), markDigits + rune(n%markBase)})
}

func conversationMark(num int64) string { return mark(markConversation, num) }

func senderMark(id chat.PersonID) string {
	return mark(markSender, int64(binary.BigEndian.Uint32(id[:])%(markBase*markBase)))
}

// Times outside of these years count as of the first or the last.
const (
	firstYear = 1990
	lastYear  = 2100
)

func yearOf(at time.Time) int { return min(max(at.UTC().Year(), firstYear), lastYear) }

func yearMark(year int) string { return mark(markYear, int64(year-firstYear)) }

func monthMark(year int, m time.Month) string {
	return mark(markMonth, int64(12*(year-firstYear)+int(m)-1))
}

func monthOf(at time.Time) string {
	switch year := at.UTC().Year(); {
	case year < firstYear:
		return monthMark(firstYear, time.January)
	case year > lastYear:
		return monthMark(lastYear, time.December)
	}
	return monthMark(at.UTC().Year(), at.UTC().Month())
}

// entry is what the index holds of a message.
type entry struct {
	text, conversation, sender, year, month, file string
}

func (c *candidate) entry() entry {
	at := c.message.ShownAt()
	e := entry{
		text: fold.Text(c.source()), conversation: conversationMark(c.conversation), sender: senderMark(c.message.Sender),
		year: yearMark(yearOf(at)), month: monthOf(at),
	}
	if c.message.Attachments != nil {
		e.file = mark(markFile, 0)
	}
	return e
}

// each calls f for each different entry of the index.
func (e entry) each(f func(gram string)) {
	seen := map[string]bool{}
	for g := range grams(e.text) {
		if !seen[g] {
			seen[g] = true
			f(g)
		}
	}
	for _, m := range []string{e.conversation, e.sender, e.year, e.month, e.file} {
		if m != "" {
			f(m)
		}
	}
}

// grams yields every gramSize characters in a row.
func grams(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		var starts [gramSize]int
		n := 0
		for i, r := range s {
			copy(starts[:], starts[1:])
			starts[gramSize-1] = i
			if n++; n >= gramSize && !yield(s[starts[0]:i+utf8.RuneLen(r)]) {
				return
			}
		}
	}
}

// alternatives are entries of which a message has at least one.
type alternatives []string

// expression of the index's own query language. No entry holds a quotation mark.
func (a alternatives) expression() string {
	return `("` + strings.Join(a, `" OR "`) + `")`
}

// periodMarks are the years and months in which messages of a period lie: months
// where it begins and ends, whole years between.
func periodMarks(since, until time.Time) alternatives {
	from, to := time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(lastYear, 12, 31, 0, 0, 0, 0, time.UTC)
	if !since.IsZero() && since.After(from) {
		from = since.UTC()
	}
	if !until.IsZero() && until.Before(to) {
		to = until.UTC()
	}
	first, last := monthNumber(from), monthNumber(to)
	first, last = min(max(first, 0), monthNumber(time.Date(lastYear, 12, 1, 0, 0, 0, 0, time.UTC))), max(last, 0)
	var out alternatives
	for n := first; n <= last; {
		if n%12 == 0 && n+11 <= last {
			out = append(out, mark(markYear, int64(n/12)))
			n += 12
			continue
		}
		out = append(out, mark(markMonth, int64(n)))
		n++
	}
	return out
}

func monthNumber(at time.Time) int { return 12*(at.Year()-firstYear) + int(at.Month()) - 1 }

// frequencies says how often each entry of the index stands in messages: counted
// in some of them, spread over all.
type frequencies struct {
	counts   map[string]int
	messages int   // that were looked at
	newest   int64 // number of the newest message then
}

// share estimates in which part of all messages one of a stands. What was never
// seen is rare, not absent.
func (f *frequencies) share(a alternatives) float64 {
	n := 0.5
	for _, g := range a {
		n += float64(f.counts[g])
	}
	return min(1, n/float64(f.messages+1))
}

// readCost is how many times as long it takes to read and check a message as to
// pass over one in an entry's list: about 30 µs and 50 ns.
const readCost = 500

// choose picks what the index is asked for: the rarest entries, as long as one more
// spares more messages to be read than its own list is long. What is not asked for
// is checked in the messages. passed is how many places in lists are passed over
// for each message there is.
func (f *frequencies) choose(all []alternatives) (chosen []alternatives, passed float64) {
	slices.SortStableFunc(all, func(a, b alternatives) int {
		switch x, y := f.share(a), f.share(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		default:
			return 0
		}
	})
	left := 1.0 // share of the messages that would be read
	for i, a := range all {
		share := f.share(a)
		if i > 0 && left*(1-share)*readCost < share {
			return all[:i], passed
		}
		left *= share
		passed += share
	}
	return all, passed
}
