package sqlite

import (
	"reflect"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

func TestFilesOfMessages(t *testing.T) {
	s := newTest(t)
	conv, bob := chat.ConversationID{1}, chat.PersonID{2}
	at := time.UnixMilli(1_700_000_000_000).UTC()
	f := chat.File{
		Attachment: chat.Attachment{Name: "a.jpg", Size: 10, MediaType: "image/jpeg", SHA256: chat.FileHash{1}, State: chat.FileWaiting, Thumbnail: true},
		Message:    chat.MessageID{9}, Place: 0, ID: chat.FileID{3}, Identity: "AGE", Sealed: 2000,
		Manifest: [32]byte{4}, Picture: []byte{5}, MailedAt: at,
	}
	g := f
	g.Place, g.ID, g.Picture, g.Thumbnail, g.State, g.MailedAt = 1, chat.FileID{6}, nil, false, chat.FileOffered, time.Time{}
	m := chat.Message{ID: f.Message, Conversation: conv, Sender: bob, Kind: chat.KindText, State: chat.Received, Seq: 1, SentAt: at, ReceivedAt: at, Attachments: []chat.Attachment{f.Attachment, g.Attachment}}
	plain := chat.Message{ID: chat.MessageID{8}, Conversation: conv, Sender: bob, Kind: chat.KindText, Text: "x", State: chat.Received, Seq: 2, SentAt: at, ReceivedAt: at}
	put(t, s, func(tx *Tx) error {
		if err := tx.PutConversation(conv, bob, at); err != nil {
			return err
		}
		for _, m := range []chat.Message{m, plain} {
			if _, err := tx.InsertMessage(m); err != nil {
				return err
			}
		}
		if err := tx.PutFile(g); err != nil {
			return err
		}
		return tx.PutFile(f)
	})
	view(t, s, func(tx *ReadTx) error {
		if got, err := tx.Message(m.ID); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("message: %+v, %v", got, err)
		}
		if got, err := tx.Messages(chat.MessageQuery{Conversation: conv}); err != nil || !reflect.DeepEqual(got, []chat.Message{m, plain}) {
			t.Errorf("page: %+v, %v", got, err)
		}
		if got, err := tx.Files(m.ID); err != nil || !reflect.DeepEqual(got, []chat.File{f, g}) {
			t.Errorf("files: %+v, %v", got, err)
		}
		if got, err := tx.WaitingFiles(bob, 10); err != nil || !reflect.DeepEqual(got, []chat.File{f}) {
			t.Errorf("waiting: %+v, %v", got, err)
		}
		if got, err := tx.WaitingFiles(chat.PersonID{7}, 10); err != nil || len(got) != 0 {
			t.Errorf("waiting of another person: %+v, %v", got, err)
		}
		if got, err := tx.FilesOf(g.ID); err != nil || !reflect.DeepEqual(got, []chat.File{g}) {
			t.Errorf("by id: %+v, %v", got, err)
		}
		for id, want := range map[chat.PersonID]bool{bob: true, {7}: false} {
			if got, err := tx.FileShared(f.ID, id); err != nil || got != want {
				t.Errorf("shared with %v: %v, %v", id[0], got, err)
			}
		}
		return nil
	})
	f.State, g.State = chat.FileHere, chat.FileRemoved
	put(t, s, func(tx *Tx) error {
		if err := tx.PutFile(g); err != nil {
			return err
		}
		return tx.PutFile(f)
	})
	view(t, s, func(tx *ReadTx) error {
		if ids, err := tx.FileIDs(); err != nil || !reflect.DeepEqual(ids, []chat.FileID{f.ID}) {
			t.Errorf("referred to: %v, %v", ids, err)
		}
		if got, err := tx.FilesBefore(at.Add(1), 9); err != nil || len(got) != 0 {
			t.Errorf("before its time: %v, %v", got, err)
		}
		if got, err := tx.FilesBefore(at.Add(time.Millisecond), 9); err != nil || !reflect.DeepEqual(got, []chat.File{f}) {
			t.Errorf("before: %v, %v", got, err)
		}
		got, err := tx.Conversation(conv)
		if err != nil || got.Last == nil || got.Last.ID != plain.ID || got.Last.Attachments != nil {
			t.Errorf("%+v, %v", got, err)
		}
		return nil
	})
	// A message takes what is known of its files along.
	put(t, s, func(tx *Tx) error { return tx.do("DELETE FROM message WHERE id = ?", m.ID) })
	view(t, s, func(tx *ReadTx) error {
		if ids, err := tx.FileIDs(); err != nil || len(ids) != 0 {
			t.Errorf("left: %v, %v", ids, err)
		}
		return nil
	})
}
