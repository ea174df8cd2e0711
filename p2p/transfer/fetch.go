package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
)

// Fetch asks for parts of a sealed file of size bytes on a stream that this side
// opened. next returns what to ask for next, a Want with Count 0 at the end; it is
// asked while earlier answers are on their way. take is given every block by
// itself, with its index, by takers goroutines at once, so that one is checked while
// another is written; the manifest's entries as they come, with one taker. data is
// valid until take returns. take's error ends the transfer.
func Fetch(ctx context.Context, s network.Stream, id [32]byte, size int64, takers int, next func() Want, take func(w Want, i int64, data []byte) error) error {
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	f := &fetch{s: s, id: id, size: size, next: next, full: make(chan piece, takeBuffers), free: make(chan []byte, takeBuffers), stop: make(chan struct{})}
	for range takeBuffers {
		f.free <- nil
	}
	var wg sync.WaitGroup
	for range takers {
		wg.Go(func() { f.takeAll(take) })
	}
	err := f.run()
	close(f.full)
	wg.Wait()
	if f.taken != nil {
		err = f.taken // the reader's error follows from it
	}
	return errors.Join(ctx.Err(), err)
}

type fetch struct {
	s    network.Stream
	id   [32]byte
	size int64
	next func() Want

	asked []Want // unanswered, the oldest first
	ended bool   // next has nothing more

	full chan piece
	free chan []byte
	stop chan struct{} // closed when nothing is taken any more
	once sync.Once
	// taken is the first error of take; set by once.
	taken error
}

// piece is a block, or a part of the manifest, on its way to the disk.
type piece struct {
	want  Want
	i     int64
	buf   []byte
	bytes int
}

func (f *fetch) takeAll(take func(Want, int64, []byte) error) {
	for p := range f.full {
		if err := take(p.want, p.i, p.buf[:p.bytes]); err != nil {
			f.fail(err)
			break
		}
		f.free <- p.buf
	}
	for range f.full { // nothing more is taken; the reader must not wait
	}
}

// fail ends the transfer with take's error.
func (f *fetch) fail(err error) {
	f.once.Do(func() {
		f.taken = err
		close(f.stop)
		_ = f.s.Reset() // wakes the reader
	})
}

func (f *fetch) run() error {
	for {
		if err := f.ask(); err != nil {
			return err
		}
		if len(f.asked) == 0 {
			return nil
		}
		if err := f.answer(f.asked[0]); err != nil {
			return err
		}
		f.asked = f.asked[1:]
	}
}

// ask fills up what is on its way.
func (f *fetch) ask() error {
	var out []byte
	for !f.ended && len(f.asked) < Ahead {
		w := f.next()
		if w.Count == 0 {
			f.ended = true
			break
		}
		if _, err := w.bytes(f.size); err != nil {
			return err
		}
		f.asked = append(f.asked, w)
		out = w.append(out, f.id)
	}
	if len(out) == 0 {
		return nil
	}
	if err := f.s.SetWriteDeadline(allowed(len(out))); err != nil {
		return fmt.Errorf("transfer: set deadline: %w", err)
	}
	if _, err := f.s.Write(out); err != nil {
		return fmt.Errorf("transfer: ask: %w", err)
	}
	return nil
}

// answer reads what one question brings.
func (f *fetch) answer(w Want) error {
	var status [1]byte
	if err := f.read(status[:]); err != nil {
		return err
	}
	switch status[0] {
	case answerFollows:
	case answerNotFound:
		return ErrNotFound
	case answerBusy:
		return ErrBusy
	default:
		return fmt.Errorf("%w: answer %d", ErrMalformed, status[0])
	}
	left, err := w.bytes(f.size)
	for i := w.First; left > 0 && err == nil; i++ {
		n := int(min(left, BlockSize))
		left -= int64(n)
		err = f.piece(piece{want: w, i: i, bytes: n})
	}
	return err
}

// piece reads one block and hands it on.
func (f *fetch) piece(p piece) error {
	select {
	case p.buf = <-f.free:
	case <-f.stop:
		return nil // takeAll has the reason
	}
	if p.buf == nil {
		p.buf = make([]byte, BlockSize)
	}
	if err := f.read(p.buf[:p.bytes]); err != nil {
		return err
	}
	f.full <- p
	return nil
}

func (f *fetch) read(b []byte) error {
	if err := f.s.SetReadDeadline(allowed(len(b))); err != nil {
		return fmt.Errorf("transfer: set deadline: %w", err)
	}
	if _, err := io.ReadFull(f.s, b); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("transfer: receive: %w", err)
	}
	return nil
}
