package blob

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// BlockSize is the length of every block but the last, in bytes, HashSize that of
// a block's SHA-256 in the manifest.
const (
	BlockSize = 64 << 10
	HashSize  = sha256.Size
)

// The files of one id: whole, its manifest, under way, the map of its blocks, a
// manifest under way, and one that was found to be another file than announced.
const (
	wholeSuffix  = ".age"
	hashesSuffix = ".hashes"
	partSuffix   = ".part"
	mapSuffix    = ".map"
	newSuffix    = ".new"
	badSuffix    = ".bad"

	draftPrefix = "draft-"
)

// Errors beside those of app/chat (ErrNotFound, ErrDiskFull).
var (
	// ErrWrongBlock says that a block is not the one the manifest names.
	ErrWrongBlock = fmt.Errorf("blob: block does not fit the manifest: %w", chat.ErrFileDamaged)
	// ErrNoManifest says that a block came before the manifest.
	ErrNoManifest = errors.New("blob: manifest is missing")
	// ErrIncomplete says that blocks are missing.
	ErrIncomplete = errors.New("blob: blocks are missing")
)

// ID names a file.
type ID = [32]byte

// Store is an open folder. Safe for concurrent use; one process at a time may
// have it.
type Store struct {
	root *os.Root
	dir  string
	key  [32]byte

	mu    sync.Mutex
	parts map[ID]*Part
}

// Open opens the folder and makes it if it is missing. What was being written
// when a process ended goes.
func Open(dir string, key [32]byte) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, failed("folder", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, failed("folder", err)
	}
	s := &Store{root: root, dir: dir, key: key, parts: map[ID]*Part{}}
	left, err := s.names()
	for _, e := range left {
		if strings.HasPrefix(e.Name(), draftPrefix) || strings.HasSuffix(e.Name(), newSuffix) {
			err = errors.Join(err, s.remove(e.Name()))
		}
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

// Close gives the folder back. Nothing of it may be in use.
func (s *Store) Close() error { return s.root.Close() }

// name is under which a file lies, without what tells its kind.
func (s *Store) name(id ID) string {
	m := hmac.New(sha256.New, s.key[:])
	m.Write([]byte("kuvert/v1 file name"))
	m.Write(id[:])
	return hex.EncodeToString(m.Sum(nil))
}

// failed adds the domain's sentinels, and drops the path: it holds a person's name.
func failed(what string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: %w", chat.ErrNotFound, err)
	case isFull(err):
		err = fmt.Errorf("%w: %w", chat.ErrDiskFull, err)
	}
	return fmt.Errorf("blob: %s: %w", what, err)
}

func (s *Store) remove(name string) error {
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed("remove", err)
	}
	return nil
}

func (s *Store) create(name string) (*os.File, error) {
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, failed("new file", err)
	}
	return f, nil
}

// Draft is a file being sealed.
type Draft struct {
	store        *Store
	name         string
	file, hashes *os.File
}

// New begins a file whose id is not known yet.
func (s *Store) New() (*Draft, error) {
	f, err := os.CreateTemp(s.dir, draftPrefix+"*")
	if err != nil {
		return nil, failed("new file", err)
	}
	d := &Draft{store: s, name: filepath.Base(f.Name()), file: f}
	if d.hashes, err = s.create(d.name + hashesSuffix); err != nil {
		return nil, errors.Join(err, d.Drop())
	}
	return d, nil
}

// Write appends to the sealed file.
func (d *Draft) Write(p []byte) (int, error) {
	n, err := d.file.Write(p)
	return n, failed("write", err)
}

// Hashes takes the hashes of its blocks.
func (d *Draft) Hashes() io.Writer { return d.hashes }

// ReadAt reads what was written.
func (d *Draft) ReadAt(p []byte, off int64) (int, error) { return d.file.ReadAt(p, off) }

// Keep makes the file durable under its id and ends the draft.
func (d *Draft) Keep(id ID) error {
	name := d.store.name(id)
	err := errors.Join(d.file.Sync(), d.hashes.Sync(), d.file.Close(), d.hashes.Close())
	if err == nil {
		err = errors.Join(d.store.root.Rename(d.name+hashesSuffix, name+hashesSuffix), d.store.root.Rename(d.name, name+wholeSuffix))
	}
	if err == nil {
		err = syncDir(d.store.dir)
	}
	return failed("keep", err)
}

// Drop gives the draft up. After Keep it does nothing.
func (d *Draft) Drop() error {
	_ = d.file.Close()
	if d.hashes != nil {
		_ = d.hashes.Close()
	}
	return errors.Join(d.store.remove(d.name), d.store.remove(d.name+hashesSuffix))
}

// File is a whole file, open for reading at any place.
type File struct {
	*os.File
	hashes *os.File
	size   int64
}

// OpenFile opens a whole file; chat.ErrNotFound if it is not here or not whole.
func (s *Store) OpenFile(id ID) (*File, error) {
	name := s.name(id)
	f, err := s.root.Open(name + wholeSuffix)
	if err != nil {
		return nil, failed("open", err)
	}
	h, err := s.root.Open(name + hashesSuffix)
	if err != nil {
		_ = f.Close()
		return nil, failed("open manifest", err)
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, errors.Join(failed("open", err), f.Close(), h.Close())
	}
	return &File{File: f, hashes: h, size: fi.Size()}, nil
}

// Size is the file's size in bytes.
func (f *File) Size() int64 { return f.size }

// Hashes returns the manifest for reading at any place.
func (f *File) Hashes() io.ReaderAt { return f.hashes }

// Close closes the file.
func (f *File) Close() error { return errors.Join(f.File.Close(), f.hashes.Close()) }

// Remove removes everything of an id. One that is under way and in use goes when
// it is closed.
func (s *Store) Remove(id ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.parts[id]; p != nil {
		p.dropped = true
		return nil
	}
	return s.removeAll(id)
}

func (s *Store) removeAll(id ID) error {
	name := s.name(id)
	var errs []error
	for _, suffix := range []string{wholeSuffix, hashesSuffix, partSuffix, mapSuffix, newSuffix, badSuffix} {
		errs = append(errs, s.remove(name+suffix))
	}
	return errors.Join(errs...)
}

// Quarantine puts a whole file aside that is not what was announced: nothing opens
// it any more.
func (s *Store) Quarantine(id ID) error {
	name := s.name(id)
	if err := s.root.Rename(name+wholeSuffix, name+badSuffix); err != nil {
		return failed("quarantine", err)
	}
	return failed("quarantine", syncDir(s.dir))
}

func (s *Store) names() ([]fs.DirEntry, error) {
	all, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, failed("list", err)
	}
	return all, nil
}

// Usage is how many bytes the folder holds.
func (s *Store) Usage() (bytes int64, err error) {
	all, err := s.names()
	for _, e := range all {
		if fi, err := e.Info(); err == nil {
			bytes += fi.Size()
		}
	}
	return bytes, err
}

// Sweep removes what belongs to none of the ids and was last written before a
// time, and returns how many bytes that were. What is in use stays.
func (s *Store) Sweep(keep []ID, before time.Time) (freed int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := make(map[string]bool, len(keep)+len(s.parts))
	for _, id := range keep {
		kept[s.name(id)] = true
	}
	for id := range s.parts {
		kept[s.name(id)] = true
	}
	all, err := s.names()
	if err != nil {
		return 0, err
	}
	for _, e := range all {
		base, _, _ := strings.Cut(e.Name(), ".")
		fi, err := e.Info()
		if err != nil || kept[base] || !fi.ModTime().Before(before) {
			continue
		}
		if err := s.remove(e.Name()); err != nil {
			return freed, err
		}
		freed += fi.Size()
	}
	return freed, nil
}
