package p2ptest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	quict "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
	"go.uber.org/fx"

	"github.com/kuvert-im/kuvert/p2p/node"
)

// A Machine is a place in the network where a node can run, one after the other.
type Machine struct {
	Name string
	net  *Network

	// Guarded by Network.mu.
	addr      netip.Addr
	left      []netip.Addr // addresses it had before
	unplugged bool
	sock      *socket
	found     func(peer.AddrInfo) // while a node with discovery runs
	id        peer.ID
}

// Addr is the machine's present address.
func (m *Machine) Addr() netip.Addr {
	m.net.mu.Lock()
	defer m.net.mu.Unlock()
	return m.addr
}

// Unplug takes the machine off the network: its interface goes down.
func (m *Machine) Unplug() { m.net.set(func() { m.unplugged = true }) }

// Plug puts it back.
func (m *Machine) Plug() { m.net.set(func() { m.unplugged = false }) }

// Move gives the machine a new address. Packets to the old one are lost.
func (m *Machine) Move() {
	m.net.mu.Lock()
	defer m.net.mu.Unlock()
	m.left = append(m.left, m.addr)
	m.addr = m.net.freshLocked()
	if m.sock != nil {
		m.sock.rebind(m.endpointLocked(m.addr))
	}
}

func (m *Machine) endpointLocked(a netip.Addr) *simnet.SimConn {
	l := simnet.LinkSettings{BitsPerSecond: bandwidth}
	return m.net.sim.NewEndpoint(net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, port)), simnet.NodeBiDiLinkSettings{Downlink: l, Uplink: l})
}

// Config returns what a node with this key needs to run on this machine, for one
// run. With discovery, it finds and is found by those of other machines.
func (m *Machine) Config(key ed25519.PrivateKey, discovery bool) node.Config {
	ip := net.IP(m.Addr().AsSlice())
	u := &node.Underlay{
		Listen:     multiaddrs(m.Addr()),
		Options:    []libp2p.Option{libp2p.Transport(quict.NewTransport), m.quic(ip)},
		Interfaces: m.interfaces,
	}
	if discovery {
		u.Discovery = &announcer{m: m, key: key, restart: make(chan struct{}, 1)}
	}
	return node.Config{HostKey: key, Port: port, Underlay: u}
}

// Host starts a bare libp2p host on this machine, for a test that plays an
// attacker. It speaks no protocol of ours.
func (m *Machine) Host(t testing.TB) host.Host {
	t.Helper()
	ip := net.IP(m.Addr().AsSlice())
	h, err := libp2p.New(libp2p.ListenAddrs(multiaddrs(m.Addr())...), libp2p.Transport(quict.NewTransport), m.quic(ip),
		libp2p.DisableMetrics(), libp2p.DisableRelay(), libp2p.DisableIdentifyAddressDiscovery())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func multiaddrs(a netip.Addr) []ma.Multiaddr {
	return []ma.Multiaddr{ma.StringCast(fmt.Sprintf("/ip4/%s/udp/%d/quic-v1", a, port))}
}

func (m *Machine) interfaces() ([]netip.Addr, error) {
	m.net.mu.Lock()
	defer m.net.mu.Unlock()
	if m.unplugged {
		return nil, nil
	}
	return []netip.Addr{m.addr}, nil
}

// quic makes the host's QUIC run over the simulated packets.
func (m *Machine) quic(ip net.IP) libp2p.Option {
	return libp2p.QUICReuse(
		func(l fx.Lifecycle, reset quic.StatelessResetKey, token quic.TokenGeneratorKey, opts ...quicreuse.Option) (*quicreuse.ConnManager, error) {
			cm, err := quicreuse.NewConnManager(reset, token, opts...)
			if err != nil {
				return nil, err
			}
			l.Append(fx.StopHook(cm.Close))
			return cm, nil
		},
		quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return fixedIP(ip), nil }),
		quicreuse.OverrideListenUDP(func(_ string, a *net.UDPAddr) (net.PacketConn, error) { return m.listen(a) }))
}

var errAddress = errors.New("p2ptest: not this machine's address")

func (m *Machine) listen(a *net.UDPAddr) (net.PacketConn, error) {
	m.net.mu.Lock()
	defer m.net.mu.Unlock()
	if a.AddrPort().Addr().Unmap() != m.addr || a.Port != port {
		return nil, errAddress
	}
	m.sock = newSocket(m, a, m.endpointLocked(m.addr))
	return m.sock, nil
}

type fixedIP net.IP

func (f fixedIP) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) { return net.IP(f), nil }

// A socket is bound to whatever address its machine has, like one on 0.0.0.0.
type socket struct {
	m     *Machine
	local *net.UDPAddr

	mu       sync.Mutex
	conn     *simnet.SimConn
	closed   bool
	deadline time.Time
}

func newSocket(m *Machine, local *net.UDPAddr, c *simnet.SimConn) *socket {
	return &socket{m: m, local: local, conn: c}
}

// rebind lets the socket go on at another address.
func (s *socket) rebind(c *simnet.SimConn) {
	s.mu.Lock()
	old := s.conn
	s.conn = c
	_ = c.SetReadDeadline(s.deadline)
	if s.closed {
		_ = c.Close()
	}
	s.mu.Unlock()
	_ = old.Close()
}

func (s *socket) current() *simnet.SimConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// ReadFrom reads from whatever address the machine has now.
func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		c := s.current()
		n, from, err := c.ReadFrom(b)
		if err != nil && errors.Is(err, net.ErrClosed) && c != s.current() {
			continue
		}
		return n, from, err
	}
}

// WriteTo sends a packet into whatever fate the network has for it.
func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	c := s.current()
	dst := to.(*net.UDPAddr).AddrPort()
	dst = netip.AddrPortFrom(dst.Addr().Unmap(), dst.Port())
	to = net.UDPAddrFromAddrPort(dst) // one form: the simulation compares bytes
	lost, twice := s.m.net.fate(s.m, dst.Addr())
	if lost {
		return len(b), nil
	}
	if twice {
		if _, err := c.WriteTo(b, to); err != nil {
			return 0, err
		}
	}
	if _, err := c.WriteTo(s.m.net.harm(b), to); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close ends the socket.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.conn.Close()
}

// LocalAddr is the address it was opened at.
func (s *socket) LocalAddr() net.Addr { return s.local }

// SetDeadline, SetReadDeadline and SetWriteDeadline are those of the endpoint.
func (s *socket) SetDeadline(t time.Time) error { return s.SetReadDeadline(t) }

// SetReadDeadline holds over a change of address.
func (s *socket) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	return s.conn.SetReadDeadline(t)
}

// SetWriteDeadline does nothing: writing never waits.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// SetReadBuffer and SetWriteBuffer satisfy quic-go.
func (s *socket) SetReadBuffer(int) error { return nil }

// SetWriteBuffer satisfies quic-go.
func (s *socket) SetWriteBuffer(int) error { return nil }

// An announcer finds machines like the broadcast does.
type announcer struct {
	m       *Machine
	key     ed25519.PrivateKey
	restart chan struct{}
}

// announceEvery is the pause between announcements.
const announceEvery = 30 * time.Second

// Run announces the machine until ctx ends.
func (a *announcer) Run(ctx context.Context, found func(peer.AddrInfo)) error {
	pub, err := crypto.UnmarshalEd25519PublicKey(a.key.Public().(ed25519.PublicKey))
	if err != nil {
		return err
	}
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		return err
	}
	a.m.net.set(func() { a.m.found, a.m.id = found, id })
	defer a.m.net.set(func() { a.m.found = nil })
	for {
		a.m.net.introduce(a.m)
		t := time.NewTimer(announceEvery)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		case <-a.restart:
			t.Stop()
		}
	}
}

// Restart announces at once.
func (a *announcer) Restart() {
	select {
	case a.restart <- struct{}{}:
	default:
	}
}

// Multicast works here.
func (a *announcer) Multicast() bool { return true }

// introduce lets a machine and the others it reaches find each other.
func (n *Network) introduce(m *Machine) {
	n.mu.Lock()
	var reports []func()
	report := func(to, about *Machine) {
		if to.found != nil && about.found != nil && n.passesLocked(about, to) {
			found, info := to.found, peer.AddrInfo{ID: about.id, Addrs: multiaddrs(about.addr)}
			reports = append(reports, func() { found(info) })
		}
	}
	for _, o := range n.machines {
		if o != m {
			report(o, m)
			report(m, o)
		}
	}
	n.mu.Unlock()
	for _, f := range reports {
		f()
	}
}
