package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kuvert-im/kuvert/p2p/discovery"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

// A Node is one machine's endpoint. New makes it, Run brings it to life, once.
type Node struct {
	cfg  Config
	log  *slog.Logger
	id   peer.ID
	key  HostKey
	gate *gater

	router                       *router
	traffic                      traffic
	stationDials                 chan struct{} // holds one for each station being dialled for a call
	hellos, frames, pairs, names *wire.Limiter // of one address
	wake                         chan struct{} // wakes the follow loop; holds one

	// order serialises Recognised and Lost of a ref, nearby all of Nearby.
	order  [64]turn
	nearby turn

	// Set by Run before anything is accepted, then never changed.
	h    Handler
	ctx  context.Context //nolint:containedctx // the life of Run, for streams that libp2p hands over
	stop context.CancelFunc
	wg   sync.WaitGroup
	disc Discovery

	mu       sync.Mutex
	running  bool
	closing  bool
	host     host.Host // nil before Run
	up       bool      // it listens
	port     int
	taken    bool
	incoming bool // see State
	links    map[peer.ID]*link
	byRef    map[string]map[peer.ID]*link
	told     map[string]bool // refs of which Recognised was told and Lost was not yet
	targets  map[string]*target
	sights   map[peer.ID]*sighting
	stations map[peer.ID]*station
	out      outside
	keep     keeper
	asking   asking
	tries    []netip.Prefix // of TryAddrs
	probes   int            // under way
	probed   int            // since probedAt
	probedAt time.Time
	dials    int // refs being tried
	pairings int // open in either direction
	name     string
	ifaces   ifaceState
}

// New checks the configuration. Nothing is opened before Run.
func New(cfg Config) (*Node, error) {
	if len(cfg.HostKey) != ed25519.PrivateKeySize {
		return nil, errors.New("node: no host key")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Limits == nil {
		l := DefaultLimits()
		cfg.Limits = &l
	}
	key := HostKey(cfg.HostKey.Public().(ed25519.PublicKey))
	id, err := peerID(key)
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, log: cfg.Logger, id: id, key: key, gate: &gater{}, port: cfg.Port,
		hellos: wire.NewLimiter(cfg.Limits.UnknownHellos, minute),
		frames: wire.NewLimiter(cfg.Limits.UnknownFrames, minute),
		pairs:  wire.NewLimiter(cfg.Limits.Pairings, minute),
		names:  wire.NewLimiter(cfg.Limits.Names, minute),
		wake:   make(chan struct{}, 1),
		nearby: newTurn(), keep: keeper{busy: newTurn()},
		links: make(map[peer.ID]*link), byRef: make(map[string]map[peer.ID]*link), told: make(map[string]bool),
		targets: make(map[string]*target), sights: make(map[peer.ID]*sighting), stations: make(map[peer.ID]*station),
		traffic: traffic{told: make(map[contacted]time.Time)}, stationDials: make(chan struct{}, maxStationDials),
	}
	n.router = &router{never: cfg.NoRouter || cfg.Loopback || cfg.Underlay != nil, asked: n.askedRouter}
	for i := range n.order {
		n.order[i] = newTurn()
	}
	n.gate.lanOnly.Store(cfg.LANOnly)
	n.gate.wants, n.gate.relay, n.gate.dialled, n.gate.came = n.wants, n.isRelay, n.dialled, n.came
	return n, nil
}

// peerID returns the peer ID of a host key.
func peerID(key HostKey) (peer.ID, error) {
	pub, err := crypto.UnmarshalEd25519PublicKey(key[:])
	if err != nil {
		return "", fmt.Errorf("node: host key: %w", err)
	}
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("node: host key: %w", err)
	}
	return id, nil
}

// Run serves until ctx ends. It may be called once.
func (n *Node) Run(ctx context.Context, h Handler) error {
	if err := n.start(ctx, h); err != nil {
		return err
	}
	n.lookAtInterfaces()
	n.spawn(n.followLoop)
	n.spawn(n.watchLoop)
	n.spawn(n.discover)
	n.spawn(n.watchOutside)
	n.startKeepers()
	n.router.allow(!n.gate.lanOnly.Load())
	h.NetworkChanged()
	<-n.ctx.Done()
	return n.shutdown()
}

func (n *Node) start(ctx context.Context, h Handler) error {
	n.mu.Lock()
	if n.running {
		n.mu.Unlock()
		return errors.New("node: Run was called before")
	}
	n.running = true
	n.h = h
	n.ctx, n.stop = context.WithCancel(ctx)
	n.mu.Unlock()
	hst, err := newHost(n.cfg, n.gate, n.router, n.tellable) // calls us back
	if err != nil {
		n.stop()
		return err
	}
	n.mu.Lock()
	n.host = hst
	n.mu.Unlock()
	disc := n.newDiscovery()
	n.mu.Lock()
	n.disc = disc
	n.mu.Unlock()
	n.passTries()
	hst.Network().Notify(&network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { n.connected(c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { n.disconnected(c) },
	})
	n.serveAll(hst)
	n.serveMail()
	port, taken, err := listen(hst, n.cfg)
	if err != nil {
		n.stop()
		_ = hst.Close()
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.port, n.taken, n.up = port, taken, true
	n.log.Info("network is up", "port", n.port, "taken", n.taken, "lan_only", n.gate.lanOnly.Load())
	return nil
}

func (n *Node) newDiscovery() Discovery {
	if n.cfg.Underlay != nil {
		return n.cfg.Underlay.Discovery // may be nil
	}
	if n.cfg.NoMDNS && n.cfg.NoBroadcast {
		return nil
	}
	return discovery.New(discovery.Config{
		Host: n.host, HostKey: n.key, Loopback: n.cfg.Loopback,
		NoMDNS: n.cfg.NoMDNS, NoBroadcast: n.cfg.NoBroadcast,
		Port:   func() int { n.mu.Lock(); defer n.mu.Unlock(); return n.port },
		Addrs:  n.multiaddrs,
		Logger: n.log, Allowed: n.mayTry, Searched: n.searched,
	})
}

// discover runs the discovery and starts it again if it fails.
func (n *Node) discover(ctx context.Context) {
	if n.disc == nil {
		return
	}
	for ctx.Err() == nil {
		if err := n.disc.Run(ctx, n.found); err != nil && ctx.Err() == nil {
			n.log.Warn("discovery failed", "error", err)
		}
		sleep(ctx, redialMax)
	}
}

// shutdown closes the host, tells what was lost and waits for the handlers.
func (n *Node) shutdown() error {
	err := n.host.Close()
	n.mu.Lock()
	n.closing = true
	n.mu.Unlock()
	done := make(chan struct{})
	go func() { n.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(stopPatience):
		n.log.Warn("handlers did not end in time")
	}
	if err != nil {
		err = fmt.Errorf("node: close host: %w", err)
	}
	return errors.Join(err, n.closeMail())
}

// spawn runs f until it returns, as part of Run.
func (n *Node) spawn(f func(context.Context)) {
	if !n.begin() {
		return
	}
	go func() {
		defer n.wg.Done()
		f(n.ctx)
	}()
}

// begin adds one to what shutdown waits for, unless it waits already.
func (n *Node) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closing || !n.running {
		return false
	}
	n.wg.Add(1)
	return true
}

// poke wakes the follow loop.
func (n *Node) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// orderOf returns the lock that serialises what the handler is told of a ref.
func (n *Node) orderOf(ref string) turn {
	f := fnv.New32a()
	_, _ = f.Write([]byte(ref))
	return n.order[f.Sum32()%uint32(len(n.order))]
}

// A turn is a lock that may be held while its holder waits for something. It is a
// channel and not a mutex because simulated time stands still while anybody waits
// for a mutex.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) Lock()   { t <- struct{}{} }
func (t turn) Unlock() { <-t }

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
