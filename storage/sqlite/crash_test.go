package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// crashRounds end early on a slow machine: after crashTime no further one starts.
const (
	crashRounds = 30
	crashTime   = 15 * time.Second
)

// crashUpdate is one update: the message, outbox item, seen hash and peer state of
// a number.
type crashUpdate struct{ n uint64 }

func (u crashUpdate) message() chat.Message {
	m := chat.Message{
		Conversation: room, Sender: bert, Kind: chat.KindText, State: chat.Received,
		Text: fmt.Sprint("Nr. ", u.n), SentAt: t0, ReceivedAt: t0.Add(time.Duration(u.n) * time.Millisecond), Seq: u.n,
	}
	binary.BigEndian.PutUint64(m.ID[:], u.n*0x9e3779b97f4a7c15)
	return m
}

func (u crashUpdate) hash() (h [32]byte) {
	binary.LittleEndian.PutUint64(h[:], u.n)
	return h
}

// store writes all parts. One in five fails after it wrote them.
func (u crashUpdate) store(tx *Tx) error {
	m := u.message()
	if _, err := tx.InsertMessage(m); err != nil {
		return err
	}
	if _, err := tx.AddOutbox(chat.OutboxItem{Contact: bert, Message: m.ID, Payload: make([]byte, u.n%9000)}); err != nil {
		return err
	}
	if err := tx.PutPeer(bert, make([]byte, 2000+u.n%3000)); err != nil {
		return err
	}
	if err := tx.PutSeen(u.hash(), bert, t0, true); err != nil {
		return err
	}
	if u.fails() {
		return errMine
	}
	return nil
}

func (u crashUpdate) fails() bool { return u.n%5 == 0 }

// crashChild stores updates from several goroutines until it is killed, and prints
// the number of each one that was acknowledged.
func crashChild(path string) error {
	s, err := Open(context.Background(), Config{Path: path, Key: &testKey})
	if err != nil {
		return err
	}
	start, err := strconv.ParseUint(os.Getenv("START"), 10, 64)
	if err != nil {
		return err
	}
	if err := s.Update(context.Background(), makeRoom); err != nil {
		return err
	}
	next := atomic.Uint64{}
	next.Store(start)
	failed := make(chan error)
	for range 6 {
		go func() {
			for {
				u := crashUpdate{next.Add(1)}
				err := s.Update(context.Background(), u.store)
				if err != nil && !(u.fails() && errors.Is(err, errMine)) {
					failed <- err
				}
				if err == nil {
					_, _ = os.Stdout.WriteString(strconv.FormatUint(u.n, 10) + "\n")
				}
			}
		}()
	}
	return <-failed
}

// TestNothingAcknowledgedIsLostByKill kills a writing process again and again: what
// it acknowledged is there, and nothing is there by half.
func TestNothingAcknowledgedIsLostByKill(t *testing.T) {
	rounds := crashRounds
	if testing.Short() {
		rounds = 3
	}
	path := filepath.Join(t.TempDir(), "kuvert.db")
	acked := make(map[uint64]bool)
	var highest uint64
	for begun := time.Now(); rounds > 0 && time.Since(begun) < crashTime; rounds-- {
		cmd := child(t.Context(), "crash", path)
		cmd.Env = append(cmd.Env, "START="+strconv.FormatUint(highest, 10))
		for _, line := range killOnceUp(t, cmd, rand.N(150*time.Millisecond)) {
			n, err := strconv.ParseUint(line, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			acked[n] = true
		}
		highest = checkAfterCrash(t, path, acked, highest)
	}
	t.Logf("%d acknowledged, highest number %d", len(acked), highest)
}

// checkAfterCrash opens the database, looks closely at the numbers that are newer
// than those of the round before, and returns the highest.
func checkAfterCrash(t *testing.T, path string, acked map[uint64]bool, before uint64) (highest uint64) {
	t.Helper()
	s := openTest(t, path)
	defer func() { _ = s.Close() }()
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored := make(map[uint64]bool)
	view(t, s, func(tx *ReadTx) error {
		unread, err := crashStored(tx, stored, before)
		if err != nil {
			return err
		}
		r, err := tx.Conversation(room)
		if err != nil || r.Unread != unread {
			t.Errorf("counter %d, messages %d, %v", r.Unread, unread, err)
		}
		return err
	})
	for n := range acked {
		if !stored[n] {
			t.Errorf("%d was acknowledged and is lost", n)
		}
	}
	for n := range stored {
		highest = max(highest, n)
		if (crashUpdate{n}).fails() {
			t.Errorf("%d failed and was stored", n)
		}
	}
	return highest
}

// crashStored collects the numbers that are stored whole; half ones are errors.
func crashStored(tx *ReadTx, stored map[uint64]bool, before uint64) (messages int, err error) {
	numbers, err := list(tx.c, func(r *row) uint64 { return r.uint64() }, "SELECT seq FROM message")
	if err != nil {
		return 0, err
	}
	outbox, err := tx.c.int("SELECT count(*) FROM outbox")
	if err != nil {
		return 0, err
	}
	seen, err := tx.c.int("SELECT count(*) FROM seen")
	if err != nil {
		return 0, err
	}
	if int64(len(numbers)) != outbox || outbox != seen {
		return 0, fmt.Errorf("%d messages, %d outbox items, %d hashes", len(numbers), outbox, seen)
	}
	for _, n := range numbers {
		stored[n] = true
		u := crashUpdate{n}
		if n <= before {
			continue
		}
		if m, err := tx.Message(u.message().ID); err != nil || !reflect.DeepEqual(m, u.message()) {
			return 0, fmt.Errorf("message %d is %+v: %w", n, m, err)
		}
		if _, err := tx.OutboxItem(u.message().ID); err != nil {
			return 0, err
		}
		if ok, _, err := tx.Seen(u.hash()); err != nil || !ok {
			return 0, fmt.Errorf("%d is not seen: %w", n, err)
		}
	}
	return len(numbers), nil
}
