package envelope

import (
	"fmt"
	"log/slog"

	"github.com/kuvert-im/kuvert/crypto/canon"
)

// Limits of a ReachBody, in entries, and of an address, in bytes.
const (
	MaxAddrs      = 16 // of one machine
	MaxAddr       = 128
	MaxReachNodes = 4
	MaxReachMail  = 4
	MaxReachInbox = 4
)

// ReachBody tells where the sender can be reached and by which mailboxes. The
// latest one counts: nodes and queues that it does not name are over.
type ReachBody struct {
	HostKey [32]byte // public key of the sender's host
	Next    [32]byte // that of the host to come, zero if not announced
	Addrs   [][]byte // at most MaxAddrs, each at most MaxAddr bytes; opaque here

	Nodes []ReachNode  // at most MaxReachNodes: always-on machines of the sender
	Mail  []ReachMail  // at most MaxReachMail
	Inbox []ReachInbox // at most MaxReachInbox
	// Keep is the access token with which the sender's own computer keeps the
	// recipient's mail; zero: it does not.
	Keep [32]byte
	Ext  canon.Ext
}

// ReachNode is an always-on machine.
type ReachNode struct {
	Host  [32]byte // its public key, not zero, no other node's
	Addrs [][]byte // as ReachBody.Addrs
	Relay bool     // it carries connections to the sender
}

// ReachMail is a queue into which the recipient of the payload puts mail for the
// sender. Nothing in it is zero, and no two lie at one node with one SendID.
type ReachMail struct {
	Node    uint8 // index into Nodes
	SendID  [24]byte
	SendCap [32]byte
	Key     [32]byte
}

// ReachInbox is a queue that the sender of the payload made on a node of their
// own, and from which the recipient may fetch what the sender puts. Nothing in it
// is zero, and no two lie at one node with one RecvID.
type ReachInbox struct {
	Node    uint8 // index into Nodes
	RecvID  [24]byte
	RecvCap [32]byte
	Key     [32]byte
}

// LogValue keeps addresses and secrets out of logs.
func (ReachBody) LogValue() slog.Value { return slog.StringValue("[reach]") }

// String keeps addresses and secrets out of formatted text.
func (ReachBody) String() string { return "[reach]" }

// GoString keeps addresses and secrets out of formatted text.
func (ReachBody) GoString() string { return "[reach]" }

// LogValue keeps secrets out of logs.
func (ReachMail) LogValue() slog.Value { return slog.StringValue("[queue]") }

// String keeps secrets out of formatted text.
func (ReachMail) String() string { return "[queue]" }

// GoString keeps secrets out of formatted text.
func (ReachMail) GoString() string { return "[queue]" }

// LogValue keeps secrets out of logs.
func (ReachInbox) LogValue() slog.Value { return slog.StringValue("[queue]") }

// String keeps secrets out of formatted text.
func (ReachInbox) String() string { return "[queue]" }

// GoString keeps secrets out of formatted text.
func (ReachInbox) GoString() string { return "[queue]" }

type wireReach struct {
	HostKey [32]byte    `cbor:"1,keyasint"`
	Next    []byte      `cbor:"2,keyasint,omitempty"`
	Addrs   [][]byte    `cbor:"3,keyasint"`
	Nodes   []wireNode  `cbor:"4,keyasint,omitempty"`
	Mail    []wireMail  `cbor:"5,keyasint,omitempty"`
	Inbox   []wireInbox `cbor:"6,keyasint,omitempty"`
	Keep    []byte      `cbor:"7,keyasint,omitempty"`
	Ext     canon.Ext   `cbor:"-1,keyasint,omitempty"`
}

type wireNode struct {
	Host  [32]byte `cbor:"1,keyasint"`
	Addrs [][]byte `cbor:"2,keyasint"`
	Relay bool     `cbor:"3,keyasint"`
}

type wireMail struct {
	Node    uint8    `cbor:"1,keyasint"`
	SendID  [24]byte `cbor:"2,keyasint"`
	SendCap [32]byte `cbor:"3,keyasint"`
	Key     [32]byte `cbor:"4,keyasint"`
}

type wireInbox struct {
	Node    uint8    `cbor:"1,keyasint"`
	RecvID  [24]byte `cbor:"2,keyasint"`
	RecvCap [32]byte `cbor:"3,keyasint"`
	Key     [32]byte `cbor:"4,keyasint"`
}

// Encode returns the canonical encoding of b.
func (b ReachBody) Encode() ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	return encodeBody(b.wire())
}

// DecodeReach reads a ReachBody.
func DecodeReach(raw []byte) (b ReachBody, err error) {
	var w wireReach
	if err := decodeBody(raw, &w); err != nil {
		return b, err
	}
	return w.body()
}

func (b *ReachBody) wire() *wireReach {
	w := &wireReach{HostKey: b.HostKey, Next: optional(b.Next[:]), Addrs: b.Addrs, Keep: optional(b.Keep[:]), Ext: b.Ext}
	for _, n := range b.Nodes {
		w.Nodes = append(w.Nodes, wireNode(n))
	}
	for _, m := range b.Mail {
		w.Mail = append(w.Mail, wireMail(m))
	}
	for _, i := range b.Inbox {
		w.Inbox = append(w.Inbox, wireInbox(i))
	}
	return w
}

func (w *wireReach) body() (ReachBody, error) {
	b := ReachBody{HostKey: w.HostKey, Addrs: w.Addrs, Ext: w.Ext}
	for _, n := range w.Nodes {
		b.Nodes = append(b.Nodes, ReachNode(n))
	}
	for _, m := range w.Mail {
		b.Mail = append(b.Mail, ReachMail(m))
	}
	for _, i := range w.Inbox {
		b.Inbox = append(b.Inbox, ReachInbox(i))
	}
	if err := readOptional(b.Next[:], w.Next); err != nil {
		return b, err
	}
	if err := readOptional(b.Keep[:], w.Keep); err != nil {
		return b, err
	}
	return b, b.check()
}

func (b *ReachBody) check() error {
	if err := checkAddrs(b.Addrs); err != nil {
		return err
	}
	if err := b.checkNodes(); err != nil {
		return err
	}
	if len(b.Mail) > MaxReachMail || len(b.Inbox) > MaxReachInbox {
		return fmt.Errorf("%w: %d and %d queues", ErrTooLarge, len(b.Mail), len(b.Inbox))
	}
	seen := map[queueName]bool{}
	for _, m := range b.Mail {
		if err := b.checkQueue(seen, m.Node, m.SendID, m.SendCap, m.Key); err != nil {
			return err
		}
	}
	clear(seen)
	for _, i := range b.Inbox {
		if err := b.checkQueue(seen, i.Node, i.RecvID, i.RecvCap, i.Key); err != nil {
			return err
		}
	}
	return nil
}

func (b *ReachBody) checkNodes() error {
	if len(b.Nodes) > MaxReachNodes {
		return fmt.Errorf("%w: %d nodes", ErrTooLarge, len(b.Nodes))
	}
	seen := map[[32]byte]bool{{}: true}
	for _, n := range b.Nodes {
		if seen[n.Host] {
			return fmt.Errorf("%w: a node without a key or named twice", ErrMalformed)
		}
		seen[n.Host] = true
		if err := checkAddrs(n.Addrs); err != nil {
			return err
		}
	}
	return nil
}

// queueName is what a queue is known by.
type queueName struct {
	node uint8
	id   [24]byte
}

func (b *ReachBody) checkQueue(seen map[queueName]bool, node uint8, id [24]byte, capability, key [32]byte) error {
	name := queueName{node, id}
	switch {
	case int(node) >= len(b.Nodes):
		return fmt.Errorf("%w: a queue at no node", ErrMalformed)
	case id == [24]byte{} || capability == [32]byte{} || key == [32]byte{}:
		return fmt.Errorf("%w: a queue with an empty field", ErrMalformed)
	case seen[name]:
		return fmt.Errorf("%w: a queue named twice", ErrMalformed)
	}
	seen[name] = true
	return nil
}

func checkAddrs(addrs [][]byte) error {
	if len(addrs) > MaxAddrs {
		return fmt.Errorf("%w: %d addresses", ErrTooLarge, len(addrs))
	}
	for _, a := range addrs {
		if len(a) == 0 || len(a) > MaxAddr {
			return fmt.Errorf("%w: address of %d bytes", ErrMalformed, len(a))
		}
	}
	return nil
}
