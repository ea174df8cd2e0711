package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	ma "github.com/multiformats/go-multiaddr"
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
	upgradeAgain = 15 * time.Second
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

// rankDials says when each address is dialled: direct ones as libp2p has it (IPv6
// first where there is one, then IPv4 and the rest at short intervals), relays a
// moment later.
func rankDials(addrs []ma.Multiaddr) []network.AddrDelay {
	var straight, circuits []ma.Multiaddr
	for _, a := range addrs {
		if _, ok := relayOf(a); ok {
			circuits = append(circuits, a)
		} else {
			straight = append(straight, a)
		}
	}
	out := swarm.DefaultDialRanker(straight)
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

// dropRelayed closes relayed connections beside a direct one that has answered
// since they were opened: somebody who comes through a relay may have lost the
// direct one.
func (n *Node) dropRelayed(now time.Time) {
	var spare []network.Conn
	n.mu.Lock()
	for _, l := range n.links {
		answered := l.directAnswerLocked(now)
		for c := range l.conns {
			if relayed(c) && answered.After(c.Stat().Opened) {
				spare = append(spare, c)
			}
		}
	}
	n.mu.Unlock()
	for _, c := range spare {
		_ = c.Close()
	}
}

// directAnswerLocked is when a direct connection last answered on which one has
// moved for relayLinger; zero if there is none.
func (l *link) directAnswerLocked(now time.Time) (at time.Time) {
	for c, p := range l.conns {
		proven := p.proven.Load()
		if relayed(c) || proven == 0 || now.Sub(time.Unix(0, proven)) < relayLinger {
			continue
		}
		if heard := time.Unix(0, p.heard.Load()); heard.After(at) {
			at = heard
		}
	}
	return at
}

// limited lets a stream be opened on a relayed connection.
func limited(ctx context.Context) context.Context {
	return network.WithAllowLimitedConn(ctx, "kuvert")
}
