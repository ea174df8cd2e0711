// Package p2ptest is a simulated network for tests: real nodes, real go-libp2p
// and real QUIC over packets that are carried in memory, with loss, duplicates,
// delay, partitions, address changes and pulled plugs.
//
// It is made to run inside testing/synctest, where minutes pass in milliseconds:
// make the Network, the machines and the nodes inside the bubble, and end the
// nodes before the bubble ends. Runs are not replayable from a seed, because
// go-libp2p draws randomness of its own; the seed decides the faults alone.
package p2ptest

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/marcopolo/simnet"
)

// port is the port of every machine.
const port = 8000

// bandwidth of each machine's link, in bits per second.
const bandwidth = 100_000_000

// A Network carries packets between its machines.
type Network struct {
	sim *simnet.Simnet

	mu       sync.Mutex
	rng      *rand.Rand
	machines []*Machine
	blocked  map[[2]*Machine]bool // from, to
	loss     float64
	dup      float64
	damage   float64
	minDelay time.Duration
	maxDelay time.Duration
	count    Stats
}

// Stats counts packets.
type Stats struct{ Sent, Lost, Duplicated, Damaged int }

// NewNetwork returns a network that ends with the test.
func NewNetwork(t testing.TB, seed uint64) *Network {
	n := &Network{
		rng:      rand.New(rand.NewPCG(seed, seed)),
		blocked:  make(map[[2]*Machine]bool),
		minDelay: time.Millisecond, maxDelay: 5 * time.Millisecond,
	}
	n.sim = &simnet.Simnet{
		LatencyFunc: func(*simnet.Packet) time.Duration { return n.delay() },
		Logger:      slog.New(slog.DiscardHandler), // packets to machines that are off
	}
	n.sim.Start()
	t.Cleanup(n.sim.Close)
	return n
}

// Machine adds a machine with the next free address, 10.0.0.1 and up.
func (n *Network) Machine(name string) *Machine {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := &Machine{Name: name, net: n, addr: n.freshLocked()}
	n.machines = append(n.machines, m)
	return m
}

func (n *Network) freshLocked() netip.Addr {
	a := netip.AddrFrom4([4]byte{10, 0, 0, 0})
	for taken := true; taken; {
		a = a.Next()
		taken = slices.ContainsFunc(n.machines, func(m *Machine) bool { return m.addr == a || slices.Contains(m.left, a) })
	}
	return a
}

// SetLoss and SetDuplicates set the share of packets that get lost or come twice.
func (n *Network) SetLoss(share float64) { n.set(func() { n.loss = share }) }

// SetDuplicates sets the share of packets that come twice.
func (n *Network) SetDuplicates(share float64) { n.set(func() { n.dup = share }) }

// SetDamage sets the share of packets of which a bit is flipped or the end is cut
// off.
func (n *Network) SetDamage(share float64) { n.set(func() { n.damage = share }) }

// harm returns a packet as it arrives.
func (n *Network) harm(b []byte) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(b) == 0 || n.rng.Float64() >= n.damage {
		return b
	}
	n.count.Damaged++
	b = slices.Clone(b)
	if n.rng.IntN(2) == 0 {
		return b[:n.rng.IntN(len(b))]
	}
	b[n.rng.IntN(len(b))] ^= 1 << n.rng.IntN(8)
	return b
}

// SetDelay sets how long a packet takes one way, which also reorders them.
func (n *Network) SetDelay(from, to time.Duration) {
	n.set(func() { n.minDelay, n.maxDelay = from, max(from, to) })
}

// Cut ends all traffic between two machines, in both directions.
func (n *Network) Cut(a, b *Machine) {
	n.set(func() { n.blocked[[2]*Machine{a, b}], n.blocked[[2]*Machine{b, a}] = true, true })
}

// CutOneWay ends the traffic from one machine to another alone.
func (n *Network) CutOneWay(from, to *Machine) {
	n.set(func() { n.blocked[[2]*Machine{from, to}] = true })
}

// Heal mends everything that was cut. Pulled plugs stay pulled.
func (n *Network) Heal() { n.set(func() { clear(n.blocked) }) }

// Stats returns the packets so far.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count
}

func (n *Network) set(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

func (n *Network) delay() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.maxDelay <= n.minDelay {
		return n.minDelay
	}
	return n.minDelay + time.Duration(n.rng.Int64N(int64(n.maxDelay-n.minDelay)))
}

// fate decides what becomes of a packet.
func (n *Network) fate(from *Machine, to netip.Addr) (lost, twice bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count.Sent++
	dst := n.atLocked(to)
	if dst == nil || !n.passesLocked(from, dst) || n.rng.Float64() < n.loss {
		n.count.Lost++
		return true, false
	}
	if n.rng.Float64() < n.dup {
		n.count.Duplicated++
		return false, true
	}
	return false, false
}

func (n *Network) passesLocked(from, to *Machine) bool {
	return !from.unplugged && !to.unplugged && !n.blocked[[2]*Machine{from, to}]
}

func (n *Network) atLocked(a netip.Addr) *Machine {
	for _, m := range n.machines {
		if m.addr == a {
			return m
		}
	}
	return nil
}
