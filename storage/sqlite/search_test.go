package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	modernc "modernc.org/sqlite"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/sqlite/fold"
	"github.com/kuvert-im/kuvert/storage/sqlite/madeup"
)

// indexAll waits until every message is in the index.
func indexAll(t testing.TB, s *Store) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = s.indexSome(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// searchAll follows the pages to their end.
func searchAll(t testing.TB, s *Store, q chat.SearchQuery) (hits []chat.Hit) {
	t.Helper()
	for pages := 0; ; pages++ {
		var page chat.SearchPage
		view(t, s, func(tx *ReadTx) (err error) {
			page, err = tx.Search(q)
			return err
		})
		hits = append(hits, page.Hits...)
		if page.Next == 0 {
			return hits
		}
		if q.Before != 0 && page.Next >= q.Before || pages > 10_000 {
			t.Fatalf("page after %d goes on at %d", q.Before, page.Next)
		}
		q.Before = page.Next
	}
}

// texts is what a hit's messages say, in their order.
func texts(hits []chat.Hit) (out []string) {
	for _, h := range hits {
		out = append(out, h.Message.Text)
	}
	return out
}

// marked shows a snippet with its marks in brackets.
func marked(h chat.Hit) string {
	var b strings.Builder
	at := 0
	for _, m := range h.Marks {
		b.WriteString(h.Snippet[at:m.From] + "[" + h.Snippet[m.From:m.To] + "]")
		at = m.To
	}
	return b.String() + h.Snippet[at:]
}

// say stores messages one after the other.
func say(t testing.TB, s *Store, all ...string) {
	t.Helper()
	do(t, s, makeRoom)
	put(t, s, func(tx *Tx) error {
		for i, words := range all {
			m := chat.Message{
				ID: chat.MessageID{1, byte(i >> 8), byte(i)}, Conversation: room, Sender: bert, Kind: chat.KindText,
				Text: words, SentAt: t0, ReceivedAt: t0, State: chat.Received, Seq: uint64(i) + 1,
			}
			if _, err := tx.InsertMessage(m); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestSearchFindsGermanWords(t *testing.T) {
	s := newTest(t)
	say(t, s,
		"Die Donaudampfschifffahrtsgesellschaft in der Straße", // 0
		"Käse und Brötchen\nvom Bäcker",                        // 1
		"kein Ka\u0308se mehr, STRASSE gesperrt",               // 2
		"In İzmir, nicht in ISPARTA",                           // 3
		"Bis gleich 👍🏽 ok",                                     // 4
		"Guten Morgen, Anna! Guten Appetit",                    // 5
		"Morgen guten Wein",                                    // 6
		"Rechnung 2024-113 an info@firma.de, 50 € für C++",     // 7
		"Ok, das Okular",                                       // 8
		"今天天气很好",                                               // 9
	)
	for _, indexed := range []bool{false, true} {
		if indexed {
			indexAll(t, s)
		}
		for _, c := range []struct {
			query string
			want  []string // newest first, with marks
		}{
			{"dampfschiff", []string{"Die Donau[dampfschiff]fahrtsgesellschaft in der Straße"}},
			{"kase", []string{"kein [Ka\u0308se] mehr, STRASSE gesperrt", "[Käse] und Brötchen vom Bäcker"}},
			{"KÄSE BÄCK", []string{"[Käse] und Brötchen vom [Bäck]er"}},
			{"strasse", []string{"kein Ka\u0308se mehr, [STRASSE] gesperrt", "…in der [Straße]"}},
			{"Straße", []string{"kein Ka\u0308se mehr, [STRASSE] gesperrt", "…in der [Straße]"}},
			{"izmir", []string{"In [İzmir], nicht in ISPARTA"}},
			{"ısparta", []string{"In İzmir, nicht in [ISPARTA]"}},
			{"👍", []string{"Bis gleich [👍🏽] ok"}},
			{"ok", []string{"[Ok], das [Ok]ular", "Bis gleich 👍🏽 [ok]"}},
			{`"guten morgen"`, []string{"[Guten Morgen], Anna! Guten Appetit"}},
			{`"guten mor`, []string{"[Guten Mor]gen, Anna! Guten Appetit"}},
			{"guten morgen", []string{"[Morgen] [guten] Wein", "[Guten] [Morgen], Anna! [Guten] Appetit"}},
			{`"gut"`, nil},
			{"2024-113", []string{"Rechnung [2024-113] an info@firma.de, 50 € für C++"}},
			{"firma.de", []string{"Rechnung 2024-113 an info@[firma.de], 50 € für C++"}},
			{"c++", []string{"…2024-113 an info@firma.de, 50 € für [C++]"}},
			{"天气", []string{"今天[天气]很好"}},
			{"€", []string{"Rechnung 2024-113 an info@firma.de, 50 [€] für C++"}},
			{"xyzzy", nil},
			{"", nil},
			{"   \"\" ?", nil},
		} {
			var got []string
			for _, h := range searchAll(t, s, chat.SearchQuery{Text: c.query}) {
				got = append(got, marked(h))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("indexed %v, %q finds\n %q, want\n %q", indexed, c.query, got, c.want)
			}
		}
	}
}

func TestSearchTakesAnyQuery(t *testing.T) {
	s := newTest(t)
	say(t, s, "Hallo Welt, das ist text: NEAR und OR", "andere Nachricht")
	indexAll(t, s)
	for _, q := range []string{
		`"`, `""`, `"""`, `'`, `' OR 1=1 --`, `hallo" OR "welt`, `text:hallo`, `hal*`, `^hallo`, `NEAR(hallo welt)`, `hallo AND`,
		`hallo NOT welt`, `{text conversation}: hallo`, `-hallo`, `hallo + welt`, "hallo\x00welt", "\xff\xfe", `hallo) (`, `\`, `%`, `_`,
		strings.Repeat("hallo ", 1000), strings.Repeat(`"`, 1000), mark(markConversation, 1), mark(markYear, 36), `"); DROP TABLE search; --`,
	} {
		view(t, s, func(tx *ReadTx) error {
			page, err := tx.Search(chat.SearchQuery{Text: q})
			if err != nil {
				t.Errorf("%.40q: %v", q, err)
			}
			if len(page.Hits) > 1 {
				t.Errorf("%.40q finds %q", q, texts(page.Hits))
			}
			return nil
		})
	}
	if got := searchAll(t, s, chat.SearchQuery{Text: "hallo NEAR or"}); len(got) != 1 {
		t.Errorf("words of a query language are words: found %d", len(got))
	}
}

// fill stores made-up messages and returns them.
func fill(t testing.TB, s *Store, h madeup.History, from, to int) (all []chat.Message) {
	t.Helper()
	for from < to {
		put(t, s, func(tx *Tx) error {
			for range min(1000, to-from) {
				m := h.Message(from)
				if err := tx.PutConversation(m.Conversation, m.Sender, m.SentAt); err != nil {
					return err
				}
				if _, err := tx.InsertMessage(m); err != nil {
					return err
				}
				all = append(all, m)
				from++
			}
			return nil
		})
	}
	return all
}

// expected finds what Search must, the slow way.
func expected(all []chat.Message, q chat.SearchQuery) (out []string) {
	patterns := fold.Patterns(q.Text)
	for _, m := range slices.Backward(all) {
		at := m.ShownAt()
		fits := (q.Conversation.IsZero() || m.Conversation == q.Conversation) && (q.Sender.IsZero() || m.Sender == q.Sender) &&
			(q.Since.IsZero() || !at.Before(q.Since)) && (q.Until.IsZero() || at.Before(q.Until))
		for _, p := range patterns {
			fits = fits && strings.Contains(fold.Text(m.Text), p)
		}
		if fits {
			out = append(out, m.Text)
		}
	}
	return out
}

func TestSearchFindsAllAndNothingElse(t *testing.T) {
	s := newTest(t)
	h := madeup.History{Conversations: 20}
	// Some are there before the index, some while it is made, some after.
	all := fill(t, s, h, 0, 2000)
	put(t, s, func(tx *Tx) error {
		return tx.do("UPDATE search_state SET version = 'older'")
	})
	for range 4 {
		if _, err := s.indexSome(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	all = append(all, fill(t, s, h, 2000, 3000)...)
	rng := rand.New(rand.NewPCG(1, 2))
	queries := []chat.SearchQuery{}
	for range 60 {
		m := all[rng.IntN(len(all))]
		words := strings.Fields(m.Text)
		q := chat.SearchQuery{Text: words[rng.IntN(len(words))], Limit: 1 + rng.IntN(60)}
		if r := []rune(q.Text); len(r) > 5 && rng.IntN(2) == 0 {
			q.Text = string(r[1 : len(r)-1])
		}
		if rng.IntN(3) == 0 {
			q.Text += " " + words[0]
		}
		if rng.IntN(4) == 0 {
			q.Text = `"` + strings.Join(words[:min(2, len(words))], " ") + `"`
		}
		if rng.IntN(3) == 0 {
			q.Conversation = m.Conversation
		}
		if rng.IntN(4) == 0 {
			q.Sender = m.Sender
		}
		if rng.IntN(4) == 0 {
			q.Since = m.SentAt.Add(-48 * time.Hour)
		}
		if rng.IntN(4) == 0 {
			q.Until = m.SentAt.Add(time.Second)
		}
		queries = append(queries, q)
	}
	queries = append(queries,
		chat.SearchQuery{Conversation: h.ConversationID(3)}, chat.SearchQuery{Text: "ein", Conversation: chat.ConversationID{1, 2, 3}},
		chat.SearchQuery{Text: "ein", Since: all[len(all)-1].SentAt.AddDate(3, 0, 0)}, chat.SearchQuery{Text: "ein", Until: t0.AddDate(-90, 0, 0)},
		chat.SearchQuery{Text: "ein", Since: t0.AddDate(-90, 0, 0)}, chat.SearchQuery{Until: all[9].SentAt})
	check := func(when string) {
		t.Helper()
		for _, q := range queries {
			want := expected(all, q)
			if got := texts(searchAll(t, s, q)); !slices.Equal(got, want) {
				t.Errorf("%s: %+v finds %d, want %d", when, q, len(got), len(want))
			}
		}
	}
	check("half indexed")
	indexAll(t, s)
	check("indexed")
}

func TestSearchFindsFiles(t *testing.T) {
	s := newTest(t)
	say(t, s, "ohne alles Angebot")
	m := chat.Message{
		ID: chat.MessageID{9}, Conversation: room, Sender: anna, Kind: chat.KindText, Text: "Anbei", SentAt: t0, ReceivedAt: t0,
		State: chat.Received, Seq: 7, Attachments: []chat.Attachment{{Name: "Angebot Böhm.pdf"}},
	}
	put(t, s, func(tx *Tx) error {
		if _, err := tx.InsertMessage(m); err != nil {
			return err
		}
		return tx.PutFile(chat.File{Attachment: m.Attachments[0], Message: m.ID})
	})
	for range 2 {
		got := searchAll(t, s, chat.SearchQuery{Text: "angebot bohm"})
		if len(got) != 1 || marked(got[0]) != "Anbei [Angebot] [Böhm].pdf" || len(got[0].Message.Attachments) != 1 {
			t.Errorf("found %+v", got)
		}
		if got := searchAll(t, s, chat.SearchQuery{Text: "angebot", HasFile: true}); len(got) != 1 || got[0].Message.ID != m.ID {
			t.Errorf("with a file: found %+v", got)
		}
		indexAll(t, s)
	}
}

func TestSearchLeavesNoticesOut(t *testing.T) {
	s := newTest(t)
	say(t, s, "verified ist ein Wort")
	put(t, s, func(tx *Tx) error {
		_, err := tx.InsertMessage(chat.Message{
			ID: chat.MessageID{8}, Conversation: room, Kind: chat.KindNotice, Text: string(chat.NoticeVerified), SentAt: t0, Seq: 9,
		})
		return err
	})
	for range 2 {
		if got := searchAll(t, s, chat.SearchQuery{Text: "verified"}); len(got) != 1 {
			t.Errorf("found %q", texts(got))
		}
		indexAll(t, s)
	}
}

func TestIndexIsKeptByTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	s := openTest(t, path)
	say(t, s, "Hallo")
	deadline := time.Now().Add(10 * time.Second)
	for waits := true; waits; {
		if time.Now().After(deadline) {
			t.Fatal("the message was not taken into the index")
		}
		time.Sleep(20 * time.Millisecond)
		view(t, s, func(tx *ReadTx) (err error) {
			waits, err = tx.unindexed()
			return err
		})
	}
}

func TestIndexOfAnotherVersionIsMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	s := openTest(t, path)
	say(t, s, "Quarkqwxtorte", "Hallo Welt")
	indexAll(t, s)
	old := map[string]bool{"qwx": true}
	if len(rawTerms(t, s, old)) != 1 {
		t.Fatal("control: not in the index")
	}
	put(t, s, func(tx *Tx) error {
		if err := tx.do("UPDATE search_state SET version = 'older'"); err != nil {
			return err
		}
		return tx.do("UPDATE message SET text = 'anders' WHERE text LIKE 'Quark%'")
	})
	indexAll(t, s)
	if found := rawTerms(t, s, old); len(found) != 0 {
		t.Errorf("the new index holds %q", found)
	}
	if got := searchAll(t, s, chat.SearchQuery{Text: "hallo"}); len(got) != 1 {
		t.Errorf("found %q", texts(got))
	}
}

// forget deletes a message as the code that deletes messages must.
func forget(id chat.MessageID) func(*Tx) error {
	return func(tx *Tx) error {
		if err := tx.unindex(id); err != nil {
			return err
		}
		return tx.do("DELETE FROM message WHERE id = ?", id)
	}
}

func TestDeletionLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	s := openTest(t, path)
	h := madeup.History{Conversations: 3}
	fill(t, s, h, 0, 500)
	secrets := []string{"Xylophonquietsch ÿøq wqxjz", "Qwxzyvk Grüßeqxj"}
	say(t, s, secrets...)
	indexAll(t, s)
	fill(t, s, h, 500, 1500)
	indexAll(t, s)
	grams := map[string]bool{}
	for _, text := range secrets {
		for _, p := range []string{"qwx", "xzy", "zyv", "yvk", "seqxj"[2:], "wqx", "qxj", "xjz"} {
			if strings.Contains(fold.Text(text), p) {
				grams[p] = true
			}
		}
	}
	found := rawTerms(t, s, grams)
	if len(found) != len(grams) {
		t.Fatalf("control: the index shows %q of %v", found, grams)
	}
	for i := range secrets {
		do(t, s, forget(chat.MessageID{1, 0, byte(i)}))
	}
	if got := searchAll(t, s, chat.SearchQuery{Text: "xylophon"}); len(got) != 0 {
		t.Errorf("still found: %q", texts(got))
	}
	if found := rawTerms(t, s, grams); len(found) != 0 {
		t.Errorf("the index still holds %q", found)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c, done := openRaw(t, path, accessWrite)
	if err := c.script(t.Context(), "INSERT INTO search (search) VALUES ('integrity-check')"); err != nil {
		t.Error(err)
	}
	plain := path + ".plain"
	copyPages(t, c, plain)
	if err := done(); err != nil {
		t.Fatal(err)
	}
	raw := readFile(t, plain)
	for _, text := range append(slices.Collect(mapKeys(grams)), secrets...) {
		if bytes.Contains(raw, []byte(text)) {
			t.Errorf("the file still holds %q", text)
		}
	}
}

// copyPages writes the database's pages as they are, free ones too, but not
// encrypted.
func copyPages(t *testing.T, c *conn, to string) {
	t.Helper()
	b, ok := c.dc.(interface {
		NewBackup(to string) (*modernc.Backup, error)
	})
	if !ok {
		t.Fatal("the driver copies no pages")
	}
	backup, err := b.NewBackup("file:" + to + "?vfs=" + systemVFS)
	if err != nil {
		t.Fatal(err)
	}
	_, err = backup.Step(-1)
	if err := errors.Join(err, backup.Finish()); err != nil {
		t.Fatal(err)
	}
}

func mapKeys(m map[string]bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// rawTerms returns which of the entries the index holds.
func rawTerms(t *testing.T, s *Store, wanted map[string]bool) (found []string) {
	t.Helper()
	put(t, s, func(tx *Tx) error {
		if err := tx.do("CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocab USING fts5vocab (main, search, row)"); err != nil {
			return err
		}
		terms, err := list(tx.c, func(r *row) string { return r.text() }, "SELECT term FROM temp.vocab")
		for _, term := range terms {
			if wanted[term] {
				found = append(found, term)
			}
		}
		return err
	})
	return found
}

func TestUnindexOfWhatIsNotIndexed(t *testing.T) {
	s := newTest(t)
	say(t, s, "eins", "zwei")
	do(t, s, forget(chat.MessageID{1, 0, 0}))
	do(t, s, forget(chat.MessageID{7, 7, 7}))
	indexAll(t, s)
	if got := searchAll(t, s, chat.SearchQuery{Text: "zwei"}); len(got) != 1 {
		t.Errorf("found %q", texts(got))
	}
	put(t, s, func(tx *Tx) error {
		id := chat.MessageID{1, 0, 1}
		if err := tx.unindex(id); err != nil {
			return err
		}
		if err := tx.do("UPDATE message SET text = 'drei' WHERE id = ?", id); err != nil {
			return err
		}
		return tx.reindex(id)
	})
	if got := searchAll(t, s, chat.SearchQuery{Text: "drei"}); len(got) != 1 {
		t.Errorf("found %q", texts(got))
	}
}

func TestSnippetIsShortAndWhole(t *testing.T) {
	long := strings.Repeat("vorher viele Wörter ", 200) + "gesuchte Stelle" + strings.Repeat(" nachher", 300)
	got, marks := snippet(long, fold.Patterns("gesucht"))
	if len(got) > snippetSize+2*len(cutSign) || len(marks) != 1 || got[marks[0].From:marks[0].To] != "gesucht" {
		t.Errorf("%q %v", got, marks)
	}
	if !strings.HasPrefix(got, cutSign) || !strings.HasSuffix(got, cutSign) {
		t.Errorf("nothing says that %q is cut", got)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	parts := []string{"ä", "a\u0308", "👨‍👩‍👧", "ß", "abc", "\n", " ", "你", "👍🏽", "-"}
	for range 3000 {
		var b strings.Builder
		for range 1 + rng.IntN(120) {
			b.WriteString(parts[rng.IntN(len(parts))])
		}
		got, marks := snippet(b.String(), fold.Patterns("ab 👍 你 \"s a\""))
		if !utf8.ValidString(got) {
			t.Fatalf("%q cuts a character", got)
		}
		at := 0
		for _, m := range marks {
			if m.From < at || m.To <= m.From || m.To > len(got) || !utf8.ValidString(got[m.From:m.To]) {
				t.Fatalf("%q has marks %v", got, marks)
			}
			at = m.To
		}
	}
}

var systemVFS = map[bool]string{true: "win32", false: "unix"}[runtime.GOOS == "windows"]

func TestPeriodMarks(t *testing.T) {
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		since, until time.Time
		n            int
	}{
		{day(2024, 3, 5), day(2024, 3, 9), 1},
		{day(2024, 3, 5), day(2024, 4, 1), 2},
		{day(2022, 11, 5), day(2025, 2, 1), 2 + 2 + 2},
		{time.Time{}, time.Time{}, lastYear - firstYear + 1},
		{day(2500, 1, 1), time.Time{}, 1},
		{time.Time{}, day(1200, 1, 1), 1},
		{day(2025, 1, 1), day(2024, 1, 1), 0},
	} {
		if got := periodMarks(c.since, c.until); len(got) != c.n {
			t.Errorf("%v to %v: %d marks, want %d", c.since, c.until, len(got), c.n)
		}
	}
	for range 2000 {
		at := time.Unix(rand.Int64N(1<<37)-1<<36, 0).UTC()
		p := periodMarks(at.Add(-time.Hour), at.Add(time.Hour))
		if !slices.Contains(p, yearMark(yearOf(at))) && !slices.Contains(p, monthOf(at)) {
			t.Fatalf("%v is not in its own period %v", at, fmt.Sprintf("%+q", p))
		}
	}
}
