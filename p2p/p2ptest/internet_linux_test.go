package p2ptest_test

import (
	"context"
	"fmt"
	"net/netip"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/p2p/mailbox"
	"github.com/kuvert-im/kuvert/p2p/node"
	"github.com/kuvert-im/kuvert/p2p/p2ptest"
	"github.com/kuvert-im/kuvert/p2p/server"
	"github.com/kuvert-im/kuvert/storage/mailstore"
)

// labStationSeed and labStationPort are of the always-on node, labToken lets in.
const (
	labStationSeed = 77
	labStationPort = 4040
)

var labToken = [32]byte{7, 7}

func labStation(ip string) node.Station {
	return node.Station{
		Host: labHost(labStationSeed), Token: labToken, Relay: true,
		Addrs: []string{fmt.Sprintf("/ip4/%s/udp/%d/quic-v1", ip, labStationPort), fmt.Sprintf("/ip4/%s/tcp/%d", ip, labStationPort)},
	}
}

// labServer runs an always-on node until it is told to stop.
func labServer(c labConfig) error {
	store, err := mailstore.Open(filepath.Join(c.Data, "mail.db"), mailstore.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := store.Allow(ctx, map[[32]byte]int64{labToken: 0}); err != nil {
		return err
	}
	s, err := server.Open(server.Config{
		HostKey: labKey(labStationSeed), Listen: netip.AddrPortFrom(netip.IPv4Unspecified(), labStationPort),
		Mail: mailbox.NewServer(store, mailbox.DefaultLimits()),
	})
	if err != nil {
		return err
	}
	new(labHandler).say("up")
	return s.Run(ctx)
}

// internet is two people behind NATs and an always-on node.
type internet struct {
	*p2ptest.Internet
	t    *testing.T
	data string
	hub  *labProcess
	a, b *labProcess
}

func newInternet(t *testing.T, a, b p2ptest.NAT) *internet {
	t.Helper()
	n := &internet{Internet: p2ptest.NewInternet(t, a, b), t: t, data: t.TempDir()}
	n.startHub()
	n.a = n.person(p2ptest.HostA, 1, 2)
	n.a.await("station reserved", 1)
	return n
}

func (n *internet) startHub() {
	n.hub = startLab(n.t, n.Spaces, p2ptest.Public, labConfig{Data: n.data})
	n.hub.await("up", 1)
}

func (n *internet) person(machine string, seed, friend byte) *labProcess {
	return startLab(n.t, n.Spaces, machine, labConfig{
		Seed: seed, NoMDNS: true, NoBroadcast: true, Station: p2ptest.PublicAddr, Follow: map[byte][]string{friend: nil},
	})
}

// goesOn waits until both have delivered so many frames more, within a limit.
func (n *internet) goesOn(what string, frames int, limit time.Duration) {
	n.t.Helper()
	begin, a, b := time.Now(), n.a.count("delivered"), n.b.count("delivered")
	n.a.await("delivered", a+frames)
	n.b.await("delivered", b+frames)
	took := time.Since(begin)
	n.t.Logf("%s: both deliver after %v", what, took.Round(10*time.Millisecond))
	if took > limit {
		n.t.Errorf("%s: it took %v, more than %v", what, took, limit)
	}
}

// inOrder: nobody missed a frame.
func (n *internet) inOrder() {
	n.t.Helper()
	if n.a.count("disorder")+n.b.count("disorder") > 0 {
		n.t.Errorf("frames are missing: %q %q", n.a.lines, n.b.lines)
	}
}

// Two people behind NATs that can be punched through: first over the relay, soon
// directly, then without the node; nothing gets lost on the way.
func TestLabTwoConeNATs(t *testing.T) {
	n := newInternet(t, p2ptest.Cone, p2ptest.Cone)
	begin := time.Now()
	n.b = n.person(p2ptest.HostB, 2, 1)
	n.b.await("delivered relayed", 1)
	t.Logf("first frame, over the relay, after %v", time.Since(begin).Round(10*time.Millisecond))
	n.a.await("delivered directly", 1)
	n.b.await("delivered directly", 1)
	took := time.Since(begin)
	t.Logf("directly after %v", took.Round(10*time.Millisecond))
	if took > 10*time.Second { // on an idle machine less than 3 s
		t.Errorf("directly only after %v", took)
	}
	n.goesOn("directly", 5, 5*time.Second)

	n.Lose(p2ptest.HostB, 20)
	n.goesOn("a fifth of the packets lost", 60, 15*time.Second)
	n.Lose(p2ptest.HostB, 0)

	n.hub.kill()
	time.Sleep(4 * time.Second)
	lost := n.a.count("lost") + n.b.count("lost")
	relayed := n.a.count("delivered relayed") + n.b.count("delivered relayed")
	n.goesOn("without the node", 5, 5*time.Second)
	if lost > 0 || relayed != n.a.count("delivered relayed")+n.b.count("delivered relayed") {
		t.Errorf("the direct connection did not last: lost %d times", lost)
	}
	n.inOrder()
}

// An address changes, a cable is pulled: they meet again by themselves.
func TestLabAddressChangeBehindNAT(t *testing.T) {
	n := newInternet(t, p2ptest.Cone, p2ptest.Cone)
	n.b = n.person(p2ptest.HostB, 2, 1)
	n.a.await("delivered directly", 1)
	n.b.await("delivered directly", 1)
	n.Move(p2ptest.HostA, "192.168.1.99")
	n.goesOn("address changed", 5, 15*time.Second) // on an idle machine 5 s
	lost := n.a.count("lost")                      // counted before, for the cable is missed at once
	n.Unplug(p2ptest.HostA)
	n.a.await("lost", lost+1)
	time.Sleep(3 * time.Second)
	n.Plug(p2ptest.HostA)
	n.goesOn("cable back", 5, 15*time.Second)
	n.inOrder()
}

// Two symmetric NATs: they stay on the relay, and come back to it after the node was
// restarted.
func TestLabTwoSymmetricNATs(t *testing.T) {
	n := newInternet(t, p2ptest.Symmetric, p2ptest.Symmetric)
	n.b = n.person(p2ptest.HostB, 2, 1)
	n.b.await("delivered relayed", 1)
	time.Sleep(6 * time.Second)
	n.goesOn("over the relay", 5, 5*time.Second)

	a, b := n.a.count("station reserved"), n.b.count("station reserved")
	n.hub.stop()
	n.a.await("lost", 1)
	n.b.await("lost", 1)
	n.startHub()
	begin := time.Now()
	n.a.await("station reserved", a+1)
	n.b.await("station reserved", b+1)
	t.Logf("reserved again after %v", time.Since(begin).Round(10*time.Millisecond))
	n.goesOn("node restarted", 5, 20*time.Second)
	if d := n.a.count("delivered directly") + n.b.count("delivered directly"); d > 0 {
		t.Errorf("%d frames went directly through symmetric NATs", d)
	}
	n.inOrder()
}
