package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

func init() { children["full"] = fullChild }

// fullChild mounts a small file system of its own, fills it, and prints what the
// store makes of it. Nobody else sees the mount.
func fullChild(path string) error {
	dir := filepath.Dir(path)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		fmt.Println("no mount", err)
		return nil
	}
	s, err := Open(context.Background(), Config{Path: path, Key: &testKey})
	if err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 3<<20), 0o600); err != nil {
		return err
	}
	stored := 0
	for err = nil; err == nil && stored < 1000; {
		if err = putNumbered(s, stored); err == nil {
			stored++
		}
	}
	fmt.Println(stored, errors.Is(err, chat.ErrDiskFull), errors.Is(err, ErrStopped))
	if err := os.Remove(ballast); err != nil {
		return err
	}
	more := putNumbered(s, stored)
	n, err := countAfter(s, path)
	fmt.Println(more, n-int64(stored), err)
	return nil
}

func countAfter(s *Store, path string) (n int64, err error) {
	if err := s.Close(); err != nil {
		return 0, err
	}
	if s, err = Open(context.Background(), Config{Path: path, Key: &testKey}); err != nil {
		return 0, err
	}
	err = s.View(context.Background(), func(tx *ReadTx) (err error) {
		n, err = tx.c.int("SELECT count(*) FROM secret")
		return err
	})
	return n, errors.Join(err, s.Close())
}

// TestFullDisk: an update that finds no room fails with chat.ErrDiskFull and
// leaves nothing, and all goes on once there is room.
func TestFullDisk(t *testing.T) {
	cmd := child(t.Context(), "full", filepath.Join(t.TempDir(), "kuvert.db"))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	if err := namespacesWork(); err != nil {
		t.Skip("this machine gives no namespaces:", err)
	}
	lines := killAfter(t, cmd, time.Minute)
	if len(lines) == 1 && strings.HasPrefix(lines[0], "no mount") {
		t.Skip(lines[0])
	}
	var stored int
	if len(lines) != 2 {
		t.Fatal(lines)
	}
	if _, err := fmt.Sscanf(lines[0], "%d true false", &stored); err != nil || stored == 0 || stored == 1000 {
		t.Error(lines[0], err)
	}
	if lines[1] != "<nil> 1 <nil>" {
		t.Error(lines[1])
	}
}

// namespacesWork tries whether a process may be started in namespaces of its own.
func namespacesWork() error {
	attr := &os.ProcAttr{Sys: &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}}
	p, err := os.StartProcess("/bin/true", []string{"true"}, attr)
	if err != nil {
		return err
	}
	_, err = p.Wait()
	return err
}
