package cryptvfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"sync"
	"sync/atomic"

	"modernc.org/libc"
	_ "modernc.org/sqlite" // prepares SQLite for use by several goroutines
	sqlite3 "modernc.org/sqlite/lib"
)

// handle is a file that SQLite has open. SQLite uses each from one goroutine at a
// time. Results are SQLite's codes.
type handle interface {
	read(b []byte, off int64) int32
	write(b []byte, off int64) int32
	truncate(size int64) int32
	sync() int32
	size() (int64, int32)
	close()
}

// What SQLite knows by number.
var (
	databases  sync.Map // *Database by the address of its VFS
	handles    sync.Map // handle by its number
	lastHandle atomic.Uintptr
	lastVFS    atomic.Uint64
)

// registration is a VFS that SQLite knows.
type registration struct {
	tls   *libc.TLS
	vfs   uintptr
	cName uintptr
}

// vfsVersion: the tables' fields up to version 2, as SQLite 3.54 knows them.
const vfsVersion = 2

func register(db *Database) (*registration, error) {
	db.name = "kuvert-" + strconv.FormatUint(lastVFS.Add(1), 10)
	r := &registration{tls: libc.NewTLS()}
	r.vfs = allocate[sqlite3.Tsqlite3_vfs](r.tls)
	r.cName = sqliteString(r.tls, db.name)
	if r.vfs == 0 || r.cName == 0 || system() == nil || methods() == 0 {
		r.free()
		return nil, errors.New("cryptvfs: no memory for a VFS")
	}
	v := at[sqlite3.Tsqlite3_vfs](r.vfs)
	*v = *system() // clock, sleep and randomness are the system's
	v.FiVersion, v.FpNext, v.FzName, v.FszOsFile = vfsVersion, 0, r.cName, sqliteFileSize
	v.FxOpen, v.FxDelete = function(xOpen), function(xDelete)
	v.FxAccess, v.FxFullPathname = function(xAccess), function(xFullPathname)
	databases.Store(r.vfs, db)
	if rc := sqlite3.Xsqlite3_vfs_register(r.tls, r.vfs, 0); rc != sqlite3.SQLITE_OK {
		databases.Delete(r.vfs)
		r.free()
		return nil, fmt.Errorf("cryptvfs: SQLite refuses the VFS: code %d", rc)
	}
	return r, nil
}

func (r *registration) unregister() error {
	if rc := sqlite3.Xsqlite3_vfs_unregister(r.tls, r.vfs); rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("cryptvfs: SQLite keeps the VFS: code %d", rc)
	}
	databases.Delete(r.vfs)
	r.free()
	return nil
}

func (r *registration) free() {
	libc.Xfree(r.tls, r.vfs)
	sqlite3.Xsqlite3_free(r.tls, r.cName)
	r.tls.Close()
}

// system is a copy of the operating system's VFS, nil if SQLite has none. It is
// made once, before the first of ours is registered: SQLite strings them together
// through a field of the original.
var system = sync.OnceValue(func() *sqlite3.Tsqlite3_vfs {
	tls := libc.NewTLS()
	defer tls.Close()
	p := sqlite3.Xsqlite3_vfs_find(tls, 0)
	if p == 0 {
		return nil
	}
	v := *at[sqlite3.Tsqlite3_vfs](p)
	return &v
})

// methods is the table of a file's functions, the same for all.
var methods = sync.OnceValue(func() uintptr {
	tls := libc.NewTLS()
	defer tls.Close()
	p := allocate[sqlite3.Tsqlite3_io_methods](tls)
	if p == 0 {
		return 0
	}
	m := at[sqlite3.Tsqlite3_io_methods](p)
	m.FiVersion = vfsVersion
	m.FxClose, m.FxRead, m.FxWrite = function(xClose), function(xRead), function(xWrite)
	m.FxTruncate, m.FxSync, m.FxFileSize = function(xTruncate), function(xSync), function(xFileSize)
	m.FxLock, m.FxUnlock, m.FxCheckReservedLock = function(xLock), function(xUnlock), function(xCheckReservedLock)
	m.FxFileControl = function(xFileControl)
	m.FxSectorSize, m.FxDeviceCharacteristics = function(xSectorSize), function(xDeviceCharacteristics)
	m.FxShmMap, m.FxShmLock = function(xShmMap), function(xShmLock)
	m.FxShmBarrier, m.FxShmUnmap = function(xShmBarrier), function(xShmUnmap)
	return p
})

func databaseOf(vfs uintptr) *Database {
	v, ok := databases.Load(vfs)
	if !ok {
		return nil
	}
	return v.(*Database)
}

func xOpen(_ *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32 {
	f := at[sqliteFile](file)
	f.FpMethods = 0 // nothing to close until it succeeds
	db := databaseOf(vfs)
	if db == nil {
		return sqlite3.SQLITE_CANTOPEN
	}
	h := db.handleFor(name, flags)
	if h == nil {
		return sqlite3.SQLITE_CANTOPEN
	}
	f.handle = lastHandle.Add(1)
	handles.Store(f.handle, h)
	f.FpMethods = methods()
	if outFlags != 0 {
		*at[int32](outFlags) = flags
	}
	return sqlite3.SQLITE_OK
}

// memoryFiles are the kinds of files that stay in memory.
const memoryFiles = sqlite3.SQLITE_OPEN_TEMP_DB | sqlite3.SQLITE_OPEN_TRANSIENT_DB |
	sqlite3.SQLITE_OPEN_TEMP_JOURNAL | sqlite3.SQLITE_OPEN_SUBJOURNAL

// handleFor makes a handle for a file; nil for what must not be: rollback
// journals, and databases other than db.
func (db *Database) handleFor(name uintptr, flags int32) handle {
	if flags&memoryFiles != 0 {
		return &memoryFile{}
	}
	if name == 0 {
		return nil
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	switch s := libc.GoString(name); {
	case flags&sqlite3.SQLITE_OPEN_MAIN_DB != 0 && s == FileName:
		db.files++
		return &mainHandle{db: db, box: box{aead: db.keys.page}, readOnly: flags&sqlite3.SQLITE_OPEN_READONLY != 0}
	case flags&sqlite3.SQLITE_OPEN_WAL != 0 && s == FileName+walSuffix:
		db.files++
		db.wal.mu.Lock()
		defer db.wal.mu.Unlock()
		db.wal.handles++
		return &walHandle{db: db, box: box{aead: db.keys.wal}}
	}
	return nil
}

// closed counts a file out.
func (db *Database) closed() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.files--
}

func xDelete(_ *libc.TLS, vfs, name uintptr, _ int32) int32 {
	db := databaseOf(vfs)
	switch libc.GoString(name) {
	case FileName + walSuffix:
		return db.removeWAL()
	case FileName:
		return sqlite3.SQLITE_IOERR_DELETE
	default:
		return sqlite3.SQLITE_IOERR_DELETE_NOENT // a journal, which never is
	}
}

func deleted(err error) int32 {
	switch {
	case err == nil:
		return sqlite3.SQLITE_OK
	case errors.Is(err, fs.ErrNotExist):
		return sqlite3.SQLITE_IOERR_DELETE_NOENT
	default:
		return sqlite3.SQLITE_IOERR_DELETE
	}
}

// xAccess tells whether a file exists. A WAL without content does not, for SQLite.
func xAccess(_ *libc.TLS, vfs, name uintptr, _ int32, out uintptr) int32 {
	db := databaseOf(vfs)
	exists := int32(0)
	switch libc.GoString(name) {
	case FileName:
		exists = 1
	case FileName + walSuffix:
		size, err := sizeOf(db.disk, db.path+walSuffix)
		if err != nil {
			return sqlite3.SQLITE_IOERR_ACCESS
		}
		if size > 0 {
			exists = 1
		}
	}
	*at[int32](out) = exists
	return sqlite3.SQLITE_OK
}

// xFullPathname: names mean nothing but themselves here.
func xFullPathname(_ *libc.TLS, _, name uintptr, n int32, out uintptr) int32 {
	if !putString(out, n, libc.GoString(name)) {
		return sqlite3.SQLITE_CANTOPEN
	}
	return sqlite3.SQLITE_OK
}
