// Package session is everything the protocol remembers about one person, as a
// state machine without clock, network or disk: which sessions there are, what
// was sealed and opened on them, what the other side acknowledged, and when a
// session has to be made anew because one of the two sides crashed, was put back
// to an older state, was restored or cloned.
//
// The rules are those of docs/protocol/sessions.md. They were found with an
// executable model of them, which lies beside the code (package model) and runs
// in the tests; the tests of this package put the real code through the same
// schedules.
//
// What the package promises:
//
//   - No I/O, no clock, no randomness of its own: [Env] brings them. (The age
//     files and KEM answers inside draw their own; nothing is decided by it.)
//   - A [Peer] and a [Self] are values in memory. The caller parses one from
//     stored bytes, calls methods, and stores what Marshal returns in the same
//     transaction as the messages, outbox rows and hashes that belong to it. If a
//     method returns an error, throw the value away: what is stored is the truth.
//     Open and Accept may have moved a key when they fail, so this is what keeps
//     a flipped byte from burning one.
//   - Sealed bytes leave the machine only after that transaction. A message is
//     acknowledged only by what [Peer.SealAck] or [Peer.Seal] seal afterwards.
//   - Memory and work are bounded for each peer, whatever it sends; the limits are
//     the constants of this package.
//
// Neither type is safe for concurrent use.
package session

import (
	"io"
	"time"

	"github.com/kuvert-im/kuvert/crypto/envelope"
)

// Env is what a step of the state machine may use beside the state itself.
type Env struct {
	Self *Self     // read only
	Now  time.Time // the machine's clock, right or wrong
	Rand io.Reader

	limits *limits // tests narrow the windows; nil means the protocol's
}

// Sealed is one sealed payload. The caller keeps it in its outbox until the
// recipient's own acknowledgement and sends the same bytes again and again,
// through [Peer.Frame].
type Sealed struct {
	Session [16]byte
	Ctr     uint64 // place among what asks for an acknowledgement; 0: asks for none
	Number  uint64 // place among everything sealed in this session
	Inner   []byte // the ratchet envelope
	At      time.Time
}

// Opened is what an envelope held and what followed from it.
type Opened struct {
	Payload   envelope.Payload
	InnerHash [32]byte // to be remembered, against duplicates

	// Acked are the ids of own payloads that the other side now has. Their outbox
	// items end.
	Acked [][16]byte
	// WantAck says that the payload asks for an acknowledgement. See AckDue.
	WantAck bool
	// NewSession says that a handshake was accepted and its session is now the
	// active one: answer with a start payload.
	NewSession bool
	// Renewed says that it took the place of an earlier session: the conversation
	// tells of it.
	Renewed bool
	// Unseal says that the active session changed: everything in the outbox of
	// this person is to be sealed anew.
	Unseal bool
	// Branch says that an installation appeared that was not announced: the
	// conversation tells of it.
	Branch bool
	// SelfRolledBack says that this installation was put back to an older state.
	// The caller calls Self.NewInstallation with CounterAbove and stores it in the
	// same transaction.
	SelfRolledBack bool
	CounterAbove   uint64
	// InvitationDone is the id of the invitation whose one-time keys were used for
	// this session and are needed no more; zero if there is none.
	InvitationDone [16]byte
}

// Info describes a session.
type Info struct {
	SID       [16]byte
	TH        [32]byte
	Confirmed bool // the other side has shown that it has this session
	Initiator bool // I began it
	HS        uint64
	Started   time.Time
}

// SessionInfo is another name of [Info].
type SessionInfo = Info
