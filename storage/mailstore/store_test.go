package mailstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// clock is a Now that tests advance.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func id24(kind byte, n int) (id [24]byte) {
	binary.BigEndian.PutUint64(id[:], uint64(n)*0x9e3779b97f4a7c15)
	id[23] = kind
	return id
}

func id32(kind byte, n int) (id [32]byte) {
	a := id24(kind, n)
	copy(id[:], a[:])
	id[31] = kind
	return id
}

// names of queue n.
func recvOf(n int) ([24]byte, [32]byte) { return id24('r', n), id32('R', n) }
func sendOf(n int) ([24]byte, [32]byte) { return id24('s', n), id32('S', n) }

func openAt(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// newStore is an open store with two tokens, 1 and 2.
func newStore(t testing.TB, o Options) (s *Store, one, two int64) {
	t.Helper()
	s = openAt(t, filepath.Join(t.TempDir(), "mail.db"), o)
	must(t, s.Allow(t.Context(), map[[32]byte]int64{id32('t', 1): 0, id32('t', 2): 1 << 20}))
	return s, account(t, s, 1), account(t, s, 2)
}

func account(t testing.TB, s *Store, n int) int64 {
	t.Helper()
	a, err := s.Auth(t.Context(), id32('t', n))
	must(t, err)
	return a
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func makeQueue(s *Store, account int64, n int, until time.Time) error {
	rid, rcap := recvOf(n)
	sid, scap := sendOf(n)
	return s.Make(context.Background(), account, rid, rcap, sid, scap, until)
}

func put(s *Store, n int, blobs ...string) (taken int, fresh bool, err error) {
	sid, scap := sendOf(n)
	list := make([][]byte, len(blobs))
	for i, b := range blobs {
		list[i] = []byte(b)
	}
	_, taken, fresh, err = s.Put(context.Background(), sid, scap, list)
	return taken, fresh, err
}

func putAll(t testing.TB, s *Store, n int, blobs ...string) {
	t.Helper()
	if taken, _, err := put(s, n, blobs...); err != nil || taken != len(blobs) {
		t.Fatalf("%d of %d, %v", taken, len(blobs), err)
	}
}

func slot(s *Store, n int, blob string) (fresh bool, err error) {
	sid, scap := sendOf(n)
	_, fresh, err = s.Slot(context.Background(), sid, scap, []byte(blob))
	return fresh, err
}

func list(t testing.TB, s *Store, n int, after uint64) (places []uint64, blobs []string) {
	t.Helper()
	rid, rcap := recvOf(n)
	places, data, err := s.List(t.Context(), rid, rcap, after, 256, 1<<20)
	must(t, err)
	if !slices.IsSorted(places) {
		t.Errorf("places do not ascend: %v", places)
	}
	for _, b := range data {
		blobs = append(blobs, string(b))
	}
	return places, blobs
}

func wantList(t testing.TB, s *Store, n int, want ...string) []uint64 {
	t.Helper()
	places, got := list(t, s, n, 0)
	if !slices.Equal(got, want) {
		t.Errorf("queue %d holds %q, want %q", n, got, want)
	}
	return places
}

func remove(s *Store, n int, places ...uint64) error {
	rid, rcap := recvOf(n)
	return s.Delete(context.Background(), rid, rcap, places)
}

// checkCounters compares every counter with what it counts.
func checkCounters(t testing.TB, s *Store) {
	t.Helper()
	must(t, s.update(context.Background(), func(tx *statements) error {
		var bad int64
		err := tx.row(background, `SELECT
			(SELECT count(*) FROM queue q WHERE q.blobs <> (SELECT count(*) FROM blob b WHERE b.queue = q.id)
				OR q.bytes <> (SELECT coalesce(sum(length(data)), 0) FROM blob b WHERE b.queue = q.id))
			+ (SELECT count(*) FROM account a WHERE a.queues <> (SELECT count(*) FROM queue WHERE account = a.id)
				OR a.pages <> (SELECT count(*) FROM page WHERE account = a.id)
				OR a.blobs <> (SELECT coalesce(sum(blobs), 0) FROM queue WHERE account = a.id)
				OR a.used <> (SELECT coalesce(sum(bytes + (blobs + 1) * ?1), 0) FROM queue WHERE account = a.id)
					+ (SELECT coalesce(sum(length(data) + ?1), 0) FROM page WHERE account = a.id))`, []any{rowCost}, &bad)
		if bad > 0 {
			t.Errorf("%d rows count wrongly", bad)
		}
		return err
	}))
}

func TestBlobsInOrder(t *testing.T) {
	s, one, _ := newStore(t, Options{})
	must(t, makeQueue(s, one, 1, time.Time{}))
	putAll(t, s, 1, "a", "b")
	putAll(t, s, 1, "c")
	places := wantList(t, s, 1, "a", "b", "c")
	if _, rest := list(t, s, 1, places[1]); !slices.Equal(rest, []string{"c"}) {
		t.Errorf("after the second: %q", rest)
	}
	if _, rest := list(t, s, 1, 1<<63); rest != nil {
		t.Errorf("after everything: %q", rest)
	}
	must(t, remove(s, 1, places[0], places[2], 7, 1<<63))
	wantList(t, s, 1, "b")
	checkCounters(t, s)
}

func TestListIsBounded(t *testing.T) {
	s, one, _ := newStore(t, Options{})
	must(t, makeQueue(s, one, 1, time.Time{}))
	putAll(t, s, 1, "aaaa", "bbbb", "cccc")
	rid, rcap := recvOf(1)
	for _, c := range []struct{ limit, bytes, want int }{{2, 100, 2}, {9, 8, 2}, {9, 7, 1}, {9, 1, 1}, {9, 100, 3}} {
		places, blobs, err := s.List(t.Context(), rid, rcap, 0, c.limit, c.bytes)
		if err != nil || len(places) != c.want || len(blobs) != c.want {
			t.Errorf("limit %d, %d bytes: %d blobs, %v", c.limit, c.bytes, len(blobs), err)
		}
	}
}

func TestTheSameBlobIsStoredOnce(t *testing.T) {
	c := newClock()
	s, one, _ := newStore(t, Options{Now: c.Now})
	must(t, makeQueue(s, one, 1, time.Time{}))
	putAll(t, s, 1, "a", "a", "b")
	if taken, fresh, err := put(s, 1, "b"); taken != 1 || fresh || err != nil {
		t.Errorf("again: %d, %v, %v", taken, fresh, err)
	}
	must(t, remove(s, 1, wantList(t, s, 1, "a", "b")...))
	c.advance(goneLife - time.Second)
	putAll(t, s, 1, "a")
	wantList(t, s, 1)
	c.advance(2 * time.Second)
	putAll(t, s, 1, "a")
	wantList(t, s, 1, "a")
	checkCounters(t, s)
}

func TestOnlyTheNewestHashesAreKept(t *testing.T) {
	s, one, _ := newStore(t, Options{})
	must(t, makeQueue(s, one, 1, time.Time{}))
	putAll(t, s, 1, "first")
	must(t, remove(s, 1, wantList(t, s, 1, "first")...))
	for i := range 4 {
		var many []string
		for j := range 256 {
			many = append(many, fmt.Sprint(i, j))
		}
		putAll(t, s, 1, many...)
		places, _ := list(t, s, 1, 0)
		must(t, remove(s, 1, places...))
	}
	putAll(t, s, 1, "first", "3 255")
	wantList(t, s, 1, "first")
}

func TestSlot(t *testing.T) {
	s, one, _ := newStore(t, Options{Blobs: 1})
	must(t, makeQueue(s, one, 1, time.Time{}))
	putAll(t, s, 1, "mail")
	for _, c := range []struct {
		blob  string
		fresh bool
	}{{"x", true}, {"x", false}, {"y", true}, {"x", true}} {
		if fresh, err := slot(s, 1, c.blob); err != nil || fresh != c.fresh {
			t.Errorf("slot %s: %v, %v", c.blob, fresh, err)
		}
	}
	places := wantList(t, s, 1, "mail", "x")
	must(t, remove(s, 1, places[1]))
	wantList(t, s, 1, "mail")
	if fresh, err := slot(s, 1, "x"); err != nil || !fresh {
		t.Errorf("after it was read: %v, %v", fresh, err)
	}
	if again := wantList(t, s, 1, "mail", "x"); again[1] <= places[1] {
		t.Error("the state came at an old place")
	}
	checkCounters(t, s)
}

func TestCapabilities(t *testing.T) {
	s, one, two := newStore(t, Options{})
	ctx := t.Context()
	must(t, makeQueue(s, one, 1, time.Time{}))
	must(t, makeQueue(s, two, 2, time.Time{}))
	putAll(t, s, 1, "a")
	rid, rcap := recvOf(1)
	sid, scap := sendOf(1)
	_, rcap2 := recvOf(2)
	blob := [][]byte{[]byte("x")}
	denied := map[string]error{}
	_, _, denied["list, wrong capability"] = s.List(ctx, rid, rcap2, 0, 1, 1)
	_, _, denied["list, zero capability"] = s.List(ctx, rid, [32]byte{}, 0, 1, 1)
	_, _, denied["list, as sender"] = s.List(ctx, sid, scap, 0, 1, 1)
	_, _, denied["list, unknown"] = s.List(ctx, id24('?', 1), rcap, 0, 1, 1)
	denied["delete, wrong capability"] = s.Delete(ctx, rid, scap, []uint64{1})
	denied["drop, wrong capability"] = s.Drop(ctx, rid, scap)
	_, _, _, denied["put, wrong capability"] = s.Put(ctx, sid, rcap, blob)
	_, _, _, denied["look, wrong capability"] = s.Put(ctx, sid, rcap, nil)
	_, _, _, denied["put, as recipient"] = s.Put(ctx, rid, rcap, blob)
	_, _, denied["slot, wrong capability"] = s.Slot(ctx, sid, rcap, blob[0])
	for what, err := range denied {
		if err != ErrNotFound { //nolint:errorlint // exactly this one
			t.Errorf("%s: %v", what, err)
		}
	}
	wantList(t, s, 1, "a")
	numbers, err := s.Queues(ctx, [][24]byte{rid, rid, sid}, [][32]byte{rcap, rcap2, scap})
	if err != nil || numbers[0] == 0 || numbers[1] != 0 || numbers[2] != 0 {
		t.Errorf("numbers: %v, %v", numbers, err)
	}
	holding, err := s.Holding(ctx, append(numbers, numbers[0]+1))
	if err != nil || !slices.Equal(holding, []bool{true, false, false, false}) {
		t.Errorf("holding: %v, %v", holding, err)
	}
}

func TestMakeAgain(t *testing.T) {
	c := newClock()
	s, one, two := newStore(t, Options{Now: c.Now})
	must(t, makeQueue(s, one, 1, c.Now().Add(time.Hour)))
	putAll(t, s, 1, "a")
	rid, rcap := recvOf(1)
	sid, scap := sendOf(1)
	for what, err := range map[string]error{
		"another's":   s.Make(t.Context(), two, rid, rcap, sid, scap, time.Time{}),
		"capability":  s.Make(t.Context(), one, rid, rcap, sid, rcap, time.Time{}),
		"send id":     s.Make(t.Context(), one, rid, rcap, id24('n', 1), scap, time.Time{}),
		"receive id":  s.Make(t.Context(), one, id24('n', 1), rcap, sid, scap, time.Time{}),
		"other token": s.Make(t.Context(), 99, rid, rcap, sid, scap, time.Time{}),
	} {
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	c.advance(2 * time.Hour)
	if _, _, err := put(s, 1, "late"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after its end: %v", err)
	}
	must(t, makeQueue(s, one, 1, time.Time{}))
	wantList(t, s, 1, "a")
	must(t, s.Drop(t.Context(), rid, rcap))
	if err := s.Drop(t.Context(), rid, rcap); !errors.Is(err, ErrNotFound) {
		t.Errorf("dropped twice: %v", err)
	}
	must(t, makeQueue(s, one, 1, time.Time{}))
	wantList(t, s, 1)
	checkCounters(t, s)
}

func TestPlacesAscendForEver(t *testing.T) {
	c := newClock()
	path := filepath.Join(t.TempDir(), "mail.db")
	s := openAt(t, path, Options{Now: c.Now})
	must(t, s.Allow(t.Context(), map[[32]byte]int64{id32('t', 1): 0}))
	must(t, makeQueue(s, account(t, s, 1), 1, time.Time{}))
	must(t, s.Close())
	old, err := os.ReadFile(path)
	must(t, err)
	s = openAt(t, path, Options{Now: c.Now})
	putAll(t, s, 1, "a", "b", "c")
	c.advance(-time.Hour) // a clock that was set back
	putAll(t, s, 1, "d")
	last := wantList(t, s, 1, "a", "b", "c", "d")[3]
	c.advance(time.Hour)

	rid, rcap := recvOf(1)
	c.advance(time.Second)
	must(t, s.Drop(t.Context(), rid, rcap))
	must(t, makeQueue(s, account(t, s, 1), 1, time.Time{}))
	putAll(t, s, 1, "made anew")
	if _, got := list(t, s, 1, last); len(got) != 1 {
		t.Error("a queue made anew begins below")
	}
	must(t, s.Close())
	must(t, os.WriteFile(path, old, 0o600))
	s = openAt(t, path, Options{Now: c.Now})
	putAll(t, s, 1, "after an older copy")
	if _, got := list(t, s, 1, last); len(got) != 1 {
		t.Error("an older copy begins below")
	}
}

func TestLimits(t *testing.T) {
	s, one, two := newStore(t, Options{Blobs: 3, QueueBytes: 100, Queues: 2, Pages: 1})
	must(t, makeQueue(s, one, 1, time.Time{}))
	must(t, makeQueue(s, one, 2, time.Time{}))
	if err := makeQueue(s, one, 3, time.Time{}); !errors.Is(err, ErrFull) {
		t.Errorf("third queue: %v", err)
	}
	if taken, fresh, err := put(s, 1, "a", "b", "c", "d", "a"); taken != 3 || !fresh || !errors.Is(err, ErrFull) {
		t.Errorf("blobs: %d, %v, %v", taken, fresh, err)
	}
	wantList(t, s, 1, "a", "b", "c")
	if taken, _, err := put(s, 1, "a"); taken != 1 || err != nil {
		t.Errorf("known in a full queue: %d, %v", taken, err)
	}
	if taken, _, err := put(s, 2, string(make([]byte, 60)), string(make([]byte, 41))); taken != 1 || !errors.Is(err, ErrFull) {
		t.Errorf("bytes: %d, %v", taken, err)
	}
	if err := s.Publish(t.Context(), one, id24('p', 1), []byte("x"), time.Time{}); err != nil {
		t.Error(err)
	}
	if err := s.Publish(t.Context(), one, id24('p', 2), []byte("x"), time.Time{}); !errors.Is(err, ErrFull) {
		t.Errorf("second page: %v", err)
	}
	if err := s.Publish(t.Context(), two, id24('p', 1), []byte("y"), time.Time{}); !errors.Is(err, ErrRefused) {
		t.Errorf("another's page: %v", err)
	}
	checkCounters(t, s)
}

func TestQuotaIsOnesOwn(t *testing.T) {
	s, one, two := newStore(t, Options{})
	must(t, s.Allow(t.Context(), map[[32]byte]int64{id32('t', 1): 1 << 20, id32('t', 2): 5000}))
	must(t, makeQueue(s, one, 1, time.Time{}))
	must(t, makeQueue(s, two, 2, time.Time{}))
	taken, _, err := put(s, 2, string(bytes.Repeat([]byte("a"), 2000)), string(bytes.Repeat([]byte("b"), 2000)), string(bytes.Repeat([]byte("c"), 2000)))
	if taken != 2 || !errors.Is(err, ErrFull) {
		t.Errorf("%d, %v", taken, err)
	}
	used, quota, err := s.Usage(t.Context(), two)
	if err != nil || used != 4000+3*rowCost || quota != 5000 {
		t.Errorf("%d of %d, %v", used, quota, err)
	}
	if err := s.Publish(t.Context(), two, id24('p', 1), make([]byte, 700), time.Time{}); !errors.Is(err, ErrFull) {
		t.Errorf("page over the quota: %v", err)
	}
	if used, _, err := s.Usage(t.Context(), one); err != nil || used != rowCost {
		t.Errorf("the other one has %d, %v", used, err)
	}
	putAll(t, s, 1, "still room")
	must(t, remove(s, 2, wantListLen(t, s, 2, 2)...))
	putAll(t, s, 2, string(make([]byte, 2000)))
	checkCounters(t, s)
}

func wantListLen(t testing.TB, s *Store, n, want int) []uint64 {
	t.Helper()
	places, _ := list(t, s, n, 0)
	if len(places) != want {
		t.Errorf("%d blobs, want %d", len(places), want)
	}
	return places
}

func TestRevokedToken(t *testing.T) {
	s, one, _ := newStore(t, Options{})
	must(t, makeQueue(s, one, 1, time.Time{}))
	putAll(t, s, 1, "a")
	must(t, s.Allow(t.Context(), map[[32]byte]int64{id32('t', 3): 0}))
	if _, err := s.Auth(t.Context(), id32('t', 1)); !errors.Is(err, ErrRefused) {
		t.Errorf("auth: %v", err)
	}
	if _, _, err := s.Usage(t.Context(), one); !errors.Is(err, ErrRefused) {
		t.Errorf("usage: %v", err)
	}
	if err := makeQueue(s, one, 2, time.Time{}); !errors.Is(err, ErrRefused) {
		t.Errorf("make: %v", err)
	}
	if err := s.Publish(t.Context(), one, id24('p', 1), []byte("x"), time.Time{}); !errors.Is(err, ErrRefused) {
		t.Errorf("publish: %v", err)
	}
	if _, _, err := put(s, 1, "b"); !errors.Is(err, ErrFull) {
		t.Errorf("put: %v", err)
	}
	wantList(t, s, 1, "a")
	must(t, s.Allow(t.Context(), map[[32]byte]int64{id32('t', 1): 0}))
	if account(t, s, 1) != one {
		t.Error("the token has another account")
	}
	putAll(t, s, 1, "b")
}

func TestPages(t *testing.T) {
	c := newClock()
	s, one, _ := newStore(t, Options{Now: c.Now})
	page := id24('p', 1)
	if _, err := s.Read(t.Context(), page); !errors.Is(err, ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	must(t, s.Publish(t.Context(), one, page, []byte("old"), c.Now().Add(time.Hour)))
	must(t, s.Publish(t.Context(), one, page, []byte("newer"), c.Now().Add(time.Hour)))
	if got, err := s.Read(t.Context(), page); err != nil || string(got) != "newer" {
		t.Errorf("%q, %v", got, err)
	}
	checkCounters(t, s)
	c.advance(time.Hour)
	if _, err := s.Read(t.Context(), page); !errors.Is(err, ErrNotFound) {
		t.Errorf("after its end: %v", err)
	}
	sweepAll(t, s)
	checkCounters(t, s)
	if used, _, err := s.Usage(t.Context(), one); used != 0 || err != nil {
		t.Errorf("%d bytes are used, %v", used, err)
	}
}

func sweepAll(t testing.TB, s *Store) (steps int) {
	t.Helper()
	for {
		steps++
		more, err := s.Sweep(t.Context())
		must(t, err)
		if !more {
			return steps
		}
	}
}

func TestSweep(t *testing.T) {
	c := newClock()
	s, one, _ := newStore(t, Options{Now: c.Now, Life: 12 * time.Hour})
	const queues = 2*sweepQueues + 3
	for n := range queues {
		must(t, makeQueue(s, one, n, time.Time{}))
		putAll(t, s, n, "old")
	}
	must(t, makeQueue(s, one, queues, c.Now().Add(time.Hour)))
	for i := range 5 {
		var many []string
		for j := range sweepBlobs / 4 {
			many = append(many, fmt.Sprint(i, j))
		}
		putAll(t, s, 0, many...)
		putAll(t, s, queues, many...)
	}
	if _, err := slot(s, 1, "state"); err != nil {
		t.Fatal(err)
	}
	if steps := sweepAll(t, s); steps < 3 {
		t.Errorf("%d steps", steps)
	}
	wantList(t, s, 2, "old")
	c.advance(6 * time.Hour)
	putAll(t, s, 2, "new")
	c.advance(7 * time.Hour)
	sweepAll(t, s)
	wantList(t, s, 0)
	wantList(t, s, 1)
	wantList(t, s, 2, "new")
	checkCounters(t, s)
	kept, blobs, _, err := s.Kept(t.Context())
	if err != nil || kept != queues || blobs != 1 {
		t.Errorf("%d queues, %d blobs, %v", kept, blobs, err)
	}
}

func TestRunSweeps(t *testing.T) {
	c := newClock()
	s, one, _ := newStore(t, Options{Now: c.Now, Life: time.Hour})
	for n := range sweepQueues + 1 {
		must(t, makeQueue(s, one, n, time.Time{}))
		putAll(t, s, n, "old")
	}
	c.advance(2 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, blobs, _, err := s.Kept(t.Context()); err == nil && blobs == 0 {
			break
		} else if err != nil || time.Now().After(end) {
			t.Fatal(blobs, err)
		}
	}
	cancel()
	<-done
}

// TestAClockThatJumps: years ahead, and back. What is due within a day goes, the
// rest stays.
func TestAClockThatJumps(t *testing.T) {
	c := newClock()
	s, one, _ := newStore(t, Options{Now: c.Now})
	must(t, makeQueue(s, one, 1, time.Time{}))
	putAll(t, s, 1, "a")
	sweepAll(t, s)
	c.advance(10 * 365 * 24 * time.Hour)
	sweepAll(t, s)
	wantList(t, s, 1, "a")
	for range 31 {
		sweepAll(t, s)
	}
	wantList(t, s, 1)
}

func TestConcurrentPuts(t *testing.T) {
	s, one, _ := newStore(t, Options{})
	var wg sync.WaitGroup
	for n := range 16 {
		must(t, makeQueue(s, one, n, time.Time{}))
	}
	for n := range 16 {
		wg.Go(func() {
			for i := range 20 {
				if taken, fresh, err := put(s, n, fmt.Sprint(i)); taken != 1 || !fresh || err != nil {
					t.Errorf("%d, %v, %v", taken, fresh, err)
				}
			}
		})
	}
	wg.Wait()
	for n := range 16 {
		wantListLen(t, s, n, 20)
	}
	checkCounters(t, s)
}

// TestOneDoesNotFailForAnother: an update that fails in a batch fails alone.
func TestOneDoesNotFailForAnother(t *testing.T) {
	s, one, _ := newStore(t, Options{})
	must(t, makeQueue(s, one, 1, time.Time{}))
	bad := errors.New("bad")
	busy, free := make(chan struct{}), make(chan struct{})
	go func() {
		_ = s.update(context.Background(), func(*statements) error { close(busy); <-free; return nil })
	}()
	<-busy
	errs := make(chan error, 2)
	go func() { errs <- s.update(context.Background(), func(*statements) error { return bad }) }()
	go func() { _, _, err := put(s, 1, "a"); errs <- err }()
	time.Sleep(10 * time.Millisecond)
	close(free)
	if first, second := <-errs, <-errs; errors.Is(first, bad) == errors.Is(second, bad) || first != nil && second != nil {
		t.Errorf("%v, %v", first, second)
	}
	wantList(t, s, 1, "a")
}

func TestClosed(t *testing.T) {
	s, one, _ := newStore(t, Options{})
	must(t, makeQueue(s, one, 1, time.Time{}))
	must(t, s.Close())
	if _, _, err := put(s, 1, "a"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, _, err := s.Usage(t.Context(), one); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := s.Close(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.db")
	s := openAt(t, path, Options{})
	must(t, s.Allow(t.Context(), map[[32]byte]int64{id32('t', 1): 7}))
	must(t, s.Close())
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 && os.PathSeparator == '/' {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if fi, err := os.Stat(path + "-wal"); err == nil && fi.Size() > 0 {
		t.Error("closing left a WAL")
	}
	raw, err := os.ReadFile(path)
	must(t, err)
	token := id32('t', 1)
	if bytes.Contains(raw, token[:]) {
		t.Error("the file holds a token")
	}
	must(t, os.WriteFile(path, append([]byte("not a database"), raw...), 0o600))
	if _, err := Open(path, Options{}); !errors.Is(err, chat.ErrCorrupt) {
		t.Errorf("foreign: %v", err)
	}
	newer := bytes.Clone(raw)
	newer[63] = 9 // user_version
	must(t, os.WriteFile(path, newer, 0o600))
	if _, err := Open(path, Options{}); !errors.Is(err, chat.ErrNewerSchema) {
		t.Errorf("newer: %v", err)
	}
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, os.WriteFile(path+"-wal", raw, 0o600))
	if _, err := Open(path, Options{}); !errors.Is(err, chat.ErrCorrupt) {
		t.Errorf("WAL alone: %v", err)
	}
	if _, err := Open("relative.db", Options{}); err == nil {
		t.Error("a relative path was opened")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none", "mail.db"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}
