package p2ptest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A Lab is a few network namespaces on one bridge: machines with a network of
// their own, for tests with real sockets, multicast and broadcast of which no
// packet can leave this computer. It is made by NewLab and removed with the test.
type Lab struct {
	t      testing.TB
	prefix string
}

// settle is how long the kernel takes until a new link carries multicast.
const settle = 2500 * time.Millisecond

// NewLab makes a bridge and machines 1 to count with the addresses 192.168.7.1 and
// up. The test is skipped, and says why, where namespaces are not to be had.
func NewLab(t testing.TB, count int) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root: run as root to test discovery on a real network")
	}
	l := &Lab{t: t, prefix: fmt.Sprintf("kv%d-", os.Getpid())}
	t.Cleanup(l.remove)
	if err := l.build(count); err != nil {
		t.Skipf("network namespaces are not available here: %v", err)
	}
	time.Sleep(settle)
	return l
}

func (l *Lab) build(count int) error {
	if err := l.namespace("lan"); err != nil {
		return err
	}
	if err := l.ip("lan", "link add br0 type bridge mcast_snooping 0"); err != nil {
		return err
	}
	if err := l.ip("lan", "link set br0 up"); err != nil {
		return err
	}
	for i := 1; i <= count; i++ {
		if err := l.machine(i); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) machine(i int) error {
	m := l.Name(i)
	if err := l.namespace(m); err != nil {
		return err
	}
	for _, c := range []struct{ ns, args string }{
		{m, fmt.Sprintf("link add eth0 type veth peer name p%d netns %slan", i, l.prefix)},
		{"lan", fmt.Sprintf("link set p%d master br0 up", i)},
		{m, fmt.Sprintf("addr add 192.168.7.%d/24 brd + dev eth0", i)},
		{m, "link set eth0 up multicast on"},
	} {
		if err := l.ip(c.ns, c.args); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) namespace(name string) error {
	if err := run("ip", "netns", "add", l.prefix+name); err != nil {
		return err
	}
	return l.ip(name, "link set lo up")
}

func (l *Lab) ip(ns, args string) error {
	return run("ip", append([]string{"-n", l.prefix + ns}, strings.Fields(args)...)...)
}

func (l *Lab) remove() {
	out, _ := exec.Command("ip", "netns", "list").Output() //nolint:noctx // short
	for line := range strings.Lines(string(out)) {
		if name := strings.Fields(line)[0]; strings.HasPrefix(name, l.prefix) {
			_ = run("ip", "netns", "del", name)
		}
	}
}

// Name is the name of machine i.
func (l *Lab) Name(i int) string { return fmt.Sprintf("m%d", i) }

// IP runs `ip` on machine i, for example "link set eth0 down".
func (l *Lab) IP(i int, args string) {
	l.t.Helper()
	if err := l.ip(l.Name(i), args); err != nil {
		l.t.Fatal(err)
	}
}

// Exec runs a program on machine i to its end and returns its output.
func (l *Lab) Exec(i int, stdin string, args ...string) string {
	l.t.Helper()
	c := l.Command(i, args...)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %v: %s", args, err, out)
	}
	return string(out)
}

// Command returns a program to run on machine i; it is killed with the test.
func (l *Lab) Command(i int, args ...string) *exec.Cmd {
	args = append([]string{"netns", "exec", l.prefix + l.Name(i)}, args...)
	return exec.CommandContext(l.t.Context(), "ip", args...)
}

// Count lets machine i count what leaves it, by kind; Counters reads it.
func (l *Lab) Count(i int) { l.t.Helper(); l.Exec(i, counters, "nft", "-f", "-") }

// counters lets multicast and what stays in the network pass, and stops and counts
// everything else. Shared space of providers (100.64.0.0/10) is outside.
const counters = `table inet kuvert {
 counter local { }
 counter group { }
 counter names { }
 counter leaks { }
 chain out {
  type filter hook output priority 0; policy accept;
  udp dport { 53, 853 } counter name names drop
  tcp dport { 53, 853 } counter name names drop
  ip daddr 224.0.0.0/4 counter name group accept
  ip6 daddr ff00::/8 counter name group accept
  ip daddr { 10.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16 } counter name local accept
  ip6 daddr { ::1, fe80::/10, fc00::/7 } counter name local accept
  counter name leaks drop
 }
}
`

// Counters returns how many packets of each kind left machine i since Count.
func (l *Lab) Counters(i int) map[string]int {
	l.t.Helper()
	var out struct {
		Nftables []struct {
			Counter *struct {
				Name    string
				Packets int
			}
		}
	}
	text := l.Exec(i, "", "nft", "-j", "list", "counters")
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		l.t.Fatalf("nft: %v: %s", err, text)
	}
	counts := map[string]int{}
	for _, o := range out.Nftables {
		if o.Counter != nil {
			counts[o.Counter.Name] = o.Counter.Packets
		}
	}
	return counts
}

func run(name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
