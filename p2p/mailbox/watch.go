package mailbox

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// watchCost in bytes is what one watched queue holds at the server.
const watchCost = 128

// watches knows which streams watch which queues.
type watches struct {
	mu      sync.Mutex
	byQueue map[int64]map[*watch]int // to the queue's index in the watch
}

// watch is what one stream watches. What is marked stays so until it is taken, so
// that a slow client loses nothing.
type watch struct {
	queues []int64
	some   chan struct{} // holds one token while something may be marked

	mu     sync.Mutex
	marked []bool
	order  []uint16 // the marked ones, the first one first
}

func newWatch(queues []int64) *watch {
	return &watch{queues: queues, some: make(chan struct{}, 1), marked: make([]bool, len(queues))}
}

func (s *watches) add(w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byQueue == nil {
		s.byQueue = make(map[int64]map[*watch]int)
	}
	for i, q := range w.queues {
		if q == 0 {
			continue
		}
		if s.byQueue[q] == nil {
			s.byQueue[q] = make(map[*watch]int, 1)
		}
		s.byQueue[q][w] = i
	}
}

func (s *watches) remove(w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range w.queues {
		delete(s.byQueue[q], w)
		if len(s.byQueue[q]) == 0 {
			delete(s.byQueue, q)
		}
	}
}

// wake marks a queue for everybody who watches it. It never waits for a client.
func (s *watches) wake(queue int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w, i := range s.byQueue[queue] {
		w.mark(i)
	}
}

func (w *watch) mark(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.marked[i] {
		return
	}
	w.marked[i] = true
	w.order = append(w.order, uint16(i))
	select {
	case w.some <- struct{}{}:
	default:
	}
}

// take returns what is marked as the body of an answer and unmarks it.
func (w *watch) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := make([]byte, 0, indexSize*len(w.order))
	for _, i := range w.order {
		w.marked[i] = false
		b = binary.BigEndian.AppendUint16(b, i)
	}
	w.order = w.order[:0]
	return b
}

// watch tells what arrives until the stream ends.
func (c *session) watch(ctx context.Context, keys []access) error {
	if c.reserve(len(keys)*watchCost) != nil || !c.server.enterWatch(c.peer) {
		return c.write(frameOf(AnswerBusy))
	}
	defer c.server.leaveWatch(c.peer)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := c.startWatch(ctx, keys)
	if err != nil {
		return c.write(frameOf(c.code(err)))
	}
	defer c.server.watches.remove(w)
	if err := c.stream.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("mailbox: set deadline: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer cancel()
		_, _ = c.r.ReadByte() // the end: a stream that watches does nothing else
	}()
	defer func() {
		_ = c.stream.SetReadDeadline(time.Now()) // wakes the reader
		<-ended
	}()
	for {
		if err := c.write(frameOf(AnswerDone, w.take()...)); err != nil {
			return err
		}
		select {
		case <-w.some:
		case <-ctx.Done():
			return nil
		}
	}
}

// startWatch registers a watch and marks what holds something already.
func (c *session) startWatch(ctx context.Context, keys []access) (*watch, error) {
	ids, caps := make([][idSize]byte, len(keys)), make([][capSize]byte, len(keys))
	for i, k := range keys {
		ids[i], caps[i] = k.id, k.by
	}
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	queues, err := c.server.store.Queues(ctx, ids, caps)
	if err != nil {
		return nil, err
	}
	w := newWatch(queues)
	// First this, then the look: what arrives in between is marked twice, not never.
	c.server.watches.add(w)
	if err := c.markHolding(ctx, w); err != nil {
		c.server.watches.remove(w)
		return nil, err
	}
	return w, nil
}

func (c *session) markHolding(ctx context.Context, w *watch) error {
	holding, err := c.server.store.Holding(ctx, w.queues)
	if err != nil {
		return err
	}
	missing := false
	for i, q := range w.queues {
		missing = missing || q == 0
		if q == 0 || holding[i] {
			w.mark(i)
		}
	}
	if missing {
		c.failed()
	} else {
		c.proven = true
	}
	return nil
}
