package session

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/handshake"
	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/ratchet"
)

// sess is one session.
type sess struct {
	th        [32]byte
	hs        uint64
	initiator bool
	confirmed bool // I opened something on it
	tainted   bool // made by an earlier installation of mine, or before I was put back
	unlisted  bool // the peer's last status did not list it
	settled   bool // its first flight is over: a ratchet frame was opened
	renews    bool // it took the place of a confirmed session
	own       identity.Inst
	theirs    identity.Inst
	prev      identity.Inst // the predecessor of theirs, as its bundle named it
	startedAt time.Time
	retiredAt time.Time // zero while active, and once more from when it is put back
	expiry    time.Time // of the bundle that I began it with
	hint      [8]byte   // of the prekey that I began it with
	failures  int       // answers "cannot open" since something was acknowledged
	invite    [16]byte  // whose one-time keys it used; zero: none, or told
	sas       handshake.SASKey
	first     []byte // handshake.Initiated while its first flight lasts

	state   *ratchet.State // parsed on demand from raw
	raw     []byte
	skipped int

	out sent
	in  received
}

func (s *sess) sid() [16]byte { return [16]byte(s.th[:]) }

func (s *sess) clone() *sess {
	c := *s
	if s.state != nil {
		c.state = s.state.Clone()
	}
	c.out.envelopes = slices.Clone(s.out.envelopes)
	c.out.asks = slices.Clone(s.out.asks)
	c.in.islands = slices.Clone(s.in.islands)
	for i := range c.in.islands {
		c.in.islands[i].ids = slices.Clone(c.in.islands[i].ids)
	}
	return &c
}

// ratchet returns the ratchet's state, which the caller may change.
func (s *sess) ratchet() (*ratchet.State, error) {
	if s.state == nil {
		st, err := ratchet.Parse(s.raw)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadState, err)
		}
		s.state, s.raw = st, nil
	}
	return s.state, nil
}

// taint makes acknowledgements on the session mean nothing, for good.
func (s *sess) taint() {
	s.tainted = true
	s.first = nil
}

// unanswered reports whether the session is one of mine that nobody answered.
func (s *sess) unanswered() bool { return s.initiator && !s.confirmed }

// ranksAbove is the order of sessions: by handshake number, then the lower TH.
func (s *sess) ranksAbove(o *sess) bool {
	if s.hs != o.hs {
		return s.hs > o.hs
	}
	return bytes.Compare(s.th[:], o.th[:]) < 0
}

// ack is the account of what was opened on the session.
func (s *sess) ack() envelope.Ack { return s.in.ack(s.sid()) }

// retired is for how long the session has not been the active one. Without a time
// it is from now on, and so it is if the clock went back since.
func (s *sess) retired(active [16]byte, now time.Time) time.Duration {
	if s.sid() == active {
		return 0
	}
	if s.retiredAt.IsZero() || s.retiredAt.After(now) {
		s.retiredAt = milli(now)
	}
	return now.Sub(s.retiredAt)
}

// flight returns the handshake while the first flight lasts, else nil.
func (s *sess) flight() (*handshake.Initiated, error) {
	if s.first == nil {
		return nil, nil //nolint:nilnil // no first flight is an ordinary answer
	}
	h, err := handshake.ParseInitiated(s.first)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadState, err)
	}
	return h, nil
}
