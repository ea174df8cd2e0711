package server_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/mailbox"
	"github.com/kuvert-im/kuvert/p2p/server"
)

// patience bounds every wait for something that must happen; it is no measure.
const patience = 20 * time.Second

var token = [32]byte{7}

// answer is an error that the mailbox tells as it is.
type answer byte

func (answer) Error() string  { return "refused by the store" }
func (a answer) Answer() byte { return byte(a) }

// shelf is a store of one token, with a page of each id.
type shelf struct {
	mu    sync.Mutex
	pages map[[24]byte][]byte
	slow  chan struct{} // Publish waits for it, if not nil
}

func (s *shelf) Auth(_ context.Context, t [32]byte) (int64, error) {
	if t != token {
		return 0, answer(mailbox.AnswerRefused)
	}
	return 1, nil
}

func (s *shelf) Usage(context.Context, int64) (int64, int64, error) { return 0, 1 << 30, nil }

func (s *shelf) Make(context.Context, int64, [24]byte, [32]byte, [24]byte, [32]byte, time.Time) error {
	return nil
}

func (s *shelf) Drop(context.Context, [24]byte, [32]byte) error {
	return answer(mailbox.AnswerNotFound)
}

func (s *shelf) Put(context.Context, [24]byte, [32]byte, [][]byte) (int64, int, bool, error) {
	return 0, 0, false, answer(mailbox.AnswerNotFound)
}

func (s *shelf) Slot(context.Context, [24]byte, [32]byte, []byte) (int64, bool, error) {
	return 0, false, answer(mailbox.AnswerNotFound)
}

func (s *shelf) List(context.Context, [24]byte, [32]byte, uint64, int, int) ([]uint64, [][]byte, error) {
	return nil, nil, answer(mailbox.AnswerNotFound)
}

func (s *shelf) Delete(context.Context, [24]byte, [32]byte, []uint64) error {
	return answer(mailbox.AnswerNotFound)
}

func (s *shelf) Queues(_ context.Context, ids [][24]byte, _ [][32]byte) ([]int64, error) {
	return make([]int64, len(ids)), nil
}

func (s *shelf) Holding(_ context.Context, queues []int64) ([]bool, error) {
	return make([]bool, len(queues)), nil
}

func (s *shelf) Publish(_ context.Context, _ int64, id [24]byte, blob []byte, _ time.Time) error {
	if s.slow != nil {
		<-s.slow
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[id] = blob
	return nil
}

func (s *shelf) Read(_ context.Context, id [24]byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.pages[id]; ok {
		return b, nil
	}
	return nil, answer(mailbox.AnswerNotFound)
}

func (s *shelf) Kept(context.Context) (int, int, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 0, len(s.pages), 0, nil
}

// node is a server under test.
type node struct {
	*server.Server
	t     *testing.T
	shelf *shelf
	end   func() error // stops it and returns what Run did
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newNode starts a node on loopback.
func newNode(t *testing.T, change func(*server.Config)) *node {
	t.Helper()
	n := &node{t: t, shelf: &shelf{pages: map[[24]byte][]byte{}}}
	l := server.DefaultLimits()
	cfg := server.Config{
		HostKey: newKey(t), Listen: netip.MustParseAddrPort("127.0.0.1:0"), Limits: &l,
		Mail: mailbox.NewServer(n.shelf, mailbox.DefaultLimits()),
	}
	if change != nil {
		change(&cfg)
	}
	s, err := server.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Server = s
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	n.end = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := n.end(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *node) info() peer.AddrInfo { return peer.AddrInfo{ID: n.ID(), Addrs: n.Multiaddrs()} }

// visitor is a bare host that is connected with a node.
type visitor struct {
	host.Host
	n *node
}

// visit connects a new host. It listens nowhere: it can be reached by relay alone.
func (n *node) visit() *visitor {
	n.t.Helper()
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.EnableRelay(), libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = h.Close() })
	if err := h.Connect(n.t.Context(), n.info()); err != nil {
		n.t.Fatal(err)
	}
	return &visitor{h, n}
}

// member connects a new host that proves the token.
func (n *node) member() *visitor {
	n.t.Helper()
	v := n.visit()
	if _, err := v.mail().Auth(n.t.Context(), token); err != nil {
		n.t.Fatal(err)
	}
	return v
}

func (v *visitor) mail() *mailbox.Client {
	return mailbox.NewClient(func(ctx context.Context) (network.Stream, error) {
		return v.NewStream(ctx, v.n.ID(), mailbox.ID)
	})
}

func (v *visitor) connected() bool { return len(v.Network().ConnsToPeer(v.n.ID())) > 0 }

// via is the address of somebody behind the node.
func (n *node) via(p peer.ID) peer.AddrInfo {
	return peer.AddrInfo{ID: p, Addrs: []ma.Multiaddr{ma.StringCast("/p2p/" + n.ID().String() + "/p2p-circuit")}}
}

// within waits until cond holds.
func (n *node) within(what string, cond func() bool) {
	n.t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			n.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
