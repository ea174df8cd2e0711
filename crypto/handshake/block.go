package handshake

import (
	"bytes"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

// block is the handshake part of an offer, the same in every frame of a first
// flight. Fields without a meaning are zero, not absent: whether there was an
// invitation does not show in the size.
type block struct {
	Version uint8       `cbor:"1,keyasint"`
	Bundle  []byte      `cbor:"2,keyasint"` // A's, signed
	Peer    [32]byte    `cbor:"3,keyasint"` // hash of B's bundle
	Signed  prekey.Hint `cbor:"4,keyasint"` // B's SPK
	OneTime prekey.Hint `cbor:"5,keyasint"` // B's OPK; zero: none
	EK      [32]byte    `cbor:"6,keyasint"`
	Ratchet [32]byte    `cbor:"7,keyasint"` // A's first ratchet key
	Seed    [32]byte    `cbor:"8,keyasint"` // pq_seed
	HS      uint64      `cbor:"9,keyasint"`
	Invite  [16]byte    `cbor:"10,keyasint"` // zero: none
	MAC     [32]byte    `cbor:"11,keyasint"`
	Sig     [64]byte    `cbor:"12,keyasint"`
}

// offer is the content of the outer age file.
type offer struct {
	Block []byte `cbor:"1,keyasint"`
	Inner []byte `cbor:"2,keyasint"` // a ratchet envelope of the new session
}

const (
	// maxHeader bounds the outer file's header: one hybrid stanza has 1.7 kB.
	maxHeader = 8 << 10
	// maxBlock bounds a block: A's bundle and about 400 bytes.
	maxBlock = prekey.MaxBundleSize + 512

	outerStanza = "mlkem768x25519"
)

// parseBlock reads a block of our version; the bundle in it is not looked at.
func parseBlock(raw []byte) (*block, error) {
	if len(raw) < 3 || raw[1] != 1 {
		return nil, fmt.Errorf("%w: block", ErrMalformed)
	}
	if raw[2] != version { // canonical form: a map, its first key 1, its value
		return nil, ErrVersion
	}
	var b block
	if err := canon.UnmarshalMax(raw, &b, maxBlock); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if b.HS == 0 {
		return nil, fmt.Errorf("%w: handshake number", ErrMalformed)
	}
	return &b, nil
}

// encryptOuter writes an age file with one native hybrid stanza.
func encryptOuter(to prekey.PublicPair, plain []byte) ([]byte, error) {
	recipient, err := to.Recipient()
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	var file bytes.Buffer
	w, err := age.Encrypt(&file, recipient)
	if err != nil {
		return nil, fmt.Errorf("handshake: outer file: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("handshake: outer file: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("handshake: outer file: %w", err)
	}
	return file.Bytes(), nil
}

// decryptOuter reads an age file to its verified end. Whatever is wrong with it
// is [ErrCannotOpen].
func decryptOuter(pair *prekey.Pair, file []byte) ([]byte, error) {
	if !shortHeader(file) {
		return nil, fmt.Errorf("%w: header", ErrCannotOpen)
	}
	r, err := age.Decrypt(bytes.NewReader(file), onlyStanza{pair.Identity()})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotOpen, err)
	}
	plain, err := io.ReadAll(r) // bounded by MaxFrame, which the file was cut from
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotOpen, err)
	}
	return plain, nil
}

// shortHeader reports whether the header ends within maxHeader: age itself reads
// one of any size.
func shortHeader(file []byte) bool {
	return bytes.Contains(file[:min(len(file), maxHeader)], []byte("\n--- "))
}

// onlyStanza opens files with one hybrid stanza: a further one would be a second
// reader.
type onlyStanza struct{ id *age.HybridIdentity }

// Unwrap implements age.Identity.
func (o onlyStanza) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != outerStanza {
		return nil, fmt.Errorf("%w: stanzas", ErrCannotOpen)
	}
	return o.id.Unwrap(stanzas)
}
