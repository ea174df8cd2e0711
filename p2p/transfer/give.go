package transfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// Source is a whole sealed file that is given to somebody.
type Source interface {
	io.ReaderAt
	io.Closer
	Size() int64
	Hashes() io.ReaderAt // the manifest
}

// A Giver says how an incoming stream is served.
type Giver struct {
	// Open opens a file if the other side may have it. ErrBusy asks it to come again,
	// any other error is "not found".
	Open func(ctx context.Context, id [32]byte) (Source, error)
	// Heard, if not nil, is told whenever a question came in.
	Heard func()
}

// Serve answers questions until the stream or ctx ends. The other side's end is no
// error.
func (g Giver) Serve(ctx context.Context, s network.Stream) error {
	if err := wire.Open(s, Service, giveBuffer, Idle); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	v := giving{giver: g, s: s, buf: make([]byte, 1+giveBuffer)}
	defer v.drop()
	r := bufio.NewReaderSize(s, 512)
	for {
		if err := s.SetReadDeadline(time.Now().Add(Idle)); err != nil {
			return fmt.Errorf("transfer: set deadline: %w", err)
		}
		q, err := wire.ReadFrame(r, questionLen, nil)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("transfer: question: %w", err)
		}
		if g.Heard != nil {
			g.Heard()
		}
		if err := v.answer(ctx, q); err != nil {
			return err
		}
	}
}

// giving is one stream with the file it asked for last.
type giving struct {
	giver Giver
	s     network.Stream
	buf   []byte // a status byte and what is read at a time

	id     [32]byte
	source Source
}

func (v *giving) drop() {
	if v.source != nil {
		_ = v.source.Close()
		v.source = nil
	}
}

func (v *giving) answer(ctx context.Context, q []byte) error {
	id, w, err := parseQuestion(q)
	if err != nil {
		return err
	}
	if v.source == nil || v.id != id {
		v.drop()
		src, err := v.giver.Open(ctx, id)
		if err != nil {
			return v.refuse(err)
		}
		v.id, v.source = id, src
	}
	left, err := w.bytes(v.source.Size())
	if err != nil {
		return err
	}
	var from io.ReaderAt = v.source
	if w.Hashes {
		from = v.source.Hashes()
	}
	v.buf[0] = answerFollows
	head := 1
	for at := w.place(); left > 0; head = 0 {
		n := int(min(left, giveBuffer))
		if _, err := from.ReadAt(v.buf[1:1+n], at); err != nil {
			return fmt.Errorf("transfer: read: %w", err)
		}
		if err := v.write(v.buf[1-head : 1+n]); err != nil {
			return err
		}
		at += int64(n)
		left -= int64(n)
	}
	return nil
}

func (v *giving) refuse(err error) error {
	status := answerNotFound
	if errors.Is(err, ErrBusy) {
		status = answerBusy
	}
	return v.write([]byte{status})
}

func (v *giving) write(b []byte) error {
	if err := v.s.SetWriteDeadline(allowed(len(b))); err != nil {
		return fmt.Errorf("transfer: set deadline: %w", err)
	}
	if _, err := v.s.Write(b); err != nil {
		return fmt.Errorf("transfer: send: %w", err)
	}
	return nil
}
