package session

import (
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/handshake"
	"github.com/kuvert-im/kuvert/crypto/prekey"
	"github.com/kuvert-im/kuvert/crypto/ratchet"
)

// Seal seals a payload on the active session. Type, Conversation, MessageID, Seq,
// Parents, Sent and Body of pl are the caller's, the rest is filled in. A message
// sealed before in this session keeps its ctr, by its id; reuseCtr is only a hint
// where to look. Errors: ErrNoSession, ErrWindow.
func (p *Peer) Seal(env Env, pl envelope.Payload, reuseCtr uint64, wantAck bool) (Sealed, error) {
	p.sync(env)
	s, st, err := p.sender()
	if err != nil {
		return Sealed{}, err
	}
	ctr := uint64(0)
	if wantAck {
		if ctr = s.out.earlier(pl.MessageID, reuseCtr); ctr == 0 && !s.out.roomForNew(env.lim()) ||
			!s.out.room(env.lim(), ctr) {
			return Sealed{}, ErrWindow
		}
		if ctr == 0 {
			ctr = s.out.give(pl.MessageID, false)
		}
	}
	sealed, err := p.seal(env, s, st, pl, ctr)
	if err == nil {
		p.due = false // the payload carries it
	}
	return sealed, err
}

// sender returns the active session, if it can send.
func (p *Peer) sender() (*sess, *ratchet.State, error) {
	s := p.current()
	if s == nil {
		return nil, nil, ErrNoSession
	}
	st, err := s.ratchet()
	if err != nil {
		return nil, nil, err
	}
	if !st.CanSend() {
		return nil, nil, ErrNoSession
	}
	return s, st, nil
}

// seal completes the payload, seals and logs it.
func (p *Peer) seal(env Env, s *sess, st *ratchet.State, pl envelope.Payload, ctr uint64) (Sealed, error) {
	pl.Version, pl.Sender, pl.Recipient, pl.Inst = envelope.Version, env.Self.ID(), p.id, env.Self.inst
	pl.Session, pl.Ctr, pl.Number, pl.Acks = s.sid(), ctr, s.out.number+1, p.acks()
	plain, err := envelope.Encode(pl)
	if err != nil {
		return Sealed{}, fmt.Errorf("session: %w", err)
	}
	inner, err := envelope.Seal(st.Recipient(env.Now, env.Rand), plain)
	if err != nil {
		return Sealed{}, fmt.Errorf("session: %w", err)
	}
	s.out.log(envelope.InnerHash(inner), env.Now, env.lim())
	return Sealed{Session: s.sid(), Ctr: ctr, Number: pl.Number, Inner: inner, At: milli(env.Now)}, nil
}

// acks are the accounts of all sessions on which something was opened.
func (p *Peer) acks() (acks []envelope.Ack) {
	for _, s := range p.sessions {
		if s.in.hi > 0 && len(acks) < envelope.MaxAcks {
			acks = append(acks, s.ack())
		}
	}
	return acks
}

// earlier returns the ctr that a message has already, 0 if none.
func (s *sent) earlier(id [16]byte, hint uint64) uint64 {
	if a := s.at(hint); a != nil && a.id == id {
		return hint
	}
	return s.find(id)
}

// roomForNew reports whether one more may ask for an acknowledgement.
func (s *sent) roomForNew(l *limits) bool {
	ahead := s.ctr + 1 - s.contig
	return ahead <= l.ctrWindow || s.pending == 0 && ahead < maxAhead
}

// room reports whether one more envelope may be sealed that asks for an
// acknowledgement, for the message with this ctr. If nothing else that asks is in
// flight, one more always may, so that the window cannot stay closed.
func (s *sent) room(l *limits, ctr uint64) bool {
	others := s.pending
	if a := s.at(ctr); a != nil && !a.acked && !a.settled {
		others--
	}
	return s.unopened() <= l.newWindow || others == 0 && s.unopened() <= l.ackWindow+1
}

// roomForAck is the same for a pure acknowledgement.
func (s *sent) roomForAck(l *limits) bool { return s.unopened() <= l.ackWindow }

// stuck reports whether something waits that the window does not let through.
func (s *sent) stuck(l *limits) bool {
	return s.unopened() > l.newWindow && s.pending > 0 || s.unopened() > l.ackWindow+1
}

// Frame returns the bytes for the wire: until the other side has answered on a
// session of mine a fresh handshake frame around the envelope, else the envelope
// alone. The state must have been stored since it was sealed. ErrStale if it is
// to be sealed anew instead.
func (p *Peer) Frame(env Env, sealed Sealed) ([]byte, error) {
	s := p.current()
	if s == nil || s.sid() != sealed.Session || s.own != env.Self.inst || len(sealed.Inner) == 0 {
		return nil, ErrStale
	}
	if sealed.Number != p.lastAck.Number && Expired(sealed.At, env.Now) {
		return nil, ErrStale
	}
	h, err := s.flight()
	if err != nil {
		return nil, err
	}
	if h == nil {
		return handshake.AppendFrame(nil, handshake.KindRatchet, prekey.Hint{}, sealed.Inner), nil
	}
	return h.Frame(sealed.Inner)
}

// Expired reports whether something sealed at that time is too old to be sent.
func Expired(sealedAt, now time.Time) bool { return now.Sub(sealedAt) > ResealAfter }
