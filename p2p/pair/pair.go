// Package pair is /kuvert/pair/1: people who chose to be visible in their network
// find and meet each other without a code (docs/protocol/network.md, section
// Pair). The first byte of a stream says what it is for: to ask for the visible
// name, to tell one's own, or to pair. What pairing says is opaque here: bounded
// messages either way. It promises that a name leaves only inside an encrypted
// stream, and only while its owner wants to be visible.
package pair

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// ID names the protocol, Service its share of the resource manager.
const (
	ID      protocol.ID = "/kuvert/pair/1"
	Service string      = "kuvert.pair"
)

// Limits, in bytes and times.
const (
	// MaxMessage is the longest pairing message: the handshake with its bundle
	// and first envelope, and room to spare.
	MaxMessage = 64 << 10
	// MaxName is the longest visible name.
	MaxName = 128
	// Life is how long a pairing may take: two people compare six digits.
	Life = 10 * time.Minute
)

// Purpose is the first byte of a stream.
type Purpose byte

// The purposes. Their values are on the wire.
const (
	AskName  Purpose = 1
	TellName Purpose = 2
	Pairing  Purpose = 3
)

// Errors a caller decides on.
var (
	ErrHidden  = errors.New("pair: not visible")
	ErrTooMany = errors.New("pair: too many")
	ErrPurpose = errors.New("pair: unknown purpose")
)

// Ask asks for the other side's visible name on a stream that this side opened.
// An empty name means that it is hidden.
func Ask(ctx context.Context, s network.Stream) (string, error) {
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	if err := begin(s, AskName, wire.Patience); err != nil {
		return "", err
	}
	return readName(s)
}

// Tell tells the other side one's own visible name, "" that it is hidden now.
func Tell(ctx context.Context, s network.Stream, name string) error {
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	if err := begin(s, TellName, wire.Patience); err != nil {
		return err
	}
	if err := writeName(s, name); err != nil {
		return err
	}
	// The end of the other side's answer shows that it was read.
	if err := s.CloseWrite(); err != nil {
		return fmt.Errorf("pair: tell: %w", err)
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(s, 1)); err != nil {
		return fmt.Errorf("pair: tell: %w", err)
	}
	return nil
}

// Dial opens a pairing on a stream that this side opened.
func Dial(s network.Stream) (*Stream, error) {
	if err := begin(s, Pairing, Life); err != nil {
		return nil, err
	}
	return newStream(s), nil
}

func begin(s network.Stream, p Purpose, patience time.Duration) error {
	if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("pair: set deadline: %w", err)
	}
	if _, err := s.Write([]byte{byte(p)}); err != nil {
		return fmt.Errorf("pair: begin: %w", err)
	}
	return nil
}

// A Server answers incoming streams.
type Server struct {
	// Allow tells whether one more stream for a purpose is served.
	Allow func(Purpose) bool
	// Name returns the visible name, "" while hidden.
	Name func() string
	// Told is given the name that the other side told of itself.
	Told func(name string)
	// Accept serves a pairing until it returns. It is not called while hidden.
	Accept func(ctx context.Context, s *Stream) error
}

// Serve answers one stream.
func (v Server) Serve(ctx context.Context, s network.Stream) error {
	if err := wire.Open(s, Service, MaxMessage, wire.Patience); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	var p [1]byte
	if _, err := io.ReadFull(s, p[:]); err != nil {
		return fmt.Errorf("pair: receive purpose: %w", err)
	}
	if !v.Allow(Purpose(p[0])) {
		return ErrTooMany
	}
	switch Purpose(p[0]) {
	case AskName:
		return writeName(s, v.Name())
	case TellName:
		name, err := readName(s)
		if err == nil {
			v.Told(name)
		}
		return err
	case Pairing:
		return v.pair(ctx, s)
	default:
		return ErrPurpose
	}
}

func (v Server) pair(ctx context.Context, s network.Stream) error {
	if v.Name() == "" {
		return ErrHidden
	}
	if err := s.SetDeadline(time.Now().Add(Life)); err != nil {
		return fmt.Errorf("pair: set deadline: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, Life)
	defer cancel()
	return v.Accept(ctx, newStream(s))
}

// A name is its length in one byte, and its bytes; MaxName fits.
func writeName(w io.Writer, name string) error {
	if len(name) > MaxName {
		return fmt.Errorf("pair: name: %w", wire.ErrTooLarge)
	}
	if _, err := w.Write(append([]byte{byte(len(name))}, name...)); err != nil {
		return fmt.Errorf("pair: send name: %w", err)
	}
	return nil
}

func readName(r io.Reader) (string, error) {
	var n [1]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return "", fmt.Errorf("pair: receive name: %w", err)
	}
	if n[0] > MaxName {
		return "", fmt.Errorf("pair: name: %w", wire.ErrTooLarge)
	}
	name := make([]byte, n[0])
	if _, err := io.ReadFull(r, name); err != nil {
		return "", fmt.Errorf("pair: receive name: %w", err)
	}
	return string(name), nil
}

// A Stream is an open pairing. One goroutine may send while another receives.
type Stream struct {
	s       network.Stream
	onClose func()
	once    sync.Once
}

func newStream(s network.Stream) *Stream { return &Stream{s: s} }

// OnClose sets what is called once when the stream is closed from this side.
func (p *Stream) OnClose(f func()) { p.onClose = f }

// Send sends a message of 1 to MaxMessage bytes.
func (p *Stream) Send(ctx context.Context, msg []byte) error {
	defer context.AfterFunc(ctx, func() { _ = p.s.Reset() })()
	if err := wire.WriteFrame(p.s, msg, MaxMessage); err != nil {
		return fmt.Errorf("pair: send: %w", err)
	}
	return nil
}

// Receive waits for the next message. A stream whose context ended while it
// waited is of no more use.
func (p *Stream) Receive(ctx context.Context) ([]byte, error) {
	defer context.AfterFunc(ctx, func() { _ = p.s.Reset() })()
	msg, err := wire.ReadFrame(p.s, MaxMessage, nil)
	if err != nil {
		return nil, fmt.Errorf("pair: receive: %w", err)
	}
	return msg, nil
}

// Close ends the pairing. What was sent before still arrives.
func (p *Stream) Close() error {
	if err := p.s.Close(); err != nil {
		_ = p.s.Reset() // the other side closed first
	}
	p.once.Do(func() {
		if p.onClose != nil {
			p.onClose()
		}
	})
	return nil
}
