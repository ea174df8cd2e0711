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
	next  time.Time     // when to try again; zero waits for an event
	last  time.Time     // when the last try began
	wait  time.Duration // the last backoff
	busy  bool          // being tried
	again bool          // something changed while it was being tried
}

// Follow keeps trying to be connected with a ref at these machines (any number,
// also none: then only a discovered or incoming connection counts), and replaces
// what was followed for that ref.
func (n *Node) Follow(ref string, hosts map[HostKey][]string, _ []Station) {
	parsed := parseHosts(hosts)
	n.mu.Lock()
	t := n.targets[ref]
	if t == nil {
		t = &target{ref: ref}
		n.targets[ref] = t
	}
	t.hosts = parsed
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
		t.soon(0)
	}
	for _, s := range n.sights {
		s.next = time.Now()
	}
	n.mu.Unlock()
	n.poke()
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
		if t.busy || t.next.IsZero() || len(n.byRef[t.ref]) > 0 || n.dials >= maxDials {
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
	return false
}

// try tries all machines of a target at once.
func (n *Node) try(ctx context.Context, t *target) {
	n.mu.Lock()
	hosts := t.hosts
	n.mu.Unlock()
	var wg sync.WaitGroup
	results := make(chan error, len(hosts))
	for id, addrs := range hosts {
		wg.Go(func() { results <- n.tryHost(ctx, t.ref, id, addrs) })
	}
	wg.Wait()
	close(results)
	least, met := time.Duration(0), false
	for err := range results {
		met = met || err == nil
		if errors.Is(err, hello.ErrUnknown) {
			least = unknownWait
		}
	}
	n.mu.Lock()
	t.busy = false
	n.dials--
	if !met {
		t.failed(least)
	}
	n.mu.Unlock()
	n.poke()
}

func (n *Node) tryHost(ctx context.Context, ref string, id peer.ID, addrs []ma.Multiaddr) error {
	l, err := n.reach(ctx, id, addrs)
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

// needed tells whether a link has a reason to stay.
func (n *Node) needed(l *link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(l.refs) > 0 || l.held > 0 || l.greet != nil
}

// busy tells whether the other side is just asking for something.
func busy(c network.Conn) bool {
	return slices.ContainsFunc(c.GetStreams(), func(s network.Stream) bool {
		return s.Stat().Direction == network.DirInbound
	})
}

// reach returns the link with a machine, dialling it at the given addresses and
// where it was seen.
func (n *Node) reach(ctx context.Context, id peer.ID, addrs []ma.Multiaddr) (*link, error) {
	if id == n.id {
		return nil, ErrNotFound
	}
	n.mu.Lock()
	l := n.links[id]
	if s := n.sights[id]; s != nil {
		addrs = append(append([]ma.Multiaddr{}, s.addrs...), addrs...)
	}
	n.mu.Unlock()
	if l != nil {
		return l, nil
	}
	addrs = ma.FilterAddrs(ma.Unique(addrs), n.gate.allows)
	if len(addrs) == 0 {
		return nil, ErrNotFound
	}
	return n.dial(ctx, id, addrs)
}

func (n *Node) dial(ctx context.Context, id peer.ID, addrs []ma.Multiaddr) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	if s, ok := n.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		s.Backoff().Clear(id) // ours is the one that counts
	}
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
