package mailstore

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
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := s.Allow(ctx, map[[32]byte]int64{id32('t', 1): 0}); err != nil {
		return err
	}
	one, err := s.Auth(ctx, id32('t', 1))
	if err != nil {
		return err
	}
	if err := makeQueue(s, one, 1, time.Time{}); err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 3<<20), 0o600); err != nil {
		return err
	}
	stored, taken := 0, 0
	for stored < 1000 {
		if taken, _, err = put(s, 1, big(stored)); err != nil {
			break
		}
		stored++
	}
	var told Denied
	fmt.Println(stored, taken, errors.Is(err, chat.ErrDiskFull), errors.As(err, &told))
	if err := os.Remove(ballast); err != nil {
		return err
	}
	_, _, err = put(s, 1, big(stored))
	_, blobs, _, kerr := s.Kept(ctx)
	fmt.Println(err, blobs-stored, errors.Join(kerr, s.Close()))
	return nil
}

func big(n int) string { return fmt.Sprint(n, strings.Repeat("x", 16<<10)) }

// TestFullDisk: a blob that finds no room is not acknowledged and leaves nothing,
// and all goes on once there is room.
func TestFullDisk(t *testing.T) {
	cmd := child(t, "full", filepath.Join(t.TempDir(), "mail.db"))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	probe := *cmd
	probe.Path, probe.Args = "/bin/true", []string{"true"}
	if err := probe.Run(); err != nil {
		t.Skip("this machine gives no namespaces:", err)
	}
	lines := run(t, cmd, time.Minute)
	if len(lines) == 1 && strings.HasPrefix(lines[0], "no mount") {
		t.Skip(lines[0])
	}
	if len(lines) != 2 {
		t.Fatal(lines)
	}
	var stored int
	if _, err := fmt.Sscanf(lines[0], "%d 0 true false", &stored); err != nil || stored == 0 || stored == 1000 {
		t.Error(lines[0], err)
	}
	if lines[1] != "<nil> 1 <nil>" {
		t.Error(lines[1])
	}
}
