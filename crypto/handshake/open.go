package handshake

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/crypto/prekey"
	"github.com/kuvert-im/kuvert/crypto/ratchet"
)

// Keys is what B has under the hint of a frame.
type Keys struct {
	Signed  *prekey.Pair
	OneTime *prekey.Pair   // nil unless the hint is a one-time pair's
	Bundles [][]byte       // our bundles that offered exactly these pairs
	Invite  *invite.Secret // nil unless the offer has to come with this invitation
}

// outer is the pair the outer file must have been written to.
func (k *Keys) outer() *prekey.Pair {
	if k.OneTime != nil {
		return k.OneTime
	}
	return k.Signed
}

// Accepted is an offer that was found good: B's side of the handshake.
type Accepted struct {
	From      identity.Public
	Bundle    prekey.Bundle // A's
	BundleRaw []byte        // as received
	TH        [32]byte
	HS        uint64
	InviteID  [16]byte // zero: none
	Inner     []byte   // the ratchet envelope that came along, unopened
	SASKey    SASKey
	Ratchet   *ratchet.State // before Inner was opened
}

// SAS returns the six digits of this handshake; see [SASKey.Digits].
func (a *Accepted) SAS(extra []byte) string { return a.SASKey.Digits(a.TH, extra) }

// LogValue keeps keys out of logs.
func (*Accepted) LogValue() slog.Value { return slog.StringValue("[handshake]") }

// Open checks a handshake frame against the keys its hint names. Every error is
// one of this package's, or wraps one of prekey's or identity's; none of them may
// show to the sender.
func Open(now time.Time, self *identity.Private, k Keys, frame []byte) (*Accepted, error) {
	kind, hint, file, err := ParseFrame(frame)
	if err != nil {
		return nil, err
	}
	if kind != KindHandshake {
		return nil, fmt.Errorf("%w: frame of kind %d", ErrMalformed, kind)
	}
	if k.Signed == nil || k.outer().Hint() != hint {
		return nil, ErrUnknownPrekey
	}
	plain, err := decryptOuter(k.outer(), file)
	if err != nil {
		return nil, err
	}
	var o offer
	if err := canon.UnmarshalMax(plain, &o, MaxFrame); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	b, err := parseBlock(o.Block)
	if err != nil {
		return nil, err
	}
	acc, err := k.accept(now, self, b)
	if err != nil {
		return nil, err
	}
	acc.Inner = o.Inner
	return acc, nil
}

// accept does what [Open] promises for a block that was read.
func (k *Keys) accept(now time.Time, self *identity.Private, b *block) (*Accepted, error) {
	peer, err := parseInitiator(b.Bundle)
	if err != nil {
		return nil, err
	}
	if peer.Identity.ID == self.ID() {
		return nil, ErrSelf
	}
	own, err := k.find(self, b)
	if err != nil {
		return nil, err
	}
	s, err := k.agree(self, peer.Identity.DH, b)
	if err != nil {
		return nil, err
	}
	th := (&transcript{peer.Identity, self.Public(), b.Bundle, own, b}).hash()
	derived := schedule(s, th)
	if !derived.confirms(th, b.MAC) {
		return nil, ErrBadMAC
	}
	if !identity.Verify(peer.Identity.ID, b.Sig, "hs", th[:]) {
		return nil, ErrBadSignature
	}
	state, err := ratchet.NewResponder(derived.rk0, derived.hka, derived.nhkb, associated(th), k.Signed.Private(), now)
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return &Accepted{
		From: peer.Identity, Bundle: peer, BundleRaw: b.Bundle, TH: th, HS: b.HS, InviteID: b.Invite,
		SASKey: newSASKey(derived.rk0), Ratchet: state,
	}, nil
}

// find returns our bundle the offer refers to, after checking that prekeys and
// invitation are the ones we look at.
func (k *Keys) find(self *identity.Private, b *block) ([]byte, error) {
	var oneTime prekey.Hint
	if k.OneTime != nil {
		oneTime = k.OneTime.Hint()
	}
	if b.Signed != k.Signed.Hint() || b.OneTime != oneTime {
		return nil, ErrUnknownPrekey
	}
	var want [16]byte
	if k.Invite != nil {
		want = k.Invite.ID()
	}
	if b.Invite != want {
		return nil, ErrUnknownInvite
	}
	for _, raw := range k.Bundles {
		if prekey.HashBundle(raw) == b.Peer {
			return raw, k.offeredBy(self, raw, oneTime)
		}
	}
	return nil, ErrUnknownBundle
}

// offeredBy checks that a bundle of ours is ours and offers these pairs.
func (k *Keys) offeredBy(self *identity.Private, raw []byte, oneTime prekey.Hint) error {
	own, err := prekey.ParseBundle(raw)
	if err != nil {
		return fmt.Errorf("handshake: own bundle: %w", err)
	}
	var offered prekey.Hint
	if own.OneTime != nil {
		offered = own.OneTime.Hint()
	}
	if own.Identity != self.Public() || own.Signed.Hint() != k.Signed.Hint() || offered != oneTime {
		return ErrUnknownBundle
	}
	return nil
}

// exchange is one Diffie-Hellman of ours with a key of A's.
type exchange struct {
	ecdh func([32]byte) ([]byte, error)
	pub  [32]byte
}

// agree computes DH1 to DH4 as B, and that A's ratchet key is usable.
func (k *Keys) agree(self *identity.Private, peerDH [32]byte, b *block) (secrets, error) {
	s := secrets{seed: b.Seed}
	if k.Invite != nil {
		s.invite = *k.Invite
	}
	steps := []exchange{{k.Signed.ECDH, peerDH}, {self.ECDH, b.EK}, {k.Signed.ECDH, b.EK}}
	if k.OneTime != nil {
		steps = append(steps, exchange{k.OneTime.ECDH, b.EK})
	}
	for _, step := range steps {
		secret, err := step.ecdh(step.pub)
		if err != nil {
			return s, fmt.Errorf("handshake: %w", err)
		}
		s.dh = append(s.dh, secret)
	}
	if _, err := k.Signed.ECDH(b.Ratchet); err != nil {
		return s, fmt.Errorf("handshake: ratchet key: %w", err)
	}
	return s, nil
}
