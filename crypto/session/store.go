package session

import (
	"fmt"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/invite"
)

const peerVersion = 1

// Marshal returns the state as bytes for storage. They hold secret keys.
func (p *Peer) Marshal() ([]byte, error) {
	w := &writer{b: make([]byte, 0, p.size())}
	w.u8(peerVersion)
	p.marshalPerson(w)
	w.raw(p.active[:])
	w.u16(len(p.known))
	for _, k := range p.known {
		w.raw(k[:])
	}
	p.marshalHandshakes(w)
	w.flags(p.due)
	p.lastAck.marshal(w)
	w.times(p.rollbacks)
	w.time(p.prunedAt)
	w.u16(len(p.sessions))
	for _, s := range p.sessions {
		if err := s.marshal(w); err != nil {
			return nil, err
		}
	}
	if len(w.b) > MaxPeerSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadState, len(w.b))
	}
	return w.b, nil
}

// size is about what Marshal will write.
func (p *Peer) size() int {
	n := 2048 + len(p.regular.raw) + len(p.invited.raw) + len(p.known)*8 + len(p.lastAck.Inner) + len(p.seen)*32
	for _, s := range p.sessions {
		n += 4096 + len(s.raw) + len(s.first) + s.skipped*48 + len(s.out.envelopes)*envelopeSize + len(s.out.asks)*askSize
	}
	return n
}

// ParsePeer reads what Marshal wrote. Every accepted input is what Marshal
// returns for the result; the error wraps ErrBadState. Ratchet states inside are
// read when they are used.
func ParsePeer(b []byte) (*Peer, error) {
	if len(b) > MaxPeerSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadState, len(b))
	}
	r := &reader{b: slices.Clone(b)}
	if r.u8() != peerVersion {
		return nil, fmt.Errorf("%w: version", ErrBadState)
	}
	p := &Peer{}
	p.parsePerson(r)
	r.read(p.active[:])
	p.known = make([][8]byte, r.count(8))
	for i := range p.known {
		r.read(p.known[i][:])
	}
	p.parseHandshakes(r)
	r.flags(&p.due)
	p.lastAck.parse(r)
	p.rollbacks = r.times()
	p.prunedAt = r.time()
	p.sessions = make([]*sess, r.count(64))
	for i := range p.sessions {
		p.sessions[i] = new(sess)
		p.sessions[i].parse(r)
	}
	if p.active != [16]byte{} && p.current() == nil {
		return nil, fmt.Errorf("%w: active session", ErrBadState)
	}
	return p, r.end("peer")
}

func (p *Peer) marshalPerson(w *writer) {
	w.raw(p.id[:])
	w.flags(p.public.ID == p.id)
	if p.public.ID == p.id {
		w.raw(p.public.DH[:])
		w.raw(p.public.Sig[:])
		w.raw(p.kpair[:])
	}
	p.regular.marshal(w)
	p.invited.marshal(w)
	w.u16(len(p.seen))
	for i := range p.seen {
		w.raw(p.seen[i].inst[:])
		w.u64(p.seen[i].counter)
		w.raw(p.seen[i].hash[:])
	}
	w.raw(p.inst[:])
	w.insts(p.former)
	w.time(p.branchAt)
}

func (p *Peer) parsePerson(r *reader) {
	r.read(p.id[:])
	var met bool
	if r.flags(&met); met {
		p.public.ID = p.id
		r.read(p.public.DH[:])
		r.read(p.public.Sig[:])
		r.read(p.kpair[:])
	}
	p.regular.parse(r)
	p.invited.parse(r)
	p.seen = make([]seenBundle, r.count(32))
	for i := range p.seen {
		r.read(p.seen[i].inst[:])
		p.seen[i].counter = r.u64()
		r.read(p.seen[i].hash[:])
	}
	r.read(p.inst[:])
	p.former = r.insts()
	p.branchAt = r.time()
}

func (p *Peer) marshalHandshakes(w *writer) {
	w.flags(p.alarmed, p.want, p.refetch, p.renews, p.unseal, p.invite != nil, p.refused)
	if p.invite != nil {
		w.raw(p.invite[:])
	}
	w.u64(p.highestHS)
	w.u64(p.acceptedHS)
	w.times(p.started)
	w.times(p.accepted)
	w.times(p.others)
}

func (p *Peer) parseHandshakes(r *reader) {
	var invited bool
	r.flags(&p.alarmed, &p.want, &p.refetch, &p.renews, &p.unseal, &invited, &p.refused)
	if invited {
		p.invite = new(invite.Secret)
		r.read(p.invite[:])
	}
	p.highestHS, p.acceptedHS = r.u64(), r.u64()
	p.started, p.accepted, p.others = r.times(), r.times(), r.times()
	if p.highestHS > 2*maxCounter {
		r.bad = true
	}
}

func (h *heldBundle) marshal(w *writer) {
	w.bytes(h.raw)
	if h.raw == nil {
		return
	}
	w.raw(h.inst[:])
	w.raw(h.prev[:])
	w.u64(h.counter)
	w.raw(h.hash[:])
	w.raw(h.hint[:])
	w.time(h.expiry)
	w.time(h.fetchedAt)
}

func (h *heldBundle) parse(r *reader) {
	if h.raw = r.bytes(); h.raw == nil {
		return
	}
	r.read(h.inst[:])
	r.read(h.prev[:])
	h.counter = r.u64()
	r.read(h.hash[:])
	r.read(h.hint[:])
	h.expiry, h.fetchedAt = r.time(), r.time()
}

func (s *Sealed) marshal(w *writer) {
	w.bytes(s.Inner)
	if len(s.Inner) == 0 {
		return
	}
	w.raw(s.Session[:])
	w.u64(s.Ctr)
	w.u64(s.Number)
	w.time(s.At)
}

func (s *Sealed) parse(r *reader) {
	if s.Inner = r.bytes(); s.Inner == nil {
		return
	}
	r.read(s.Session[:])
	s.Ctr, s.Number = r.u64(), r.u64()
	s.At = r.time()
}

func (s *sess) marshal(w *writer) error {
	raw := s.raw
	if s.state != nil {
		var err error
		if raw, err = s.state.Marshal(); err != nil {
			return fmt.Errorf("session: %w", err)
		}
	}
	w.raw(s.th[:])
	w.u64(s.hs)
	w.flags(s.initiator, s.confirmed, s.tainted, s.unlisted, s.settled, s.renews)
	w.raw(s.own[:])
	w.raw(s.theirs[:])
	w.raw(s.prev[:])
	w.time(s.startedAt)
	w.time(s.retiredAt)
	w.time(s.expiry)
	w.raw(s.hint[:])
	w.u16(s.failures)
	w.raw(s.invite[:])
	w.raw(s.sas[:])
	w.bytes(s.first)
	w.bytes(raw)
	w.u16(s.skipped)
	s.out.marshal(w)
	s.in.marshal(w)
	return nil
}

func (s *sess) parse(r *reader) {
	r.read(s.th[:])
	s.hs = r.u64()
	r.flags(&s.initiator, &s.confirmed, &s.tainted, &s.unlisted, &s.settled, &s.renews)
	r.read(s.own[:])
	r.read(s.theirs[:])
	r.read(s.prev[:])
	s.startedAt, s.retiredAt, s.expiry = r.time(), r.time(), r.time()
	r.read(s.hint[:])
	s.failures = r.u16()
	r.read(s.invite[:])
	r.read(s.sas[:])
	s.first = r.bytes()
	s.raw = r.bytes()
	s.skipped = r.u16()
	s.out.parse(r)
	s.in.parse(r)
}

func (w *writer) times(ts []time.Time) {
	w.u16(len(ts))
	for _, t := range ts {
		w.time(t)
	}
}

func (r *reader) times() []time.Time {
	ts := make([]time.Time, r.count(8))
	for i := range ts {
		ts[i] = r.time()
	}
	return ts
}

func (w *writer) insts(all []identity.Inst) {
	w.u16(len(all))
	for _, i := range all {
		w.raw(i[:])
	}
}

func (r *reader) insts() []identity.Inst {
	all := make([]identity.Inst, r.count(16))
	for i := range all {
		r.read(all[i][:])
	}
	return all
}
