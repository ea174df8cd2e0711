package prekey

import (
	"fmt"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/identity"
)

const (
	// MaxBundleSize bounds a signed bundle in bytes: one with one-time keys has
	// about 2.8 kB, and a mailbox hands out no more than 4 KiB.
	MaxBundleSize = 4 << 10
	// MaxInsts bounds the installations of one person.
	MaxInsts = 16
	// maxMillis is the last time a bundle may name, in the year 9999: what lies
	// beyond cannot be shown and would overflow elsewhere.
	maxMillis = 253402300799999

	labelBundle = "bundle"
)

// Bundle is what somebody publishes so that others can write to them.
type Bundle struct {
	Identity identity.Public
	Inst     identity.Inst   // the installation that holds the private prekeys
	Prev     identity.Inst   // the one it replaced; zero: none
	Signed   PublicPair      // SPK and PQSPK
	OneTime  *PublicPair     // OPK and PQOPK, for a personal invitation only
	Insts    []identity.Inst // all installations of this person, Inst among them
	Expiry   time.Time       // to the millisecond; no handshake starts after it
	Counter  uint64          // grows with every bundle of (Identity, Inst)
}

// Outer returns the pair that a handshake's outer age file is written to: the
// one-time pair if there is one.
func (b *Bundle) Outer() PublicPair {
	if b.OneTime != nil {
		return *b.OneTime
	}
	return b.Signed
}

// body is the signed part. Fixed fields are always there, so that all bundles
// without one-time keys and with as many installations have one size.
type body struct {
	Version uint8           `cbor:"1,keyasint"`
	ID      identity.ID     `cbor:"2,keyasint"`
	DH      [32]byte        `cbor:"3,keyasint"`
	DHSig   [64]byte        `cbor:"4,keyasint"`
	Inst    identity.Inst   `cbor:"5,keyasint"`
	Prev    identity.Inst   `cbor:"6,keyasint"`
	Signed  PublicPair      `cbor:"7,keyasint"`
	OneTime *PublicPair     `cbor:"8,keyasint,omitempty"`
	Insts   []identity.Inst `cbor:"9,keyasint"`
	Expiry  uint64          `cbor:"10,keyasint"` // unix milliseconds
	Counter uint64          `cbor:"11,keyasint"`
	Ext     canon.Ext       `cbor:"-1,keyasint,omitempty"`
}

// signed is a bundle on the wire: the body as the bytes that were signed.
type signed struct {
	Body []byte   `cbor:"1,keyasint"`
	Sig  [64]byte `cbor:"2,keyasint"`
}

// Sign returns the bundle's bytes, signed by self. Identity is taken from self.
func Sign(self *identity.Private, b Bundle) ([]byte, error) {
	pub := self.Public()
	raw := body{
		Version: version, ID: pub.ID, DH: pub.DH, DHSig: pub.Sig, Inst: b.Inst, Prev: b.Prev,
		Signed: b.Signed, OneTime: b.OneTime, Insts: b.Insts,
		Expiry: millis(b.Expiry), Counter: b.Counter,
	}
	if err := raw.check(); err != nil {
		return nil, err
	}
	enc, err := canon.Marshal(raw)
	if err != nil {
		return nil, fmt.Errorf("prekey: %w", err)
	}
	out, err := canon.Marshal(signed{enc, self.Sign(labelBundle, enc)})
	if err != nil {
		return nil, fmt.Errorf("prekey: %w", err)
	}
	return out, nil
}

// ParseBundle reads a bundle and checks its form, its limits and its signatures.
// It does not look at the clock or at counters: that is for whoever knows what was
// seen before. The errors are [ErrMalformed], [ErrVersion], [ErrBadSignature] and
// identity.ErrBadKey.
func ParseBundle(raw []byte) (Bundle, error) {
	var s signed
	if err := canon.UnmarshalMax(raw, &s, MaxBundleSize); err != nil {
		return Bundle{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := checkVersion(s.Body); err != nil {
		return Bundle{}, err
	}
	var b body
	if err := canon.UnmarshalMax(s.Body, &b, MaxBundleSize); err != nil {
		return Bundle{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := b.check(); err != nil {
		return Bundle{}, err
	}
	if err := b.verify(s); err != nil {
		return Bundle{}, err
	}
	return b.bundle(), nil
}

// checkVersion looks at the version before anything that may differ in a later
// one. In canonical form the body is a map of 1 to 23 pairs whose first key is 1.
func checkVersion(body []byte) error {
	if len(body) < 3 || body[0]>>5 != 5 || body[1] != 1 {
		return fmt.Errorf("%w: no version", ErrMalformed)
	}
	if body[2] != version {
		return ErrVersion
	}
	return nil
}

// check holds for what we sign and for what we take.
func (b *body) check() error {
	pairs := []PublicPair{b.Signed}
	if b.OneTime != nil {
		pairs = append(pairs, *b.OneTime)
	}
	for _, p := range pairs {
		if _, err := p.Recipient(); err != nil {
			return err
		}
	}
	switch {
	case b.OneTime != nil && (b.OneTime.DH == b.Signed.DH || slices.Equal(b.OneTime.PQ, b.Signed.PQ)):
		return fmt.Errorf("%w: the one-time key is the signed one", ErrMalformed)
	case b.Inst == identity.Inst{} || b.Inst == b.Prev:
		return fmt.Errorf("%w: installation", ErrMalformed)
	case b.Counter == 0 || b.Expiry == 0 || b.Expiry > maxMillis:
		return fmt.Errorf("%w: counter or expiry", ErrMalformed)
	}
	return checkInsts(b.Inst, b.Insts)
}

func checkInsts(self identity.Inst, all []identity.Inst) error {
	if len(all) > MaxInsts || !slices.Contains(all, self) {
		return fmt.Errorf("%w: list of installations", ErrMalformed)
	}
	for i, inst := range all {
		if slices.Contains(all[:i], inst) || inst == (identity.Inst{}) {
			return fmt.Errorf("%w: list of installations", ErrMalformed)
		}
	}
	return nil
}

func (b *body) verify(s signed) error {
	if err := b.public().Verify(); err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	if !identity.Verify(b.ID, s.Sig, labelBundle, s.Body) {
		return ErrBadSignature
	}
	return nil
}

func (b *body) public() identity.Public { return identity.Public{ID: b.ID, DH: b.DH, Sig: b.DHSig} }

func (b *body) bundle() Bundle {
	return Bundle{
		Identity: b.public(), Inst: b.Inst, Prev: b.Prev, Signed: b.Signed, OneTime: b.OneTime,
		Insts: b.Insts, Expiry: fromMillis(b.Expiry), Counter: b.Counter,
	}
}

// HashBundle names a bundle by its bytes.
func HashBundle(raw []byte) [32]byte { return canon.Hash("bundle-hash", raw) }

func millis(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

func fromMillis(ms uint64) time.Time {
	return time.UnixMilli(int64(ms)).UTC() // at most maxMillis
}
