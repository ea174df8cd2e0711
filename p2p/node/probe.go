package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/discovery"
	"github.com/kuvert-im/kuvert/p2p/hello"
	"github.com/kuvert-im/kuvert/p2p/pair"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

// A sighting is a machine seen nearby. Guarded by Node.mu.
type sighting struct {
	addrs  []ma.Multiaddr
	seen   time.Time
	next   time.Time // when to look at it; zero waits for an event
	busy   bool
	hello  time.Time // of the last hello
	name   string    // its visible name, reported to the handler
	missed int       // times in a row that a visible machine did not answer
	knows  string    // what it was told of our name
}

// found takes a report of the discovery.
func (n *Node) found(info peer.AddrInfo) {
	addrs := ma.FilterAddrs(info.Addrs, direct, func(a ma.Multiaddr) bool { return local(wire.AddrOf(a)) || n.isTried(wire.AddrOf(a)) })
	if info.ID == n.id || !ed25519Peer(info.ID) || len(addrs) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sightLocked(info.ID)
	s.seen = time.Now()
	s.addrs = ma.Unique(append(addrs[:min(len(addrs), maxAddrs)], s.addrs...))
	s.addrs = s.addrs[:min(len(s.addrs), maxAddrs)]
	if st := n.stations[info.ID]; st != nil && st.own && n.links[info.ID] == nil {
		st.poke()
	}
	if n.followedLocked(info.ID) {
		n.poke()
		return
	}
	if s.next.IsZero() && time.Since(s.hello) > probeAgain {
		s.next = time.Now().Add(3 * n.courtesy(info.ID))
		n.poke()
	}
}

// sightLocked returns the sighting of a machine; a full table forgets the oldest.
func (n *Node) sightLocked(id peer.ID) *sighting {
	if s := n.sights[id]; s != nil {
		return s
	}
	if len(n.sights) >= maxSightings {
		var oldest peer.ID
		for k, s := range n.sights {
			if o := n.sights[oldest]; !s.busy && s.name == "" && (o == nil || s.seen.Before(o.seen)) {
				oldest = k
			}
		}
		delete(n.sights, oldest)
	}
	s := &sighting{}
	n.sights[id] = s
	return s
}

// followedLocked lets every target that has this machine be tried soon, and tells
// whether there is one.
func (n *Node) followedLocked(id peer.ID) bool {
	any := false
	for _, t := range n.targets {
		if _, ok := t.hosts[id]; !ok {
			continue
		}
		any = true
		apart := len(n.byRef[t.ref]) == 0 || n.onlyRelayedLocked(t.ref)
		if apart && (t.next.IsZero() || t.wait > redialMin) {
			t.soon(n.courtesy(id))
		}
	}
	return any
}

// dueProbesLocked takes the machines to be looked at now.
func (n *Node) dueProbesLocked(now time.Time) (due []peer.ID, next time.Duration) {
	next = idleWait
	if now.Sub(n.probedAt) >= minute {
		n.probed, n.probedAt = 0, now
	}
	for id, s := range n.sights {
		if s.busy || s.next.IsZero() {
			continue
		}
		if wait := s.next.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		if n.probes >= maxProbes {
			continue // the end of one wakes the loop
		}
		if n.probed >= maxProbeRate {
			next = min(next, n.probedAt.Add(minute).Sub(now))
			continue
		}
		s.busy, s.next = true, time.Time{}
		n.probes++
		n.probed++
		due = append(due, id)
	}
	return due, next
}

// probe looks at a machine seen nearby: whether it is somebody's, and who is
// visible.
func (n *Node) probe(ctx context.Context, id peer.ID) {
	err := n.lookAt(ctx, id)
	if err != nil {
		n.log.Debug("machine nearby was not looked at", "error", err)
	}
	n.nearby.Lock()
	defer n.nearby.Unlock()
	n.mu.Lock()
	n.probes--
	gone := false
	if s := n.sights[id]; s != nil {
		gone = s.looked(err)
	}
	n.mu.Unlock()
	if gone {
		key, _ := keyOf(id)
		n.h.Nearby(key, "")
	}
	n.poke()
}

// looked notes the end of a probe and tells whether a visible machine is gone.
func (s *sighting) looked(err error) (gone bool) {
	s.busy = false
	if err == nil {
		s.missed = 0
	} else {
		s.missed++
	}
	visible := s.name != ""
	if s.missed >= maxMissed {
		s.name, s.knows, s.missed = "", "", 0
		return visible
	}
	switch {
	case !s.next.IsZero(): // something happened meanwhile
	case err != nil:
		s.next = time.Now().Add(probeRetry)
	case visible:
		s.next = time.Now().Add(askAgain)
	}
	return false
}

func (n *Node) lookAt(ctx context.Context, id peer.ID) error {
	l, err := n.reach(ctx, id, nil, nil)
	if err != nil {
		return err
	}
	// The connection is left to its grace: the other side may be asking, too.
	defer n.hold(l)()
	if err := n.meet(ctx, l); err != nil {
		return err
	}
	if err := n.askName(ctx, l); err != nil {
		return err
	}
	return n.tellName(ctx, l)
}

// meet runs a hello with anybody, unless one was run lately.
func (n *Node) meet(ctx context.Context, l *link) error {
	n.mu.Lock()
	s := n.sights[l.id]
	skip := len(l.refs) > 0 || s == nil || time.Since(s.hello) < probeAgain
	n.mu.Unlock()
	if skip {
		return nil
	}
	if _, err := n.salute(ctx, l, ""); err != nil && !errors.Is(err, hello.ErrUnknown) {
		return err
	}
	n.mu.Lock()
	s.hello = time.Now()
	n.mu.Unlock()
	return nil
}

func (n *Node) askName(ctx context.Context, l *link) error {
	s, err := n.open(ctx, l.id, pair.ID)
	if err != nil {
		return err
	}
	name, err := pair.Ask(ctx, s)
	wire.Close(s, err)
	if err != nil {
		return err
	}
	n.toldName(l, name)
	return nil
}

// tellName tells a machine our visible name if it was told another one.
func (n *Node) tellName(ctx context.Context, l *link) error {
	n.mu.Lock()
	name := n.name
	s := n.sights[l.id]
	same := s == nil || s.knows == name
	n.mu.Unlock()
	if same {
		return nil
	}
	st, err := n.open(ctx, l.id, pair.ID)
	if err != nil {
		return err
	}
	err = pair.Tell(ctx, st, name)
	wire.Close(st, err)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s.knows = name
	if n.name != name { // it changed meanwhile
		s.next = time.Now()
	}
	return nil
}

// toldName takes the visible name of a machine, "" if it hides.
func (n *Node) toldName(l *link, name string) {
	if !utf8.ValidString(name) {
		return
	}
	addrs := parseAddrs(n.reachedAt(n.ctx, l))
	n.nearby.Lock()
	defer n.nearby.Unlock()
	n.mu.Lock()
	changed := n.renameLocked(l.id, name, addrs)
	n.mu.Unlock()
	if changed {
		n.h.Nearby(l.key, name)
		n.poke()
	}
}

// renameLocked notes the visible name of a machine and tells whether it changed.
func (n *Node) renameLocked(id peer.ID, name string, addrs []ma.Multiaddr) bool {
	s := n.sights[id]
	if s == nil && name == "" {
		return false
	}
	if s == nil {
		s = n.sightLocked(id)
		s.addrs, s.seen = addrs, time.Now()
	}
	if s.name == name || (s.name == "" && n.visibleLocked() >= maxVisible) {
		return false
	}
	s.name = name
	if name != "" && !s.busy && s.next.IsZero() {
		s.next = time.Now().Add(askAgain)
	}
	return true
}

func (n *Node) visibleLocked() (count int) {
	for _, s := range n.sights {
		if s.name != "" {
			count++
		}
	}
	return count
}

// nameFor returns our visible name for a machine that asks, and notes that it
// knows it, so that it is told when we hide.
func (n *Node) nameFor(ctx context.Context, l *link) string {
	addrs := parseAddrs(n.reachedAt(ctx, l))
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sights[l.id]
	if s == nil && n.name != "" {
		s = n.sightLocked(l.id)
		s.addrs, s.seen = addrs, time.Now()
	}
	if s != nil {
		s.knows = n.name
	}
	return n.name
}

// Show makes this person's name visible in the network, "" hides it.
func (n *Node) Show(name string) {
	name = cut(name)
	n.mu.Lock()
	n.name = name
	for _, s := range n.sights {
		if name != s.knows {
			s.next = time.Now()
		}
	}
	n.mu.Unlock()
	n.poke()
}

// cut shortens a name to what the protocol carries, at a character's end.
func cut(name string) string {
	name = strings.ToValidUTF8(name, "")
	for len(name) > pair.MaxName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}

// A pairing that could not be opened is tried again pairTries times.
const (
	pairTries = 2
	pairPause = 300 * time.Millisecond
)

// PairDial opens the pairing protocol with a visible machine.
func (n *Node) PairDial(ctx context.Context, host HostKey) (PairStream, error) {
	if !n.isUp() {
		return nil, ErrNotConnected
	}
	id, err := peerID(host)
	if err != nil {
		return nil, err
	}
	for range pairTries {
		if s, err := n.pairWith(ctx, id); err == nil || ctx.Err() != nil || errors.Is(err, ErrBusy) || errors.Is(err, ErrNotFound) {
			return s, err
		}
		sleep(ctx, pairPause) // the connection was just being closed as not needed
	}
	return n.pairWith(ctx, id)
}

func (n *Node) pairWith(ctx context.Context, id peer.ID) (PairStream, error) {
	l, err := n.reach(ctx, id, nil, nil)
	if err != nil {
		return nil, err
	}
	release, err := n.beginPairing(l)
	if err != nil {
		return nil, err
	}
	p, err := n.pairOn(ctx, l)
	if err != nil {
		release()
		return nil, err
	}
	p.OnClose(release)
	return p, nil
}

func (n *Node) pairOn(ctx context.Context, l *link) (*pair.Stream, error) {
	s, err := n.open(ctx, l.id, pair.ID)
	if err != nil {
		return nil, err
	}
	if err := s.Scope().SetService(pair.Service); err != nil {
		_ = s.Reset()
		return nil, fmt.Errorf("node: pair: %w", err)
	}
	p, err := pair.Dial(s)
	if err != nil {
		_ = s.Reset()
		return nil, err
	}
	return p, nil
}

// TryAddrs replaces the addresses where others are looked for besides the own
// network: IPv4 addresses or ranges like 192.168.3.0/24, at most
// discovery.MaxTries in all; discovery.ErrRange for anything else, and in LAN-only
// mode for what is not private. Machines found there are treated as those found by
// broadcast.
func (n *Node) TryAddrs(list []string) error {
	ranges, err := discovery.ParseRanges(list)
	if err != nil {
		return fmt.Errorf("node: %w", err)
	}
	if n.gate.lanOnly.Load() {
		if i := slices.IndexFunc(ranges, func(p netip.Prefix) bool { return !local(p.Addr()) }); i >= 0 {
			return fmt.Errorf("node: %w: %s is outside this network", discovery.ErrRange, ranges[i])
		}
	}
	n.mu.Lock()
	n.tries = ranges
	n.mu.Unlock()
	n.passTries()
	return nil
}

// passTries tells the discovery what to try, if it can.
func (n *Node) passTries() {
	n.mu.Lock()
	disc, ranges := n.disc, n.tries
	n.mu.Unlock()
	if d, ok := disc.(interface{ Try(ranges []netip.Prefix) }); ok {
		d.Try(ranges)
	}
}

// isTried tells whether an address is one of TryAddrs and may be contacted now.
func (n *Node) isTried(a netip.Addr) bool {
	n.mu.Lock()
	ranges := n.tries
	n.mu.Unlock()
	return n.mayTry(a) && slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(a) })
}

func (n *Node) mayTry(a netip.Addr) bool { return !n.gate.lanOnly.Load() || local(a) }
