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

// A process killed at any moment leaves no file of the name, or a whole one.
func TestKill9(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.age")
	there, partial := 0, 0
	for i := range 25 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killed+"="+path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+i*13) * time.Millisecond)
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
