//go:build !windows

package rpc

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runtimeDir makes a private runtime folder with a short name and sets it.
func runtimeDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "kuvert-test-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	return dir
}

func serveAt(t *testing.T, profile string) {
	t.Helper()
	l, err := Listen(t.Context(), profile)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	s := &Server{Client: newFake(), Log: slog.New(slog.DiscardHandler)}
	go func() { defer close(done); _ = s.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done })
}

func TestEndpoint(t *testing.T) {
	dir := runtimeDir(t)
	profile := filepath.Join(t.TempDir(), strings.Repeat("a long name ", 20))
	must(t, os.Mkdir(profile, 0o700))
	if _, err := Dial(t.Context(), profile); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("nothing runs: %v", err)
	}
	serveAt(t, profile)
	files, err := os.ReadDir(dir)
	must(t, err)
	info, err := files[0].Info()
	must(t, err)
	if len(files) != 1 || info.Mode().Perm() != 0o600 {
		t.Errorf("%d files, mode %v", len(files), info.Mode())
	}
	c, err := Dial(t.Context(), profile)
	must(t, err)
	defer c.Close()
	if _, err := c.Whoami(t.Context()); err != nil {
		t.Error(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(profile, link))
	if c, err := Dial(t.Context(), link); err != nil {
		t.Errorf("by another path: %v", err)
	} else {
		c.Close()
	}
	if _, err := Dial(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("another profile: %v", err)
	}
}

func TestStaleSocket(t *testing.T) {
	dir := runtimeDir(t)
	profile := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, endpointName(profile)))
	must(t, err)
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as after kill -9
	must(t, l.Close())
	if _, err := Dial(t.Context(), profile); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("dead socket: %v", err)
	}
	serveAt(t, profile)
	c, err := Dial(t.Context(), profile)
	must(t, err)
	c.Close()
}

// TestForeignFolder offers runtime folders that others could write to or that
// are too deep: the socket must lie elsewhere.
func TestForeignFolder(t *testing.T) {
	dir := runtimeDir(t)
	for name, spoil := range map[string]func(string) string{
		"open to all": func(d string) string { must(t, os.Chmod(d, 0o777)); return d },
		"a link":      func(d string) string { must(t, os.Symlink(t.TempDir(), d+".l")); return d + ".l" },
		"a file":      func(d string) string { must(t, os.WriteFile(d+".f", nil, 0o600)); return d + ".f" },
		"relative":    func(string) string { return "." },
		"too deep": func(d string) string {
			deep := filepath.Join(d, strings.Repeat("x", 100))
			must(t, os.Mkdir(deep, 0o700))
			return deep
		},
	} {
		sub, err := os.MkdirTemp(dir, "")
		must(t, err)
		bad := spoil(sub)
		t.Setenv("XDG_RUNTIME_DIR", bad)
		profile := t.TempDir()
		serveAt(t, profile)
		if _, err := os.Lstat(filepath.Join(bad, endpointName(profile))); err == nil {
			t.Errorf("%s: the socket lies in %s", name, bad)
		}
		c, err := Dial(t.Context(), profile)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.Close()
		os.RemoveAll(bad)
	}
}
