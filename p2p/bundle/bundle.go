// Package bundle is /kuvert/bundle/1: a recognised machine asks for the other
// side's current bundle of prekeys (docs/protocol/network.md, section Bundle).
// The bundle is signed by its owner and opaque here. It promises that nobody
// who was not recognised is given one.
package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// ID names the protocol, Service its share of the resource manager.
const (
	ID      protocol.ID = "/kuvert/bundle/1"
	Service string      = "kuvert.bundle"
)

// MaxBundle is the longest bundle, in bytes: a bundle with one-time keys has
// about 2.7 kB.
const MaxBundle = 16 << 10

// Patience is how long a fetch may take.
const Patience = 3 * wire.Patience

// ErrNone says that there is no bundle to give.
var ErrNone = errors.New("bundle: none")

var errQuestion = errors.New("bundle: the question is not empty")

// Fetch asks on a stream that this side opened.
func Fetch(ctx context.Context, s network.Stream) ([]byte, error) {
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	if err := s.SetDeadline(time.Now().Add(Patience)); err != nil {
		return nil, fmt.Errorf("bundle: set deadline: %w", err)
	}
	if err := s.CloseWrite(); err != nil {
		return nil, fmt.Errorf("bundle: ask: %w", err)
	}
	b, err := wire.ReadFrame(s, MaxBundle, nil)
	if err != nil {
		return nil, fmt.Errorf("bundle: receive: %w", err)
	}
	return b, nil
}

// Serve answers with what own returns.
func Serve(ctx context.Context, s network.Stream, own func(context.Context) ([]byte, error)) error {
	if err := wire.Open(s, Service, MaxBundle, Patience); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	if _, err := io.ReadFull(s, make([]byte, 1)); !errors.Is(err, io.EOF) {
		return errors.Join(errQuestion, err)
	}
	b, err := own(ctx)
	if err != nil {
		return fmt.Errorf("bundle: own: %w", err)
	}
	if len(b) == 0 {
		return ErrNone
	}
	if err := wire.WriteFrame(s, b, MaxBundle); err != nil {
		return fmt.Errorf("bundle: send: %w", err)
	}
	return nil
}
