package session

import (
	"fmt"
	"io"

	"github.com/kuvert-im/kuvert/crypto/envelope"
)

// AckDue reports whether SealAck has something to tell: an acknowledgement that
// was asked for and that no other payload has carried since, or a gap to fill.
func (p *Peer) AckDue() bool { return p.due || p.fillDue(&protocolLimits) }

func (p *Peer) fillDue(l *limits) bool {
	s := p.current()
	return s != nil && s.confirmed && s.out.mustFill(l.fillWindow)
}

// SealAck seals a pure acknowledgement. It asks for none itself, except beyond
// AskWindow, and except when it fills a gap in the other side's account: a ctr
// given to a message that was then acknowledged in another session, so that its
// envelope may never be sent. Errors: ErrNoSession, ErrWindow.
func (p *Peer) SealAck(env Env) (Sealed, error) {
	p.sync(env)
	s, st, err := p.sender()
	if err != nil {
		return Sealed{}, err
	}
	l := env.lim()
	if !s.out.roomForAck(l) {
		return Sealed{}, ErrWindow
	}
	pl := envelope.Payload{Type: envelope.TypeAck, Sent: env.Now}
	ctr, id, ok := s.out.hole()
	if !ok {
		if _, err := io.ReadFull(env.Rand, id[:]); err != nil {
			return Sealed{}, fmt.Errorf("session: draw message id: %w", err)
		}
		if s.out.unopened() > l.askWindow && s.out.roomForNew(l) {
			ctr = s.out.give(id, true)
		}
	}
	pl.MessageID = id
	sealed, err := p.seal(env, s, st, pl, ctr)
	if err != nil {
		return Sealed{}, err
	}
	p.due, p.lastAck = false, sealed
	return sealed, nil
}

// LastAck returns the pure acknowledgement sealed last on the active session. A
// duplicate is answered by sending its bytes again.
func (p *Peer) LastAck() (Sealed, bool) { return p.lastAck, len(p.lastAck.Inner) > 0 }

// Duplicate notes that something came twice: what acknowledged it was lost. It
// makes an acknowledgement due if there is none to repeat, and reports whether it
// did.
func (p *Peer) Duplicate() bool {
	if _, ok := p.LastAck(); ok || p.due || p.current() == nil {
		return false
	}
	p.due = true
	return true
}

// take compares an account of the peer with what was sealed. Nothing is marked
// if it does not fit, and rolled is true: I am the one who was put back.
func (p *Peer) take(env Env, a *envelope.Ack) (ids [][16]byte, rolled bool) {
	s := p.find(a.Session)
	if s == nil || s.tainted || s.own != env.Self.inst {
		return nil, false
	}
	if !s.out.fits(a) {
		return nil, true
	}
	if s.sid() == p.active && s.out.regressed(a) {
		p.want = true
	}
	if ids = s.out.apply(a, env.Now); len(ids) > 0 {
		s.failures = 0
		p.settleElsewhere(s, ids)
	}
	return ids, false
}

// settleElsewhere marks messages acknowledged in one session as waited for in no
// other.
func (p *Peer) settleElsewhere(here *sess, ids [][16]byte) {
	var set map[[16]byte]bool
	for _, s := range p.sessions {
		if s == here || s.out.pending == 0 {
			continue
		}
		if set == nil {
			set = make(map[[16]byte]bool, len(ids))
			for _, id := range ids {
				set[id] = true
			}
		}
		s.out.settle(set)
	}
}

// Forget notes that the caller gave up on payloads that were not acknowledged:
// nothing waits for them any more.
func (p *Peer) Forget(ids ...[16]byte) { p.settleElsewhere(nil, ids) }

// takeAll takes the accounts of a payload or status.
func (p *Peer) takeAll(env Env, acks []envelope.Ack) (ids [][16]byte, rolled bool) {
	for i := range acks {
		got, bad := p.take(env, &acks[i])
		ids = append(ids, got...)
		rolled = rolled || bad
	}
	return ids, rolled
}
