package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

// remains counts in how many decrypted pages and frames of a database's files a
// text stands.
func remains(t *testing.T, path, text string) (found int) {
	t.Helper()
	p, err := cryptvfs.OpenPages(path, &testKey)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close() //nolint:errcheck // only read
	b := make([]byte, cryptvfs.PageSize)
	for n := int64(1); n <= p.Count(); n++ {
		if err := p.MainPage(n, b); err == nil && bytes.Contains(b, []byte(text)) {
			found++
		}
	}
	err = p.Frames(func(_, _ int64, _ bool, b []byte) error {
		if bytes.Contains(b, []byte(text)) {
			found++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func number(n int) (id chat.MessageID) {
	copy(id[:], fmt.Sprintf("%016d", n))
	return id
}

// What is deleted stands in no page of the database and no frame of the WAL: not as
// text, not as an entry of the search index, draft or file name.
func TestDeletedIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	s := openTest(t, path)
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	const all = 1500
	at := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	put(t, s, func(tx *Tx) error { return tx.PutConversation(room, anna, at) })
	secret := func(n int) bool { return n%3 == 0 }
	for from := 1; from <= all; from += 50 {
		put(t, s, func(tx *Tx) error {
			for n := from; n < from+50; n++ {
				text := strings.Repeat("harmlos ", rnd.IntN(60))
				if secret(n) {
					text += strings.Repeat("qzjxwvvk ", 1+rnd.IntN(800))
				}
				m := chat.Message{
					ID: number(n), Conversation: room, Sender: anna, Kind: chat.KindText, Text: text,
					SentAt: at, ReceivedAt: at, State: chat.Received, Seq: uint64(n),
				}
				if secret(n) {
					m.Life, m.ExpiresAt = time.Hour, at.Add(time.Hour)
					m.Attachments = []chat.Attachment{{Name: "qzjxwvvk.pdf"}}
				}
				if _, err := tx.InsertMessage(m); err != nil {
					return err
				}
				if secret(n) {
					f := chat.File{Attachment: m.Attachments[0], Message: m.ID, ID: chat.FileID{byte(n)}, Picture: []byte("qzjxwvvk")}
					if err := tx.PutFile(f); err != nil {
						return err
					}
				}
			}
			return tx.SetDraft(room, strings.Repeat("qzjxwvvk", from))
		})
	}
	for more := true; more; {
		var err error
		if more, err = s.indexSome(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if remains(t, path, "qzjxwvvk") == 0 || remains(t, path, "zjx") == 0 {
		t.Fatal("the test does not find what is there")
	}
	put(t, s, func(tx *Tx) error { return tx.SetDraft(room, "") })
	for again := true; again; {
		put(t, s, func(tx *Tx) error {
			ids, err := tx.Expired(at.Add(time.Hour), 40)
			again = len(ids) > 0
			for _, id := range ids {
				err = errors.Join(err, tx.DeleteMessage(id))
			}
			return err
		})
	}
	if err := s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"qzjxwvvk", "zjx", "jxw", "wvv"} {
		if n := remains(t, path, text); n != 0 {
			t.Errorf("%q is in %d pages or frames", text, n)
		}
	}
	view(t, s, func(tx *ReadTx) error {
		c, err := tx.Conversation(room)
		if c.Unread != all-all/3 || c.Last == nil || c.Last.Seq != all-1 {
			t.Errorf("conversation is %+v", c)
		}
		return err
	})
	put(t, s, func(tx *Tx) error {
		ok, err := tx.InsertMessage(chat.Message{ID: number(3), Conversation: room, Kind: chat.KindText, State: chat.Received, Text: "x", Seq: 3})
		if ok {
			t.Error("a deleted message came back")
		}
		return err
	})
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// Waiting and failed messages stay, and nobody's life is made longer by reading.
func TestExpired(t *testing.T) {
	s := newTest(t)
	at := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	put(t, s, func(tx *Tx) error {
		err := tx.PutConversation(room, anna, at)
		for n, state := range []chat.State{chat.Queued, chat.Failed, chat.Delivered, chat.Received} {
			_, e := tx.InsertMessage(chat.Message{
				ID: number(n), Conversation: room, Kind: chat.KindText, Text: "x", State: state,
				Seq: uint64(n + 1), SentAt: at, Life: time.Hour, ExpiresAt: at.Add(2 * time.Hour),
			}) //nolint:gosec // small
			err = errors.Join(err, e)
		}
		_, e := tx.AddOutbox(chat.OutboxItem{Contact: anna, Message: number(0), Type: 1, CreatedAt: at})
		return errors.Join(err, e, tx.StartLife([]chat.MessageID{number(3)}, at), tx.StartLife([]chat.MessageID{number(2)}, at.Add(24*time.Hour)))
	})
	for after, expected := range map[time.Duration][]chat.MessageID{
		time.Hour - 1: nil, time.Hour: {number(3)}, 2 * time.Hour: {number(3), number(2)},
	} {
		want(t, s, expected, func(tx *ReadTx) ([]chat.MessageID, error) { return tx.Expired(at.Add(after), 10) })
	}
	put(t, s, func(tx *Tx) error { return tx.DeleteMessage(number(3)) })
	want(t, s, 4, func(tx *ReadTx) (uint64, error) { return tx.LastPlace(room) })
	want(t, s, 0, func(tx *ReadTx) (uint64, error) { return tx.LastPlace(chat.ConversationID{9}) })
	timer := chat.Timer{Life: time.Hour, Version: 3, By: bert}
	put(t, s, func(tx *Tx) error { return tx.PutTimer(room, timer) })
	want(t, s, timer, func(tx *ReadTx) (chat.Timer, error) { return tx.Timer(room) })
}
