package p2ptest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// A Lab is a few machines on one bridge: a LAN.
type Lab struct{ *Spaces }

// settle is how long the kernel takes until a new link carries multicast.
const settle = 2500 * time.Millisecond

// NewLab makes a bridge and machines 1 to count with the addresses 192.168.7.1 and
// up. The test is skipped, and says why, where namespaces are not to be had.
func NewLab(t testing.TB, count int) *Lab {
	t.Helper()
	l := &Lab{newSpaces(t)}
	l.first("lan", "mcast_snooping 0")
	for i := 1; i <= count; i++ {
		l.must(l.machine(i))
	}
	time.Sleep(settle)
	return l
}

func (l *Lab) machine(i int) error {
	m := l.Name(i)
	if err := l.namespace(m); err != nil {
		return err
	}
	return l.ips(
		wish{m, fmt.Sprintf("link add eth0 type veth peer name p%d netns %slan", i, l.prefix)},
		wish{"lan", fmt.Sprintf("link set p%d master br0 up", i)},
		wish{m, fmt.Sprintf("addr add 192.168.7.%d/24 brd + dev eth0", i)},
		wish{m, "link set eth0 up multicast on"})
}

// Name is the name of machine i.
func (l *Lab) Name(i int) string { return fmt.Sprintf("m%d", i) }

// Count lets a machine count what leaves it, by kind; Counters reads it.
func (s *Spaces) Count(machine string) { s.t.Helper(); s.Exec(machine, counters, "nft", "-f", "-") }

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

// Counters returns how many packets of each kind left a machine since Count.
func (s *Spaces) Counters(machine string) map[string]int {
	s.t.Helper()
	var out struct {
		Nftables []struct {
			Counter *struct {
				Name    string
				Packets int
			}
		}
	}
	text := s.Exec(machine, "", "nft", "-j", "list", "counters")
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		s.t.Fatalf("nft: %v: %s", err, text)
	}
	counts := map[string]int{}
	for _, o := range out.Nftables {
		if o.Counter != nil {
			counts[o.Counter.Name] = o.Counter.Packets
		}
	}
	return counts
}
