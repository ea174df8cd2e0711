package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

// openChild opens a database as somebody who may not write there, and prints the
// error.
func openChild(path string) error {
	_, err := Open(context.Background(), Config{Path: path, Key: &testKey})
	fmt.Println(errors.Is(err, ErrReadOnly), err)
	return nil
}

// sample makes a closed database with some pages and returns its path.
func sample(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kuvert.db")
	s := openTest(t, path)
	do(t, s, makeRoom)
	put(t, s, func(tx *Tx) error {
		for i := range uint64(500) {
			if err := insert(text(i, bert))(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenRefusesDamage(t *testing.T) {
	change := func(fn func(b []byte) []byte) func(testing.TB, string) {
		return func(t testing.TB, path string) {
			if err := os.WriteFile(path, fn(readFile(t, path)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	flip := func(at int) func(testing.TB, string) {
		return change(func(b []byte) []byte { b[at] ^= 0x40; return b })
	}
	const page = 4096
	for name, damage := range map[string]func(testing.TB, string){
		"not a database":      change(func([]byte) []byte { return []byte(strings.Repeat("Sehr geehrte Damen ", 500)) }),
		"zeros":               change(func(b []byte) []byte { return make([]byte, len(b)) }),
		"one byte":            change(func([]byte) []byte { return []byte{0} }),
		"cut by a page":       change(func(b []byte) []byte { return b[:len(b)-page] }),
		"cut within a page":   change(func(b []byte) []byte { return b[:len(b)-1000] }),
		"only the first page": change(func(b []byte) []byte { return b[:page] }),
		"half a page":         change(func(b []byte) []byte { return b[:page/2] }),
		"magic":               flip(3),
		"page size":           flip(16),
		"application id":      flip(68),
		"schema's page":       flip(100),
		"a page's type":       flip(5 * page),
		"a page's cell count": flip(6*page + 4),
		"a page of noise": change(func(b []byte) []byte {
			for i := 4 * page; i < 5*page; i++ {
				b[i] = byte(i * i >> 3)
			}
			return b
		}),
		"database lost, WAL left": func(t testing.TB, path string) {
			if err := errors.Join(os.WriteFile(path+"-wal", []byte("frames"), 0o600), os.Remove(path)); err != nil {
				t.Fatal(err)
			}
		},
		"database emptied, WAL left": func(t testing.TB, path string) {
			if err := errors.Join(os.WriteFile(path+"-wal", []byte("frames"), 0o600), os.Truncate(path, 0)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := sample(t)
			damage(t, path)
			refused(t, path, chat.ErrCorrupt)
		})
	}
}

// refused checks that Open fails with an error and leaves database and WAL as they
// were.
func refused(t *testing.T, path string, expected error) {
	t.Helper()
	before := filesOf(t, path)
	s, err := Open(t.Context(), Config{Path: path, Key: &testKey})
	if err == nil {
		_ = s.Close()
		t.Fatal("opened")
	}
	if !errors.Is(err, expected) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error is %q", err)
	}
	t.Log(err)
	for i, b := range filesOf(t, path) {
		if !bytes.Equal(b, before[i]) {
			t.Errorf("file %d was changed", i)
		}
	}
}

func filesOf(t testing.TB, path string) (files [2][]byte) {
	t.Helper()
	for i, name := range []string{path, path + "-wal"} {
		b, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		files[i] = b
	}
	return files
}

func TestOpenRefusesALargeDatabaseCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	s := openTest(t, path)
	for i := range checkLimit>>20 + 2 {
		put(t, s, func(tx *Tx) error { return tx.PutSecret(fmt.Sprint(i), make([]byte, 1<<20)) })
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := openTest(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Size() <= checkLimit {
		t.Fatal(fi.Size(), err)
	}
	if err := os.Truncate(path, checkLimit+4096); err != nil {
		t.Fatal(err)
	}
	refused(t, path, chat.ErrCorrupt)
}

// TestCheckFindsALostIndexEntry damages what only the full check compares.
func TestCheckFindsALostIndexEntry(t *testing.T) {
	path := sample(t)
	s := openTest(t, path)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	loseIndexEntry(t, path)
	s, err := Open(t.Context(), Config{Path: path, Key: &testKey})
	if err != nil {
		if !errors.Is(err, chat.ErrCorrupt) {
			t.Error(err)
		}
		return
	}
	defer func() { _ = s.Close() }()
	if err := s.Check(t.Context()); !errors.Is(err, chat.ErrCorrupt) {
		t.Error(err)
	}
}

// loseIndexEntry hides an index while a row is deleted.
func loseIndexEntry(t testing.TB, path string) {
	t.Helper()
	db, err := cryptvfs.Open(path, &testKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect(t.Context(), strings.Replace(dsn(db, accessWrite), "_defensive=1", "_defensive=0", 1))
	if err != nil {
		t.Fatal(err)
	}
	const script = `PRAGMA writable_schema = 1;
		CREATE TEMP TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'message_place';
		DELETE FROM sqlite_schema WHERE name = 'message_place';
		PRAGMA writable_schema = RESET;
		DELETE FROM message WHERE seq = 77;
		PRAGMA writable_schema = 1;
		INSERT INTO sqlite_schema SELECT * FROM kept;`
	if err := errors.Join(c.script(t.Context(), script), c.close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesTheDatabaseOfAnother(t *testing.T) {
	for name, script := range map[string]string{
		"no id":      "CREATE TABLE a (b)",
		"another id": "PRAGMA application_id = 77; PRAGMA user_version = 1; CREATE TABLE a (b)",
		"version 0":  fmt.Sprintf("PRAGMA application_id = %d; CREATE TABLE a (b)", applicationID),
		"negative":   fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = -1; CREATE TABLE a (b)", applicationID),
		"no tables":  fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = 1", applicationID),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kuvert.db")
			runScript(t, path, script)
			refused(t, path, chat.ErrCorrupt)
		})
	}
}

func runScript(t testing.TB, path, script string) {
	t.Helper()
	c, done := openRaw(t, path, accessWrite)
	if err := errors.Join(c.script(t.Context(), script), done()); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	path := sample(t)
	runScript(t, path, "PRAGMA user_version = 99")
	refused(t, path, chat.ErrNewerSchema)
}

// TestOpenRefusesWithoutTouchingTheWAL damages a database whose WAL still holds
// what a killed process wrote.
func TestOpenRefusesWithoutTouchingTheWAL(t *testing.T) {
	path := sample(t)
	cmd := child(t.Context(), "crash", path)
	cmd.Env = append(cmd.Env, "START=1000")
	killOnceUp(t, cmd, 0)
	if len(readFile(t, path+"-wal")) == 0 {
		t.Fatal("no WAL was left")
	}
	b := readFile(t, path)
	for i := 4096; i < len(b); i++ {
		b[i] = 0x55
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, path, chat.ErrCorrupt)
}

func TestOpenWithoutAPlace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		err  error
	}{
		"missing folder":   {filepath.Join(dir, "a", "kuvert.db"), fs.ErrNotExist},
		"folder is a file": {filepath.Join(file, "kuvert.db"), fs.ErrNotExist},
		"path is a folder": {dir, chat.ErrCorrupt},
		"relative":         {"kuvert.db", fs.ErrInvalid},
		"empty":            {"", fs.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(t.Context(), Config{Path: c.path, Key: &testKey}); !errors.Is(err, c.err) {
				t.Error(err)
			}
		})
	}
}

// TestOpenAfterAKillDuringCreation finds what creation may leave behind: nothing,
// or a database without tables.
func TestOpenAfterAKillDuringCreation(t *testing.T) {
	for name, make := range map[string]func(path string){
		"empty file": func(path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"no tables": func(path string) { runScript(t, path, "") },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kuvert.db")
			make(path)
			want(t, openTest(t, path), map[string]string{}, (*ReadTx).Settings)
		})
	}
}

// TestPathMeansItself opens databases whose names mean something in a URI.
func TestPathMeansItself(t *testing.T) {
	for _, name := range []string{"a b.db", "100%25.db", "was?mode=ro.db", "x#y&vfs=z.db", "Käse 🧀.db", "'; DROP.db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			s := openTest(t, path)
			put(t, s, func(tx *Tx) error { return tx.PutSetting("a", "b") })
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if fi, err := os.Stat(path); err != nil || fi.Size() == 0 {
				t.Error(fi, err)
			}
			if fi, err := os.Stat(path + "-wal"); err == nil && fi.Size() > 0 {
				t.Error("Close left a WAL")
			}
			if v, ok := setting(t, openTest(t, path), "a"); v != "b" || !ok {
				t.Error(v, ok)
			}
		})
	}
}

// TestEveryConnectionHasItsSettings reads the settings back: a pragma SQLite does
// not know is ignored without a word.
func TestEveryConnectionHasItsSettings(t *testing.T) {
	s := newTest(t)
	common := map[string]string{
		"busy_timeout": "5000", "cell_size_check": "1", "foreign_keys": "1", "recursive_triggers": "1",
		"temp_store": "2", "trusted_schema": "0", "journal_mode": "wal",
	}
	writer := map[string]string{
		"cache_size": "-16384", "checkpoint_fullfsync": "1", "fullfsync": "1", "secure_delete": "1",
		"synchronous": "2", "query_only": "0", "wal_autocheckpoint": "4000", "journal_size_limit": "33554432",
	}
	reader := map[string]string{"cache_size": "-8192", "query_only": "1"}
	check := func(c *conn, all ...map[string]string) {
		t.Helper()
		for _, m := range all {
			for name, expected := range m {
				var got string
				_, err := c.one(func(r *row) { got = fmt.Sprint(r.value()) }, "PRAGMA "+name)
				if err != nil || got != expected {
					t.Errorf("%s is %q, want %q, %v", name, got, expected, err)
				}
			}
		}
		// Defensive: the schema cannot be written.
		_, _ = c.exec("PRAGMA writable_schema = 1")
		if n, err := c.int("PRAGMA writable_schema"); n != 0 || err != nil {
			t.Error("not defensive", n, err)
		}
	}
	put(t, s, func(tx *Tx) error { check(tx.c, common, writer); return nil })
	for range readers {
		c := <-s.readers
		check(c, common, reader)
		defer func() { s.readers <- c }()
	}
}

// TestNobodyElseReadsTheFiles looks at the modes of everything the store writes.
func TestNobodyElseReadsTheFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows protects the folder")
	}
	path := filepath.Join(t.TempDir(), "kuvert.db")
	makeOld(t, path)
	if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // as another program may leave it
		t.Fatal(err)
	}
	s, err := openSteps(t, path, futureSchema)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) != 3 {
		t.Error(names, err)
	}
	for _, name := range names {
		if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o600 {
			t.Error(name, fi.Mode(), err)
		}
	}
}

// piecesWith counts the decrypted pages of database and WAL that hold a text.
func piecesWith(t testing.TB, path, text string) (n int) {
	t.Helper()
	err := cryptvfs.Pieces(path, &testKey, func(p cryptvfs.Piece) error {
		if p.Content == nil {
			t.Errorf("piece %d is damaged", p.Number)
		}
		n += bytes.Count(p.Content, []byte(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestDeletedTextIsGone looks for deleted texts in the closed database's decrypted
// pages.
func TestDeletedTextIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	s := openTest(t, path)
	const secret = "GEHEIMWORT"
	long := strings.Repeat(secret, 2000)
	do(t, s, makeRoom,
		func(tx *Tx) error { return tx.PutSecret("a", []byte(long)) },
		func(tx *Tx) error { return tx.SetDraft(room, secret) },
		func(tx *Tx) error { return tx.PutContact(chat.Contact{ID: anna, Name: secret}) },
		func(tx *Tx) error {
			_, err := tx.AddOutbox(chat.OutboxItem{Contact: bert, Message: chat.MessageID{1}, Payload: []byte(long)})
			return err
		})
	if piecesWith(t, path, secret) < 1000 {
		t.Error("not even there before it is deleted")
	}
	do(t, s,
		func(tx *Tx) error { return tx.DeleteSecret("a") },
		func(tx *Tx) error { return tx.SetDraft(room, "") },
		func(tx *Tx) error { return tx.DeleteContact(anna) },
		func(tx *Tx) error { return tx.DeleteContact(bert) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := piecesWith(t, path, secret); n > 0 {
		t.Errorf("found %d times", n)
	}
}

// TestNothingIsReadableWithoutTheKey looks for texts in all files, a copy before a
// migration and those of a running store among them.
func TestNothingIsReadableWithoutTheKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	makeOld(t, path)
	s, err := openSteps(t, path, futureSchema)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	put(t, s, func(tx *Tx) error { return tx.PutSecret("GEHEIM", []byte("GEHEIMWORT")) })
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) != 3 {
		t.Error(names, err)
	}
	for _, name := range names {
		b := readFile(t, name)
		for _, text := range []string{"SQLite format", "CREATE TABLE", "wert ", "WERT ", "GEHEIM", "upper"} {
			if bytes.Contains(b, []byte(text)) {
				t.Errorf("%s holds %q", filepath.Base(name), text)
			}
		}
	}
}

func TestOpenRefusesAnotherKey(t *testing.T) {
	path := sample(t)
	before := filesOf(t, path)
	_, err := Open(t.Context(), Config{Path: path, Key: &cryptvfs.Key{9}})
	if !errors.Is(err, chat.ErrWrongPassphrase) || errors.Is(err, chat.ErrCorrupt) || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
	if _, err := Open(t.Context(), Config{Path: path}); !errors.Is(err, fs.ErrInvalid) {
		t.Error("no key:", err)
	}
	if after := filesOf(t, path); !bytes.Equal(after[0], before[0]) || !bytes.Equal(after[1], before[1]) {
		t.Error("changed")
	}
	openTest(t, path)
}

func TestOpenRefusesAPlainDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	c, err := connect(t.Context(), "file:"+filepath.ToSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.script(t.Context(), "CREATE TABLE a (b)"), c.close()); err != nil {
		t.Fatal(err)
	}
	refused(t, path, chat.ErrCorrupt)
}

// TestReadersSeeDamage flips a bit in a text while the store is open.
func TestReadersSeeDamage(t *testing.T) {
	path := sample(t)
	s := openTest(t, path)
	b := readFile(t, path)
	for i := 2 * 4096; i < len(b); i += 4096 {
		b[i+2000] ^= 1
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = s.View(t.Context(), func(tx *ReadTx) error {
		_, err := tx.c.int("SELECT sum(length(text)) FROM message")
		return err
	})
	if !errors.Is(err, chat.ErrCorrupt) {
		t.Error(err)
	}
	if err := s.Check(t.Context()); !errors.Is(err, chat.ErrCorrupt) {
		t.Error(err)
	}
}

// TestHotQueriesUseTheirIndexes asks SQLite how it would run what runs with every
// message: nothing may scan a table that grows.
func TestHotQueriesUseTheirIndexes(t *testing.T) {
	s := newRoom(t)
	for _, q := range []string{
		pageQuery(false, false), pageQuery(true, false), pageQuery(false, true), pageQuery(true, true),
		"SELECT id FROM message WHERE conversation = ? AND unread = 1 AND seq <= ? ORDER BY seq, id",
		"SELECT " + outboxColumns + " FROM outbox WHERE contact = ? AND id > ? ORDER BY id LIMIT ?",
		pruneSeen,
		raises[chat.Delivered],
		queuesOf,
	} {
		var plan []string
		view(t, s, func(tx *ReadTx) error {
			return tx.c.rows(func(r *row) error {
				r.next = 3
				plan = append(plan, r.text())
				return nil
			}, "EXPLAIN QUERY PLAN "+q, 1, 2, 3, 4, 5, 6)
		})
		p := strings.Join(plan, "; ")
		if strings.Contains(p, "SCAN") || strings.Contains(p, "TEMP B-TREE") || !strings.Contains(p, "INDEX") {
			t.Errorf("%s\nruns as %s", q, p)
		}
		t.Log(p)
	}
}
