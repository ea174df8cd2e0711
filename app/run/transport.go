package run

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"

	"github.com/libp2p/go-libp2p/gologshim"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/p2p/node"
)

// ErrListen: Options.Listen is not an address that can be listened on.
var ErrListen = errors.New("run: not an address to listen on")

// maxGuests bounds of how many guests' machines the addresses are remembered.
const maxGuests = 64

// transport is a *node.Node as the core wants it.
type transport struct {
	*node.Node
	insist bool          // on the port: another one is no help
	up     chan struct{} // closed when the network is up

	// Set by Run.
	ctx  context.Context //nolint:containedctx // the life of Run, for Rebind, which has none
	core core.TransportHandler

	mu     sync.Mutex
	guests map[node.HostKey][]string // addresses of machines that were recognised
}

var (
	_ core.Transport = (*transport)(nil)
	_ node.Handler   = (*handler)(nil)
)

// newTransport makes the network of a profile; it does nothing before Run.
func newTransport(ctx context.Context, o Options, store core.Store, log *slog.Logger) (*transport, error) {
	seed, port, lanOnly, err := core.Endpoint(ctx, store)
	if err != nil {
		return nil, err
	}
	// The library's own log holds addresses of machines.
	gologshim.SetDefaultHandler(slog.DiscardHandler)
	cfg := node.Config{
		HostKey: ed25519.NewKeyFromSeed(seed[:]), Port: port, LANOnly: lanOnly,
		NoMDNS: o.NoDiscovery, NoBroadcast: o.NoDiscovery, Logger: log,
	}
	t := &transport{up: make(chan struct{}), guests: map[node.HostKey][]string{}}
	if o.Listen != "" {
		if t.insist, err = listenOn(&cfg, o.Listen); err != nil {
			return nil, err
		}
	}
	t.Node, err = node.New(cfg)
	return t, err
}

// listenOn reads Options.Listen. Port 0 means the one used last.
func listenOn(cfg *node.Config, addr string) (insist bool, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrListen, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrListen, err)
	}
	switch host {
	case "", "0.0.0.0", "::":
	case "localhost", "127.0.0.1", "::1":
		cfg.Loopback = true
	default:
		return false, fmt.Errorf("%w: host %q", ErrListen, host)
	}
	if n != 0 {
		cfg.Port = int(n)
	}
	return n != 0, nil
}

// Run implements core.Transport.
func (t *transport) Run(ctx context.Context, h core.TransportHandler) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.ctx, t.core = ctx, h
	isUp := sync.OnceFunc(func() {
		if t.insist && t.Node.State().PortTaken {
			cancel(chat.ErrPortTaken)
			return
		}
		close(t.up)
	})
	err := t.Node.Run(ctx, &handler{h, t, isUp})
	if errors.Is(context.Cause(ctx), chat.ErrPortTaken) {
		return chat.ErrPortTaken
	}
	return err
}

// started waits for the network, remembers its port and reports it ready.
func (t *transport) started(ctx context.Context, c *core.Core, ready func()) error {
	select {
	case <-ctx.Done():
		return nil
	case <-t.up:
	}
	if err := c.KeepPort(ctx, t.Node.State().Port); err != nil && ctx.Err() == nil {
		return fmt.Errorf("run: remember the port: %w", err)
	}
	if ready != nil {
		ready()
	}
	return nil
}

// Rebind implements core.Transport. The core takes a contact as connected when
// it is told of the recognition; a node tells it of the first name alone.
func (t *transport) Rebind(host core.HostKey, from, to string) {
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
func (t *transport) remember(host core.HostKey, addrs []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.guests) >= maxGuests {
		clear(t.guests)
	}
	t.guests[host] = addrs
}

// State implements core.Transport.
func (t *transport) State() core.TransportState { return core.TransportState(t.Node.State()) }

// PairDial implements core.Transport.
func (t *transport) PairDial(ctx context.Context, host core.HostKey) (core.PairStream, error) {
	s, err := t.Node.PairDial(ctx, host)
	return s, networkError(err)
}

// Deliver implements core.Transport.
func (t *transport) Deliver(ctx context.Context, ref string, frames [][]byte) ([]byte, error) {
	answers, err := t.Node.Deliver(ctx, ref, frames)
	return answers, networkError(err)
}

// FetchBundle implements core.Transport.
func (t *transport) FetchBundle(ctx context.Context, ref string) ([]byte, error) {
	b, err := t.Node.FetchBundle(ctx, ref)
	return b, networkError(err)
}

// SendStatus implements core.Transport.
func (t *transport) SendStatus(ctx context.Context, ref string) error {
	return networkError(t.Node.SendStatus(ctx, ref))
}

// networkError gives the network's own errors the sentinels of the domain.
func networkError(err error) error {
	if errors.Is(err, node.ErrNotConnected) || errors.Is(err, node.ErrNotFound) {
		return fmt.Errorf("%w: %w", chat.ErrUnreachable, err)
	}
	return err
}

// handler is the core as a node wants it.
type handler struct {
	core.TransportHandler
	transport *transport
	changed   func()
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
	h.changed()
	h.TransportHandler.NetworkChanged()
}
