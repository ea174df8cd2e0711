package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"regexp"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Reader reads a backup from its beginning to its end.
type Reader struct {
	Header

	file   *counted
	tar    *tar.Reader
	list   []member // what was read
	counts map[string]int64
}

// Item is one line or one file of a backup.
type Item struct {
	Kind string
	// Line is the JSON of a line; nil for a file.
	Line []byte
	// Name, Size and File are of a file. File is to be read before the next item is
	// asked for.
	Name string
	Size int64
	File io.Reader
}

// counted is a file that tells how much of it was read.
type counted struct {
	*os.File
	n    int64
	note func(read int64) // nil for nobody
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.File.Read(b)
	c.n += int64(n)
	if c.note != nil {
		c.note(c.n)
	}
	return n, err
}

// Watch has note called with the bytes read so far: now, and while Each reads about
// every 64 KiB. nil ends that.
func (r *Reader) Watch(note func(read int64)) {
	if r.file.note = note; note != nil {
		note(r.file.n)
	}
}

// ageIntro is how every age file begins.
const ageIntro = "age-encryption.org/"

// Open opens a backup and reads its header. Errors: chat.ErrNotBackup,
// chat.ErrBackupPassphrase, chat.ErrBackupDamaged, chat.ErrBackupVersion, and the
// system's.
func Open(path, passphrase string) (_ *Reader, err error) {
	f, err := os.Open(path) //nolint:gosec // the user named it
	if err != nil {
		return nil, fmt.Errorf("backup: open: %w", err)
	}
	r := &Reader{file: &counted{File: f}, counts: map[string]int64{}}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	buf := bufio.NewReaderSize(r.file, bufferSize)
	intro, err := buf.Peek(len(ageIntro))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("backup: read: %w", err)
	}
	if string(intro) != ageIntro {
		return nil, chat.ErrNotBackup
	}
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, chat.ErrBackupPassphrase
	}
	id.SetMaxWorkFactor(maxWork)
	plain, err := age.Decrypt(buf, id)
	var noMatch *age.NoIdentityMatchError
	if errors.As(err, &noMatch) {
		return nil, chat.ErrBackupPassphrase
	}
	if err != nil {
		return nil, damaged("open", err)
	}
	r.tar = tar.NewReader(plain)
	return r, r.readHeader()
}

func damaged(what string, err error) error {
	return fmt.Errorf("backup: %s: %w: %w", what, chat.ErrBackupDamaged, err)
}

func (r *Reader) readHeader() error {
	h, err := r.tar.Next()
	if err != nil {
		return damaged("header", err)
	}
	if h.Name != headerName {
		return chat.ErrNotBackup
	}
	b, err := r.whole(h, maxHeader)
	if err != nil {
		return err
	}
	if json.Unmarshal(b, &r.Header) != nil || r.Format != format || r.Version < 1 {
		return chat.ErrNotBackup
	}
	if r.Version > Version {
		return chat.ErrBackupVersion
	}
	return nil
}

// whole reads a member that is kept in memory.
func (r *Reader) whole(h *tar.Header, limit int64) ([]byte, error) {
	if h.Size > limit {
		return nil, damaged(h.Name, chat.ErrTooLong)
	}
	b := make([]byte, h.Size)
	if _, err := io.ReadFull(r.tar, b); err != nil {
		return nil, damaged(h.Name, err)
	}
	sum := sha256.Sum256(b)
	r.list = append(r.list, member{h.Name, h.Size, hex.EncodeToString(sum[:])})
	return b, nil
}

// Each hands every line and file to take, in their order, and then holds what was
// there against the manifest. take's error ends it. Whoever acted on what they were
// given must undo that if there is an error in the end.
func (r *Reader) Each(ctx context.Context, take func(Item) error) (Result, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		h, err := r.tar.Next()
		if err != nil { // io.EOF too: the manifest is the end
			return Result{}, damaged("archive", err)
		}
		if h.Name == manifestName {
			return r.finish(h)
		}
		if err := r.take(h, take); err != nil {
			return Result{}, err
		}
	}
}

var (
	linesName = regexp.MustCompile(`^([a-z]+)-[0-9]{6,}\.jsonl\.gz$`)
	fileName  = regexp.MustCompile(`^files/([0-9a-z.]{1,100})$`)
)

func (r *Reader) take(h *tar.Header, take func(Item) error) error {
	if m := linesName.FindStringSubmatch(h.Name); m != nil {
		return r.takeLines(h, m[1], take)
	}
	m := fileName.FindStringSubmatch(h.Name)
	if m == nil {
		return damaged("archive", errors.New("a member of an unknown kind"))
	}
	sum := sha256.New()
	in := &hashing{r: r.tar, sum: sum}
	r.counts[KindFiles]++
	if err := take(Item{Kind: KindFiles, Name: m[1], Size: h.Size, File: in}); err != nil {
		return in.or(err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return damaged(h.Name, err)
	}
	r.list = append(r.list, member{h.Name, h.Size, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// hashing reads a member and notes what reading it came to.
type hashing struct {
	r   io.Reader
	sum hash.Hash
	err error
}

func (h *hashing) Read(b []byte) (int, error) {
	n, err := h.r.Read(b)
	h.sum.Write(b[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		h.err = err
	}
	return n, err
}

// or tells damage of the backup from what went wrong where it was to be put.
func (h *hashing) or(err error) error {
	if h.err != nil {
		return damaged("file", h.err)
	}
	return err
}

func (r *Reader) takeLines(h *tar.Header, kind string, take func(Item) error) error {
	packed, err := r.whole(h, maxChunk)
	if err != nil {
		return err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return damaged(h.Name, err)
	}
	plain, err := io.ReadAll(io.LimitReader(z, maxChunk+1))
	if err != nil || len(plain) > maxChunk {
		return damaged(h.Name, errors.Join(err, chat.ErrTooLong))
	}
	for len(plain) > 0 {
		line, rest, ended := bytes.Cut(plain, []byte{'\n'})
		if !ended {
			return damaged(h.Name, io.ErrUnexpectedEOF)
		}
		plain = rest
		r.counts[kind]++
		if err := take(Item{Kind: kind, Line: line}); err != nil {
			return err
		}
	}
	return nil
}

// finish compares what was read with the manifest, and reads to the very end: only
// there does age know that nothing was cut off.
func (r *Reader) finish(h *tar.Header) (Result, error) {
	seen := r.list
	b, err := r.whole(h, maxManifest)
	if err != nil {
		return Result{}, err
	}
	var want manifest
	if err := json.Unmarshal(b, &want); err != nil {
		return Result{}, damaged(manifestName, err)
	}
	if _, err := r.tar.Next(); !errors.Is(err, io.EOF) {
		return Result{}, damaged("end", errors.Join(err, errors.New("more than the manifest lists")))
	}
	if len(seen) != len(want.Members) {
		return Result{}, damaged(manifestName, errors.New("members are missing"))
	}
	for i := range seen {
		if seen[i] != want.Members[i] {
			return Result{}, damaged(seen[i].Name, errors.New("not what the manifest lists"))
		}
	}
	for kind, n := range want.Counts {
		if r.counts[kind] != n {
			return Result{}, damaged(kind, errors.New("not as many as the manifest lists"))
		}
	}
	return Result{Header: r.Header, Counts: want.Counts}, nil
}

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() }

// Verify reads a whole backup.
func Verify(ctx context.Context, path, passphrase string) (Result, error) {
	return verify(ctx, path, passphrase, nil)
}

func verify(ctx context.Context, path, passphrase string, note func(read int64)) (Result, error) {
	r, err := Open(path, passphrase)
	if err != nil {
		return Result{}, err
	}
	r.Watch(note)
	res, err := r.Each(ctx, func(Item) error { return nil })
	return res, errors.Join(err, r.Close())
}

// Line reads a line of JSON into v.
func Line(it Item, v any) error {
	d := json.NewDecoder(bytes.NewReader(it.Line))
	if err := d.Decode(v); err != nil {
		return damaged(it.Kind, err)
	}
	return nil
}
