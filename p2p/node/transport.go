package node

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/bundle"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

// HostKey is this machine's own.
func (n *Node) HostKey() HostKey { return n.key }

// Addrs are this machine's own addresses, as multiaddr text without the host key,
// most useful first; none before Run.
func (n *Node) Addrs() []string { return texts(n.multiaddrs()) }

func (n *Node) multiaddrs() []ma.Multiaddr {
	n.mu.Lock()
	up, port, own := n.up, n.port, n.ifaces.addrs
	n.mu.Unlock()
	if !up {
		return nil
	}
	if own == nil { // before the first look
		if s, err := n.readInterfaces(); err == nil {
			own = s.addrs
		}
	}
	if n.cfg.Loopback {
		own = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	var out []ma.Multiaddr
	for _, a := range n.useful(own) {
		family := "ip6"
		if a.Is4() {
			family = "ip4"
		}
		both := multiaddrs(family, a.String(), port)
		if n.cfg.Underlay != nil {
			both = both[:1]
		}
		out = append(out, both...)
	}
	return ma.Unique(append(out, n.openAddrs()...))
}

// useful returns the addresses that another machine can use, best first: those of
// the network in the building, then others, this machine's own loopback only if
// there is nothing else.
func (n *Node) useful(own []netip.Addr) []netip.Addr {
	lanOnly := n.gate.lanOnly.Load()
	out := slices.DeleteFunc(slices.Clone(own), func(a netip.Addr) bool {
		return a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || (lanOnly && !local(a))
	})
	slices.SortStableFunc(out, func(a, b netip.Addr) int { return rank(a) - rank(b) })
	if len(out) == 0 {
		out = append(out, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	return out
}

func rank(a netip.Addr) int {
	switch {
	case a.Is4() && a.IsPrivate():
		return 0
	case a.Is4():
		return 1
	case a.IsPrivate():
		return 2
	}
	return 3
}

// reachedAt returns the addresses at which a connected machine was or says it can
// be reached, best first, for the address book.
func (n *Node) reachedAt(ctx context.Context, l *link) []string {
	conns := n.host.Network().ConnsToPeer(l.id)
	var out []ma.Multiaddr
	loopback := true
	for _, c := range conns {
		loopback = loopback && wire.AddrOf(c.RemoteMultiaddr()).IsLoopback()
		if c.Stat().Direction == network.DirOutbound && !relayed(c) {
			out = append(out, c.RemoteMultiaddr())
		}
		n.awaitIdentify(ctx, c)
	}
	for _, a := range n.host.Peerstore().Addrs(l.id) {
		ip := wire.AddrOf(a)
		if direct(a) && !ip.IsUnspecified() && (loopback || !ip.IsLoopback()) && !ip.IsLinkLocalUnicast() {
			out = append(out, a)
		}
	}
	out = ma.Unique(out)
	return texts(out[:min(len(out), maxReported)])
}

// identifyPatience is how long recognition waits for the other side to tell its
// addresses. It does so at the start of each connection.
const identifyPatience = time.Second

func (n *Node) awaitIdentify(ctx context.Context, c network.Conn) {
	h, ok := n.host.(interface{ IDService() identify.IDService })
	if !ok {
		return
	}
	t := time.NewTimer(identifyPatience)
	defer t.Stop()
	select {
	case <-h.IDService().IdentifyWait(c):
	case <-t.C:
	case <-ctx.Done():
	}
}

func texts(addrs []ma.Multiaddr) []string {
	out := make([]string, 0, len(addrs))
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return out
}

// Rebind gives a live connection and what is followed another name: the guest of
// an invitation became a contact. The handler is told of neither; a status is
// exchanged under the new name.
func (n *Node) Rebind(host HostKey, from, to string) {
	id, err := peerID(host)
	if err != nil || from == to {
		return
	}
	n.mu.Lock()
	n.rebindTargetLocked(from, to)
	l := n.links[id]
	bound := l != nil && slices.Contains(l.refs, from)
	if bound {
		n.unlinkLocked(from, l)
		n.bindLocked(l, to)
		if len(n.byRef[from]) == 0 {
			delete(n.told, from)
		}
	}
	n.mu.Unlock()
	n.poke()
	if bound {
		n.spawn(func(ctx context.Context) { n.exchange(ctx, l, to) })
	}
}

func (n *Node) rebindTargetLocked(from, to string) {
	t := n.targets[from]
	if t == nil {
		return
	}
	delete(n.targets, from)
	if old := n.targets[to]; old != nil {
		for id, addrs := range t.hosts {
			if _, ok := old.hosts[id]; !ok && len(old.hosts) < maxHosts {
				old.hosts = withHost(old.hosts, id, addrs)
			}
		}
		old.via = slices.Concat(old.via, t.via)
		return
	}
	n.targets[to] = &target{ref: to, hosts: t.hosts, via: t.via, next: t.next, wait: t.wait}
}

// withHost returns a copy with one more machine: a try may be reading the map.
func withHost(hosts map[peer.ID][]ma.Multiaddr, id peer.ID, addrs []ma.Multiaddr) map[peer.ID][]ma.Multiaddr {
	out := make(map[peer.ID][]ma.Multiaddr, len(hosts)+1)
	for k, v := range hosts {
		out[k] = v
	}
	out[id] = addrs
	return out
}

// Deliver sends frames to a recognised, connected ref, in order, and returns an
// answer for each that was answered. answers may be shorter than frames if the
// connection broke; err is then not nil. ErrNotConnected if there is none.
func (n *Node) Deliver(ctx context.Context, ref string, frames [][]byte) (answers []byte, err error) {
	l := n.linkTo(ref)
	if l == nil {
		return nil, ErrNotConnected
	}
	answers, err = l.sender.Deliver(ctx, frames)
	if err != nil {
		return answers, fmt.Errorf("node: deliver: %w", err)
	}
	return answers, nil
}

// FetchBundle asks a recognised, connected ref for its bundle.
func (n *Node) FetchBundle(ctx context.Context, ref string) ([]byte, error) {
	l := n.linkTo(ref)
	if l == nil {
		return nil, ErrNotConnected
	}
	s, err := n.open(ctx, l.id, bundle.ID)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Fetch(ctx, s)
	wire.Close(s, err)
	if err != nil {
		return nil, fmt.Errorf("node: fetch bundle: %w", err)
	}
	n.alive(s.Conn())
	return b, nil
}

// SendStatus hands a fresh status to a connected ref, and takes theirs in return.
func (n *Node) SendStatus(ctx context.Context, ref string) error {
	l := n.linkTo(ref)
	if l == nil {
		return ErrNotConnected
	}
	return n.exchangeOnce(ctx, l, ref)
}

// Connected tells whether a ref is recognised and connected.
func (n *Node) Connected(ref string) bool { return n.linkTo(ref) != nil }

// Restrict switches LAN-only mode on or off while running. Switching it on
// closes what it does not allow.
func (n *Node) Restrict(lanOnly bool) {
	if n.gate.lanOnly.Swap(lanOnly) == lanOnly || !n.isUp() {
		return
	}
	for _, c := range n.host.Network().Conns() {
		if !n.gate.allows(c.RemoteMultiaddr()) {
			_ = c.Close()
		}
	}
	n.router.allow(!lanOnly)
	n.redialAll()
	n.h.NetworkChanged()
}

// State is what the node knows of the network.
func (n *Node) State() State {
	mapped := places(n.mappedAddrs())
	n.mu.Lock()
	defer n.mu.Unlock()
	multicast := n.ifaces.multicast
	if n.up && n.disc != nil {
		multicast = n.disc.Multicast()
	}
	s := State{
		Online: n.ifaces.online || len(n.byRef) > 0, Port: n.port, PortTaken: n.taken,
		NoMulticast: !multicast, Incoming: n.incoming,
	}
	n.outsideLocked(&s, mapped)
	return s
}

func (n *Node) isUp() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.up
}
