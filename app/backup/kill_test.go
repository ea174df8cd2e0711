package backup_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/backup"
)

// killed names the file that a child process writes again and again until it is
// killed.
const killed = "KUVERT_TEST_BACKUP"

func TestMain(m *testing.M) {
	if path := os.Getenv(killed); path != "" {
		for {
			w, err := backup.Create(path, backup.Header{ID: "cc", Chain: "cc", MadeAt: time.Now()}, backup.Options{Passphrase: pass, Work: 8})
			for i := 0; err == nil && i < 20_000; i++ {
				err = w.Put("notes", note{i, strings.Repeat("y", 200)})
			}
			if err != nil {
				os.Exit(1)
			}
			if _, err := w.Commit(context.Background()); err != nil {
				os.Exit(1)
			}
		}
	}
	os.Exit(m.Run())
}

// startWriting starts a process that writes the file again and again.
func startWriting(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	for _, old := range []string{path, path + ".part"} {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killed+"="+path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// timeToWrite is how long the process needs for its first file, its start included.
func timeToWrite(t *testing.T, path string) time.Duration {
	t.Helper()
	begin := time.Now()
	cmd := startWriting(t, path)
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for time.Since(begin) < time.Minute {
		if _, err := os.Stat(path); err == nil {
			return time.Since(begin)
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("no file within a minute")
	return 0
}

// A process killed at any moment leaves no file of the name, or a whole one.
func TestKill9(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.age")
	there, partial := 0, 0
	whole := timeToWrite(t, path)
	for i := range 25 {
		cmd := startWriting(t, path)
		time.Sleep(whole * time.Duration(i+1) / 15) // from early in the first file to late in the second
		_ = cmd.Process.Kill()
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() == 1 {
			t.Fatalf("the child ended by itself: %v", err)
		}
		if _, err := os.Stat(path + ".part"); err == nil {
			partial++
		}
		switch _, err := os.Stat(path); {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			t.Fatal(err)
		}
		there++
		if res, err := backup.Verify(t.Context(), path, pass); err != nil || res.Counts["notes"] != 20_000 {
			t.Fatalf("kill %d: %+v %v", i, res, err)
		}
	}
	if there == 0 || partial == 0 {
		t.Errorf("of 25 kills %d found a file and %d a part: the test hits nothing", there, partial)
	}
}

func TestDiskFull(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/full")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "b.age")
	before := write(t, path, 3)
	if err := os.Symlink("/dev/full", path+".part"); err != nil {
		t.Fatal(err)
	}
	w, err := backup.Create(path, backup.Header{ID: "dd"}, backup.Options{Passphrase: pass, Work: 8})
	for i := 0; err == nil && i < 100_000; i++ {
		err = w.Put("notes", note{i, strings.Repeat("z", 2000)})
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v, want %v", err, syscall.ENOSPC)
	}
	w.Abort()
	if res, err := backup.Verify(t.Context(), path, pass); err != nil || res.ID != before.ID {
		t.Errorf("what was there before: %+v %v", res, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files left", len(left))
	}
}
