package ratchet

import (
	"crypto/mlkem"
	"fmt"
	"io"
	"slices"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/kuvert-im/kuvert/crypto/internal/kdf"
)

const (
	fileKeySize = 16
	bodySize    = fileKeySize + chacha20poly1305.Overhead
)

// identity opens envelopes with a State.
type identity struct {
	state *State
	now   time.Time
	rand  io.Reader
}

var _ age.Identity = identity{}

// Identity returns the identity that opens envelopes of the peer. Unwrap changes
// the state before age has verified the payload: give it a Clone, and keep that
// only after the payload was read to its verified end. From rand it draws 32
// bytes for a new ratchet key when the envelope begins a chain.
func (s *State) Identity(now time.Time, rand io.Reader) age.Identity {
	return identity{s, now, rand}
}

// Unwrap implements age.Identity. On an error the state is unchanged.
func (i identity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	sealed, body, err := parseStanzas(stanzas)
	if err != nil {
		return nil, err
	}
	next := i.state.Clone()
	mk, err := next.messageKey(sealed, i.now, i.rand)
	if err != nil {
		return nil, err
	}
	fileKey, err := unwrapFileKey(&mk, &next.ad, sealed, body)
	if err != nil {
		return nil, err
	}
	next.countMessage()
	next.DropOldestSkipped(next.SkippedCount() - MaxSkipTotal)
	*i.state = *next
	return fileKey, nil
}

// parseStanzas takes exactly one stanza of the ratchet's type.
func parseStanzas(stanzas []*age.Stanza) (sealed, body []byte, err error) {
	ours := func(st *age.Stanza) bool { return st.Type == StanzaType }
	if !slices.ContainsFunc(stanzas, ours) {
		return nil, nil, ErrNotMine
	}
	if len(stanzas) != 1 || len(stanzas[0].Args) != 1 || len(stanzas[0].Body) != bodySize {
		return nil, nil, fmt.Errorf("%w: not one stanza of the right shape", ErrTampered)
	}
	sealed, err = decodeSealed(stanzas[0].Args[0])
	return sealed, stanzas[0].Body, err
}

// messageKey finds the chain whose header key opens the header, advances the
// state and returns the message's key.
func (s *State) messageKey(sealed []byte, now time.Time, rand io.Reader) (key, error) {
	if s.recv != nil {
		if h, ok, err := tryHeader(&s.recv.hk, sealed); ok {
			return s.inChain(h, err, now)
		}
	}
	if h, ok, err := tryHeader(&s.nhkr, sealed); ok {
		return s.newChain(h, err, now, rand)
	}
	for i := len(s.old) - 1; i >= 0; i-- {
		if h, ok, err := tryHeader(&s.old[i].hk, sealed); ok {
			return s.inOldChain(i, h, err)
		}
	}
	return key{}, ErrNotMine
}

// tryHeader reports in ok whether hk opens the header, in err whether what it
// holds is one.
func tryHeader(hk *key, sealed []byte) (h *header, ok bool, err error) {
	plain, ok := openHeader(hk, sealed)
	if !ok {
		return nil, false, nil
	}
	h, err = parseHeader(plain)
	return h, true, err
}

func (s *State) inOldChain(i int, h *header, err error) (key, error) {
	if err != nil {
		return key{}, err
	}
	if h.tag() != s.old[i].tag {
		return key{}, ErrMismatch
	}
	mk, ok := s.old[i].take(h.n)
	if !ok {
		return key{}, ErrUsed
	}
	s.dropEmpty()
	return mk, nil
}

func (s *State) inChain(h *header, err error, now time.Time) (key, error) {
	if err != nil {
		return key{}, err
	}
	if h.tag() != s.recv.tag {
		return key{}, ErrMismatch
	}
	if h.n < s.recv.n {
		mk, ok := s.recv.take(h.n)
		if !ok {
			return key{}, ErrUsed
		}
		return mk, nil
	}
	if h.n == lastNumber || h.n-s.recv.n > MaxSkipStep {
		return key{}, ErrBeyond
	}
	return s.recv.advance(h.n, now), nil
}

// advance keeps the keys before n and returns that of n.
func (c *recvChain) advance(n uint32, now time.Time) (mk key) {
	c.skipTo(n, minutes(now))
	c.ck, mk = kdf.Chain(c.ck)
	c.n++
	return mk
}

// newChain makes the ratchet step that a header under the next header key asks
// for.
func (s *State) newChain(h *header, err error, now time.Time, rand io.Reader) (key, error) {
	if err != nil {
		return key{}, err
	}
	if err := s.checkStep(h); err != nil {
		return key{}, err
	}
	s.retire(h.pn, now)
	if err := s.receiveStep(h, now); err != nil {
		return key{}, err
	}
	if err := s.sendStep(h, rand); err != nil {
		return key{}, err
	}
	return s.recv.advance(h.n, now), nil
}

// checkStep refuses a step that contradicts the session or goes too far. The
// limit covers both chains: a peer that keeps its window has fewer envelopes in
// flight, whichever chains they are on.
func (s *State) checkStep(h *header) error {
	opened := uint32(0)
	if s.recv != nil {
		opened = s.recv.n
	}
	if h.pn < opened || s.recv == nil && h.pn != 0 || (h.ct != nil) != (s.offer != nil) {
		return ErrMismatch
	}
	if uint64(h.pn-opened)+uint64(h.n) > MaxSkipStep {
		return ErrBeyond
	}
	return nil
}

// retire ends the peer's current chain, which had pn messages.
func (s *State) retire(pn uint32, now time.Time) {
	if s.recv == nil {
		return
	}
	s.recv.skipTo(pn, minutes(now))
	if len(s.recv.keys) > 0 {
		s.old = append(s.old, s.recv.skipChain)
	}
}

// receiveStep mixes our ratchet key with the peer's new one and, if we had
// offered a KEM key, the secret of the answer. The KEM key ends here.
func (s *State) receiveStep(h *header, now time.Time) error {
	dh, err := s.self.exchange(&h.dh)
	if err != nil {
		return err
	}
	ss, err := s.decapsulate(h.ct)
	if err != nil {
		return err
	}
	if s.offer != nil {
		s.offer, s.kemAt, s.kemMsg = nil, now.Unix(), 0
	}
	s.recv = &recvChain{skipChain: skipChain{hk: s.nhkr, tag: h.tag()}}
	s.rk, s.recv.ck, s.nhkr = kdf.Root(s.rk, dh, ss)
	return nil
}

func (s *State) decapsulate(ct []byte) ([]byte, error) {
	if s.offer == nil {
		return nil, nil
	}
	dk, err := mlkem.NewDecapsulationKey768(s.offer.seed[:])
	if err != nil {
		return nil, fmt.Errorf("ratchet: read KEM key: %w", err)
	}
	ss, err := dk.Decapsulate(ct)
	if err != nil {
		return nil, fmt.Errorf("%w: KEM answer", ErrTampered)
	}
	return ss, nil
}

// sendStep makes our next sending chain, with an answer if the peer's chain
// offers a KEM key.
func (s *State) sendStep(h *header, rand io.Reader) error {
	self, err := drawKeyPair(rand)
	if err != nil {
		return err
	}
	dh, err := self.exchange(&h.dh)
	if err != nil {
		return err
	}
	next := &sendChain{hk: s.nhks}
	if s.send != nil {
		next.pn = s.send.n
	}
	var ss []byte
	if h.ek != nil {
		if ss, next.ct, err = encapsulate(h.ek); err != nil {
			return err
		}
	}
	s.rk, next.ck, s.nhks = kdf.Root(s.rk, dh, ss)
	s.self, s.send = self, next
	return nil
}

// encapsulate answers an offered KEM key. The randomness is the library's own,
// which takes none from outside.
var encapsulate = func(ek []byte) (ss, ct []byte, err error) {
	k, err := mlkem.NewEncapsulationKey768(ek)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: offered KEM key", ErrTampered)
	}
	ss, ct = k.Encapsulate()
	return ss, ct, nil
}
