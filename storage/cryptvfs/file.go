package cryptvfs

import (
	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// handleOf finds the handle of a file that SQLite has open.
func handleOf(file uintptr) handle {
	v, ok := handles.Load(at[sqliteFile](file).handle)
	if !ok {
		panic("cryptvfs: SQLite uses a file that it has closed")
	}
	return v.(handle)
}

func xClose(_ *libc.TLS, file uintptr) int32 {
	f := at[sqliteFile](file)
	h := handleOf(file)
	handles.Delete(f.handle)
	f.FpMethods = 0
	h.close()
	switch h := h.(type) {
	case *mainHandle:
		h.db.closed()
	case *walHandle:
		h.db.closed()
	}
	return sqlite3.SQLITE_OK
}

func xRead(_ *libc.TLS, file, buf uintptr, n int32, off int64) int32 {
	return handleOf(file).read(bytesAt(buf, n), off)
}

func xWrite(_ *libc.TLS, file, buf uintptr, n int32, off int64) int32 {
	return handleOf(file).write(bytesAt(buf, n), off)
}

func xTruncate(_ *libc.TLS, file uintptr, size int64) int32 { return handleOf(file).truncate(size) }

// xSync: what its flags ask for at most is what a sync does here always.
func xSync(_ *libc.TLS, file uintptr, _ int32) int32 { return handleOf(file).sync() }

func xFileSize(_ *libc.TLS, file, out uintptr) int32 {
	n, rc := handleOf(file).size()
	*at[int64](out) = n
	return rc
}

func xLock(_ *libc.TLS, file uintptr, level int32) int32 {
	if h, ok := handleOf(file).(*mainHandle); ok {
		return h.db.index.lock(h, level)
	}
	return sqlite3.SQLITE_OK
}

func xUnlock(_ *libc.TLS, file uintptr, level int32) int32 {
	if h, ok := handleOf(file).(*mainHandle); ok {
		h.db.index.unlock(h, level)
	}
	return sqlite3.SQLITE_OK
}

func xCheckReservedLock(_ *libc.TLS, file, out uintptr) int32 {
	*at[int32](out) = 0
	if h, ok := handleOf(file).(*mainHandle); ok && h.db.index.isReserved() {
		*at[int32](out) = 1
	}
	return sqlite3.SQLITE_OK
}

// xFileControl answers what SQLite or a program asks beside reading and writing.
// https://sqlite.org/c3ref/c_fcntl_begin_atomic_write.html
func xFileControl(tls *libc.TLS, file uintptr, op int32, arg uintptr) int32 {
	h, ok := handleOf(file).(*mainHandle)
	if !ok {
		return sqlite3.SQLITE_NOTFOUND
	}
	switch op {
	case sqlite3.SQLITE_FCNTL_LOCKSTATE:
		*at[int32](arg) = h.db.index.levelOf(h)
	case sqlite3.SQLITE_FCNTL_SIZE_HINT:
		// Space is not taken in advance.
	case sqlite3.SQLITE_FCNTL_PERSIST_WAL:
		askOrSet(at[int32](arg), &h.persist)
	case sqlite3.SQLITE_FCNTL_POWERSAFE_OVERWRITE:
		*at[int32](arg) = 1 // it cannot be turned off
	case sqlite3.SQLITE_FCNTL_VFSNAME:
		*at[uintptr](arg) = sqliteString(tls, h.db.VFS())
	case sqlite3.SQLITE_FCNTL_HAS_MOVED:
		// SQLite then leaves the WAL alone when it closes.
		*at[int32](arg) = 0
		if h.db.main.f.moved(h.db.path) {
			*at[int32](arg) = 1
		}
	default:
		return sqlite3.SQLITE_NOTFOUND
	}
	return sqlite3.SQLITE_OK
}

// askOrSet: a negative argument asks for a setting, any other sets it.
func askOrSet(arg *int32, setting *bool) {
	if *arg >= 0 {
		*setting = *arg != 0
		return
	}
	*arg = 0
	if *setting {
		*arg = 1
	}
}

func xSectorSize(*libc.TLS, uintptr) int32 { return pageSize }

// xDeviceCharacteristics: a write changes nothing beside what it writes, even if
// the power fails. SQLite assumes this of every disk by default.
func xDeviceCharacteristics(*libc.TLS, uintptr) int32 {
	return sqlite3.SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

func xShmMap(tls *libc.TLS, file uintptr, region, size, extend int32, out uintptr) int32 {
	h, ok := handleOf(file).(*mainHandle)
	if !ok {
		return sqlite3.SQLITE_IOERR_SHMMAP
	}
	p, rc := h.db.index.region(tls, h, int(region), int(size), extend != 0)
	*at[uintptr](out) = p
	return rc
}

func xShmLock(_ *libc.TLS, file uintptr, from, n, flags int32) int32 {
	h, ok := handleOf(file).(*mainHandle)
	if !ok {
		return sqlite3.SQLITE_IOERR_SHMLOCK
	}
	return h.db.index.lockRegion(h, int(from), int(n), flags)
}

func xShmBarrier(_ *libc.TLS, file uintptr) {
	if h, ok := handleOf(file).(*mainHandle); ok {
		h.db.index.barrier()
	}
}

func xShmUnmap(tls *libc.TLS, file uintptr, _ int32) int32 {
	if h, ok := handleOf(file).(*mainHandle); ok {
		h.db.index.unmap(tls, h)
	}
	return sqlite3.SQLITE_OK
}
