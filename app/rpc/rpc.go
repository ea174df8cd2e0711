// Package rpc carries core.Client over a local socket, so that the window, the
// command line and scripts share the one core of a profile that runs.
//
// # Format
//
// Both sides send frames: a big-endian length of the payload (4 bytes), the
// number of the call (4 bytes), a kind (1 byte) and the payload, JSON in UTF-8.
// A connection begins with a hello each way, which carries the version. The
// caller then sends calls, each under a number of its own, as many at a time as
// it likes up to MaxCalls, and may cancel each. The other side answers in any
// order: with an answer (long ones in parts), an error, or, for a subscription,
// with events until it is cancelled.
//
// # Promises
//
// An error that wraps a sentinel of app/chat wraps the same one on the other
// side. A cancelled context ends the call there. A subscriber that is slow
// delays nobody and loses nothing: events are coalesced on either side of the
// socket. Whatever arrives is bounded; what does not follow the format ends the
// connection and nothing else.
//
// Who may connect is decided by the socket alone: it lies in a folder of this
// user and is open to this user only.
package rpc

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Limits.
const (
	// MaxFrame bounds one frame's payload in bytes. The longest call is a message
	// of chat.MaxTextSize, at most six times that in JSON.
	MaxFrame = 4 << 20
	// MaxAnswer bounds an answer of several parts in bytes: a page of
	// chat.MaxPage of the longest messages.
	MaxAnswer = 72 << 20
	// MaxCalls bounds the calls under way on one connection, subscriptions
	// included.
	MaxCalls = 64
	// MaxConns bounds the connections at a time: a window and many scripts.
	MaxConns = 32
)

// version changes when one side could misunderstand the other.
const version = 1

// Errors of the socket itself.
var (
	// ErrNotRunning: nobody answers at the profile's socket.
	ErrNotRunning = errors.New("rpc: no running instance answers")
	// ErrClosed: the connection ended, here or there.
	ErrClosed = errors.New("rpc: connection is closed")
	// ErrVersion: the running instance speaks another version of this protocol.
	ErrVersion = errors.New("rpc: running instance is of another version")
	// ErrTooLarge: a call or an answer is over its limit.
	ErrTooLarge = errors.New("rpc: too large")
	// ErrBusy: more than MaxCalls at a time.
	ErrBusy = errors.New("rpc: too many calls at a time")
	// ErrBadCall: the other side did not understand the call.
	ErrBadCall = errors.New("rpc: call was not understood")
)

// kind says what a frame is. The values are the format's.
type kind byte

const (
	kindHello  kind = 1 // both ways, first
	kindCall   kind = 2
	kindCancel kind = 3
	kindPart   kind = 4 // of an answer; more follows
	kindAnswer kind = 5 // the whole answer, or its end
	kindError  kind = 6
	kindEvents kind = 7
)

type frame struct {
	id      uint32
	kind    kind
	payload []byte
}

type hello struct {
	Version int `json:"version"`
}

type call struct {
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

const headerSize = 9

// readFrame reads one frame. Memory grows only with what really arrives.
func readFrame(r *bufio.Reader) (frame, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint32(h[:])
	f := frame{id: binary.BigEndian.Uint32(h[4:]), kind: kind(h[8])}
	if n > MaxFrame {
		return f, fmt.Errorf("frame of %d bytes: %w", n, ErrTooLarge)
	}
	payload, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && len(payload) != int(n) {
		err = io.ErrUnexpectedEOF
	}
	f.payload = payload
	return f, err
}

// writer writes whole frames; safe for concurrent use.
type writer struct {
	mu  sync.Mutex
	buf *bufio.Writer
}

func newWriter(w io.Writer) *writer { return &writer{buf: bufio.NewWriter(w)} }

func (w *writer) write(f frame) error {
	if len(f.payload) > MaxFrame {
		return fmt.Errorf("frame of %d bytes: %w", len(f.payload), ErrTooLarge)
	}
	var h [headerSize]byte
	binary.BigEndian.PutUint32(h[:], uint32(len(f.payload)))
	binary.BigEndian.PutUint32(h[4:], f.id)
	h[8] = byte(f.kind)
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.buf.Write(h[:]); err != nil {
		return err
	}
	if _, err := w.buf.Write(f.payload); err != nil {
		return err
	}
	return w.buf.Flush()
}

func (w *writer) writeJSON(id uint32, k kind, v any) error {
	payload, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.write(frame{id: id, kind: k, payload: payload})
}
