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

// gater decides which connections may be: direct ones with Ed25519 keys, and in
// LAN-only mode none outside private, loopback and link-local addresses.
type gater struct{ lanOnly atomic.Bool }

// allows tells whether an address may be dialled or accepted.
func (g *gater) allows(m ma.Multiaddr) bool {
	if !direct(m) {
		return false
	}
	return !g.lanOnly.Load() || local(wire.AddrOf(m))
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

func (g *gater) InterceptPeerDial(p peer.ID) bool { return ed25519Peer(p) }

func (g *gater) InterceptAddrDial(_ peer.ID, m ma.Multiaddr) bool { return g.allows(m) }

func (g *gater) InterceptAccept(c network.ConnMultiaddrs) bool { return g.allows(c.RemoteMultiaddr()) }

func (g *gater) InterceptSecured(_ network.Direction, p peer.ID, c network.ConnMultiaddrs) bool {
	return ed25519Peer(p) && g.allows(c.RemoteMultiaddr())
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
