// Package wire reads and writes what all Kuvert protocols put on a stream:
// frames with a big-endian u32 length in front.
//
// It promises that no byte is allocated for a frame before its length was
// checked against the protocol's limit and reserved with the resource manager,
// and that a stream handler which uses Open and Close never leaks a
// reservation. What is in a frame is opaque to it.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// MaxFrame is the longest frame of any protocol, in bytes: a sealed envelope is
// at most this long (docs/protocol/network.md).
const MaxFrame = 128 << 10

// Patience is how long a peer may take to send or take one message, in any
// protocol that does not say otherwise. A peer that sends a byte now and then
// only to hold a stream open loses it after this time.
const Patience = 10 * time.Second

// MinRate is the slowest link, in bytes a second, on which a recognised peer is
// still served: long frames may take Patience and their length at this rate.
const MinRate = 512

// Errors a caller decides on. All of them mean that the stream is of no more use.
var (
	ErrEmpty    = errors.New("wire: empty frame")
	ErrTooLarge = errors.New("wire: frame over the limit")
)

// lengthSize is the size of the length in front of each frame.
const lengthSize = 4

// ReadFrame reads one frame of 1 to limit bytes. reserve, if not nil, is asked
// for the frame's length before anything is allocated.
func ReadFrame(r io.Reader, limit int, reserve func(n int) error) ([]byte, error) {
	var head [lengthSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n, err := checkLength(binary.BigEndian.Uint32(head[:]), limit)
	if err != nil {
		return nil, err
	}
	if reserve != nil {
		if err := reserve(n); err != nil {
			return nil, fmt.Errorf("reserve a frame: %w", err)
		}
	}
	frame := make([]byte, n)
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, unexpected(err)
	}
	return frame, nil
}

func checkLength(n uint32, limit int) (int, error) {
	if n == 0 {
		return 0, ErrEmpty
	}
	if uint64(n) > uint64(limit) {
		return 0, ErrTooLarge
	}
	return int(n), nil
}

// unexpected tells a stream that ended within a frame from one that ended
// between two.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// WriteFrame writes one frame of 1 to limit bytes with a single Write for short
// frames, so that it leaves in one packet.
func WriteFrame(w io.Writer, frame []byte, limit int) error {
	if err := CheckFrame(frame, limit); err != nil {
		return err
	}
	_, err := w.Write(AppendFrame(make([]byte, 0, lengthSize+len(frame)), frame))
	return err
}

// CheckFrame tells whether a frame may be sent.
func CheckFrame(frame []byte, limit int) error {
	if len(frame) > limit {
		return ErrTooLarge
	}
	if len(frame) == 0 {
		return ErrEmpty
	}
	return nil
}

// AppendFrame appends a frame and its length to b.
func AppendFrame(b, frame []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(frame))), frame...)
}

// BufferFrame writes a checked frame to a buffered writer.
func BufferFrame(w *bufio.Writer, frame []byte) error {
	var head [lengthSize]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(frame)))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(frame)
	return err
}

// Open attaches an incoming stream to a service, reserves the memory its handler
// needs for its whole life and sets the deadline. The caller ends with Close.
func Open(s network.Stream, service string, memory int, patience time.Duration) error {
	if err := s.Scope().SetService(service); err != nil {
		return fmt.Errorf("attach to %s: %w", service, err)
	}
	if err := s.Scope().ReserveMemory(memory, network.ReservationPriorityAlways); err != nil {
		return fmt.Errorf("reserve for %s: %w", service, err)
	}
	if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
		return fmt.Errorf("set deadline of %s: %w", service, err)
	}
	return nil
}

// Close ends a stream: properly after success, by a reset after an error, so
// that the other side learns of it at once. The stream's scope, and with it all
// that was reserved, ends with the stream.
func Close(s network.Stream, err error) {
	if err != nil {
		_ = s.Reset()
		return
	}
	_ = s.Close()
}
