package mailbox

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/internal/hosttest"
	"github.com/kuvert-im/kuvert/p2p/wire"
	"github.com/kuvert-im/kuvert/storage/mailstore"
)

var _ Store = (*mailstore.Store)(nil)

// world is a client at one host and a server at the other.
type world struct {
	*Client
	server  *Server
	store   *mailstore.Store
	path    string
	options mailstore.Options
	at, to  host.Host
	opened  atomic.Int32
	serving atomic.Int32
}

func token(n byte) (t [32]byte) { t[0], t[1] = 't', n; return t }

func newWorld(t testing.TB, limits Limits, options mailstore.Options) *world {
	t.Helper()
	w := &world{path: filepath.Join(t.TempDir(), "mail.db"), options: options}
	w.at, w.to = hosttest.Pair(t)
	w.Client = w.client(w.at)
	t.Cleanup(w.Client.Close)
	w.start(t, limits)
	return w
}

// start opens the store and serves it.
func (w *world) start(t testing.TB, limits Limits) {
	t.Helper()
	s, err := mailstore.Open(w.path, w.options)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	must(t, s.Allow(t.Context(), map[[32]byte]int64{token(1): 0, token(2): 10000}))
	w.store = s
	w.serve(NewServer(s, limits))
}

func (w *world) serve(s *Server) {
	w.server = s
	w.to.SetStreamHandler(ID, func(st network.Stream) {
		w.serving.Add(1)
		defer w.serving.Add(-1)
		wire.Close(st, s.Serve(context.Background(), st))
	})
}

// client is a client at a host that is connected with the server's.
func (w *world) client(at host.Host) *Client {
	return NewClient(func(ctx context.Context) (network.Stream, error) {
		w.opened.Add(1)
		return at.NewStream(ctx, w.to.ID(), ID)
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func queue(n int) (q QueueIDs) {
	copy(q.RecvID[:], fmt.Sprint("recv id ", n))
	copy(q.RecvCap[:], fmt.Sprint("recv cap ", n))
	copy(q.SendID[:], fmt.Sprint("send id ", n))
	copy(q.SendCap[:], fmt.Sprint("send cap ", n))
	return q
}

// makes proves a token and makes queues.
func (w *world) makes(t testing.TB, queues ...int) {
	t.Helper()
	_, err := w.Auth(t.Context(), token(1))
	must(t, err)
	for _, n := range queues {
		must(t, w.MakeQueue(t.Context(), queue(n), time.Time{}))
	}
}

func (w *world) puts(t testing.TB, n int, blobs ...string) {
	t.Helper()
	list := make([][]byte, len(blobs))
	for i, b := range blobs {
		list[i] = []byte(b)
	}
	if taken, err := w.PutMail(t.Context(), queue(n).SendID, queue(n).SendCap, list); err != nil || taken != len(blobs) {
		t.Fatalf("%d of %d, %v", taken, len(blobs), err)
	}
}

func (w *world) holds(t testing.TB, n int, want ...string) (places []uint64) {
	t.Helper()
	list, err := w.ListMail(t.Context(), queue(n).RecvID, queue(n).RecvCap, 0)
	must(t, err)
	var got []string
	for _, b := range list {
		got, places = append(got, string(b.Blob)), append(places, b.Place)
	}
	if !slices.Equal(got, want) {
		t.Errorf("queue %d holds %.100q, want %.100q", n, got, want)
	}
	return places
}

// eventually waits for something that happens at the other side.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}
