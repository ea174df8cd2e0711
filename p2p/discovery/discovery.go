// Package discovery finds machines in the same network, in two ways beside each
// other, because each fails in some offices: mDNS under _kuvert._udp with a
// random instance name, and a UDP broadcast of our own on each interface
// (docs/protocol/network.md, section Discovery).
//
// It promises that an announcement holds a host key and where it listens, and
// nothing of a person; that what others announce is bounded in rate and size;
// that addresses outside this network are never reported, whoever announces
// them; and that a network without multicast, or a port that is taken, makes it
// try again and not fail.
package discovery

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// retryEvery is how often a way of discovery that failed is started again.
const retryEvery = 10 * time.Second

// Config is what a Service needs.
type Config struct {
	Host    host.Host
	HostKey [ed25519.PublicKeySize]byte
	// Loopback announces and looks on this machine alone, without mDNS.
	Loopback bool
	// NoMDNS and NoBroadcast switch the two ways off.
	NoMDNS, NoBroadcast bool
	// Port returns the port this machine listens on, Addrs its addresses.
	Port  func() int
	Addrs func() []ma.Multiaddr
	// Allowed tells whether an address of the ranges of Try may be contacted now;
	// nil allows all.
	Allowed func(netip.Addr) bool
	// Searched, if not nil, is told where packets go; it must not block.
	Searched func(place string)
	// BroadcastPort replaces the port of the broadcast; 0 means BroadcastPort.
	BroadcastPort int
	Logger        *slog.Logger
}

// A Service announces this machine and reports others.
type Service struct {
	cfg  Config
	self peer.ID

	restartMDNS, restartCast, restartTry chan struct{} // hold one each

	mu        sync.Mutex
	multicast bool
	tries     []netip.Prefix
}

// New returns a Service.
func New(cfg Config) *Service {
	if cfg.BroadcastPort == 0 {
		cfg.BroadcastPort = BroadcastPort
	}
	return &Service{
		cfg: cfg, self: cfg.Host.ID(), multicast: true,
		restartMDNS: make(chan struct{}, 1), restartCast: make(chan struct{}, 1), restartTry: make(chan struct{}, 1),
	}
}

// Run announces this machine and reports others until ctx ends. found may be
// called concurrently and for the same machine again and again.
func (s *Service) Run(ctx context.Context, found func(peer.AddrInfo)) error {
	report := func(info peer.AddrInfo) {
		info.Addrs = ma.FilterAddrs(info.Addrs, s.near)
		if info.ID != s.self && len(info.Addrs) > 0 {
			found(info)
		}
	}
	var wg sync.WaitGroup
	if !s.cfg.NoMDNS && !s.cfg.Loopback {
		wg.Go(func() { s.keepMDNS(ctx, report) })
	}
	if !s.cfg.NoBroadcast {
		wg.Go(func() { s.keepBroadcast(ctx, report) })
	}
	wg.Wait()
	return ctx.Err()
}

// Restart is called after the machine's addresses changed: neither way notices.
func (s *Service) Restart() {
	for _, c := range []chan struct{}{s.restartMDNS, s.restartCast, s.restartTry} {
		wake(c)
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *Service) searched(place string) {
	if s.cfg.Searched != nil {
		s.cfg.Searched(place)
	}
}

// Multicast tells whether multicast works.
func (s *Service) Multicast() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.multicast
}

func (s *Service) setMulticast(works bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.multicast = works
}

// near tells whether an announced address is of this network, so that nobody can
// make machines dial a victim elsewhere.
func (s *Service) near(m ma.Multiaddr) bool {
	a := wire.AddrOf(m)
	if s.cfg.Loopback {
		return a.IsLoopback()
	}
	return private(a) || s.isTried(a)
}

func private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
}

// idOf returns the peer ID of a host key.
func idOf(key []byte) (peer.ID, error) {
	pub, err := crypto.UnmarshalEd25519PublicKey(key)
	if err != nil {
		return "", err
	}
	return peer.IDFromPublicKey(pub)
}

// wait waits for d, a restart or the end of ctx.
func wait(ctx context.Context, d time.Duration, restart <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-restart:
	case <-t.C:
	}
}
