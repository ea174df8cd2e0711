package node

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// Times and limits of hole punching.
const (
	// punchDial is how long one attempt through a NAT takes: it succeeds at once or
	// not at all.
	punchDial = time.Second
	// punchPatience bounds all attempts of one call.
	punchPatience = 10 * time.Second
	// maxPunched is how many addresses of the other side are tried.
	maxPunched = 4
	// maxOutside bounds the addresses in State.
	maxOutside = 8
)

// The kinds of State.NAT.
const (
	natNone      = "none"
	natCone      = "cone"
	natSymmetric = "symmetric"
)

// outside is what is known of how others outside see this machine. Guarded by
// Node.mu.
type outside struct {
	reachable []netip.AddrPort   // confirmed from outside
	verdict   int8               // 1 reachable, -1 not, 0 unknown
	puncher   *holepunch.Service // nil until an own public address is known
}

// A view is one of our addresses as somebody else sees it.
type view struct {
	by   netip.Addr     // who sees it
	addr netip.AddrPort // what they see
	udp  bool
}

// identified is libp2p's interface to what identify learned.
type identified interface{ IDService() identify.IDService }

// watchOutside follows what others tell of our addresses.
func (n *Node) watchOutside(ctx context.Context) {
	sub, err := n.host.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted))
	if err != nil {
		n.log.Warn("addresses as others see them are not known", "error", err)
		return
	}
	defer sub.Close() //nolint:errcheck // it cannot fail
	for {
		select {
		case <-ctx.Done():
			n.closePuncher()
			return
		case e, ok := <-sub.Out():
			if !ok {
				return
			}
			if e, ok := e.(event.EvtPeerIdentificationCompleted); ok {
				n.sawUs(e.Conn, e.ObservedAddr)
			}
		}
	}
}

// sawUs notes under which address the other side of a connection sees us.
func (n *Node) sawUs(c network.Conn, observed ma.Multiaddr) {
	at, ok := placeIn(observed)
	if !ok || c == nil || relayed(c) {
		return
	}
	n.mu.Lock()
	if l := n.links[c.RemotePeer()]; l != nil && l.conns[c] != nil {
		l.conns[c].seen.Store(&at)
	}
	n.mu.Unlock()
	n.readyToPunch()
}

// placeIn returns IP and port of an address that leads through no relay.
func placeIn(m ma.Multiaddr) (netip.AddrPort, bool) {
	if m == nil || !direct(m) {
		return netip.AddrPort{}, false
	}
	_, text, err := manet.DialArgs(m)
	if err != nil {
		return netip.AddrPort{}, false
	}
	at, err := netip.ParseAddrPort(text)
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), err == nil
}

func places(addrs []ma.Multiaddr) (out []netip.AddrPort) {
	for _, m := range addrs {
		if at, ok := placeIn(m); ok && !slices.Contains(out, at) && len(out) < maxOutside {
			out = append(out, at)
		}
	}
	return out
}

// viewsLocked returns how stations and recognised machines outside see us. What
// strangers say of it is not believed: they would have others dial where they like.
func (n *Node) viewsLocked() (out []view) {
	for _, l := range n.links {
		if len(l.refs) == 0 && n.stations[l.id] == nil {
			continue
		}
		for c, p := range l.conns {
			at := p.seen.Load()
			by := wire.AddrOf(c.RemoteMultiaddr())
			if at == nil || relayed(c) || !public(at.Addr()) {
				continue
			}
			out = append(out, view{by: by, addr: *at, udp: isUDP(c.LocalMultiaddr())})
		}
	}
	slices.SortFunc(out, func(a, b view) int { return a.addr.Compare(b.addr) })
	return out
}

func isUDP(m ma.Multiaddr) bool {
	_, err := m.ValueForProtocol(ma.P_UDP)
	return err == nil
}

// public tells whether an address is of the whole Internet.
func public(a netip.Addr) bool {
	m, err := manet.FromIP(a.AsSlice())
	return err == nil && manet.IsPublicAddr(m)
}

// natOf tells which kind of translation the views show. QUIC leaves from the port on
// which we listen, so two observers of a cone see the same port, and one alone who
// sees our own port is enough to punch.
func natOf(views []view, own []netip.Addr, port int) string {
	kind := ""
	seen := map[netip.Addr]netip.AddrPort{} // by observer
	for _, v := range views {
		if !v.udp || !v.addr.Addr().Is4() {
			continue
		}
		if slices.Contains(own, v.addr.Addr()) {
			return natNone
		}
		for by, other := range seen {
			if by == v.by || other.Addr() != v.addr.Addr() {
				continue
			}
			if other != v.addr {
				return natSymmetric
			}
			kind = natCone
		}
		seen[v.by] = v.addr
		if int(v.addr.Port()) == port {
			kind = natCone
		}
	}
	return kind
}

// outsideLocked fills in what State tells of the outside; mapped are the addresses
// that the router opened.
func (n *Node) outsideLocked(s *State, mapped []netip.AddrPort) {
	if n.gate.lanOnly.Load() {
		return
	}
	views := n.viewsLocked()
	s.Reachable = n.out.verdict
	s.NAT = natOf(views, n.ifaces.addrs, n.port)
	s.Mapped = len(mapped) > 0
	var all []string
	for _, v := range views {
		if v.udp {
			all = append(all, v.addr.String())
		}
	}
	for _, at := range slices.Concat(mapped, n.out.reachable) {
		all = append(all, at.String())
	}
	slices.Sort(all)
	all = slices.Compact(all)
	s.Outside = all[:min(len(all), maxOutside)]
}

// mappedAddrs are the addresses that the router opened.
func (n *Node) mappedAddrs() (out []ma.Multiaddr) {
	n.mu.Lock()
	h := n.host
	n.mu.Unlock()
	if h == nil {
		return nil
	}
	for _, a := range h.Network().ListenAddresses() {
		if m := n.router.GetMapping(a); m != nil {
			out = append(out, m)
		}
	}
	return out
}

// openAddrs are those at which machines outside can open a connection with us, for
// contacts' address books.
func (n *Node) openAddrs() []ma.Multiaddr {
	if n.gate.lanOnly.Load() {
		return nil
	}
	n.mu.Lock()
	open := slices.Clone(n.out.reachable)
	n.mu.Unlock()
	for _, at := range places(n.mappedAddrs()) {
		if public(at.Addr()) && !slices.Contains(open, at) {
			open = append(open, at)
		}
	}
	var out []ma.Multiaddr
	for _, at := range open {
		family := "ip6"
		if at.Addr().Is4() {
			family = "ip4"
		}
		out = append(out, multiaddrs(family, at.Addr().String(), int(at.Port()))...)
	}
	return out
}

// tellable drops from what identify tells everybody the addresses that strangers
// made up, and in LAN-only mode those outside.
func (n *Node) tellable(addrs []ma.Multiaddr) []ma.Multiaddr {
	mapped := places(n.mappedAddrs())
	n.mu.Lock()
	defer n.mu.Unlock()
	views := n.viewsLocked()
	return ma.FilterAddrs(addrs, n.gate.allows, func(m ma.Multiaddr) bool {
		at, ok := placeIn(m)
		return ok && (n.ifaces.addrs == nil || slices.Contains(n.ifaces.addrs, at.Addr()) || slices.Contains(mapped, at) ||
			slices.ContainsFunc(views, func(v view) bool { return v.addr == at }))
	})
}

// punchAddrs are our public QUIC addresses: TCP is seldom punched through.
func (n *Node) punchAddrs() []ma.Multiaddr {
	if n.gate.lanOnly.Load() {
		return nil
	}
	var at []netip.AddrPort
	n.mu.Lock()
	for _, v := range n.viewsLocked() {
		if v.udp && !slices.Contains(at, v.addr) {
			at = append(at, v.addr)
		}
	}
	for _, a := range n.ifaces.addrs {
		if public(a) {
			at = append(at, netip.AddrPortFrom(a, uint16(n.port)))
		}
	}
	n.mu.Unlock()
	var out []ma.Multiaddr
	for _, a := range at[:min(len(at), maxPunched)] {
		family := "ip6"
		if a.Addr().Is4() {
			family = "ip4"
		}
		out = append(out, multiaddrs(family, a.Addr().String(), int(a.Port()))[0])
	}
	return out
}

// readyToPunch starts libp2p's hole punching as soon as we have an address for it.
// Started without one it would look for one every few seconds only.
func (n *Node) readyToPunch() {
	if n.cfg.Underlay != nil || len(n.punchAddrs()) == 0 {
		return
	}
	h, ok := n.host.(identified)
	n.mu.Lock()
	defer n.mu.Unlock()
	if !ok || n.out.puncher != nil || n.closing || n.ctx.Err() != nil {
		return
	}
	s, err := holepunch.NewService(n.host, h.IDService(), n.punchAddrs, holepunch.DirectDialTimeout(punchDial), holepunch.WithAddrFilter(punchFilter{n}))
	if err != nil {
		n.log.Warn("no hole punching", "error", err)
		return
	}
	n.out.puncher = s
}

func (n *Node) closePuncher() {
	n.mu.Lock()
	s := n.out.puncher
	n.mu.Unlock()
	if s != nil {
		_ = s.Close()
	}
}

// punch tries to get through both NATs to a machine with which a relay connects us.
// The side that was dialled does it: of two at once neither gets through.
func (n *Node) punch(ctx context.Context, l *link) {
	n.mu.Lock()
	s, dialled := n.out.puncher, false
	for c := range l.conns {
		dialled = dialled || c.Stat().Direction == network.DirInbound
	}
	n.mu.Unlock()
	if s == nil || !dialled || !slices.Contains(n.host.Mux().Protocols(), holepunch.Protocol) {
		return
	}
	done := make(chan error, 1)
	n.spawn(func(context.Context) { done <- s.DirectConnect(l.id) })
	t := time.NewTimer(punchPatience)
	defer t.Stop()
	select {
	case err := <-done:
		if err != nil {
			n.log.Debug("no way through the NAT", "error", err)
		}
	case <-t.C:
	case <-ctx.Done():
	}
}

// punchFilter lets recognised machines alone take part in hole punching: others
// would learn our address outside, and could name any address to be dialled.
type punchFilter struct{ n *Node }

// FilterLocal implements holepunch.AddrFilter.
func (f punchFilter) FilterLocal(id peer.ID, addrs []ma.Multiaddr) []ma.Multiaddr {
	if !f.n.met(id) {
		return nil
	}
	return addrs
}

// FilterRemote implements holepunch.AddrFilter.
func (f punchFilter) FilterRemote(id peer.ID, addrs []ma.Multiaddr) []ma.Multiaddr {
	if !f.n.met(id) {
		return nil
	}
	addrs = ma.FilterAddrs(addrs, f.n.gate.allowsDial, manet.IsPublicAddr, isUDP)
	return addrs[:min(len(addrs), maxPunched)]
}

// met tells whether a connected machine was recognised.
func (n *Node) met(id peer.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.links[id]
	return l != nil && len(l.refs) > 0
}
