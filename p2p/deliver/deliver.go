// Package deliver is /kuvert/deliver/1: sealed envelopes on their way between two
// machines (docs/protocol/network.md, section Deliver).
//
// Each direction of a connection keeps one long-lived stream. The sender writes
// frames, u32 length | frame, without waiting for each; the receiver answers every
// frame with one byte, in order. It promises: an answer is written only after
// the receiver's handler returned it; frames are handed on in order and in
// batches, as many as have arrived meanwhile, so that one commit covers them;
// no more than Window frames or WindowBytes wait on either side.
package deliver

import (
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// ID names the protocol, Service its share of the resource manager.
const (
	ID      protocol.ID = "/kuvert/deliver/1"
	Service string      = "kuvert.deliver"
)

// Limits, in frames and bytes.
const (
	// MaxFrame is the longest frame.
	MaxFrame = wire.MaxFrame
	// Window is how many frames may be unanswered: enough to cover a commit of
	// some milliseconds on a fast network, few enough to be sent again.
	Window = 64
	// WindowBytes is how many bytes of frames may be unanswered. One frame may
	// always be on its way.
	WindowBytes = 1 << 20
	// memory is what a receiving stream holds besides its frames.
	memory = 24 << 10
	// readBuffer and writeBuffer gather small frames into few packets.
	readBuffer  = 16 << 10
	writeBuffer = 64 << 10
)

// AnswerPatience is how long a sender waits for the next answer on a link of any
// speed; the time for what is on its way at wire.MinRate comes on top. It is
// longer than HandlerPatience, so that a slow disk is answered for.
const (
	AnswerPatience  = 30 * time.Second
	HandlerPatience = 20 * time.Second
)

// transferTime is how long n bytes may take on the slowest link that is served.
func transferTime(n int) time.Duration {
	return time.Duration(n) * time.Second / wire.MinRate
}
