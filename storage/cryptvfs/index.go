package cryptvfs

import (
	"sync"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// index holds the locks of SQLite's connections and the WAL's index, which in
// other VFSs is shared memory. One process has the database, so both live here.
// https://sqlite.org/walformat.html
type index struct {
	mu sync.Mutex

	// The locks of the database file; guarded by mu.
	shared    int
	reserved  *mainHandle
	pending   *mainHandle
	exclusive *mainHandle

	// The index; guarded by mu. Its content SQLite guards by the locks below.
	regions []uintptr // in C's memory
	users   int
	readers [sqlite3.SQLITE_SHM_NLOCK]int
	writers [sqlite3.SQLITE_SHM_NLOCK]*mainHandle
}

// shmUse is what one connection has of the index; guarded by index.mu.
type shmUse struct {
	mapped bool
	reads  [sqlite3.SQLITE_SHM_NLOCK]bool
}

// lock raises h's lock. https://sqlite.org/lockingv3.html
func (x *index) lock(h *mainHandle, level int32) int32 {
	x.mu.Lock()
	defer x.mu.Unlock()
	if h.level >= level {
		return sqlite3.SQLITE_OK
	}
	switch level {
	case sqlite3.SQLITE_LOCK_SHARED:
		if x.pending != nil || x.exclusive != nil {
			return sqlite3.SQLITE_BUSY
		}
		x.shared++
	case sqlite3.SQLITE_LOCK_RESERVED:
		if x.reserved != nil || h.readOnly {
			return sqlite3.SQLITE_BUSY
		}
		x.reserved = h
	case sqlite3.SQLITE_LOCK_EXCLUSIVE:
		return x.lockExclusive(h)
	}
	h.level = level
	return sqlite3.SQLITE_OK
}

// lockExclusive keeps new readers out while it waits for the others to leave.
func (x *index) lockExclusive(h *mainHandle) int32 {
	if h.readOnly || !mayTake(x.pending, h) || !mayTake(x.reserved, h) {
		return sqlite3.SQLITE_BUSY
	}
	x.pending = h
	if x.shared > 1 {
		h.level = sqlite3.SQLITE_LOCK_PENDING
		return sqlite3.SQLITE_BUSY
	}
	x.exclusive = h
	h.level = sqlite3.SQLITE_LOCK_EXCLUSIVE
	return sqlite3.SQLITE_OK
}

func mayTake(holder, h *mainHandle) bool { return holder == nil || holder == h }

func (x *index) unlock(h *mainHandle, level int32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.unlockLocked(h, level)
}

func (x *index) unlockLocked(h *mainHandle, level int32) {
	if h.level <= level {
		return
	}
	if level <= sqlite3.SQLITE_LOCK_SHARED {
		for _, holder := range []**mainHandle{&x.reserved, &x.pending, &x.exclusive} {
			if *holder == h {
				*holder = nil
			}
		}
	}
	if level == sqlite3.SQLITE_LOCK_NONE {
		x.shared--
	}
	h.level = level
}

func (x *index) isReserved() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.reserved != nil || x.exclusive != nil
}

func (x *index) levelOf(h *mainHandle) int32 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return h.level
}

// region returns the place of a part of the index, 0 if there is none yet and it
// shall not be made.
func (x *index) region(tls *libc.TLS, h *mainHandle, n, size int, extend bool) (uintptr, int32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !h.shm.mapped {
		h.shm.mapped = true
		x.users++
	}
	for n >= len(x.regions) {
		if !extend {
			return 0, sqlite3.SQLITE_OK
		}
		p := libc.Xcalloc(tls, 1, libc.Tsize_t(size))
		if p == 0 {
			return 0, sqlite3.SQLITE_NOMEM
		}
		x.regions = append(x.regions, p)
	}
	return x.regions[n], sqlite3.SQLITE_OK
}

// lockRegion takes or gives back some of the index's locks, all or none.
func (x *index) lockRegion(h *mainHandle, from, n int, flags int32) int32 {
	if from < 0 || n < 1 || from+n > len(x.readers) {
		return sqlite3.SQLITE_IOERR_SHMLOCK
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if flags&sqlite3.SQLITE_SHM_UNLOCK != 0 {
		x.unlockRegionLocked(h, from, n)
		return sqlite3.SQLITE_OK
	}
	read := flags&sqlite3.SQLITE_SHM_SHARED != 0
	for i := from; i < from+n; i++ {
		if !x.freeLocked(h, i, read) {
			return sqlite3.SQLITE_BUSY
		}
	}
	for i := from; i < from+n; i++ {
		switch {
		case !read:
			x.writers[i] = h
		case !h.shm.reads[i]:
			h.shm.reads[i] = true
			x.readers[i]++
		}
	}
	return sqlite3.SQLITE_OK
}

func (x *index) freeLocked(h *mainHandle, i int, read bool) bool {
	if !mayTake(x.writers[i], h) {
		return false
	}
	if read {
		return true
	}
	others := x.readers[i]
	if h.shm.reads[i] {
		others--
	}
	return others == 0
}

func (x *index) unlockRegionLocked(h *mainHandle, from, n int) {
	for i := from; i < from+n; i++ {
		if x.writers[i] == h {
			x.writers[i] = nil
		}
		if h.shm.reads[i] {
			h.shm.reads[i] = false
			x.readers[i]--
		}
	}
}

// barrier orders the memory accesses before it before those after it: taking a
// lock is an atomic read-modify-write with release, giving it back one with
// acquire, and nothing passes such a pair, on arm64 neither.
func (x *index) barrier() {
	x.mu.Lock()
	x.mu.Unlock() //nolint:staticcheck // SA2001: the pair itself is what counts
}

// unmap gives the index back; its memory is freed with its last user.
func (x *index) unmap(tls *libc.TLS, h *mainHandle) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !h.shm.mapped {
		return
	}
	h.shm.mapped = false
	x.unlockRegionLocked(h, 0, len(x.readers))
	if x.users--; x.users > 0 {
		return
	}
	for _, p := range x.regions {
		libc.Xfree(tls, p)
	}
	x.regions = nil
}

// leave gives back what a closing connection still has.
func (x *index) leave(h *mainHandle) {
	x.unlock(h, sqlite3.SQLITE_LOCK_NONE)
}
