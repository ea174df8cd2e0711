// Package prekey makes prekeys and the signed bundles that publish them
// (docs/protocol/keys.md). By a bundle anybody can start a session with somebody
// who is not there.
//
// A prekey is a pair of keys of two kinds that live and die together: an X25519
// key for the handshake's Diffie-Hellman, and an age hybrid key (ML-KEM-768 with
// X25519) for the age file around the handshake.
//
// It promises that a bundle it returns is signed, complete and within its limits,
// and that bundles are compared, hashed and handed on as the bytes received.
package prekey

import (
	"crypto/ecdh"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/identity"
)

const (
	// Renew is how long a signed prekey is the one we publish.
	Renew = 30 * 24 * time.Hour
	// Published is how long after its creation a signed prekey may be used.
	Published = 60 * 24 * time.Hour
	// Kept is when its private half is deleted, after its creation.
	Kept = 90 * 24 * time.Hour

	// PQSize is the size of the hybrid public key in bytes: ML-KEM-768's 1184 and
	// X25519's 32.
	PQSize = 1216
	// HintSize is the size in bytes of the name by which a frame refers to a prekey.
	HintSize = 8

	version = 1
)

var (
	// ErrMalformed: a bundle or a stored pair that cannot be read.
	ErrMalformed = errors.New("prekey: malformed")
	// ErrVersion: a bundle of a version we do not know.
	ErrVersion = errors.New("prekey: unknown bundle version")
	// ErrBadSignature: a bundle its owner did not sign.
	ErrBadSignature = errors.New("prekey: bad signature")
)

// Hint names a prekey on the wire.
type Hint [HintSize]byte

// PublicPair is the public half of a prekey.
type PublicPair struct {
	DH [32]byte `cbor:"1,keyasint"`
	PQ []byte   `cbor:"2,keyasint"` // PQSize bytes
}

// Hint returns SHA-256("hint" | PQ), cut to eight bytes.
func (p PublicPair) Hint() Hint {
	h := canon.Hash("hint", p.PQ)
	return Hint(h[:HintSize])
}

// Recipient returns the hybrid key as age wants it.
func (p PublicPair) Recipient() (age.Recipient, error) {
	r, err := age.ParseHybridRecipient(bech32Encode(hrpRecipient, p.PQ))
	if err != nil { // a wrong length included
		return nil, fmt.Errorf("%w: hybrid key", ErrMalformed)
	}
	return r, nil
}

// Pair is a prekey with its private halves.
type Pair struct {
	dh      *ecdh.PrivateKey
	pqSeed  [32]byte
	pq      *age.HybridIdentity
	public  PublicPair
	created int64 // unix seconds
}

type storedPair struct {
	Version uint8    `cbor:"1,keyasint"`
	DH      [32]byte `cbor:"2,keyasint"`
	PQ      [32]byte `cbor:"3,keyasint"`
	Created int64    `cbor:"4,keyasint"`
}

// Generate draws a prekey: 32 bytes of rand for X25519, then 32 for the hybrid key.
func Generate(rand io.Reader, now time.Time) (*Pair, error) {
	s := storedPair{Version: version, Created: now.Unix()}
	for _, seed := range [][]byte{s.DH[:], s.PQ[:]} {
		if _, err := io.ReadFull(rand, seed); err != nil {
			return nil, fmt.Errorf("prekey: draw keys: %w", err)
		}
	}
	return s.open()
}

func (s storedPair) open() (*Pair, error) {
	dh, err := ecdh.X25519().NewPrivateKey(s.DH[:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	pq, err := age.ParseHybridIdentity(strings.ToUpper(bech32Encode(hrpIdentity, s.PQ[:])))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return &Pair{
		dh: dh, pqSeed: s.PQ, pq: pq, created: s.Created,
		public: PublicPair{
			DH: [32]byte(dh.PublicKey().Bytes()),
			PQ: bech32Data(hrpRecipient, pq.Recipient().String()),
		},
	}, nil
}

// Marshal returns both private halves, unencrypted, for storage.
func (p *Pair) Marshal() []byte {
	b, err := canon.Marshal(storedPair{version, [32]byte(p.dh.Bytes()), p.pqSeed, p.created})
	if err != nil {
		panic(err) // the type above always encodes
	}
	return b
}

// ParsePair reads what [Pair.Marshal] wrote.
func ParsePair(b []byte) (*Pair, error) {
	var s storedPair
	if err := canon.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if s.Version != version {
		return nil, fmt.Errorf("%w: pair of version %d", ErrMalformed, s.Version)
	}
	return s.open()
}

// Public returns the public half.
func (p *Pair) Public() PublicPair { return p.public }

// Hint is short for Public().Hint().
func (p *Pair) Hint() Hint { return p.public.Hint() }

// Created returns when the pair was made, to the second.
func (p *Pair) Created() time.Time { return time.Unix(p.created, 0).UTC() }

// Private returns the X25519 private key.
func (p *Pair) Private() *ecdh.PrivateKey { return p.dh }

// ECDH is X25519 with the private key; an all-zero result is identity.ErrZeroDH.
func (p *Pair) ECDH(pub [32]byte) ([]byte, error) { return identity.ECDH(p.dh, pub) }

// Identity opens the age files written to this prekey.
func (p *Pair) Identity() *age.HybridIdentity { return p.pq }

// LogValue keeps keys out of logs.
func (*Pair) LogValue() slog.Value { return slog.StringValue("[prekey]") }

// String keeps keys out of formatted text.
func (*Pair) String() string { return "[prekey]" }

// GoString keeps keys out of formatted text.
func (*Pair) GoString() string { return "[prekey]" }
