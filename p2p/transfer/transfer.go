// Package transfer is /kuvert/transfer/1: a recognised machine asks for parts of a
// sealed file (docs/protocol/attachments.md).
//
// The asking side opens a stream and writes questions, u32 length | kind | file id
// | first | count; it need not wait for one answer before the next question. The
// other side answers in order: one byte, and if that is 0, the bytes asked for and
// nothing else, since both know how long they are. It promises:
//
//   - The asking side decides what comes, and when: nothing is sent unasked, and at
//     most Ahead questions are unanswered.
//   - Neither side holds more than some blocks in memory, however large the file.
//   - Whoever gives is asked for each file whether it may be given.
//
// What the bytes are is opaque here; the asking side checks each block.
package transfer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// ID names the protocol, Service its share of the resource manager.
const (
	ID      protocol.ID = "/kuvert/transfer/1"
	Service string      = "kuvert.transfer"
)

// Limits.
const (
	// BlockSize is the length of every block but a file's last, HashSize that of a
	// block's entry in the manifest, in bytes.
	BlockSize = 64 << 10
	HashSize  = 32
	// MaxBlocks and MaxHashes are how many one question may ask for: 2 MiB of
	// blocks, 64 KiB of the manifest.
	MaxBlocks = 32
	MaxHashes = BlockSize / HashSize
	// Ahead is how many questions may be unanswered: 8 MiB are on their way, enough
	// for 40 MB/s over 200 ms, and no more is lost if either side ends.
	Ahead = 4
	// giveBuffer is what the giving side reads and writes at a time.
	giveBuffer = 4 * BlockSize
	// takeBuffers is how many blocks the asking side holds between network and disk.
	takeBuffers = 16
	questionLen = 1 + 32 + 4 + 4
)

// Patience is how long either side waits for the other to send or take a block on
// a link of any speed; the time for it at wire.MinRate comes on top. Idle is how
// long the giving side waits for the next question.
const (
	Patience = 30 * time.Second
	Idle     = time.Minute
)

// Errors a caller decides on.
var (
	// ErrNotFound says that the other side does not give the file: it has it no
	// more, or never shared it.
	ErrNotFound = errors.New("transfer: other side does not give this file")
	// ErrBusy says that the other side cannot give it now.
	ErrBusy = errors.New("transfer: other side is busy")
	// ErrMalformed says that the other side does not keep to the protocol.
	ErrMalformed = errors.New("transfer: malformed")
)

// The answers' first byte.
const (
	answerFollows  byte = 0
	answerNotFound byte = 1
	answerBusy     byte = 2
)

// The kinds of question.
const (
	kindHashes byte = 1
	kindBlocks byte = 2
)

// Want is what one question asks for: a run of blocks, or of the manifest's
// entries.
type Want struct {
	Hashes       bool
	First, Count int64
}

// bytes returns how long the answer is for a file of size bytes, and whether the
// question may be asked.
func (w Want) bytes(size int64) (int64, error) {
	blocks := (size + BlockSize - 1) / BlockSize
	limit := int64(MaxBlocks)
	if w.Hashes {
		limit = MaxHashes
	}
	if w.First < 0 || w.Count < 1 || w.Count > limit || w.First > blocks-w.Count {
		return 0, fmt.Errorf("%w: %d from %d of %d blocks", ErrMalformed, w.Count, w.First, blocks)
	}
	if w.Hashes {
		return w.Count * HashSize, nil
	}
	return min(w.Count*BlockSize, size-w.First*BlockSize), nil
}

// place is where the answer begins in the file or its manifest.
func (w Want) place() int64 {
	if w.Hashes {
		return w.First * HashSize
	}
	return w.First * BlockSize
}

func (w Want) append(b []byte, id [32]byte) []byte {
	kind := kindBlocks
	if w.Hashes {
		kind = kindHashes
	}
	q := append([]byte{kind}, id[:]...)
	q = binary.BigEndian.AppendUint32(q, uint32(w.First)) //nolint:gosec // bytes has checked it
	q = binary.BigEndian.AppendUint32(q, uint32(w.Count)) //nolint:gosec // bytes has checked it
	return wire.AppendFrame(b, q)
}

func parseQuestion(q []byte) (id [32]byte, w Want, err error) {
	if len(q) != questionLen || q[0] != kindHashes && q[0] != kindBlocks {
		return id, w, fmt.Errorf("%w: question", ErrMalformed)
	}
	w = Want{Hashes: q[0] == kindHashes, First: int64(binary.BigEndian.Uint32(q[33:])), Count: int64(binary.BigEndian.Uint32(q[37:]))}
	return [32]byte(q[1:33]), w, nil
}

// allowed is how long n bytes may take.
func allowed(n int) time.Time {
	return time.Now().Add(Patience + time.Duration(n)*time.Second/wire.MinRate)
}
