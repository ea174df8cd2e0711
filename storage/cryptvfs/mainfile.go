package cryptvfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"
)

// mainFile is the database file, shared by all connections.
//
// SQLite sees to it that nobody reads a page while it is written, except that
// every connection reads the first 100 bytes when it is opened.
type mainFile struct {
	f diskFile

	mu    sync.RWMutex // held for writing while pages are changed
	pages int64        // whole pages in the file; guarded by mu
	// inWAL are the pages that the WAL held when the database was opened: a crash
	// while they were moved from there may have left them unfinished here.
	// Guarded by mu.
	inWAL map[int64]struct{}
	// walPage1 is the head of page 1 as that WAL has it, nil if it has none.
	walPage1 []byte
}

func pageOffset(n int64) int64 { return headSize + (n-1)*pageSize }

func pagesIn(size int64) int64 { return max(0, size-headSize) / pageSize }

// mainHandle is a connection's handle of the database.
type mainHandle struct {
	db       *Database
	box      box
	page     [pageSize]byte
	readOnly bool
	persist  bool  // keep the WAL when the last connection closes
	level    int32 // of the lock; guarded by db.index.mu
	shm      shmUse
}

func (h *mainHandle) read(b []byte, off int64) int32 {
	n := off/pageSize + 1
	if len(b) == pageSize && off%pageSize == 0 {
		return h.db.main.read(&h.box, b, n)
	}
	if off%pageSize+int64(len(b)) > pageSize {
		return sqlite3.SQLITE_IOERR_READ
	}
	return h.readPart(b, n, off%pageSize)
}

// read reads a whole page into b.
func (m *mainFile) read(x *box, b []byte, n int64) int32 {
	got, err := m.f.ReadAt(b, pageOffset(n))
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		clear(b)
		return sqlite3.SQLITE_IOERR_READ
	case got < len(b):
		// SQLite never reads a page that was not written: this one was cut off.
		clear(b)
		return sqlite3.SQLITE_IOERR_DATA
	case !x.openPage(b, n):
		return sqlite3.SQLITE_IOERR_DATA
	}
	return sqlite3.SQLITE_OK
}

// readPart reads the head of page 1 for a connection that is being opened and
// holds no lock yet.
func (h *mainHandle) readPart(b []byte, n, from int64) int32 {
	m := &h.db.main
	m.mu.RLock()
	defer m.mu.RUnlock()
	rc := m.read(&h.box, h.page[:], n)
	switch {
	case rc == sqlite3.SQLITE_OK:
		copy(b, h.page[from:])
	case rc == sqlite3.SQLITE_IOERR_DATA && n == 1 && m.pendingLocked(1) && from+int64(len(b)) <= int64(len(m.walPage1)):
		copy(b, m.walPage1[from:])
		rc = sqlite3.SQLITE_OK
	default:
		clear(b)
	}
	return rc
}

// pendingLocked reports whether page n may be unfinished because the WAL has it.
func (m *mainFile) pendingLocked(n int64) bool {
	_, ok := m.inWAL[n]
	return ok
}

func (h *mainHandle) write(b []byte, off int64) int32 {
	n := off/pageSize + 1
	switch {
	case h.readOnly:
		return sqlite3.SQLITE_READONLY
	case len(b) != pageSize || off%pageSize != 0 || n == 1 && !isPage1(b):
		return sqlite3.SQLITE_IOERR_WRITE // would overwrite nonces, or leave WAL mode
	}
	return h.change(sqlite3.SQLITE_IOERR_WRITE, func(m *mainFile) error {
		if err := h.fillLocked(n - 1); err != nil {
			return err
		}
		return h.writeLocked(b, n)
	})
}

// change runs fn with the file to itself and turns its error into SQLite's.
func (h *mainHandle) change(code int32, fn func(*mainFile) error) int32 {
	m := &h.db.main
	m.mu.Lock()
	defer m.mu.Unlock()
	if h.db.failed.Load() {
		return code
	}
	return result(fn(m), code)
}

func (h *mainHandle) writeLocked(p []byte, n int64) error {
	m := &h.db.main
	h.box.sealPage(h.page[:], p, n)
	if _, err := m.f.WriteAt(h.page[:], pageOffset(n)); err != nil {
		return err
	}
	m.pages = max(m.pages, n)
	delete(m.inWAL, n)
	return nil
}

// zeroPage is what lies in pages that SQLite leaves out.
var zeroPage [pageSize]byte

// fillLocked seals pages of zeros up to page n, so that everything in the file can
// be opened: SQLite leaves the lock page out, and free pages at times.
func (h *mainHandle) fillLocked(n int64) error {
	for h.db.main.pages < n {
		if err := h.writeLocked(zeroPage[:], h.db.main.pages+1); err != nil {
			return err
		}
	}
	return nil
}

func (h *mainHandle) truncate(size int64) int32 {
	if h.readOnly {
		return sqlite3.SQLITE_READONLY
	}
	return h.change(sqlite3.SQLITE_IOERR_TRUNCATE, func(m *mainFile) error {
		n := (size + pageSize - 1) / pageSize
		if n >= m.pages {
			return h.fillLocked(n)
		}
		if err := m.f.Truncate(pageOffset(n + 1)); err != nil {
			return err
		}
		m.pages = n
		return nil
	})
}

func (h *mainHandle) sync() int32 {
	return h.db.sync(h.db.main.f)
}

// sync makes f durable. After a failure nothing more is written.
func (db *Database) sync(f diskFile) int32 {
	if db.failed.Load() || f.Sync() != nil {
		db.failed.Store(true)
		return sqlite3.SQLITE_IOERR_FSYNC
	}
	return sqlite3.SQLITE_OK
}

func (h *mainHandle) size() (int64, int32) {
	n, err := h.db.main.f.size()
	if err != nil {
		return 0, sqlite3.SQLITE_IOERR_FSTAT
	}
	return pagesIn(n) * pageSize, sqlite3.SQLITE_OK
}

func (h *mainHandle) close() {
	h.db.index.leave(h)
}

// result turns an error of the system into SQLite's code.
func result(err error, code int32) int32 {
	switch {
	case err == nil:
		return sqlite3.SQLITE_OK
	case isFull(err):
		return sqlite3.SQLITE_FULL
	default:
		return code
	}
}

// verifyBatch is how many pages are looked at between two chances for a writer.
const verifyBatch = 256

// each opens every page and hands it on, sealed, unless fn is nil.
func (m *mainFile) each(ctx context.Context, k *keys, fn func(sealed []byte, n int64) error) error {
	for from := int64(1); ; from += verifyBatch {
		m.mu.RLock()
		to := min(from+verifyBatch-1, m.pages)
		err := m.eachLocked(ctx, k, from, to, fn)
		last := to == m.pages
		m.mu.RUnlock()
		if err != nil || last {
			return err
		}
	}
}

func (m *mainFile) eachLocked(ctx context.Context, k *keys, from, to int64, fn func(sealed []byte, n int64) error) error {
	x := box{aead: k.page}
	page, sealed := make([]byte, pageSize), make([]byte, pageSize)
	for n := from; n <= to; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if fn == nil {
			if err := m.verify(&x, page, n); err != nil {
				return err
			}
			continue
		}
		if _, err := m.f.ReadAt(sealed, pageOffset(n)); err != nil {
			return fmt.Errorf("cryptvfs: page %d: %w", n, err)
		}
		copy(page, sealed)
		if !x.openPage(page, n) && n != lockPage {
			return fmt.Errorf("cryptvfs: page %d: %w", n, ErrDamaged)
		}
		if err := fn(sealed, n); err != nil {
			return err
		}
	}
	return nil
}

// verify reads page n into b. The caller holds mu, or has the file alone.
func (m *mainFile) verify(x *box, b []byte, n int64) error {
	switch rc := m.read(x, b, n); {
	case rc == sqlite3.SQLITE_OK || n == lockPage || rc == sqlite3.SQLITE_IOERR_DATA && m.pendingLocked(n):
		return nil
	case rc == sqlite3.SQLITE_IOERR_DATA:
		return fmt.Errorf("cryptvfs: page %d: %w", n, ErrDamaged)
	default:
		return fmt.Errorf("cryptvfs: page %d cannot be read", n)
	}
}
