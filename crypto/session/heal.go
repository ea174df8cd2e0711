package session

import (
	"errors"
	"time"
)

// Answers to a frame, as the deliver protocol carries them, as far as they say
// something about a session.
const (
	answerCannotOpen byte = 2
	answerRefused    byte = 4
)

// Limits of how often one person is believed that this installation is an older
// copy of itself. Beyond them only the sessions with that person are made anew:
// nobody shall be able to make everybody else's sessions end again and again.
const (
	RollbackDayLimit   = 3
	RollbackMonthLimit = 10
	month              = 30 * 24 * time.Hour
)

// rolledBack follows from proof that I was put back. It reports whether this
// person is believed.
func (p *Peer) rolledBack(env Env) bool {
	day, _ := within(p.rollbacks, env.Now, dayLong)
	all, _ := within(p.rollbacks, env.Now, month)
	p.leave(env.Now)
	p.Taint()
	if day >= RollbackDayLimit || all >= RollbackMonthLimit {
		return false
	}
	p.rollbacks = note(p.rollbacks, env.Now)
	return true
}

// Observe notes on the stored Peer what the error of Open or Accept on a copy
// shows. It reports whether anything changed; Maintain then does what is called
// for.
//
// An envelope never seen before, on the active session, whose header is authentic
// and whose key is used up, or which shows another ratchet key, or lies beyond
// the skip limit, means that the peer was put back or that too much was lost: I
// start a handshake.
func (p *Peer) Observe(_ Env, err error) bool {
	if errors.Is(err, ErrBranch) && !p.alarmed {
		p.alarmed = true
		return true
	}
	sid, ok := evidence(err)
	if !ok || sid != p.active || p.want {
		return false
	}
	p.want = true
	return true
}

// OnAnswer takes the answer to a frame and reports whether the payload in it must
// be sealed anew. Every such answer came on a connection that recognised the
// person.
//
//   - To a first flight, "cannot open" and "refused" alike mean that the handshake
//     came to nothing: the bundle is to be fetched, then another one is made.
//   - On a session that stands, "cannot open" has the payload sealed anew, if the
//     peer lists the session; otherwise, or after many, a handshake is made.
//     "Refused" gives the payload up.
func (p *Peer) OnAnswer(env Env, sealed Sealed, answer byte) (unseal bool) {
	if answer != answerCannotOpen && answer != answerRefused {
		return false
	}
	s := p.find(sealed.Session)
	if s == nil || s.sid() != p.active {
		return true
	}
	if s.unanswered() {
		p.leave(milli(env.Now))
		p.want, p.refetch, p.unseal = true, true, true
		p.refused = answer == answerRefused
		return true
	}
	if answer == answerRefused {
		if a := s.out.at(sealed.Ctr); a != nil {
			p.Forget(a.id)
		}
		return false
	}
	s.failures++
	if s.unlisted || s.failures >= MaxCannotOpen {
		s.failures = 0
		p.want = true
	}
	return true
}

// Effects is what Maintain did and what is to be done.
type Effects struct {
	// Started says that a handshake was started: a start payload is to be sealed
	// before anything else. Unseal is then set as well.
	Started bool
	Unseal  bool // see Opened
	// FetchBundle says that a handshake is called for and no usable bundle is held.
	FetchBundle bool
	// LimitedUntil is when the handshake that is called for is allowed; zero if it
	// is not waiting for that.
	LimitedUntil time.Time
}

// Maintain drops what is too old and starts a handshake if one is called for.
// Call it after everything that may have changed the Peer, and once in a while.
func (p *Peer) Maintain(env Env) (Effects, error) {
	e := Effects{Unseal: p.sync(env) || p.unseal}
	p.unseal = false
	if err := p.prune(env.Now); err != nil {
		return e, err
	}
	if Expired(p.lastAck.At, env.Now) {
		p.lastAck = Sealed{}
	}
	p.want = p.want || p.hopeless(env)
	if !p.want {
		return e, nil
	}
	err := p.Start(env, nil)
	var limited *LimitedError
	switch {
	case err == nil:
		e.Started, e.Unseal = true, true
	case errors.Is(err, ErrNoBundle):
		e.FetchBundle = true
	case errors.As(err, &limited):
		e.LimitedUntil = limited.Until
	case !errors.Is(err, ErrBranch):
		return e, err
	}
	return e, nil
}

// hopeless reports whether the active session cannot go on: nobody answered
// before the bundle expired that it was begun with, and there is another one; or
// the window closed long ago and nothing opens it.
func (p *Peer) hopeless(env Env) bool {
	s := p.current()
	if s == nil {
		return false
	}
	if s.unanswered() && !env.Now.Before(s.expiry) && p.offered().hint != s.hint && p.offered().usable(env.Now) {
		return true
	}
	return s.out.stuck(env.lim()) && env.Now.Sub(s.out.closedAt) > ResealAfter
}

// pruneEvery is how often old keys are looked for.
const pruneEvery = time.Hour

func (p *Peer) prune(now time.Time) error {
	if since := now.Sub(p.prunedAt); since >= 0 && since < pruneEvery {
		return nil
	}
	p.prunedAt = milli(now)
	kept := p.sessions[:0]
	for _, s := range p.sessions {
		if s.retired(p.active, now) > MaxRetired {
			continue
		}
		kept = append(kept, s)
		if s.skipped == 0 {
			continue
		}
		st, err := s.ratchet()
		if err != nil {
			return err
		}
		st.Prune(now)
		s.skipped = st.SkippedCount()
	}
	clear(p.sessions[len(kept):])
	p.sessions = kept
	return nil
}
