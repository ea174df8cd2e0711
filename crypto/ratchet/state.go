package ratchet

import (
	"crypto/ecdh"
	"crypto/mlkem"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/crypto/internal/kdf"
)

// State is one side of one ratchet session.
type State struct {
	rk key // root key
	ad key // associated data, fixed by the handshake

	self   keyPair // our ratchet key
	nhks   key     // header key of our next sending chain
	nhkr   key     // header key of the peer's next chain
	send   *sendChain
	recv   *recvChain  // the peer's current chain, nil before the first message
	old    []skipChain // earlier chains of the peer with keys left, oldest first
	offer  *kemOffer   // our KEM key that the peer has not answered yet
	kemAt  int64       // unix seconds of our last KEM step, or of the start
	kemMsg uint32      // messages sealed and opened since then
}

// sendChain is our current sending chain.
type sendChain struct {
	hk, ck key
	n, pn  uint32
	ct     []byte // answer to the peer's offer, in every header of the chain, or nil
}

// recvChain is the peer's current chain.
type recvChain struct {
	skipChain
	ck key
	n  uint32 // next message number expected
}

// kemOffer is an ML-KEM-768 key pair offered in every header of the current
// sending chain. The seed is erased at the receive step that carries the answer.
type kemOffer struct {
	seed [mlkem.SeedSize]byte
	ek   [ekSize]byte
}

// keyPair is an X25519 key pair as bytes. Making the library's own kind costs a
// scalar multiplication and is left to the ratchet step that needs it; lib is
// that kind where it is at hand, else nil.
type keyPair struct {
	priv, pub key
	lib       *ecdh.PrivateKey
}

func newKeyPair(k *ecdh.PrivateKey) keyPair {
	return keyPair{key(k.Bytes()), key(k.PublicKey().Bytes()), k}
}

// drawKeyPair makes a key pair from 32 bytes of rand. (crypto/ecdh ignores the
// reader it is given.)
func drawKeyPair(rand io.Reader) (keyPair, error) {
	var seed key
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return keyPair{}, fmt.Errorf("ratchet: draw ratchet key: %w", err)
	}
	k, err := ecdh.X25519().NewPrivateKey(seed[:])
	if err != nil {
		return keyPair{}, fmt.Errorf("ratchet: make ratchet key: %w", err)
	}
	return newKeyPair(k), nil
}

// library returns the pair as the library's own kind. A stored pair whose halves
// do not belong together is refused.
func (p *keyPair) library() (*ecdh.PrivateKey, error) {
	if p.lib != nil {
		return p.lib, nil
	}
	k, err := ecdh.X25519().NewPrivateKey(p.priv[:])
	if err != nil || key(k.PublicKey().Bytes()) != p.pub {
		return nil, fmt.Errorf("%w: ratchet key", ErrBadState)
	}
	return k, nil
}

// exchange is X25519; an all-zero result is an error.
func (p *keyPair) exchange(peer *key) ([]byte, error) {
	k, err := p.library()
	if err != nil {
		return nil, err
	}
	pub, err := ecdh.X25519().NewPublicKey(peer[:])
	if err != nil {
		return nil, fmt.Errorf("%w: ratchet key", ErrTampered)
	}
	out, err := k.ECDH(pub)
	if err != nil {
		return nil, fmt.Errorf("%w: ratchet key of low order", ErrTampered)
	}
	return out, nil
}

var errCurve = errors.New("ratchet: key is not on X25519")

// NewInitiator makes the state of the side that sends first. rk is the root key
// of the handshake, hks the header key of its first sending chain, nhkr that of
// the peer's first chain, self its first ratchet key, peer the responder's
// prekey and now the time from which the KEM's interval counts.
func NewInitiator(rk, hks, nhkr, ad [32]byte, self *ecdh.PrivateKey, peer [32]byte, now time.Time) (*State, error) {
	if self == nil || self.Curve() != ecdh.X25519() {
		return nil, errCurve
	}
	s := &State{ad: ad, self: newKeyPair(self), nhkr: nhkr, kemAt: now.Unix()}
	dh, err := s.self.exchange((*key)(&peer))
	if err != nil {
		return nil, err
	}
	s.send = &sendChain{hk: hks}
	s.rk, s.send.ck, s.nhks = kdf.Root(rk, dh, nil)
	return s, nil
}

// NewResponder makes the state of the side that receives first. rk is the root
// key of the handshake, nhkr the header key of the initiator's first chain,
// nhks that of its own first chain, self the private half of the prekey the
// initiator used.
func NewResponder(rk, nhkr, nhks, ad [32]byte, self *ecdh.PrivateKey, now time.Time) (*State, error) {
	if self == nil || self.Curve() != ecdh.X25519() {
		return nil, errCurve
	}
	return &State{rk: rk, ad: ad, self: newKeyPair(self), nhks: nhks, nhkr: nhkr, kemAt: now.Unix()}, nil
}

// String keeps the keys out of logs and formatted text.
func (*State) String() string { return redacted }

// GoString does the same for %#v.
func (*State) GoString() string { return redacted }

const redacted = "[ratchet state]"

// CanSend reports whether the state has a sending chain that can go on.
func (s *State) CanSend() bool { return s.send != nil && s.send.n != lastNumber }

// Clone returns an independent copy.
func (s *State) Clone() *State {
	c := *s
	if s.send != nil {
		send := *s.send // ct is never written to: it may be shared
		c.send = &send
	}
	keys := make([]skippedKey, 0, s.SkippedCount())
	c.old = slices.Clone(s.old)
	for i := range c.old {
		keys = c.old[i].moveTo(keys)
	}
	if s.recv != nil {
		recv := *s.recv
		recv.moveTo(keys)
		c.recv = &recv
	}
	return &c
}

// kemDue reports whether the next sending chain has to offer a KEM key. A clock
// that went back by as much counts as time passed, so that a wrong clock cannot
// put the step off for ever.
func (s *State) kemDue(now time.Time) bool {
	passed := now.Unix() - s.kemAt
	limit := int64(KEMEveryTime / time.Second)
	return s.kemMsg >= KEMEveryMessages || passed >= limit || passed <= -limit
}
