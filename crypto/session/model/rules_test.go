package model

import "slices"

// The rules of docs/protocol/sessions.md, in its order.

// ---- sealing

func (w *world) sealOn(i int, s *session, b payload) *envelope {
	p := w.party[i]
	mk, n := s.next()
	b.number = len(s.sealed) + 1
	for _, x := range p.sessions {
		if x.hi > 0 {
			b.accounts = append(b.accounts, x.account())
		}
	}
	e := &envelope{hash: w.fresh(), hk: s.hks, dh: s.dhs, pn: s.pn, n: n, mk: mk, sid: s.sid, body: b}
	s.sealed = append(s.sealed, e.hash)
	if len(s.sealed)+1-s.opened == newWindow+1 {
		s.closedAt = w.clock(i)
	}
	if w.keys[mk] && !w.rolled[i] {
		w.fault("I5 a message key was used twice without a rollback")
	}
	w.keys[mk] = true
	return e
}

// frame is what goes onto the wire for a sealed envelope.
func (w *world) frame(i int, e *envelope) *envelope {
	s := w.party[i].find(e.sid)
	if s == nil || !s.mine || s.confirmed {
		return e
	}
	f := *e
	f.hs = s.hs
	return &f
}

// give gives a message its ctr; it keeps the one it has in this session.
func (s *session) give(r *row) {
	if k := slices.Index(s.asked, r.mid); k >= 0 {
		r.ctr = k + 1
		return
	}
	s.asked, s.acked, s.settled = append(s.asked, r.mid), append(s.acked, false), append(s.settled, false)
	r.ctr = len(s.asked)
}

// room reports whether one more envelope may be sealed.
func (s *session) room(mid id) bool {
	unopened := len(s.sealed) + 1 - s.opened
	for k, m := range s.asked {
		if m != mid && !s.acked[k] && !s.settled[k] {
			return unopened <= newWindow
		}
	}
	return unopened <= ackWindow+1
}

// stuck reports whether something waits that the window does not let through.
func (s *session) stuck() bool {
	unopened := len(s.sealed) + 1 - s.opened
	for k := range s.asked {
		if !s.acked[k] && !s.settled[k] {
			return unopened > newWindow
		}
	}
	return unopened > ackWindow+1
}

func (w *world) sealRows(i int) {
	p, now := w.party[i], w.clock(i)
	s := p.current()
	if s == nil || s.cks == 0 {
		return
	}
	for k := range p.rows {
		r := &p.rows[k]
		if r.gone {
			continue
		}
		if r.sealed != nil && w.rules.reseal && now-r.at > 21*day {
			r.sealed = nil
		}
		if r.sealed != nil {
			continue
		}
		if !s.room(r.mid) {
			break
		}
		s.give(r)
		r.sid, r.at = s.sid, now
		r.sealed = w.sealOn(i, s, payload{kind: r.kind, mid: r.mid, ctr: r.ctr, bundle: r.bundle})
		p.due = false
	}
	w.sealAck(i, s)
}

// sealAck seals a pure acknowledgement, which fills a gap if there is one.
func (w *world) sealAck(i int, s *session) {
	p := w.party[i]
	if !p.due || len(s.sealed)+1-s.opened > ackWindow {
		return
	}
	b := payload{kind: pureAck}
	for k := range s.asked {
		if s.settled[k] && !s.acked[k] {
			b.ctr, b.mid = k+1, s.asked[k]
			break
		}
	}
	p.lastAck, p.due = w.sealOn(i, s, b), false
}

// ---- acknowledgements

// take compares an account with what was sealed; rolled: I was put back.
func (w *world) take(i int, a account) (rolled bool) {
	p := w.party[i]
	s := p.find(a.sid)
	if s == nil || w.rules.taint && (s.tainted || s.own != p.inst) {
		return false
	}
	if !s.fits(a) {
		if w.rules.compare {
			return true
		}
		if a.hi > len(s.sealed) || len(a.ids) > len(s.asked) {
			return false
		}
	}
	if s.sid == p.active && s.regressed(a) {
		p.want = true
	}
	if a.hi > s.opened {
		s.opened, s.closedAt = a.hi, w.clock(i)
	}
	for k, m := range a.ids {
		if m != 0 && !s.acked[k] {
			s.acked[k] = true
			s.failures = 0
			w.delivered(i, s.asked[k])
		}
	}
	return false
}

func (s *session) fits(a account) bool {
	if a.hi > len(s.sealed) || a.hi > 0 && s.sealed[a.hi-1] != a.hiHash || len(a.ids) > len(s.asked) {
		return false
	}
	for k, m := range a.ids {
		if m != 0 && m != s.asked[k] {
			return false
		}
	}
	return true
}

// regressed: a newer account lacks what an earlier one had.
func (s *session) regressed(a account) bool {
	if a.hi <= s.opened {
		return false
	}
	for k, done := range s.acked {
		if done && (k >= len(a.ids) || a.ids[k] == 0) {
			return true
		}
	}
	return false
}

func (w *world) delivered(i int, mid id) {
	p := w.party[i]
	for k := range p.rows {
		if r := &p.rows[k]; r.mid == mid && !r.gone {
			r.gone = true
			if r.kind == message && !w.ever[mid] {
				w.fault("I4 delivered, but never shown")
			}
		}
	}
	for _, s := range p.sessions {
		if k := slices.Index(s.asked, mid); k >= 0 {
			s.settled[k] = true
		}
	}
}

// ---- handshakes

func within(times []int, now, span int) (n int) {
	for _, t := range times {
		if now-t < span {
			n++
		}
	}
	return n
}

func limited(times []int, now int) bool {
	return within(times, now, hour) >= 2 || within(times, now, day) >= 5
}

func (w *world) canStart(i int) bool {
	p := w.party[i]
	fetched := p.fetchedAt > 0 && w.now-p.fetchedAt < hour
	return p.met && !p.refetch && !p.alarmed && (w.clock(i) < p.peer.expires || fetched) &&
		(len(p.sessions) == 0 || !limited(p.started, w.now))
}

func (w *world) start(i int) {
	p := w.party[i]
	if len(p.sessions) > 0 {
		p.started = append(p.started, w.now)
	}
	number := max(p.highest+1, int64(w.clock(i))*60000)
	if !w.rules.fresh {
		p.counter = max(p.counter+1, int64(w.clock(i))*60000)
	}
	h := &handshake{from: p.bundle(), ek: w.fresh(), dh: w.fresh(), spk: p.peer.spk, number: number}
	h.th = mix(h.from.inst, h.from.spk, h.ek, h.dh, h.spk, id(number), p.peer.inst)
	h.rk = mix(h.th, dh(h.ek, h.spk))
	h.hka, h.hkb = mix(h.rk, 21), mix(h.rk, 22)
	s := &session{
		sid: h.th, number: number, mine: true, own: p.inst, theirs: p.peer.inst, prev: p.peer.prev, hs: h,
		spkExpires: p.peer.expires, startedAt: w.now,
		dhs: h.dh, dhr: h.spk, hks: h.hka, nhkr: h.hkb,
	}
	s.rk, s.cks, s.nhks = deriveRoot(h.rk, dh(s.dhs, s.dhr))
	p.sessions = append(p.sessions, s)
	p.known[s.sid] = true
	p.highest = max(p.highest, number)
	p.want = false
	p.activate(s, w.clock(i))
	p.rows = append(p.rows, row{mid: w.fresh(), kind: start})
	w.handshakes++
	w.note("   %s starts a handshake", name(i))
}

// accept takes a new handshake and the envelope that came along. The party is a
// copy, which is thrown away if the answer is not 0.
func (w *world) accept(i int, e *envelope) byte {
	p, h, c := w.party[i], e.hs, w.clock(i)
	stale := h.number <= p.acceptedHS
	if !w.rules.fresh {
		stale = p.met && len(p.sessions) > 0 && h.from.counter <= p.peer.counter
	}
	if stale || p.alarmed {
		return 4
	}
	a := p.current()
	counts := a != nil && a.confirmed
	if counts && limited(p.accepted, w.now) {
		return 3
	}
	s := &session{
		sid: h.th, number: h.number, confirmed: true, own: p.inst, theirs: h.from.inst, prev: h.from.prev, startedAt: w.now, retiredAt: c,
		dhs: h.spk, rk: h.rk, nhkr: h.hka, nhks: h.hkb,
	}
	if s.open(e, c, w.fresh) != opens {
		return 2
	}
	if counts {
		p.accepted = append(p.accepted, w.now)
	}
	if !w.meet(i, s) {
		return 4
	}
	p.learn(h.from, false, w.now)
	p.acceptedHS, p.highest = max(p.acceptedHS, h.number), max(p.highest, h.number)
	p.known[s.sid] = true
	p.sessions = append(p.sessions, s)
	if w.prefers(a, s) {
		p.activate(s, c)
		p.want = false
		p.rows = append(p.rows, row{mid: w.fresh(), kind: start})
	} else {
		p.trim()
	}
	w.opened(i, s, e)
	return 0
}

// meet notes with which installation of the peer a session stands. It reports false,
// and the alarm is on, if it is the second unannounced one in 7 days.
func (w *world) meet(i int, s *session) bool {
	p := w.party[i]
	if s.theirs == p.peerInst {
		return true
	}
	if p.peerInst != 0 && (s.prev != p.peerInst || slices.Contains(p.former, s.theirs)) {
		if p.branchAt != 0 && w.now-p.branchAt < 7*day {
			if w.rules.alarm {
				p.alarmed = true
				return false
			}
			w.fault("one of two machines after the other, and nobody was asked")
		}
		p.branchAt = w.now
	}
	p.former = append(p.former, p.peerInst)
	p.peerInst = s.theirs
	return true
}

// ask lets a party's user say that they know of the other installation.
func (w *world) ask(i int) {
	if p := w.party[i]; p.alarmed {
		p.alarmed, p.branchAt = false, 0
	}
}

func (w *world) prefers(a, s *session) bool {
	switch {
	case a == nil, a.mine && !a.confirmed && a.theirs != s.theirs:
		return true
	case w.rules.rank:
		return s.above(a)
	}
	return !a.mine || a.confirmed || s.sid < a.sid
}

func (p *party) learn(b bundle, fetched bool, now int) {
	same := p.met && b.inst == p.peer.inst
	if same && (b.counter < p.peer.counter || b.counter == p.peer.counter && b.spk != p.peer.spk) {
		return
	}
	if !p.met || fetched || b.counter > p.peer.counter || b.inst == p.peerInst && p.peer.inst != p.peerInst {
		p.peer, p.met = b, true
	}
	if fetched {
		p.fetchedAt, p.refetch = now, false
	}
}

// ---- healing

// renew makes a party a new installation.
func (w *world) renew(i int, above int64) {
	p := w.party[i]
	w.note("   %s renews its installation", name(i))
	p.prev, p.inst = p.inst, w.fresh()
	p.own[p.inst] = true
	for _, s := range p.sessions {
		s.tainted = true
	}
	p.counter = max(p.counter, above)
	w.publish(i)
	p.leave(w.clock(i))
	p.want = true
}

// publish replaces all prekeys by a new one.
func (w *world) publish(i int) {
	p := w.party[i]
	p.prekeys = []prekey{{w.fresh(), w.clock(i)}}
	p.counter = max(p.counter+1, int64(w.clock(i))*60000)
}

// status is what each side tells after a hello.
type status struct {
	inst, spk   id
	yourInst    id
	yourCounter int64
	yourSPK     id
	active      id
	confirmed   bool
	highest     int64
	accounts    []account
	bundle      bundle // comes along in a mailbox
}

func (w *world) status(i int) *status {
	p := w.party[i]
	st := &status{
		inst: p.inst, spk: p.bundle().spk, yourInst: p.peer.inst, yourCounter: p.peer.counter, yourSPK: p.peer.spk,
		active: p.active, highest: p.highest, bundle: p.bundle(),
	}
	if s := p.current(); s != nil {
		st.confirmed = s.confirmed
	}
	for _, s := range p.sessions {
		st.accounts = append(st.accounts, s.account())
	}
	return st
}

func (st *status) account(sid id) *account {
	for k := range st.accounts {
		if st.accounts[k].sid == sid {
			return &st.accounts[k]
		}
	}
	return nil
}

func (p *party) provenRolled(st *status) bool {
	switch a := st.account(st.active); {
	case st.yourInst == 0:
		return false
	case !p.own[st.yourInst], st.yourCounter > p.counter:
		return true
	case st.yourInst != p.inst:
		return false
	case st.yourCounter == p.bundle().counter && st.yourSPK != p.bundle().spk:
		return true
	default:
		return a != nil && a.hi > 0 && !p.known[st.active]
	}
}

func (w *world) onStatus(i int, st *status, live bool) {
	p := w.party[i]
	p.highest = max(p.highest, st.highest)
	rolled := w.rules.ownStatus && p.provenRolled(st)
	for _, a := range st.accounts {
		if !rolled && w.take(i, a) {
			rolled = true
		}
	}
	a := p.current()
	if a != nil && a.mine && !a.confirmed && a.hs.spk != st.spk && p.peer.spk != a.hs.spk && w.now-a.startedAt > 3*day {
		p.want = p.want || w.rules.redo
	}
	switch {
	case rolled:
		w.renew(i, st.yourCounter)
	case live:
		p.compareSessions(st)
	}
	if live && (p.refetch || !p.met || w.clock(i) >= p.peer.expires || st.spk != p.peer.spk) {
		p.learn(w.party[1-i].bundle(), true, w.now)
	}
	w.pump(i)
}

func (p *party) compareSessions(st *status) {
	a := p.current()
	if a == nil || !a.confirmed {
		return
	}
	mine, listed := p.find(st.active) != nil, st.account(a.sid) != nil
	a.unlisted = !listed
	switch {
	case st.active == a.sid:
	case listed:
		p.want = p.want || !mine && st.confirmed
	default:
		p.want = p.want || st.active == 0 || st.confirmed || mine
	}
}

// onAnswer takes the answer to a frame and reports whether it is to be sealed
// anew.
func (w *world) onAnswer(i int, e *envelope, answer byte) bool {
	p := w.party[i]
	if answer != 2 && answer != 4 {
		return false
	}
	s := p.find(e.sid)
	if s == nil || s.sid != p.active {
		return true
	}
	if s.mine && !s.confirmed {
		if w.rules.redo {
			p.leave(w.clock(i))
			p.want, p.refetch = true, true
		}
		return true
	}
	s.failures++
	if s.unlisted || s.failures >= maxCannotOpen {
		s.failures = 0
		p.want = true
	}
	return true
}
