package apptest

import (
	"crypto/ed25519"
	"log/slog"
	"testing"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run/netport"
	"github.com/kuvert-im/kuvert/p2p/node"
	"github.com/kuvert-im/kuvert/p2p/p2ptest"
)

// RunSimulated runs fn in a world of its own whose people have real nodes on a
// simulated network: World.Sim loses, delays and cuts packets, not frames.
func RunSimulated(t *testing.T, fn func(*World)) {
	t.Helper()
	t.Parallel()
	run(t, func(w *World) (end func()) {
		w.Sim = p2ptest.NewNetwork(w.T, 1)
		return func() {}
	}, fn)
}

// node is a real node on the person's machine, for one start.
func (p *Person) node(seed [32]byte) (core.Transport, error) {
	cfg := p.machine.Config(ed25519.NewKeyFromSeed(seed[:]), p.discovery)
	cfg.Logger = slog.New(slog.DiscardHandler)
	n, err := node.New(cfg)
	if err != nil {
		return nil, err
	}
	return netport.New(n, nil), nil
}

// Machine is the person's computer in a simulated network.
func (p *Person) Machine() *p2ptest.Machine { return p.machine }

// SetDiscovery switches finding others in the network on or off, from the next
// start on.
func (p *Person) SetDiscovery(on bool) { p.discovery = on }
