package session

import (
	"errors"
	"fmt"

	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/handshake"
	"github.com/kuvert-im/kuvert/crypto/ratchet"
)

// Open opens a ratchet frame of this person. The caller has made sure that its
// InnerHash was not seen before, and keeps what Open returned and the Peer in one
// transaction. On an error it throws this Peer away and hands the error to
// Observe of the stored one.
func (p *Peer) Open(env Env, frame []byte) (Opened, error) {
	kind, _, inner, err := handshake.ParseFrame(frame)
	if err != nil || kind != handshake.KindRatchet {
		return Opened{}, fmt.Errorf("%w: not a ratchet frame", ErrCannotOpen)
	}
	o := Opened{Unseal: p.sync(env)}
	s, plain, err := p.recognise(env, inner)
	if err != nil {
		return Opened{}, err
	}
	if !s.settled {
		s.settled = true
		o.InvitationDone, s.invite = s.invite, [16]byte{}
	}
	return p.opened(env, s, inner, plain, o)
}

// recognise finds the session of an envelope and decrypts it: the active one
// first, then the others, newest first.
func (p *Peer) recognise(env Env, inner []byte) (*sess, []byte, error) {
	order := make([]*sess, 0, len(p.sessions))
	if s := p.current(); s != nil {
		order = append(order, s)
	}
	for i := len(p.sessions) - 1; i >= 0; i-- {
		if s := p.sessions[i]; s.sid() != p.active {
			order = append(order, s)
		}
	}
	for _, s := range order {
		plain, err := p.decrypt(env, s, inner)
		if !errors.Is(err, ratchet.ErrNotMine) {
			return s, plain, err
		}
	}
	return nil, nil, fmt.Errorf("%w: no session knows it", ErrCannotOpen)
}

func (p *Peer) decrypt(env Env, s *sess, inner []byte) ([]byte, error) {
	st, err := s.ratchet()
	if err != nil {
		return nil, err
	}
	plain, err := envelope.Open(st.Identity(env.Now, env.Rand), inner)
	if err != nil {
		return nil, &openError{s.sid(), err}
	}
	s.skipped = st.SkippedCount()
	p.capSkipped()
	return plain, nil
}

// capSkipped holds the message keys kept over all sessions to MaxSkipped. Those
// of the oldest session go first.
func (p *Peer) capSkipped() {
	total := 0
	for _, s := range p.sessions {
		total += s.skipped
	}
	for _, s := range p.sessions {
		if total <= MaxSkipped {
			return
		}
		st, err := s.ratchet()
		if err != nil {
			continue // it was parsed when its keys were counted
		}
		n := min(total-MaxSkipped, s.skipped)
		st.DropOldestSkipped(n)
		s.skipped -= n
		total -= n
	}
}

// opened takes in a decrypted payload.
func (p *Peer) opened(env Env, s *sess, inner, plain []byte, o Opened) (Opened, error) {
	pl, err := envelope.Decode(plain)
	if err != nil {
		return Opened{}, fmt.Errorf("%w: %w", ErrCannotOpen, err)
	}
	if pl.Sender != p.id || pl.Recipient != env.Self.ID() || pl.Session != s.sid() {
		return Opened{}, fmt.Errorf("%w: payload of another session", ErrCannotOpen)
	}
	o.Payload, o.InnerHash, o.WantAck = pl, envelope.InnerHash(inner), pl.Ctr > 0
	p.confirm(env, s, &o)
	s.in.open(pl.Number, o.InnerHash, pl.Ctr, pl.MessageID)
	p.due = p.due || o.WantAck
	if pl.Type == envelope.TypeBundle {
		p.learnFromPayload(env, pl.Body)
	}
	var rolled bool
	o.Acked, rolled = p.takeAll(env, pl.Acks)
	if rolled {
		o.SelfRolledBack = p.rolledBack(env)
		o.Unseal = true
	}
	return o, nil
}

// confirm notes that the peer has the session. It ends the first flight and the
// use of an invitation.
func (p *Peer) confirm(env Env, s *sess, o *Opened) {
	if s.confirmed {
		return
	}
	s.confirmed, s.first, p.refused = true, nil, false
	if s.sid() == p.active {
		p.want = false // what called for another one was that nobody answered
	}
	p.invite, p.invited = nil, heldBundle{}
	o.Renewed = o.Renewed || s.renews && s.sid() == p.active
	for _, f := range p.former {
		if f == s.theirs {
			return // an answer that is late: the peer has moved on since
		}
	}
	branch, err := p.meet(env, s.theirs, s.prev)
	o.Branch = o.Branch || branch
	p.alarmed = p.alarmed || err != nil
}

// learnFromPayload takes in a new bundle. One that is older than what is known is
// of no use, and no harm.
func (p *Peer) learnFromPayload(env Env, body []byte) {
	b, err := envelope.DecodeBundle(body)
	if err != nil {
		return
	}
	if c := p.Clone(); c.LearnBundle(env, b.Bundle, false) == nil {
		*p = *c
	}
}
