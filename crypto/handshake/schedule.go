package handshake

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/identity"
)

// transcript is everything both sides know before they share a key, as bytes.
type transcript struct {
	a, b             identity.Public
	bundleA, bundleB []byte
	block            *block
}

// hash returns TH. Bundles are in it whole, so that neither side can think of
// other keys than the other does.
func (t *transcript) hash() [32]byte {
	seed := sha256.Sum256(t.block.Seed[:])
	return canon.Hash(
		"th", []byte(suite),
		t.a.ID[:], t.a.DH[:], t.b.ID[:], t.b.DH[:],
		t.bundleB, t.bundleA,
		t.block.Signed[:], t.block.OneTime[:],
		t.block.EK[:], t.block.Ratchet[:], seed[:], t.block.Invite[:],
		binary.BigEndian.AppendUint64(nil, t.block.HS),
	)
}

// secrets go into the root key in this order; DH4 only with one-time keys.
type secrets struct {
	dh     [][]byte
	seed   [32]byte
	invite [16]byte // zero without an invitation
}

// keys is what both sides derive.
type keys struct {
	rk0, hka, nhkb [32]byte
}

// schedule derives the keys of a session from its secrets and TH.
func schedule(s secrets, th [32]byte) keys {
	ikm := bytes.Repeat([]byte{0xff}, 32) // as in X3DH: never the start of a real key's input
	ikm = append(ikm, slices.Concat(s.dh...)...)
	ikm = append(ikm, s.seed[:]...)
	ikm = append(ikm, s.invite[:]...)
	out := canon.KDF(ikm, nil, "pqxdh", [][]byte{th[:]}, 96)
	return keys{[32]byte(out[:32]), [32]byte(out[32:64]), [32]byte(out[64:])}
}

// confirmation shows B that A has the root key.
func (k *keys) confirmation(th [32]byte) [32]byte {
	confirm := canon.KDF(k.rk0[:], nil, "confirm", nil, 32)
	return canon.MAC(confirm, "A", th[:])
}

// confirms compares in constant time.
func (k *keys) confirms(th, mac [32]byte) bool {
	want := k.confirmation(th)
	return hmac.Equal(want[:], mac[:])
}

// associated is the AD of every envelope of the session.
func associated(th [32]byte) [32]byte { return canon.Hash("ad", th[:]) }
