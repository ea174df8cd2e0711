package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

var errMine = errors.New("mine")

// hold keeps the writer busy until release is called, so that what comes next
// waits and shares a batch.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	started, end, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Update(context.Background(), func(*Tx) error { close(started); <-end; return nil }); err != nil {
			t.Error(err)
		}
	}()
	<-started
	return sync.OnceFunc(func() { close(end); <-done })
}

// arrive waits until n goroutines are about to queue an update, and lets them.
func arrive(n int64, arrived *atomic.Int64) {
	for arrived.Load() < n {
		runtime.Gosched()
	}
	for range 100 {
		runtime.Gosched()
	}
}

func setting(t *testing.T, s *Store, key string) (string, bool) {
	t.Helper()
	all, err := readOne(t, s, (*ReadTx).Settings)
	if err != nil {
		t.Fatal(err)
	}
	v, ok := all[key]
	return v, ok
}

// TestOneBatchIsolatesItsUpdates lets good, failing, panicking and exiting updates
// share commits, and finds exactly the good ones stored.
func TestOneBatchIsolatesItsUpdates(t *testing.T) {
	s := newTest(t)
	release := hold(t, s)
	const n = 200
	var arrived atomic.Int64
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			arrived.Add(1)
			outcome := runOne(s, i)
			if expected := [...]string{"ok", "mine", "panic", "exit", "swallowed"}[i%5]; outcome != expected {
				t.Errorf("%d: %s, want %s", i, outcome, expected)
			}
		})
	}
	arrive(n, &arrived)
	release()
	wg.Wait()
	for i := range n {
		if _, ok := setting(t, s, strconv.Itoa(i)); ok != (i%5 == 0) {
			t.Errorf("update %d stored: %v", i, ok)
		}
	}
	put(t, s, func(tx *Tx) error { return tx.PutSetting("after", "") })
}

// TestWaitingUpdatesShareACommit looks out of an update at what is committed: in a
// shared batch it sees more than any snapshot does.
func TestWaitingUpdatesShareACommit(t *testing.T) {
	s := newTest(t)
	settings := func(tx *ReadTx) int64 {
		n, err := tx.c.int("SELECT count(*) FROM setting")
		if err != nil {
			t.Error(err)
		}
		return n
	}
	var most atomic.Int64 // uncommitted updates before this one
	for round := 0; most.Load() < 2 && round < 100; round++ {
		release := hold(t, s)
		var arrived atomic.Int64
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				arrived.Add(1)
				put(t, s, func(tx *Tx) error {
					inside := settings(&tx.ReadTx)
					view(t, s, func(tx *ReadTx) error { most.Store(max(most.Load(), inside-settings(tx))); return nil })
					return tx.PutSetting(fmt.Sprint(round, i), "")
				})
			})
		}
		arrive(32, &arrived)
		release()
		wg.Wait()
	}
	if n := most.Load(); n < 2 || n >= maxBatch {
		t.Errorf("at most %d updates shared a commit with one before them", n)
	}
}

// runOne runs an update that ends in one of five ways, in a goroutine of its own
// since one of them ends it.
func runOne(s *Store, i int) (outcome string) {
	outcome = "exit"
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				outcome = fmt.Sprint(p)
			}
		}()
		err := s.Update(context.Background(), func(tx *Tx) error {
			if err := tx.PutSetting(strconv.Itoa(i), "x"); err != nil {
				return err
			}
			return endAs(tx, i%5)
		})
		switch {
		case err == nil:
			outcome = "ok"
		case errors.Is(err, errMine):
			outcome = "mine"
		default:
			outcome = "swallowed"
		}
	}()
	<-done
	return outcome
}

func endAs(tx *Tx, how int) error {
	switch how {
	case 1:
		return errMine
	case 2:
		panic("panic")
	case 3:
		runtime.Goexit()
	case 4:
		_ = tx.do("INSERT INTO nowhere VALUES (1)") // an error nobody looks at
	}
	return nil
}

func TestNothingRunsAfterAFailedStatement(t *testing.T) {
	s := newTest(t)
	err := s.Update(t.Context(), func(tx *Tx) error {
		first := tx.do("SELECT nothing")
		if err := tx.PutSetting("a", "b"); first == nil || !errors.Is(err, first) {
			t.Errorf("%v after %v", err, first)
		}
		return nil
	})
	if err == nil {
		t.Error("the update succeeded")
	}
	if _, ok := setting(t, s, "a"); ok {
		t.Error("stored")
	}
}

func TestTransactionsEnd(t *testing.T) {
	s := newTest(t)
	var tx *Tx
	var rtx *ReadTx
	put(t, s, func(x *Tx) error { tx = x; return nil })
	view(t, s, func(x *ReadTx) error { rtx = x; return nil })
	_, err := rtx.Settings()
	for _, err := range []error{tx.PutSetting("a", "b"), err} {
		if !errors.Is(err, ErrTxDone) {
			t.Error(err)
		}
	}
}

func TestUpdateGivesUpWhileItWaits(t *testing.T) {
	s := newTest(t)
	release := hold(t, s)
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error)
	go func() {
		given <- s.Update(ctx, func(tx *Tx) error { t.Error("ran"); return tx.PutSetting("a", "b") })
	}()
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.Update(ctx, func(*Tx) error { t.Error("ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	release()
	put(t, s, func(*Tx) error { return nil }) // the writer is past it
}

// TestUpdateGivesUpInTheBatch cancels an update that the writer has received but
// not started.
func TestUpdateGivesUpInTheBatch(t *testing.T) {
	s := newTest(t)
	u := &update{turn: make(chan *Tx), ran: make(chan error), done: make(chan error, 1)}
	u.taken.Store(true) // as Update does when its context ends
	release := hold(t, s)
	queued := make(chan struct{})
	go func() { s.queue <- u; close(queued) }()
	release()
	<-queued
	put(t, s, func(*Tx) error { return nil })
	if len(u.done) != 0 {
		t.Error("a dropped update was answered")
	}
}

func TestStartedUpdateWaitsForItsCommit(t *testing.T) {
	s := newTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Update(ctx, func(tx *Tx) error { cancel(); return tx.PutSetting("a", "b") })
	if _, ok := setting(t, s, "a"); err != nil || !ok {
		t.Error(err, ok)
	}
}

func TestViewIsASnapshot(t *testing.T) {
	s := newTest(t)
	count := func(tx *ReadTx) int {
		all, err := tx.Settings()
		if err != nil {
			t.Error(err)
		}
		return len(all)
	}
	view(t, s, func(tx *ReadTx) error {
		before := count(tx)
		put(t, s, func(tx *Tx) error { return tx.PutSetting("a", "b") })
		if after := count(tx); before != 0 || after != 0 {
			t.Errorf("a snapshot changed from %d to %d", before, after)
		}
		return nil
	})
	view(t, s, func(tx *ReadTx) error {
		if n := count(tx); n != 1 {
			t.Error("an update is not seen", n)
		}
		return nil
	})
}

func TestUpdateReadsItsOwnWrites(t *testing.T) {
	s := newTest(t)
	put(t, s, func(tx *Tx) error {
		if err := tx.PutSecret("a", []byte("b")); err != nil {
			return err
		}
		got, err := tx.Secret("a")
		if string(got) != "b" {
			t.Errorf("%q", got)
		}
		return err
	})
}

func TestViewCannotWrite(t *testing.T) {
	s := newTest(t)
	err := s.View(t.Context(), func(tx *ReadTx) error { return (&Tx{*tx}).PutSetting("a", "b") })
	if !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
}

func TestViewReturnsItsReader(t *testing.T) {
	s := newTest(t)
	for range 2 * readers {
		if err := s.View(t.Context(), func(*ReadTx) error { return errMine }); !errors.Is(err, errMine) {
			t.Error(err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = s.View(t.Context(), func(*ReadTx) error { panic("x") })
		}()
		if err := s.View(t.Context(), func(tx *ReadTx) error { return tx.get(nil, "SELECT nothing") }); err == nil {
			t.Error("no error")
		}
	}
	want(t, s, map[string]string{}, (*ReadTx).Settings)
}

func TestViewGivesUpWhileItWaits(t *testing.T) {
	s := newTest(t)
	end := make(chan struct{})
	var inside, wg sync.WaitGroup
	inside.Add(readers)
	for range readers {
		wg.Go(func() { view(t, s, func(*ReadTx) error { inside.Done(); <-end; return nil }) })
	}
	inside.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.View(ctx, func(*ReadTx) error { t.Error("ran"); return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	close(end)
	wg.Wait()
}

// TestWALStaysShortUnderReaders keeps a snapshot open at every moment, so that
// SQLite by itself never begins the WAL anew.
func TestWALStaysShortUnderReaders(t *testing.T) {
	path := filepath.Join(memoryDir(t), "kuvert.db")
	s := openTest(t, path)
	const limit, total = 1 << 20, 32 << 20
	put(t, s, func(*Tx) error { s.walLimit = limit; return nil })
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); alwaysRead(t, s, stop) }()
	defer func() { close(stop); <-done }()
	for written := 0; written < total; written += 16 << 10 {
		put(t, s, func(tx *Tx) error { return tx.PutSecret("a", bytes.Repeat([]byte{byte(written >> 14)}, 16<<10)) })
		if fi, err := os.Stat(path + "-wal"); err != nil || fi.Size() > 8*limit {
			t.Fatal("WAL's size", fi.Size(), err)
		}
	}
}

// alwaysRead opens snapshots one after the other, each before the last one ends.
func alwaysRead(t *testing.T, s *Store, stop <-chan struct{}) {
	var wg sync.WaitGroup
	defer wg.Wait()
	leaveLast := func() {}
	for {
		in, leave := make(chan struct{}), make(chan struct{})
		wg.Go(func() {
			view(t, s, func(tx *ReadTx) error {
				_, err := tx.Settings()
				close(in)
				<-leave
				return err
			})
		})
		<-in
		leaveLast()
		leaveLast = func() { close(leave) }
		select {
		case <-stop:
			leaveLast()
			return
		default:
		}
	}
}

func TestCloseWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kuvert.db")
	s := openTest(t, path)
	release := hold(t, s)
	var arrived, acked atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			arrived.Add(1)
			err := s.Update(context.Background(), func(tx *Tx) error { return tx.PutSetting(strconv.Itoa(i), "") })
			switch {
			case err == nil:
				acked.Add(1)
			case !errors.Is(err, ErrClosed):
				t.Error(err)
			}
		})
	}
	arrive(100, &arrived)
	wg.Go(func() {
		// Close has begun when nothing new is let in.
		for s.View(context.Background(), func(*ReadTx) error { return nil }) == nil {
			runtime.Gosched()
		}
		release()
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	for _, err := range []error{
		s.Close(), s.Check(t.Context()),
		s.Update(t.Context(), func(*Tx) error { return nil }),
		s.View(t.Context(), func(*ReadTx) error { return nil }),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
	all, err := readOne(t, openTest(t, path), (*ReadTx).Settings)
	if err != nil || int64(len(all)) != acked.Load() {
		t.Errorf("%d acknowledged, %d stored, %v", acked.Load(), len(all), err)
	}
}

// TestConcurrentUse lets many goroutines write and read at once and watches an
// invariant: a conversation's counters agree with its messages in every snapshot.
func TestConcurrentUse(t *testing.T) {
	s := newRoom(t)
	const writers, each = 16, 40
	var wg, reading sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		reading.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					view(t, s, func(tx *ReadTx) error { return checkCounters(tx, t) })
				}
			}
		})
	}
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				m := text(uint64(w*each+i+1), bert)
				put(t, s, insert(m))
				if i%5 == 4 {
					put(t, s, func(tx *Tx) error { _, err := tx.MarkRead(room, m.Seq); return err })
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	reading.Wait()
	view(t, s, func(tx *ReadTx) error {
		page, err := tx.Messages(chat.MessageQuery{Conversation: room, Limit: chat.MaxPage})
		if len(page) != writers*each {
			t.Error(len(page))
		}
		return err
	})
}

func checkCounters(tx *ReadTx, t testing.TB) error {
	r, err := tx.Conversation(room)
	if err != nil {
		return err
	}
	unread, err := tx.c.int("SELECT count(*) FROM message WHERE unread = 1")
	if err != nil {
		return err
	}
	newest, err := tx.Messages(chat.MessageQuery{Conversation: room, Limit: 1})
	if err != nil {
		return err
	}
	if int64(r.Unread) != unread {
		t.Errorf("counter %d, unread %d", r.Unread, unread)
	}
	if len(newest) == 1 && (r.Last == nil || !reflect.DeepEqual(*r.Last, newest[0])) {
		t.Errorf("last %+v, newest %+v", r.Last, newest[0])
	}
	return nil
}
