// Package mailbox is the protocol /kuvert/mailbox/1 (docs/protocol/mailbox.md):
// store and forward without trust.
package mailbox

import "errors"

// Errors that both ends tell each other.
var (
	ErrRefused  = errors.New("mailbox: wrong token or capability")
	ErrQuota    = errors.New("mailbox: full")
	ErrNotFound = errors.New("mailbox: no such queue")
)

// QueueIDs name a queue to both sides and let them in.
type QueueIDs struct {
	RecvID  [24]byte
	RecvCap [32]byte
	SendID  [24]byte
	SendCap [32]byte
}

// Blob is one blob of a queue; places ascend.
type Blob struct {
	Place uint64
	Blob  []byte
}

// Kept is what a mailbox holds.
type Kept struct {
	Queues, Blobs int
	Bytes         int64
}
