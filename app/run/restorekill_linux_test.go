package run

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

const (
	// restoreChild says what a child process is to do: "kill" restores and tells how
	// far it is, "full" restores onto a disk that is too small, and then once more.
	restoreChild = "KUVERT_TEST_RESTORE"
	killPass     = "correct horse battery"
	killMessages = 20_000
)

func TestMain(m *testing.M) {
	switch dir := os.Getenv("KUVERT_TEST_DIR"); os.Getenv(restoreChild) {
	case "kill":
		_, err := Restore(context.Background(), dir, childSource(), childProtection())
		fmt.Println("ended", err)
		os.Exit(0)
	case "full":
		restoreOntoFull(dir)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func childSource() core.RestoreSource {
	return core.RestoreSource{
		Path: os.Getenv("KUVERT_TEST_BACKUP"), Passphrase: killPass, Progress: func(percent int) { fmt.Println(percent) },
	}
}

func childProtection() Protection { return Protection{KeyFile: os.Getenv("KUVERT_TEST_KEY")} }

// restoreOntoFull mounts a small file system over the folder, which nobody else sees.
func restoreOntoFull(dir string) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		fmt.Println("no mount", err)
		return
	}
	src := childSource()
	src.Progress = nil
	_, err := Restore(context.Background(), dir, src, childProtection())
	there, err2 := Exists(dir)
	_, err3 := os.Stat(filepath.Join(dir, databaseFile))
	fmt.Println(errors.Is(err, chat.ErrDiskFull), there, err2, errors.Is(err3, os.ErrNotExist))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=400m"); err != nil {
		fmt.Println("no more room", err)
		return
	}
	r, err := Restore(context.Background(), dir, src, childProtection())
	fmt.Println(r.Messages, err)
}

// largeBackup writes a backup whose restore takes a while.
func largeBackup(t *testing.T) (path string, sum [32]byte) {
	t.Helper()
	from := openBench(t, filepath.Join(t.TempDir(), "from.db"))
	must(t, core.Create(t.Context(), from, core.NewProfile{Name: "Alice"}))
	fillBench(t, from, killMessages)
	c, err := core.New(core.Config{Store: from, BackupWork: 8}) //nolint:contextcheck // it only reads who this is
	must(t, err)
	path = filepath.Join(t.TempDir(), "alice.age")
	_, err = c.Backup(t.Context(), core.BackupOptions{Path: path, Passphrase: killPass})
	must(t, err)
	return path, sumOf(t, path)
}

func sumOf(t *testing.T, path string) [32]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return sha256.Sum256(b)
}

func restoring(what, dir, path, key string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), restoreChild+"="+what, "KUVERT_TEST_DIR="+dir, "KUVERT_TEST_BACKUP="+path, "KUVERT_TEST_KEY="+key)
	return cmd
}

// A restore that is killed, wherever it is, leaves no profile; the backup is as it
// was, and a second try works.
func TestRestoreKilled(t *testing.T) {
	path, sum := largeBackup(t)
	unfinished := 0
	for _, at := range []int{0, 20, 50, 80} {
		dir, key := filepath.Join(t.TempDir(), "new"), filepath.Join(t.TempDir(), "key")
		cmd := restoring("kill", dir, path, key)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if percent, err := strconv.Atoi(lines.Text()); err != nil || percent >= at {
				break
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		there, err := Exists(dir)
		must(t, err)
		if there { // it came to its end first
			inst, err := Open(t.Context(), Options{Dir: dir, Offline: true, Unlock: Unlock{KeyFile: key}})
			must(t, err)
			must(t, inst.Close())
			continue
		}
		unfinished++
		if _, err := Open(t.Context(), Options{Dir: dir, Offline: true, Unlock: Unlock{KeyFile: key}}); !errors.Is(err, chat.ErrNoProfile) {
			t.Errorf("killed at %d per cent: opens with %v", at, err)
		}
		r, err := Restore(t.Context(), dir, core.RestoreSource{Path: path, Passphrase: killPass}, Protection{KeyFile: key})
		if err != nil || r.Messages != killMessages {
			t.Errorf("killed at %d per cent, again: %+v %v", at, r, err)
		}
	}
	if unfinished < 2 {
		t.Errorf("%d of 4 kills came before the end: the test hits nothing", unfinished)
	}
	if sumOf(t, path) != sum {
		t.Error("the backup is another one")
	}
}

// A disk that becomes full during a restore leaves no profile and nothing of its
// database; the backup is as it was, and with more room a second try works.
func TestRestoreOntoFullDisk(t *testing.T) {
	path, sum := largeBackup(t)
	cmd := restoring("full", t.TempDir(), path, filepath.Join(t.TempDir(), "key"))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); errors.Is(err, syscall.EPERM) || strings.HasPrefix(out.String(), "no mount") {
		t.Skip("this machine gives no namespaces:", err, out.String())
	}
	want := fmt.Sprintf("true false <nil> true\n%d <nil>\n", killMessages)
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	if sumOf(t, path) != sum {
		t.Error("the backup is another one")
	}
}
