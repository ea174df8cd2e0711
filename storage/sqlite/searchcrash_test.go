package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/sqlite/madeup"
)

func init() { children["index"] = indexChild }

var crashHistory = madeup.History{Conversations: 5}

// indexChild stores, indexes and deletes messages until it is killed.
func indexChild(path string) error {
	ctx := context.Background()
	s, err := Open(ctx, Config{Path: path, Key: &testKey})
	if err != nil {
		return err
	}
	var from int64
	err = s.View(ctx, func(tx *ReadTx) (err error) {
		from, err = tx.c.int("SELECT coalesce(max(num), 0) FROM message")
		return err
	})
	if err != nil {
		return err
	}
	fmt.Println("begins")
	for i := int(from) * 3; ; i += 60 { // numbers that were taken in a lost transaction come again
		if err := s.Update(ctx, func(tx *Tx) error { return storeSome(tx, i, 60) }); err != nil {
			return err
		}
		if _, err := s.indexSome(ctx); err != nil {
			return err
		}
		if err := s.Update(ctx, forget(crashHistory.Message(i+7).ID)); err != nil {
			return err
		}
	}
}

func storeSome(tx *Tx, from, n int) error {
	for i := from; i < from+n; i++ {
		m := crashHistory.Message(i)
		if err := tx.PutConversation(m.Conversation, m.Sender, m.SentAt); err != nil {
			return err
		}
		if _, err := tx.InsertMessage(m); err != nil {
			return err
		}
	}
	return nil
}

// TestIndexSurvivesKills: whenever the process is killed, the index is whole and
// finds what the messages say, no more and no less.
func TestIndexSurvivesKills(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	rng := rand.New(rand.NewPCG(5, 6))
	begin := time.Now()
	for round := 0; round < 12 && time.Since(begin) < crashTime; round++ {
		killOnceUp(t, child(t.Context(), "index", path), time.Duration(20+rng.IntN(200))*time.Millisecond)
		s := openTest(t, path)
		if round%2 == 1 {
			indexAll(t, s)
		}
		checkIndex(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatal("after round", round)
		}
	}
}

// checkIndex compares what is found with the messages.
func checkIndex(t *testing.T, s *Store) {
	t.Helper()
	var all []chat.Message
	view(t, s, func(tx *ReadTx) (err error) {
		all, err = list(tx.c, func(r *row) chat.Message {
			return chat.Message{Text: r.text()}
		}, "SELECT text FROM message ORDER BY num")
		return err
	})
	put(t, s, func(tx *Tx) error { return tx.do("INSERT INTO search (search) VALUES ('integrity-check')") })
	for _, query := range []string{"nicht", "ein", "termin", "the", "rechnung", "und ich"} {
		q := chat.SearchQuery{Text: query}
		want := expected(all, q)
		if got := texts(searchAll(t, s, q)); !slices.Equal(got, want) {
			t.Errorf("%q finds %d of %d messages, want %d", query, len(got), len(all), len(want))
		}
	}
}
