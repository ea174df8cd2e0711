package cryptvfs

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var (
	testKey  = Key{1, 2, 3}
	otherKey = Key{4}
)

// uri is how SQLite's connections name db.
func uri(db *Database, pragmas ...string) string {
	q := url.Values{"vfs": {db.VFS()}, "_txlock": {"immediate"}}
	q["_pragma"] = append([]string{"busy_timeout(5000)", "secure_delete(1)", "synchronous(FULL)", "temp_store(2)"}, pragmas...)
	return "file:" + FileName + "?" + q.Encode()
}

// connect opens a pool of n connections, closed before the database.
func connect(t testing.TB, db *Database, n int, pragmas ...string) *sql.DB {
	t.Helper()
	c, err := sql.Open("sqlite", uri(db, pragmas...))
	if err != nil {
		t.Fatal(err)
	}
	c.SetMaxOpenConns(n)
	t.Cleanup(func() { c.Close() })
	return c
}

func openTest(t testing.TB, path string) *Database {
	t.Helper()
	db, err := Open(path, &testKey)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	})
	return db
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "x.db") }

func run(t testing.TB, c *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := c.Exec(query, args...); err != nil {
		t.Fatal(query, err)
	}
}

// one is the only value of a query's only row; errors are part of it.
func one(c *sql.DB, query string, args ...any) string {
	var s sql.NullString
	if err := c.QueryRow(query, args...).Scan(&s); err != nil {
		return "error: " + err.Error()
	}
	return s.String
}

func wantOne(t testing.TB, c *sql.DB, expected, query string, args ...any) {
	t.Helper()
	if got := one(c, query, args...); got != expected {
		t.Errorf("%s: %q, want %q", query, got, expected)
	}
}

// closeAll closes connections and database now.
func closeAll(t testing.TB, c *sql.DB, db *Database) {
	t.Helper()
	if err := errors.Join(c.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

const testSchema = `CREATE TABLE m (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE VIRTUAL TABLE f USING fts5(body, content='m', content_rowid='id', tokenize="unicode61 remove_diacritics 2");
CREATE TRIGGER t AFTER INSERT ON m BEGIN INSERT INTO f(rowid, body) VALUES (new.id, new.body); END;
CREATE TRIGGER d AFTER DELETE ON m BEGIN INSERT INTO f(f, rowid, body) VALUES ('delete', old.id, old.body); END;
INSERT INTO f(f, rank) VALUES ('secure-delete', 1);`

const insertMany = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO m(body) SELECT 'GEHEIMWORT nummer' || i || ' secret Käse' FROM n`

func TestDatabaseWorksAndIsThereAgain(t *testing.T) {
	path := newPath(t)
	db := openTest(t, path)
	c := connect(t, db, 4)
	wantOne(t, c, "wal", "PRAGMA journal_mode")
	run(t, c, testSchema)
	run(t, c, insertMany, 5000)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 50 {
				var a, b int
				err := c.QueryRow("SELECT count(*), (SELECT count(*) FROM m) FROM m").Scan(&a, &b)
				if err != nil || a != b {
					t.Error(a, b, err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 200 {
			if _, err := c.Exec("INSERT INTO m(body) VALUES (?)", fmt.Sprint("nebenher ", i)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	wg.Wait()
	wantOne(t, c, "5000", "SELECT count(*) FROM f WHERE f MATCH 'kase'")
	wantOne(t, c, "ok", "PRAGMA integrity_check")
	closeAll(t, c, db)

	db = openTest(t, path)
	c = connect(t, db, 1)
	wantOne(t, c, "5200", "SELECT count(*) FROM m")
	wantOne(t, c, "ok", "PRAGMA integrity_check")
	if err := db.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWrongKey(t *testing.T) {
	path := newPath(t)
	db := openTest(t, path)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := readFile(t, path)
	_, err := Open(path, &otherKey)
	for _, err := range []error{err, Check(path, &otherKey)} {
		if !errors.Is(err, ErrWrongKey) || errors.Is(err, ErrDamaged) || strings.Contains(err.Error(), "\n") {
			t.Error(err)
		}
	}
	if err := Check(path, &testKey); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(before, readFile(t, path)) {
		t.Error("changed")
	}
	openTest(t, path)
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
