package session

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/crypto/envelope"
)

func TestInvitationToConversation(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	alice, bob := newSelf(t, now), newSelf(t, now)
	ea, eb := Env{Self: alice, Now: now, Rand: rand.Reader}, Env{Self: bob, Now: now, Rand: rand.Reader}
	inv, err := alice.Invite(rand.Reader, now, now.Add(7*24*time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	guest := NewPeer(inv.Code.From)
	if err := guest.LearnBundle(eb, inv.Bundle, true); err != nil {
		t.Fatal(err)
	}
	if err := guest.Start(eb, &inv.Code.Auth); err != nil {
		t.Fatal(err)
	}
	mid := [16]byte{1}
	sealed, err := guest.Seal(eb, envelope.Payload{Type: envelope.TypeStart, MessageID: mid, Sent: now}, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := guest.Frame(eb, sealed)
	if err != nil {
		t.Fatal(err)
	}
	in, err := OpenHandshake(ea, frame, func(hint [8]byte) (Invitation, bool) {
		return Invitation{inv.Keys, inv.Bundle}, hint == inv.Hints[0]
	})
	if err != nil {
		t.Fatal(err)
	}
	host := NewPeer(in.From())
	o, err := host.Accept(ea, in)
	if err != nil {
		t.Fatal(err)
	}
	if !o.NewSession || o.Renewed || o.Payload.MessageID != mid || !o.WantAck {
		t.Fatalf("accepted: %+v", o)
	}
	ack, err := host.SealAck(ea)
	if err != nil {
		t.Fatal(err)
	}
	if frame, err = host.Frame(ea, ack); err != nil {
		t.Fatal(err)
	}
	guest = stored(t, guest)
	if o, err = guest.Open(eb, frame); err != nil {
		t.Fatal(err)
	}
	if len(o.Acked) != 1 || o.Acked[0] != mid {
		t.Fatalf("acked: %+v", o)
	}
	a, _ := host.SAS(ea, nil)
	b, _ := guest.SAS(eb, nil)
	if a != b || len(a) != 6 {
		t.Fatalf("digits %q and %q", a, b)
	}
}

func newSelf(t testing.TB, now time.Time) *Self {
	t.Helper()
	s, err := NewSelf(rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if s, err = ParseSelf(b); err != nil {
		t.Fatal(err)
	}
	return s
}

func stored(t testing.TB, p *Peer) *Peer {
	t.Helper()
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if p, err = ParsePeer(b); err != nil {
		t.Fatal(err)
	}
	return p
}
