package session

import (
	"time"

	"github.com/kuvert-im/kuvert/crypto/handshake"
	"github.com/kuvert-im/kuvert/crypto/invite"
)

// CanStart reports whether Start would begin a handshake now.
func (p *Peer) CanStart(env Env) bool { return p.mayStart(env, p.offered()) == nil }

func (p *Peer) mayStart(env Env, with *heldBundle) error {
	switch {
	case p.alarmed:
		return ErrBranch
	case p.refetch || !with.usable(env.Now):
		return ErrNoBundle
	}
	if len(p.sessions) == 0 {
		return nil
	}
	if until := limitedUntil(p.started, env.Now); !until.IsZero() {
		return &LimitedError{until}
	}
	return nil
}

// Start makes a handshake and its session the active one: everything
// unacknowledged is to be sealed anew, a start payload first. inv is the secret
// of the invitation that is being accepted, and is then shown with every further
// handshake until one is confirmed. Errors: ErrNoBundle, ErrLimited, ErrBranch.
func (p *Peer) Start(env Env, inv *invite.Secret) error {
	p.sync(env)
	if inv != nil && len(p.sessions) == 0 && p.invited.raw != nil {
		secret := *inv
		p.invite = &secret
	}
	with := p.offered()
	if err := p.mayStart(env, with); err != nil {
		return err
	}
	hs := max(p.highestHS+1, uint64(max(env.Now.UnixMilli(), 0))) //nolint:gosec // not negative
	h, err := handshake.Initiate(env.Rand, env.Now, env.Self.private, env.Self.current().bundle, with.raw, hs, p.invite)
	if err != nil {
		return err
	}
	first, err := h.Marshal()
	if err != nil {
		return err
	}
	s := &sess{
		th: h.TH, hs: hs, initiator: true, own: env.Self.inst, theirs: with.inst, prev: with.prev,
		startedAt: milli(env.Now), expiry: with.expiry, hint: with.hint, sas: h.SASKey, first: first, state: h.Ratchet,
	}
	p.begin(env, s)
	return nil
}

// begin takes a session of mine into use.
func (p *Peer) begin(env Env, s *sess) {
	if len(p.sessions) > 0 {
		p.started = note(p.started, env.Now)
	}
	p.add(s)
	s.renews = p.activate(s, env.Now)
	p.want = false
}

// note appends a time to a list of which no more than a day's limit is needed.
func note(list []time.Time, now time.Time) []time.Time {
	list = append(list, milli(now))
	return list[max(0, len(list)-AcceptLimit):]
}

// within counts the times in the span before now. Times from the future were
// written under a wrong clock and do not count: one's own clock is not what the
// limits guard against.
func within(list []time.Time, now time.Time, span time.Duration) (n int, oldest time.Time) {
	for _, t := range list {
		if age := now.Sub(t); age >= 0 && age < span {
			if n == 0 {
				oldest = t
			}
			n++
		}
	}
	return n, oldest
}

// limitedUntil returns when the next handshake is within the limits, zero if it
// is now.
func limitedUntil(list []time.Time, now time.Time) (until time.Time) {
	if n, oldest := within(list, now, time.Hour); n >= HourLimit {
		until = oldest.Add(time.Hour)
	}
	if n, oldest := within(list, now, 24*time.Hour); n >= DayLimit {
		until = later(until, oldest.Add(24*time.Hour))
	}
	return until
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// SAS returns the six digits of the active session's handshake, which both people
// see if nobody stands between them. extra is the responder's nonce when pairing
// by click, otherwise empty.
func (p *Peer) SAS(_ Env, extra []byte) (digits string, ok bool) {
	s := p.current()
	if s == nil {
		return "", false
	}
	return s.sas.Digits(s.th, extra), true
}
