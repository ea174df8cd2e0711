package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	mrand "math/rand/v2"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	libping "github.com/libp2p/go-libp2p/p2p/protocol/ping"

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
		if slept(now.Sub(last), now.Round(0).Sub(last.Round(0))) || changed {
			n.networkChanged()
		}
		last = now
		n.pingQuiet(now)
		n.dropIdleStrangers(now)
		n.dropSpares(now)
		n.dropRelayed(now)
		n.dropIdleStations(now)
		n.askOutside(now)
		if s := n.State(); !reflect.DeepEqual(s, state) {
			state = s
			n.h.NetworkChanged()
		}
	}
}

// slept tells whether the machine, or this process, was stopped between two
// ticks. Depending on the system the monotonic clock goes on in sleep (then the
// tick is late) or not (then the wall clock jumps).
func slept(mono, wall time.Duration) bool {
	return mono > sleptAfter || (wall-mono).Abs() > sleptAfter
}

// networkChanged finds out which connections are dead and dials everything anew.
func (n *Node) networkChanged() {
	n.log.Info("network changed or machine slept")
	if n.disc != nil {
		n.disc.Restart()
	}
	n.eachConn(func(_ *link, c network.Conn, p *pulse) {
		n.spawn(func(ctx context.Context) { n.check(ctx, c, p, changePatience) })
	})
	n.redialAll()
	n.router.changed()
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

// check closes a connection that has lost its address, or does not answer, and
// tells whether it answered.
func (n *Node) check(ctx context.Context, c network.Conn, p *pulse, patience time.Duration) bool {
	p.ping.Store(time.Now().UnixNano())
	if n.hasLostItsAddress(c) {
		_ = c.Close()
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := ping(ctx, c); err != nil {
		if !c.IsClosed() {
			n.log.Info("connection is dead", "error", err)
		}
		_ = c.Close()
		return false
	}
	p.heard.Store(time.Now().UnixNano())
	return true
}

// checkLink checks the connections of a link that were quiet meanwhile.
func (n *Node) checkLink(l *link, patience time.Duration) {
	now := time.Now()
	n.mu.Lock()
	conns := maps.Clone(l.conns)
	n.mu.Unlock()
	for c, p := range conns {
		if p.quiet(now) > answerOverdue {
			n.spawn(func(ctx context.Context) { n.check(ctx, c, p, patience) })
		}
	}
}

func (n *Node) hasLostItsAddress(c network.Conn) bool {
	a := wire.AddrOf(c.LocalMultiaddr())
	if !a.IsValid() || a.IsUnspecified() || a.IsLoopback() {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return !slices.Contains(n.ifaces.addrs, a)
}

// pingHello opens libp2p's ping protocol on a stream, as multistream-select does
// with a protocol that everybody speaks. The host's own way would choose the
// connection, and a dead one beside a live one would never be found.
const pingHello = "\x13/multistream/1.0.0\n" + "\x11" + libping.ID + "\n"

// ping asks for a sign of life on one connection.
func ping(ctx context.Context, c network.Conn) error {
	s, err := c.NewStream(limited(ctx))
	if err != nil {
		return fmt.Errorf("node: ping: %w", err)
	}
	defer s.Reset() //nolint:errcheck // of no more use
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	if err := s.SetProtocol(libping.ID); err != nil {
		return fmt.Errorf("node: ping: %w", err)
	}
	sent := append([]byte(pingHello), make([]byte, libping.PingSize)...)
	rand.Read(sent[len(pingHello):])
	if _, err := s.Write(sent); err != nil {
		return fmt.Errorf("node: ping: %w", err)
	}
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(s, got); err != nil {
		return fmt.Errorf("node: ping: %w", err)
	}
	if !bytes.Equal(sent, got) {
		return errPing
	}
	return nil
}

var errPing = errors.New("node: ping: wrong answer")

// pingQuiet pings the connections that were quiet for too long, and those on
// which an answer is overdue.
func (n *Node) pingQuiet(now time.Time) {
	quiet, patience := pingIdle+mrand.N(pingSpread), pingPatience //nolint:gosec // a jitter
	if n.cfg.Active != nil && n.cfg.Active() {
		quiet, patience = pingActive, checkPatience
	}
	n.eachConn(func(l *link, c network.Conn, p *pulse) {
		if stuck, since := l.sender.Waiting(); stuck == c && since > answerOverdue && p.quiet(now) > answerOverdue {
			n.spawn(func(ctx context.Context) { n.check(ctx, c, p, checkPatience) })
			return
		}
		if p.quiet(now) >= quiet-watchEvery/2 && (n.known(l) || n.isStation(l.id)) {
			p.ping.Store(now.UnixNano())
			n.spawn(func(ctx context.Context) { n.check(ctx, c, p, patience) })
		}
	})
}

// eachConn calls f for each connection, without the lock.
func (n *Node) eachConn(f func(*link, network.Conn, *pulse)) {
	for _, l := range n.allLinks() {
		n.mu.Lock()
		conns := maps.Clone(l.conns)
		n.mu.Unlock()
		for c, p := range conns {
			f(l, c, p)
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

// dropSpares closes a second connection that nobody uses: one that dies unnoticed
// beside a live one only costs. Only one side does it, or both would be gone.
func (n *Node) dropSpares(now time.Time) {
	for _, l := range n.allLinks() {
		if c := n.spare(l, now); c != nil {
			_ = c.Close()
		}
	}
}

func (n *Node) spare(l *link, now time.Time) (unused network.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	direct := maps.Clone(l.conns)
	maps.DeleteFunc(direct, func(c network.Conn, _ *pulse) bool { return relayed(c) }) // dropRelayed looks after those
	if len(direct) < 2 {
		return nil
	}
	for c := range direct {
		st := c.Stat()
		if st.Direction == network.DirInbound && n.id > l.id {
			return nil // theirs to close
		}
		if st.Direction == network.DirOutbound && now.Sub(st.Opened) > spareAfter && len(c.GetStreams()) == 0 {
			unused = c
		}
	}
	return unused
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
