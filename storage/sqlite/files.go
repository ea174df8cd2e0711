package sqlite

import (
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// attachmentsOf makes room for a message's files, which fillFiles fills in.
func attachmentsOf(n int) []chat.Attachment {
	if n <= 0 {
		return nil
	}
	return make([]chat.Attachment, 0, n)
}

const attachmentColumns = `name, size, media_type, hash, state, length(picture) > 0`

func scanAttachment(r *row) chat.Attachment {
	return chat.Attachment{
		Name: r.text(), Size: r.int64(), MediaType: r.text(), SHA256: r.id32(),
		State: chat.FileState(r.int64()), Thumbnail: r.bool(), //nolint:gosec // was an int8
	}
}

// fillFiles adds a message's files, if it has any. m may be nil.
func (t *ReadTx) fillFiles(m *chat.Message) (err error) {
	if m == nil || m.Attachments == nil {
		return nil
	}
	m.Attachments, err = list(t.c, scanAttachment,
		"SELECT "+attachmentColumns+" FROM file WHERE message = ? ORDER BY place", m.ID)
	return err
}

const fileColumns = attachmentColumns + `, message, place, id, identity, sealed, manifest, picture, mailed_at`

func scanFile(r *row) chat.File {
	return chat.File{
		Attachment: scanAttachment(r), Message: r.id16(), Place: r.int(), ID: r.id32(), Identity: r.text(),
		Sealed: r.int64(), Manifest: r.id32(), Picture: r.blob(), MailedAt: r.time(),
	}
}

// Files returns a message's files by their place.
func (t *ReadTx) Files(message chat.MessageID) ([]chat.File, error) {
	return list(t.c, scanFile, "SELECT "+fileColumns+" FROM file WHERE message = ? ORDER BY place", message)
}

// FilesOf returns all that messages say of one sealed file, oldest first.
func (t *ReadTx) FilesOf(id chat.FileID) ([]chat.File, error) {
	return list(t.c, scanFile, "SELECT "+fileColumns+" FROM file WHERE id = ? ORDER BY num", id)
}

// WaitingFiles returns up to limit files in the state chat.FileWaiting of the
// conversation with a person, oldest first.
func (t *ReadTx) WaitingFiles(with chat.PersonID, limit int) ([]chat.File, error) {
	return list(t.c, scanFile, "SELECT "+fileColumns+` FROM file WHERE state = 2 AND EXISTS (
			SELECT 1 FROM message m JOIN conversation c ON c.num = m.conversation
			WHERE m.id = file.message AND c.contact = ?)
		ORDER BY num LIMIT ?`, with, max(limit, 0))
}

// FilesBefore returns up to limit files that are here, of messages received or
// sent before a time.
func (t *ReadTx) FilesBefore(before time.Time, limit int) ([]chat.File, error) {
	return list(t.c, scanFile, "SELECT "+fileColumns+` FROM file WHERE state = 1 AND EXISTS (
			SELECT 1 FROM message m WHERE m.id = file.message AND m.received_at < ?)
		ORDER BY num LIMIT ?`, before, max(limit, 0))
}

// FileShared reports whether a file belongs to a conversation with this person.
func (t *ReadTx) FileShared(id chat.FileID, with chat.PersonID) (bool, error) {
	n, err := t.c.int(`SELECT count(*) FROM file f JOIN message m ON m.id = f.message
		JOIN conversation c ON c.num = m.conversation WHERE f.id = ? AND c.contact = ?`, id, with)
	return n > 0, err
}

// FileIDs returns every sealed file that some message refers to, without those
// that were removed or put aside.
func (t *ReadTx) FileIDs() ([]chat.FileID, error) {
	return list(t.c, func(r *row) chat.FileID { return r.id32() }, "SELECT DISTINCT id FROM file WHERE state NOT IN (5, 7) ORDER BY id")
}

// PutFile inserts or replaces a file by its message and place. Its message must be
// there.
func (t *Tx) PutFile(f chat.File) error {
	return t.do(`INSERT INTO file (name, size, media_type, hash, state, message, place, id, identity,
			sealed, manifest, picture, mailed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (message, place) DO UPDATE SET name = excluded.name, size = excluded.size,
			media_type = excluded.media_type, hash = excluded.hash, state = excluded.state, id = excluded.id,
			identity = excluded.identity, sealed = excluded.sealed, manifest = excluded.manifest,
			picture = excluded.picture, mailed_at = excluded.mailed_at`,
		f.Name, f.Size, f.MediaType, [32]byte(f.SHA256), int(f.State), f.Message, f.Place, f.ID, f.Identity,
		f.Sealed, f.Manifest, f.Picture, f.MailedAt)
}
