package mailbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kuvert-im/kuvert/p2p/internal/hosttest"
	"github.com/kuvert-im/kuvert/p2p/wire"
	"github.com/kuvert-im/kuvert/storage/mailstore"
)

func TestAQueuesLife(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	ctx, q := t.Context(), queue(1)
	w.server.SetRelay(true)
	u, err := w.Auth(ctx, token(1))
	if err != nil || u != (Usage{0, mailstore.DefaultQuota, true}) {
		t.Errorf("%+v, %v", u, err)
	}
	w.makes(t, 1, 1)
	w.puts(t, 1, "a", "b", "a")
	must(t, w.PutSlot(ctx, q.SendID, q.SendCap, []byte("state")))
	must(t, w.PutSlot(ctx, q.SendID, q.SendCap, []byte("newer")))
	places := w.holds(t, 1, "a", "b", "newer")
	if rest, err := w.ListMail(ctx, q.RecvID, q.RecvCap, places[1]); err != nil || len(rest) != 1 {
		t.Errorf("%v, %v", rest, err)
	}
	must(t, w.DeleteMail(ctx, q.RecvID, q.RecvCap, append(make([]uint64, MaxDelete), places[1:]...)))
	w.holds(t, 1, "a")
	if u, err := w.Usage(ctx); err != nil || u.Used == 0 {
		t.Errorf("%+v, %v", u, err)
	}
	if k, err := w.server.Kept(ctx); err != nil || k.Queues != 1 || k.Blobs != 1 || k.Bytes == 0 {
		t.Errorf("%+v, %v", k, err)
	}
	must(t, w.DropQueue(ctx, q.RecvID, q.RecvCap))
	if _, err := w.ListMail(ctx, q.RecvID, q.RecvCap, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("dropped: %v", err)
	}
	if w.opened.Load() != 1 {
		t.Errorf("%d streams were opened", w.opened.Load())
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	w.makes(t)
	page := [24]byte{1}
	if _, err := w.ReadBundle(t.Context(), page); !errors.Is(err, ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	long := bytes.Repeat([]byte("x"), MaxPublish)
	must(t, w.PublishBundle(t.Context(), page, long, time.Now().Add(time.Hour)))
	if got, err := w.ReadBundle(t.Context(), page); err != nil || !bytes.Equal(got, long) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := w.PublishBundle(t.Context(), page, append(long, 1), time.Time{}); !errors.Is(err, ErrLimit) {
		t.Errorf("too long: %v", err)
	}
}

func TestManyBlobsInOrder(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	w.makes(t, 1)
	var want []string
	for i := range 500 {
		b := make([]byte, 700)
		copy(b, fmt.Sprint(i))
		want = append(want, string(b))
	}
	w.puts(t, 1, want...)
	got := w.all(t, 1)
	if len(got) != len(want) {
		t.Fatalf("%d blobs", len(got))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("blob %d is another one", i)
		}
	}
}

// all lists page by page and checks the pages' sizes.
func (w *world) all(t testing.TB, n int) (blobs []string) {
	t.Helper()
	for after := uint64(0); ; {
		page, err := w.ListMail(t.Context(), queue(n).RecvID, queue(n).RecvCap, after)
		must(t, err)
		if len(page) == 0 {
			return blobs
		}
		bytes := 0
		for _, b := range page {
			after, bytes = b.Place, bytes+len(b.Blob)
			blobs = append(blobs, string(b.Blob))
		}
		if len(page) > MaxPage || bytes > MaxPageBytes {
			t.Fatalf("a page of %d blobs and %d bytes", len(page), bytes)
		}
	}
}

func TestLongBlobs(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	w.makes(t, 1)
	var want []string
	for i := range 15 {
		b := make([]byte, MaxBlob)
		b[0] = byte(i)
		want = append(want, string(b))
	}
	w.puts(t, 1, want...)
	if got := w.all(t, 1); len(got) != len(want) || got[14] != want[14] {
		t.Errorf("%d blobs", len(got))
	}
	if _, err := w.PutMail(t.Context(), queue(1).SendID, queue(1).SendCap, [][]byte{make([]byte, MaxBlob+1)}); !errors.Is(err, ErrLimit) {
		t.Errorf("one byte too long: %v", err)
	}
	eventually(t, "memory is held", func() bool { return w.server.memory.Load() == 0 })
}

func TestUnauthorised(t *testing.T) {
	limits := DefaultLimits()
	limits.Failures = 1000
	w := newWorld(t, limits, mailstore.Options{})
	ctx, q := t.Context(), queue(1)
	denied := func(what string, want, err error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	denied("make", ErrRefused, w.MakeQueue(ctx, q, time.Time{}))
	denied("publish", ErrRefused, w.PublishBundle(ctx, [24]byte{1}, []byte("x"), time.Time{}))
	_, err := w.Usage(ctx)
	denied("usage", ErrRefused, err)
	_, err = w.Auth(ctx, token(9))
	denied("auth", ErrRefused, err)

	w.makes(t, 1, 2)
	w.puts(t, 1, "a")
	place := w.holds(t, 1, "a")[0]
	for _, c := range []struct {
		what string
		id   [24]byte
		by   [32]byte
	}{
		{"unknown id", queue(7).RecvID, q.RecvCap},
		{"wrong capability", q.RecvID, queue(2).RecvCap},
		{"the sender's", q.SendID, q.SendCap},
		{"zero", q.RecvID, [32]byte{}},
	} {
		_, err := w.ListMail(ctx, c.id, c.by, 0)
		denied("list, "+c.what, ErrNotFound, err)
		denied("delete, "+c.what, ErrNotFound, w.DeleteMail(ctx, c.id, c.by, []uint64{place}))
		denied("drop, "+c.what, ErrNotFound, w.DropQueue(ctx, c.id, c.by))
	}
	_, err = w.PutMail(ctx, q.SendID, queue(2).SendCap, [][]byte{[]byte("x")})
	denied("put", ErrNotFound, err)
	denied("slot", ErrNotFound, w.PutSlot(ctx, q.SendID, q.RecvCap, []byte("x")))
	w.holds(t, 1, "a")
}

func TestQuota(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{Blobs: 3})
	ctx := t.Context()
	w.makes(t, 1)
	blobs := [][]byte{[]byte("a"), []byte("b"), []byte("c"), []byte("d"), []byte("e")}
	if taken, err := w.PutMail(ctx, queue(1).SendID, queue(1).SendCap, blobs); taken != 3 || !errors.Is(err, ErrQuota) {
		t.Errorf("%d, %v", taken, err)
	}
	before, err := w.Usage(ctx)
	must(t, err)

	w.Client = w.client(w.at)
	if u, err := w.Auth(ctx, token(2)); err != nil || u.Quota != 10000 {
		t.Fatalf("%+v, %v", u, err)
	}
	must(t, w.MakeQueue(ctx, queue(2), time.Time{}))
	if _, err := w.PutMail(ctx, queue(2).SendID, queue(2).SendCap, [][]byte{make([]byte, 20000)}); !errors.Is(err, ErrQuota) {
		t.Errorf("over the second token's quota: %v", err)
	}
	if after, err := w.Auth(ctx, token(1)); err != nil || after != before {
		t.Errorf("%+v became %+v, %v", before, after, err)
	}
}

func TestRestart(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	w.makes(t, 1)
	w.puts(t, 1, "a", "b")
	must(t, w.store.Close())
	if _, err := w.PutMail(t.Context(), queue(1).SendID, queue(1).SendCap, [][]byte{[]byte("c")}); !errors.Is(err, ErrFailed) {
		t.Errorf("put while the store is closed: %v", err)
	}
	must(t, w.at.Network().ClosePeer(w.to.ID()))
	w.start(t, DefaultLimits())
	w.holds(t, 1, "a", "b")
	if err := w.MakeQueue(t.Context(), queue(2), time.Time{}); !errors.Is(err, ErrRefused) {
		t.Errorf("without a new proof: %v", err)
	}
	w.makes(t, 2)
}

// raw opens a stream and writes bytes to it.
func (w *world) raw(t testing.TB, b []byte) network.Stream {
	t.Helper()
	s := hosttest.Stream(t, w.at, w.to, ID)
	t.Cleanup(func() { _ = s.Reset() })
	_, err := s.Write(b)
	must(t, err)
	must(t, s.SetReadDeadline(time.Now().Add(10*time.Second)))
	return s
}

func TestHostileClients(t *testing.T) {
	limits := DefaultLimits()
	limits.Request = 200 * time.Millisecond
	w := newWorld(t, limits, mailstore.Options{})
	w.makes(t, 1)
	for name, b := range map[string][]byte{
		"absurd length":  {0xff, 0xff, 0xff, 0xff},
		"one too many":   {0, 2, 0x80, byte(57 + 1), byte(opPut)},
		"zero length":    {0, 0, 0, 0},
		"unknown":        {0, 0, 0, 1, 99},
		"short":          {0, 0, 0, 3, byte(opRead), 1, 2},
		"slow":           {0, 0, 0, 33, byte(opAuth)},
		"slow long":      {0, 2, 0x80, 0, byte(opPut)},
		"slow length":    {0, 0},
		"no places":      append([]byte{0, 0, 0, 57, byte(opDelete)}, make([]byte, 56)...),
		"half a place":   append([]byte{0, 0, 0, 60, byte(opDelete)}, make([]byte, 59)...),
		"watch, no keys": {0, 0, 0, 1, byte(opWatch)},
	} {
		start := time.Now()
		s := w.raw(t, b)
		if n, err := io.Copy(io.Discard, s); n > 0 || err == nil || time.Since(start) > 5*time.Second {
			t.Errorf("%s: %d bytes, %v, after %v", name, n, err, time.Since(start))
		}
	}
	eventually(t, "memory is held", func() bool { return w.server.memory.Load() == 0 })
	w.puts(t, 1, "honest")
}

// TestASlowLink: a long blob may take its time on a stream that has shown a
// capability, and only there.
func TestASlowLink(t *testing.T) {
	limits := DefaultLimits()
	limits.Request = 100 * time.Millisecond
	w := newWorld(t, limits, mailstore.Options{})
	w.makes(t, 1)
	frame := func(n int) []byte {
		r := request{op: opPut, key: access{queue(1).SendID, queue(1).SendCap}, blob: make([]byte, n)}
		b, err := appendRequest(nil, &r)
		must(t, err)
		return wire.AppendFrame(nil, b)
	}
	for _, proven := range []bool{true, false} {
		s := w.raw(t, nil)
		if proven {
			_, err := s.Write(frame(0))
			must(t, err)
			if answer, err := wire.ReadFrame(s, 1, nil); err != nil || answer[0] != AnswerDone {
				t.Fatalf("%x, %v", answer, err)
			}
		}
		b := frame(100 << 10)
		_, _ = s.Write(b[:50<<10])
		time.Sleep(3 * limits.Request)
		_, _ = s.Write(b[50<<10:])
		if answer, err := wire.ReadFrame(s, 1, nil); (err == nil && answer[0] == AnswerDone) != proven {
			t.Errorf("proven %v: %x, %v", proven, answer, err)
		}
	}
}

func TestIdleStreamsEnd(t *testing.T) {
	limits := DefaultLimits()
	limits.Idle = 100 * time.Millisecond
	w := newWorld(t, limits, mailstore.Options{})
	w.makes(t, 1)
	eventually(t, "the stream is still served", func() bool { return w.serving.Load() == 0 })
	w.puts(t, 1, "a")
	if w.opened.Load() != 2 {
		t.Errorf("%d streams", w.opened.Load())
	}
}

func TestFailuresAreCounted(t *testing.T) {
	limits := DefaultLimits()
	limits.Failures = 3
	w := newWorld(t, limits, mailstore.Options{})
	for i := range 3 {
		if _, err := w.Auth(t.Context(), token(9)); !errors.Is(err, ErrRefused) {
			t.Errorf("try %d: %v", i, err)
		}
	}
	if _, err := w.client(w.at).Auth(t.Context(), token(1)); !errors.Is(err, ErrBusy) {
		t.Errorf("after too many: %v", err)
	}
	if _, err := w.Auth(t.Context(), token(9)); !errors.Is(err, ErrRefused) {
		t.Errorf("on the old stream: %v", err)
	}
	if _, err := w.Auth(t.Context(), token(9)); !errors.Is(err, ErrBusy) {
		t.Errorf("the old stream goes on: %v", err)
	}
	w.server.grants.put(w.to.Network().ConnsToPeer(w.at.ID())[0], 1)
	if _, err := w.client(w.at).ListMail(t.Context(), queue(7).RecvID, queue(7).RecvCap, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("with a token: %v", err)
	}
}

func TestStreamsAreLimited(t *testing.T) {
	limits := DefaultLimits()
	limits.StreamsPerPeer, limits.WatchesPerPeer = 3, 1
	w := newWorld(t, limits, mailstore.Options{})
	w.makes(t, 1)
	end := w.watches(t, []QueueIDs{queue(1)}, func(int) {})
	eventually(t, "no watch", func() bool { return w.serving.Load() == 2 })
	if err := w.WatchMail(t.Context(), []QueueIDs{queue(1)}, func(int) {}); !errors.Is(err, ErrBusy) {
		t.Errorf("second watch: %v", err)
	}
	third, fourth := w.client(w.at), w.client(w.at)
	_, err := third.Usage(t.Context())
	must(t, err)
	if _, err := fourth.Usage(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("fourth stream: %v", err)
	}
	end()
	eventually(t, "the watch goes on", func() bool { _, err := fourth.Usage(t.Context()); return err == nil })
}

func TestMemoryIsLimited(t *testing.T) {
	limits := DefaultLimits()
	limits.Memory = 100 << 10
	w := newWorld(t, limits, mailstore.Options{})
	w.makes(t, 1)
	w.puts(t, 1, string(make([]byte, 60<<10)))
	w.puts(t, 1, "x"+string(make([]byte, 60<<10)))
	if _, err := w.PutMail(t.Context(), queue(1).SendID, queue(1).SendCap, [][]byte{make([]byte, 101<<10)}); !errors.Is(err, ErrBusy) && err == nil {
		t.Errorf("put: %v", err)
	}
	if _, err := w.ListMail(t.Context(), queue(1).RecvID, queue(1).RecvCap, 0); !errors.Is(err, ErrBusy) {
		t.Errorf("list: %v", err)
	}
	eventually(t, "memory is held", func() bool { return w.server.memory.Load() == 0 })
}

func TestAuthorised(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	p := w.at.ID()
	if w.server.Authorised(p) {
		t.Error("before")
	}
	w.makes(t, 1)
	if !w.server.Authorised(p) || w.server.Authorised(w.to.ID()) {
		t.Error("after")
	}
	must(t, w.store.Allow(t.Context(), map[[32]byte]int64{token(2): 0}))
	if w.server.Authorised(p) {
		t.Error("with a token that was taken back")
	}
	if _, err := w.Usage(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("usage: %v", err)
	}
}

// closedConn is a connection that ended.
type closedConn struct {
	network.Conn
	id     peer.ID
	closed bool
}

func (c *closedConn) RemotePeer() peer.ID { return c.id }
func (c *closedConn) IsClosed() bool      { return c.closed }

func TestGrantsEnd(t *testing.T) {
	var g grants
	live, gone := &closedConn{id: "live"}, &closedConn{id: "gone", closed: true}
	g.put(live, 1)
	g.put(gone, 1)
	if _, ok := g.of("gone"); !ok {
		t.Error("over as soon as the connection ended")
	}
	for p, x := range g.byPeer {
		x.at = x.at.Add(-grantLife)
		g.byPeer[p] = x
	}
	_, l := g.of("live")
	if _, ok := g.use(gone); !l || ok {
		t.Error("an hour after the connection ended")
	}
	for i := range 2 * maxGrants {
		g.put(&closedConn{id: peer.ID(fmt.Sprint(i))}, 2)
	}
	if len(g.byPeer) != maxGrants+1 {
		t.Errorf("%d grants are kept", len(g.byPeer))
	}
}

// failing is a store whose disk is full.
type failing struct{ Store }

func (failing) Auth(context.Context, [32]byte) (int64, error) { return 1, nil }

func (failing) Make(context.Context, int64, [24]byte, [32]byte, [24]byte, [32]byte, time.Time) error {
	return errors.New("disk is full")
}

func (failing) Usage(context.Context, int64) (int64, int64, error) { return 0, 0, nil }

func (failing) Put(_ context.Context, _ [24]byte, _ [32]byte, blobs [][]byte) (int64, int, bool, error) {
	return 1, len(blobs) / 2, true, errors.New("disk is full")
}

func TestAFailingStoreAcknowledgesNothing(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	w.serve(NewServer(failing{}, DefaultLimits()))
	_, err := w.Auth(t.Context(), token(1))
	must(t, err)
	if err := w.MakeQueue(t.Context(), queue(1), time.Time{}); !errors.Is(err, ErrFailed) {
		t.Errorf("make: %v", err)
	}
	if taken, err := w.PutMail(t.Context(), queue(1).SendID, queue(1).SendCap, [][]byte{{1}}); taken != 0 || !errors.Is(err, ErrFailed) {
		t.Errorf("put: %d, %v", taken, err)
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	w.makes(t, 0, 1, 2, 3)
	var wg sync.WaitGroup
	for n := range 4 {
		c := w.client(w.at)
		wg.Go(func() {
			for i := range 30 {
				b := []byte(fmt.Sprint(n, " ", i, " ", rand.Int64()))
				if taken, err := c.PutMail(t.Context(), queue(n).SendID, queue(n).SendCap, [][]byte{b}); taken != 1 || err != nil {
					t.Error(taken, err)
				}
			}
		})
	}
	wg.Wait()
	for n := range 4 {
		if got := w.all(t, n); len(got) != 30 {
			t.Errorf("queue %d holds %d", n, len(got))
		}
	}
}

func TestCancelled(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	w.makes(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.ListMail(ctx, queue(1).RecvID, queue(1).RecvCap, 0); err == nil {
		t.Error("went on")
	}
	w.puts(t, 1, "a")
}
