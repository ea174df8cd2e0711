package mailstore

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

var testKey = cryptvfs.Key{1, 2, 3}

// secretBlob is what must not be read in any file: long enough to lie on several
// pages, and to be found.
var secretBlob = strings.Repeat("what was sealed by its sender ", 400)

// secrets are what a mailbox knows of the people whose mail it keeps.
func secrets() map[string][]byte {
	rid, _ := recvOf(0)
	sid, _ := sendOf(0)
	return map[string][]byte{"blob": []byte("what was sealed by its sender"), "recv id": rid[:], "send id": sid[:], "schema": []byte("CREATE TABLE queue")}
}

// readable lists what of the secrets can be read in the files of a folder.
func readable(t *testing.T, dir string) (found []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for what, secret := range secrets() {
			if bytes.Contains(b, secret) {
				found = append(found, what+" in "+d.Name())
			}
		}
		return err
	}))
	return found
}

func fill(t *testing.T, s *Store) {
	t.Helper()
	must(t, s.Allow(t.Context(), map[[32]byte]int64{id32('t', 1): 0}))
	must(t, makeQueue(s, account(t, s, 1), 0, time.Time{}))
	putAll(t, s, 0, secretBlob)
}

// TestEncrypted: nothing of the mail can be read in the files, while it is open and
// after it; it is there again under its key, and under no other.
func TestEncrypted(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, encryptedName)
	key := testKey
	s := openAt(t, path, Options{Key: &key})
	key = cryptvfs.Key{}
	fill(t, s)
	if wal, err := os.Stat(path + "-wal"); err != nil || wal.Size() < int64(len(secretBlob)) {
		t.Errorf("the WAL holds nothing to look at: %v %v", wal, err)
	}
	for range 2 {
		if found := readable(t, dir); len(found) > 0 {
			t.Errorf("can be read: %q", found)
		}
		_ = s.Close()
	}
	other := cryptvfs.Key{9}
	for what, o := range map[string]Options{"no key": {}, "another key": {Key: &other}} {
		if _, err := Open(path, o); !errors.Is(err, chat.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
	s = openAt(t, path, Options{Key: &testKey})
	wantList(t, s, 0, secretBlob)
	checkCounters(t, s)
}

// TestPlainMailIsRemoved: a file from before there was a key gives way to an encrypted
// one, also if the computer was switched off on the way, and nothing of it stays.
func TestPlainMailIsRemoved(t *testing.T) {
	for _, gone := range [][]string{nil, {"-shm"}, {"-shm", "-wal"}} {
		t.Run(strings.Join(gone, ""), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, encryptedName)
			plain := openAt(t, path, Options{})
			fill(t, plain)
			files := map[string][]byte{}
			keep := func(suffix string) {
				b, err := os.ReadFile(path + suffix)
				must(t, err)
				files[suffix] = b
			}
			keep("-wal")
			keep("-shm")
			must(t, plain.Close())
			keep("")
			for _, suffix := range gone {
				delete(files, suffix)
			}
			for suffix, b := range files { // as after a kill
				must(t, os.WriteFile(path+suffix, b, 0o600))
			}
			if len(readable(t, dir)) == 0 {
				t.Fatal("nothing to be removed")
			}
			s := openAt(t, path, Options{Key: &testKey})
			if found := readable(t, dir); len(found) > 0 {
				t.Errorf("can be read: %q", found)
			}
			fill(t, s)
			wantList(t, s, 0, secretBlob)
			must(t, s.Close())
			s = openAt(t, path, Options{Key: &testKey}) // is not removed again
			wantList(t, s, 0, secretBlob)
		})
	}
}

// TestOverwritten: what is removed was overwritten before, but for what tells that it
// is to be removed.
func TestOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	must(t, os.WriteFile(path, append(bytes.Clone(plainHead), bytes.Repeat([]byte("x"), 200_000)...), 0o600))
	must(t, overwrite(path))
	b, err := os.ReadFile(path)
	must(t, err)
	if len(b) != len(plainHead)+200_000 || bytes.Contains(b, []byte("x")) {
		t.Errorf("%d bytes, x left: %v", len(b), bytes.Contains(b, []byte("x")))
	}
	if is, err := isPlain(path); err != nil || !is {
		t.Errorf("is not known any more: %v %v", is, err)
	}
}

// TestFlippedMail: a changed byte is an error, never other mail.
func TestFlippedMail(t *testing.T) {
	path := filepath.Join(t.TempDir(), encryptedName)
	s := openAt(t, path, Options{Key: &testKey})
	fill(t, s)
	must(t, s.Close())
	b, err := os.ReadFile(path)
	must(t, err)
	for page := cryptvfsPage; page < len(b); page += cryptvfsPage {
		b[page+100] ^= 1
	}
	must(t, os.WriteFile(path, b, 0o600))
	s, err = Open(path, Options{Key: &testKey})
	if err == nil {
		rid, rcap := recvOf(0)
		_, _, err = s.List(t.Context(), rid, rcap, 0, 10, 1<<20)
		_ = s.Close()
	}
	if !errors.Is(err, chat.ErrCorrupt) {
		t.Errorf("%v, want %v", err, chat.ErrCorrupt)
	}
}

const cryptvfsPage = 4096
