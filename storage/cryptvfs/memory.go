package cryptvfs

import (
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// The transpiled SQLite lives in memory of its own that Go's collector does not
// know; it is reached by addresses. All of that is in this file.

// at turns an address of SQLite's memory into a pointer.
func at[T any](p uintptr) *T {
	return *(**T)(unsafe.Pointer(&p)) //nolint:gosec // G103: not Go's memory
}

// bytesAt is n bytes of SQLite's memory.
func bytesAt(p uintptr, n int32) []byte {
	return unsafe.Slice(at[byte](p), n) //nolint:gosec // G103: SQLite vouches for the length
}

// function is a top-level function as SQLite's tables want it.
func function[F any](f F) uintptr {
	return *(*uintptr)(unsafe.Pointer(&struct{ f F }{f})) //nolint:gosec // G103: as modernc.org/sqlite does it
}

// sqliteFile is what SQLite allocates for each open file: its own part, and the
// number under which we know the handle.
type sqliteFile struct {
	sqlite3.Tsqlite3_file
	handle uintptr
}

const sqliteFileSize = int32(unsafe.Sizeof(sqliteFile{})) //nolint:gosec // G103: a constant

// allocate makes a zeroed T in SQLite's memory; 0 if there is none left.
func allocate[T any](tls *libc.TLS) uintptr {
	var t T
	return libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(t))) //nolint:gosec // G103: a size
}

// sqliteString copies s for SQLite, which frees it; 0 if there is no memory left.
func sqliteString(tls *libc.TLS, s string) uintptr {
	p := sqlite3.Xsqlite3_malloc64(tls, uint64(len(s)+1))
	if p != 0 {
		putString(p, int32(len(s)+1), s)
	}
	return p
}

// putString writes s and its zero to p, where n bytes are; false if it is longer.
func putString(p uintptr, n int32, s string) bool {
	if len(s)+1 > int(n) {
		return false
	}
	b := bytesAt(p, n)
	b[copy(b, s)] = 0
	return true
}
