package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/picture"
	"github.com/kuvert-im/kuvert/crypto/attachment"
	"github.com/kuvert-im/kuvert/crypto/envelope"
)

// fileOverhead is about what a message needs for each of its files besides the
// thumbnail, in bytes.
const fileOverhead = 700

// sealFiles encrypts files to disk before their message is committed. done removes
// them again unless the message was.
func (c *Core) sealFiles(ctx context.Context, conversation chat.ConversationID, out Outgoing) (files []chat.File, done func(committed bool), err error) {
	done = func(committed bool) {
		for _, f := range files {
			if !committed {
				_ = c.files.store.RemoveFile(f.ID) // else the next sweep does
			}
		}
	}
	if len(out.Files) == 0 {
		return nil, done, nil
	}
	set, err := c.Settings(ctx)
	if err != nil {
		return nil, done, err
	}
	room := (envelope.MaxBody - len(out.Text) - len(out.Files)*fileOverhead) / len(out.Files)
	for i, path := range out.Files {
		f, err := c.sealFile(ctx, sealJob{
			conversation: conversation, path: path, strip: set[SettingPhotoData] == "true",
			room: min(room, envelope.MaxThumbnail),
		})
		if err != nil {
			done(false)
			return nil, done, err
		}
		f.Place = i
		files = append(files, f)
	}
	_, err = c.files.measure()
	return files, done, err
}

// sealJob is one file to be encrypted.
type sealJob struct {
	conversation chat.ConversationID
	path         string
	strip        bool // take out of photos what does not show
	room         int  // bytes for the thumbnail
}

// errNotAFile says that a path leads to something else than a file.
var errNotAFile = fmt.Errorf("core: not a file: %w", chat.ErrUnsupported)

func (c *Core) sealFile(ctx context.Context, job sealJob) (chat.File, error) {
	if c.files.store == nil {
		return chat.File{}, chat.ErrUnsupported
	}
	src, size, err := openOwn(job.path)
	if err != nil {
		return chat.File{}, err
	}
	defer src.Close() //nolint:errcheck // only read
	f := chat.File{Attachment: chat.Attachment{Name: ownFileName(job.path), State: chat.FileHere}}
	kind := describe(&f, src, job)
	from, stop, err := content(src, kind, job.strip)
	if err != nil {
		return chat.File{}, err
	}
	defer stop()
	p := c.files.beginSealing(Sealing{Conversation: job.conversation, Name: f.Name, Size: size})
	defer c.files.endSealing(p)
	sealed, err := c.sealTo(&counting{ctx: ctx, Reader: from, core: c, sealing: p}, &f)
	if err != nil {
		return chat.File{}, err
	}
	f.ID, f.Identity, f.Sealed, f.Manifest = sealed.ID(), sealed.Identity, sealed.Sealed, sealed.Manifest
	f.Size, f.SHA256 = sealed.Size, sealed.Hash
	return f, nil
}

// sealTo encrypts into the store of files.
func (c *Core) sealTo(from io.Reader, f *chat.File) (attachment.File, error) {
	dst, err := c.files.store.NewFile()
	if err != nil {
		return attachment.File{}, err
	}
	sealed, err := attachment.Seal(dst, dst.Hashes(), from)
	if err == nil {
		f.ID = sealed.ID()
		err = dst.Keep(f.ID)
	}
	if errors.Is(err, picture.ErrMalformed) {
		err = fmt.Errorf("%w: %w", chat.ErrPhotoData, err)
	}
	if errors.Is(err, attachment.ErrTooLarge) {
		err = fmt.Errorf("%w: %w", chat.ErrFileTooLarge, err)
	}
	return sealed, errors.Join(err, dst.Drop())
}

// openOwn opens a file of this person's to send it.
func openOwn(path string) (*os.File, int64, error) {
	if !filepath.IsAbs(path) {
		return nil, 0, fmt.Errorf("core: path is not absolute: %w", chat.ErrUnsupported)
	}
	fi, err := os.Stat(path) // before opening: a pipe would wait for its other end
	if err != nil {
		return nil, 0, fileError("open", err)
	}
	if !fi.Mode().IsRegular() {
		return nil, 0, errNotAFile
	}
	if fi.Size() > min(chat.MaxFileSize, attachment.MaxSize) {
		return nil, 0, chat.ErrFileTooLarge
	}
	f, err := os.Open(path) //nolint:gosec // the person chose it
	if err != nil {
		return nil, 0, fileError("open", err)
	}
	return f, fi.Size(), nil
}

// ownFileName is what the others are told that a file is called.
func ownFileName(path string) string {
	name := chat.CutFileName(strings.ToValidUTF8(filepath.Base(path), "\uFFFD"))
	if name == "" || !utf8.ValidString(name) {
		return "_"
	}
	return name
}

// describe finds out what kind of file it is and makes a thumbnail of a picture.
func describe(f *chat.File, src io.ReadSeeker, job sealJob) (kind string) {
	head := make([]byte, 16)
	n, _ := io.ReadFull(src, head)
	kind = picture.Kind(head[:n])
	f.MediaType = kind
	if kind == "" {
		f.MediaType = mediaType(f.Name)
		return kind
	}
	small, err := picture.Thumbnail(src, job.room)
	if err == nil {
		f.Picture, f.Thumbnail = small, true
	}
	return kind
}

// mediaType guesses by the name, as the system's own programs do.
func mediaType(name string) string {
	t, _, err := mime.ParseMediaType(mime.TypeByExtension(strings.ToLower(filepath.Ext(name))))
	if err != nil || len(t) > envelope.MaxMediaType {
		return "application/octet-stream"
	}
	return t
}

// content is what is sent of a file: all of it, or a photo without what does not
// show. stop ends what stands behind the reader.
func content(src *os.File, kind string, strip bool) (r io.Reader, stop func(), err error) {
	if strip && picture.CanStrip(kind) {
		pr, pw := io.Pipe()
		go func() { _ = pw.CloseWithError(picture.Strip(pw, src, kind)) }()
		return pr, func() {
			_ = pr.Close()
			_, _ = io.Copy(io.Discard, pr) // until Strip has let go of the file
		}, nil
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return nil, nil, fileError("read", err)
	}
	return src, func() {}, nil
}

// counting is a reader that tells how far it has come and ends with ctx.
type counting struct {
	ctx context.Context //nolint:containedctx // of one call
	io.Reader
	core    *Core
	sealing *sealing
}

// sealing is a Sealing under way.
type sealing struct {
	Sealing
	done atomic.Int64
	told atomic.Int64
}

// tellEvery is after how many bytes the screens are told how far sealing has come.
const tellEvery = 16 << 20

func (c *counting) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.Reader.Read(p)
	if done := c.sealing.done.Add(int64(n)); done-c.sealing.told.Load() >= tellEvery {
		c.sealing.told.Store(done)
		c.core.bus.Publish(event.Event{Kind: event.FileChanged, Conversation: c.sealing.Conversation})
	}
	return n, err
}

// wireFiles is what a message says of its files.
func wireFiles(files []chat.File) []envelope.File {
	var out []envelope.File
	for _, f := range files {
		out = append(out, envelope.File{
			Identity: f.Identity, Sealed: f.Sealed, Size: f.Size, Hash: f.SHA256, Manifest: f.Manifest,
			Name: f.Name, MediaType: f.MediaType, Thumbnail: f.Picture,
		})
	}
	return out
}

// messageBody encodes a message of my own. A text that leaves no room for what is
// said of the files is too long.
func messageBody(m chat.Message, files []chat.File) ([]byte, error) {
	body, err := envelope.MessageBody{Text: m.Text, ReplyTo: m.ReplyTo, Files: wireFiles(files), Life: uint32(m.Life / time.Second)}.Encode() //nolint:gosec // at most chat.MaxLife
	if errors.Is(err, envelope.ErrTooLarge) {
		return nil, fmt.Errorf("%w: %w", chat.ErrTooLong, err)
	}
	return body, err
}

// putFiles stores the files of a message that was inserted.
func (s *step) putFiles(m chat.Message, files []chat.File) error {
	for _, f := range files {
		f.Message = m.ID
		if err := s.PutFile(f); err != nil {
			return err
		}
	}
	return nil
}

func attachmentsOf(files []chat.File) []chat.Attachment {
	var out []chat.Attachment
	for _, f := range files {
		out = append(out, f.Attachment)
	}
	return out
}

// takenFiles checks what a message that came in says of its files, and decides
// which of them come by themselves.
func (in *inbox) takenFiles(files []envelope.File) ([]chat.File, error) {
	if len(files) == 0 {
		return nil, nil
	}
	set, err := settingsFrom(in)
	if err != nil {
		return nil, err
	}
	var out []chat.File
	for i, w := range files {
		f := chat.File{
			Attachment: chat.Attachment{Name: w.Name, Size: w.Size, MediaType: w.MediaType, SHA256: w.Hash, State: chat.FileOffered},
			Place:      i, Identity: w.Identity, Sealed: w.Sealed, Manifest: w.Manifest,
		}
		sealed := sealedOfFile(f)
		if sealed.Check() != nil {
			return nil, errInvalid
		}
		f.ID = sealed.ID()
		// What cannot be looked at without danger is left out; the file itself is opaque.
		if len(w.Thumbnail) > 0 && picture.CheckThumbnail(w.Thumbnail) == nil {
			f.Picture, f.Thumbnail = w.Thumbnail, true
		}
		if in.core.files.comesByItself(f, set) {
			f.State = chat.FileWaiting
		}
		out = append(out, f)
	}
	return out, nil
}
