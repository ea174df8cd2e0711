package server

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/mailbox"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

// Errors a caller decides on.
var (
	// ErrPortTaken says that another program has the port.
	ErrPortTaken = errors.New("server: port in use")
	// ErrListen says that the address is none of this machine.
	ErrListen = errors.New("server: cannot listen on this address")
)

// Config is what a Server needs.
type Config struct {
	// HostKey names the node for ever: links and invitations hold it.
	HostKey ed25519.PrivateKey
	// Listen is the address and port for UDP and TCP. An unspecified address means
	// every interface, [::] with IPv4 as well; port 0 takes a free one.
	Listen netip.AddrPort
	// Announce are addresses to tell in front of the interfaces' own: those of a
	// router that forwards its port.
	Announce []netip.AddrPort
	// Mail keeps the mail and knows who proved the access token.
	Mail *mailbox.Server
	// NoRelay keeps mail alone.
	NoRelay bool
	// Logger takes what goes wrong, never an address or a key; nil discards it.
	Logger *slog.Logger
	// Limits replaces limits; nil means DefaultLimits.
	Limits *Limits
}

// A Server is a node that listens. Open makes it, Run serves until it is told to
// end, once.
type Server struct {
	cfg   Config
	log   *slog.Logger
	host  host.Host
	port  uint16
	guard *guard
	relay *relay.Relay // nil with NoRelay
	count tracer

	ctx  context.Context //nolint:containedctx // the life of Run, for streams that libp2p hands over
	stop context.CancelFunc

	mu       sync.Mutex
	draining bool
	streams  map[*mailStream]struct{} // of the mailbox
	served   sync.WaitGroup           // one for each of them; Add only under mu and before draining
	closing  sync.Once
	closed   error
}

// Open starts to listen and to serve. Errors: ErrPortTaken, ErrListen. The caller
// calls Run, or Close.
func Open(cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Limits == nil {
		l := DefaultLimits()
		cfg.Limits = &l
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, guard: newGuard(*cfg.Limits, cfg.Mail.Authorised),
		streams: make(map[*mailStream]struct{}),
	}
	port, err := probe(cfg.Listen)
	if err != nil {
		return nil, err
	}
	s.port = port // the host tells its addresses from the beginning
	s.ctx, s.stop = context.WithCancel(context.Background())
	h, err := s.newHost()
	if err != nil {
		return nil, err
	}
	s.host = h
	if err := s.serve(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// serve puts everything in place, and listens last.
func (s *Server) serve() error {
	s.cfg.Mail.SetRelay(!s.cfg.NoRelay)
	s.host.Network().Notify(&network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { s.guard.connected(c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { s.guard.disconnected(c) },
	})
	s.host.SetStreamHandler(mailbox.ID, s.mail)
	if !s.cfg.NoRelay {
		r, err := relay.New(s.host, relay.WithResources(relayResources()), relay.WithACL(access{s.host, s.cfg.Mail.Authorised}),
			relay.WithReservationAddressFilter(s.reachable), relay.WithMetricsTracer(&s.count))
		if err != nil {
			return fmt.Errorf("server: relay: %w", err)
		}
		s.relay = r
	}
	return listen(s.host, s.cfg.Listen.Addr(), s.port)
}

// mail serves one stream of the mailbox.
func (s *Server) mail(st network.Stream) {
	m := &mailStream{Stream: st}
	if !s.enter(m) {
		_ = st.Reset()
		return
	}
	defer s.leave(m)
	end, ok := s.guard.begin(st.Conn())
	defer end()
	if !ok {
		_ = st.Reset()
		return
	}
	wire.Close(st, s.cfg.Mail.Serve(s.ctx, m))
}

func (s *Server) enter(m *mailStream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.streams[m] = struct{}{}
	s.served.Add(1)
	return true
}

func (s *Server) leave(m *mailStream) {
	s.mu.Lock()
	delete(s.streams, m)
	s.mu.Unlock()
	s.served.Done()
}

// mailStream is a stream of the mailbox that can be told to take no more requests:
// then it looks as if the client had ended it, and the answers still go out.
type mailStream struct {
	network.Stream
	last atomic.Bool
}

func (m *mailStream) Read(b []byte) (int, error) {
	n, err := m.Stream.Read(b)
	if err != nil && m.last.Load() {
		return n, io.EOF
	}
	return n, err
}

func (m *mailStream) noMore() {
	m.last.Store(true)
	_ = m.CloseRead()
}

// Run serves until ctx ends, then stops: new streams are refused, requests of the
// mailbox that are under way end within drainPatience, then the host closes.
func (s *Server) Run(ctx context.Context) error {
	s.log.Info("node is up", "port", s.port, "relay", s.relay != nil)
	s.guard.run(ctx)
	return s.Close()
}

// Close stops a server. Run calls it; a caller needs it for a server it never ran.
func (s *Server) Close() error {
	s.closing.Do(func() {
		s.drain()
		if s.relay != nil {
			s.closed = s.relay.Close()
		}
		if err := s.host.Close(); err != nil {
			s.closed = errors.Join(s.closed, fmt.Errorf("server: close host: %w", err))
		}
	})
	return s.closed
}

// drain lets the requests under way end, and then all streams of the mailbox.
func (s *Server) drain() {
	s.host.RemoveStreamHandler(mailbox.ID)
	s.mu.Lock()
	s.draining = true
	open := slices.Collect(maps.Keys(s.streams))
	s.mu.Unlock()
	for _, m := range open {
		m.noMore()
	}
	done := make(chan struct{})
	go func() { s.served.Wait(); close(done) }()
	late := time.AfterFunc(drainPatience, func() {
		s.log.Warn("requests did not end in time")
		s.stop()
	})
	defer late.Stop()
	select {
	case <-done:
		if len(open) > 0 {
			time.Sleep(linger)
		}
	case <-time.After(drainPatience + time.Second):
	}
	s.stop()
}

// ID is the peer ID of the node's host key.
func (s *Server) ID() peer.ID { return s.host.ID() }

// Port is the port that the node listens on.
func (s *Server) Port() uint16 { return s.port }

// Addrs are the node's own addresses, best first: announced ones, then those of the
// interfaces, public ones before private ones.
func (s *Server) Addrs() []netip.AddrPort {
	return ownAddrs(s.cfg.Announce, s.cfg.Listen.Addr(), s.port)
}

// Multiaddrs are the same as multiaddrs for both transports, without the host key.
func (s *Server) Multiaddrs() []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, a := range s.Addrs() {
		out = append(out, multiaddrs(a)...)
	}
	return out
}
