package cryptvfs

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"modernc.org/libc"
	modernc "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var planted = []string{"GEHEIMWORT", "geheimwort", "secret", "SQLite format", "CREATE TABLE", "unicode61", "Käse"}

// hits counts the planted strings in all files of a folder.
func hits(t testing.TB, dir string) (n int, names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		names = append(names, e.Name())
		b := readFile(t, path)
		for _, s := range planted {
			n += bytes.Count(b, []byte(s))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n, names
}

// stir makes SQLite use everything that might reach the disk: the WAL, sorting,
// temporary tables, statement journals, savepoints that are taken back, VACUUM.
func stir(t testing.TB, c *sql.DB) {
	t.Helper()
	run(t, c, "PRAGMA cache_size = 10; PRAGMA cache_spill = 5")
	run(t, c, testSchema)
	run(t, c, insertMany, 3000)
	run(t, c, "BEGIN; SAVEPOINT a; UPDATE m SET body = body || 'x'; ROLLBACK TO a; DELETE FROM m WHERE id % 2; COMMIT")
	run(t, c, "CREATE TEMP TABLE w AS SELECT body FROM m; CREATE INDEX temp.i ON w(body)")
	run(t, c, "CREATE INDEX sorted ON m(body, id)")
	wantOne(t, c, "1500", "SELECT count(*) FROM (SELECT DISTINCT body || 'y' FROM m ORDER BY body DESC)")
}

func TestNoPlaintextReachesTheDisk(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("SQLITE_TMPDIR", temp)
	path := newPath(t)
	db := openTest(t, path)
	// Even if a connection asks for temporary files on the disk.
	c := connect(t, db, 1, "temp_store(1)")
	stir(t, c)
	check := func(expected ...string) {
		t.Helper()
		n, names := hits(t, filepath.Dir(path))
		if n > 0 || fmt.Sprint(names) != fmt.Sprint(expected) {
			t.Errorf("%d hits in %v", n, names)
		}
	}
	check("x.db", "x.db-wal")
	run(t, c, "VACUUM")
	run(t, c, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err := db.Copy(t.Context(), path+".copy"); err != nil {
		t.Fatal(err)
	}
	check("x.db", "x.db-wal", "x.db.copy")
	closeAll(t, c, db)
	check("x.db", "x.db.copy")
	if _, names := hits(t, temp); len(names) > 0 {
		t.Error(names)
	}
}

// TestPlaintextWouldBeFound is the control: the same without encryption.
func TestPlaintextWouldBeFound(t *testing.T) {
	path := newPath(t)
	c, err := sql.Open("sqlite", "file:"+filepath.ToSlash(path)+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	c.SetMaxOpenConns(1)
	stir(t, c)
	c.Close()
	if n, _ := hits(t, filepath.Dir(path)); n < 1000 {
		t.Error(n)
	}
}

func TestOneHasTheDatabase(t *testing.T) {
	path := newPath(t)
	db := openTest(t, path)
	for _, key := range []*Key{&testKey, &otherKey} {
		if _, err := Open(path, key); !errors.Is(err, ErrLocked) {
			t.Error(err)
		}
	}
	c := connect(t, db, 1)
	wantOne(t, c, "0", "SELECT count(*) FROM sqlite_schema")
	if err := db.Close(); !errors.Is(err, ErrInUse) {
		t.Error(err)
	}
	run(t, c, testSchema) // it goes on
	closeAll(t, c, db)
	if err := db.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	if got := one(connect(t, db, 1), "SELECT 1"); !strings.Contains(got, "no such vfs") {
		t.Error(got)
	}
	openTest(t, path)
}

func TestKeysAreOverwritten(t *testing.T) {
	db := openTest(t, newPath(t))
	for _, a := range []*secretAEAD{db.keys.page, db.keys.wal} {
		if a.inside == nil || *a.inside == (Key{}) {
			t.Fatal("the key's place within the AEAD is not known any more")
		}
	}
	page, wal := db.keys.page.inside, db.keys.wal.inside
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if *page != (Key{}) || *wal != (Key{}) {
		t.Error("not overwritten")
	}
}

// TestOnlyThisDatabaseInWALMode tries what would write something else.
func TestOnlyThisDatabaseInWALMode(t *testing.T) {
	path := newPath(t)
	db := openTest(t, path)
	c := connect(t, db, 1)
	run(t, c, testSchema)
	other := filepath.ToSlash(filepath.Join(filepath.Dir(path), "other.db"))
	for _, q := range []string{
		"ATTACH '" + other + "' AS o",
		"ATTACH '/database-wal' AS o",
		"VACUUM INTO '" + other + "'",
	} {
		if _, err := c.Exec(q); err == nil {
			t.Error("allowed:", q)
		}
	}
	for _, mode := range []string{"DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF"} {
		_ = one(c, "PRAGMA journal_mode = "+mode)
		_, _ = c.Exec("INSERT INTO m(body) VALUES (?)", mode)
	}
	closeAll(t, c, db)
	if _, names := hits(t, filepath.Dir(path)); fmt.Sprint(names) != "[x.db]" {
		t.Error(names)
	}
	db = openTest(t, path)
	c = connect(t, db, 1)
	wantOne(t, c, "wal", "PRAGMA journal_mode")
	wantOne(t, c, "ok", "PRAGMA integrity_check")
	run(t, c, "INSERT INTO m(body) VALUES ('x')")
	run(t, c, "PRAGMA page_size = 8192; VACUUM")
	wantOne(t, c, "4096", "PRAGMA page_size")
	wantOne(t, c, "ok", "PRAGMA integrity_check")
}

func TestReadOnlyConnectionsWriteNothing(t *testing.T) {
	s := makeSample(t)
	path := newPath(t)
	s.place(t, path)
	db := openTest(t, path)
	c, err := sql.Open("sqlite", uri(db)+"&mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	c.SetMaxOpenConns(2)
	wantOne(t, c, fmt.Sprint(sampleRows), "SELECT count(*) FROM m")
	if _, err := c.Exec("DELETE FROM m"); err == nil {
		t.Error("deleted")
	}
	_ = one(c, "PRAGMA wal_checkpoint(TRUNCATE)")
	closeAll(t, c, db)
	if !bytes.Equal(readFile(t, path), s.main) || !bytes.Equal(readFile(t, path+walSuffix), s.wal) {
		t.Error("changed")
	}
}

func TestCopyIsADatabase(t *testing.T) {
	path := newPath(t)
	db := openTest(t, path)
	c := connect(t, db, 2, "wal_autocheckpoint(50)")
	run(t, c, testSchema)
	run(t, c, insertMany, 2000)
	if err := db.Copy(t.Context(), path+".1"); !errors.Is(err, ErrWALNotEmpty) {
		t.Error(err)
	}
	if _, err := os.Stat(path + ".1"); err == nil {
		t.Error("an unfinished copy was left")
	}
	run(t, c, "PRAGMA wal_checkpoint(TRUNCATE)")
	done := make(chan error)
	go func() { // writes go on, into the WAL
		var err error
		for i := 0; i < 300 && err == nil; i++ {
			_, err = c.Exec("INSERT INTO m(body) VALUES ('nebenher')")
		}
		done <- err
	}()
	err := db.Copy(t.Context(), path+".2")
	if err != nil && !errors.Is(err, ErrWALNotEmpty) {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err == nil {
		if err := db.Copy(t.Context(), path+".2"); !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
	}
	run(t, c, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err := db.Copy(t.Context(), path+".3"); err != nil {
		t.Fatal(err)
	}
	cp := openTest(t, path+".3")
	cc := connect(t, cp, 1)
	wantOne(t, cc, "2300", "SELECT count(*) FROM m")
	wantOne(t, cc, "ok", "PRAGMA integrity_check")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Copy(ctx, path+".4"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestDeletedFileIsLeftAlone: when the database was moved away, closing does not
// delete the WAL of what is there now.
func TestDeletedFileIsLeftAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not move open files")
	}
	path := newPath(t)
	db := openTest(t, path)
	c := connect(t, db, 1)
	run(t, c, testSchema)
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	closeAll(t, c, db)
	if fi, err := os.Stat(path + walSuffix); err != nil || fi.Size() == 0 {
		t.Error("WAL is gone", err)
	}
}

// fileOf opens a file as SQLite does and returns its address.
func fileOf(t testing.TB, db *Database, name string, flags int32) uintptr {
	t.Helper()
	tls := libc.NewTLS()
	t.Cleanup(tls.Close)
	file, s := allocate[sqliteFile](tls), sqliteString(tls, name)
	if rc := xOpen(tls, db.reg.vfs, s, file, flags, 0); rc != sqlite3.SQLITE_OK {
		t.Fatal(rc)
	}
	t.Cleanup(func() { xClose(tls, file) })
	return file
}

func TestFileControls(t *testing.T) {
	db := openTest(t, newPath(t))
	file := fileOf(t, db, FileName, sqlite3.SQLITE_OPEN_MAIN_DB|sqlite3.SQLITE_OPEN_READWRITE)
	tls := libc.NewTLS()
	defer tls.Close()
	arg := allocate[int64](tls)
	defer libc.Xfree(tls, arg)
	ask := func(op, in, out int32) {
		t.Helper()
		*at[int32](arg) = in
		if rc := xFileControl(tls, file, op, arg); rc != sqlite3.SQLITE_OK || *at[int32](arg) != out {
			t.Error(op, rc, *at[int32](arg))
		}
	}
	ask(sqlite3.SQLITE_FCNTL_PERSIST_WAL, -1, 0)
	ask(sqlite3.SQLITE_FCNTL_PERSIST_WAL, 1, 1)
	ask(sqlite3.SQLITE_FCNTL_PERSIST_WAL, -1, 1)
	ask(sqlite3.SQLITE_FCNTL_PERSIST_WAL, 0, 0)
	ask(sqlite3.SQLITE_FCNTL_POWERSAFE_OVERWRITE, -1, 1)
	ask(sqlite3.SQLITE_FCNTL_HAS_MOVED, 7, 0)
	ask(sqlite3.SQLITE_FCNTL_LOCKSTATE, 7, 0)
	xLock(tls, file, sqlite3.SQLITE_LOCK_SHARED)
	ask(sqlite3.SQLITE_FCNTL_LOCKSTATE, 7, sqlite3.SQLITE_LOCK_SHARED)
	xUnlock(tls, file, sqlite3.SQLITE_LOCK_NONE)
	for _, op := range []int32{sqlite3.SQLITE_FCNTL_PRAGMA, sqlite3.SQLITE_FCNTL_MMAP_SIZE, sqlite3.SQLITE_FCNTL_CHUNK_SIZE, 9999} {
		if rc := xFileControl(tls, file, op, arg); rc != sqlite3.SQLITE_NOTFOUND {
			t.Error(op, rc)
		}
	}
	if rc := xFileControl(tls, file, sqlite3.SQLITE_FCNTL_VFSNAME, arg); rc != sqlite3.SQLITE_OK {
		t.Error(rc)
	}
	name := *at[uintptr](arg)
	if s := libc.GoString(name); s != db.VFS() {
		t.Error(s)
	}
	sqlite3.Xsqlite3_free(tls, name)
}

// TestPersistentWAL sets by the driver what closing makes of the WAL.
func TestPersistentWAL(t *testing.T) {
	path := newPath(t)
	db := openTest(t, path)
	c := connect(t, db, 1)
	run(t, c, testSchema)
	conn, err := c.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = conn.Raw(func(dc any) error {
		_, err := dc.(modernc.FileControl).FileControlPersistWAL("main", 1)
		return err
	})
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	closeAll(t, c, db)
	if _, err := os.Stat(path + walSuffix); err != nil {
		t.Error(err)
	}
	openTest(t, path)
}

// TestGapsAreFilled: what SQLite leaves out can be opened all the same.
func TestGapsAreFilled(t *testing.T) {
	d := newMemDisk()
	db, err := open(memPath, &testKey, d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	h := &mainHandle{db: db, box: box{aead: db.keys.page}}
	page := bytes.Repeat([]byte{5}, pageSize)
	if rc := h.write(page, 9*pageSize); rc != sqlite3.SQLITE_OK {
		t.Fatal(rc)
	}
	if rc := h.truncate(15 * pageSize); rc != sqlite3.SQLITE_OK {
		t.Fatal(rc)
	}
	if n, rc := h.size(); n != 15*pageSize || rc != sqlite3.SQLITE_OK {
		t.Error(n, rc)
	}
	if err := db.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	for n, expected := range map[int64]byte{9: 0, 10: 5, 11: 0, 15: 0} {
		if rc := h.read(page, (n-1)*pageSize); rc != sqlite3.SQLITE_OK || page[0] != expected || page[pageSize-1] != 0 {
			t.Error(n, rc, page[0])
		}
	}
	if rc := h.read(page, 15*pageSize); rc != sqlite3.SQLITE_IOERR_DATA || page[0] != 0 {
		t.Error("beyond the end", rc)
	}
	if rc := h.truncate(3 * pageSize); rc != sqlite3.SQLITE_OK || db.main.pages != 3 {
		t.Error(rc)
	}
	// Page 1 keeps WAL mode and the reserved space.
	bad := emptyPage1()
	bad[sqliteRead] = 1
	for _, b := range [][]byte{bad, make([]byte, pageSize), emptyPage1()[:100]} {
		if rc := h.write(b, 0); rc != sqlite3.SQLITE_IOERR_WRITE {
			t.Error(rc)
		}
	}
}

func TestMemoryFile(t *testing.T) {
	f := &memoryFile{}
	b := make([]byte, 10)
	for _, size := range []int64{0, 70 << 10, 3, 200 << 10} {
		if rc := f.write([]byte("abc"), size); rc != sqlite3.SQLITE_OK {
			t.Error(rc)
		}
		if rc := f.read(b, size); rc != sqlite3.SQLITE_OK && rc != sqlite3.SQLITE_IOERR_SHORT_READ || string(b[:3]) != "abc" {
			t.Error(rc, b)
		}
	}
	f.truncate(5)
	if n, _ := f.size(); n != 5 {
		t.Error(n)
	}
	if rc := f.read(b, 3); rc != sqlite3.SQLITE_IOERR_SHORT_READ || string(b) != "ab\x00\x00\x00\x00\x00\x00\x00\x00" {
		t.Error(rc, b)
	}
	if rc := f.write(b, memoryLimit); rc != sqlite3.SQLITE_FULL {
		t.Error(rc)
	}
	inside := f.b
	f.close()
	if !bytes.Equal(inside, make([]byte, 5)) {
		t.Error("not overwritten")
	}
}

// TestRegisterAtOnce is for the race detector: SQLite's list of VFSs is shared.
func TestRegisterAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				r, err := register(&Database{})
				if err == nil {
					err = r.unregister()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestManyDatabasesAtOnce opens and closes databases beside each other.
func TestManyDatabasesAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			path := filepath.Join(dir, fmt.Sprint(i))
			for range 5 {
				db, err := Open(path, &Key{byte(i)})
				if err != nil {
					t.Error(err)
					return
				}
				c, err := sql.Open("sqlite", uri(db))
				if err == nil {
					_, err = c.Exec("CREATE TABLE IF NOT EXISTS a (b); INSERT INTO a VALUES (1)")
				}
				if err := errors.Join(err, c.Close(), db.Close()); err != nil {
					t.Error(err)
					return
				}
			}
			if err := Check(path, &Key{byte(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestFullDisk(t *testing.T) {
	d := newMemDisk()
	full := func(op string) error {
		if op == "write" {
			return &os.PathError{Op: "write", Path: "x", Err: errNoSpace}
		}
		return nil
	}
	d.fault = full
	if _, err := open(memPath, &testKey, d); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	d.fault = nil
	db, err := open(memPath, &testKey, d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	c := connect(t, db, 1)
	defer c.Close()
	run(t, c, testSchema)
	d.fault = full
	_, err = c.Exec("INSERT INTO m(body) VALUES ('x')")
	var se *modernc.Error
	if !errors.As(err, &se) || se.Code()&0xff != sqlite3.SQLITE_FULL {
		t.Error(err)
	}
	d.fault = nil
	run(t, c, "INSERT INTO m(body) VALUES ('x')")
	wantOne(t, c, "1", "SELECT count(*) FROM m")
}

// TestHalfAWrittenHead: a disk that fails while the WAL begins anew leaves nothing
// that looks like damage.
func TestHalfAWrittenHead(t *testing.T) {
	d := newMemDisk()
	db, err := open(memPath, &testKey, d)
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, db, 1)
	run(t, c, testSchema)
	run(t, c, "PRAGMA wal_checkpoint(RESTART)")
	d.fault = func(op string) error {
		if op == "write" {
			return errNoSpace // and half of it is written
		}
		return nil
	}
	if _, err := c.Exec("INSERT INTO m(body) VALUES ('x')"); err == nil {
		t.Error("no error")
	}
	d.flush()
	d.off = true
	c.Close()
	_ = db.Close()
	d.restart(rand.New(rand.NewPCG(1, 1)))
	if _, err := reexamine(d); err != nil {
		t.Error(err)
	}
}

func TestRelativePath(t *testing.T) {
	if _, err := Open("x.db", &testKey); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
}
