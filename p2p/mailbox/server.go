package mailbox

import (
	"bufio"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// Store is the durable store of a Server; storage/mailstore implements it. Its
// methods are safe for concurrent use and return after what they did is durable.
//
// An error with a method Answer() byte is told to the client as that answer, one
// of AnswerRefused, AnswerQuota and AnswerNotFound. Any other error means that
// nothing was acknowledged: AnswerFailed.
//
// An account is the store's number of an access token, a queue its number of a
// queue; neither leaves the process. A wrong capability is answered as an unknown
// id is, in the same time.
type Store interface {
	// Auth finds the account of a token.
	Auth(ctx context.Context, token [32]byte) (account int64, err error)
	// Usage tells how many bytes count against an account's quota; refused once
	// its token is not valid any more.
	Usage(ctx context.Context, account int64) (used, quota int64, err error)
	// Make creates a queue or sets the end of the same one; a zero until has none.
	Make(ctx context.Context, account int64, recvID [24]byte, recvCap [32]byte, sendID [24]byte, sendCap [32]byte, until time.Time) error
	Drop(ctx context.Context, recvID [24]byte, recvCap [32]byte) error
	// Put stores blobs in order and returns how many were taken, counted from the
	// first, and whether any of them is new. None only looks whether the queue is
	// there. Fewer than all are taken only with an error, and those are durable.
	Put(ctx context.Context, sendID [24]byte, sendCap [32]byte, blobs [][]byte) (queue int64, taken int, fresh bool, err error)
	// Slot replaces the queue's state blob; the same one again is not fresh.
	Slot(ctx context.Context, sendID [24]byte, sendCap [32]byte, blob []byte) (queue int64, fresh bool, err error)
	// List returns up to limit blobs with places after one, ascending, of at most
	// so many bytes in all, but at least one.
	List(ctx context.Context, recvID [24]byte, recvCap [32]byte, after uint64, limit, bytes int) (places []uint64, blobs [][]byte, err error)
	Delete(ctx context.Context, recvID [24]byte, recvCap [32]byte, places []uint64) error
	// Queues finds the numbers of queues, 0 for each that is not there.
	Queues(ctx context.Context, recvIDs [][24]byte, recvCaps [][32]byte) ([]int64, error)
	// Holding tells which of the queues hold something.
	Holding(ctx context.Context, queues []int64) ([]bool, error)
	Publish(ctx context.Context, account int64, id [24]byte, blob []byte, until time.Time) error
	Read(ctx context.Context, id [24]byte) ([]byte, error)
	// Kept tells what is stored.
	Kept(ctx context.Context) (queues, blobs int, bytes int64, err error)
}

// Limits are those that count what peers do, so that a test can reach them.
type Limits struct {
	// Streams is how many streams are served at once, StreamsPerPeer how many of
	// one peer, WatchesPerPeer how many of those may watch.
	Streams, StreamsPerPeer, WatchesPerPeer int
	// Failures is how many requests a minute of one address may show a token or
	// capability that does not fit, before its streams are closed. Those of a peer
	// with a proven token do not count.
	Failures int
	// Memory is how many bytes requests, answers and watches hold at once.
	Memory int64
	// Request and Idle are how long a request and the pause before it may take.
	Request, Idle time.Duration
}

// DefaultLimits are those of an always-on machine for some hundred people.
func DefaultLimits() Limits {
	return Limits{
		Streams: 4096, StreamsPerPeer: 16, WatchesPerPeer: 10, Failures: 60, Memory: 64 << 20,
		Request: RequestPatience, Idle: IdlePatience,
	}
}

// maxLists is how many LISTs are read at once; the others wait their turn. It bounds
// what pages hold before their length is known.
const maxLists = 8

// A Server serves the protocol. Its methods are safe for concurrent use.
type Server struct {
	store    Store
	limits   Limits
	failures *wire.Limiter
	watches  watches
	grants   grants
	relay    atomic.Bool
	memory   atomic.Int64  // bytes that streams hold now
	unproven atomic.Int64  // of these, in long requests of strangers
	lists    chan struct{} // holds a token for each LIST that is being read

	mu      sync.Mutex
	total   int                // streams
	streams map[peer.ID]*usage // those of each peer that has any
}

// usage is what one peer holds.
type usage struct{ streams, watches int }

// NewServer returns a Server of what is in store.
func NewServer(store Store, limits Limits) *Server {
	return &Server{
		store: store, limits: limits, failures: wire.NewLimiter(limits.Failures, time.Minute),
		lists: make(chan struct{}, maxLists), streams: make(map[peer.ID]*usage),
	}
}

// SetRelay says what AUTH tells: whether this machine carries connections, too.
func (s *Server) SetRelay(yes bool) { s.relay.Store(yes) }

// Authorised tells whether a peer has proven a token that is still valid, on a
// connection that is alive or within the last hour.
func (s *Server) Authorised(p peer.ID) bool {
	account, ok := s.grants.of(p)
	if !ok {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), storePatience)
	defer cancel()
	_, _, err := s.store.Usage(ctx, account)
	return err == nil
}

// Kept tells what is stored.
func (s *Server) Kept(ctx context.Context) (Kept, error) {
	queues, blobs, bytes, err := s.store.Kept(ctx)
	return Kept{queues, blobs, bytes}, err
}

// Serve answers requests until the stream or ctx ends; an idle end is no error.
// The caller ends the stream with wire.Close.
func (s *Server) Serve(ctx context.Context, st network.Stream) error {
	if err := wire.Open(st, Service, streamMemory, s.limits.Request); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = st.Reset() })()
	c := &session{
		server: s, stream: st, peer: st.Conn().RemotePeer(), addr: wire.AddrOf(st.Conn().RemoteMultiaddr()),
	}
	_, granted := s.grants.of(c.peer)
	if !s.enter(c.peer) {
		return c.write(frameOf(AnswerBusy))
	}
	defer s.leave(c.peer)
	if !granted && s.failures.Count(c.addr) >= s.limits.Failures {
		return c.write(frameOf(AnswerBusy))
	}
	c.r = bufio.NewReaderSize(st, batchBuffer)
	defer c.release()
	return c.serve(ctx)
}

// enter counts a stream of a peer in, if it may have one more.
func (s *Server) enter(p peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.streams[p]
	if u == nil {
		u = &usage{}
	}
	if s.total >= s.limits.Streams || u.streams >= s.limits.StreamsPerPeer {
		return false
	}
	s.total++
	u.streams++
	s.streams[p] = u
	return true
}

func (s *Server) leave(p peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if u := s.streams[p]; u.streams > 1 {
		u.streams--
	} else {
		delete(s.streams, p)
	}
}

// enterWatch counts one of a peer's streams as one that watches.
func (s *Server) enterWatch(p peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.streams[p]
	if u.watches >= s.limits.WatchesPerPeer {
		return false
	}
	u.watches++
	return true
}

func (s *Server) leaveWatch(p peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[p].watches--
}
