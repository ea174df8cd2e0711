// Package madeup makes up a history of any length: conversations of unequal size,
// in German and English, with words as unequally frequent as in real texts. The
// benchmarks and tests of search use it.
//
// The word lists were written for this package. They begin with the most frequent
// words; compounds.txt holds first parts on one line and last parts on the other,
// which make some thousand rarer words. The same number always gives the same
// message, so that nothing has to be stored.
package madeup

import (
	_ "embed" // the word lists
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

var (
	//go:embed german.txt
	germanText string
	//go:embed english.txt
	englishText string
	//go:embed compounds.txt
	compoundText string

	german  = append(strings.Fields(germanText), compounds()...)
	english = strings.Fields(englishText)
)

// Lengths of messages in words.
const (
	leastWords = 2
	meanMore   = 9 // words beyond the least, on average
	mostWords  = 60
)

// numbered is how many messages have one with a number in it: an invoice's, a
// time, a price.
const numbered = 12

// begin and step place the messages in time: a million take about nine years.
var begin = time.Date(2017, 1, 2, 8, 0, 0, 0, time.UTC)

const step = 5 * time.Minute

// History is a made-up history.
type History struct {
	Conversations int
}

// compounds joins each first part with each last part.
func compounds() []string {
	heads, tails, _ := strings.Cut(compoundText, "\n")
	var words []string
	for _, h := range strings.Fields(heads) {
		for _, t := range strings.Fields(tails) {
			words = append(words, h+t)
		}
	}
	// In alphabetical order all of one beginning would be as frequent.
	rng := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // made-up data
	rng.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	return words
}

// ConversationID of conversation n, from 0.
func (History) ConversationID(n int) chat.ConversationID { return id16('c', n) }

// Contact is whose conversation n is.
func (History) Contact(n int) chat.PersonID {
	a := id16('p', n)
	var p chat.PersonID
	copy(p[:], a[:])
	p[31] = 'p'
	return p
}

// Message makes message i, from 0.
func (h History) Message(i int) chat.Message {
	rng := rand.New(rand.NewPCG(7, uint64(i))) //nolint:gosec // made-up data
	n := h.conversation(rng)
	m := chat.Message{
		ID: id16('m', i), Conversation: h.ConversationID(n), Sender: h.Contact(n),
		Kind: chat.KindText, State: chat.Received, Seq: uint64(i) + 1, //nolint:gosec // from 0
		SentAt: begin.Add(time.Duration(i) * step),
	}
	m.ReceivedAt = m.SentAt.Add(time.Second)
	if rng.IntN(2) == 0 {
		m.Sender, m.State = chat.PersonID{1}, chat.Read
	}
	m.Text = h.text(rng, n)
	return m
}

// conversation is more often one of the first: a few people are written to daily,
// most now and then.
func (h History) conversation(rng *rand.Rand) int {
	return int(math.Pow(float64(h.Conversations+1), rng.Float64())) - 1
}

// text is in English in every fifth conversation.
func (h History) text(rng *rand.Rand, n int) string {
	words := german
	if n%5 == 4 {
		words = english
	}
	count := min(leastWords+int(rng.ExpFloat64()*meanMore), mostWords)
	var b strings.Builder
	for i := range count {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(words[zipf(rng, len(words))])
		if i < count-1 && rng.IntN(9) == 0 {
			b.WriteByte(',')
		}
	}
	if rng.IntN(numbered) == 0 {
		b.WriteString(" " + strconv.Itoa(rng.IntN(100_000)))
	}
	b.WriteByte(".?!"[rng.IntN(3)])
	return b.String()
}

// zipf picks rank r of n with a probability that falls with 1/(r+1).
func zipf(rng *rand.Rand, n int) int {
	return min(int(math.Pow(float64(n+1), rng.Float64()))-1, n-1)
}

// id16 spreads like a random id.
func id16(kind byte, n int) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], uint64(n+1)*0x9e3779b97f4a7c15) //nolint:gosec // wraps on purpose
	id[15] = kind
	return id
}
