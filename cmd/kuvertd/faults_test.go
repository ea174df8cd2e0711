//go:build !windows

package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kuvert-im/kuvert/app/core"
)

// nobody is an unprivileged user: root may write everywhere.
const nobody = 65534

// try runs kuvertd, as an unprivileged user if that is asked for, and returns
// its exit code and its words on stderr.
func try(t *testing.T, env []string, unprivileged bool, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(kuvertd, args...)
	cmd.Env = env
	if unprivileged && os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stderr.String()
}

func oneSentence(t *testing.T, stderr, want string) {
	t.Helper()
	if strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, ".\n") || !strings.Contains(stderr, want) {
		t.Errorf("not one sentence with %q: %s", want, stderr)
	}
}

func TestPortInUse(t *testing.T) {
	dir, env := testEnv(t)
	profile := filepath.Join(dir, "alice")
	runKuvertd(t, env, profile, nil, "init", "--name", "Alice")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	code, stderr := try(t, env, false, "serve", "--profile", profile, "--no-discovery", "--listen", l.Addr().String())
	oneSentence(t, stderr, "the port is in use by another program; end that program, or choose another port")
	if code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	for _, bad := range []string{"nonsense", "127.0.0.1:99999", "192.0.2.1:4000", "127.0.0.1"} {
		code, stderr := try(t, env, false, "serve", "--profile", profile, "--listen", bad)
		oneSentence(t, stderr, "--listen")
		if code != exitUsage {
			t.Errorf("%s: exit code %d", bad, code)
		}
	}
}

// TestRememberedPortInUse takes the port that a profile used last: it uses
// another one, and says so only in its network's state.
func TestRememberedPortInUse(t *testing.T) {
	dir, env := testEnv(t)
	profile := filepath.Join(dir, "alice")
	runKuvertd(t, env, profile, nil, "init", "--name", "Alice")
	serveOnce := func(trouble string) int {
		d, err := startDaemon(profile, env)
		if err != nil {
			t.Fatal(err)
		}
		s, err := d.wait()
		if err != nil {
			t.Fatal(err)
		}
		if err := d.end(); err != nil {
			t.Fatal(err)
		}
		if (s.Trouble == core.TroublePort) != (trouble == core.TroublePort) {
			t.Errorf("trouble is %q, not %q", s.Trouble, trouble)
		}
		return s.Port
	}
	first := serveOnce("")
	if again := serveOnce(""); again != first || first == 0 {
		t.Errorf("port %d, then %d", first, again)
	}
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: first})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if other := serveOnce(core.TroublePort); other == first {
		t.Errorf("port %d was taken", other)
	}
}

func TestReadOnlyFolder(t *testing.T) {
	dir, env := testEnv(t)
	profile := filepath.Join(dir, "alice")
	runKuvertd(t, env, profile, nil, "init", "--name", "Alice")
	binary := filepath.Dir(kuvertd)
	for path, mode := range map[string]os.FileMode{dir: 0o755, binary: 0o755} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"closed": 0o000, "read-only": 0o555} {
		if err := os.Chmod(profile, mode); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"whoami"}, {"serve"}, {"init", "--name", "Other"}} {
			code, stderr := try(t, env, true, append(args, "--profile", profile)...)
			oneSentence(t, stderr, "the profile's folder cannot be read or written; check its owner and its permissions")
			if code != exitFailed {
				t.Errorf("%s, %s: exit code %d", name, args[0], code)
			}
		}
		if err := os.Chmod(profile, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	code, stderr := try(t, env, true, "init", "--name", "Eve", "--profile", filepath.Join(dir, "new"))
	oneSentence(t, stderr, "cannot be read or written")
	if code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if code, stderr := try(t, env, false, "whoami", "--profile", profile); code != 0 {
		t.Errorf("the profile was harmed: %s", stderr)
	}
}

// TestPrivate looks at who else may read what a profile writes.
func TestPrivate(t *testing.T) {
	dir, env := testEnv(t)
	profile := filepath.Join(dir, "alice")
	runKuvertd(t, env, profile, nil, "init", "--name", "Alice")
	d, err := startDaemon(profile, env)
	if err != nil {
		t.Fatal(err)
	}
	defer d.kill()
	if _, err := d.wait(); err != nil {
		t.Fatal(err)
	}
	n := 0
	err = filepath.Walk(profile, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		n++
		return err
	})
	if err != nil || n < 4 {
		t.Errorf("%d files, %v", n, err)
	}
}
