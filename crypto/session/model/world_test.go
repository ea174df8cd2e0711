package model

import (
	"fmt"
	"slices"
)

// world is two parties and what lies between them.
type world struct {
	rules  rules
	now    int // minutes
	off    [2]int
	party  [2]*party
	snaps  [2][]*party
	other  [2]*party // the second clone
	box    [2][]blob
	linked bool

	drawn      id
	keys       map[id]bool // message keys used to seal
	ever       map[id]bool // messages ever shown
	rolled     [2]bool
	handshakes int
	bad        []string
	trace      bool
	log        []string
}

// blob is what a mailbox holds.
type blob struct {
	env *envelope
	st  *status
}

func newWorld(r rules, setup int) *world {
	w := &world{rules: r, now: 100 * day, keys: map[id]bool{}, ever: map[id]bool{}}
	for i := range w.party {
		p := &party{
			inst: w.fresh(), own: map[id]bool{}, known: map[id]bool{}, seen: map[id]bool{}, mids: map[id]bool{},
		}
		p.own[p.inst] = true
		w.party[i] = p
		w.publish(i)
	}
	w.party[0].learn(w.party[1].bundle(), false, 0)
	if setup >= 1 {
		w.party[1].learn(w.party[0].bundle(), false, 0)
	}
	if setup >= 2 {
		w.compose(0)
		w.compose(1)
		w.link()
		for range 4 {
			w.sendAll(0)
			w.sendAll(1)
		}
		w.linked = false
		w.box = [2][]blob{}
		w.now += 2 * day
	}
	return w
}

func (w *world) fresh() id { w.drawn++; return mix(12345, w.drawn) }

func (w *world) clock(i int) int { return w.now + w.off[i] }

func (w *world) fault(s string) {
	w.note("!! %s", s)
	if !slices.Contains(w.bad, s) {
		w.bad = append(w.bad, s)
	}
}

func (w *world) note(s string, args ...any) {
	if w.trace {
		w.log = append(w.log, fmt.Sprintf(s, args...))
	}
}

func name(i int) string { return string("AB"[i]) }

func (w *world) compose(i int) {
	w.party[i].rows = append(w.party[i].rows, row{mid: w.fresh()})
	w.pump(i)
}

// pump does the upkeep and seals what can be sealed.
func (w *world) pump(i int) {
	w.upkeep(i)
	p := w.party[i]
	for range 2 {
		a := p.current()
		p.want = p.want || a != nil && w.isHopeless(i, a)
		calls := p.want || p.active == 0 && p.waiting()
		if calls && w.canStart(i) {
			w.start(i)
		} else if calls && w.linked {
			p.learn(w.party[1-i].bundle(), true, w.now)
		}
	}
	w.sealRows(i)
}

// isHopeless reports whether the active session cannot go on.
func (w *world) isHopeless(i int, a *session) bool {
	if a.mine && !a.confirmed && w.rules.redo && w.clock(i) >= a.spkExpires && w.party[i].peer.spk != a.hs.spk {
		return true
	}
	return w.rules.hopeless && a.stuck() && w.clock(i)-a.closedAt > 21*day
}

// upkeep: prekeys, old sessions, old keys.
func (w *world) upkeep(i int) {
	p, c := w.party[i], w.clock(i)
	last := p.prekeys[len(p.prekeys)-1]
	p.prekeys = slices.DeleteFunc(p.prekeys, func(k prekey) bool { return c-k.made >= 90*day })
	if c-last.made >= 30*day || len(p.prekeys) == 0 {
		p.prekeys = append(p.prekeys, prekey{w.fresh(), c})
		p.counter = max(p.counter+1, int64(c)*60000)
		w.announce(p)
	}
	p.sessions = slices.DeleteFunc(p.sessions, func(s *session) bool {
		return s.sid != p.active && c-s.retiredAt > 30*day
	})
	for _, s := range p.sessions {
		s.skipped = slices.DeleteFunc(s.skipped, func(k skippedKey) bool { return c-k.at > 30*day })
	}
}

// announce queues the new bundle; one not sealed yet is superseded.
func (w *world) announce(p *party) {
	if p.active == 0 {
		return
	}
	for k := range p.rows {
		if r := &p.rows[k]; r.kind == newBundle && r.sealed == nil {
			r.gone = true
		}
	}
	p.rows = append(p.rows, row{mid: w.fresh(), kind: newBundle, bundle: p.bundle()})
}

// receive takes an envelope and returns the answer.
func (w *world) receive(i int, e *envelope) byte {
	before := w.party[i]
	if before.seen[e.hash] {
		before.due = before.due || before.lastAck == nil
		return 1
	}
	w.party[i] = before.clone()
	answer, broken := w.tryOpen(i, e)
	if answer == 0 {
		return 0
	}
	before.alarmed = w.party[i].alarmed
	w.party[i] = before
	if broken != nil && broken.sid == before.active {
		w.note("   %s: evidence", name(i))
		before.want = true
	}
	return answer
}

func (w *world) tryOpen(i int, e *envelope) (answer byte, broken *session) {
	p := w.party[i]
	if e.hs == nil {
		return w.openAny(i, e)
	}
	if !slices.ContainsFunc(p.prekeys, func(k prekey) bool { return k.spk == e.hs.spk }) {
		return 2, nil
	}
	if !p.known[e.hs.th] {
		return w.accept(i, e), nil
	}
	s := p.find(e.hs.th)
	if s == nil {
		return 2, nil
	}
	if r := s.open(e, w.clock(i), w.fresh); r != opens {
		return 2, brokenBy(s, r)
	}
	w.opened(i, s, e)
	return 0, nil
}

func brokenBy(s *session, r result) *session {
	if r.evidence() {
		return s
	}
	return nil
}

func (w *world) openAny(i int, e *envelope) (byte, *session) {
	for _, s := range slices.Backward(w.party[i].sessions) {
		switch r := s.open(e, w.clock(i), w.fresh); r {
		case notMine:
		case opens:
			w.opened(i, s, e)
			return 0, nil
		default:
			return 2, brokenBy(s, r)
		}
	}
	return 2, nil
}

// opened takes in what an envelope held: the one transaction.
func (w *world) opened(i int, s *session, e *envelope) {
	p, b := w.party[i], e.body
	if !s.confirmed {
		if s.sid == p.active {
			p.want = false // what called for another one was that nobody answered
		}
		if !slices.Contains(p.former, s.theirs) {
			w.meet(i, s)
		}
	}
	s.confirmed = true
	p.seen[e.hash] = true
	if b.number > s.hi {
		s.hi, s.hiHash = b.number, e.hash
	}
	for b.ctr > len(s.in) {
		s.in = append(s.in, 0)
	}
	if b.ctr > 0 {
		if s.in[b.ctr-1] == 0 {
			s.in[b.ctr-1] = b.mid
		}
		p.due = true
	}
	switch b.kind {
	case message:
		if !p.mids[b.mid] {
			p.mids[b.mid], w.ever[b.mid] = true, true
			p.shown = append(p.shown, b.mid)
		}
	case newBundle:
		p.learn(b.bundle, false, w.now)
	}
	w.note("   %s opens %d (number %d)", name(i), b.kind, b.number)
	rolled := false
	for _, a := range b.accounts {
		rolled = w.take(i, a) || rolled
	}
	if rolled {
		w.renew(i, 0)
	}
}

func (w *world) link() {
	w.linked = true
	w.pump(0)
	w.pump(1)
	w.hello()
}

func (w *world) hello() {
	a, b := w.status(0), w.status(1)
	w.onStatus(0, b, true)
	w.onStatus(1, a, true)
}

// pending are the rows that can be sent.
func (w *world) pending(i int) (mids []id) {
	for _, r := range w.party[i].rows {
		if !r.gone && r.sealed != nil {
			mids = append(mids, r.mid)
		}
	}
	return mids
}

func (w *world) sealedOf(i int, mid id) *envelope {
	for _, r := range w.party[i].rows {
		if r.mid == mid && !r.gone {
			return r.sealed
		}
	}
	return nil
}

// How a frame fares.
const (
	arrives = iota
	isLost
	answerIsLost
)

func (w *world) send(i int, e *envelope, how int) {
	if !w.linked || how == isLost || e == nil {
		return
	}
	answer := w.receive(1-i, w.frame(i, e))
	w.pump(1 - i)
	if how == answerIsLost {
		w.linked = false
		return
	}
	if w.onAnswer(i, e, answer) {
		for k := range w.party[i].rows {
			if r := &w.party[i].rows[k]; r.sealed == e {
				r.sealed = nil
			}
		}
	}
	w.pump(i)
}

func (w *world) sendAll(i int) {
	w.pump(i)
	for _, mid := range w.pending(i) {
		w.send(i, w.sealedOf(i, mid), arrives)
	}
	w.send(i, w.party[i].lastAck, arrives)
}

// all is everything of a party that can go into a mailbox.
func (w *world) all(i int) (out []*envelope) {
	for _, mid := range w.pending(i) {
		out = append(out, w.frame(i, w.sealedOf(i, mid)))
	}
	if e := w.party[i].lastAck; e != nil {
		out = append(out, w.frame(i, e))
	}
	return out
}

func (w *world) post(i int, e *envelope) { w.box[1-i] = append(w.box[1-i], blob{env: e}) }

func (w *world) postStatus(i int) {
	if w.rules.byMail {
		w.box[1-i] = append(w.box[1-i], blob{st: w.status(i)})
	}
}

func (w *world) fetch(i int, b blob) (answer byte) {
	if b.env != nil {
		answer = w.receive(i, b.env)
	} else if p := w.party[i]; p.met {
		p.learn(b.st.bundle, false, w.now)
		w.onStatus(i, b.st, false)
	}
	w.pump(i)
	return answer
}

func (w *world) drain(i int) {
	all := w.box[i]
	w.box[i] = nil
	for _, b := range all {
		if w.fetch(i, b) == 3 {
			w.box[i] = append(w.box[i], b)
		}
	}
}

func (w *world) check() {
	for _, p := range w.party {
		once := make(map[id]bool, len(p.shown))
		for _, m := range p.shown {
			if once[m] {
				w.fault("I2 shown twice")
			}
			once[m] = true
		}
	}
}

func (w *world) quiet() bool {
	for _, p := range w.party {
		if slices.ContainsFunc(p.rows, func(r row) bool { return !r.gone && r.kind == message }) {
			return false
		}
	}
	return true
}
