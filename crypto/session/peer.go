package session

import (
	"log/slog"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/invite"
)

// Peer is everything the protocol remembers about one person.
type Peer struct {
	id     identity.ID
	public identity.Public // zero until a bundle was seen
	kpair  [32]byte        // zero until it was asked for

	// What is known of the person's installations and prekeys.
	regular  heldBundle
	invited  heldBundle // the invitation's, with one-time keys
	seen     []seenBundle
	inst     identity.Inst   // the one accepted last
	former   []identity.Inst // accepted before
	branchAt time.Time       // when an unannounced one was accepted
	alarmed  bool

	// Sessions. The active one is among them; zero means none.
	sessions []*sess
	active   [16]byte
	known    [][8]byte // every session there ever was, oldest first

	// Handshakes.
	invite     *invite.Secret // shown with each handshake until one is confirmed
	highestHS  uint64         // in either direction
	acceptedHS uint64
	started    []time.Time // handshakes of mine, newest last
	accepted   []time.Time // theirs that replaced a confirmed session
	others     []time.Time // theirs that did not
	want       bool        // a handshake is called for
	refetch    bool        // but the bundle held was of no use: fetch it first
	renews     bool        // the next one takes the place of an earlier session
	unseal     bool        // Maintain has to say that the active session ended
	refused    bool        // their app refused my handshake, and has opened nothing since

	// Acknowledgements.
	due     bool // something is to be acknowledged
	lastAck Sealed

	rollbacks []time.Time // when this person last made me renew my installation
	prunedAt  time.Time
}

// NewPeer returns what is known of a person never met.
func NewPeer(id identity.ID) *Peer { return &Peer{id: id} }

// PeerOf returns a person never met of whom a bundle was just handed over.
func PeerOf(env Env, bundle []byte) (*Peer, error) {
	b, err := parseBundle(bundle)
	if err != nil {
		return nil, err
	}
	p := NewPeer(b.Identity.ID)
	return p, p.LearnBundle(env, bundle, true)
}

// ID returns who this is.
func (p *Peer) ID() identity.ID { return p.id }

// Public returns the person's public keys, false before a bundle was seen.
func (p *Peer) Public() (identity.Public, bool) {
	return p.public, p.public.ID == p.id && p.id != identity.ID{}
}

// Kpair returns the static key shared with this person; ErrNoBundle before a
// bundle was seen.
func (p *Peer) Kpair(env Env) ([32]byte, error) {
	if p.kpair != [32]byte{} {
		return p.kpair, nil
	}
	public, ok := p.Public()
	if !ok {
		return [32]byte{}, ErrNoBundle
	}
	return identity.Kpair(env.Self.private, public)
}

// LogValue keeps keys and identity out of logs.
func (*Peer) LogValue() slog.Value { return slog.StringValue("[peer]") }

// Clone returns an independent copy.
func (p *Peer) Clone() *Peer {
	c := *p
	c.seen = slices.Clone(p.seen)
	c.former = slices.Clone(p.former)
	c.known = slices.Clone(p.known)
	c.started, c.accepted, c.others = slices.Clone(p.started), slices.Clone(p.accepted), slices.Clone(p.others)
	c.rollbacks = slices.Clone(p.rollbacks)
	c.sessions = make([]*sess, len(p.sessions))
	for i, s := range p.sessions {
		c.sessions[i] = s.clone()
	}
	return &c
}

// Active returns the session on which is sent.
func (p *Peer) Active() (SessionInfo, bool) {
	s := p.current()
	if s == nil {
		return SessionInfo{}, false
	}
	return SessionInfo{
		SID: s.sid(), TH: s.th, Confirmed: s.confirmed, Initiator: s.initiator, HS: s.hs, Started: s.startedAt,
	}, true
}

// Alarmed reports whether a second unannounced installation appeared. No
// handshake is started or accepted until Resume.
func (p *Peer) Alarmed() bool { return p.alarmed }

// Refuses reports whether the person's app refuses the handshakes of this
// installation after it told of another one of mine: the profile runs on two
// machines, and they have not said yet that they know of it. What is in the outbox
// stays there.
func (p *Peer) Refuses() bool { return p.refused && len(p.rollbacks) > 0 }

// FirstProof reports whether the person proved only once within BranchAlarm that
// this installation is not the only one, or not the newest: the user is to be told.
func (p *Peer) FirstProof(env Env) bool {
	n, _ := within(p.rollbacks, env.Now, BranchAlarm)
	return n == 1
}

// Resume ends the alarm: the user knows of the other installation.
func (p *Peer) Resume() { p.alarmed, p.branchAt = false, time.Time{} }

// Taint ends all sessions because this installation is not the one any more that
// made them: they still open, but acknowledgements on them mean nothing, and a
// handshake is called for. It happens by itself once Env.Self has another
// installation.
func (p *Peer) Taint() {
	for _, s := range p.sessions {
		s.taint()
	}
	p.leave(time.Time{})
	p.want = true
}

// sync notices that the installation changed. It reports whether the active
// session ended by that.
func (p *Peer) sync(env Env) bool {
	had := p.current()
	for _, s := range p.sessions {
		if s.own != env.Self.inst {
			s.taint()
		}
	}
	if had == nil || !had.tainted {
		return false
	}
	p.leave(env.Now)
	p.want = true
	return true
}

func (p *Peer) current() *sess { return p.find(p.active) }

func (p *Peer) find(sid [16]byte) *sess {
	if sid == [16]byte{} {
		return nil
	}
	for _, s := range p.sessions {
		if s.sid() == sid {
			return s
		}
	}
	return nil
}

// leave makes no session the active one. A zero time stands for "not known".
func (p *Peer) leave(now time.Time) {
	if s := p.current(); s != nil {
		if s.retiredAt = now; !now.IsZero() {
			s.retiredAt = milli(now)
		}
		p.renews = p.renews || s.confirmed || s.renews
	}
	p.active = [16]byte{}
	p.lastAck = Sealed{}
}

// activate makes a session the active one and says whether it takes the place of
// one that was confirmed.
func (p *Peer) activate(s *sess, now time.Time) (renewed bool) {
	p.leave(now)
	p.active = s.sid()
	s.retiredAt = time.Time{}
	renewed, p.renews = p.renews, false
	p.trim()
	return renewed
}

// trim keeps at most MaxSessions beside the active one; the oldest go.
func (p *Peer) trim() {
	old := len(p.sessions)
	if p.current() != nil {
		old--
	}
	p.sessions = slices.DeleteFunc(p.sessions, func(s *sess) bool {
		if old <= MaxSessions || s.sid() == p.active {
			return false
		}
		old--
		return true
	})
}

// add takes in a new session and remembers its id for ever.
func (p *Peer) add(s *sess) {
	p.sessions = append(p.sessions, s)
	sid := s.sid()
	p.known = append(p.known, [8]byte(sid[:]))
	if len(p.known) > maxKnown {
		p.known = p.known[1:]
	}
	p.highestHS = max(p.highestHS, s.hs)
}

func (p *Peer) knows(sid [16]byte) bool { return slices.Contains(p.known, [8]byte(sid[:])) }
