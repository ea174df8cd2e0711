package cryptvfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// FileName is the name of every database within its own VFS: what SQLite knows
// and puts into its errors. The path on the disk is the VFS's affair.
const FileName = "/database"

// Suffixes of the files beside a database.
const (
	walSuffix = "-wal"
	newSuffix = ".new" // a database that is being made
)

// Database is an encrypted database that this process has, and the VFS by which
// SQLite reaches it. Its methods are safe for concurrent use.
type Database struct {
	path string
	disk disk
	keys *keys
	name string // of the VFS; constant once Open has returned

	main  mainFile
	wal   wal
	index index

	// failed is set when a sync fails: the system may then forget what it could
	// not write and report the next sync as good.
	failed atomic.Bool

	mu    sync.Mutex // guards what follows; may be held when main.mu or wal.mu are taken
	files int        // that SQLite has open
	reg   *registration
}

// Open takes the database for this process, makes an empty one if there is none or
// an empty file, and registers its VFS. The caller sees to it that no other process
// makes the same database at the same time, and may overwrite key afterwards.
// Close must follow.
//
// Errors: ErrWrongKey, ErrNotEncrypted, ErrNewerFormat, ErrDamaged, ErrLocked,
// ErrFull, and those of the system. The files are then as they were.
func Open(path string, key *Key) (*Database, error) {
	return open(path, key, systemDisk{})
}

// full adds ErrFull to the system's error.
func full(err error) error {
	if err != nil && isFull(err) {
		return fmt.Errorf("cryptvfs: %w: %w", ErrFull, err)
	}
	return err
}

func open(path string, key *Key, d disk) (_ *Database, err error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("cryptvfs: path is not absolute: %w", fs.ErrInvalid)
	}
	k, err := derive(key)
	if err != nil {
		return nil, err
	}
	db := &Database{path: path, disk: d, keys: k}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.release())
		}
	}()
	if err := db.createIfMissing(); err != nil {
		return nil, full(err)
	}
	if err := db.take(); err != nil {
		return nil, err
	}
	db.reg, err = register(db)
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Check looks whether key is that of the database at path, without taking or
// changing it: nil, or one of Open's errors. It looks at the head alone.
func Check(path string, key *Key) (err error) {
	k, err := derive(key)
	if err != nil {
		return err
	}
	defer k.wipe()
	f, err := systemDisk{}.open(path, false, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return k.readHead(f)
}

func (k *keys) readHead(f diskFile) error {
	head := make([]byte, headSize)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("cryptvfs: head: %w", err)
	}
	return k.checkHead(head[:n])
}

// sizeOf is a file's size, 0 if there is none.
func sizeOf(d disk, path string) (int64, error) {
	n, err := d.size(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return n, err
}

// createIfMissing makes an empty database. It appears under its name when it is
// whole.
func (db *Database) createIfMissing() error {
	size, err := sizeOf(db.disk, db.path)
	if err != nil || size > 0 {
		return err
	}
	// SQLite would delete a WAL without its database. It may be all that is left.
	if size, err = sizeOf(db.disk, db.path+walSuffix); err != nil {
		return err
	} else if size > 0 {
		return fmt.Errorf("cryptvfs: a WAL without its database: %w", ErrDamaged)
	}
	part := db.path + newSuffix
	if err := db.disk.remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	x := box{aead: db.keys.page}
	b := append(db.keys.head(), make([]byte, pageSize)...)
	x.sealPage(b[headSize:], emptyPage1(), 1)
	if err := writeFile(db.disk, part, b); err != nil {
		return err
	}
	if err := db.disk.rename(part, db.path); err != nil {
		return err
	}
	return db.disk.syncDir(db.path)
}

// writeFile writes a new file and makes its content durable.
func writeFile(d disk, path string, b []byte) error {
	f, err := d.open(path, true, false)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// take opens and locks the database and looks whether key, pages and WAL are right
// as far as they must be for SQLite to begin.
func (db *Database) take() (err error) {
	if db.main.f, err = db.disk.open(db.path, false, false); err != nil {
		return err
	}
	if err := db.main.f.lock(); err != nil {
		return err
	}
	if err := db.keys.readHead(db.main.f); err != nil {
		return err
	}
	size, err := db.main.f.size()
	if err != nil {
		return err
	}
	db.main.pages = pagesIn(size)
	found, err := db.scanWAL()
	if err != nil {
		return err
	}
	db.wal.state = found.state
	db.main.inWAL, db.main.walPage1 = found.pages, found.page1
	return db.checkPage1()
}

func (db *Database) checkPage1() error {
	x := box{aead: db.keys.page}
	page := make([]byte, pageSize)
	if err := db.main.verify(&x, page, 1); err != nil {
		return err
	}
	if db.main.walPage1 == nil && !isPage1(page) {
		return fmt.Errorf("cryptvfs: page 1 is not of WAL mode: %w", ErrDamaged)
	}
	return nil
}

// VFS is the name by which SQLite's connections ask for this database.
func (db *Database) VFS() string { return db.name }

// Verify reads the whole database and returns ErrDamaged if a single bit is not as
// it was written, in free pages too. It runs beside everything else, and stops
// when ctx ends. The WAL was looked through by Open.
func (db *Database) Verify(ctx context.Context) error {
	if err := db.keys.readHead(db.main.f); err != nil {
		return err
	}
	return db.main.each(ctx, db.keys, nil)
}

// Copy writes the database as it is to a new file, with the same key, and makes it
// durable. The WAL must have been folded into the database and emptied
// (wal_checkpoint(TRUNCATE)): ErrWALNotEmpty if something was committed since.
// What is committed meanwhile waits in the WAL and is not in the copy.
// ErrDamaged if a page is not as it was written.
func (db *Database) Copy(ctx context.Context, to string) (err error) {
	if n, err := sizeOf(db.disk, to); err != nil {
		return err
	} else if n > 0 {
		return fmt.Errorf("cryptvfs: copy: %w", fs.ErrExist)
	}
	f, err := db.disk.open(to, true, false)
	if err != nil {
		return err
	}
	if err := errors.Join(db.copyTo(ctx, f), f.Close()); err != nil {
		return errors.Join(full(err), db.disk.remove(to))
	}
	return db.disk.syncDir(to)
}

func (db *Database) copyTo(ctx context.Context, f diskFile) error {
	// Nothing is written to the database while the lock is held, so it stays what
	// it is at this moment.
	db.main.mu.RLock()
	defer db.main.mu.RUnlock()
	size, err := sizeOf(db.disk, db.path+walSuffix)
	if err != nil {
		return err
	}
	if size > 0 {
		return fmt.Errorf("cryptvfs: copy: %w", ErrWALNotEmpty)
	}
	if _, err := f.WriteAt(db.keys.head(), 0); err != nil {
		return err
	}
	err = db.main.eachLocked(ctx, db.keys, 1, db.main.pages, func(sealed []byte, n int64) error {
		_, err := f.WriteAt(sealed, pageOffset(n))
		return err
	})
	if err != nil {
		return err
	}
	return f.Sync()
}

// Close gives the database back and overwrites its keys. ErrInUse if a connection
// is still open; nothing is changed then.
func (db *Database) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.files > 0 {
		return fmt.Errorf("cryptvfs: %w", ErrInUse)
	}
	if db.reg == nil {
		return fs.ErrClosed
	}
	if err := db.reg.unregister(); err != nil {
		return err
	}
	db.reg = nil
	return db.release()
}

// release closes the files and overwrites the keys.
func (db *Database) release() error {
	var err error
	if db.main.f != nil {
		err = db.main.f.Close()
	}
	db.keys.wipe()
	return err
}
