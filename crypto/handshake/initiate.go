package handshake

import (
	"crypto/ecdh"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/crypto/prekey"
	"github.com/kuvert-im/kuvert/crypto/ratchet"
)

// Initiated is A's side of a handshake, good for any number of frames until B has
// answered.
type Initiated struct {
	TH     [32]byte
	HS     uint64
	Hint   prekey.Hint // of the prekey the outer file goes to
	PQ     []byte      // that prekey's hybrid public key
	Block  []byte      // the offer without its inner envelope; holds secrets
	SASKey SASKey
	// Ratchet is the new session's state. It changes with every envelope and is
	// stored by whoever drives it: Marshal leaves it out.
	Ratchet *ratchet.State
}

type storedInitiated struct {
	TH     [32]byte    `cbor:"1,keyasint"`
	HS     uint64      `cbor:"2,keyasint"`
	Hint   prekey.Hint `cbor:"3,keyasint"`
	PQ     []byte      `cbor:"4,keyasint"`
	Block  []byte      `cbor:"5,keyasint"`
	SASKey SASKey      `cbor:"6,keyasint"`
}

// Initiate makes a handshake from self to the owner of peerBundle. ownBundle is
// self's current bundle, without one-time keys; hs the number that orders
// handshakes between the two; inv the invitation's secret or nil. Whether the
// peer's bundle has expired is for the caller to say.
func Initiate(rand io.Reader, now time.Time, self *identity.Private, ownBundle, peerBundle []byte, hs uint64,
	inv *invite.Secret,
) (*Initiated, error) {
	own, err := parseInitiator(ownBundle)
	if err != nil {
		return nil, err
	}
	peer, err := prekey.ParseBundle(peerBundle)
	if err != nil {
		return nil, fmt.Errorf("handshake: peer's bundle: %w", err)
	}
	switch {
	case own.Identity != self.Public():
		return nil, fmt.Errorf("%w: own bundle of somebody else", ErrMalformed)
	case peer.Identity.ID == self.ID():
		return nil, ErrSelf
	case hs == 0:
		return nil, fmt.Errorf("%w: handshake number", ErrMalformed)
	}
	d, err := drawKeys(rand)
	if err != nil {
		return nil, err
	}
	b := d.block(ownBundle, peerBundle, &peer, hs, inv)
	s, err := d.agree(self, &peer, inv)
	if err != nil {
		return nil, err
	}
	tr := transcript{self.Public(), peer.Identity, ownBundle, peerBundle, b}
	return finish(self, &tr, s, d.ratchet, &peer, now)
}

// parseInitiator reads A's bundle, which must not hold one-time keys: those are
// for one guest, not for B.
func parseInitiator(raw []byte) (prekey.Bundle, error) {
	b, err := prekey.ParseBundle(raw)
	if err != nil {
		return b, fmt.Errorf("handshake: initiator's bundle: %w", err)
	}
	if b.OneTime != nil {
		return b, fmt.Errorf("%w: one-time keys in the initiator's bundle", ErrMalformed)
	}
	return b, nil
}

// drawn are the keys made for one handshake.
type drawn struct {
	ek, ratchet *ecdh.PrivateKey
	seed        [32]byte
}

// drawKeys takes 32 bytes of rand each for EK_A, the first ratchet key and pq_seed.
func drawKeys(rand io.Reader) (*drawn, error) {
	var raw [3][32]byte
	for i := range raw {
		if _, err := io.ReadFull(rand, raw[i][:]); err != nil {
			return nil, fmt.Errorf("handshake: draw keys: %w", err)
		}
	}
	ek, err := ecdh.X25519().NewPrivateKey(raw[0][:])
	if err != nil {
		return nil, fmt.Errorf("handshake: draw keys: %w", err)
	}
	first, err := ecdh.X25519().NewPrivateKey(raw[1][:])
	if err != nil {
		return nil, fmt.Errorf("handshake: draw keys: %w", err)
	}
	return &drawn{ek, first, raw[2]}, nil
}

func (d *drawn) block(ownBundle, peerBundle []byte, peer *prekey.Bundle, hs uint64, inv *invite.Secret) *block {
	b := &block{
		Version: version, Bundle: ownBundle, Peer: prekey.HashBundle(peerBundle), Signed: peer.Signed.Hint(),
		EK: [32]byte(d.ek.PublicKey().Bytes()), Ratchet: [32]byte(d.ratchet.PublicKey().Bytes()),
		Seed: d.seed, HS: hs,
	}
	if peer.OneTime != nil {
		b.OneTime = peer.OneTime.Hint()
	}
	if inv != nil {
		b.Invite = inv.ID()
	}
	return b
}

// agree computes DH1 to DH4 as A: (IKd_A, SPK_B), (EK_A, IKd_B), (EK_A, SPK_B),
// (EK_A, OPK_B).
func (d *drawn) agree(self *identity.Private, peer *prekey.Bundle, inv *invite.Secret) (secrets, error) {
	s := secrets{seed: d.seed}
	if inv != nil {
		s.invite = *inv
	}
	first, err := self.ECDH(peer.Signed.DH)
	if err != nil {
		return s, fmt.Errorf("handshake: %w", err)
	}
	s.dh = append(s.dh, first)
	with := [][32]byte{peer.Identity.DH, peer.Signed.DH}
	if peer.OneTime != nil {
		with = append(with, peer.OneTime.DH)
	}
	for _, pub := range with {
		secret, err := identity.ECDH(d.ek, pub)
		if err != nil {
			return s, fmt.Errorf("handshake: %w", err)
		}
		s.dh = append(s.dh, secret)
	}
	return s, nil
}

// finish derives the keys, confirms and signs.
func finish(self *identity.Private, tr *transcript, s secrets, first *ecdh.PrivateKey, peer *prekey.Bundle,
	now time.Time,
) (*Initiated, error) {
	th := tr.hash()
	k := schedule(s, th)
	tr.block.MAC = k.confirmation(th)
	tr.block.Sig = self.Sign("hs", th[:])
	enc, err := canon.Marshal(tr.block)
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	state, err := ratchet.NewInitiator(k.rk0, k.hka, k.nhkb, associated(th), first, peer.Signed.DH, now)
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	outer := peer.Outer()
	return &Initiated{
		TH: th, HS: tr.block.HS, Hint: outer.Hint(), PQ: outer.PQ, Block: enc,
		SASKey: newSASKey(k.rk0), Ratchet: state,
	}, nil
}

// Frame returns a frame with a fresh outer file around the offer and this inner
// envelope. The error is [ErrTooBig] if it would be over [MaxFrame].
func (i *Initiated) Frame(inner []byte) ([]byte, error) {
	plain, err := canon.Marshal(offer{i.Block, inner})
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	file, err := encryptOuter(prekey.PublicPair{PQ: i.PQ}, plain)
	if err != nil {
		return nil, err
	}
	frame := AppendFrame(nil, KindHandshake, i.Hint, file)
	if len(frame) > MaxFrame {
		return nil, ErrTooBig
	}
	return frame, nil
}

// SAS returns the six digits of this handshake; see [SASKey.Digits].
func (i *Initiated) SAS(extra []byte) string { return i.SASKey.Digits(i.TH, extra) }

// Marshal returns what a first flight needs after a restart, unencrypted, without
// the ratchet.
func (i *Initiated) Marshal() ([]byte, error) {
	b, err := canon.Marshal(storedInitiated{i.TH, i.HS, i.Hint, i.PQ, i.Block, i.SASKey})
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return b, nil
}

// ParseInitiated reads what [Initiated.Marshal] wrote. Ratchet is nil.
func ParseInitiated(b []byte) (*Initiated, error) {
	var s storedInitiated
	if err := canon.UnmarshalMax(b, &s, maxBlock+2*prekey.PQSize); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if (prekey.PublicPair{PQ: s.PQ}).Hint() != s.Hint {
		return nil, fmt.Errorf("%w: stored prekey", ErrMalformed)
	}
	return &Initiated{TH: s.TH, HS: s.HS, Hint: s.Hint, PQ: s.PQ, Block: s.Block, SASKey: s.SASKey}, nil
}

// LogValue keeps keys out of logs.
func (*Initiated) LogValue() slog.Value { return slog.StringValue("[handshake]") }
