package node

import (
	"crypto/rand"
	"errors"
	"net/netip"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

const relay = "/p2p/12D3KooWAGY5qt9euAQiYJGGAV3z4KUL7btGeSVemwkVScdUQT9o/p2p-circuit"

var gated = []struct {
	addr          string
	lan, anywhere bool
}{
	{"/ip4/192.168.1.7/tcp/4001", true, true},
	{"/ip4/192.168.1.7/udp/4001/quic-v1", true, true},
	{"/ip4/10.1.2.3/tcp/1", true, true},
	{"/ip4/172.16.0.1/tcp/1", true, true},
	{"/ip4/172.31.255.255/tcp/1", true, true},
	{"/ip4/169.254.3.4/tcp/1", true, true},
	{"/ip4/127.0.0.1/tcp/1", true, true},
	{"/ip6/::1/tcp/1", true, true},
	{"/ip6/fd00::1/tcp/1", true, true},
	{"/ip6/fe80::1/udp/1/quic-v1", true, true},
	{"/ip6/::ffff:192.168.1.7/tcp/1", true, true},
	{"/ip4/172.32.0.1/tcp/1", false, true},
	{"/ip4/8.8.8.8/udp/4001/quic-v1", false, true},
	{"/ip4/100.64.0.1/tcp/1", false, true},
	{"/ip4/100.127.255.254/tcp/1", false, true},
	{"/ip4/192.169.0.1/tcp/1", false, true},
	{"/ip6/2001:db8::1/tcp/1", false, true},
	{"/ip6/::ffff:8.8.8.8/tcp/1", false, true},
	{"/ip6/64:ff9b::c0a8:107/tcp/1", false, true}, // NAT64: leads out
	{"/ip4/192.168.1.7/tcp/4001" + relay, false, false},
	{"/ip4/8.8.8.8/tcp/4001" + relay, false, false},
	{relay, false, false},
	{"/dns4/example.org/tcp/1", false, false},
	{"/dns6/example.org/tcp/1", false, false},
	{"/dns/localhost/tcp/1", false, false},
	{"/dnsaddr/example.org", false, false},
}

// connAddrs is a connection at the moment it is gated.
type connAddrs struct{ remote ma.Multiaddr }

func (c connAddrs) LocalMultiaddr() ma.Multiaddr  { return ma.StringCast("/ip4/0.0.0.0/tcp/1") }
func (c connAddrs) RemoteMultiaddr() ma.Multiaddr { return c.remote }

func TestGaterDialsAndAcceptsOnlyWhatItMay(t *testing.T) {
	id, err := peerID(HostKey{1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range gated {
		for lanOnly, want := range map[bool]bool{true: c.lan, false: c.anywhere} {
			g := &gater{}
			g.lanOnly.Store(lanOnly)
			conn := connAddrs{ma.StringCast(c.addr)}
			if got := g.InterceptAddrDial(id, conn.remote); got != want {
				t.Errorf("LAN only %v: dial %s: %v", lanOnly, c.addr, got)
			}
			if got := g.InterceptAccept(conn); got != want {
				t.Errorf("LAN only %v: accept from %s: %v", lanOnly, c.addr, got)
			}
			if got := g.InterceptSecured(network.DirInbound, id, conn); got != want {
				t.Errorf("LAN only %v: keep %s: %v", lanOnly, c.addr, got)
			}
		}
	}
}

func TestGaterTakesEd25519Alone(t *testing.T) {
	g := &gater{}
	conn := connAddrs{ma.StringCast("/ip4/127.0.0.1/tcp/1")}
	for kind, want := range map[int]bool{crypto.RSA: false, crypto.ECDSA: false, crypto.Secp256k1: false, crypto.Ed25519: true} {
		_, pub, err := crypto.GenerateKeyPairWithReader(kind, 2048, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		id, err := peer.IDFromPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		if g.InterceptSecured(network.DirInbound, id, conn) != want || g.InterceptPeerDial(id) != want {
			t.Errorf("key type %d: want %v", kind, want)
		}
	}
}

// The node asks nobody for a name, in either mode: the resolver errs, and an
// address with a name is dropped before it is dialled.
func TestNamesAreNeverResolved(t *testing.T) {
	if _, err := (noResolver{}).ResolveDNSAddr(t.Context(), "", nil, 1, 1); !errors.Is(err, errNoNames) {
		t.Error(err)
	}
	if _, err := (noResolver{}).ResolveDNSComponent(t.Context(), nil, 1); !errors.Is(err, errNoNames) {
		t.Error(err)
	}
	if got := parseAddrs([]string{"/dns4/example.org/tcp/1", "nonsense", "/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1" + relay}); len(got) != 1 {
		t.Errorf("to be dialled: %v", got)
	}
}

func TestLANOnlyNodeNeitherDialsNorTellsPublicAddresses(t *testing.T) {
	n, err := New(Config{HostKey: newPerson(t, "alice").cfg.HostKey, LANOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	own := []netip.Addr{
		netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("5.5.5.5"), netip.MustParseAddr("fd00::1"),
		netip.MustParseAddr("192.168.1.7"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("fe80::1"),
	}
	want := []netip.Addr{netip.MustParseAddr("192.168.1.7"), netip.MustParseAddr("fd00::1")}
	if got := n.useful(own); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("LAN only tells %v", got)
	}
	n.Restrict(false)
	if got := n.useful(own); len(got) != 4 || got[0] != want[0] {
		t.Errorf("otherwise it tells %v", got)
	}
	if got := n.useful(own[4:]); len(got) != 1 || !got[0].IsLoopback() {
		t.Errorf("with no network it tells %v", got)
	}
}

// Switching LAN-only mode on closes what it does not allow and refuses it anew;
// loopback stays.
func TestRestrictWhileRunning(t *testing.T) {
	alice, bob := meet(t)
	alice.n.Restrict(true)
	if !alice.n.Connected("bob") {
		t.Error("a local connection was closed")
	}
	alice.n.Follow("carol", map[HostKey][]string{bob.n.HostKey(): {"/ip4/8.8.8.8/tcp/1"}}, nil)
	id, _ := peerID(HostKey{2})
	if _, err := alice.n.reach(t.Context(), id, parseAddrs([]string{"/ip4/8.8.8.8/tcp/1"}), nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("a public address was tried: %v", err)
	}
}
