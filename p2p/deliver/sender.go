package deliver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// ErrBroken says that the stream ended before every frame was answered. What was
// not answered may have been committed all the same: send it again.
var ErrBroken = errors.New("deliver: stream broke")

// A Sender is the sending side of one connection. It opens its stream at the
// first use and keeps it.
type Sender struct {
	open func(context.Context) (network.Stream, error)

	waits atomic.Pointer[wait] // nil while no answer is waited for

	turn chan struct{} // holds one token; who has it owns what follows
	s    network.Stream
	w    *bufio.Writer // only while frames are sent
}

type wait struct {
	conn  network.Conn
	since time.Time
}

// Waiting returns for how long the Sender has been waiting for an answer, and on
// which connection; nil if it is not.
func (d *Sender) Waiting() (network.Conn, time.Duration) {
	if w := d.waits.Load(); w != nil {
		return w.conn, time.Since(w.since)
	}
	return nil, 0
}

// writers keeps buffers: most connections are quiet most of the time.
var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, writeBuffer) }}

// NewSender returns a Sender that opens its streams with open.
func NewSender(open func(context.Context) (network.Stream, error)) *Sender {
	d := &Sender{open: open, turn: make(chan struct{}, 1)}
	d.turn <- struct{}{}
	return d
}

// Deliver sends frames in order and returns the answers, one a frame. There are
// fewer of them only if err is not nil.
func (d *Sender) Deliver(ctx context.Context, frames [][]byte) ([]byte, error) {
	for _, f := range frames {
		if err := wire.CheckFrame(f, MaxFrame); err != nil {
			return nil, err
		}
	}
	select {
	case <-d.turn:
		defer func() { d.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	kept := d.s != nil
	answers, err := d.attempt(ctx, frames)
	if err != nil && kept && len(answers) == 0 && ctx.Err() == nil {
		// The kept stream may have died unnoticed, while nothing was sent on it.
		answers, err = d.attempt(ctx, frames)
	}
	return answers, err
}

// Close ends the stream.
func (d *Sender) Close() {
	<-d.turn
	defer func() { d.turn <- struct{}{} }()
	d.drop()
}

func (d *Sender) drop() {
	if d.s != nil {
		_ = d.s.Reset()
		d.s = nil
	}
}

func (d *Sender) ready(ctx context.Context) error {
	if d.s != nil {
		return nil
	}
	s, err := d.open(ctx)
	if err != nil {
		return fmt.Errorf("deliver: open a stream: %w", err)
	}
	if err := s.Scope().SetService(Service); err != nil {
		_ = s.Reset()
		return fmt.Errorf("deliver: attach to service: %w", err)
	}
	d.s = s
	return nil
}

// attempt sends all frames over one stream.
func (d *Sender) attempt(ctx context.Context, frames [][]byte) ([]byte, error) {
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	s := d.s
	d.w = writers.Get().(*bufio.Writer)
	d.w.Reset(s)
	defer func() {
		d.waits.Store(nil)
		d.w.Reset(nil)
		writers.Put(d.w)
		d.w = nil
	}()
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	answers, err := d.exchange(frames)
	if !stop() && err == nil {
		err = ctx.Err() // the stream was reset behind the last answer
	}
	if err != nil {
		d.drop()
		return answers, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return answers, nil
}

// exchange keeps the window full and reads answers as they come.
func (d *Sender) exchange(frames [][]byte) ([]byte, error) {
	answers := make([]byte, 0, len(frames))
	var buf [Window]byte
	sent, inFlight := 0, 0
	for len(answers) < len(frames) {
		next, bytes := fill(frames, sent, len(answers), inFlight)
		inFlight += bytes
		if err := d.write(frames[sent:next], inFlight); err != nil {
			return answers, err
		}
		sent = next
		d.waits.Store(&wait{d.s.Conn(), time.Now()})
		n, err := d.s.Read(buf[:sent-len(answers)])
		for _, f := range frames[len(answers) : len(answers)+n] {
			inFlight -= len(f)
		}
		answers = append(answers, buf[:n]...)
		if err != nil && len(answers) < len(frames) {
			return answers, unexpected(err)
		}
	}
	return answers, nil
}

// fill returns up to which frame the window allows to send now.
func fill(frames [][]byte, sent, answered, inFlight int) (next, bytes int) {
	for next = sent; next < len(frames) && next-answered < Window; next++ {
		n := len(frames[next])
		if next > answered && inFlight+bytes+n > WindowBytes {
			break
		}
		bytes += n
	}
	return next, bytes
}

// write sends frames and sets the deadline for the next answer.
func (d *Sender) write(frames [][]byte, inFlight int) error {
	if err := d.s.SetDeadline(time.Now().Add(AnswerPatience + transferTime(inFlight))); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	for _, f := range frames {
		if err := wire.BufferFrame(d.w, f); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	d.waits.Store(&wait{d.s.Conn(), time.Now()})
	if err := d.w.Flush(); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
