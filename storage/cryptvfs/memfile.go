package cryptvfs

import sqlite3 "modernc.org/sqlite/lib"

// memoryLimit in bytes of a temporary file: what a statement may sort or undo.
// Beyond it the statement fails as on a full disk.
const memoryLimit = 1 << 30

// memoryFile is a temporary file. It never reaches the disk, and is overwritten
// when it is closed.
type memoryFile struct{ b []byte }

func (f *memoryFile) read(b []byte, off int64) int32 {
	n := 0
	if off < int64(len(f.b)) {
		n = copy(b, f.b[off:])
	}
	if n < len(b) {
		clear(b[n:])
		return sqlite3.SQLITE_IOERR_SHORT_READ
	}
	return sqlite3.SQLITE_OK
}

func (f *memoryFile) write(b []byte, off int64) int32 {
	end := off + int64(len(b))
	if end > memoryLimit {
		return sqlite3.SQLITE_FULL
	}
	if end > int64(len(f.b)) {
		f.grow(int(end))
	}
	copy(f.b[off:], b)
	return sqlite3.SQLITE_OK
}

// grow makes the file n bytes long, and overwrites the place it had before.
func (f *memoryFile) grow(n int) {
	if n <= cap(f.b) {
		f.b = f.b[:n]
		return
	}
	larger := make([]byte, n, max(n, 2*cap(f.b), 64<<10))
	copy(larger, f.b)
	clear(f.b)
	f.b = larger
}

func (f *memoryFile) truncate(size int64) int32 {
	if size < int64(len(f.b)) {
		clear(f.b[size:])
		f.b = f.b[:size]
	}
	return sqlite3.SQLITE_OK
}

func (f *memoryFile) sync() int32          { return sqlite3.SQLITE_OK }
func (f *memoryFile) size() (int64, int32) { return int64(len(f.b)), sqlite3.SQLITE_OK }
func (f *memoryFile) close()               { clear(f.b[:cap(f.b)]) }
