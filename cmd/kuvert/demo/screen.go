//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// screen is a virtual display of its own, with software rendering.
type screen struct {
	cmd     *exec.Cmd
	display string
}

// openScreen starts Xvfb on a display that nobody uses.
func openScreen(ctx context.Context) (*screen, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "2240x760x24", "-nolisten", "tcp", "+extension", "GLX")
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("virtual screen: %w", err)
	}
	_ = w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("virtual screen did not start: %w", err)
	}
	s := &screen{cmd: cmd, display: ":" + strings.TrimSpace(line)}
	_, err = s.do(ctx, "xdotool", "getdisplaygeometry")
	return s, err
}

func (s *screen) env() []string {
	return append(os.Environ(), "DISPLAY="+s.display, "WAYLAND_DISPLAY=", "LIBGL_ALWAYS_SOFTWARE=1", "LANG=C.UTF-8")
}

// do runs a tool on the screen and returns what it prints.
func (s *screen) do(ctx context.Context, tool string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Env = s.env()
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", tool, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (s *screen) close() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	_ = s.cmd.Wait() // it ends by the signal that was sent
	return nil
}
