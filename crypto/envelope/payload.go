package envelope

import (
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/identity"
)

// Version is the version of the payload this package writes and reads.
const Version = 1

// The types of payload.
const (
	TypeMessage uint8 = 1 // MessageBody
	TypeAck     uint8 = 2 // acknowledgements alone, no body
	TypeStart   uint8 = 3 // StartBody, first of a session from either side
	TypeBundle  uint8 = 4 // BundleBody, a new bundle of the sender
	TypeRead    uint8 = 5 // ReadBody
	TypeReach   uint8 = 6 // ReachBody
	TypeDigits  uint8 = 7 // DigitsBody
	TypeTimer   uint8 = 8 // TimerBody
)

const (
	// MaxParents bounds the heads of the conversation a message names.
	MaxParents = 16

	// MaxAcks bounds the sessions one payload acknowledges: the active one, four
	// earlier ones, and those in between during a renewal.
	MaxAcks = 8

	// MaxRanges bounds the ranges of one acknowledgement.
	MaxRanges = 32

	// MaxBody bounds an encoded body in bytes.
	MaxBody = 72 << 10

	// maxSent is the last millisecond of the year 9999.
	maxSent = 253402300799999
)

// Payload is what one envelope of a session carries.
type Payload struct {
	Version      uint8
	Type         uint8
	Conversation [16]byte
	MessageID    [16]byte // random; the same when sealed anew
	Sender       identity.ID
	Recipient    identity.ID
	Inst         identity.Inst // the sender's installation
	Session      [16]byte
	Ctr          uint64 // counts what asks for an acknowledgement, from 1; 0 asks for none
	Number       uint64 // counts everything sealed in the session, from 1
	Seq          uint64
	Parents      [][16]byte
	Sent         time.Time // to the millisecond, by the sender's clock
	Acks         []Ack
	Body         []byte
	Ext          canon.Ext // fields of later versions, kept as they came
}

// Ack tells the peer what was opened of one session.
type Ack struct {
	Session    [16]byte   `cbor:"1,keyasint"`
	Contiguous uint64     `cbor:"2,keyasint"`           // every ctr up to this one was opened
	Chain      [8]byte    `cbor:"3,keyasint"`           // AckChain over their message ids, cut
	Ranges     []AckRange `cbor:"4,keyasint,omitempty"` // what was opened beyond, ascending, with gaps between
	Hi         uint64     `cbor:"5,keyasint"`           // highest envelope number opened
	HiHash     [8]byte    `cbor:"6,keyasint"`           // InnerHash of that envelope, cut
}

// AckRange is a run of ctrs that were opened, both ends included.
type AckRange struct {
	From uint64  `cbor:"1,keyasint"`
	To   uint64  `cbor:"2,keyasint"`
	Hash [8]byte `cbor:"3,keyasint"` // AckRangeHash
}

// wirePayload is Payload as it is encoded.
type wirePayload struct {
	Version      uint8         `cbor:"1,keyasint"`
	Type         uint8         `cbor:"2,keyasint"`
	Conversation [16]byte      `cbor:"3,keyasint"`
	MessageID    [16]byte      `cbor:"4,keyasint"`
	Sender       identity.ID   `cbor:"5,keyasint"`
	Recipient    identity.ID   `cbor:"6,keyasint"`
	Inst         identity.Inst `cbor:"7,keyasint"`
	Session      [16]byte      `cbor:"8,keyasint"`
	Ctr          uint64        `cbor:"9,keyasint,omitempty"`
	Number       uint64        `cbor:"10,keyasint"`
	Seq          uint64        `cbor:"11,keyasint,omitempty"`
	Parents      [][16]byte    `cbor:"12,keyasint,omitempty"`
	Sent         int64         `cbor:"13,keyasint"`
	Acks         []Ack         `cbor:"14,keyasint,omitempty"`
	Body         []byte        `cbor:"15,keyasint,omitempty"`
	Ext          canon.Ext     `cbor:"-1,keyasint,omitempty"`
}

// Encode returns the canonical encoding of p. A zero Version means this one.
func Encode(p Payload) ([]byte, error) {
	if p.Version == 0 {
		p.Version = Version
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	b, err := canon.Marshal(p.wire())
	if err != nil {
		return nil, fmt.Errorf("envelope: encode payload: %w", err)
	}
	if len(b) > MaxPayload {
		return nil, fmt.Errorf("%w: payload of %d bytes", ErrTooLarge, len(b))
	}
	return b, nil
}

// Decode reads what Encode wrote. Errors wrap ErrMalformed or ErrTooLarge. A
// payload of a type of a later version is accepted; its body is not looked at.
func Decode(b []byte) (Payload, error) {
	var w wirePayload
	if err := canon.UnmarshalMax(b, &w, MaxPayload); err != nil {
		return Payload{}, fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	p := w.payload()
	return p, p.check()
}

func (p *Payload) wire() wirePayload {
	return wirePayload{
		Version: p.Version, Type: p.Type, Conversation: p.Conversation, MessageID: p.MessageID,
		Sender: p.Sender, Recipient: p.Recipient, Inst: p.Inst, Session: p.Session,
		Ctr: p.Ctr, Number: p.Number, Seq: p.Seq, Parents: p.Parents,
		Sent: p.Sent.UnixMilli(), Acks: p.Acks, Body: p.Body, Ext: p.Ext,
	}
}

func (w *wirePayload) payload() Payload {
	return Payload{
		Version: w.Version, Type: w.Type, Conversation: w.Conversation, MessageID: w.MessageID,
		Sender: w.Sender, Recipient: w.Recipient, Inst: w.Inst, Session: w.Session,
		Ctr: w.Ctr, Number: w.Number, Seq: w.Seq, Parents: w.Parents,
		Sent: time.UnixMilli(w.Sent).UTC(), Acks: w.Acks, Body: w.Body, Ext: w.Ext,
	}
}

func (p *Payload) check() error {
	switch {
	case p.Version != Version:
		return fmt.Errorf("%w: payload version %d", ErrMalformed, p.Version)
	case p.Type == 0:
		return fmt.Errorf("%w: payload without a type", ErrMalformed)
	case p.Number == 0 || p.Ctr > p.Number:
		return fmt.Errorf("%w: payload numbers", ErrMalformed)
	case p.Sent.UnixMilli() < 0 || p.Sent.UnixMilli() > maxSent:
		return fmt.Errorf("%w: sent time", ErrMalformed)
	case len(p.Parents) > MaxParents || len(p.Acks) > MaxAcks || len(p.Body) > MaxBody:
		return fmt.Errorf("%w: payload with %d parents, %d acknowledgements, body of %d bytes",
			ErrTooLarge, len(p.Parents), len(p.Acks), len(p.Body))
	}
	return checkAcks(p.Acks)
}

// checkAcks: one acknowledgement for a session, ranges ascending with a gap
// before each. There is one way to say what was opened.
func checkAcks(acks []Ack) error {
	seen := make(map[[16]byte]bool, len(acks))
	for i := range acks {
		a := &acks[i]
		if seen[a.Session] {
			return fmt.Errorf("%w: session acknowledged twice", ErrMalformed)
		}
		seen[a.Session] = true
		if len(a.Ranges) > MaxRanges {
			return fmt.Errorf("%w: %d ranges", ErrTooLarge, len(a.Ranges))
		}
		last := a.Contiguous
		for _, r := range a.Ranges {
			// From at least last + 2, written so that nothing overflows.
			if r.From <= last || r.From-last < 2 || r.To < r.From {
				return fmt.Errorf("%w: ranges of an acknowledgement", ErrMalformed)
			}
			last = r.To
		}
	}
	return nil
}

// AckChain extends the hash of the contiguously opened messages of a session by
// the next one. It starts from 32 zero bytes; Ack.Chain is its first 8 bytes.
func AckChain(prev [32]byte, messageID [16]byte) [32]byte {
	return canon.Hash("ackchain", prev[:], messageID[:])
}

// AckRangeHash is the Hash of a range: over its message ids in the order of their
// ctrs.
func AckRangeHash(messageIDs ...[16]byte) [8]byte {
	parts := make([][]byte, len(messageIDs))
	for i := range messageIDs {
		parts[i] = messageIDs[i][:]
	}
	h := canon.Hash("ackrange", parts...)
	return [8]byte(h[:8])
}
