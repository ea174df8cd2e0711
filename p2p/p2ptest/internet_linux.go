package p2ptest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// NAT is how a router translates addresses, in the words of nft.
type NAT string

// The two kinds of NAT that matter: through the first one can punch a hole.
const (
	Cone      NAT = "masquerade"
	Symmetric NAT = "masquerade random,fully-random"
)

// The machines of an Internet.
const (
	Public   = "public"   // 5.5.5.5: a server
	Stranger = "stranger" // 5.5.5.30: somebody else in the public network; see Crowd
	RouterA  = "routera"  // 5.5.5.10; 192.168.1.1 inside
	RouterB  = "routerb"  // 5.5.5.20; 192.168.2.1 inside
	HostA    = "hosta"    // 192.168.1.10
	HostA2   = "hosta2"   // 192.168.1.11
	HostB    = "hostb"    // 192.168.2.10

	PublicAddr = "5.5.5.5"

	backbone = "backbone"
)

// cabled is how long a new link takes until it carries packets.
const cabled = 1500 * time.Millisecond

// An Internet is a public network and two LANs behind NATs. Its addresses look
// public, but no packet leaves this computer.
type Internet struct {
	*Spaces
	inside map[string]string // a LAN machine's address
}

// NewInternet makes one; the test is skipped where that is not allowed.
func NewInternet(t testing.TB, a, b NAT) *Internet {
	t.Helper()
	n := &Internet{newSpaces(t), map[string]string{}}
	n.first(backbone, "")
	n.must(n.build(a, b))
	time.Sleep(cabled)
	return n
}

func (n *Internet) build(a, b NAT) error {
	for _, name := range []string{Public, Stranger, RouterA, RouterB, HostA, HostA2, HostB} {
		if err := n.namespace(name); err != nil {
			return err
		}
	}
	for _, m := range []struct{ name, link, addr string }{
		{Public, "eth0", PublicAddr},
		{Stranger, "eth0", "5.5.5.30"},
		{RouterA, "wan0", "5.5.5.10"},
		{RouterB, "wan0", "5.5.5.20"},
	} {
		if err := n.plug(m.name, m.link, m.addr); err != nil {
			return err
		}
	}
	for i, r := range []struct {
		router string
		nat    NAT
		hosts  []string
	}{{RouterA, a, []string{HostA, HostA2}}, {RouterB, b, []string{HostB}}} {
		if err := n.lan(r.router, r.nat, fmt.Sprintf("192.168.%d", i+1), r.hosts); err != nil {
			return err
		}
	}
	return nil
}

// plug connects a machine with the public network.
func (n *Internet) plug(machine, link, addr string) error {
	return n.ips(
		wish{machine, fmt.Sprintf("link add %s type veth peer name %s netns %s", link, machine, n.prefix+backbone)},
		wish{backbone, fmt.Sprintf("link set %s master br0 up", machine)},
		wish{machine, fmt.Sprintf("addr add %s/24 dev %s", addr, link)},
		wish{machine, fmt.Sprintf("link set %s up", link)})
}

// lan puts hosts behind a router, with the addresses subnet.10 and up.
func (n *Internet) lan(router string, nat NAT, subnet string, hosts []string) error {
	err := n.ips(wish{router, "link add lan0 type bridge"}, wish{router, "link set lan0 up"},
		wish{router, "addr add " + subnet + ".1/24 dev lan0"})
	for i, h := range hosts {
		if err != nil {
			return err
		}
		n.inside[h] = fmt.Sprintf("%s.%d", subnet, 10+i)
		err = n.ips(
			wish{h, fmt.Sprintf("link add eth0 type veth peer name %s netns %s", h, n.prefix+router)},
			wish{router, fmt.Sprintf("link set %s master lan0 up", h)},
			wish{h, "link set eth0 up"},
			wish{h, "addr add " + n.inside[h] + "/24 brd + dev eth0"},
			wish{h, "route add default via " + subnet + ".1"})
	}
	if err != nil {
		return err
	}
	c := n.Command(router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward && nft -f -")
	c.Stdin = strings.NewReader(fmt.Sprintf(routerRules, nat))
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("rules of a router: %w: %s", err, out)
	}
	return nil
}

// routerRules translate addresses and let nothing in that nobody inside asked for.
const routerRules = `table ip translate {
 chain post {
  type nat hook postrouting priority srcnat;
  oifname "wan0" %s
 }
}
table inet wall {
 chain in {
  type filter hook input priority 0; policy accept;
  iifname "wan0" ct state established,related accept
  iifname "wan0" drop
 }
 chain through {
  type filter hook forward priority 0; policy drop;
  ct state established,related accept
  ct state invalid drop
  iifname "lan0" accept
 }
}
`

// maxCrowd is how many addresses Crowd gives: 5.5.5.64 and up.
const maxCrowd = 190

// Crowd gives the stranger further addresses and returns them.
func (n *Internet) Crowd(count int) (addrs []string) {
	n.t.Helper()
	var batch strings.Builder
	for i := range min(count, maxCrowd) {
		addrs = append(addrs, fmt.Sprintf("5.5.5.%d", 64+i))
		fmt.Fprintf(&batch, "addr add %s/24 dev eth0\n", addrs[i])
	}
	n.Exec(Stranger, batch.String(), "ip", "-batch", "-")
	return addrs
}

// Addr is a LAN machine's present address.
func (n *Internet) Addr(machine string) string { return n.inside[machine] }

// Unplug pulls a LAN machine's cable.
func (n *Internet) Unplug(machine string) { n.t.Helper(); n.IP(machine, "link set eth0 down") }

// Plug puts it back.
func (n *Internet) Plug(machine string) {
	n.t.Helper()
	n.IP(machine, "link set eth0 up")
	n.IP(machine, "route add default via "+gateway(n.inside[machine]))
}

// Move gives a LAN machine another address in its network.
func (n *Internet) Move(machine, addr string) {
	n.t.Helper()
	n.IP(machine, "addr del "+n.inside[machine]+"/24 dev eth0")
	n.inside[machine] = addr
	n.IP(machine, "addr add "+addr+"/24 brd + dev eth0")
	n.IP(machine, "route replace default via "+gateway(addr))
}

func gateway(addr string) string { return addr[:strings.LastIndex(addr, ".")] + ".1" }

// Lose lets so many of a hundred packets get lost on their way to a machine; 0 ends
// that.
func (n *Internet) Lose(machine string, percent int) {
	n.t.Helper()
	rule := ""
	if percent > 0 {
		rule = fmt.Sprintf("numgen random mod 100 < %d drop", percent)
	}
	n.Exec(machine, fmt.Sprintf(lossRules, rule), "nft", "-f", "-")
}

const lossRules = `table inet loss {
}
delete table inet loss
table inet loss {
 chain in {
  type filter hook input priority -10; policy accept;
  %s
 }
}
`
