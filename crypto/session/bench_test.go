package session

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/crypto/envelope"
)

// pair returns the two sides of a session that stands, and their environments.
func pair(t testing.TB) (a, b *Peer, ea, eb Env) {
	t.Helper()
	now := time.Unix(1_800_000_000, 0)
	ea = Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	eb = Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	a, err := PeerOf(ea, eb.Self.Bundle())
	check(t, err)
	check(t, a.Start(ea, nil))
	frame := seal(t, a, ea, [16]byte{1}, true)
	in, err := OpenHandshake(eb, frame, noInvitation)
	check(t, err)
	b = NewPeer(in.From())
	_, err = b.Accept(eb, in)
	check(t, err)
	_, err = a.Open(ea, ack(t, b, eb))
	check(t, err)
	_, err = b.Open(eb, seal(t, a, ea, [16]byte{2}, true))
	check(t, err)
	_, err = a.Open(ea, ack(t, b, eb))
	check(t, err)
	return a, b, ea, eb
}

func noInvitation([8]byte) (Invitation, bool) { return Invitation{}, false }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func message(id [16]byte, env Env) envelope.Payload {
	return envelope.Payload{Type: envelope.TypeMessage, MessageID: id, Sent: env.Now, Body: []byte{0xa0}}
}

// seal seals a message and returns its frame.
func seal(t testing.TB, p *Peer, env Env, id [16]byte, wantAck bool) []byte {
	t.Helper()
	s, err := p.Seal(env, message(id, env), 0, wantAck)
	check(t, err)
	f, err := p.Frame(env, s)
	check(t, err)
	return f
}

func ack(t testing.TB, p *Peer, env Env) []byte {
	t.Helper()
	s, err := p.SealAck(env)
	check(t, err)
	f, err := p.Frame(env, s)
	check(t, err)
	return f
}

func inFlight(b *testing.B, n int) *Peer {
	b.Helper()
	p, _, env, _ := pair(b)
	for k := range n {
		_, err := p.Seal(env, message([16]byte{9, byte(k), byte(k >> 8)}, env), 0, true)
		check(b, err)
	}
	return p
}

// BenchmarkStore is what every message costs beside its cryptography: the state
// is read and written.
func BenchmarkStore(b *testing.B) {
	for _, n := range []int{0, 5, 800} {
		raw, err := inFlight(b, n).Marshal()
		check(b, err)
		b.Run(fmt.Sprintf("flight=%d", n), func(b *testing.B) {
			b.ReportMetric(float64(len(raw)), "bytes")
			for b.Loop() {
				p, err := ParsePeer(raw)
				check(b, err)
				_, err = p.Marshal()
				check(b, err)
			}
		})
	}
}

// BenchmarkSeal and BenchmarkOpen are one message with everything around it.
func BenchmarkSeal(b *testing.B) {
	for _, n := range []int{0, 700} {
		p := inFlight(b, n)
		raw, err := p.Marshal()
		check(b, err)
		now := time.Unix(1_800_000_000, 0)
		env := Env{Self: newSelf(b, now), Now: now, Rand: rand.Reader}
		b.Run(fmt.Sprintf("flight=%d", n), func(b *testing.B) {
			for b.Loop() {
				p, err := ParsePeer(raw)
				check(b, err)
				for _, s := range p.sessions {
					s.own = env.Self.inst
				}
				_, err = p.Seal(env, message([16]byte{7}, env), 0, true)
				check(b, err)
				_, err = p.Marshal()
				check(b, err)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	p, q, ea, eb := pair(b)
	frame := seal(b, p, ea, [16]byte{7}, true)
	raw, err := q.Marshal()
	check(b, err)
	for b.Loop() {
		q, err := ParsePeer(raw)
		check(b, err)
		_, err = q.Open(eb, frame)
		check(b, err)
		_, err = q.Marshal()
		check(b, err)
	}
}

func BenchmarkHandshake(b *testing.B) {
	now := time.Unix(1_800_000_000, 0)
	ea := Env{Self: newSelf(b, now), Now: now, Rand: rand.Reader}
	eb := Env{Self: newSelf(b, now), Now: now, Rand: rand.Reader}
	for b.Loop() {
		p, err := PeerOf(ea, eb.Self.Bundle())
		check(b, err)
		check(b, p.Start(ea, nil))
		in, err := OpenHandshake(eb, seal(b, p, ea, [16]byte{1}, true), noInvitation)
		check(b, err)
		_, err = NewPeer(in.From()).Accept(eb, in)
		check(b, err)
	}
}
