package p2ptest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Spaces are network namespaces of one test: machines with a network of their own,
// for tests with real sockets of which no packet can leave this computer. They are
// removed with the test.
type Spaces struct {
	t      testing.TB
	prefix string
}

// made counts the Spaces of this process, so that two never share a name.
var made atomic.Int32

// newSpaces skips the test, and says why, where namespaces are not to be had.
func newSpaces(t testing.TB) *Spaces {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root: run as root to test on a real network")
	}
	s := &Spaces{t: t, prefix: fmt.Sprintf("kv%d-%d-", os.Getpid(), made.Add(1))}
	t.Cleanup(s.remove)
	return s
}

// first makes the namespace that all others are plugged into, with a bridge; the
// test is skipped, and says why, if that is not allowed here.
func (s *Spaces) first(name, bridge string) {
	s.t.Helper()
	err := s.namespace(name)
	if err == nil {
		err = s.ips(wish{name, "link add br0 type bridge " + bridge}, wish{name, "link set br0 up"})
	}
	if err != nil {
		s.t.Skipf("network namespaces are not available here: %v", err)
	}
}

// must fails the test if the rest could not be built.
func (s *Spaces) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *Spaces) namespace(name string) error {
	if err := run("ip", "netns", "add", s.prefix+name); err != nil {
		return err
	}
	return s.ip(name, "link set lo up")
}

func (s *Spaces) ip(machine, args string) error {
	return run("ip", append([]string{"-n", s.prefix + machine}, strings.Fields(args)...)...)
}

// wish is a call of ip on a machine.
type wish struct{ machine, args string }

func (s *Spaces) ips(wishes ...wish) error {
	for _, w := range wishes {
		if err := s.ip(w.machine, w.args); err != nil {
			return err
		}
	}
	return nil
}

func (s *Spaces) remove() {
	out, _ := exec.Command("ip", "netns", "list").Output() //nolint:noctx // short
	for line := range strings.Lines(string(out)) {
		if name := strings.Fields(line)[0]; strings.HasPrefix(name, s.prefix) {
			_ = run("ip", "netns", "del", name)
		}
	}
}

// IP runs `ip` on a machine, for example "link set eth0 down".
func (s *Spaces) IP(machine, args string) {
	s.t.Helper()
	if err := s.ip(machine, args); err != nil {
		s.t.Fatal(err)
	}
}

// Exec runs a program on a machine to its end and returns its output.
func (s *Spaces) Exec(machine, stdin string, args ...string) string {
	s.t.Helper()
	c := s.Command(machine, args...)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v: %s", args, err, out)
	}
	return string(out)
}

// Command returns a program to run on a machine; it is killed with the test.
func (s *Spaces) Command(machine string, args ...string) *exec.Cmd {
	args = append([]string{"netns", "exec", s.prefix + machine}, args...)
	return exec.CommandContext(s.t.Context(), "ip", args...)
}

func run(name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
