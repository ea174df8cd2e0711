package server

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// What counts as one address: what one machine can choose from.
const (
	ipv4Bits = 32
	ipv6Bits = 64
)

// guard bounds the connections of strangers. Members are not in its table.
type guard struct {
	limits     Limits
	authorised func(peer.ID) bool

	mu     sync.Mutex
	visits map[network.Conn]*visit
	closed uint64 // strangers' connections that were closed for being idle or too many
}

// visit is one connection of a stranger.
type visit struct {
	from netip.Prefix
	used time.Time // last: connected, or a request began or ended
	open int       // requests under way
}

func newGuard(l Limits, authorised func(peer.ID) bool) *guard {
	return &guard{limits: l, authorised: authorised, visits: make(map[network.Conn]*visit)}
}

// connected takes a new connection in, and closes another one if there are too many.
func (g *guard) connected(c network.Conn) {
	if g.authorised(c.RemotePeer()) {
		return
	}
	from := addrGroup(wire.AddrOf(c.RemoteMultiaddr()))
	g.mu.Lock()
	g.visits[c] = &visit{from: from, used: time.Now()}
	g.mu.Unlock()
	if c.IsClosed() { // before it was in the table
		g.disconnected(c)
	}
	if !g.crowded(from) {
		return
	}
	g.forgetMembers()
	if victim := g.surplus(from, c); victim != nil {
		g.close(victim)
	}
}

// close closes a stranger's connection that is not in the table any more.
func (g *guard) close(c network.Conn) {
	g.mu.Lock()
	g.closed++
	g.mu.Unlock()
	_ = c.Close()
}

func (g *guard) disconnected(c network.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.visits, c)
}

func (g *guard) crowded(from netip.Prefix) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	ofAddr, ofAll := g.crowdedLocked(from)
	return ofAddr || ofAll
}

func (g *guard) crowdedLocked(from netip.Prefix) (ofAddr, ofAll bool) {
	same := 0
	for _, v := range g.visits {
		if v.from == from {
			same++
		}
	}
	return same > g.limits.StrangersPerAddr, len(g.visits) > g.limits.Strangers
}

// surplus takes the connection out of the table that is to be closed for another one
// of the same address, nil if there is room.
func (g *guard) surplus(from netip.Prefix, fresh network.Conn) network.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	ofAddr, ofAll := g.crowdedLocked(from)
	if !ofAddr && !ofAll {
		return nil
	}
	var worst network.Conn
	for c, v := range g.visits {
		if c != fresh && (!ofAddr || v.from == from) && (worst == nil || v.before(g.visits[worst])) {
			worst = c
		}
	}
	delete(g.visits, worst)
	return worst
}

// before tells whether a visit is given up sooner than another: without a request
// under way first, then the one that was used longest ago.
func (v *visit) before(o *visit) bool {
	if (v.open == 0) != (o.open == 0) {
		return v.open == 0
	}
	return v.used.Before(o.used)
}

// begin notes a request on a connection and tells whether it may have one more; end
// notes its end, and whether it made the stranger a member.
func (g *guard) begin(c network.Conn) (end func(), ok bool) {
	ok = g.note(c, 1) <= strangerStreams || g.authorised(c.RemotePeer())
	return func() {
		if g.authorised(c.RemotePeer()) {
			g.disconnected(c) // a member from now on
			return
		}
		g.note(c, -1)
	}, ok
}

// note counts requests of a stranger and returns how many there are.
func (g *guard) note(c network.Conn, requests int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.visits[c]
	if v == nil {
		return 0
	}
	v.open += requests
	v.used = time.Now()
	return v.open
}

// strangers returns how many there are, and how many were closed so far.
func (g *guard) strangers() (now int, closed uint64) {
	g.forgetMembers()
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.visits), g.closed
}

// forgetMembers takes those out of the table who proved the token on a stream that
// is still open.
func (g *guard) forgetMembers() {
	g.mu.Lock()
	all := slices.Collect(maps.Keys(g.visits))
	g.mu.Unlock()
	for _, c := range all {
		if g.authorised(c.RemotePeer()) {
			g.disconnected(c)
		}
	}
}

// run closes connections of strangers that were idle for too long.
func (g *guard) run(ctx context.Context) {
	t := time.NewTicker(min(sweepEvery, g.limits.Idle))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			g.sweep(time.Now())
		}
	}
}

func (g *guard) sweep(now time.Time) {
	g.forgetMembers()
	var idle []network.Conn
	g.mu.Lock()
	for c, v := range g.visits {
		switch {
		case v.open > 0 || circuits(c) > 0:
			v.used = now
		case now.Sub(v.used) >= g.limits.Idle:
			delete(g.visits, c)
			idle = append(idle, c)
		}
	}
	g.mu.Unlock()
	for _, c := range idle {
		g.close(c)
	}
}

func addrGroup(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := ipv6Bits
	if a.Is4() {
		bits = ipv4Bits
	}
	p, _ := a.Prefix(bits) // the zero prefix for an address that is none
	return p
}
