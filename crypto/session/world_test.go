package session

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/handshake"
	"github.com/kuvert-im/kuvert/crypto/identity"
)

// The world: two parties over the real code, with what a store keeps beside a
// Peer, and everything that can go wrong between and inside them.

// narrow windows make the limits matter in short schedules.
var narrow = limits{newWindow: 4, ackWindow: 6, askWindow: 2, ctrWindow: 12, fillWindow: 3}

// row is an outbox row.
type row struct {
	mid    [16]byte
	typ    uint8
	body   []byte
	sealed Sealed // Inner nil: unsealed
	gone   bool   // acknowledged by the recipient
}

// disk is what one party has stored; a snapshot is a copy of it.
type disk struct {
	self  []byte
	peer  []byte
	rows  []row
	seen  map[[32]byte]bool
	mids  map[[16]byte]bool
	shown [][16]byte
}

func (d *disk) clone() *disk {
	c := *d
	c.rows = slices.Clone(d.rows)
	c.seen, c.mids = maps.Clone(d.seen), maps.Clone(d.mids)
	c.shown = slices.Clone(d.shown)
	return &c
}

// blob is what a mailbox holds: a frame, or a status.
type blob struct{ frame, status []byte }

type place struct {
	sid    [16]byte
	number uint64
}

type world struct {
	rng    *rand.ChaCha8
	now    time.Time
	off    [2]time.Duration // of each party's clock
	disk   [2]*disk
	self   [2]*Self // parsed from disk
	snaps  [2][]*disk
	other  [2]*disk // the second clone
	box    [2][]blob
	stores [][2][]blob // copies of what the mailboxes held
	copies [2][]blob   // every status ever left for a party
	linked bool

	rolled [2]bool
	ever   map[[16]byte]bool // messages ever shown
	places [2]map[place]bool // numbers sealed
	began  int               // handshakes
	alarms int
	bad    []string
	log    []string
	trace  bool
	bug    bug
}

// bug is a fault planted in what surrounds the rules, to see that the world
// notices.
type bug string

const (
	noBug           bug = ""
	outerDedup      bug = "duplicates are known by the outer file"
	splitCommit     bug = "the session is stored, the message is not"
	noMessageIDs    bug = "message ids are not remembered"
	staleSeals      bug = "seals of a replaced session are kept"
	ignoreRollback  bug = "proof of an own rollback is ignored"
	neverFetch      bug = "no bundle is ever fetched"
	keepFailedState bug = "the state is stored after a failure"
	forgetAnswers   bug = "answers are not looked at"
	trustMailboxes  bug = "a status out of a mailbox is taken for live"
)

// newWorld returns a world of which 0 knows 1's bundle; with setup 1 or 2 also
// the other way round, with 2 they have talked. Worlds of one setup begin alike.
func newWorld(seed [32]byte, setup int, b bug) *world {
	begin := beginnings()[setup]
	w := &world{
		rng: rand.NewChaCha8(seed), now: begin.now, ever: maps.Clone(begin.ever), bug: b,
		self: begin.self, began: begin.began,
	}
	for i := range w.disk {
		w.disk[i], w.places[i] = begin.disk[i].clone(), maps.Clone(begin.places[i])
	}
	return w
}

var begin = time.Unix(1_800_000_000, 0)

var beginnings = sync.OnceValue(func() (all [3]*world) {
	for setup := range all {
		w := &world{
			rng: rand.NewChaCha8([32]byte{byte(setup)}), now: begin, ever: map[[16]byte]bool{},
		}
		for i := range w.disk {
			w.disk[i] = &disk{seen: map[[32]byte]bool{}, mids: map[[16]byte]bool{}}
			w.places[i] = map[place]bool{}
			s, err := NewSelf(w.rng, w.now)
			w.must(err)
			w.putSelf(i, s)
		}
		for i := range w.disk {
			w.put(i, NewPeer(w.self[1-i].ID()))
		}
		w.learn(0, w.self[1].Bundle(), false)
		if setup >= 1 {
			w.learn(1, w.self[0].Bundle(), false)
		}
		if setup >= 2 {
			w.establish()
		}
		all[setup] = w
	}
	return all
})

func (w *world) establish() {
	w.compose(0)
	w.compose(1)
	w.link()
	for range 4 {
		w.sendAll(0)
		w.sendAll(1)
	}
	w.linked = false
	w.box = [2][]blob{}
	w.now = w.now.Add(48 * time.Hour)
}

func (w *world) must(err error) {
	if err != nil {
		panic(err)
	}
}

func (w *world) fault(s string, args ...any) {
	w.note("!! "+s, args...)
	if s = fmt.Sprintf(s, args...); !slices.Contains(w.bad, s) {
		w.bad = append(w.bad, s)
	}
}

func (w *world) note(s string, args ...any) {
	if w.trace {
		w.log = append(w.log, fmt.Sprintf(s, args...))
	}
}

func name(i int) string { return string("AB"[i]) }

func (w *world) clock(i int) time.Time { return w.now.Add(w.off[i]) }

func (w *world) env(i int) Env {
	return Env{Self: w.self[i], Now: w.clock(i), Rand: w.rng, limits: &narrow}
}

func (w *world) peer(i int) *Peer {
	p, err := ParsePeer(w.disk[i].peer)
	w.must(err)
	return p
}

func (w *world) put(i int, p *Peer) {
	b, err := p.Marshal()
	w.must(err)
	w.disk[i].peer = b
	if len(p.sessions) > MaxSessions+1 {
		w.fault("I10 %d sessions", len(p.sessions))
	}
	if len(b) > 96<<10 {
		w.fault("I10 state over 96 kB")
	}
}

func (w *world) putSelf(i int, s *Self) {
	b, err := s.Marshal()
	w.must(err)
	w.self[i], w.disk[i].self = s, b
}

func (w *world) changeSelf(i int, fn func(*Self) error) {
	s := w.self[i].Clone()
	w.must(fn(s))
	w.putSelf(i, s)
}

// load makes a stored disk the party's own.
func (w *world) load(i int, d *disk) {
	s, err := ParseSelf(d.self)
	w.must(err)
	w.disk[i], w.self[i] = d, s
	w.rolled[i] = true
	w.linked = false
}

func (w *world) learn(i int, bundle []byte, fetched bool) {
	p := w.peer(i)
	if err := p.LearnBundle(w.env(i), bundle, fetched); err == nil {
		w.put(i, p)
	} else if !errors.Is(err, ErrOldBundle) {
		w.must(err)
	}
}

func (w *world) id() (id [16]byte) {
	_, _ = w.rng.Read(id[:])
	return id
}

func (w *world) addRow(i int, typ uint8, body []byte) {
	w.disk[i].rows = append(w.disk[i].rows, row{mid: w.id(), typ: typ, body: body})
}

func (w *world) compose(i int) {
	w.addRow(i, envelope.TypeMessage, nil)
	w.pump(i)
}

func (w *world) unseal(i int) {
	if w.bug == staleSeals {
		return
	}
	for k := range w.disk[i].rows {
		w.disk[i].rows[k].sealed = Sealed{}
	}
}

// pump does the upkeep and seals what can be sealed.
func (w *world) pump(i int) {
	w.rotate(i)
	p := w.peer(i)
	w.ready(i, p)
	w.sealRows(i, p)
	if p.due || p.fillDue(&narrow) {
		sealed, err := p.SealAck(w.env(i))
		w.sealedAt(i, sealed, err)
	}
	w.put(i, p)
}

func (w *world) rotate(i int) {
	s := w.self[i].Clone()
	changed, err := s.Rotate(w.rng, w.clock(i))
	w.must(err)
	if !changed {
		return
	}
	w.putSelf(i, s)
	if _, ok := w.peer(i).Active(); !ok {
		return
	}
	for k := range w.disk[i].rows {
		if r := &w.disk[i].rows[k]; r.typ == envelope.TypeBundle && r.sealed.Inner == nil {
			r.gone = true // superseded
		}
	}
	body, err := envelope.BundleBody{Bundle: s.Bundle()}.Encode()
	w.must(err)
	w.addRow(i, envelope.TypeBundle, body)
}

// ready brings a session into being if one is called for.
func (w *world) ready(i int, p *Peer) {
	env := w.env(i)
	for range 2 {
		e, err := p.Maintain(env)
		w.must(err)
		started := e.Started
		if _, ok := p.Active(); !ok && !started && w.waiting(i, p) && p.CanStart(env) {
			w.must(p.Start(env, nil))
			started = true
		}
		if e.Unseal || started {
			w.unseal(i)
		}
		if started {
			w.began++
			w.note("   %s starts a handshake", name(i))
			w.addRow(i, envelope.TypeStart, nil)
		}
		_, ok := p.Active()
		if !w.linked || w.bug == neverFetch || !(e.FetchBundle || !ok && w.waiting(i, p)) {
			return
		}
		if err := p.LearnBundle(env, w.self[1-i].Bundle(), true); err != nil {
			w.note("   %s cannot use the bundle: %v", name(i), err)
			return
		}
	}
}

func (w *world) waiting(i int, p *Peer) bool {
	return p.due || slices.ContainsFunc(w.disk[i].rows, func(r row) bool { return !r.gone })
}

func (w *world) sealRows(i int, p *Peer) {
	env := w.env(i)
	for k := range w.disk[i].rows {
		r := &w.disk[i].rows[k]
		if r.gone {
			continue
		}
		if r.sealed.Inner != nil && Expired(r.sealed.At, env.Now) {
			r.sealed.Inner = nil
		}
		if r.sealed.Inner != nil {
			continue
		}
		sealed, err := p.Seal(env, envelope.Payload{Type: r.typ, MessageID: r.mid, Sent: env.Now, Body: r.body}, r.sealed.Ctr, true)
		if errors.Is(err, ErrWindow) || errors.Is(err, ErrNoSession) {
			return
		}
		r.sealed = sealed
		w.sealedAt(i, sealed, err)
	}
}

// sealedAt watches I5: no place in a session is used twice, except after a
// rollback.
func (w *world) sealedAt(i int, s Sealed, err error) {
	if errors.Is(err, ErrWindow) || errors.Is(err, ErrNoSession) {
		return
	}
	w.must(err)
	at := place{s.Session, s.Number}
	if w.places[i][at] && !w.rolled[i] {
		w.fault("I5 a message key was used twice without a rollback")
	}
	w.places[i][at] = true
}

// receive takes a frame as a core would and returns its answer.
func (w *world) receive(i int, frame []byte) byte {
	kind, _, inner, err := handshake.ParseFrame(frame)
	if err != nil {
		return 2
	}
	var in *Incoming
	if kind == handshake.KindHandshake {
		if in, err = OpenHandshake(w.env(i), frame, func([8]byte) (Invitation, bool) { return Invitation{}, false }); err != nil {
			w.note("   %s: %v", name(i), err)
			return answerOf(err)
		}
		inner = in.Inner()
	}
	d := w.disk[i]
	if d.seen[w.dedupKey(frame, inner)] {
		p := w.peer(i)
		p.Duplicate()
		w.put(i, p)
		return 1
	}
	p := w.peer(i)
	var o Opened
	if in != nil {
		o, err = p.Accept(w.env(i), in)
	} else {
		o, err = p.Open(w.env(i), frame)
	}
	if err != nil {
		if w.bug == keepFailedState {
			w.put(i, p)
		}
		w.notOpened(i, err)
		return answerOf(err)
	}
	d.seen[w.dedupKey(frame, inner)] = true
	w.opened(i, p, o)
	return 0
}

func (w *world) dedupKey(frame, inner []byte) [32]byte {
	if w.bug == outerDedup {
		return envelope.InnerHash(frame)
	}
	return envelope.InnerHash(inner)
}

func (w *world) notOpened(i int, err error) {
	w.note("   %s: %v", name(i), err)
	p := w.peer(i)
	if !p.Observe(w.env(i), err) {
		return
	}
	if !w.rolled[0] && !w.rolled[1] && w.now.Sub(begin) < 20*day {
		w.fault("evidence of a rollback where there was none")
	}
	if p.Alarmed() {
		w.alarms++
	}
	w.put(i, p)
}

// ask lets a party's user say that they know of the other installation.
func (w *world) ask(i int) {
	if p := w.peer(i); p.Alarmed() {
		w.note("   %s knows of the other one", name(i))
		p.Resume()
		w.put(i, p)
	}
}

func answerOf(err error) byte {
	switch {
	case errors.Is(err, ErrBusy):
		return 3
	case errors.Is(err, ErrRefused):
		return 4
	}
	return 2
}

// opened stores what an envelope held: the one transaction of I1.
func (w *world) opened(i int, p *Peer, o Opened) {
	d := w.disk[i]
	w.note("   %s opens type %d number %d of %x", name(i), o.Payload.Type, o.Payload.Number, o.Payload.Session[:2])
	isNew := !d.mids[o.Payload.MessageID] || w.bug == noMessageIDs
	if lost := w.bug == splitCommit && o.Payload.Number%5 == 0; o.Payload.Type == envelope.TypeMessage && isNew && !lost {
		d.mids[o.Payload.MessageID] = true
		d.shown = append(d.shown, o.Payload.MessageID)
		w.ever[o.Payload.MessageID] = true
	}
	w.put(i, p)
	w.follow(i, o.Acked, o.SelfRolledBack, o.CounterAbove)
	if o.Unseal {
		w.unseal(i)
	}
	if o.NewSession {
		w.addRow(i, envelope.TypeStart, nil)
	}
	if o.Branch || p.Alarmed() {
		w.alarms++
	}
}

func (w *world) follow(i int, acked [][16]byte, rolledBack bool, counterAbove uint64) {
	for _, id := range acked {
		w.delivered(i, id)
	}
	if rolledBack && w.bug != ignoreRollback {
		w.note("   %s was put back", name(i))
		if !w.rolled[i] && !w.rolled[1-i] {
			w.fault("rollback seen where there was none")
		}
		w.renew(i, counterAbove)
	}
}

func (w *world) renew(i int, counterAbove uint64) {
	w.changeSelf(i, func(s *Self) error { return s.NewInstallation(w.rng, w.clock(i), counterAbove) })
	w.unseal(i)
}

func (w *world) delivered(i int, id [16]byte) {
	for k := range w.disk[i].rows {
		r := &w.disk[i].rows[k]
		if r.mid != id || r.gone {
			continue
		}
		r.gone = true
		if r.typ == envelope.TypeMessage && !w.ever[id] {
			w.fault("I4 delivered, but never shown")
		}
	}
}

// status carries one status to the other side.
func (w *world) status(i int) []byte {
	raw, err := w.peer(i).Status(w.env(i))
	w.must(err)
	return raw
}

func (w *world) takeStatus(i int, raw []byte) {
	p := w.peer(i)
	r, err := p.OnStatus(w.env(i), raw, true)
	w.must(err)
	if r.FetchBundle && w.bug != neverFetch {
		if err := p.LearnBundle(w.env(i), w.self[1-i].Bundle(), true); err != nil {
			w.note("   %s cannot use the bundle: %v", name(i), err)
		}
	}
	w.statusTaken(i, p, r)
}

func (w *world) statusTaken(i int, p *Peer, r StatusResult) {
	w.put(i, p)
	w.follow(i, r.Acked, r.SelfRolledBack, r.CounterAbove)
	if r.Unseal {
		w.unseal(i)
	}
	w.pump(i)
}

// link connects the two: a hello, then each other's status.
func (w *world) link() {
	w.linked = true
	w.pump(0)
	w.pump(1)
	w.hello()
}

func (w *world) hello() {
	a, b := w.status(0), w.status(1)
	w.takeStatus(0, b)
	w.takeStatus(1, a)
}

// sealedRows are the places of the rows that can be sent.
func (w *world) sealedRows(i int) (at []int) {
	for k, r := range w.disk[i].rows {
		if !r.gone && r.sealed.Inner != nil && !Expired(r.sealed.At, w.clock(i)) {
			at = append(at, k)
		}
	}
	return at
}

func (w *world) frame(i int, s Sealed) []byte {
	f, err := w.peer(i).Frame(w.env(i), s)
	if errors.Is(err, ErrStale) {
		w.fault("the outbox holds a seal for a session that was replaced")
		return []byte{0}
	}
	w.must(err)
	return f
}

// How a frame fares.
const (
	arrives = iota
	isLost
	answerIsLost
	isTampered
)

// send sends one row over the connection.
func (w *world) send(i, k, how int) {
	if !w.linked {
		return
	}
	mid, s := w.disk[i].rows[k].mid, w.disk[i].rows[k].sealed
	frame := w.frame(i, s)
	if how == isLost {
		return
	}
	if how == isTampered {
		// (An altered copy of what was opened looks like a peer that was put back.
		// Only the peer itself could send one: between the two, all is authenticated.)
		if w.disk[1-i].seen[envelope.InnerHash(s.Inner)] {
			return
		}
		frame[len(frame)-1] ^= 1
	}
	before := w.disk[1-i].peer
	answer := w.receive(1-i, frame)
	if how == isTampered {
		if !bytes.Equal(before, w.disk[1-i].peer) {
			w.fault("I7 bad input moved the state")
		}
		return
	}
	w.pump(1 - i)
	if how == answerIsLost {
		w.linked = false
		return
	}
	w.answered(i, mid, s, answer)
}

func (w *world) answered(i int, mid [16]byte, s Sealed, answer byte) {
	w.note("   answer %d", answer)
	if w.bug == forgetAnswers {
		return
	}
	p := w.peer(i)
	unseal := p.OnAnswer(w.env(i), s, answer)
	w.put(i, p)
	for k := range w.disk[i].rows {
		if r := &w.disk[i].rows[k]; unseal && r.mid == mid && r.sealed.Number == s.Number {
			r.sealed.Inner = nil
		}
	}
	w.pump(i)
}

func (w *world) sendAll(i int) {
	w.pump(i)
	for _, k := range w.sealedRows(i) {
		if r := &w.disk[i].rows[k]; r.sealed.Inner != nil && !r.gone {
			w.send(i, k, arrives)
		}
	}
	if ack, ok := w.peer(i).LastAck(); ok && w.linked {
		answer := w.receive(1-i, w.frame(i, ack))
		w.pump(1 - i)
		w.answered(i, [16]byte{}, ack, answer)
	}
}

// post puts something sealed, and a status, into the other's mailbox.
func (w *world) post(i, which int) {
	w.pump(i)
	rows := w.sealedRows(i)
	ack, hasAck := w.peer(i).LastAck()
	n := len(rows)
	if hasAck {
		n++
	}
	if n > 0 && len(w.box[1-i]) < 12 {
		s := ack
		if k := which % n; k < len(rows) {
			s = w.disk[i].rows[rows[k]].sealed
		}
		w.box[1-i] = append(w.box[1-i], blob{frame: w.frame(i, s)})
	}
	w.postStatus(i)
}

func (w *world) postStatus(i int) {
	if len(w.box[1-i]) < 24 {
		w.putStatus(i)
	}
}

// putStatus leaves a status, and keeps a copy for those who replay.
func (w *world) putStatus(i int) {
	raw, err := w.peer(i).MailStatus(w.env(i))
	if errors.Is(err, ErrNoBundle) {
		return
	}
	w.must(err)
	w.box[1-i] = append(w.box[1-i], blob{status: raw})
	w.copies[1-i] = append(w.copies[1-i], blob{status: raw})
}

func (w *world) postAll(i int) {
	w.postStatus(i)
	for _, k := range w.sealedRows(i) {
		w.box[1-i] = append(w.box[1-i], blob{frame: w.frame(i, w.disk[i].rows[k].sealed)})
	}
	if ack, ok := w.peer(i).LastAck(); ok {
		w.box[1-i] = append(w.box[1-i], blob{frame: w.frame(i, ack)})
	}
}

// fetch takes one blob out of a party's mailbox and returns the answer.
func (w *world) fetch(i int, b blob) byte {
	answer := byte(0)
	if b.frame != nil {
		answer = w.receive(i, b.frame)
	} else if p := w.peer(i); p.public != (identity.Public{}) {
		wanted := p.want
		r, err := p.OnMailStatus(w.env(i), b.status)
		w.must(err)
		if w.bug == trustMailboxes {
			var m mailStatus
			w.must(canon.Unmarshal(b.status, &m))
			_, err = p.OnStatus(w.env(i), m.Status, true)
			w.must(err)
		}
		if a := p.current(); a != nil && a.confirmed && p.want && !wanted && !w.rolled[0] && !w.rolled[1] {
			w.fault("a status out of a mailbox ends a session that stands")
		}
		w.statusTaken(i, p, r)
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

// check looks at what must hold at every moment.
func (w *world) check() {
	for i := range w.disk {
		once := map[[16]byte]bool{}
		for _, id := range w.disk[i].shown {
			if once[id] {
				w.fault("I2 shown twice")
			}
			once[id] = true
		}
	}
}

// quiet reports whether every message was delivered.
func (w *world) quiet() bool {
	for i := range w.disk {
		for _, r := range w.disk[i].rows {
			if !r.gone && r.typ == envelope.TypeMessage {
				return false
			}
		}
	}
	return true
}

func (w *world) lostCheck() {
	for i := range w.disk {
		for _, r := range w.disk[i].rows {
			if r.gone && r.typ == envelope.TypeMessage && !w.disk[1-i].mids[r.mid] && !w.rolled[1-i] {
				w.fault("I6 lost, though delivered")
			}
		}
	}
}
