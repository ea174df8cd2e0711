package files

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestPastedPicturesAreForgotten: what this process kept, what one that is gone
// left, and nothing that a running one may still send.
func TestPastedPicturesAreForgotten(t *testing.T) {
	root := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", root)
	t.Setenv("TMPDIR", root)
	t.Setenv("TMP", root)
	folder := func(pid any) string {
		dir := filepath.Join(root, fmt.Sprintf("%s%v-1", pasteFolder, pid))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	gone := exec.Command(os.Args[0], "-test.run=^$")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	kept, err := Keep("a.png", []byte("picture"))
	if err != nil {
		t.Fatal(err)
	}
	old := folder(os.Getppid())
	for _, c := range []struct {
		path string
		age  time.Duration
		stay bool
	}{
		{kept, 0, false},
		{folder(gone.Process.Pid), 0, false},
		{old, 0, true},
		{folder("strange"), 0, true},
		{old, oldPaste + time.Hour, false},
	} {
		if at := time.Now().Add(-c.age); c.age > 0 && os.Chtimes(c.path, at, at) != nil {
			t.Fatal("no times here")
		}
		ForgetAll()
		if _, err := os.Stat(c.path); (err == nil) != c.stay {
			t.Errorf("%s, %v old: %v", filepath.Base(c.path), c.age, err)
		}
	}
}

func TestForgetTakesOnlyItsOwn(t *testing.T) {
	root := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", root)
	kept, err := Keep("a.png", []byte("picture"))
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(t.TempDir(), "mine.png")
	if err := os.WriteFile(mine, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	Forget([]string{kept, mine})
	if _, err := os.Stat(kept); err == nil {
		t.Error("the pasted picture is still there")
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
}
