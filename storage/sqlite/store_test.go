package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

var testKey = cryptvfs.Key{1, 2, 3}

// openRaw opens one connection without a store; the returned function closes it.
func openRaw(t testing.TB, path string, a access) (c *conn, done func() error) {
	t.Helper()
	db, err := cryptvfs.Open(path, &testKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err = connect(t.Context(), dsn(db, a))
	if err != nil {
		t.Fatal(err, db.Close())
	}
	return c, func() error { return errors.Join(c.close(), db.Close()) }
}

func openTest(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(context.Background(), Config{Path: path, Key: &testKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func newTest(t testing.TB) *Store { return openTest(t, filepath.Join(t.TempDir(), "kuvert.db")) }

func put(t testing.TB, s *Store, fn func(*Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, s *Store, fn func(*ReadTx) error) {
	t.Helper()
	if err := s.View(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

var t0 = time.Date(2026, 3, 29, 1, 59, 59, 123e6, time.UTC)

func TestUpdateIsThereAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	s := openTest(t, path)
	c := chat.Contact{ID: chat.PersonID{1}, Name: "Anna", GivenName: "Anna Käse", AddedAt: t0}
	m := chat.Message{
		ID: chat.MessageID{2}, Conversation: chat.ConversationID{3}, Sender: c.ID,
		Kind: chat.KindText, Text: "Grüße", SentAt: t0, ReceivedAt: t0, State: chat.Received, Seq: 1,
	}
	put(t, s, func(tx *Tx) error {
		if err := tx.PutContact(c); err != nil {
			return err
		}
		if err := tx.PutConversation(m.Conversation, c.ID, t0); err != nil {
			return err
		}
		if ok, err := tx.InsertMessage(m); !ok || err != nil {
			t.Fatal(ok, err)
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, path)
	view(t, s, func(tx *ReadTx) error {
		got, err := tx.Contact(c.ID)
		if err != nil || got != c {
			t.Errorf("contact %+v, %v", got, err)
		}
		list, err := tx.Conversations()
		if err != nil || len(list) != 1 || list[0].Unread != 1 || !reflect.DeepEqual(*list[0].Last, m) {
			t.Errorf("conversations %+v, %v", list, err)
		}
		return nil
	})
}
