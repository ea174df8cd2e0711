package p2ptest_test

import (
	"fmt"
	"testing"

	"github.com/kuvert-im/kuvert/p2p/p2ptest"
)

// pathRules let what comes into a machine pass or not.
const pathRules = `table inet path {
 counter stopped { }
 chain in {
  type filter hook input priority 0; policy accept;
  iif lo accept
  %s counter name stopped drop
 }
}
`

// A firewall that stops all UDP, and then a path that swallows long packets without
// a word: two machines that know each other's addresses meet and talk, and go on
// after the path changed under them.
func TestLabHostilePaths(t *testing.T) {
	l := p2ptest.NewLab(t, 2)
	for _, c := range []struct {
		name, rule string
		seen       bool // something must have been stopped: TCP comes first here, so that UDP need not be tried
	}{
		{"UDP is stopped", "meta l4proto udp", false},
		{"TCP is stopped", "meta l4proto tcp", true},
		{"long packets vanish", "meta length > 1400", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := 1; i <= 2; i++ {
				l.Exec(l.Name(i), "", "nft", "flush", "ruleset")
				l.Exec(l.Name(i), fmt.Sprintf(pathRules, c.rule), "nft", "-f", "-")
			}
			one := labConfig{Seed: 1, NoMDNS: true, NoBroadcast: true, Long: true}
			one.Follow = map[byte][]string{2: {"/ip4/192.168.7.2/udp/4242/quic-v1", "/ip4/192.168.7.2/tcp/4242"}}
			a := startLab(t, l.Spaces, l.Name(1), one)
			b := startLab(t, l.Spaces, l.Name(2), labConfig{Seed: 2, NoMDNS: true, NoBroadcast: true, Long: true})
			a.await("recognised", 1)
			b.await("recognised", 1)
			a.await("delivered", 5)
			b.await("delivered", 5)
			stopped := l.Counters(l.Name(1))["stopped"] + l.Counters(l.Name(2))["stopped"]
			if c.seen && stopped == 0 {
				t.Error("nothing was stopped: the rule shows nothing")
			}
			l.IP(l.Name(1), "link set eth0 down")
			a.await("lost", 1)
			l.IP(l.Name(1), "link set eth0 up")
			a.await("delivered", a.count("delivered")+5)
			for _, p := range []*labProcess{a, b} {
				if p.count("disorder") > 0 {
					t.Error("a frame was lost or came out of order")
				}
				p.stop()
			}
		})
	}
}
