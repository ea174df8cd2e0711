package ratchet

import (
	"crypto/mlkem"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/crypto/internal/kdf"
)

// recipient wraps the file key of one envelope.
type recipient struct {
	state *State
	now   time.Time
	rand  io.Reader
	spent bool
}

var _ age.RecipientWithLabels = (*recipient)(nil)

// Recipient returns the recipient of one envelope. Wrap advances the state; if
// it fails, the state is unchanged. From rand it draws 64 bytes for a KEM key if
// the chain begins to offer one, then 24 for the header's nonce.
func (s *State) Recipient(now time.Time, rand io.Reader) age.Recipient {
	return &recipient{state: s, now: now, rand: rand}
}

// Wrap implements age.Recipient.
func (r *recipient) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	if r.spent {
		return nil, ErrSpent
	}
	r.spent = true
	stanza, err := r.state.wrap(fileKey, r.now, r.rand)
	if err != nil {
		return nil, err
	}
	return []*age.Stanza{stanza}, nil
}

// WrapWithLabels implements age.RecipientWithLabels. The label is random: any
// recipient of an age file can rewrite its payload under the same header, so
// this one never shares a file.
func (r *recipient) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	stanzas, err := r.Wrap(fileKey)
	return stanzas, []string{"kuvert-" + rand.Text()}, err
}

func (s *State) wrap(fileKey []byte, now time.Time, rand io.Reader) (*age.Stanza, error) {
	if s.send == nil {
		return nil, ErrCannotSend
	}
	if s.send.n == lastNumber {
		return nil, ErrExhausted
	}
	offer, err := s.nextOffer(now, rand)
	if err != nil {
		return nil, err
	}
	h := header{dh: s.self.pub, pn: s.send.pn, n: s.send.n, ct: s.send.ct}
	if offer != nil {
		h.ek = offer.ek[:]
	}
	sealed, err := h.seal(&s.send.hk, rand)
	if err != nil {
		return nil, err
	}
	next, mk := kdf.Chain(s.send.ck)
	body, err := wrapFileKey(&mk, &s.ad, sealed, fileKey)
	if err != nil {
		return nil, err
	}
	s.offer, s.send.ck = offer, next
	s.send.n++
	s.countMessage()
	return &age.Stanza{Type: StanzaType, Args: []string{b64.EncodeToString(sealed)}, Body: body}, nil
}

// nextOffer is the KEM key that goes into the next header. Whether a chain
// offers one is settled by its first message: all of them carry it, or none.
func (s *State) nextOffer(now time.Time, rand io.Reader) (*kemOffer, error) {
	if s.offer != nil || s.send.n > 0 || !s.kemDue(now) {
		return s.offer, nil
	}
	o := new(kemOffer)
	if _, err := io.ReadFull(rand, o.seed[:]); err != nil {
		return nil, fmt.Errorf("ratchet: draw KEM key: %w", err)
	}
	dk, err := mlkem.NewDecapsulationKey768(o.seed[:])
	if err != nil {
		return nil, fmt.Errorf("ratchet: make KEM key: %w", err)
	}
	copy(o.ek[:], dk.EncapsulationKey().Bytes())
	return o, nil
}

func (s *State) countMessage() {
	if s.kemMsg < KEMEveryMessages {
		s.kemMsg++
	}
}
