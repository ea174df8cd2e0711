package session

import (
	"errors"
	"fmt"

	"github.com/kuvert-im/kuvert/crypto/handshake"
	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

// Invitation is what the caller keeps of an invitation it issued.
type Invitation struct {
	Keys   []byte // Issued.Keys
	Bundle []byte // Issued.Bundle
}

// Incoming is a handshake that was opened and found good, but not accepted yet.
type Incoming struct {
	accepted *handshake.Accepted
	oneTime  bool
}

// From returns who it is from.
func (in *Incoming) From() identity.ID { return in.accepted.From.ID }

// Inner returns the ratchet envelope that came along.
func (in *Incoming) Inner() []byte { return in.accepted.Inner }

// Invitation returns the id of the invitation that it answers, zero if none.
func (in *Incoming) Invitation() [16]byte { return in.accepted.InviteID }

// OpenHandshake opens a handshake frame with one's own prekeys, or with those of
// an invitation that lookup finds by the hint of its one-time prekey. It changes
// nothing, and a hint that nobody knows costs nothing. The error wraps
// ErrCannotOpen or ErrRefused.
func OpenHandshake(env Env, frame []byte, lookup func(hint [8]byte) (Invitation, bool)) (*Incoming, error) {
	hint, ok := handshake.Peek(frame)
	if !ok {
		return nil, fmt.Errorf("%w: not a handshake", ErrCannotOpen)
	}
	keys, err := env.Self.keysFor(hint, lookup)
	if err != nil {
		return nil, err
	}
	a, err := handshake.Open(env.Now, env.Self.private, keys, frame)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", answerFor(err), err)
	}
	return &Incoming{accepted: a, oneTime: keys.OneTime != nil}, nil
}

// answerFor: a handshake for keys that are gone may be made anew with others;
// one that lies is refused.
func answerFor(err error) error {
	for _, gone := range []error{
		handshake.ErrUnknownPrekey, handshake.ErrUnknownBundle, handshake.ErrCannotOpen, handshake.ErrVersion,
	} {
		if errors.Is(err, gone) {
			return ErrCannotOpen
		}
	}
	return ErrRefused
}

// keysFor finds the private halves of a prekey.
func (s *Self) keysFor(hint prekey.Hint, lookup func([8]byte) (Invitation, bool)) (handshake.Keys, error) {
	for i := range s.prekeys {
		if k := &s.prekeys[i]; k.pair.Hint() == hint {
			return handshake.Keys{Signed: k.pair, Bundles: [][]byte{k.bundle}}, nil
		}
	}
	inv, ok := lookup(hint)
	if !ok {
		return handshake.Keys{}, fmt.Errorf("%w: unknown prekey", ErrCannotOpen)
	}
	secret, pair, err := parseInvitation(inv.Keys)
	if err != nil {
		return handshake.Keys{}, fmt.Errorf("%w: %w", ErrCannotOpen, err)
	}
	return s.invitationKeys(secret, pair, inv.Bundle)
}

func (s *Self) invitationKeys(secret invite.Secret, pair *prekey.Pair, bundle []byte) (handshake.Keys, error) {
	b, err := prekey.ParseBundle(bundle)
	if err != nil {
		return handshake.Keys{}, fmt.Errorf("%w: %w", ErrCannotOpen, err)
	}
	for i := range s.prekeys {
		if k := &s.prekeys[i]; k.pair.Hint() == b.Signed.Hint() {
			return handshake.Keys{Signed: k.pair, OneTime: pair, Bundles: [][]byte{bundle}, Invite: &secret}, nil
		}
	}
	return handshake.Keys{}, fmt.Errorf("%w: prekeys of the invitation are gone", ErrCannotOpen)
}

// Accept takes a handshake of this person and opens the envelope that came along,
// under the same conditions as Open. A handshake known already is only that
// envelope. Errors: ErrCannotOpen, ErrRefused (an old one, or ErrBranch), ErrBusy
// (over the limit).
func (p *Peer) Accept(env Env, in *Incoming) (Opened, error) {
	a := in.accepted
	if a.From.ID != p.id {
		return Opened{}, ErrForeign
	}
	o := Opened{Unseal: p.sync(env)}
	sid := [16]byte(a.TH[:])
	if p.knows(sid) {
		return p.again(env, sid, a.Inner, o)
	}
	if err := p.admit(env, a); err != nil {
		return Opened{}, err
	}
	was := p.current()
	counts := was != nil && was.confirmed
	branch, err := p.meet(env, a.Bundle.Inst, a.Bundle.Prev)
	if err != nil {
		return Opened{}, err
	}
	o.Branch = branch
	if err := p.learnFromHandshake(env, a); err != nil {
		return Opened{}, err
	}
	s := &sess{
		th: a.TH, hs: a.HS, confirmed: true, own: env.Self.inst, theirs: a.Bundle.Inst, prev: a.Bundle.Prev,
		startedAt: milli(env.Now), retiredAt: milli(env.Now), sas: a.SASKey, state: a.Ratchet.Clone(),
	}
	if in.oneTime {
		s.invite = a.InviteID
	}
	plain, err := p.decrypt(env, s, a.Inner)
	if err != nil {
		return Opened{}, fmt.Errorf("%w: %w", ErrCannotOpen, err)
	}
	p.settleIn(env, s, counts, &o)
	return p.opened(env, s, a.Inner, plain, o)
}

// again opens a further envelope of a first flight.
func (p *Peer) again(env Env, sid [16]byte, inner []byte, o Opened) (Opened, error) {
	s := p.find(sid)
	if s == nil {
		return Opened{}, fmt.Errorf("%w: session is forgotten", ErrCannotOpen)
	}
	plain, err := p.decrypt(env, s, inner)
	if err != nil {
		return Opened{}, err
	}
	return p.opened(env, s, inner, plain, o)
}

// admit decides whether a handshake is fresh and within the limits.
func (p *Peer) admit(env Env, a *handshake.Accepted) error {
	if err := p.belongs(a.From); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if a.HS <= p.acceptedHS || a.HS > maxCounter {
		return fmt.Errorf("%w: handshake is not fresh", ErrRefused)
	}
	if p.alarmed {
		return ErrBranch
	}
	if was := p.current(); was != nil && was.confirmed {
		if !limitedUntil(p.accepted, env.Now).IsZero() {
			return ErrBusy
		}
	} else if n, _ := within(p.others, env.Now, dayLong); n >= AcceptLimit {
		return ErrBusy
	}
	return nil
}

// learnFromHandshake takes in the bundle of the initiator. Its counter plays no
// part in whether the handshake is fresh.
func (p *Peer) learnFromHandshake(env Env, a *handshake.Accepted) error {
	err := p.LearnBundle(env, a.BundleRaw, false)
	if err != nil && !errors.Is(err, ErrOldBundle) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

// settleIn takes an accepted session in and decides whether it is the active one.
func (p *Peer) settleIn(env Env, s *sess, counts bool, o *Opened) {
	if counts {
		p.accepted = note(p.accepted, env.Now)
	} else {
		p.others = note(p.others, env.Now)
	}
	p.acceptedHS = s.hs
	p.add(s)
	if !p.prefers(s) {
		p.trim()
		return
	}
	o.NewSession, o.Unseal = true, true
	o.Renewed = p.activate(s, env.Now)
	p.want, p.refused = false, false
}

// prefers reports whether an accepted session becomes the active one: it ranks
// above, or the active one is an unanswered handshake of mine to an installation
// that is no more.
func (p *Peer) prefers(s *sess) bool {
	a := p.current()
	if a == nil || s.ranksAbove(a) {
		return true
	}
	return a.unanswered() && a.theirs != s.theirs
}
