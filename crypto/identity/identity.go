// Package identity holds the long-term keys of one person: an Ed25519 key, which
// is who they are, and an X25519 key signed by it (docs/protocol/keys.md).
//
// It promises that a key of small order is never taken for a person, that an
// all-zero Diffie-Hellman result is an error, and that every signature is bound
// to one purpose by its label.
package identity

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/kuvert-im/kuvert/crypto/canon"
)

var (
	// ErrBadKey: the identity key is of small order, so anybody could sign for it.
	ErrBadKey = errors.New("identity: unusable identity key")
	// ErrBadSignature: the X25519 key is not signed by the identity key.
	ErrBadSignature = errors.New("identity: bad signature")
	// ErrZeroDH: the Diffie-Hellman result is all zero, so it holds no secret.
	ErrZeroDH = errors.New("identity: all-zero Diffie-Hellman result")
	// ErrMalformed: stored private keys that cannot be read.
	ErrMalformed = errors.New("identity: malformed private keys")
)

const (
	labelDH    = "identity-dh"
	labelKpair = "kpair"
	version    = 1
)

// ID names a person: the Ed25519 public key.
type ID [32]byte

// Inst names one installation: one profile on one machine.
type Inst [16]byte

var idText = base32.StdEncoding.WithPadding(base32.NoPadding)

// String returns the ID as 52 lower-case base32 characters.
func (id ID) String() string { return strings.ToLower(idText.EncodeToString(id[:])) }

// LogValue keeps identities out of logs.
func (ID) LogValue() slog.Value { return slog.StringValue("[identity]") }

// Less orders IDs; where two people must agree on an order, the lower one is first.
func (id ID) Less(other ID) bool { return bytes.Compare(id[:], other[:]) < 0 }

// Valid returns [ErrBadKey] for an all-zero ID and for every key of small order,
// under which a signature can be made without any private key.
func (id ID) Valid() error {
	masked := id
	masked[31] &= 0x7f
	for _, bad := range smallOrder {
		if masked == bad {
			return ErrBadKey
		}
	}
	return nil
}

// smallOrder are the y coordinates, sign bit cleared, of all Ed25519 points of
// order 1, 2, 4 and 8, and their non-canonical spellings.
var smallOrder = [...]ID{
	{},
	{0x01},
	{
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
	nearP(0xec), nearP(0xed), nearP(0xee),
}

// nearP returns p-1, p or p+1 for p = 2^255-19, little endian.
func nearP(low byte) (id ID) {
	for i := range id {
		id[i] = 0xff
	}
	id[0], id[31] = low, 0x7f
	return id
}

// Public is what others know of a person.
type Public struct {
	ID  ID       // IKs
	DH  [32]byte // IKd
	Sig [64]byte // over DH, by ID
}

// Verify checks that ID is usable and has signed DH.
func (p Public) Verify() error {
	if err := p.ID.Valid(); err != nil {
		return err
	}
	if !Verify(p.ID, p.Sig, labelDH, p.DH[:]) {
		return ErrBadSignature
	}
	return nil
}

// Verify reports whether id signed the parts under the label.
func Verify(id ID, sig [64]byte, label string, parts ...[]byte) bool {
	return id.Valid() == nil && ed25519.Verify(id[:], canon.Frame(label, parts...), sig[:])
}

// Private is one's own identity.
type Private struct {
	sign   ed25519.PrivateKey
	dh     *ecdh.PrivateKey
	public Public
}

// stored is how a Private is kept: the two 32-byte secrets.
type stored struct {
	Version uint8    `cbor:"1,keyasint"`
	Seed    [32]byte `cbor:"2,keyasint"`
	DH      [32]byte `cbor:"3,keyasint"`
}

// Generate draws a new identity: 32 bytes of rand for IKs, then 32 for IKd.
func Generate(rand io.Reader) (*Private, error) {
	s := stored{Version: version}
	if _, err := io.ReadFull(rand, s.Seed[:]); err != nil {
		return nil, fmt.Errorf("identity: draw keys: %w", err)
	}
	if _, err := io.ReadFull(rand, s.DH[:]); err != nil {
		return nil, fmt.Errorf("identity: draw keys: %w", err)
	}
	return s.open()
}

func (s stored) open() (*Private, error) {
	dh, err := ecdh.X25519().NewPrivateKey(s.DH[:])
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	p := &Private{sign: ed25519.NewKeyFromSeed(s.Seed[:]), dh: dh}
	p.public.ID = ID(p.sign[32:])
	p.public.DH = [32]byte(dh.PublicKey().Bytes())
	p.public.Sig = p.Sign(labelDH, p.public.DH[:])
	return p, nil
}

// Marshal returns both private keys, unencrypted, for storage.
func (p *Private) Marshal() []byte {
	b, err := canon.Marshal(stored{version, [32]byte(p.sign.Seed()), [32]byte(p.dh.Bytes())})
	if err != nil {
		panic(err) // the type above always encodes
	}
	return b
}

// ParsePrivate reads what [Private.Marshal] wrote.
func ParsePrivate(b []byte) (*Private, error) {
	var s stored
	if err := canon.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if s.Version != version {
		return nil, fmt.Errorf("%w: version %d", ErrMalformed, s.Version)
	}
	return s.open()
}

// Public returns the public half.
func (p *Private) Public() Public { return p.public }

// ID is short for Public().ID.
func (p *Private) ID() ID { return p.public.ID }

// LogValue keeps keys out of logs.
func (*Private) LogValue() slog.Value { return slog.StringValue("[private key]") }

// String keeps keys out of formatted text.
func (*Private) String() string { return "[private key]" }

// GoString keeps keys out of formatted text.
func (*Private) GoString() string { return "[private key]" }

// Sign signs the parts under a label, which says what the signature is for.
func (p *Private) Sign(label string, parts ...[]byte) [64]byte {
	return [64]byte(ed25519.Sign(p.sign, canon.Frame(label, parts...)))
}

// ECDH is X25519 with IKd; an all-zero result is [ErrZeroDH].
func (p *Private) ECDH(pub [32]byte) ([]byte, error) { return ECDH(p.dh, pub) }

// ECDH is X25519 that refuses an all-zero result with [ErrZeroDH].
func ECDH(priv *ecdh.PrivateKey, pub [32]byte) ([]byte, error) {
	key, err := ecdh.X25519().NewPublicKey(pub[:])
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	secret, err := priv.ECDH(key)
	if err != nil { // X25519 of two well-formed keys fails for no other cause
		return nil, ErrZeroDH
	}
	return secret, nil
}

// Kpair is the static key two people share. It needs no session and survives a
// restore: by it they recognise each other when a connection opens. peer must
// have been verified.
func Kpair(self *Private, peer Public) ([32]byte, error) {
	secret, err := self.ECDH(peer.DH)
	if err != nil {
		return [32]byte{}, err
	}
	low, high := self.ID(), peer.ID
	if high.Less(low) {
		low, high = high, low
	}
	return [32]byte(canon.KDF(secret, nil, labelKpair, [][]byte{low[:], high[:]}, 32)), nil
}
