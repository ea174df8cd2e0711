// Package netport is the network as the core wants it: p2p/node and app/core
// know nothing of each other, and this package is the little that lies between.
// The programs and the simulated network of the tests use the same one.
package netport

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/p2p/mailbox"
	"github.com/kuvert-im/kuvert/p2p/node"
)

// maxGuests bounds of how many guests' machines the addresses are remembered.
const maxGuests = 64

// A Transport is a *node.Node as the core wants it.
type Transport struct {
	*node.Node
	up func()

	// Set by Run.
	ctx  context.Context //nolint:containedctx // the life of Run, for Rebind, which has none
	core core.TransportHandler

	mu     sync.Mutex
	guests map[node.HostKey][]string // addresses of machines that were recognised
}

var (
	_ core.Transport = (*Transport)(nil)
	_ node.Handler   = (*handler)(nil)
)

// New makes a core's network of a node. up, if not nil, is called once, when the
// node is up.
func New(n *node.Node, up func()) *Transport {
	if up == nil {
		up = func() {}
	}
	return &Transport{Node: n, up: sync.OnceFunc(up), guests: map[node.HostKey][]string{}}
}

// Run implements core.Transport.
func (t *Transport) Run(ctx context.Context, h core.TransportHandler) error {
	t.ctx, t.core = ctx, h
	return t.Node.Run(ctx, &handler{h, t})
}

// Rebind implements core.Transport. The core takes a contact as connected when
// it is told of the recognition; a node tells it of the first name alone.
func (t *Transport) Rebind(host core.HostKey, from, to string) {
	t.Node.Rebind(host, from, to)
	if from == to || !t.Node.Connected(to) {
		return
	}
	t.mu.Lock()
	addrs := t.guests[host]
	t.mu.Unlock()
	t.core.Recognised(t.ctx, to, host, addrs)
	if !t.Node.Connected(to) {
		t.core.Lost(to) // the node's own word may have come before
	}
}

// remember keeps the addresses of a machine until it may be given a new name.
func (t *Transport) remember(host core.HostKey, addrs []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.guests) >= maxGuests {
		clear(t.guests)
	}
	t.guests[host] = addrs
}

// State implements core.Transport.
func (t *Transport) State() core.TransportState {
	s := t.Node.State()
	return core.TransportState{
		Online: s.Online, Port: s.Port, PortTaken: s.PortTaken, NoMulticast: s.NoMulticast, Incoming: s.Incoming,
		Reachable: core.Tristate(s.Reachable), NAT: s.NAT, Outside: s.Outside, Mapped: s.Mapped,
	}
}

// Follow implements core.Transport.
func (t *Transport) Follow(ref string, hosts map[core.HostKey][]string, via []core.Node) {
	t.Node.Follow(ref, hosts, stations(via))
}

// PairDial implements core.Transport.
func (t *Transport) PairDial(ctx context.Context, host core.HostKey) (core.PairStream, error) {
	s, err := t.Node.PairDial(ctx, host)
	return s, networkError(err)
}

// Deliver implements core.Transport.
func (t *Transport) Deliver(ctx context.Context, ref string, frames [][]byte) ([]byte, error) {
	answers, err := t.Node.Deliver(ctx, ref, frames)
	return answers, networkError(err)
}

// FetchBundle implements core.Transport.
func (t *Transport) FetchBundle(ctx context.Context, ref string) ([]byte, error) {
	b, err := t.Node.FetchBundle(ctx, ref)
	return b, networkError(err)
}

// SendStatus implements core.Transport.
func (t *Transport) SendStatus(ctx context.Context, ref string) error {
	return networkError(t.Node.SendStatus(ctx, ref))
}

// networkError gives the network's own errors the sentinels of the domain.
func networkError(err error) error {
	for _, known := range []struct{ from, to error }{
		{node.ErrNotConnected, chat.ErrUnreachable},
		{node.ErrNotFound, chat.ErrUnreachable},
		{mailbox.ErrBusy, chat.ErrUnreachable},
		{mailbox.ErrFailed, chat.ErrUnreachable},
		{mailbox.ErrAnswer, chat.ErrUnreachable},
		{mailbox.ErrRefused, chat.ErrRefused},
		{mailbox.ErrQuota, chat.ErrQuota},
		{mailbox.ErrNotFound, chat.ErrNotFound},
	} {
		if errors.Is(err, known.from) {
			return fmt.Errorf("%w: %w", known.to, err)
		}
	}
	return err
}

// handler is the core as a node wants it.
type handler struct {
	core.TransportHandler
	transport *Transport
}

// Recognised implements node.Handler.
func (h *handler) Recognised(ctx context.Context, ref string, host node.HostKey, addrs []string) {
	h.transport.remember(host, addrs)
	h.TransportHandler.Recognised(ctx, ref, host, addrs)
}

// Nearby implements node.Handler.
func (h *handler) Nearby(host node.HostKey, name string) { h.Visible(host, name) }

// PairAccepted implements node.Handler.
func (h *handler) PairAccepted(ctx context.Context, host node.HostKey, s node.PairStream) error {
	return h.TransportHandler.PairAccepted(ctx, host, s)
}

// NetworkChanged implements node.Handler.
func (h *handler) NetworkChanged() {
	h.transport.up()
	h.TransportHandler.NetworkChanged()
}
