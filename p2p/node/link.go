package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/kuvert-im/kuvert/p2p/deliver"
	"github.com/kuvert-im/kuvert/p2p/hello"
	"github.com/kuvert-im/kuvert/p2p/status"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

// A link is one machine that is connected, by one connection or several: two
// machines that dial each other at once have two.
type link struct {
	id     peer.ID
	key    HostKey
	from   netip.Addr // of the first connection
	since  time.Time
	sender *deliver.Sender

	// Guarded by Node.mu.
	conns map[network.Conn]*pulse
	met   chan struct{} // closed at the first recognition
	refs  []string      // who was recognised, the latest last
	greet chan struct{} // our hello under way; closed at its end
	held  int           // pairings and probes that need no recognition
	came  bool          // it has dialled us
	at    string        // from where, "" through a relay
}

// A pulse is when a connection last gave a sign of life and was last pinged, in
// unix nanoseconds, and for a direct one beside relayed ones when it first answered.
type pulse struct {
	heard, ping, proven atomic.Int64
	seen                atomic.Pointer[netip.AddrPort] // our address as the other side sees it
}

// quiet tells for how long nothing was heard of a connection nor asked of it.
func (p *pulse) quiet(now time.Time) time.Duration {
	return now.Sub(time.Unix(0, max(p.heard.Load(), p.ping.Load())))
}

// alive notes a sign of life of a connection.
func (n *Node) alive(c network.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.links[c.RemotePeer()]; l != nil && l.conns[c] != nil {
		l.conns[c].heard.Store(time.Now().UnixNano())
	}
}

// errGone says that a connection ended meanwhile.
var errGone = errors.New("node: connection ended")

func (n *Node) connected(c network.Conn) {
	key, ok := keyOf(c.RemotePeer())
	if !ok {
		_ = c.Close()
		return
	}
	n.mu.Lock()
	l := n.links[c.RemotePeer()]
	if l == nil {
		l = &link{id: c.RemotePeer(), key: key, from: wire.AddrOf(c.RemoteMultiaddr()), since: time.Now(), met: make(chan struct{}), conns: map[network.Conn]*pulse{}}
		l.sender = deliver.NewSender(func(ctx context.Context) (network.Stream, error) {
			return n.open(ctx, l.id, deliver.ID)
		})
		n.links[l.id] = l
	}
	p := &pulse{}
	p.heard.Store(time.Now().UnixNano())
	older := maps.Clone(l.conns)
	l.conns[c] = p
	if c.Stat().Direction == network.DirInbound {
		l.came, l.at = true, placeOf(c.RemoteMultiaddr(), network.DirInbound)
		n.incoming = n.incoming || direct(c.RemoteMultiaddr())
	}
	victim := n.crowdedLocked(l)
	n.mu.Unlock()
	n.beside(l, c, p, older)
	if victim != nil {
		n.log.Debug("too many connections without recognition, closing the oldest")
		go n.closePeer(victim.id) // swarm must not be called from its own notification
	}
}

// beside looks after the connections that a machine has besides a fresh one. Who
// connects again may have lost the old one: that is found out at once, and not when
// an answer is overdue. From a relay one moves to a direct connection.
func (n *Node) beside(l *link, fresh network.Conn, p *pulse, older map[network.Conn]*pulse) {
	through := false
	for c, op := range older {
		if relayed(c) && !relayed(fresh) {
			through = true
			continue
		}
		n.spawn(func(ctx context.Context) { n.check(ctx, c, op, besidePatience) })
	}
	if through {
		n.spawn(func(ctx context.Context) { n.moveOver(ctx, l, fresh, p) })
	}
}

// crowdedLocked returns which unrecognised link must go for a new one, if any:
// the oldest of the same address if that holds too many, else the oldest of all.
func (n *Node) crowdedLocked(fresh *link) *link {
	var all, same int
	var oldest, oldestSame *link
	for _, l := range n.links {
		if n.neededLocked(l) {
			continue
		}
		all++
		oldest = older(oldest, l)
		if l.from == fresh.from {
			same++
			oldestSame = older(oldestSame, l)
		}
	}
	switch {
	case same > n.cfg.Limits.UnknownConnsPerAddr:
		return oldestSame
	case all > n.cfg.Limits.UnknownConns:
		return oldest
	}
	return nil
}

func older(a, b *link) *link {
	if a == nil || b.since.Before(a.since) {
		return b
	}
	return a
}

func (n *Node) disconnected(c network.Conn) {
	n.mu.Lock()
	l := n.links[c.RemotePeer()]
	if l == nil {
		n.mu.Unlock()
		return
	}
	if delete(l.conns, c); len(l.conns) > 0 {
		n.expectUpgradeLocked(l)
		ref, fell := "", !relayed(c) && l.relayedLocked() && len(l.refs) > 0
		if fell {
			ref = l.refs[len(l.refs)-1]
		}
		n.mu.Unlock()
		if fell { // the other side learns by it that the direct connection is gone
			n.spawn(func(ctx context.Context) { n.exchange(ctx, l, ref) })
		}
		return
	}
	delete(n.links, l.id)
	refs := slices.Clone(l.refs)
	for _, ref := range refs {
		n.unlinkLocked(ref, l)
	}
	silent := len(refs) > 0 || !l.came || n.dialledBackLocked(l)
	n.mu.Unlock()
	if !silent {
		n.report(contacted{kind: TrafficStranger, host: l.key, addr: l.at})
	}
	n.spawn(func(context.Context) {
		n.stationLost(l.id)
		l.sender.Close()
		for _, ref := range refs {
			n.lost(ref)
			n.retrySoon(ref, l.id)
		}
	})
}

// dialledBackLocked tells whether a link is, or comes from where there is, a station:
// it dials back under another key when it is asked whether we can be reached.
func (n *Node) dialledBackLocked(l *link) bool {
	for id := range n.stations {
		if s := n.links[id]; id == l.id || (s != nil && s.from == l.from && n.asking.busy) {
			return true
		}
	}
	return false
}

func (n *Node) unlinkLocked(ref string, l *link) {
	delete(n.byRef[ref], l.id)
	if len(n.byRef[ref]) == 0 {
		delete(n.byRef, ref)
	}
	l.refs = slices.DeleteFunc(l.refs, func(r string) bool { return r == ref })
}

// lost tells the handler that nobody of a ref is connected any more.
func (n *Node) lost(ref string) {
	o := n.orderOf(ref)
	o.Lock()
	defer o.Unlock()
	n.mu.Lock()
	gone := len(n.byRef[ref]) == 0 && n.told[ref]
	delete(n.told, ref)
	if !gone && len(n.byRef[ref]) > 0 {
		n.told[ref] = true
	}
	n.mu.Unlock()
	if gone {
		n.h.Lost(ref)
	}
}

// recognise tells the handler whom a link is with, then lets frames pass under
// that name.
func (n *Node) recognise(ctx context.Context, l *link, ref string) error {
	addrs := n.reachedAt(ctx, l) // may wait; nobody else has to
	o := n.orderOf(ref)
	o.Lock()
	defer o.Unlock()
	n.reportMet(l, ref)
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	n.h.Recognised(ctx, ref, l.key, addrs)
	n.mu.Lock()
	alive := len(l.conns) > 0
	if alive {
		n.bindLocked(l, ref)
	}
	tell := !alive && !n.told[ref]
	n.mu.Unlock()
	switch {
	case tell:
		n.h.Lost(ref)
		return errGone
	case !alive:
		return errGone
	}
	return nil
}

// bindLocked makes ref the current name of a link.
func (n *Node) bindLocked(l *link, ref string) {
	if len(l.refs) == 0 {
		select {
		case <-l.met:
		default:
			close(l.met)
		}
	}
	l.refs = append(slices.DeleteFunc(l.refs, func(r string) bool { return r == ref }), ref)
	if n.byRef[ref] == nil {
		n.byRef[ref] = make(map[peer.ID]*link)
	}
	n.byRef[ref][l.id] = l
	n.told[ref] = true
	if t := n.targets[ref]; t != nil {
		t.wait, t.next = 0, time.Time{}
	}
	n.expectUpgradeLocked(l)
}

// expectUpgradeLocked lets somebody with whom only relays connect us be tried
// directly in a moment.
func (n *Node) expectUpgradeLocked(l *link) {
	if !l.relayedLocked() {
		return
	}
	for _, ref := range l.refs {
		if t := n.targets[ref]; t != nil && t.next.IsZero() {
			t.next = time.Now().Add(upgradeAfter)
		}
	}
	n.poke()
}

// linkTo returns the link with a connected ref, the latest if there are several,
// or nil.
func (n *Node) linkTo(ref string) *link {
	n.mu.Lock()
	defer n.mu.Unlock()
	var best *link
	for _, l := range n.byRef[ref] {
		if best == nil || l.since.After(best.since) {
			best = l
		}
	}
	return best
}

// refOf returns whom a link is with, "" for a stranger. It waits for the end of
// our own hello: the other side may have recognised us already and send.
func (n *Node) refOf(ctx context.Context, l *link) string {
	for {
		n.mu.Lock()
		greet := l.greet
		ref := ""
		if len(l.refs) > 0 {
			ref = l.refs[len(l.refs)-1]
		}
		n.mu.Unlock()
		if ref != "" || greet == nil {
			return ref
		}
		select {
		case <-greet:
		case <-ctx.Done():
			return ""
		}
	}
}

// known tells whether a link was recognised.
func (n *Node) known(l *link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(l.refs) > 0
}

// is tells whether a link was recognised as ref.
func (n *Node) is(l *link, ref string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(l.refs, ref)
}

// hold keeps a link without recognition until release is called.
func (n *Node) hold(l *link) (release func()) {
	n.mu.Lock()
	l.held++
	n.mu.Unlock()
	return func() {
		n.mu.Lock()
		l.held--
		n.mu.Unlock()
	}
}

// salute runs our hello on a link, expecting a certain ref or, with "", any, and
// then exchanges the status. It returns who was met.
func (n *Node) salute(ctx context.Context, l *link, expect string) (string, error) {
	done, err := n.turnToGreet(ctx, l)
	if err != nil {
		return "", err
	}
	if expect != "" && n.is(l, expect) { // it was quicker
		done()
		return expect, nil
	}
	ref, err := n.greetOnce(ctx, l, expect)
	done()
	if err != nil {
		return "", err
	}
	n.exchange(ctx, l, ref)
	return ref, nil
}

// turnToGreet waits until no other hello of ours runs on the link.
func (n *Node) turnToGreet(ctx context.Context, l *link) (done func(), err error) {
	for {
		n.mu.Lock()
		other := l.greet
		if other == nil {
			mine := make(chan struct{})
			l.greet = mine
			n.mu.Unlock()
			return func() {
				n.mu.Lock()
				l.greet = nil
				n.mu.Unlock()
				close(mine)
			}, nil
		}
		n.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (n *Node) greetOnce(ctx context.Context, l *link, expect string) (string, error) {
	keys, err := n.helloKeys(ctx)
	if err != nil {
		return "", err
	}
	s, err := n.open(ctx, l.id, hello.ID)
	if err != nil {
		return "", err
	}
	ref, err := hello.Dial(ctx, s, keys, expect)
	wire.Close(s, err)
	if err != nil {
		return "", err
	}
	n.alive(s.Conn())
	return ref, n.recognise(ctx, l, ref)
}

func (n *Node) helloKeys(ctx context.Context) (hello.Keys, error) {
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	keys, err := n.h.HelloKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("node: hello keys: %w", err)
	}
	return keys, nil
}

// exchange exchanges the status with a link under a ref. A failure is no reason
// to give the connection up: the next one tells it again.
func (n *Node) exchange(ctx context.Context, l *link, ref string) {
	if err := n.exchangeOnce(ctx, l, ref); err != nil && ctx.Err() == nil {
		n.log.Debug("status was not exchanged", "error", err)
	}
}

func (n *Node) exchangeOnce(ctx context.Context, l *link, ref string) error {
	ctx, cancel := context.WithTimeout(ctx, status.Patience)
	defer cancel()
	own, err := n.h.Status(ctx, ref)
	if err != nil {
		return fmt.Errorf("node: own status: %w", err)
	}
	s, err := n.open(ctx, l.id, status.ID)
	if err != nil {
		return err
	}
	theirs, err := status.Exchange(ctx, s, own)
	wire.Close(s, err)
	if err != nil {
		return err
	}
	n.alive(s.Conn())
	return n.onStatus(ctx, ref, theirs)
}

func (n *Node) onStatus(ctx context.Context, ref string, theirs []byte) error {
	if len(theirs) == 0 {
		return nil
	}
	if err := n.h.OnStatus(ctx, ref, theirs); err != nil {
		return fmt.Errorf("node: status: %w", err)
	}
	return nil
}

// open opens a stream to a connected machine; it never dials.
func (n *Node) open(ctx context.Context, id peer.ID, proto protocol.ID) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(limited(network.WithNoDial(ctx, "connected only")), wire.Patience)
	defer cancel()
	s, err := n.host.NewStream(ctx, id, proto)
	if err != nil {
		return nil, fmt.Errorf("node: open %s: %w", proto, err)
	}
	return s, nil
}

func (n *Node) closePeer(id peer.ID) { _ = n.host.Network().ClosePeer(id) }
