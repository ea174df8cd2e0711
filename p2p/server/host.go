package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/crypto/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

// userAgent and protocolVersion are what identify tells everybody: no version, no
// platform, the same as a desktop.
const (
	userAgent       = "kuvert"
	protocolVersion = "kuvert/1"
)

// quietQUIC keeps quic-go from printing advice about the size of socket buffers.
const quietQUIC = "QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING"

// newHost makes a host that does not listen yet.
func (s *Server) newHost() (host.Host, error) {
	if err := os.Setenv(quietQUIC, "true"); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(s.cfg.HostKey)
	if err != nil {
		return nil, fmt.Errorf("server: host key: %w", err)
	}
	rm, err := resourceManager(s.guard.limits)
	if err != nil {
		return nil, fmt.Errorf("server: resource manager: %w", err)
	}
	h, err := libp2p.New(
		libp2p.Identity(key), libp2p.NoListenAddrs, libp2p.ResourceManager(rm),
		libp2p.ConnectionManager(connmgr.NullConnMgr{}), libp2p.ConnectionGater(gater{}),
		libp2p.MultiaddrResolver(noResolver{}),
		libp2p.Security(tls.ID, tls.New), libp2p.Security(noise.ID, noise.New),
		libp2p.Transport(quic.NewTransport), libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.DisableMetrics(), libp2p.DisableRelay(), libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.UserAgent(userAgent), libp2p.ProtocolVersion(protocolVersion),
		libp2p.ForceReachabilityPublic(), libp2p.EnableAutoNATv2(),
		// AutoNAT dials nothing as long as a detector has not seen enough successes.
		libp2p.UDPBlackHoleSuccessCounter(nil), libp2p.IPv6BlackHoleSuccessCounter(nil),
		libp2p.AddrsFactory(func([]ma.Multiaddr) []ma.Multiaddr { return s.Multiaddrs() }),
	)
	if err != nil {
		return nil, fmt.Errorf("server: host: %w", err)
	}
	return h, nil
}

// listen listens with both transports.
func listen(h host.Host, at netip.Addr, port uint16) error {
	four, six := families(at)
	if four.IsValid() {
		if err := h.Network().Listen(multiaddrs(netip.AddrPortFrom(four, port))...); err != nil {
			return listenError(err)
		}
	}
	if six.IsValid() {
		// A machine without IPv6 is reached by IPv4, unless IPv6 was asked for.
		if err := h.Network().Listen(multiaddrs(netip.AddrPortFrom(six, port))...); err != nil && !four.IsValid() {
			return listenError(err)
		}
	}
	return nil
}

// families returns the addresses to listen on: [::] stands for both families.
func families(a netip.Addr) (four, six netip.Addr) {
	switch {
	case a.Is4():
		return a, netip.Addr{}
	case a.IsUnspecified():
		return netip.IPv4Unspecified(), a
	default:
		return netip.Addr{}, a
	}
}

// probe finds out whether nobody else holds the port, and takes a free one for 0.
// Some systems let two sockets share a port without an error.
func probe(at netip.AddrPort) (uint16, error) {
	ip := at.Addr()
	if four, _ := families(ip); four.IsValid() {
		ip = four
	}
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, at.Port())))
	if err != nil {
		return 0, listenError(err)
	}
	defer l.Close() //nolint:errcheck // nothing was accepted
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, port)))
	if err != nil {
		return 0, listenError(err)
	}
	return port, u.Close()
}

func listenError(err error) error {
	if errors.Is(err, syscall.EADDRINUSE) || isInUse(err) {
		return fmt.Errorf("%w: %w", ErrPortTaken, err)
	}
	return fmt.Errorf("%w: %w", ErrListen, err)
}

// multiaddrs returns the two transports' addresses.
func multiaddrs(a netip.AddrPort) []ma.Multiaddr {
	family := "ip6"
	if a.Addr().Is4() {
		family = "ip4"
	}
	return []ma.Multiaddr{
		ma.StringCast(fmt.Sprintf("/%s/%s/udp/%d/quic-v1", family, a.Addr(), a.Port())),
		ma.StringCast(fmt.Sprintf("/%s/%s/tcp/%d", family, a.Addr(), a.Port())),
	}
}

// ownAddrs are the addresses to tell: announced ones, then those at which the node
// listens, public ones first, loopback only if there is nothing else.
func ownAddrs(announced []netip.AddrPort, listen netip.Addr, port uint16) []netip.AddrPort {
	out := slices.Clone(announced)
	ips := []netip.Addr{listen}
	if listen.IsUnspecified() {
		ips = slices.DeleteFunc(interfaceAddrs(), func(a netip.Addr) bool { return listen.Is4() && !a.Is4() })
	}
	slices.SortStableFunc(ips, func(a, b netip.Addr) int { return rank(a) - rank(b) })
	for _, ip := range ips {
		if a := netip.AddrPortFrom(ip, port); !slices.Contains(out, a) && (!ip.IsLoopback() || len(out) == 0) {
			out = append(out, a)
		}
	}
	return out
}

// rank sorts addresses by how many can reach them.
func rank(a netip.Addr) int {
	switch {
	case a.IsLoopback():
		return 4
	case a.IsPrivate() && a.Is4():
		return 2
	case a.IsPrivate():
		return 3
	case a.Is4():
		return 0
	}
	return 1
}

// interfaceAddrs are the addresses of the interfaces that are up, without those
// that mean nothing on another machine.
func interfaceAddrs() (out []netip.Addr) {
	all, _ := net.InterfaceAddrs()
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			ip, _ := netip.AddrFromSlice(n.IP)
			if ip = ip.Unmap(); ip.IsValid() && !ip.IsLinkLocalUnicast() && !ip.IsMulticast() {
				out = append(out, ip)
			}
		}
	}
	return out
}

// gater takes Ed25519 keys alone: a key of 8,192 RSA bits costs the node dearly.
type gater struct{}

func (gater) InterceptPeerDial(peer.ID) bool { return true }

func (gater) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return true }

func (gater) InterceptAccept(network.ConnMultiaddrs) bool { return true }

func (gater) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	pub, err := p.ExtractPublicKey()
	return err == nil && pub.Type() == pb.KeyType_Ed25519
}

func (gater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// errNoNames is the answer of the resolver.
var errNoNames = errors.New("server: names are not resolved")

// noResolver never resolves a name.
type noResolver struct{}

func (noResolver) ResolveDNSAddr(context.Context, peer.ID, ma.Multiaddr, int, int) ([]ma.Multiaddr, error) {
	return nil, errNoNames
}

func (noResolver) ResolveDNSComponent(context.Context, ma.Multiaddr, int) ([]ma.Multiaddr, error) {
	return nil, errNoNames
}
