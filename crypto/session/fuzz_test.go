package session

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/crypto/envelope"
)

// samples are stored states of every kind: never met, first flight, standing,
// full of gaps.
func samples(t testing.TB) (peers, selves, statuses [][]byte) {
	a, b, ea, eb := pair(t)
	check(t, b.LearnBundle(eb, ea.Self.Bundle(), true))
	guest := NewPeer(ea.Self.ID())
	inv, err := ea.Self.Invite(ea.Rand, ea.Now, ea.Now.Add(day), nil)
	check(t, err)
	check(t, guest.LearnBundle(eb, inv.Bundle, true))
	check(t, guest.Start(eb, &inv.Code.Auth))
	seal(t, guest, eb, mid(1), true)
	gaps := b.Clone()
	for n := range 9 {
		if f := seal(t, a, ea, mid(n), true); n%2 == 1 {
			_, err := gaps.Open(eb, f)
			check(t, err)
		}
	}
	for _, p := range []*Peer{NewPeer(ea.Self.ID()), guest, a, b, gaps} {
		raw, err := p.Marshal()
		check(t, err)
		peers = append(peers, raw)
		raw, err = p.Status(eb)
		check(t, err)
		statuses = append(statuses, raw)
	}
	for _, s := range []*Self{ea.Self, eb.Self} {
		raw, err := s.Marshal()
		check(t, err)
		selves = append(selves, raw)
	}
	return peers, selves, statuses
}

func FuzzParsePeer(f *testing.F) {
	peers, _, _ := samples(f)
	for _, raw := range peers {
		f.Add(raw)
	}
	now := time.Unix(1_800_000_000, 0)
	env := Env{Self: newSelf(f, now), Now: now, Rand: zeros{}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParsePeer(raw)
		if err != nil {
			if !errors.Is(err, ErrBadState) {
				t.Errorf("error %v", err)
			}
			return
		}
		again, err := p.Marshal()
		if err != nil || !bytes.Equal(again, raw) {
			t.Errorf("reads what it does not write: %v", err)
		}
		exercise(env, p)
	})
}

// exercise calls everything on a state that may be nonsense: it must not panic.
func exercise(env Env, p *Peer) {
	p = p.Clone()
	_, _ = p.Status(env)
	_, _ = p.Maintain(env)
	_, _ = p.Seal(env, envelope.Payload{Type: envelope.TypeMessage, MessageID: mid(1), Sent: env.Now}, 1, true)
	_, _ = p.SealAck(env)
	for _, s := range p.sessions {
		a := s.ack()
		_, _ = p.take(env, &a)
		a = envelope.Ack{Session: s.sid(), Contiguous: s.out.ctr, Hi: s.out.number, HiHash: s.out.openedHash}
		_, _ = p.take(env, &a)
	}
	_, _ = p.Marshal()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func FuzzParseSelf(f *testing.F) {
	_, selves, _ := samples(f)
	for _, raw := range selves {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := ParseSelf(raw)
		if err != nil {
			if !errors.Is(err, ErrBadState) {
				t.Errorf("error %v", err)
			}
			return
		}
		again, err := s.Marshal()
		if err != nil || !bytes.Equal(again, raw) {
			t.Errorf("reads what it does not write: %v", err)
		}
		_ = s.Bundle()
	})
}

func FuzzOnStatus(f *testing.F) {
	peers, selves, statuses := samples(f)
	for _, raw := range statuses {
		f.Add(raw, true)
		f.Add(raw, false)
	}
	self, err := ParseSelf(selves[0])
	check(f, err)
	env := Env{Self: self, Now: time.Unix(1_800_000_000, 0), Rand: zeros{}}
	f.Fuzz(func(t *testing.T, raw []byte, live bool) {
		for _, stored := range peers {
			p, err := ParsePeer(stored)
			check(t, err)
			if _, err := p.OnStatus(env, raw, live); err != nil {
				if !errors.Is(err, ErrBadStatus) {
					t.Errorf("error %v", err)
				}
				if now, _ := p.Marshal(); !bytes.Equal(now, stored) {
					t.Error("a bad status changed the state")
				}
			}
			_, _ = p.Maintain(env)
		}
	})
}
