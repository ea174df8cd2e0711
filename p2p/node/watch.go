package node

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// ifaceState is what was last seen of the interfaces. Guarded by Node.mu.
type ifaceState struct {
	addrs     []netip.Addr // sorted
	online    bool
	multicast bool
}

// watchLoop looks after everything that gives no event of its own: interfaces,
// sleep, quiet links, connections that stay without recognition.
func (n *Node) watchLoop(ctx context.Context) {
	n.lookAtInterfaces()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	last, state := time.Now(), n.State()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		changed := n.lookAtInterfaces()
		if slept(last, now) || changed {
			n.networkChanged()
		}
		last = now
		n.pingQuiet(now)
		n.dropIdleStrangers(now)
		if s := n.State(); s != state {
			state = s
			n.h.NetworkChanged()
		}
	}
}

// slept tells whether the machine, or this process, was stopped between two
// ticks. Depending on the system the monotonic clock goes on in sleep (then the
// tick is late) or not (then the wall clock jumps).
func slept(last, now time.Time) bool {
	mono := now.Sub(last)
	wall := now.Round(0).Sub(last.Round(0))
	return mono > sleptAfter || (wall-mono).Abs() > sleptAfter
}

// networkChanged finds out which connections are dead and dials everything anew.
func (n *Node) networkChanged() {
	n.log.Info("network changed or machine slept")
	if n.disc != nil {
		n.disc.Restart()
	}
	for _, l := range n.allLinks() {
		n.spawn(func(ctx context.Context) { n.check(ctx, l, checkPatience) })
	}
	n.redialAll()
	n.h.NetworkChanged()
}

func (n *Node) allLinks() []*link {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]*link, 0, len(n.links))
	for _, l := range n.links {
		all = append(all, l)
	}
	return all
}

// check closes a link's connections that have lost their address, or do not
// answer. The end of the last one lets the ref be dialled again.
func (n *Node) check(ctx context.Context, l *link, patience time.Duration) {
	n.mu.Lock()
	own := n.ifaces.addrs
	n.mu.Unlock()
	for _, c := range n.host.Network().ConnsToPeer(l.id) {
		a := wire.AddrOf(c.LocalMultiaddr())
		if a.IsValid() && !a.IsUnspecified() && !a.IsLoopback() && !slices.Contains(own, a) {
			_ = c.Close()
		}
	}
	// Each failure closes one connection; a link has few.
	for range peerConns {
		if len(n.host.Network().ConnsToPeer(l.id)) == 0 || n.pingOnce(ctx, l, patience) == nil {
			return
		}
	}
}

// pingOnce pings a link. If no answer comes, the connection that was used closes.
func (n *Node) pingOnce(ctx context.Context, l *link, patience time.Duration) error {
	l.ping.Store(time.Now().UnixNano())
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := n.host.NewStream(network.WithNoDial(ctx, "ping"), l.id, ping.ID)
	if err != nil {
		if ctx.Err() != nil {
			n.closePeer(l.id) // it could not even be opened
		}
		return fmt.Errorf("node: ping: %w", err)
	}
	defer s.Reset() //nolint:errcheck // of no more use
	if err := pingOn(s, patience); err != nil {
		n.log.Info("connection is dead")
		_ = s.Conn().Close()
		return err
	}
	l.alive()
	return nil
}

func pingOn(s network.Stream, patience time.Duration) error {
	if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("node: ping: %w", err)
	}
	var sent, got [ping.PingSize]byte
	rand.Read(sent[:])
	if _, err := s.Write(sent[:]); err != nil {
		return fmt.Errorf("node: ping: %w", err)
	}
	if _, err := io.ReadFull(s, got[:]); err != nil {
		return fmt.Errorf("node: ping: %w", err)
	}
	if sent != got {
		return fmt.Errorf("node: ping: wrong answer")
	}
	return nil
}

// pingQuiet pings the links that were quiet for too long.
func (n *Node) pingQuiet(now time.Time) {
	active := n.cfg.Active != nil && n.cfg.Active()
	for _, l := range n.allLinks() {
		quiet, patience := pingIdle+mrand.N(pingSpread), pingPatience //nolint:gosec // a jitter
		if active {
			quiet, patience = pingActive, checkPatience
		}
		last := time.Unix(0, max(l.heard.Load(), l.ping.Load()))
		if n.known(l) && now.Sub(last) >= quiet-watchEvery/2 {
			l.ping.Store(now.UnixNano())
			n.spawn(func(ctx context.Context) { n.check(ctx, l, patience) })
		}
	}
}

// dropIdleStrangers closes connections that stayed without recognition.
func (n *Node) dropIdleStrangers(now time.Time) {
	for _, l := range n.allLinks() {
		if now.Sub(l.since) > n.cfg.Limits.Grace && !n.needed(l) {
			n.closePeer(l.id)
		}
	}
}

// lookAtInterfaces notes the addresses of this machine and tells whether they
// changed.
func (n *Node) lookAtInterfaces() (changed bool) {
	now, err := n.readInterfaces()
	if err != nil {
		n.log.Warn("interfaces could not be read", "error", err)
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	changed = n.ifaces.addrs != nil && !slices.Equal(n.ifaces.addrs, now.addrs)
	n.ifaces = now
	return changed
}

func (n *Node) readInterfaces() (ifaceState, error) {
	if n.cfg.Underlay != nil {
		addrs, err := n.cfg.Underlay.Interfaces()
		return newIfaceState(addrs, true), err
	}
	ifs, err := net.Interfaces()
	if err != nil {
		return ifaceState{}, fmt.Errorf("node: interfaces: %w", err)
	}
	var addrs []netip.Addr
	multicast := false
	for _, i := range ifs {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		multicast = multicast || i.Flags&(net.FlagMulticast|net.FlagLoopback) == net.FlagMulticast
		list, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		for _, a := range list {
			if p, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(p.IP); ok {
					addrs = append(addrs, ip.Unmap())
				}
			}
		}
	}
	return newIfaceState(addrs, multicast), nil
}

func newIfaceState(addrs []netip.Addr, multicast bool) ifaceState {
	s := ifaceState{addrs: slices.SortedFunc(slices.Values(addrs), netip.Addr.Compare), multicast: multicast}
	if s.addrs == nil {
		s.addrs = []netip.Addr{}
	}
	s.online = slices.ContainsFunc(s.addrs, func(a netip.Addr) bool { return !a.IsLoopback() && !a.IsLinkLocalUnicast() })
	return s
}
