package wire

import (
	"net/netip"
	"sync"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// maxTracked bounds the table of a Limiter. A flood from more addresses than
// this makes it forget the oldest ones, never grow.
const maxTracked = 4096

// A Limiter counts what an address did within the last window. One IPv4 address
// and one IPv6 /64 count as one, as that is what one machine can choose from.
type Limiter struct {
	limit  int
	window time.Duration

	mu    sync.Mutex
	count map[netip.Prefix]tally
}

type tally struct {
	from time.Time // start of the window
	n    int
}

// NewLimiter returns a Limiter that allows limit events in each window.
func NewLimiter(limit int, window time.Duration) *Limiter {
	return &Limiter{limit: limit, window: window, count: make(map[netip.Prefix]tally)}
}

// Allow counts one event of an address and tells whether it is within the limit.
func (l *Limiter) Allow(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := group(from)
	t := l.currentLocked(key)
	t.n++
	l.count[key] = t
	return t.n <= l.limit
}

// Count returns how many events of an address were counted in its window.
func (l *Limiter) Count(from netip.Addr) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.currentLocked(group(from)).n
}

func (l *Limiter) currentLocked(key netip.Prefix) tally {
	now := time.Now()
	t, known := l.count[key]
	if known && now.Sub(t.from) < l.window {
		return t
	}
	if !known && len(l.count) >= maxTracked {
		l.forgetLocked(now)
	}
	return tally{from: now}
}

// forgetLocked drops what is out of date, and if nothing is, the oldest entry.
func (l *Limiter) forgetLocked(now time.Time) {
	var oldest netip.Prefix
	first := now
	for k, t := range l.count {
		if now.Sub(t.from) >= l.window {
			delete(l.count, k)
			continue
		}
		if !t.from.After(first) {
			oldest, first = k, t.from
		}
	}
	if len(l.count) >= maxTracked {
		delete(l.count, oldest)
	}
}

func group(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// AddrOf returns the IP address in a multiaddr, or the zero Addr if it has none.
func AddrOf(m ma.Multiaddr) netip.Addr {
	if m == nil {
		return netip.Addr{}
	}
	ip, err := manet.ToIP(m)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}
