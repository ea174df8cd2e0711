package session

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"slices"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

// MaxMailStatusSize bounds what MailStatus returns, in bytes.
const MaxMailStatusSize = MaxStatusSize + prekey.MaxBundleSize + 64

// mailStatus is a status on its way through mailboxes: with the bundle, which
// nobody could be asked for there, and with a MAC, since no connection has
// recognised the sender.
type mailStatus struct {
	Status []byte   `cbor:"1,keyasint"`
	Bundle []byte   `cbor:"2,keyasint"`
	MAC    [32]byte `cbor:"3,keyasint"`
}

// MailStatus returns what to leave for the person in a mailbox, in place of what
// was left there before: the status and one's own bundle, with a MAC under the
// static key of the two. ErrNoBundle if nothing was seen of the person yet.
func (p *Peer) MailStatus(env Env) ([]byte, error) {
	kpair, err := p.Kpair(env)
	if err != nil {
		return nil, err
	}
	m := mailStatus{Bundle: env.Self.current().bundle}
	if m.Status, err = p.Status(env); err != nil {
		return nil, err
	}
	m.MAC = m.mac(kpair, env.Self.ID(), p.id)
	b, err := canon.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("session: encode status: %w", err)
	}
	return b, nil
}

// mac names the direction: what I wrote is not taken for what I was told.
func (m *mailStatus) mac(kpair [32]byte, from, to identity.ID) [32]byte {
	key := canon.KDF(kpair[:], nil, "mail-status", nil, 32)
	return canon.MAC(key, "mail-status", from[:], to[:], m.Status, m.Bundle)
}

// OnMailStatus takes what the person left in a mailbox. It may be an old copy, so
// no more follows from it than from a replay: see OnStatus. The bundle is taken in
// if it is newer than the one held. Errors: ErrBadStatus, also if the MAC is not
// theirs; ErrNoBundle if nothing was seen of the person yet.
func (p *Peer) OnMailStatus(env Env, raw []byte) (StatusResult, error) {
	kpair, err := p.Kpair(env)
	if err != nil {
		return StatusResult{}, err
	}
	var m mailStatus
	if err := canon.UnmarshalMax(raw, &m, MaxMailStatusSize); err != nil {
		return StatusResult{}, fmt.Errorf("%w: %w", ErrBadStatus, err)
	}
	if want := m.mac(kpair, p.id, env.Self.ID()); !hmac.Equal(m.MAC[:], want[:]) {
		return StatusResult{}, fmt.Errorf("%w: MAC", ErrBadStatus)
	}
	if _, err := parseStatus(m.Status); err != nil {
		return StatusResult{}, err
	}
	if err := p.learnFromMail(env, m.Bundle); err != nil {
		return StatusResult{}, err
	}
	return p.OnStatus(env, m.Status, false)
}

// learnFromMail takes in a bundle that came with a status, unless an old copy
// could have brought it: it has to be newer than the one held, and not of an
// installation that another one took the place of.
func (p *Peer) learnFromMail(env Env, raw []byte) error {
	b, err := parseBundle(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadStatus, err)
	}
	if err := p.belongs(b.Identity); err != nil || b.OneTime != nil {
		return fmt.Errorf("%w: not the bundle of this person", ErrBadStatus)
	}
	former := b.Inst != p.inst && slices.Contains(p.former, b.Inst)
	if former || p.regular.raw != nil && b.Counter <= p.regular.counter {
		return nil
	}
	if err := p.LearnBundle(env, raw, false); errors.Is(err, ErrOldBundle) {
		return nil
	} else if err != nil {
		return fmt.Errorf("%w: %w", ErrBadStatus, err)
	}
	// What called for fetching it was that the one before was of no use.
	p.refetch = false
	return nil
}
