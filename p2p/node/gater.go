package node

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// gater decides which connections may be: with Ed25519 keys, direct or through a
// relay that is known, and in LAN-only mode none through a relay and none outside
// private, loopback and link-local addresses. It is also told of each.
type gater struct {
	lanOnly atomic.Bool

	// Set by New; nil in tests of the gater alone. They must not call the host.
	wants   func(peer.ID) bool          // whether a machine may be dialled
	relay   func(peer.ID) bool          // whether a machine is a known relay
	dialled func(peer.ID, ma.Multiaddr) // a dial is about to begin
	came    func(peer.ID, ma.Multiaddr) // somebody has dialled us
}

// allows tells whether a connection with an address may be.
func (g *gater) allows(m ma.Multiaddr) bool {
	if id, ok := relayOf(m); ok {
		return !g.lanOnly.Load() && g.relay != nil && g.relay(id)
	}
	return direct(m) && (!g.lanOnly.Load() || local(wire.AddrOf(m)))
}

// allowsDial tells whether an address may be dialled. Through a relay only as
// circuitVia writes it: other forms say where the relay is, and whoever made them up
// would have us dial there.
func (g *gater) allowsDial(m ma.Multiaddr) bool {
	if _, ok := relayOf(m); ok && len(m) != 2 {
		return false
	}
	return g.allows(m)
}

// relayOf returns through which relay an address leads.
func relayOf(m ma.Multiaddr) (peer.ID, bool) {
	for i, c := range m {
		if c.Protocol().Code != ma.P_CIRCUIT || i == 0 || m[i-1].Protocol().Code != ma.P_P2P {
			continue
		}
		id, err := peer.IDFromBytes(m[i-1].RawValue())
		return id, err == nil
	}
	return "", false
}

// circuitVia returns the address of every machine behind a relay.
func circuitVia(relay peer.ID) ma.Multiaddr {
	return ma.StringCast("/p2p/" + relay.String() + "/p2p-circuit")
}

// direct tells whether a multiaddr starts with an IP address and leads through
// no relay. Names are never resolved: a DNS query would tell who is looked for.
func direct(m ma.Multiaddr) bool {
	if len(m) == 0 {
		return false
	}
	if c := m[0].Protocol().Code; c != ma.P_IP4 && c != ma.P_IP6 {
		return false
	}
	_, err := m.ValueForProtocol(ma.P_CIRCUIT)
	return err != nil
}

// local tells whether an address is of this network: RFC 1918, RFC 4193,
// loopback, link-local. Shared space of providers (100.64.0.0/10) is outside.
func local(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
}

func ed25519Peer(p peer.ID) bool {
	_, ok := keyOf(p)
	return ok
}

// keyOf returns the Ed25519 key that a peer ID holds; other kinds have none.
func keyOf(p peer.ID) (HostKey, bool) {
	pub, err := p.ExtractPublicKey()
	if err != nil || pub.Type() != pb.KeyType_Ed25519 {
		return HostKey{}, false
	}
	raw, err := pub.Raw()
	if err != nil || len(raw) != len(HostKey{}) {
		return HostKey{}, false
	}
	return HostKey(raw), true
}

func (g *gater) InterceptPeerDial(p peer.ID) bool {
	return ed25519Peer(p) && (g.wants == nil || g.wants(p))
}

func (g *gater) InterceptAddrDial(p peer.ID, m ma.Multiaddr) bool {
	if !g.allowsDial(m) {
		return false
	}
	if g.dialled != nil {
		g.dialled(p, m)
	}
	return true
}

func (g *gater) InterceptAccept(c network.ConnMultiaddrs) bool { return g.allows(c.RemoteMultiaddr()) }

func (g *gater) InterceptSecured(dir network.Direction, p peer.ID, c network.ConnMultiaddrs) bool {
	if !ed25519Peer(p) || !g.allows(c.RemoteMultiaddr()) {
		return false
	}
	if dir == network.DirInbound && g.came != nil {
		g.came(p, c.RemoteMultiaddr())
	}
	return true
}

func (g *gater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// errNoNames is the answer of the resolver.
var errNoNames = errors.New("node: names are not resolved")

// noResolver never resolves a name.
type noResolver struct{}

func (noResolver) ResolveDNSAddr(context.Context, peer.ID, ma.Multiaddr, int, int) ([]ma.Multiaddr, error) {
	return nil, errNoNames
}

func (noResolver) ResolveDNSComponent(context.Context, ma.Multiaddr, int) ([]ma.Multiaddr, error) {
	return nil, errNoNames
}
