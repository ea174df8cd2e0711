// Package model is the protocol's session rules without cryptography: keys and
// hashes are numbers, key derivation is mixing, a comparison of hashes compares
// what was hashed. It is small and fast enough to be run through very many
// schedules of crashes, rollbacks, restores, clones, wrong clocks and loss, and
// each rule can be switched off, to see what it is for. docs/protocol/sessions.md
// says the rules in words; package session is the real thing.
package model

import "slices"

// id stands for a key, a hash, an installation, a message.
type id = uint64

// mix stands for a hash and for key derivation.
func mix(xs ...id) id {
	a := id(0x9e3779b97f4a7c15)
	for _, x := range xs {
		a ^= x + 0x9e3779b97f4a7c15 + (a << 6) + (a >> 2)
		a ^= a >> 30
		a *= 0xbf58476d1ce4e5b9
		a ^= a >> 27
		a *= 0x94d049bb133111eb
		a ^= a >> 31
	}
	return a
}

// dh stands for Diffie-Hellman.
func dh(a, b id) id { return mix(77, min(a, b), max(a, b)) }

// rules can be switched off one by one, to see what they are for. (That a peer
// was put back, and that it does not list a session, the others would find, too,
// only later.)
type rules struct {
	compare   bool // acknowledgements are compared with what was sealed
	taint     bool // those on sessions of a former installation are ignored
	rank      bool // the active session is the highest by number, whoever began it
	fresh     bool // a handshake's freshness is its own number, not the bundle's counter
	reseal    bool // what is older than 21 days is sealed anew
	redo      bool // a first flight that came to nothing is made anew
	byMail    bool // statuses and bundles go through the mailbox, too
	ownStatus bool // a status that knows more of me than I do means that I was put back
	hopeless  bool // a window closed for 21 days is left by a handshake
	alarm     bool // a second unannounced installation in 7 days stops everything until the user was asked
}

var allRules = rules{true, true, true, true, true, true, true, true, true, true}

// The windows are narrow, so that they matter in short schedules.
const (
	newWindow = 4
	ackWindow = 6
	skipStep  = 6
	skipTotal = 12

	minute = 1
	hour   = 60 * minute
	day    = 24 * hour

	maxOld        = 4
	maxCannotOpen = 8
)

type bundle struct {
	inst, spk id
	prev      id // the installation before
	counter   int64
	expires   int
}

type prekey struct {
	spk  id
	made int
}

// handshake is what every frame of a first flight carries.
type handshake struct {
	from         bundle
	ek, dh, spk  id
	th           id
	number       int64
	rk, hka, hkb id
}

// account is what one side has opened of a session.
type account struct {
	sid    id
	ids    []id // by ctr, from 1; 0: not opened
	hi     int
	hiHash id
}

type kind int

const (
	message kind = iota
	pureAck
	newBundle
	start
)

type payload struct {
	kind     kind
	mid      id
	ctr      int
	number   int
	accounts []account
	bundle   bundle
}

// envelope is a sealed payload; hs is set in a handshake frame.
type envelope struct {
	hash   id
	hs     *handshake
	hk, dh id
	pn, n  int
	mk     id
	sid    id // which session the sender sealed it on
	body   payload
}

type skippedKey struct {
	hk, mk id
	n, at  int
}

// session is one session of one side.
type session struct {
	sid                  id
	number               int64
	mine, confirmed      bool
	tainted, unlisted    bool
	own, theirs, prev    id // prev: the one before theirs
	hs                   *handshake
	spkExpires           int
	startedAt, retiredAt int
	failures             int

	dhs, dhr             id
	rk, cks, ckr         id
	hks, hkr, nhks, nhkr id
	ns, nr, pn           int
	skipped              []skippedKey

	sealed   []id // hashes, by number
	opened   int  // highest number the peer reported
	closedAt int  // when that rose, or the window closed since
	asked    []id // message ids, by ctr
	acked    []bool
	settled  []bool

	in     []id // message ids opened, by ctr
	hi     int
	hiHash id
}

func (s *session) account() account { return account{s.sid, slices.Clone(s.in), s.hi, s.hiHash} }

func (s *session) above(o *session) bool {
	return s.number > o.number || s.number == o.number && s.sid < o.sid
}

// row is an outbox row.
type row struct {
	mid    id
	kind   kind
	bundle bundle
	sid    id
	ctr    int
	sealed *envelope
	at     int
	gone   bool
}

// party is what one side has stored.
type party struct {
	inst    id
	prev    id
	own     map[id]bool
	counter int64
	prekeys []prekey

	peer      bundle
	met       bool
	fetchedAt int
	peerInst  id
	former    []id
	branchAt  int // when an unannounced one was met, 0: never
	alarmed   bool

	sessions            []*session
	active              id
	known               map[id]bool
	highest, acceptedHS int64
	started, accepted   []int
	want, refetch, due  bool
	lastAck             *envelope

	rows  []row
	seen  map[id]bool
	mids  map[id]bool
	shown []id
}

func (p *party) clone() *party {
	c := *p
	c.own, c.known, c.seen, c.mids = cloneSet(p.own), cloneSet(p.known), cloneSet(p.seen), cloneSet(p.mids)
	c.prekeys, c.rows, c.shown = slices.Clone(p.prekeys), slices.Clone(p.rows), slices.Clone(p.shown)
	c.former = slices.Clone(p.former)
	c.started, c.accepted = slices.Clone(p.started), slices.Clone(p.accepted)
	c.sessions = make([]*session, len(p.sessions))
	for i, s := range p.sessions {
		c.sessions[i] = s.clone()
	}
	return &c
}

func cloneSet(m map[id]bool) map[id]bool {
	c := make(map[id]bool, len(m))
	for k := range m {
		c[k] = true
	}
	return c
}

func (s *session) clone() *session {
	c := *s
	c.skipped, c.sealed, c.asked = slices.Clone(s.skipped), slices.Clone(s.sealed), slices.Clone(s.asked)
	c.acked, c.settled, c.in = slices.Clone(s.acked), slices.Clone(s.settled), slices.Clone(s.in)
	return &c
}

func (p *party) find(sid id) *session {
	for _, s := range p.sessions {
		if s.sid == sid {
			return s
		}
	}
	return nil
}

func (p *party) current() *session { return p.find(p.active) }

func (p *party) bundle() bundle {
	k := p.prekeys[len(p.prekeys)-1]
	return bundle{p.inst, k.spk, p.prev, p.counter, k.made + 60*day}
}

func (p *party) unseal() {
	for i := range p.rows {
		p.rows[i].sealed = nil
	}
}

// leave makes no session the active one.
func (p *party) leave(now int) {
	if s := p.current(); s != nil {
		s.retiredAt = now
	}
	p.active, p.lastAck = 0, nil
	p.unseal()
}

func (p *party) activate(s *session, now int) {
	p.leave(now)
	p.active = s.sid
	p.trim()
}

func (p *party) trim() {
	old := len(p.sessions)
	if p.active != 0 {
		old--
	}
	p.sessions = slices.DeleteFunc(p.sessions, func(s *session) bool {
		if old <= maxOld || s.sid == p.active {
			return false
		}
		old--
		return true
	})
}

func (p *party) waiting() bool {
	return p.due || slices.ContainsFunc(p.rows, func(r row) bool { return !r.gone })
}
