// Package status is /kuvert/status/1: two machines that have recognised each
// other exchange what they know of their sessions (docs/protocol/network.md,
// section Status). The opener sends its status, the other one answers with its
// own. It promises that a status is at most MaxStatus bytes and says nothing
// about what is in it.
package status

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// ID names the protocol, Service its share of the resource manager.
const (
	ID      protocol.ID = "/kuvert/status/1"
	Service string      = "kuvert.status"
)

// MaxStatus is the longest status, in bytes: the acknowledgements of all live
// sessions with one person, and room to spare.
const MaxStatus = 64 << 10

// Patience is how long an exchange may take.
const Patience = 3 * wire.Patience

// Exchange sends own on a stream that this side opened and returns the other
// side's. An empty status is one: "I have nothing to say".
func Exchange(ctx context.Context, s network.Stream, own []byte) ([]byte, error) {
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	if err := s.SetDeadline(time.Now().Add(Patience)); err != nil {
		return nil, fmt.Errorf("status: set deadline: %w", err)
	}
	if err := write(s, own); err != nil {
		return nil, err
	}
	return read(s)
}

// Serve takes the opener's status and answers with own, asked for only then.
func Serve(ctx context.Context, s network.Stream, take func([]byte) error, own func() ([]byte, error)) error {
	if err := wire.Open(s, Service, 2*MaxStatus, Patience); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	theirs, err := read(s)
	if err != nil {
		return err
	}
	mine, err := own()
	if err != nil {
		return fmt.Errorf("status: own: %w", err)
	}
	if err := write(s, mine); err != nil {
		return err
	}
	return take(theirs)
}

// write sends a status; its length may be zero, which a frame's may not.
func write(w io.Writer, status []byte) error {
	if len(status) > MaxStatus {
		return fmt.Errorf("status: send: %w", wire.ErrTooLarge)
	}
	if _, err := w.Write(wire.AppendFrame(nil, status)); err != nil {
		return fmt.Errorf("status: send: %w", err)
	}
	return nil
}

func read(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("status: receive length: %w", err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > MaxStatus {
		return nil, fmt.Errorf("status: receive: %w", wire.ErrTooLarge)
	}
	status := make([]byte, n)
	if _, err := io.ReadFull(r, status); err != nil {
		return nil, fmt.Errorf("status: receive: %w", err)
	}
	return status, nil
}
