package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// now is the version of the present schema.
var now = len(schema)

// futureSchema is the schema as a later version might have it: each step rewrites
// what the one before left.
var futureSchema = append(slices.Clone(schema),
	migration{"now+1", `CREATE TABLE upper (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT;
		INSERT INTO upper SELECT key, upper(value) FROM setting;`},
	migration{"now+2", `ALTER TABLE upper ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
		UPDATE upper SET size = length(value);
		DELETE FROM setting;`},
	migration{"now+3", `CREATE INDEX upper_size ON upper (size, value); INSERT INTO setting SELECT key, value FROM upper;
		DROP TABLE upper;`},
)

const migrateRows = 3000

func rowValue(i int) string { return fmt.Sprintf("wert %d %s", i, strings.Repeat("x", i%50)) }

// makeOld makes a database of the present version.
func makeOld(t testing.TB, path string) {
	t.Helper()
	s := openTest(t, path)
	put(t, s, func(tx *Tx) error {
		for i := range migrateRows {
			if err := tx.PutSetting(fmt.Sprint(i), rowValue(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func openSteps(t testing.TB, path string, steps []migration) (*Store, error) {
	return open(context.Background(), Config{Path: path, Key: &testKey}, steps)
}

func migrateChild(path string) error {
	fmt.Println("begins")
	s, err := open(context.Background(), Config{Path: path, Key: &testKey}, futureSchema)
	if err != nil {
		return err
	}
	return s.Close()
}

// versionOf checks that a database is whole at some version, and returns it.
func versionOf(t testing.TB, path string) int {
	t.Helper()
	c, done := openRaw(t, path, accessInspect)
	defer func() { _ = done() }()
	version, err := inspectSchema(c, len(futureSchema))
	if err != nil {
		t.Fatal(err)
	}
	if err := check(c, "PRAGMA integrity_check(1)"); err != nil {
		t.Fatal(err)
	}
	table, change := "setting", func(s string) string { return s }
	switch version - now {
	case 1, 2:
		table, change = "upper", strings.ToUpper
	case 3:
		change = strings.ToUpper
	}
	values := make(map[string]string)
	err = c.rows(func(r *row) error { k := r.text(); values[k] = r.text(); return nil }, "SELECT key, value FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	for i := range migrateRows {
		if v := values[fmt.Sprint(i)]; v != change(rowValue(i)) {
			t.Fatalf("version %d: row %d is %q", version, i, v)
		}
	}
	return version
}

func TestMigrationsRunAndLeaveACopy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	makeOld(t, path)
	s, err := openSteps(t, path, futureSchema)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if v := versionOf(t, path); v != len(futureSchema) {
		t.Error("version", v)
	}
	if v := versionOf(t, copyName(path, now)); v != now {
		t.Error("copy's version", v)
	}
	// This version, which knows the present schema only, refuses it.
	before := readFile(t, path)
	if _, err := Open(t.Context(), Config{Path: path, Key: &testKey}); !errors.Is(err, chat.ErrNewerSchema) {
		t.Error(err)
	}
	if !slices.Equal(before, readFile(t, path)) {
		t.Error("a newer database was changed")
	}
}

func TestCopiesAreRemovedInTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd [name]*.db")
	makeOld(t, path)
	young, old := copyName(path, 7), copyName(path, 8)
	for name, age := range map[string]time.Duration{young: copyLife / 2, old: 2 * copyLife} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	openTest(t, path)
	if _, err := os.Stat(young); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Error("the old copy is still there", err)
	}
}

func TestFailedMigrationChangesNothing(t *testing.T) {
	for name, bad := range map[string]string{
		"wrong SQL":    "DELETE FROM setting; INSERT INTO nowhere VALUES (1);",
		"lost parents": "INSERT INTO draft VALUES (77, 'x'); DELETE FROM setting;",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kuvert.db")
			makeOld(t, path)
			steps := append(slices.Clone(schema), migration{"bad", bad})
			if _, err := openSteps(t, path, steps); err == nil {
				t.Error("no error")
			}
			if v := versionOf(t, path); v != now {
				t.Error("version", v)
			}
			openTest(t, path)
		})
	}
}

// TestKilledMigrationLeavesOldOrNew kills a migrating process at any moment.
func TestKilledMigrationLeavesOldOrNew(t *testing.T) {
	dir := t.TempDir()
	origin := filepath.Join(dir, "origin.db")
	makeOld(t, origin)
	var begun time.Time
	whole := filepath.Join(dir, "whole.db")
	copyFile(t, origin, whole)
	output(t, child(t.Context(), "migrate", whole), func() {}, func() { begun = time.Now() })
	takes := time.Since(begun)

	rounds := 30
	if testing.Short() {
		rounds = 3
	}
	found := make(map[int]int)
	for i := range rounds {
		path := filepath.Join(dir, fmt.Sprint(i, ".db"))
		copyFile(t, origin, path)
		killOnceUp(t, child(t.Context(), "migrate", path), rand.N(takes))
		found[versionOf(t, path)]++
		if name := copyName(path, now); exists(name) {
			if v := versionOf(t, name); v != now {
				t.Error("copy's version", v)
			}
		}
		s, err := openSteps(t, path, futureSchema)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if v := versionOf(t, path); v != len(futureSchema) {
			t.Error("version", v)
		}
	}
	t.Logf("versions found after a kill within %v: %v", takes, found)
}

// version1 fills a database of version 1 with rows that version 2 changes, and
// some that it does not.
const version1 = `
INSERT INTO setting VALUES ('name', 'Käthe');
INSERT INTO contact VALUES (x'0a00000000000000000000000000000000000000000000000000000000000000', 'Anna', 'Anna', '', 1, 0, 0, 5, 6);
INSERT INTO conversation VALUES (7, x'0c000000000000000000000000000000',
	x'0a00000000000000000000000000000000000000000000000000000000000000', 0, 0, 3, 1, x'01000000000000000000000000000000', 1, 9);
INSERT INTO message VALUES (3, x'01000000000000000000000000000000', 7, 1, 1, 2, 0, 9, 0, x'', x'', 'Hallo');
INSERT INTO outbox VALUES (40, x'0a00000000000000000000000000000000000000000000000000000000000000',
	x'01000000000000000000000000000000', 2, 1, x'00000000000000000000000000000001', 3, 4, 10, 11, 12, 5, 13, x'70', x'69');
INSERT INTO outbox VALUES (41, x'0a00000000000000000000000000000000000000000000000000000000000000',
	x'02000000000000000000000000000000', 3, 0, x'', 0, 0, 0, 14, 0, 0, 0, x'71', x'');
`

func TestMailboxMigrationKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	s, err := openSteps(t, path, schema[:1])
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	runScript(t, path, version1)

	s = openTest(t, path)
	at := time.UnixMilli
	sealed := chat.OutboxItem{
		ID: 40, Contact: anna, Message: chat.MessageID{1}, Type: 2, Payload: []byte("p"), Session: [16]byte{15: 1},
		Ctr: 3, Number: 4, Inner: []byte("i"), SealedAt: at(10).UTC(), CreatedAt: at(11).UTC(), SentAt: at(12).UTC(),
		Attempts: 5, NextAt: at(13).UTC(),
	}
	plain := chat.OutboxItem{ID: 41, Contact: anna, Message: chat.MessageID{2}, Type: 3, Payload: []byte("q"), CreatedAt: at(14).UTC()}
	outbox := func(tx *ReadTx) ([]chat.OutboxItem, error) { return tx.Outbox(anna, 0, 10) }
	want(t, s, []chat.OutboxItem{sealed, plain}, outbox)
	want(t, s, nil, (*ReadTx).Nodes)
	want(t, s, nil, (*ReadTx).AllQueues)
	want(t, s, nil, func(tx *ReadTx) ([]chat.Contacted, error) { return tx.Contacted(time.Time{}) })
	want(t, s, map[string]string{"name": "Käthe"}, (*ReadTx).Settings)
	view(t, s, func(tx *ReadTx) error {
		m, err := tx.Message(sealed.Message)
		if err != nil || m.Text != "Hallo" || m.Conversation != room {
			t.Error(m, err)
		}
		return nil
	})

	sealed.MailedAt, sealed.MailedTo = t0, [32]byte{1}
	do(t, s, func(tx *Tx) error { return tx.PutOutbox(sealed) })
	want(t, s, []chat.OutboxItem{sealed, plain}, outbox)
	if !exists(copyName(path, 1)) {
		t.Error("no copy was made before")
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	if err := os.WriteFile(to, readFile(t, from), 0o600); err != nil {
		t.Fatal(err)
	}
}
