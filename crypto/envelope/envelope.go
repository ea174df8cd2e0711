// Package envelope makes and opens what one machine sends to another: a payload,
// padded and sealed as an ordinary age v1 file with exactly one stanza, and says
// what the payload of a conversation holds.
//
// docs/protocol/messages.md describes the bytes. The package promises:
//
//   - Sizes tell little: an envelope's length is a Padmé size of at least
//     MinSize bytes. There is no compression.
//   - Open looks at the header before any key is tried, bounds everything before
//     allocating it, and returns a payload only after all of it was verified.
//   - Decoders take canonical encodings only and hold every limit named here.
//   - It is pure: no I/O, no clock.
//
// An identity that carries state (package ratchet) is changed by Open even if it
// then fails; see there.
package envelope

import (
	"bytes"
	"errors"
	"fmt"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/internal/padding"
)

const (
	// MinSize and MaxSize bound an envelope in bytes. MaxSize is the largest
	// Padmé size that fits a deliver frame of 128 KiB with its kind and hint.
	MinSize = 512
	MaxSize = 126 << 10

	// MaxPayload bounds what Seal takes, in bytes, such that it fits under any
	// header.
	MaxPayload = 120 << 10

	// MaxHeader bounds the age header in bytes. The longest of ours, a ratchet
	// header with both KEM parts, has about 3,300.
	MaxHeader = 8 << 10
)

// The stanza types an envelope can have: a ratchet session's, and that of age's
// own hybrid recipient, which carries handshakes.
const (
	StanzaRatchet = "kuvert/dr1"
	StanzaHybrid  = "mlkem768x25519"
)

var (
	// ErrMalformed says that bytes do not have the form the protocol asks for.
	ErrMalformed = errors.New("envelope: malformed")

	// ErrTampered says that the payload was altered or cut off.
	ErrTampered = errors.New("envelope: payload was altered")

	// ErrTooLarge says that something is over its limit.
	ErrTooLarge = errors.New("envelope: over the limit")
)

// Seal pads payload and encrypts it to r alone. It calls r's Wrap once, and not
// at all if the payload is too large.
func Seal(r age.Recipient, payload []byte) ([]byte, error) {
	if len(payload) > MaxPayload {
		return nil, fmt.Errorf("%w: payload of %d bytes", ErrTooLarge, len(payload))
	}
	var out bytes.Buffer
	out.Grow(padding.Padme(max(MinSize, len(payload)+usualHeader)))
	w, err := age.Encrypt(&out, r)
	if err != nil {
		return nil, fmt.Errorf("envelope: seal: %w", err)
	}
	// Header and nonce are written, so the length of the rest can be chosen.
	if _, err := w.Write(pad(payload, out.Len())); err != nil {
		return nil, fmt.Errorf("envelope: seal: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("envelope: seal: %w", err)
	}
	return out.Bytes(), nil
}

// Open opens a ratchet envelope with id and returns its payload. Errors of id
// come out wrapped, so errors.Is finds them.
func Open(id age.Identity, blob []byte) ([]byte, error) {
	return OpenAs(StanzaRatchet, id, blob)
}

// OpenAs is Open for an envelope whose one stanza has the given type.
func OpenAs(stanza string, id age.Identity, blob []byte) ([]byte, error) {
	if err := Check(stanza, blob); err != nil {
		return nil, err
	}
	r, err := age.Decrypt(bytes.NewReader(blob), id)
	if err != nil {
		return nil, fmt.Errorf("envelope: open: %w", err)
	}
	// age hands out plaintext before it has seen the end; we do not.
	plain := bytes.NewBuffer(make([]byte, 0, len(blob)+bytes.MinRead))
	if _, err := plain.ReadFrom(r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTampered, err)
	}
	payload, err := padding.Content(plain.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return payload, nil
}

const (
	ageIntro  = "age-encryption.org/v1\n"
	ageStanza = "-> "
	ageFooter = "\n--- "
)

// Check looks at what is visible without a key: the size, and a header of at
// most MaxHeader bytes with exactly one stanza, of the given type. age itself
// would read 2 MiB of header and a thousand stanzas.
func Check(stanza string, blob []byte) error {
	if len(blob) < MinSize || len(blob) > MaxSize || padding.Padme(len(blob)) != len(blob) {
		return fmt.Errorf("%w: envelope of %d bytes", ErrMalformed, len(blob))
	}
	head := blob[:min(len(blob), MaxHeader)]
	if !bytes.HasPrefix(head, []byte(ageIntro+ageStanza+stanza+" ")) {
		return fmt.Errorf("%w: not an age file for this stanza", ErrMalformed)
	}
	end := bytes.Index(head, []byte(ageFooter))
	if end < 0 || bytes.IndexByte(head[end+len(ageFooter):], '\n') < 0 {
		return fmt.Errorf("%w: header does not end within %d bytes", ErrMalformed, MaxHeader)
	}
	if bytes.Count(head[:end], []byte("\n"+ageStanza)) != 1 {
		return fmt.Errorf("%w: more than one stanza", ErrMalformed)
	}
	return nil
}

// InnerHash names an envelope, for the recognition of duplicates.
func InnerHash(blob []byte) [32]byte { return canon.Hash("envelope", blob) }

const (
	usualHeader = 300 // bytes of a ratchet header without a KEM part, about

	chunkSize = 64 << 10 // of age's payload, in bytes of plaintext
	chunkTag  = 16       // more in each chunk's ciphertext
)

// pad returns length | payload | zeros, as long as it must be for an envelope of
// a Padmé size, head bytes of which are there already.
func pad(payload []byte, head int) []byte {
	least := padding.LengthSize + len(payload)
	for total := padding.Padme(max(MinSize, head+sealedSize(least))); ; total = padding.Padme(total + 1) {
		if n, ok := plainSize(total - head); ok {
			return padding.Frame(payload, n)
		}
	}
}

// sealedSize is the size age gives n > 0 bytes of plaintext.
func sealedSize(n int) int { return n + chunkTag*((n+chunkSize-1)/chunkSize) }

// plainSize is the reverse. No plaintext has a size that would leave an empty
// last chunk.
func plainSize(sealed int) (int, bool) {
	chunks := (sealed + chunkSize + chunkTag - 1) / (chunkSize + chunkTag)
	n := sealed - chunkTag*chunks
	return n, n > 0 && sealedSize(n) == sealed
}
