package envelope

import (
	"fmt"
	"unicode/utf8"

	"github.com/kuvert-im/kuvert/crypto/canon"
)

// Limits of the bodies, in bytes or entries.
const (
	MaxText   = 64 << 10
	MaxName   = 128
	MaxRead   = 500
	MaxBundle = 16 << 10
)

// MessageBody is a text in a conversation, or files, or both.
type MessageBody struct {
	Text    string   // valid UTF-8, at most MaxText bytes
	ReplyTo [16]byte // zero: an answer to nothing
	Files   []File   // at most MaxFiles
	Life    uint32   // seconds for which the message stays, 0: for ever
	Ext     canon.Ext
}

// StartBody opens a session.
type StartBody struct {
	Name  string // what the sender calls themselves, at most MaxName bytes
	Reach *ReachBody
	Ext   canon.Ext
}

// ReadBody says which messages were shown to the sender of this payload.
type ReadBody struct {
	IDs [][16]byte // at most MaxRead
}

// BundleBody carries a new bundle, signed by itself.
type BundleBody struct {
	Bundle []byte // at most MaxBundle bytes
}

// The moves of the exchange behind the six digits, in their order.
const (
	MoveCommit uint8 = 1 // of the session's initiator: DigitsCommit of its number
	MoveNonce  uint8 = 2 // the responder's number, after the commitment
	MoveReveal uint8 = 3 // the initiator's number, after the responder's
)

// DigitsBody is one move of the exchange of two random numbers that go into the
// six digits of a session (docs/protocol, invitations).
type DigitsBody struct {
	Move  uint8
	Value [32]byte // not zero
}

type wireMessage struct {
	Text    string     `cbor:"1,keyasint"`
	ReplyTo []byte     `cbor:"2,keyasint,omitempty"`
	Files   []wireFile `cbor:"3,keyasint,omitempty"`
	Life    uint32     `cbor:"4,keyasint,omitempty"`
	Ext     canon.Ext  `cbor:"-1,keyasint,omitempty"`
}

type wireStart struct {
	Name  string     `cbor:"1,keyasint"`
	Reach *wireReach `cbor:"2,keyasint,omitempty"`
	Ext   canon.Ext  `cbor:"-1,keyasint,omitempty"`
}

type wireRead struct {
	IDs [][16]byte `cbor:"1,keyasint"`
}

type wireBundle struct {
	Bundle []byte `cbor:"1,keyasint"`
}

type wireDigits struct {
	Move  uint8    `cbor:"1,keyasint"`
	Value [32]byte `cbor:"2,keyasint"`
}

// Encode returns the canonical encoding of b.
func (b MessageBody) Encode() ([]byte, error) {
	if err := checkText(b.Text, MaxText); err != nil {
		return nil, err
	}
	files, err := wireFiles(b.Files)
	if err != nil {
		return nil, err
	}
	return encodeBody(wireMessage{Text: b.Text, ReplyTo: optional(b.ReplyTo[:]), Files: files, Life: b.Life, Ext: b.Ext})
}

// DecodeMessage reads a MessageBody.
func DecodeMessage(raw []byte) (b MessageBody, err error) {
	var w wireMessage
	if err := decodeBody(raw, &w); err != nil {
		return b, err
	}
	b = MessageBody{Text: w.Text, Life: w.Life, Ext: w.Ext}
	if err := readOptional(b.ReplyTo[:], w.ReplyTo); err != nil {
		return b, err
	}
	if b.Files, err = filesOf(w.Files); err != nil {
		return b, err
	}
	return b, checkText(b.Text, MaxText)
}

// Encode returns the canonical encoding of b.
func (b StartBody) Encode() ([]byte, error) {
	if err := checkText(b.Name, MaxName); err != nil {
		return nil, err
	}
	w := wireStart{Name: b.Name, Ext: b.Ext}
	if b.Reach != nil {
		if err := b.Reach.check(); err != nil {
			return nil, err
		}
		w.Reach = b.Reach.wire()
	}
	return encodeBody(w)
}

// DecodeStart reads a StartBody.
func DecodeStart(raw []byte) (b StartBody, err error) {
	var w wireStart
	if err := decodeBody(raw, &w); err != nil {
		return b, err
	}
	b = StartBody{Name: w.Name, Ext: w.Ext}
	if err := checkText(b.Name, MaxName); err != nil || w.Reach == nil {
		return b, err
	}
	reach, err := w.Reach.body()
	b.Reach = &reach
	return b, err
}

// Encode returns the canonical encoding of b.
func (b ReadBody) Encode() ([]byte, error) {
	if len(b.IDs) > MaxRead {
		return nil, fmt.Errorf("%w: %d messages read", ErrTooLarge, len(b.IDs))
	}
	return encodeBody(wireRead(b))
}

// DecodeRead reads a ReadBody.
func DecodeRead(raw []byte) (b ReadBody, err error) {
	var w wireRead
	if err := decodeBody(raw, &w); err != nil {
		return b, err
	}
	if len(w.IDs) > MaxRead {
		return b, fmt.Errorf("%w: %d messages read", ErrTooLarge, len(w.IDs))
	}
	return ReadBody(w), nil
}

// Encode returns the canonical encoding of b.
func (b BundleBody) Encode() ([]byte, error) {
	if len(b.Bundle) > MaxBundle {
		return nil, fmt.Errorf("%w: bundle of %d bytes", ErrTooLarge, len(b.Bundle))
	}
	return encodeBody(wireBundle(b))
}

// DecodeBundle reads a BundleBody. The bundle itself is not verified here.
func DecodeBundle(raw []byte) (b BundleBody, err error) {
	var w wireBundle
	if err := decodeBody(raw, &w); err != nil {
		return b, err
	}
	if len(w.Bundle) > MaxBundle {
		return b, fmt.Errorf("%w: bundle of %d bytes", ErrTooLarge, len(w.Bundle))
	}
	return BundleBody(w), nil
}

// Encode returns the canonical encoding of b.
func (b DigitsBody) Encode() ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	return encodeBody(wireDigits(b))
}

// DecodeDigits reads a DigitsBody.
func DecodeDigits(raw []byte) (b DigitsBody, err error) {
	var w wireDigits
	if err := decodeBody(raw, &w); err != nil {
		return b, err
	}
	b = DigitsBody(w)
	return b, b.check()
}

func (b DigitsBody) check() error {
	if b.Move < MoveCommit || b.Move > MoveReveal || b.Value == ([32]byte{}) {
		return fmt.Errorf("%w: move of the six digits", ErrMalformed)
	}
	return nil
}

// DigitsCommit is what commits the initiator of a session to its number before
// it sees the responder's.
func DigitsCommit(session [16]byte, nonce [32]byte) [32]byte {
	return canon.Hash("digits", session[:], nonce[:])
}

func encodeBody(w any) ([]byte, error) {
	b, err := canon.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("envelope: encode body: %w", err)
	}
	if len(b) > MaxBody {
		return nil, fmt.Errorf("%w: body of %d bytes", ErrTooLarge, len(b))
	}
	return b, nil
}

func decodeBody(raw []byte, w any) error {
	if err := canon.UnmarshalMax(raw, w, MaxBody); err != nil {
		return fmt.Errorf("%w: body: %w", ErrMalformed, err)
	}
	return nil
}

func checkText(s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("%w: text of %d bytes", ErrTooLarge, len(s))
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: text is not UTF-8", ErrMalformed)
	}
	return nil
}

// optional is b, or nil if b is all zeros, which stands for "none" and is left
// out of the encoding.
func optional(b []byte) []byte {
	for _, c := range b {
		if c != 0 {
			return b
		}
	}
	return nil
}

// readOptional is the reverse: nothing, or exactly len(dst) bytes not all zero.
func readOptional(dst, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if len(b) != len(dst) || optional(b) == nil {
		return fmt.Errorf("%w: optional field", ErrMalformed)
	}
	copy(dst, b)
	return nil
}
