//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// screen is a virtual display of its own, with software rendering, and a desktop
// bus of its own, so that nothing of the real desktop is touched.
type screen struct {
	xvfb, bus *exec.Cmd
	display   string
	address   string // of the bus
}

// openScreen starts both on names that nobody uses.
func openScreen(ctx context.Context) (s *screen, err error) {
	s = &screen{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	var number string
	s.xvfb, number, err = startDaemon("Xvfb", "-displayfd", "3", "-screen", "0", "2240x760x24", "-nolisten", "tcp", "+extension", "GLX")
	if err != nil {
		return s, fmt.Errorf("virtual screen: %w", err)
	}
	s.display = ":" + number
	s.bus, s.address, err = startDaemon("dbus-daemon", "--session", "--nofork", "--print-address=3")
	if err != nil {
		return s, fmt.Errorf("desktop bus: %w", err)
	}
	_, err = s.do(ctx, "xdotool", "getdisplaygeometry")
	return s, err
}

// startDaemon starts a program that says on descriptor 3 where it is reached.
func startDaemon(name string, args ...string) (*exec.Cmd, string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = r.Close() }()
	cmd := exec.Command(name, args...)
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		return cmd, "", fmt.Errorf("%s did not start: %w", name, err)
	}
	return cmd, strings.TrimSpace(line), nil
}

func (s *screen) env() []string {
	return append(os.Environ(), "DISPLAY="+s.display, "DBUS_SESSION_BUS_ADDRESS="+s.address,
		"WAYLAND_DISPLAY=", "LIBGL_ALWAYS_SOFTWARE=1", "LANG=C.UTF-8")
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

func (s *screen) close() (err error) {
	for _, cmd := range []*exec.Cmd{s.bus, s.xvfb} {
		if cmd == nil {
			continue
		}
		err = errors.Join(err, cmd.Process.Signal(syscall.SIGTERM))
		_ = cmd.Wait() // it ends by the signal that was sent
	}
	return err
}
