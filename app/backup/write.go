package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Options of a Writer.
type Options struct {
	Passphrase string
	// Work is the logarithm of scrypt's work factor; 0 is the usual one. Tests take
	// less.
	Work int
	// Verifying is called while Commit reads the file back, with how much of it was
	// read, in bytes; nil for nobody.
	Verifying func(read, size int64)
}

// Writer writes a backup. After an error it is of no more use but for Abort.
type Writer struct {
	path string
	opts Options
	file *os.File
	buf  *bufio.Writer
	seal io.WriteCloser
	tar  *tar.Writer

	head   Header
	list   manifest
	kind   string // of the lines in chunk
	chunk  bytes.Buffer
	packed bytes.Buffer
	chunks map[string]int
}

// NewID draws the id of a backup.
func NewID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// partOf is the name under which a file is written before it is whole.
func partOf(path string) string { return path + ".part" }

// Create begins a backup that will be at path. Of h the ID, Chain, Number,
// Previous, MadeAt, Person and Files count. What an earlier attempt left is
// overwritten. Errors: chat.ErrBackupFolder, chat.ErrDiskFull (as the caller's
// classify says) and the system's.
func Create(path string, h Header, o Options) (_ *Writer, err error) {
	if o.Passphrase == "" {
		return nil, chat.ErrPassphraseShort
	}
	h.Format, h.Version = format, Version
	f, err := os.OpenFile(partOf(path), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // the user named it
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", chat.ErrBackupFolder, err)
	}
	if err != nil {
		return nil, fmt.Errorf("backup: create: %w", err)
	}
	w := &Writer{path: path, opts: o, file: f, head: h, chunks: map[string]int{}}
	w.list.Counts = map[string]int64{}
	defer func() {
		if err != nil {
			w.Abort()
		}
	}()
	if err := w.begin(); err != nil {
		return nil, fmt.Errorf("backup: create: %w", err)
	}
	return w, nil
}

func (w *Writer) begin() error {
	r, err := age.NewScryptRecipient(w.opts.Passphrase)
	if err != nil {
		return err
	}
	if w.opts.Work == 0 {
		w.opts.Work = usualWork
	}
	r.SetWorkFactor(w.opts.Work)
	w.buf = bufio.NewWriterSize(w.file, bufferSize)
	if w.seal, err = age.Encrypt(w.buf, r); err != nil {
		return err
	}
	w.tar = tar.NewWriter(w.seal)
	b, err := json.Marshal(w.head)
	if err != nil {
		return err
	}
	return w.member(headerName, int64(len(b)), bytes.NewReader(b))
}

// member writes one member of the archive.
func (w *Writer) member(name string, size int64, r io.Reader) error {
	h := &tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: w.head.MadeAt, Format: tar.FormatPAX}
	if err := w.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w.tar, sum), io.LimitReader(r, size)); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	w.list.Members = append(w.list.Members, member{name, size, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// Put adds v as a line of a kind. Lines of one kind stay in their order.
func (w *Writer) Put(kind string, v any) error {
	if kind != w.kind {
		if err := w.flush(); err != nil {
			return err
		}
		w.kind = kind
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("backup: %s: %w", kind, err)
	}
	if len(b) > maxLine {
		return fmt.Errorf("backup: %s of %d bytes: %w", kind, len(b), chat.ErrTooLong)
	}
	w.chunk.Write(b)
	w.chunk.WriteByte('\n')
	w.list.Counts[kind]++
	if w.chunk.Len() >= chunkSize {
		return w.flush()
	}
	return nil
}

// flush writes the lines that were collected as a member.
func (w *Writer) flush() error {
	if w.chunk.Len() == 0 {
		return nil
	}
	w.packed.Reset()
	z, err := gzip.NewWriterLevel(&w.packed, gzip.BestSpeed)
	if err == nil {
		_, err = z.Write(w.chunk.Bytes())
		err = errors.Join(err, z.Close())
	}
	if err != nil {
		return fmt.Errorf("backup: compress: %w", err)
	}
	w.chunk.Reset()
	w.chunks[w.kind]++
	name := fmt.Sprintf("%s-%06d%s", w.kind, w.chunks[w.kind], linesSuffix)
	return w.member(name, int64(w.packed.Len()), &w.packed)
}

// File adds a file of size bytes under a name of letters, digits and dots.
func (w *Writer) File(name string, size int64, r io.Reader) error {
	if err := w.flush(); err != nil {
		return err
	}
	w.list.Counts[KindFiles]++
	return w.member(filesPrefix+name, size, r)
}

// Commit ends the backup: it is synced, given its name, and was then read back and
// compared. If anything of that fails, what was at path before is still there.
func (w *Writer) Commit(ctx context.Context) (Result, error) {
	size, err := w.end()
	if err == nil {
		err = w.verify(ctx, size)
	}
	if err == nil {
		err = os.Rename(partOf(w.path), w.path)
	}
	if err != nil {
		w.Abort()
		return Result{}, fmt.Errorf("backup: %w", err)
	}
	syncFolder(filepath.Dir(w.path))
	return Result{Header: w.head, Counts: w.list.Counts, Size: size}, nil
}

func (w *Writer) end() (size int64, err error) {
	if err := w.flush(); err != nil {
		return 0, err
	}
	b, err := json.Marshal(w.list)
	if err != nil {
		return 0, err
	}
	members := w.list.Members
	if err := w.member(manifestName, int64(len(b)), bytes.NewReader(b)); err != nil {
		return 0, err
	}
	w.list.Members = members
	for _, end := range []func() error{w.tar.Close, w.seal.Close, w.buf.Flush, w.file.Sync} {
		if err := end(); err != nil {
			return 0, err
		}
	}
	info, err := w.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), w.file.Close()
}

// verify reads the file back, as whoever restores it will.
func (w *Writer) verify(ctx context.Context, size int64) error {
	note := w.opts.Verifying
	if note == nil {
		note = func(int64, int64) {}
	}
	got, err := verify(ctx, partOf(w.path), w.opts.Passphrase, func(read int64) { note(read, size) })
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if got.ID != w.head.ID || len(got.Counts) != len(w.list.Counts) {
		return fmt.Errorf("verify: %w", chat.ErrBackupDamaged)
	}
	for kind, n := range w.list.Counts {
		if got.Counts[kind] != n {
			return fmt.Errorf("verify: %s: %w", kind, chat.ErrBackupDamaged)
		}
	}
	return nil
}

// Abort gives the backup up and removes what was written. After Commit it does
// nothing.
func (w *Writer) Abort() {
	_ = w.file.Close()
	_ = os.Remove(partOf(w.path))
}

// syncFolder makes a name durable where the system can: Windows and some network
// drives cannot.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil { //nolint:gosec // the folder of the backup
		_ = d.Sync()
		_ = d.Close()
	}
}
