package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/hello"
)

// A target is a ref that is followed. Guarded by Node.mu.
type target struct {
	ref   string
	hosts map[peer.ID][]ma.Multiaddr
	via   []Station     // relays behind which the machines are
	stop  func()        // ends the try under way
	next  time.Time     // when to try again; zero waits for an event
	last  time.Time     // when the last try began
	wait  time.Duration // the last backoff
	busy  bool          // being tried
	again bool          // something changed while it was being tried
}

// Follow keeps trying to be connected with a ref at these machines (any number,
// also none: then only a discovered or incoming connection counts), and replaces
// what was followed for that ref.
// Through the stations of via that relay, the machines may be reached, too.
func (n *Node) Follow(ref string, hosts map[HostKey][]string, via []Station) {
	parsed := parseHosts(hosts)
	n.mu.Lock()
	t := n.targets[ref]
	if t == nil {
		t = &target{ref: ref}
		n.targets[ref] = t
	}
	t.hosts, t.via = parsed, slices.Clone(via)
	t.soon(0)
	n.mu.Unlock()
	n.poke()
}

// Unfollow stops following a ref and closes what is connected as it alone.
func (n *Node) Unfollow(ref string) {
	n.mu.Lock()
	delete(n.targets, ref)
	var alone []peer.ID
	for id, l := range n.byRef[ref] {
		if len(l.refs) == 1 {
			alone = append(alone, id)
		}
	}
	n.mu.Unlock()
	n.spawn(func(context.Context) {
		for _, id := range alone {
			n.closePeer(id)
		}
	})
}

// soon lets a target be tried after a delay, without regard to its backoff. Even
// so, tries are redialMin apart: whoever announces a followed machine again and
// again must not make us dial as often.
func (t *target) soon(delay time.Duration) {
	t.wait = 0
	t.again = t.busy
	t.next = later(time.Now().Add(delay), t.last.Add(redialMin))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// failed sets the next try of a target.
func (t *target) failed(least time.Duration) {
	if t.again {
		return // soon has set it
	}
	t.wait = min(max(2*t.wait, redialMin), redialMax)
	wait := max(t.wait, least)
	t.next = time.Now().Add(wait - wait/4 + rand.N(wait/2)) //nolint:gosec // a jitter
}

func parseHosts(hosts map[HostKey][]string) map[peer.ID][]ma.Multiaddr {
	out := make(map[peer.ID][]ma.Multiaddr, len(hosts))
	for key, texts := range hosts {
		id, err := peerID(key)
		if err != nil || len(out) == maxHosts {
			continue
		}
		out[id] = parseAddrs(texts)
	}
	return out
}

// parseAddrs returns what can be dialled of some addresses in text.
func parseAddrs(texts []string) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, text := range texts {
		m, err := ma.NewMultiaddr(text)
		if err != nil || !direct(m) || len(out) == maxAddrs {
			continue
		}
		out = append(out, m)
	}
	return out
}

// retrySoon is called when a connection with a ref ended. The machine with the
// higher key waits a moment, so that the two do not dial each other at once.
func (n *Node) retrySoon(ref string, id peer.ID) {
	n.mu.Lock()
	if t := n.targets[ref]; t != nil && len(n.byRef[ref]) == 0 {
		t.soon(n.courtesy(id))
	}
	n.mu.Unlock()
	n.poke()
}

func (n *Node) courtesy(id peer.ID) time.Duration {
	if n.id > id {
		return politeness
	}
	return 0
}

// redialAll tries everything that is not connected at once: the network changed.
func (n *Node) redialAll() {
	n.mu.Lock()
	for _, t := range n.targets {
		if t.stop != nil {
			t.stop() // it knocks at doors of the former network
		}
		t.soon(0)
	}
	for _, s := range n.sights {
		s.next = time.Now()
	}
	n.mu.Unlock()
	n.poke()
	n.wakeStations()
}

// followLoop tries what is due and looks at machines that were found.
func (n *Node) followLoop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, probes, next := n.due(time.Now())
		for _, t := range due {
			n.spawn(func(ctx context.Context) { n.try(ctx, t) })
		}
		for _, id := range probes {
			n.spawn(func(ctx context.Context) { n.probe(ctx, id) })
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		case <-timer.C:
		}
	}
}

// idleWait is how long the loop sleeps with nothing to do; events wake it.
const idleWait = time.Hour

// due takes what is to be tried now, and tells when to look again.
func (n *Node) due(now time.Time) (due []*target, probes []peer.ID, next time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	next = idleWait
	for _, t := range n.targets {
		if t.busy || t.next.IsZero() || n.dials >= maxDials {
			continue
		}
		if len(n.byRef[t.ref]) > 0 && !n.onlyRelayedLocked(t.ref) {
			continue
		}
		if wait := t.next.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		if !n.reachableLocked(t) {
			t.next = time.Time{}
			continue
		}
		t.busy, t.again, t.last = true, false, now
		n.dials++
		due = append(due, t)
	}
	probes, wait := n.dueProbesLocked(now)
	return due, probes, min(next, wait)
}

// reachableLocked tells whether a target has an address or a connection.
func (n *Node) reachableLocked(t *target) bool {
	for id, addrs := range t.hosts {
		if len(addrs) > 0 || n.links[id] != nil || n.sights[id] != nil {
			return true
		}
	}
	relays := slices.ContainsFunc(t.via, func(st Station) bool { return st.Relay })
	return relays && len(t.hosts) > 0 && !n.gate.lanOnly.Load()
}

// try tries all machines of a target at once.
func (n *Node) try(ctx context.Context, t *target) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	n.mu.Lock()
	hosts, via := t.hosts, t.via
	t.stop = stop
	n.mu.Unlock()
	var wg sync.WaitGroup
	results := make(chan error, len(hosts))
	for id, addrs := range hosts {
		wg.Go(func() { results <- n.tryHost(ctx, t.ref, id, addrs, via) })
	}
	wg.Wait()
	close(results)
	least, met := time.Duration(0), false
	for err := range results {
		met = met || err == nil
		switch {
		case errors.Is(err, hello.ErrUnknown):
			least = max(least, unknownWait)
		case errors.Is(err, errRelayed):
			least = max(least, upgradeAgain)
		}
	}
	n.mu.Lock()
	t.busy, t.stop = false, nil
	n.dials--
	if !met {
		t.failed(least)
	}
	n.mu.Unlock()
	n.poke()
}

func (n *Node) tryHost(ctx context.Context, ref string, id peer.ID, addrs []ma.Multiaddr, via []Station) error {
	if l := n.relayedAs(id, ref); l != nil {
		return n.upgrade(ctx, l, n.whereSeen(id, addrs))
	}
	l, err := n.reach(ctx, id, addrs, via)
	if err != nil {
		n.log.Debug("machine was not reached", "error", err)
		return err
	}
	n.letThemGreet(ctx, l)
	if n.is(l, ref) {
		return nil
	}
	if _, err = n.salute(ctx, l, ref); errors.Is(err, hello.ErrUnknown) {
		n.dropStranger(l)
	}
	if err != nil && ctx.Err() == nil {
		n.log.Debug("hello failed", "error", err)
	}
	return err
}

// letThemGreet waits a moment for the hello of a machine that has just dialled us.
func (n *Node) letThemGreet(ctx context.Context, l *link) {
	for _, c := range n.host.Network().ConnsToPeer(l.id) {
		if c.Stat().Direction == network.DirOutbound {
			return
		}
	}
	t := time.NewTimer(politeness - time.Since(l.since))
	defer t.Stop()
	select {
	case <-l.met:
	case <-t.C:
	case <-ctx.Done():
	}
}

// dropStranger closes a link that nobody needs.
func (n *Node) dropStranger(l *link) {
	needed := n.needed(l)
	for _, c := range n.host.Network().ConnsToPeer(l.id) {
		needed = needed || busy(c)
	}
	if !needed {
		n.closePeer(l.id)
	}
}

// relayedAs returns the link with a machine that was recognised as ref and is
// connected through relays alone, or nil.
func (n *Node) relayedAs(id peer.ID, ref string) *link {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.links[id]; l != nil && l.relayedLocked() && slices.Contains(l.refs, ref) {
		return l
	}
	return nil
}

// needed tells whether a link has a reason to stay.
func (n *Node) needed(l *link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.neededLocked(l)
}

func (n *Node) neededLocked(l *link) bool {
	return len(l.refs) > 0 || l.held > 0 || l.greet != nil || n.stations[l.id] != nil || n.usesMailLocked(l)
}

// busy tells whether the other side is just asking for something.
func busy(c network.Conn) bool {
	return slices.ContainsFunc(c.GetStreams(), func(s network.Stream) bool {
		return s.Stat().Direction == network.DirInbound
	})
}

// reach returns the link with a machine, dialling it at the given addresses, where
// it was seen and, a moment later, through relays.
func (n *Node) reach(ctx context.Context, id peer.ID, addrs []ma.Multiaddr, via []Station) (*link, error) {
	if id == n.id {
		return nil, ErrNotFound
	}
	n.mu.Lock()
	l := n.links[id]
	n.mu.Unlock()
	if l != nil {
		return l, nil
	}
	circuits, release := n.throughRelays(id, via)
	defer release()
	addrs = append(ma.FilterAddrs(n.whereSeen(id, addrs), direct), circuits...)
	addrs = ma.FilterAddrs(addrs, n.gate.allowsDial)
	if len(addrs) == 0 {
		return nil, ErrNotFound
	}
	return n.dial(ctx, id, addrs)
}

// whereSeen returns a copy of the addresses of a machine, with those where it was
// seen before them.
func (n *Node) whereSeen(id peer.ID, addrs []ma.Multiaddr) []ma.Multiaddr {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []ma.Multiaddr
	if s := n.sights[id]; s != nil {
		all = append(all, s.addrs...)
	}
	return ma.Unique(append(all, addrs...))
}

func (n *Node) dial(ctx context.Context, id peer.ID, addrs []ma.Multiaddr) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	n.forgetBackoff(id)
	book := n.host.Peerstore()
	book.ClearAddrs(id)
	book.AddAddrs(id, addrs, peerstore.TempAddrTTL)
	if _, err := n.host.Network().DialPeer(ctx, id); err != nil {
		return nil, fmt.Errorf("node: dial: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.links[id]; l != nil {
		return l, nil
	}
	return nil, errGone
}

// forgetBackoff lets a machine be dialled at once: our backoff is the one that
// counts.
func (n *Node) forgetBackoff(id peer.ID) {
	if s, ok := n.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(id)
	}
}
