package deliver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// A Receiver says how an incoming stream is served.
type Receiver struct {
	// Take commits a batch and returns an answer for each frame. A shorter answer
	// ends the stream behind it.
	Take func(ctx context.Context, frames [][]byte) []byte
	// Known tells whether the sender was recognised. A stranger's stream may hold
	// one frame at a time and may not be idle.
	Known func() bool
	// Heard, if not nil, is told whenever bytes came in.
	Heard func()
}

// Serve takes frames until the stream or ctx ends. An idle end is no error.
func (r Receiver) Serve(ctx context.Context, s network.Stream) error {
	if err := wire.Open(s, Service, memory, AnswerPatience); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	q := newQueue()
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.fail(r.read(s, q))
	}()
	err := r.answer(ctx, s, q)
	if errors.Is(err, io.EOF) {
		err = nil
	} else {
		_ = s.Reset() // wakes the reader
	}
	q.fail(err)
	<-done
	return err
}

// read queues frames until the stream ends.
func (r Receiver) read(s network.Stream, q *queue) error {
	b := bufio.NewReaderSize(s, readBuffer)
	reserve := func(n int) error {
		if err := r.patience(s, n); err != nil {
			return err
		}
		return s.Scope().ReserveMemory(n, network.ReservationPriorityMedium)
	}
	for {
		if err := r.awaitFrame(s, b); err != nil {
			return err
		}
		frame, err := wire.ReadFrame(b, MaxFrame, reserve)
		if err != nil {
			return err
		}
		if err := q.put(frame, r.Known()); err != nil {
			return err
		}
	}
}

// awaitFrame waits for a frame's first byte: as long as it takes for somebody
// known, wire.Patience for a stranger.
func (r Receiver) awaitFrame(s network.Stream, b *bufio.Reader) error {
	if b.Buffered() > 0 {
		return nil
	}
	var idle time.Time
	if !r.Known() {
		idle = time.Now().Add(wire.Patience)
	}
	if err := s.SetReadDeadline(idle); err != nil {
		return fmt.Errorf("deliver: set deadline: %w", err)
	}
	if _, err := b.Peek(1); err != nil {
		return err
	}
	if r.Heard != nil {
		r.Heard()
	}
	return r.patience(s, 0)
}

// patience sets the deadline for the rest of a frame of n bytes.
func (r Receiver) patience(s network.Stream, n int) error {
	d := wire.Patience
	if r.Known() {
		d += transferTime(n)
	}
	if err := s.SetReadDeadline(time.Now().Add(d)); err != nil {
		return fmt.Errorf("deliver: set deadline: %w", err)
	}
	return nil
}

// answer hands on what is queued and answers it.
func (r Receiver) answer(ctx context.Context, s network.Stream, q *queue) error {
	for {
		frames, bytes, err := q.take()
		if err != nil {
			return err
		}
		answers := r.commit(ctx, frames)
		s.Scope().ReleaseMemory(bytes)
		if err := s.SetWriteDeadline(time.Now().Add(wire.Patience)); err != nil {
			return fmt.Errorf("deliver: set deadline: %w", err)
		}
		if _, err := s.Write(answers); err != nil {
			return fmt.Errorf("deliver: answer: %w", err)
		}
		if len(answers) < len(frames) {
			return fmt.Errorf("deliver: %d of %d frames were handled: %w", len(answers), len(frames), ErrBroken)
		}
	}
}

func (r Receiver) commit(ctx context.Context, frames [][]byte) []byte {
	ctx, cancel := context.WithTimeout(ctx, HandlerPatience)
	defer cancel()
	answers := r.Take(ctx, frames)
	return answers[:min(len(answers), len(frames))]
}

// queue holds frames between the reader and the handler, at most a window.
type queue struct {
	mu     sync.Mutex
	change *sync.Cond
	frames [][]byte
	bytes  int
	err    error
}

func newQueue() *queue {
	q := &queue{}
	q.change = sync.NewCond(&q.mu)
	return q
}

// put waits for room and adds a frame. A stranger has room for one.
func (q *queue) put(frame []byte, known bool) error {
	room := 1
	if known {
		room = Window
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.err == nil && len(q.frames) > 0 && (len(q.frames) >= room || q.bytes+len(frame) > WindowBytes) {
		q.change.Wait()
	}
	if q.err != nil {
		return q.err
	}
	q.frames = append(q.frames, frame)
	q.bytes += len(frame)
	q.change.Broadcast()
	return nil
}

// take waits for frames and returns all there are.
func (q *queue) take() (frames [][]byte, bytes int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.err == nil && len(q.frames) == 0 {
		q.change.Wait()
	}
	if len(q.frames) == 0 {
		return nil, 0, q.err
	}
	frames, bytes = q.frames, q.bytes
	q.frames, q.bytes = nil, 0
	q.change.Broadcast()
	return frames, bytes, nil
}

// fail ends the queue; what is in it may still be taken.
func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
	if q.err == nil {
		q.err = io.EOF
	}
	q.change.Broadcast()
}
