package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/picture"
	"github.com/kuvert-im/kuvert/crypto/attachment"
)

// Files is about the files of messages. A file is named by its message and its
// place in it, from 0.
type Files interface {
	// File tells how it stands with a file.
	File(ctx context.Context, message chat.MessageID, place int) (FileInfo, error)
	// FilePicture returns a file's thumbnail, a JPEG or PNG of at most 1024 × 1024
	// pixels; chat.ErrNotFound if it has none.
	FilePicture(ctx context.Context, message chat.MessageID, place int) ([]byte, error)
	// FileView returns a file's picture to be looked at: a JPEG of at most 2048 × 2048
	// pixels and 2 MiB. It is decoded for that, so ask only when this person wants to
	// see it. chat.ErrNotFound if it is no picture that is known,
	// chat.ErrFileTooLarge if it is too large for that; else as SaveFile.
	FileView(ctx context.Context, message chat.MessageID, place int) ([]byte, error)
	// FetchFile fetches a file, or goes on after a pause, as soon as somebody who has
	// it is connected. PauseFile stops that; what is here stays.
	FetchFile(ctx context.Context, message chat.MessageID, place int) error
	PauseFile(ctx context.Context, message chat.MessageID, place int) error
	// SaveFile writes a file's content to a path of this person's choice, and
	// replaces what is there. The path must be absolute. chat.ErrFileNotHere until
	// the file is whole, chat.ErrFileDamaged if it is not what was announced.
	SaveFile(ctx context.Context, message chat.MessageID, place int, path string) error
	// FileUsage tells what all files take, CleanFiles removes the files of messages
	// from before a time from this computer and returns how many bytes that freed.
	// The messages stay, and others keep what they have.
	FileUsage(ctx context.Context) (FileUsage, error)
	CleanFiles(ctx context.Context, before time.Time) (freed int64, err error)
	// Sealing lists the files that Send is encrypting now.
	Sealing(ctx context.Context) ([]Sealing, error)
}

// FileInfo is how it stands with one file.
type FileInfo struct {
	File chat.Attachment `json:"file"`
	// Got is how much is here, of Total; bytes of the sealed file.
	Got   int64 `json:"got"`
	Total int64 `json:"total"`
	// Active: bytes come in now, Speed of them a second; Remaining is then how long
	// the rest takes, 0 if that is not known.
	Active    bool          `json:"active"`
	Speed     int64         `json:"speed"`
	Remaining time.Duration `json:"remaining"`
	// Given is how many bytes of it were given to others since the program started.
	Given int64 `json:"given"`
}

// FileUsage is the room that files take.
type FileUsage struct {
	Bytes int64 `json:"bytes"`
	Quota int64 `json:"quota"` // beyond it, files come only when asked for; 0: none
}

// Sealing is a file being encrypted before its message is sent.
type Sealing struct {
	Conversation chat.ConversationID `json:"conversation"`
	Name         string              `json:"name"`
	Done         int64               `json:"done"`
	Size         int64               `json:"size"`
}

// fileOf returns one file of a message.
func fileOf(tx ReadTx, message chat.MessageID, place int) (chat.File, error) {
	all, err := tx.Files(message)
	if err != nil {
		return chat.File{}, err
	}
	for _, f := range all {
		if f.Place == place {
			return f, nil
		}
	}
	return chat.File{}, fmt.Errorf("core: file %d of a message: %w", place, chat.ErrNotFound)
}

func (c *Core) file(ctx context.Context, message chat.MessageID, place int) (chat.File, error) {
	return read(ctx, c, func(tx ReadTx) (chat.File, error) { return fileOf(tx, message, place) })
}

// sealedOfFile is a file as crypto/attachment knows it.
func sealedOfFile(f chat.File) attachment.File {
	return attachment.File{Identity: f.Identity, Sealed: f.Sealed, Size: f.Size, Hash: f.SHA256, Manifest: f.Manifest}
}

// File implements Files.
func (c *Core) File(ctx context.Context, message chat.MessageID, place int) (FileInfo, error) {
	f, err := c.file(ctx, message, place)
	if err != nil {
		return FileInfo{}, err
	}
	info := FileInfo{File: f.Attachment, Total: f.Sealed, Given: c.files.given(f.ID)}
	switch f.State {
	case chat.FileHere:
		info.Got = f.Sealed
	case chat.FileWaiting, chat.FilePaused:
		if !c.files.progress(f.ID, &info) && c.files.store != nil {
			info.Got = min(c.files.store.LeftBytes(f.ID), f.Sealed)
		}
	case chat.FileOffered, chat.FileDamaged, chat.FileMissing, chat.FileRemoved:
	}
	return info, nil
}

// FilePicture implements Files.
func (c *Core) FilePicture(ctx context.Context, message chat.MessageID, place int) ([]byte, error) {
	f, err := c.file(ctx, message, place)
	if err == nil && len(f.Picture) == 0 {
		err = fmt.Errorf("core: thumbnail: %w", chat.ErrNotFound)
	}
	return f.Picture, err
}

// FetchFile implements Files.
func (c *Core) FetchFile(ctx context.Context, message chat.MessageID, place int) error {
	if c.files.store == nil {
		return chat.ErrUnsupported
	}
	return c.update(ctx, func(s *step) error {
		f, err := fileOf(s, message, place)
		if err != nil || f.State == chat.FileHere {
			return err
		}
		s.then(func() { c.files.again(f.ID) })
		return s.putFile(f, chat.FileWaiting)
	})
}

// PauseFile implements Files.
func (c *Core) PauseFile(ctx context.Context, message chat.MessageID, place int) error {
	return c.update(ctx, func(s *step) error {
		f, err := fileOf(s, message, place)
		if err != nil || f.State != chat.FileWaiting {
			return err
		}
		s.then(func() { c.files.cancel(f.ID) })
		return s.putFile(f, chat.FilePaused)
	})
}

// putFile stores a file with a new state and tells the screens.
func (s *step) putFile(f chat.File, state chat.FileState) error {
	if f.State == state {
		return nil
	}
	f.State = state
	if err := s.PutFile(f); err != nil {
		return err
	}
	m, err := s.Message(f.Message)
	if err != nil {
		return err
	}
	s.publish(event.Event{Kind: event.FileChanged, Conversation: m.Conversation, Message: m.ID})
	s.publish(event.Event{Kind: event.MessageChanged, Conversation: m.Conversation, Message: m.ID})
	return nil
}

// SaveFile implements Files: it decrypts beside the place, compares the hash, and
// only then gives the file its name.
func (c *Core) SaveFile(ctx context.Context, message chat.MessageID, place int, path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("core: path is not absolute: %w", chat.ErrUnsupported)
	}
	f, err := c.file(ctx, message, place)
	if err != nil {
		return err
	}
	return c.openFile(ctx, f, func(held HeldFile) error {
		return writeBeside(path, func(w io.Writer) error { return sealedOfFile(f).Copy(stopping{ctx, w}, held) })
	})
}

// Limits of FileView, in bytes.
const (
	maxViewed = 64 << 20 // of the file
	maxView   = 2 << 20  // of the answer: it has to pass the local socket
)

// FileView implements Files. The content's hash is compared before it is decoded.
func (c *Core) FileView(ctx context.Context, message chat.MessageID, place int) (view []byte, err error) {
	f, err := c.file(ctx, message, place)
	if err != nil {
		return nil, err
	}
	if f.Size > maxViewed {
		return nil, chat.ErrFileTooLarge
	}
	err = c.openFile(ctx, f, func(held HeldFile) error {
		var content bytes.Buffer
		if err := sealedOfFile(f).Copy(stopping{ctx, &content}, held); err != nil {
			return err
		}
		view, err = picture.View(bytes.NewReader(content.Bytes()), maxView)
		return err
	})
	switch {
	case errors.Is(err, picture.ErrTooLarge):
		err = fmt.Errorf("%w: %w", chat.ErrFileTooLarge, err)
	case errors.Is(err, picture.ErrNone), errors.Is(err, picture.ErrMalformed):
		err = fmt.Errorf("%w: %w", chat.ErrNotFound, err)
	}
	return view, err
}

// openFile has use read a file that is here. One that is not what was announced is
// put aside.
func (c *Core) openFile(ctx context.Context, f chat.File, use func(HeldFile) error) error {
	if f.State == chat.FileDamaged {
		return chat.ErrFileDamaged
	}
	if f.State != chat.FileHere || c.files.store == nil {
		return chat.ErrFileNotHere
	}
	held, err := c.files.store.OpenFile(f.ID)
	if errors.Is(err, chat.ErrNotFound) {
		return errors.Join(chat.ErrFileNotHere, c.setFile(ctx, f, chat.FileMissing))
	}
	if err != nil {
		return err
	}
	defer held.Close() //nolint:errcheck // only read
	err = use(held)
	if wrongFile(err) {
		return errors.Join(chat.ErrFileDamaged, err, c.damaged(ctx, f))
	}
	return err
}

// wrongFile tells whether an error means that a file is not what was announced.
func wrongFile(err error) bool {
	return errors.Is(err, attachment.ErrWrongHash) || errors.Is(err, attachment.ErrCannotOpen) || errors.Is(err, attachment.ErrMalformed)
}

// stopping is a writer that fails once ctx has ended.
type stopping struct {
	ctx context.Context //nolint:containedctx // of one call
	io.Writer
}

func (s stopping) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Writer.Write(p)
}

// writeBeside writes a file that appears under its name only when it is whole.
func writeBeside(path string, write func(io.Writer) error) error {
	t, err := os.CreateTemp(filepath.Dir(path), ".kuvert-*.part")
	if err != nil {
		return fileError("save", err)
	}
	err = write(t)
	if err == nil {
		err = fileError("save", t.Sync())
	}
	err = errors.Join(err, t.Close())
	if err == nil {
		err = fileError("save", os.Rename(t.Name(), path))
	}
	if err != nil {
		_ = os.Remove(t.Name())
	}
	return err
}

// fileError drops the path from an error about this person's own files: errors are
// logged.
func fileError(what string, err error) error {
	var pe *os.PathError
	var le *os.LinkError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pe):
		err = pe.Err
	case errors.As(err, &le):
		err = le.Err
	}
	return fmt.Errorf("core: %s: %w: %w", what, chat.ErrFileAccess, err)
}

// setFile changes the state of a file.
func (c *Core) setFile(ctx context.Context, f chat.File, state chat.FileState) error {
	return c.update(ctx, func(s *step) error {
		now, err := fileOf(s, f.Message, f.Place)
		if err != nil {
			return err
		}
		return s.putFile(now, state)
	})
}

// damaged puts a file aside that is not what its message announced, unless another
// message announced just that.
func (c *Core) damaged(ctx context.Context, f chat.File) error {
	c.log.Warn("a file is not what was announced")
	if err := c.setFile(ctx, f, chat.FileDamaged); err != nil {
		return err
	}
	others, err := read(ctx, c, func(tx ReadTx) ([]chat.File, error) { return tx.FilesOf(f.ID) })
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.State == chat.FileHere {
			return nil
		}
	}
	err = c.files.store.Quarantine(f.ID)
	if errors.Is(err, chat.ErrNotFound) {
		return nil
	}
	return err
}

// FileUsage implements Files.
func (c *Core) FileUsage(ctx context.Context) (u FileUsage, err error) {
	if c.files.store == nil {
		return u, nil
	}
	set, err := c.Settings(ctx)
	if err != nil {
		return u, err
	}
	u.Quota = mib(set[SettingFileQuota])
	u.Bytes, err = c.files.measure()
	return u, err
}

// mib reads a setting in MiB.
func mib(value string) int64 {
	n, _ := strconv.ParseInt(value, 10, 32) // checked when it was set
	return n << 20
}

// cleanBatch is how many files are removed in one transaction.
const cleanBatch = 500

// CleanFiles implements Files.
func (c *Core) CleanFiles(ctx context.Context, before time.Time) (freed int64, err error) {
	if c.files.store == nil {
		return 0, nil
	}
	was, err := c.files.measure()
	if err != nil {
		return 0, err
	}
	for more := true; more; {
		var gone []chat.File
		err := c.update(ctx, func(s *step) (err error) {
			if gone, err = s.FilesBefore(before, cleanBatch); err != nil {
				return err
			}
			for _, f := range gone {
				if err := s.putFile(f, chat.FileRemoved); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		if err := c.removeUnused(ctx, gone); err != nil {
			return 0, err
		}
		more = len(gone) == cleanBatch
	}
	now, err := c.files.measure()
	return max(0, was-now), err
}

// removeUnused removes files to which no message refers any more.
func (c *Core) removeUnused(ctx context.Context, gone []chat.File) error {
	if len(gone) == 0 {
		return nil
	}
	kept, err := read(ctx, c, ReadTx.FileIDs)
	if err != nil {
		return err
	}
	used := make(map[chat.FileID]bool, len(kept))
	for _, id := range kept {
		used[id] = true
	}
	for _, f := range gone {
		if used[f.ID] {
			continue
		}
		if err := c.files.store.RemoveFile(f.ID); err != nil {
			return err
		}
	}
	return nil
}

// Sealing implements Files.
func (c *Core) Sealing(context.Context) ([]Sealing, error) { return c.files.sealing(), nil }

// fileGrace is how long a file stays to which no message refers: one whose message
// is about to be committed, and what was put aside.
const fileGrace = 24 * time.Hour

// sweepFiles removes files to which no message refers.
func (c *Core) sweepFiles(ctx context.Context) error {
	if c.files.store == nil {
		return nil
	}
	kept, err := read(ctx, c, ReadTx.FileIDs)
	if err != nil {
		return err
	}
	if _, err := c.files.store.SweepFiles(kept, c.now().Add(-fileGrace)); err != nil {
		return err
	}
	_, err = c.files.measure()
	return err
}
