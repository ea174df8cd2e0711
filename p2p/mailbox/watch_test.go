package mailbox

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/p2p/wire"
	"github.com/kuvert-im/kuvert/storage/mailstore"
)

// watches starts a watch; the returned function ends it and waits for that.
func (w *world) watches(t testing.TB, queues []QueueIDs, arrived func(int)) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.WatchMail(ctx, queues, arrived) }()
	return func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("watch ended with %v", err)
		}
	}
}

func wantIndex(t testing.TB, told <-chan int, want int) {
	t.Helper()
	select {
	case i := <-told:
		if i != want {
			t.Errorf("queue %d, want %d", i, want)
		}
	case <-time.After(5 * time.Second):
		t.Fatalf("queue %d was not told", want)
	}
}

func wantQuiet(t testing.TB, told <-chan int) {
	t.Helper()
	select {
	case i := <-told:
		t.Errorf("queue %d was told", i)
	case <-time.After(50 * time.Millisecond):
	}
}

func TestWatch(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	w.makes(t, 0, 1, 2)
	w.puts(t, 1, "waits already")
	told := make(chan int, 100)
	end := w.watches(t, []QueueIDs{queue(0), queue(1), queue(2)}, func(i int) { told <- i })
	wantIndex(t, told, 1)
	wantQuiet(t, told)
	start := time.Now()
	w.puts(t, 2, "new")
	wantIndex(t, told, 2)
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("told after %v", d)
	}
	w.puts(t, 2, "new") // again
	wantQuiet(t, told)
	must(t, w.PutSlot(t.Context(), queue(0).SendID, queue(0).SendCap, []byte("state")))
	wantIndex(t, told, 0)
	end()
	eventually(t, "the watch is still there", func() bool {
		w.server.watches.mu.Lock()
		defer w.server.watches.mu.Unlock()
		return len(w.server.watches.byQueue) == 0
	})
	eventually(t, "memory is held", func() bool { return w.server.memory.Load() == 0 })
}

func TestAMissingQueueIsToldOnce(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	w.makes(t, 0)
	stranger := queue(0)
	stranger.RecvCap = [32]byte{}
	told := make(chan int, 100)
	end := w.watches(t, []QueueIDs{queue(0), queue(1), stranger}, func(i int) { told <- i })
	wantIndex(t, told, 1)
	wantIndex(t, told, 2)
	w.puts(t, 0, "a")
	wantIndex(t, told, 0)
	wantQuiet(t, told)
	end()
}

func TestManyWatchedQueues(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	const n = MaxWatch + 3
	account, err := w.store.Auth(t.Context(), token(1))
	must(t, err)
	list := make([]QueueIDs, n)
	for i := range n {
		list[i] = queue(i)
	}
	for _, i := range []int{0, MaxWatch - 1, MaxWatch, n - 1} {
		q := queue(i)
		must(t, w.store.Make(t.Context(), account, q.RecvID, q.RecvCap, q.SendID, q.SendCap, time.Time{}))
	}
	told := make(chan int, 2*n)
	end := w.watches(t, list, func(i int) { told <- i })
	for range n - 4 {
		<-told // those that are missing
	}
	for _, i := range []int{n - 1, 0, MaxWatch, MaxWatch - 1} {
		w.puts(t, i, "a")
		wantIndex(t, told, i)
	}
	end()
	if err := w.WatchMail(t.Context(), make([]QueueIDs, MaxWatched+1), nil); !errors.Is(err, ErrLimit) {
		t.Errorf("too many: %v", err)
	}
}

// TestASlowWatcher does not read: puts go on, and what it missed is told when it
// reads again, once for each queue.
func TestASlowWatcher(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	w.makes(t, 0, 1)
	r := request{op: opWatch, keys: []access{{queue(0).RecvID, queue(0).RecvCap}, {queue(1).RecvID, queue(1).RecvCap}}}
	b, err := appendRequest(nil, &r)
	must(t, err)
	s := w.raw(t, wire.AppendFrame(nil, b))
	if answer, err := wire.ReadFrame(s, 100, nil); err != nil || len(answer) != 1 {
		t.Fatalf("%x, %v", answer, err)
	}
	for i := range 200 {
		w.puts(t, i%2, fmt.Sprint(i))
	}
	seen := map[int]bool{}
	for len(seen) < 2 {
		answer, err := wire.ReadFrame(s, 100, nil)
		must(t, err)
		list, err := parseIndexes(answer[1:], 2)
		must(t, err)
		for _, i := range list {
			seen[i] = true
		}
	}
}

func TestMarksAreCoalesced(t *testing.T) {
	var all watches
	slow, quick := newWatch([]int64{5, 6, 7}), newWatch([]int64{7})
	all.add(slow)
	all.add(quick)
	for range 100 {
		all.wake(7)
		all.wake(5)
		all.wake(99)
	}
	if list, err := parseIndexes(slow.take(), 3); err != nil || len(list) != 2 || list[0] != 2 || list[1] != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if len(slow.take()) > 0 {
		t.Error("told twice")
	}
	all.wake(5)
	if len(slow.take()) != indexSize {
		t.Error("not told again")
	}
	all.remove(slow)
	all.wake(7)
	if len(slow.take()) > 0 || len(quick.take()) != indexSize {
		t.Error("the wrong one was removed")
	}
}

// late is a store at which something arrives while a watch begins: after it was
// looked what the queues hold.
type late struct {
	Store
	between func()
}

func (l late) Holding(ctx context.Context, queues []int64) ([]bool, error) {
	holding, err := l.Store.Holding(ctx, queues)
	l.between()
	return holding, err
}

func TestNothingIsLostAtTheStart(t *testing.T) {
	w := newWorld(t, DefaultLimits(), mailstore.Options{})
	w.makes(t, 0)
	w.Client.Close()
	w.serve(NewServer(late{w.store, func() { w.puts(t, 0, "just now") }}, DefaultLimits()))
	told := make(chan int, 100)
	end := w.watches(t, []QueueIDs{queue(0)}, func(i int) { told <- i })
	wantIndex(t, told, 0)
	end()
}
