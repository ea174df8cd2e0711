//go:build unix

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func init() { children["limit"] = limitChild }

// limitChild lets the system refuse every write beyond a size, as a failing disk
// does, and prints what the store makes of it.
func limitChild(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	s, err := Open(context.Background(), Config{Path: path, Key: &testKey})
	if err != nil {
		return err
	}
	limit := syscall.Rlimit{Cur: 256 << 10, Max: syscall.RLIM_INFINITY & (1<<63 - 1)}
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	free := limit.Cur
	limit.Cur = 512 << 10 // and what is there already
	for _, name := range []string{path, path + "-wal"} {
		if st, err := os.Stat(name); err == nil {
			limit.Cur = max(limit.Cur, uint64(st.Size())+512<<10) //nolint:gosec // not negative
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	stored := 0
	for err = nil; err == nil && stored < 100; {
		if err = putNumbered(s, stored); err == nil {
			stored++
		}
	}
	fmt.Println(stored, errors.Is(err, ErrIO), errors.Is(err, ErrStopped))
	limit.Cur = free
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	err = putNumbered(s, stored)
	fmt.Println(errors.Is(err, ErrIO), errors.Is(err, ErrStopped))
	return s.Close()
}

// putNumbered stores 16 KiB under a number.
func putNumbered(s *Store, n int) error {
	return s.Update(context.Background(), func(tx *Tx) error {
		return tx.PutSecret(fmt.Sprint(n), []byte(strings.Repeat(string(rune('a'+n%26)), 16<<10)))
	})
}

func countSecrets(t testing.TB, path string) (n int64) {
	t.Helper()
	s := openTest(t, path)
	defer func() { _ = s.Close() }()
	view(t, s, func(tx *ReadTx) (err error) {
		n, err = tx.c.int("SELECT count(*) FROM secret")
		return err
	})
	return n
}

// TestStoreStopsAfterAnIOError: no acknowledgement, nothing more is written, and
// what was acknowledged before is there.
func TestStoreStopsAfterAnIOError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	lines := killAfter(t, child(t.Context(), "limit", path), time.Minute)
	var stored int64
	if len(lines) != 2 {
		t.Fatal(lines)
	}
	if _, err := fmt.Sscanf(lines[0], "%d true false", &stored); err != nil || stored == 0 || stored == 100 {
		t.Error(lines[0], err)
	}
	if lines[1] != "true true" {
		t.Error(lines[1])
	}
	if n := countSecrets(t, path); n != stored {
		t.Errorf("%d acknowledged, %d stored", stored, n)
	}
}

// TestOpenWithoutPermission opens as somebody else, since root may write
// everything.
func TestOpenWithoutPermission(t *testing.T) {
	for name, modes := range map[string]struct{ dir, file os.FileMode }{
		"folder":   {0o555, 0o666},
		"database": {0o777, 0o444},
		"hidden":   {0o755, 0o000},
	} {
		t.Run(name, func(t *testing.T) {
			path := sample(t)
			allowWay(t, path)
			if err := errors.Join(os.Chmod(path, modes.file), os.Chmod(filepath.Dir(path), modes.dir)); err != nil {
				t.Fatal(err)
			}
			cmd := child(t.Context(), "open", path)
			if os.Getuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
				cmd.Path = publicCopy(t, cmd.Path)
			}
			before := filesOf(t, path)
			lines := killAfter(t, cmd, time.Minute)
			if len(lines) != 1 || !strings.HasPrefix(lines[0], "true ") {
				t.Error(lines)
			}
			t.Log(lines)
			if after := filesOf(t, path); string(after[0]) != string(before[0]) {
				t.Error("changed")
			}
			_ = os.Chmod(filepath.Dir(path), 0o755) //nolint:gosec // a test folder, to be removed
		})
	}
}

// allowWay opens the folders down to path for everybody.
func allowWay(t *testing.T, path string) {
	t.Helper()
	for dir := filepath.Dir(path); strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // a test folder
			t.Fatal(err)
		}
	}
}

// publicCopy puts the test binary where another user may run it.
func publicCopy(t *testing.T, binary string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "child")
	allowWay(t, to)
	copyFile(t, binary, to)
	if err := os.Chmod(to, 0o755); err != nil { //nolint:gosec // to be run by another user
		t.Fatal(err)
	}
	return to
}
