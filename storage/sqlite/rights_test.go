package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

// traces tells where some bytes stand in the decrypted files of a database.
func traces(t *testing.T, path string, planted map[string][]byte) (found []string) {
	t.Helper()
	err := cryptvfs.Pieces(path, &testKey, func(p cryptvfs.Piece) error {
		for what, b := range planted {
			if bytes.Contains(p.Content, b) {
				found = append(found, fmt.Sprintf("%s on page %d (WAL %v)", what, p.Number, p.WAL))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// fillPerson stores something of a person in every table.
func fillPerson(tx *Tx, id chat.PersonID, conv chat.ConversationID, mark string) error {
	m := chat.Message{
		ID: chat.MessageID{1, id[0]}, Conversation: conv, Sender: id, Kind: chat.KindText, Text: "text " + mark,
		State: chat.Received, Seq: 1, SentAt: t0, ReceivedAt: t0, Attachments: []chat.Attachment{{Name: "name " + mark}},
	}
	host := [32]byte{9, id[0]}
	errs := []error{
		tx.PutContact(chat.Contact{ID: id, Name: mark, GivenName: mark, AddedAt: t0}), tx.PutPeer(id, []byte("peer "+mark)),
		tx.PutHost(chat.Host{Contact: id, HostKey: host, Addrs: []string{mark}, SeenAt: t0}),
		tx.PutRequest(chat.Request{ID: id, Name: mark, ReceivedAt: t0, Frame: []byte(mark)}),
		tx.PutConversation(conv, id, t0),
	}
	_, err := tx.InsertMessage(m)
	errs = append(errs, err, tx.PutFile(chat.File{Attachment: m.Attachments[0], Message: m.ID, ID: chat.FileID{3, id[0]}, Identity: mark}),
		tx.SetDraft(conv, "draft "+mark), tx.PutSeen([32]byte{5, id[0]}, id, t0, true),
		tx.PutInvitation(chat.Invitation{ID: [16]byte{6, id[0]}, Code: mark, UsedBy: id, UsedAt: t0}),
		tx.PutJoining(chat.Joining{ID: [16]byte{7, id[0]}, Contact: id, Code: mark}),
		tx.PutContacted(chat.Contacted{Kind: chat.ContactPerson, Person: id, Host: host, Addr: mark, First: t0, Last: t0, Count: 1}),
		tx.PutContacted(chat.Contacted{Kind: chat.ContactStranger, Host: host, Addr: mark, First: t0, Last: t0, Count: 1}))
	_, err = tx.AddOutbox(chat.OutboxItem{Contact: id, Message: chat.MessageID{8, id[0]}, Payload: []byte(mark), CreatedAt: t0})
	errs = append(errs, err)
	_, err = tx.PutQueue(chat.Queue{Contact: id, Addrs: []string{mark}, Host: host})
	return errors.Join(append(errs, err)...)
}

func TestErasePersonLeavesNoTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	s := openTest(t, path)
	gone, stays := chat.PersonID(bytes.Repeat([]byte{0xA7}, 32)), chat.PersonID(bytes.Repeat([]byte{0xB3}, 32))
	goneConv, staysConv := chat.ConversationID(bytes.Repeat([]byte{0xC5}, 16)), chat.ConversationID(bytes.Repeat([]byte{0xD9}, 16))
	put(t, s, func(tx *Tx) error {
		return errors.Join(fillPerson(tx, gone, goneConv, "Xylophonquartett"), fillPerson(tx, stays, staysConv, "Quarzsandmenge"))
	})
	indexAll(t, s)
	planted := map[string][]byte{"mark": []byte("Xylophonquartett"), "id": gone[:], "conversation": goneConv[:]}
	if err := s.Scrub(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := traces(t, path, planted)
	for what := range planted {
		if !bytes.Contains([]byte(fmt.Sprint(before)), []byte(what+" on")) {
			t.Errorf("%s was not found before: the test looks at the wrong place", what)
		}
	}
	put(t, s, func(tx *Tx) error {
		n, err := tx.ErasePerson(gone)
		if n != 1 {
			t.Errorf("%d messages erased", n)
		}
		return err
	})
	if err := s.Scrub(context.Background()); err != nil {
		t.Fatal(err)
	}
	if left := traces(t, path, planted); left != nil {
		t.Errorf("left: %v", left)
	}
	if other := traces(t, path, map[string][]byte{"id": stays[:]}); other == nil {
		t.Error("the other person is gone, too")
	}
	view(t, s, func(tx *ReadTx) error {
		if seen, asks, err := tx.Seen([32]byte{5, gone[0]}); !seen || !asks || err != nil {
			t.Errorf("hash of an envelope: %v %v %v", seen, asks, err)
		}
		if n, err := tx.CountMessages(staysConv); n != 1 || err != nil {
			t.Errorf("messages of the other: %d, %v", n, err)
		}
		all, err := tx.Holdings()
		for _, h := range all {
			if want := map[string]int64{"contacts": 1, "messages": 1, "seen": 2, "hosts": 1, "contacted": 2}[h.Kind]; want != 0 && h.Count != want {
				t.Errorf("%s: %d, want %d", h.Kind, h.Count, want)
			}
		}
		return err
	})
	if got := searchAll(t, s, chat.SearchQuery{Text: "quarzsand"}); len(got) != 1 {
		t.Errorf("search finds %d of the other's", len(got))
	}
	put(t, s, func(tx *Tx) error {
		if _, err := tx.ErasePerson(chat.PersonID{}); !errors.Is(err, chat.ErrNotFound) {
			t.Errorf("nobody erased: %v", err)
		}
		return nil
	})
}
