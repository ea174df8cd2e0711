package backup_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/app/backup"
	"github.com/kuvert-im/kuvert/app/chat"
)

const pass = "correct horse battery"

type note struct {
	N    int    `json:"n"`
	Text string `json:"text"`
}

// write makes a backup of lines and one file.
func write(t *testing.T, path string, lines int) backup.Result {
	t.Helper()
	w, err := backup.Create(path, backup.Header{ID: "aa", Chain: "aa", MadeAt: time.Unix(1e9, 0).UTC()}, backup.Options{Passphrase: pass, Work: 8})
	if err != nil {
		t.Fatal(err)
	}
	for i := range lines {
		if err := w.Put("notes", note{i, strings.Repeat("x", 200)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.File("ab.hashes", 3, strings.NewReader("abc")); err != nil {
		t.Fatal(err)
	}
	if err := w.Put("ends", note{N: 1}); err != nil {
		t.Fatal(err)
	}
	res, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.age")
	res := write(t, path, 20_000)
	if info, err := os.Stat(path); err != nil || info.Size() != res.Size || info.Mode().Perm() != 0o600 {
		t.Fatalf("file: %v %v", info, err)
	}
	r, err := backup.Open(path, pass)
	if err != nil {
		t.Fatal(err)
	}
	next, file := 0, ""
	got, err := r.Each(t.Context(), func(it backup.Item) error {
		switch it.Kind {
		case "notes":
			var n note
			if err := backup.Line(it, &n); err != nil {
				return err
			}
			if n.N != next {
				return fmt.Errorf("line %d at place %d", n.N, next)
			}
			next++
		case backup.KindFiles:
			b, err := io.ReadAll(it.File)
			file = it.Name + "=" + string(b)
			return err
		}
		return nil
	})
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if next != 20_000 || file != "ab.hashes=abc" || got.Counts["notes"] != 20_000 || got.Counts["ends"] != 1 {
		t.Errorf("%d lines, file %q, counts %v", next, file, got.Counts)
	}
}

func TestEveryFlippedOrMissingByteIsSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.age")
	write(t, path, 3)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	known := []error{chat.ErrBackupDamaged, chat.ErrBackupPassphrase, chat.ErrNotBackup}
	check := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := backup.Verify(t.Context(), path, pass)
		if err == nil {
			t.Fatalf("%s: not seen", what)
		}
		if !slices.ContainsFunc(known, func(k error) bool { return errors.Is(err, k) }) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for at := 0; at < len(whole); at += 7 {
		if at > 60 && at < 110 {
			continue // the work factor: a higher one only takes longer
		}
		b := bytes.Clone(whole)
		b[at] ^= 1
		check(fmt.Sprintf("byte %d", at), b)
	}
	for n := 0; n < len(whole); n += 61 {
		check(fmt.Sprintf("cut to %d", n), whole[:n])
	}
	check("one more byte", append(bytes.Clone(whole), 0))
}

func TestWrongPassphraseAndForeignFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "b.age")
	write(t, path, 1)
	if _, err := backup.Open(path, "another passphrase"); !errors.Is(err, chat.ErrBackupPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	for name, c := range map[string]struct {
		content string
		want    error
	}{
		"text":   {"hello", chat.ErrNotBackup},
		"empty":  {"", chat.ErrNotBackup},
		"no tar": {"nothing of ours", chat.ErrBackupDamaged},
	} {
		if name == "no tar" {
			c.content = sealed(t, []byte(c.content))
		}
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := backup.Open(path, pass); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestNewerVersionIsRefused(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	head := `{"format":"kuvert-backup","version":2,"new":true}`
	if err := w.WriteHeader(&tar.Header{Name: "kuvert-backup.json", Size: int64(len(head))}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Write([]byte(head))
	path := filepath.Join(t.TempDir(), "b.age")
	if err := errors.Join(err, w.Close(), os.WriteFile(path, []byte(sealed(t, b.Bytes())), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Open(path, pass); !errors.Is(err, chat.ErrBackupVersion) {
		t.Errorf("%v, want %v", err, chat.ErrBackupVersion)
	}
}

func sealed(t *testing.T, plain []byte) string {
	t.Helper()
	r, err := age.NewScryptRecipient(pass)
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(8)
	var b bytes.Buffer
	w, err := age.Encrypt(&b, r)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAbortLeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "b.age")
	write(t, path, 1)
	before, _ := os.ReadFile(path)
	w, err := backup.Create(path, backup.Header{ID: "bb"}, backup.Options{Passphrase: pass, Work: 8})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.File("short", 10, strings.NewReader("abc")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("a file shorter than announced was taken")
	}
	w.Abort()
	after, _ := os.ReadFile(path)
	left, _ := os.ReadDir(dir)
	if !bytes.Equal(before, after) || len(left) != 1 {
		t.Errorf("%d files left", len(left))
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	touch := func(day int, chain string, n int) string {
		p := filepath.Join(dir, backup.Name(time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC), chain, n))
		if err := os.WriteFile(p, []byte(chain), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	old, fresh := strings.Repeat("a", 32), strings.Repeat("0", 32)
	a0, a1, a3 := touch(1, old, 0), touch(2, old, 1), touch(4, old, 3)
	b0, b1 := touch(5, fresh, 0), touch(6, fresh, 1)
	for path, want := range map[string][]string{a0: {a0}, a1: {a0, a1}, dir: {b0, b1}, "": nil} {
		if path == "" {
			continue
		}
		if got, err := backup.Parts(path); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v %v", path, got, err)
		}
	}
	if _, err := backup.Parts(a3); !errors.Is(err, chat.ErrBackupPart) {
		t.Errorf("gap: %v", err)
	}
	for _, gap := range []string{b0, touch(7, fresh, 2)} { // the newest chain without its beginning; without its middle
		if err := os.Rename(gap, gap+"x"); err != nil {
			t.Fatal(err)
		}
		touch(8, fresh, 3)
		if got, err := backup.Parts(dir); !errors.Is(err, chat.ErrBackupPart) {
			t.Errorf("folder with a gap: %v %v", got, err)
		}
		if err := os.Rename(gap+"x", gap); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := backup.Parts(dir); err != nil || len(got) != 4 {
		t.Errorf("whole again: %v %v", got, err)
	}
	if err := backup.Remove(dir, old); err != nil {
		t.Fatal(err)
	}
	if all, err := backup.List(dir); err != nil || len(all) != 4 {
		t.Errorf("%v %v", all, err)
	}
	if _, err := backup.Parts(t.TempDir()); !errors.Is(err, chat.ErrNotBackup) {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := backup.List(filepath.Join(dir, "away")); !errors.Is(err, chat.ErrBackupFolder) {
		t.Errorf("no folder: %v", err)
	}
}
