package session

import (
	"fmt"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/identity"
)

// status is what both sides tell each other after every hello: where they stand
// and what they hold of the other.
type status struct {
	Version   uint8          `cbor:"1,keyasint"`
	Inst      identity.Inst  `cbor:"2,keyasint"` // my installation
	Counter   uint64         `cbor:"3,keyasint"` // of my bundle
	Hint      [8]byte        `cbor:"4,keyasint"` // of the prekey in it
	YourInst  identity.Inst  `cbor:"5,keyasint"` // of your bundle that I hold; zero: none
	YourCount uint64         `cbor:"6,keyasint"` // its counter
	YourHash  [32]byte       `cbor:"7,keyasint"` // its hash
	Active    [16]byte       `cbor:"8,keyasint"` // my active session; zero: none
	Confirmed bool           `cbor:"9,keyasint"` // you have shown that you have it
	HS        uint64         `cbor:"10,keyasint"`
	Sessions  []envelope.Ack `cbor:"11,keyasint"` // every live session, also those with nothing opened
	Ext       canon.Ext      `cbor:"-1,keyasint,omitempty"`
}

const statusVersion = 1

// Status returns what to tell the person after a hello.
func (p *Peer) Status(env Env) ([]byte, error) {
	own := env.Self.current()
	st := status{
		Version: statusVersion, Inst: env.Self.inst, Counter: own.counter, Hint: own.pair.Hint(),
		YourInst: p.regular.inst, YourCount: p.regular.counter, YourHash: p.regular.hash, HS: p.highestHS,
	}
	if s := p.current(); s != nil && s.own == env.Self.inst {
		st.Active, st.Confirmed = s.sid(), s.confirmed
	}
	for _, s := range p.sessions {
		if len(st.Sessions) < envelope.MaxAcks {
			st.Sessions = append(st.Sessions, s.ack())
		}
	}
	b, err := canon.Marshal(st)
	if err != nil {
		return nil, fmt.Errorf("session: encode status: %w", err)
	}
	return b, nil
}

func parseStatus(raw []byte) (*status, error) {
	st := new(status)
	if err := canon.UnmarshalMax(raw, st, MaxStatusSize); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadStatus, err)
	}
	if st.Version != statusVersion || len(st.Sessions) > envelope.MaxAcks {
		return nil, fmt.Errorf("%w: version or sessions", ErrBadStatus)
	}
	for i := range st.Sessions {
		if !wellFormed(&st.Sessions[i]) {
			return nil, fmt.Errorf("%w: ranges", ErrBadStatus)
		}
	}
	return st, nil
}

// wellFormed holds an account to what a payload may carry: ranges ascend, with a
// gap before each.
func wellFormed(a *envelope.Ack) bool {
	last := a.Contiguous
	for _, g := range a.Ranges {
		if g.From <= last || g.From-last < 2 || g.To < g.From {
			return false
		}
		last = g.To
	}
	return len(a.Ranges) <= maxRanges
}

// account returns what the peer holds of a session, nil if it does not list it.
func (st *status) account(sid [16]byte) *envelope.Ack {
	for i := range st.Sessions {
		if st.Sessions[i].Session == sid {
			return &st.Sessions[i]
		}
	}
	return nil
}

// StatusResult is what followed from a status. Call Maintain afterwards.
type StatusResult struct {
	Acked          [][16]byte // see Opened
	SelfRolledBack bool       // see Opened
	CounterAbove   uint64
	// FetchBundle says that the person has a newer bundle, or that the one held is
	// of no use: ask for it and hand it to LearnBundle.
	FetchBundle bool
	// Unseal says that the active session ended; see Opened.
	Unseal bool
}

// OnStatus compares what the person says with what is held. live says that it
// came just now from a connection that recognised them; anything else may be a
// replay, so that only one's own rollback follows from it, and acknowledgements,
// which are compared with what was sealed.
func (p *Peer) OnStatus(env Env, raw []byte, live bool) (StatusResult, error) {
	st, err := parseStatus(raw)
	if err != nil {
		return StatusResult{}, err
	}
	r := StatusResult{Unseal: p.sync(env)}
	if st.HS <= maxCounter {
		p.highestHS = max(p.highestHS, st.HS)
	}
	rolled := p.provesRollback(env, st)
	if !rolled {
		r.Acked, rolled = p.takeAll(env, st.Sessions)
	}
	p.retryUnanswered(env, st)
	switch {
	case rolled:
		r.SelfRolledBack, r.CounterAbove, r.Unseal = p.rolledBack(env), st.YourCount, true
	case live:
		p.compareSessions(st)
	}
	if live {
		r.FetchBundle = p.mustFetch(env, st)
	}
	return r, nil
}

// provesRollback reports whether a status knows more of me than I do.
func (p *Peer) provesRollback(env Env, st *status) bool {
	self := env.Self
	if st.YourInst == (identity.Inst{}) {
		return false
	}
	if !self.wasMine(st.YourInst) || st.YourCount > self.counter {
		return true
	}
	if st.YourInst != self.inst {
		return false // an earlier one of mine: the peer waits for my handshake
	}
	if !self.issued(st.YourCount, st.YourHash) {
		return true
	}
	a := st.account(st.Active)
	return a != nil && a.Hi > 0 && !p.knows(st.Active)
}

// compareSessions notices that the two sides are not on a session both have.
func (p *Peer) compareSessions(st *status) {
	a := p.current()
	if a == nil || !a.confirmed || st.Active == a.sid() {
		if a != nil {
			a.unlisted = false
		}
		return
	}
	mine := p.find(st.Active) != nil
	listed := st.account(a.sid()) != nil
	a.unlisted = !listed
	if listed {
		p.want = p.want || !mine && st.Confirmed
	} else {
		p.want = p.want || st.Active == [16]byte{} || st.Confirmed || mine
	}
}

// retryUnanswered gives up a handshake of mine that was not answered for long,
// if the peer meanwhile has other prekeys than it went to.
func (p *Peer) retryUnanswered(env Env, st *status) {
	a := p.current()
	if a == nil || !a.unanswered() || a.hint == st.Hint || p.invite != nil {
		return
	}
	if age := env.Now.Sub(a.startedAt); age.Abs() > UnansweredFor && p.regular.hint != a.hint {
		p.want = true
	}
}

// mustFetch reports whether the peer's bundle should be asked for.
func (p *Peer) mustFetch(env Env, st *status) bool {
	if p.refetch || !p.regular.usable(env.Now) {
		return true
	}
	return st.Hint != p.regular.hint || st.Inst != p.regular.inst
}
