package cryptvfs

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"
)

// Lengths in bytes of what SQLite writes into its WAL: a head, then frames of a
// head and a page each. https://sqlite.org/fileformat2.html#the_write_ahead_log
const (
	walHeadLen   = 32
	frameHeadLen = 24
	frameLen     = frameHeadLen + pageSize
)

// Lengths in bytes of what is in the file: each of SQLite's parts is a record of
// its own, and a mark stands behind the head. Head and mark lie in one sector.
const (
	markLen       = 16
	sealedHead    = walHeadLen + overhead
	sealedMark    = markLen + overhead
	walStart      = sealedHead + sealedMark
	sealedFrameHd = frameHeadLen + overhead
	sealedFrame   = sealedFrameHd + pageSize + overhead
)

// record is where one of SQLite's parts lies.
type record struct {
	kind   byte
	frame  int64 // from 1; 0 for the head
	start  int64 // as SQLite counts
	length int
	at     int64 // in the file
}

// recordAt finds the record that SQLite's offset falls into.
func recordAt(off int64) record {
	if off < walHeadLen {
		return record{kind: kindWALHead, length: walHeadLen}
	}
	k, within := (off-walHeadLen)/frameLen, (off-walHeadLen)%frameLen
	r := record{kind: kindFrameHead, frame: k + 1, start: walHeadLen + k*frameLen, length: frameHeadLen, at: frameOffset(k + 1)}
	if within >= frameHeadLen {
		r.kind, r.length = kindFramePage, pageSize
		r.start += frameHeadLen
		r.at += sealedFrameHd
	}
	return r
}

func frameOffset(n int64) int64 { return walStart + (n-1)*sealedFrame }

// wal is the write-ahead log, shared by all connections.
type wal struct {
	mu      sync.Mutex
	f       diskFile // nil while there is no file or nobody has it open; guarded by mu
	handles int      // guarded by mu
	created bool     // the file's name is not durable yet; guarded by mu
	state   walState // guarded by mu
}

// walState is what is known of the WAL's content.
type walState struct {
	live bool    // the head is there
	salt [8]byte // of this generation of frames: SQLite begins the file anew
	// sure is the last frame that was durable as part of a whole transaction. What
	// is missing up to it is damage; what is missing beyond it was never
	// acknowledged.
	sure int64
}

type walHandle struct {
	db  *Database
	box box
	buf [pageSize + overhead]byte
	// commit is the last frame this connection wrote, if it ends a transaction and
	// was not synced yet. Only the connection itself knows when all of the
	// transaction is written.
	commit int64
	salt   [8]byte // of that frame
}

// file returns the WAL's file, nil if there is none and it shall not be made.
func (h *walHandle) file(create bool) (diskFile, error) {
	db, w := h.db, &h.db.wal
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.f != nil {
		return w.f, nil
	}
	path := db.path + walSuffix
	size, err := sizeOf(db.disk, path)
	if err != nil || size == 0 && !create {
		return nil, err
	}
	w.f, err = db.disk.open(path, create, false)
	if err != nil {
		w.f = nil
		return nil, err
	}
	w.created = size == 0
	return w.f, nil
}

func (h *walHandle) read(b []byte, off int64) int32 {
	f, err := h.file(false)
	if err != nil {
		clear(b)
		return sqlite3.SQLITE_IOERR_READ
	}
	if f == nil {
		clear(b)
		return sqlite3.SQLITE_IOERR_SHORT_READ
	}
	// Only SQLite's recovery reads whole frames, to find the end of the log.
	recovery := len(b) == frameLen || off < walHeadLen
	for len(b) > 0 {
		n, rc := h.readRecord(f, b, off, recovery)
		if rc != sqlite3.SQLITE_OK {
			clear(b)
			return rc
		}
		if n == 0 { // the log ends here
			clear(b)
			return sqlite3.SQLITE_OK
		}
		b, off = b[n:], off+int64(n)
	}
	return sqlite3.SQLITE_OK
}

// readRecord reads the record at off into b, from off on, and returns how many
// bytes that are. In recovery, 0 bytes stand for a record that a crash left
// unfinished.
func (h *walHandle) readRecord(f diskFile, b []byte, off int64, recovery bool) (int, int32) {
	r := recordAt(off)
	sealed := h.buf[:r.length+overhead]
	got, err := f.ReadAt(sealed, r.at)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, sqlite3.SQLITE_IOERR_READ
	}
	var p []byte
	if got == len(sealed) {
		p = h.box.openRecord(sealed, r.kind, r.frame)
	}
	switch {
	case p != nil:
		return copy(b, p[off-r.start:]), sqlite3.SQLITE_OK
	case recovery && !h.db.wal.mustHave(r):
		return 0, sqlite3.SQLITE_OK
	default:
		return 0, sqlite3.SQLITE_IOERR_DATA
	}
}

// mustHave reports whether a record's lack is damage.
func (w *wal) mustHave(r record) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.live && r.frame <= w.state.sure
}

func (h *walHandle) write(b []byte, off int64) int32 {
	r := recordAt(off)
	if r.start != off || r.length != len(b) {
		return sqlite3.SQLITE_IOERR_WRITE
	}
	if h.db.failed.Load() {
		return sqlite3.SQLITE_IOERR_WRITE
	}
	commit := h.commit
	h.commit = 0
	f, err := h.file(true)
	if err != nil {
		return result(err, sqlite3.SQLITE_IOERR_WRITE)
	}
	sealed := h.buf[:len(b)+overhead]
	h.box.sealRecord(sealed, b, r.kind, r.frame)
	if r.kind == kindWALHead {
		h.db.wal.begin(b)
		sealed = h.buf[:walStart] // and no mark yet
		clear(sealed[sealedHead:])
	}
	if _, err := f.WriteAt(sealed, r.at); err != nil {
		if r.kind == kindWALHead {
			// Half a head would look like damage. What stood there before is in the
			// database, or SQLite would not begin anew.
			_ = f.Truncate(0)
		}
		return result(err, sqlite3.SQLITE_IOERR_WRITE)
	}
	switch {
	case r.kind == kindFrameHead && endsTransaction(b):
		h.commit, h.salt = r.frame, [8]byte(b[8:16])
	case r.kind == kindFramePage && r.frame == commit:
		h.commit = commit
	}
	return sqlite3.SQLITE_OK
}

// begin notes that the log begins anew with head; everything of the generation
// before is in the database.
func (w *wal) begin(head []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = walState{live: true, salt: saltOf(head)}
}

func saltOf(head []byte) [8]byte { return [8]byte(head[16:24]) }

func endsTransaction(frameHead []byte) bool { return binary.BigEndian.Uint32(frameHead[4:]) != 0 }

func (h *walHandle) sync() int32 {
	f, err := h.file(false)
	if err != nil {
		return sqlite3.SQLITE_IOERR_FSYNC
	}
	if f == nil {
		return sqlite3.SQLITE_OK
	}
	if h.db.wal.isNew() {
		if err := h.db.disk.syncDir(h.db.path); err != nil {
			h.db.failed.Store(true)
			return sqlite3.SQLITE_IOERR_DIR_FSYNC
		}
	}
	if rc := h.db.sync(f); rc != sqlite3.SQLITE_OK {
		return rc
	}
	if h.commit > 0 {
		h.mark(f)
	}
	return sqlite3.SQLITE_OK
}

// isNew reports, once, whether the file was made since the last sync.
func (w *wal) isNew() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.created
	w.created = false
	return was
}

// mark writes down up to which frame the log is durable. The mark itself is not
// synced, that would cost as much again: after a power cut it may be that of the
// transaction before.
func (h *walHandle) mark(f diskFile) {
	commit := h.commit
	h.commit = 0
	if !h.db.wal.isSure(commit, h.salt) {
		return
	}
	var p [markLen]byte
	copy(p[:], h.salt[:])
	binary.BigEndian.PutUint64(p[8:], uint64(commit))
	sealed := h.buf[:sealedMark]
	h.box.sealRecord(sealed, p[:], kindMark, 0)
	// Without the mark nothing is lost; damage would be taken for a torn end.
	_, _ = f.WriteAt(sealed, sealedHead)
}

// isSure notes that the log is durable up to frame n; false if it has begun anew
// since.
func (w *wal) isSure(n int64, salt [8]byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state.salt != salt {
		return false
	}
	w.state.sure = n
	return true
}

func (h *walHandle) truncate(size int64) int32 {
	f, err := h.file(false)
	if err != nil || h.db.failed.Load() {
		return result(err, sqlite3.SQLITE_IOERR_TRUNCATE)
	}
	if f == nil {
		return sqlite3.SQLITE_OK
	}
	at := int64(0)
	if size > 0 {
		frames := (max(size, walHeadLen) - walHeadLen + frameLen - 1) / frameLen
		at = frameOffset(frames + 1)
	} else {
		w := &h.db.wal
		w.mu.Lock()
		w.state = walState{}
		w.mu.Unlock()
	}
	return result(f.Truncate(at), sqlite3.SQLITE_IOERR_TRUNCATE)
}

func (h *walHandle) size() (int64, int32) {
	f, err := h.file(false)
	if err != nil {
		return 0, sqlite3.SQLITE_IOERR_FSTAT
	}
	if f == nil {
		return 0, sqlite3.SQLITE_OK
	}
	n, err := f.size()
	if err != nil {
		return 0, sqlite3.SQLITE_IOERR_FSTAT
	}
	if n < walStart {
		return 0, sqlite3.SQLITE_OK
	}
	return walHeadLen + (n-walStart)/sealedFrame*frameLen, sqlite3.SQLITE_OK
}

// close closes the file with its last handle.
func (h *walHandle) close() {
	w := &h.db.wal
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.handles--; w.handles == 0 && w.f != nil {
		_ = w.f.Close() // everything that counts was synced
		w.f = nil
	}
}

// removeWAL deletes the WAL, as SQLite does when the last connection has folded it
// into the database.
func (db *Database) removeWAL() int32 {
	w := &db.wal
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.handles > 0 || db.failed.Load() {
		return sqlite3.SQLITE_IOERR_DELETE
	}
	w.state = walState{}
	return deleted(db.disk.remove(db.path + walSuffix))
}
