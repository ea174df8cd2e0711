//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
)

// patience is how long anything may take on a busy machine.
const patience = 90 * time.Second

// display starts a virtual screen and returns its name.
func display(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("Xvfb"); err != nil {
		t.Skip("Xvfb is not installed")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1200x800x24", "-nolisten", "tcp", "+extension", "GLX")
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("no virtual screen: %v", err)
	}
	return ":" + strings.TrimSpace(line)
}

// window is the program as a person starts it.
type window struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  bytes.Buffer // read after done
	done chan error
}

func startWindow(t *testing.T, binary, screen, profile string) *window {
	t.Helper()
	w := &window{t: t, done: make(chan error, 1)}
	w.cmd = exec.Command(binary, "--profile", profile, "--listen", "127.0.0.1:0", "--no-discovery")
	home := t.TempDir()
	w.cmd.Env = append(os.Environ(), "DISPLAY="+screen, "WAYLAND_DISPLAY=", "LIBGL_ALWAYS_SOFTWARE=1", "HOME="+home, "LANG=de_DE.UTF-8")
	w.cmd.Stdout, w.cmd.Stderr = &w.out, &w.out
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { w.done <- w.cmd.Wait() }()
	t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	return w
}

// ended waits for the program's end and returns what it wrote.
func (w *window) ended() string {
	w.t.Helper()
	select {
	case err := <-w.done:
		if err != nil {
			w.t.Errorf("ended with %v:\n%s", err, w.out.String())
		}
	case <-time.After(patience):
		w.t.Fatal("does not end")
	}
	return w.out.String()
}

// attached waits until the program runs the profile, and attaches to it.
func attached(t *testing.T, w *window, profile string) *run.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		s, err := run.Attach(ctx, profile)
		if err == nil {
			return s
		}
		select {
		case <-ctx.Done():
			t.Fatalf("nobody runs the profile: %v", err)
		case end := <-w.done:
			t.Fatalf("ended before it ran: %v\n%s", end, w.out.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestRealWindow starts the program on a virtual screen: it runs the profile and
// has a window, a second start ends at once after asking for that window, and a
// signal ends the first one in order, without a fault of the UI thread.
func TestRealWindow(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	screen := display(t)
	binary := filepath.Join(t.TempDir(), "kuvert")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "migrated_fynedo", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	profile := filepath.Join(t.TempDir(), "profile")
	t.Setenv("KUVERT_KEY_FILE", filepath.Join(t.TempDir(), "key"))
	if err := run.Create(t.Context(), profile, core.NewProfile{Name: "Sabine", Network: core.NetworkLAN}, run.Protection{}); err != nil {
		t.Fatal(err)
	}
	first := startWindow(t, binary, screen, profile)
	s := attached(t, first, profile)
	defer s.Close()
	if shown, err := s.RequestWindow(t.Context()); err != nil || !shown {
		t.Errorf("the program says it has no window: %v, %v", shown, err)
	}
	if _, err := s.Invite(t.Context(), 0); err != nil {
		t.Errorf("it does not work: %v", err)
	}
	startWindow(t, binary, screen, profile).ended()
	select {
	case err := <-first.done:
		t.Fatalf("the first one ended with the second: %v", err)
	default:
	}
	if err := first.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	out := first.ended()
	for _, bad := range []string{"Error in Fyne call thread", "panic", "DATA RACE"} {
		if strings.Contains(out, bad) {
			t.Errorf("%s:\n%s", bad, out)
		}
	}
	again, err := run.Open(t.Context(), run.Options{Dir: profile, Offline: true})
	if err != nil {
		t.Fatalf("the profile is not given back: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
