package chat

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
)

// PersonID is a person's long-term Ed25519 identity key (protocol: IKs).
type PersonID [32]byte

// ConversationID names one conversation, equal on every side of it.
type ConversationID [16]byte

// MessageID names one message, drawn at random by its sender.
type MessageID [16]byte

var idText = base32.StdEncoding.WithPadding(base32.NoPadding)

func encodeID(b []byte) string { return strings.ToLower(idText.EncodeToString(b)) }

func decodeID(dst []byte, text string) error {
	b, err := idText.DecodeString(strings.ToUpper(text))
	if err != nil || len(b) != len(dst) || encodeID(b) != strings.ToLower(text) {
		return fmt.Errorf("chat: %q is not an id of %d bytes: %w", text, len(dst), ErrBadID)
	}
	copy(dst, b)
	return nil
}

// String returns the id as 52 lower-case base32 characters.
func (id PersonID) String() string { return encodeID(id[:]) }

// IsZero reports whether id names nobody.
func (id PersonID) IsZero() bool { return id == PersonID{} }

// MarshalText implements encoding.TextMarshaler.
func (id PersonID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; the error wraps ErrBadID.
func (id *PersonID) UnmarshalText(b []byte) error { return decodeID(id[:], string(b)) }

// String returns the id as 26 lower-case base32 characters.
func (id ConversationID) String() string { return encodeID(id[:]) }

// IsZero reports whether id names no conversation.
func (id ConversationID) IsZero() bool { return id == ConversationID{} }

// MarshalText implements encoding.TextMarshaler.
func (id ConversationID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; the error wraps ErrBadID.
func (id *ConversationID) UnmarshalText(b []byte) error { return decodeID(id[:], string(b)) }

// String returns the id as 26 lower-case base32 characters.
func (id MessageID) String() string { return encodeID(id[:]) }

// IsZero reports whether id names no message.
func (id MessageID) IsZero() bool { return id == MessageID{} }

// MarshalText implements encoding.TextMarshaler; the zero id is the empty text.
func (id MessageID) MarshalText() ([]byte, error) {
	if id.IsZero() {
		return nil, nil
	}
	return []byte(id.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler; the error wraps ErrBadID.
func (id *MessageID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*id = MessageID{}
		return nil
	}
	return decodeID(id[:], string(b))
}

// NewMessageID draws a random message id.
func NewMessageID() MessageID {
	var id MessageID
	_, _ = rand.Read(id[:]) // crypto/rand.Read never fails
	return id
}

// DirectConversation is the id of the conversation between two people: the same
// on both sides, whoever asks.
func DirectConversation(a, b PersonID) ConversationID {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	h := sha256.New()
	h.Write([]byte("kuvert/v1 conversation"))
	h.Write(a[:])
	h.Write(b[:])
	return ConversationID(h.Sum(nil)[:16])
}
