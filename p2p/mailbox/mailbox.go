// Package mailbox is the protocol /kuvert/mailbox/1 (docs/protocol/mailbox.md):
// store and forward without trust. A client leaves sealed blobs in queues at an
// always-on machine and fetches them there; the machine sees sizes and times only.
//
// It promises: a PUT, SLOT, MAKE, DELETE, DROP or PUBLISH is answered with
// "done" only after the Store says that it is durable; answers come in the order
// of the requests; an unknown queue and a wrong capability are answered alike; no
// byte is allocated for a length before it was checked; what one peer, one address
// and all of them can make the server hold is bounded; and a client bears
// whatever a hostile server answers.
package mailbox

import (
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// ID names the protocol, Service its share of the resource manager.
const (
	ID      protocol.ID = "/kuvert/mailbox/1"
	Service string      = "kuvert.mailbox"
)

// Errors of a Client. Those that are not of this list are of the connection.
var (
	// ErrRefused: the token is not valid, was not proven, or a known id was given
	// another content.
	ErrRefused = errors.New("mailbox: refused")
	// ErrQuota: the queue or its owner's quota is full.
	ErrQuota = errors.New("mailbox: full")
	// ErrNotFound: there is no such queue or page for this capability.
	ErrNotFound = errors.New("mailbox: no such queue")
	// ErrBusy: too many failures or streams; try again in a minute.
	ErrBusy = errors.New("mailbox: busy")
	// ErrFailed: the machine could not store it, for instance with a full disk.
	ErrFailed = errors.New("mailbox: could not be stored")
	// ErrAnswer: the machine answered something it must not.
	ErrAnswer = errors.New("mailbox: invalid answer")
	// ErrLimit: the caller asked for more than the protocol carries.
	ErrLimit = errors.New("mailbox: over the protocol's limit")
)

// Limits of the protocol, which both ends keep.
const (
	// MaxBlob is the longest blob, in bytes: a sealed envelope with what seals it
	// for the queue, and room to spare.
	MaxBlob = 160 << 10
	// MaxPublish is the longest published page, in bytes.
	MaxPublish = 4 << 10
	// MaxPage is how many blobs a LIST gives at most, MaxPageBytes how many bytes
	// with entryHead for each. One blob always fits.
	MaxPage      = 256
	MaxPageBytes = 1 << 20
	// MaxDelete is how many places a DELETE names at most.
	MaxDelete = 1024
	// MaxWatch is how many queues a WATCH names at most: the longest request but a
	// PUT.
	MaxWatch = 2048
	// Window and WindowBytes are how many requests, and how many bytes of them, a
	// client leaves unanswered; one request may always be on its way.
	Window      = 64
	WindowBytes = 1 << 20

	// maxRequest and maxAnswer are the longest frames of either direction.
	maxRequest = opSize + accessSize + MaxBlob
	maxAnswer  = 1 + MaxPageBytes
)

// Times, for both ends.
const (
	// RequestPatience is how long a request may take from its first byte to its
	// last. Once a stream has shown a valid token or capability, the request's
	// length at wire.MinRate comes on top.
	RequestPatience = wire.Patience
	// AnswerPatience is how long a client waits for an answer on a fast link.
	AnswerPatience = 30 * time.Second
	// IdlePatience is how long a stream may be quiet between two requests.
	IdlePatience = 2 * time.Minute
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

// Usage is how it stands with an access token.
type Usage struct {
	Used, Quota int64 // bytes
	Relay       bool  // the machine also carries connections for who holds a token
}
