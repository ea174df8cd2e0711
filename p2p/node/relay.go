package node

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// Times and limits of relayed connections.
const (
	// relayHead is how much sooner direct addresses are dialled than relays.
	relayHead = 300 * time.Millisecond
	// maxVia is through how many relays a machine is tried.
	maxVia = 4
	// A place at a relay is taken anew after three quarters of its time, at the
	// earliest after placeMin, at the latest after placeMax.
	placeMin = time.Minute
	placeMax = time.Hour
	// placeRetry is the pause after a relay had no place.
	placeRetry = 30 * time.Second
	// upgradeAfter and upgradeAgain are the pauses before the first and between
	// further tries to reach somebody directly with whom a relay connects us.
	upgradeAfter = 700 * time.Millisecond
	upgradeAgain = 5 * time.Second
	// relayLinger is for how long a relayed connection stays beside a direct one
	// that has answered: what is on its way may arrive.
	relayLinger = 3 * time.Second
)

// errRelayed says that somebody can only be reached through a relay.
var errRelayed = errors.New("node: only through a relay")

// relayed tells whether a connection leads through a relay.
func relayed(c network.Conn) bool {
	_, ok := relayOf(c.RemoteMultiaddr())
	return ok
}

// relayedLocked tells whether all connections of a link lead through a relay.
func (l *link) relayedLocked() bool {
	for c := range l.conns {
		if !relayed(c) {
			return false
		}
	}
	return len(l.conns) > 0
}

// Relayed tells whether all connections with a ref lead through a relay.
func (n *Node) Relayed(ref string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.onlyRelayedLocked(ref)
}

func (n *Node) onlyRelayedLocked(ref string) bool {
	for _, l := range n.byRef[ref] {
		if !l.relayedLocked() {
			return false
		}
	}
	return len(n.byRef[ref]) > 0
}

// keepPlace takes or keeps the place at an own station's relay, and returns when to
// look again.
func (n *Node) keepPlace(ctx context.Context, s *station) time.Duration {
	n.mu.Lock()
	want, left := s.own && s.relay && !n.gate.lanOnly.Load(), time.Until(s.renew)
	n.mu.Unlock()
	if !want {
		n.setStation(s, func(st *StationState) { st.Reserved = false })
		return usageEvery
	}
	if left > 0 {
		return left
	}
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "connected only"), stationPatience)
	defer cancel()
	r, err := client.Reserve(ctx, n.host, peer.AddrInfo{ID: s.id})
	if err != nil {
		n.log.Debug("no place at a relay", "error", err)
		n.setStation(s, func(st *StationState) { st.Reserved = false })
		return placeRetry
	}
	life := max(min(time.Until(r.Expiration)*3/4, placeMax), placeMin)
	n.setStation(s, func(st *StationState) {
		st.Reserved = st.Connected
		s.renew = time.Now().Add(life)
	})
	return life
}

// throughRelays returns the addresses of a machine behind relays that are known to
// carry its connections, and lets those relays be dialled. The caller releases them.
func (n *Node) throughRelays(id peer.ID, via []Station) (addrs []ma.Multiaddr, release func()) {
	var releases []func()
	release = func() {
		for _, f := range releases {
			f()
		}
	}
	if n.gate.lanOnly.Load() {
		return nil, release
	}
	for _, st := range via {
		if !st.Relay || len(addrs) == maxVia {
			continue
		}
		s, done, err := n.borrow(st)
		if err != nil {
			continue
		}
		releases = append(releases, done)
		if s.id == id {
			continue
		}
		n.rememberStation(s)
		addrs = append(addrs, circuitVia(s.id))
	}
	return addrs, release
}

// rememberStation tells the host where a station is, for a dial through it.
func (n *Node) rememberStation(s *station) {
	n.mu.Lock()
	up, addrs := n.links[s.id] != nil, ma.FilterAddrs(s.addrs, n.gate.allowsDial)
	n.mu.Unlock()
	if up {
		return
	}
	n.forgetBackoff(s.id)
	n.host.Peerstore().ClearAddrs(s.id)
	n.host.Peerstore().AddAddrs(s.id, addrs, peerstore.TempAddrTTL)
}

// nearHead is how long TCP in the own network is tried alone: many times a round
// trip there, and no more than a blink where only UDP gets through.
const nearHead = 100 * time.Millisecond

// nearTCP tells whether an address is one of TCP in the own network.
func nearTCP(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_TCP)
	return err == nil && local(wire.AddrOf(a))
}

// rankDials says when each address is dialled: direct ones as libp2p has it (IPv6
// first where there is one, then IPv4 and the rest at short intervals), relays a
// moment later. In the own network TCP has a head start: it carries files three
// times as fast as QUIC, and messages no slower.
func rankDials(addrs []ma.Multiaddr) []network.AddrDelay {
	var near, straight, circuits []ma.Multiaddr
	for _, a := range addrs {
		if _, ok := relayOf(a); ok {
			circuits = append(circuits, a)
		} else if nearTCP(a) {
			near = append(near, a)
		} else {
			straight = append(straight, a)
		}
	}
	out := swarm.DefaultDialRanker(straight)
	if len(near) > 0 {
		for i := range out {
			out[i].Delay += nearHead
		}
		out = append(swarm.DefaultDialRanker(near), out...)
		straight = append(straight, near...)
	}
	delay := relayHead
	if len(straight) == 0 {
		delay = 0
	}
	for _, a := range circuits {
		out = append(out, network.AddrDelay{Addr: a, Delay: delay})
	}
	return out
}

// upgrade tries to reach a machine directly with which only relays connect us.
func (n *Node) upgrade(ctx context.Context, l *link, addrs []ma.Multiaddr) error {
	addrs = ma.FilterAddrs(addrs, n.gate.allowsDial)
	var wg sync.WaitGroup
	if len(addrs) > 0 {
		wg.Go(func() {
			if _, err := n.dial(network.WithForceDirectDial(ctx, "upgrade"), l.id, addrs); err != nil {
				n.log.Debug("no direct way yet", "error", err)
			}
		})
	}
	n.punch(ctx, l) // meanwhile: an address of another network takes long to fail
	wg.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.relayedLocked() {
		return errRelayed
	}
	return nil
}

// moveOver moves what is sent to a machine to a fresh direct connection, once that
// has answered. Those through a relay are closed later, by dropRelayed.
func (n *Node) moveOver(ctx context.Context, l *link, c network.Conn, p *pulse) {
	if !n.check(ctx, c, p, checkPatience) {
		return
	}
	p.proven.Store(time.Now().UnixNano())
	l.sender.Close() // the next frame opens a stream on the best connection
}

// doubtDirect checks the direct connections with somebody who uses one through a
// relay beside them: they may have lost them.
func (n *Node) doubtDirect(l *link, used network.Conn) {
	if !relayed(used) {
		return
	}
	now := time.Now()
	n.mu.Lock()
	conns := maps.Clone(l.conns)
	n.mu.Unlock()
	for c, p := range conns {
		if !relayed(c) && p.quiet(now) > besidePatience {
			n.spawn(func(ctx context.Context) { n.check(ctx, c, p, besidePatience) })
		}
	}
}

// dropRelayed closes the relayed connections with those to whom there is a direct
// one since relayLinger, if that one still answers.
func (n *Node) dropRelayed(now time.Time) {
	for _, l := range n.allLinks() {
		if c, p := n.outgrown(l, now); c != nil {
			n.spawn(func(ctx context.Context) {
				if n.check(ctx, c, p, changePatience) {
					n.closeRelayed(l, now)
				}
			})
		}
	}
}

// outgrown returns the direct connection that has taken the place of a link's
// relayed ones, nil if there is none, or nothing to close, or it was asked just now.
func (n *Node) outgrown(l *link, now time.Time) (c network.Conn, p *pulse) {
	n.mu.Lock()
	defer n.mu.Unlock()
	through := false
	for conn, q := range l.conns {
		at := q.proven.Load()
		switch {
		case relayed(conn):
			through = true
		case at != 0 && now.Sub(time.Unix(0, at)) >= relayLinger && now.Sub(time.Unix(0, q.ping.Load())) > changePatience:
			c, p = conn, q
		}
	}
	if !through {
		return nil, nil
	}
	return c, p
}

// closeRelayed closes the relayed connections of a link that were there at a time.
func (n *Node) closeRelayed(l *link, at time.Time) {
	n.mu.Lock()
	conns := maps.Clone(l.conns)
	n.mu.Unlock()
	for c := range conns {
		if relayed(c) && c.Stat().Opened.Before(at) {
			_ = c.Close()
		}
	}
}

// limited lets a stream be opened on a relayed connection.
func limited(ctx context.Context) context.Context {
	return network.WithAllowLimitedConn(ctx, "kuvert")
}
