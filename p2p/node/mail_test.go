package node

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/p2p/mailbox"
)

// denied is an error that a mailbox's client is told.
type denied byte

func (d denied) Answer() byte  { return byte(d) }
func (d denied) Error() string { return fmt.Sprintf("denied %d", byte(d)) }

// memory is a mailbox.Store that forgets everything.
type memory struct {
	mu     sync.Mutex
	tokens map[[32]byte]int64
	proofs int // how often a token was shown
	queues []*memQueue
	pages  map[[24]byte][]byte
	closed bool
}

type memQueue struct {
	ids   mailbox.QueueIDs
	blobs []mailbox.Blob
	last  uint64
}

func (m *memory) Allow(_ context.Context, tokens map[[32]byte]int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens = tokens
	return nil
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func (m *memory) Auth(_ context.Context, token [32]byte) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.proofs++
	if _, ok := m.tokens[token]; !ok {
		return 0, denied(mailbox.AnswerRefused)
	}
	return 1, nil
}

func (m *memory) Usage(context.Context, int64) (int64, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	used := 0
	for _, q := range m.queues {
		used += len(q.blobs)
	}
	return int64(used), 1000, nil
}

func (m *memory) Make(_ context.Context, _ int64, recvID [24]byte, recvCap [32]byte, sendID [24]byte, sendCap [32]byte, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queues = append(m.queues, &memQueue{ids: mailbox.QueueIDs{RecvID: recvID, RecvCap: recvCap, SendID: sendID, SendCap: sendCap}})
	return nil
}

// find returns a queue and its number. The caller holds mu.
func (m *memory) find(fits func(mailbox.QueueIDs) bool) (*memQueue, int64, error) {
	for i, q := range m.queues {
		if fits(q.ids) {
			return q, int64(i) + 1, nil
		}
	}
	return nil, 0, denied(mailbox.AnswerNotFound)
}

func receiver(id [24]byte, access [32]byte) func(mailbox.QueueIDs) bool {
	return func(q mailbox.QueueIDs) bool { return q.RecvID == id && q.RecvCap == access }
}

func (m *memory) Drop(_ context.Context, id [24]byte, access [32]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	q, _, err := m.find(receiver(id, access))
	if err == nil {
		*q = memQueue{}
	}
	return err
}

func (m *memory) Put(_ context.Context, id [24]byte, access [32]byte, blobs [][]byte) (int64, int, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q, number, err := m.find(func(q mailbox.QueueIDs) bool { return q.SendID == id && q.SendCap == access })
	if err != nil {
		return 0, 0, false, err
	}
	for _, b := range blobs {
		q.last++
		q.blobs = append(q.blobs, mailbox.Blob{Place: q.last, Blob: b})
	}
	return number, len(blobs), true, nil
}

func (m *memory) Slot(ctx context.Context, id [24]byte, access [32]byte, blob []byte) (int64, bool, error) {
	number, _, _, err := m.Put(ctx, id, access, [][]byte{blob})
	return number, true, err
}

func (m *memory) List(_ context.Context, id [24]byte, access [32]byte, after uint64, limit, _ int) (places []uint64, blobs [][]byte, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q, _, err := m.find(receiver(id, access))
	if err != nil {
		return nil, nil, err
	}
	for _, b := range q.blobs {
		if b.Place > after && len(places) < limit {
			places, blobs = append(places, b.Place), append(blobs, b.Blob)
		}
	}
	return places, blobs, nil
}

func (m *memory) Delete(_ context.Context, id [24]byte, access [32]byte, places []uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	q, _, err := m.find(receiver(id, access))
	if err == nil {
		q.blobs = slices.DeleteFunc(q.blobs, func(b mailbox.Blob) bool { return slices.Contains(places, b.Place) })
	}
	return err
}

func (m *memory) Queues(_ context.Context, ids [][24]byte, accesses [][32]byte) ([]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]int64, len(ids))
	for i := range ids {
		_, out[i], _ = m.find(receiver(ids[i], accesses[i]))
	}
	return out, nil
}

func (m *memory) Holding(_ context.Context, queues []int64) ([]bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]bool, len(queues))
	for i, number := range queues {
		out[i] = number > 0 && len(m.queues[number-1].blobs) > 0
	}
	return out, nil
}

func (m *memory) Publish(_ context.Context, _ int64, id [24]byte, blob []byte, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pages[id] = blob
	return nil
}

func (m *memory) Read(_ context.Context, id [24]byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b, ok := m.pages[id]; ok {
		return b, nil
	}
	return nil, denied(mailbox.AnswerNotFound)
}

func (m *memory) Kept(context.Context) (queues, blobs int, bytes int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.queues {
		blobs += len(q.blobs)
	}
	return len(m.queues), blobs, int64(blobs), nil
}

func (m *memory) shown() int { m.mu.Lock(); defer m.mu.Unlock(); return m.proofs }

var queue = mailbox.QueueIDs{RecvID: [24]byte{1}, RecvCap: [32]byte{2}, SendID: [24]byte{3}, SendCap: [32]byte{4}}

// A desktop that keeps mail serves those who hold a token, and who was given a
// queue, for as long as it is switched on; the mail stays.
func TestKeepMail(t *testing.T) {
	store := &memory{pages: map[[24]byte][]byte{}}
	office := newPerson(t, "office")
	office.cfg.OpenMail = func(context.Context) (MailStore, error) { return store, nil }
	office.start()
	token := [32]byte{9}
	if err := office.n.KeepMail(t.Context(), [][32]byte{token}); err != nil {
		t.Fatal(err)
	}
	alice, bob := newPerson(t, "alice").start(), newPerson(t, "bob").start()
	own := Station{Host: office.n.HostKey(), Addrs: office.n.Addrs(), Token: token}
	theirs := own
	theirs.Token = [32]byte{}
	alice.n.UseStations([]Station{own})
	waitFor(t, "alice is connected", func() bool { return alice.n.StationState(own.Host).Connected })
	if err := alice.n.MakeQueue(t.Context(), own, queue, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if n, err := bob.n.PutMail(t.Context(), theirs, queue.SendID, queue.SendCap, [][]byte{{1}, {2}}); n != 2 || err != nil {
		t.Fatalf("bob put %d: %v", n, err)
	}
	if got, err := alice.n.ListMail(t.Context(), own, queue.RecvID, queue.RecvCap, 0); len(got) != 2 || err != nil {
		t.Errorf("alice lists %v: %v", got, err)
	}
	if k, err := office.n.MailKept(t.Context()); k.Blobs != 2 || err != nil {
		t.Errorf("kept: %v, %v", k, err)
	}
	if err := office.n.KeepMail(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "it is switched off", func() bool {
		_, err := bob.n.PutMail(t.Context(), theirs, queue.SendID, queue.SendCap, [][]byte{{3}})
		return err != nil
	})
	if k, _ := office.n.MailKept(t.Context()); k.Blobs != 2 {
		t.Errorf("after it was switched off: %v", k)
	}
	office.stop()
	if !store.closed {
		t.Error("the store was not closed")
	}
}

// Who uses the mailbox is no unknown stranger: the connection outlives the grace.
func TestWhoHoldsATokenStaysConnected(t *testing.T) {
	store := &memory{pages: map[[24]byte][]byte{}}
	office := newPerson(t, "office")
	office.cfg.Limits.Grace = time.Millisecond
	office.cfg.OpenMail = func(context.Context) (MailStore, error) { return store, nil }
	office.start()
	if err := office.n.KeepMail(t.Context(), [][32]byte{{9}}); err != nil {
		t.Fatal(err)
	}
	alice := newPerson(t, "alice").start()
	alice.n.UseStations([]Station{{Host: office.n.HostKey(), Addrs: office.n.Addrs(), Token: [32]byte{9}}})
	waitFor(t, "alice is connected", func() bool { return alice.n.StationState(office.n.HostKey()).Connected })
	office.n.dropIdleStrangers(time.Now().Add(time.Hour))
	time.Sleep(50 * time.Millisecond)
	if !alice.n.StationState(office.n.HostKey()).Connected || store.shown() != 1 {
		t.Errorf("%+v, the token was shown %d times", alice.n.StationState(office.n.HostKey()), store.shown())
	}
}
