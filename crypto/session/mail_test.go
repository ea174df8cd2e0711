package session

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/identity"
)

// mail is what p leaves in a mailbox.
func mail(t testing.TB, p *Peer, env Env) []byte {
	t.Helper()
	raw, err := p.MailStatus(env)
	check(t, err)
	if len(raw) > MaxMailStatusSize {
		t.Errorf("%d bytes", len(raw))
	}
	return raw
}

// forgeMail changes what lies in a mailbox, and makes the MAC right again if it is
// the person's own doing.
func forgeMail(t testing.TB, raw []byte, kpair *[32]byte, from, to identity.ID, change func(*mailStatus)) []byte {
	t.Helper()
	var m mailStatus
	check(t, canon.Unmarshal(raw, &m))
	change(&m)
	if kpair != nil {
		m.MAC = m.mac(*kpair, from, to)
	}
	out, err := canon.Marshal(m)
	check(t, err)
	return out
}

func TestMailStatusAcknowledges(t *testing.T) {
	a, b, ea, eb := pair(t)
	check(t, b.LearnBundle(eb, ea.Self.Bundle(), true))
	_, err := b.Open(eb, seal(t, a, ea, mid(1), true))
	check(t, err)
	raw := mail(t, b, eb)
	if again := mail(t, b.Clone(), eb); !bytes.Equal(raw, again) {
		t.Error("the same state makes two different blobs")
	}
	r, err := a.OnMailStatus(ea, raw)
	if err != nil || !slices.Contains(r.Acked, mid(1)) || r.FetchBundle || r.SelfRolledBack || r.Unseal || a.want {
		t.Errorf("%+v, %v, want %v", r, err, a.want)
	}
}

func TestMailStatusOfStrangers(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	env := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	p := NewPeer(newSelf(t, now).ID())
	if _, err := p.MailStatus(env); !errors.Is(err, ErrNoBundle) {
		t.Errorf("a status for somebody unknown: %v", err)
	}
	if _, err := p.OnMailStatus(env, nil); !errors.Is(err, ErrNoBundle) {
		t.Errorf("a status of somebody unknown: %v", err)
	}
}

// badBlob is a status that is to be refused; drawn says that it is another one
// each time.
type badBlob struct {
	name  string
	drawn bool
	raw   []byte
}

// badMail are statuses that a must refuse; raw is what b left for a.
func badMail(t testing.TB, a, b *Peer, ea, eb Env, raw []byte) []badBlob {
	t.Helper()
	kpair, err := a.Kpair(ea)
	check(t, err)
	idA, idB := ea.Self.ID(), eb.Self.ID()
	carol := newSelf(t, ea.Now)
	inv, err := eb.Self.Invite(eb.Rand, eb.Now, eb.Now.Add(day), nil)
	check(t, err)
	altered := func(change func(*mailStatus)) []byte { return forgeMail(t, raw, nil, idB, idA, change) }
	own := func(change func(*mailStatus)) []byte { return forgeMail(t, raw, &kpair, idB, idA, change) }
	bare, err := b.Status(eb)
	check(t, err)
	return []badBlob{
		{"empty", false, []byte{}},
		{"a byte behind", false, append(bytes.Clone(raw), 0)},
		{"huge", false, make([]byte, MaxMailStatusSize+1)},
		{"a status without a MAC", false, bare},
		{"status altered", false, altered(func(m *mailStatus) { m.Status[len(m.Status)-1] ^= 1 })},
		{"bundle altered", false, altered(func(m *mailStatus) { m.Bundle[len(m.Bundle)-1] ^= 1 })},
		{"MAC altered", false, altered(func(m *mailStatus) { m.MAC[31] ^= 1 })},
		{"MAC of zeros", false, altered(func(m *mailStatus) { m.MAC = [32]byte{} })},
		{"a byte moved", false, altered(func(m *mailStatus) { m.Status, m.Bundle = append(m.Status, m.Bundle[0]), m.Bundle[1:] })},
		{"what I wrote myself", false, mail(t, a, ea)},
		{"for somebody else", true, forgeMail(t, raw, &kpair, idB, carol.ID(), func(*mailStatus) {})},
		{"another key", false, forgeMail(t, raw, &[32]byte{1}, idB, idA, func(*mailStatus) {})},
		{"no status in it", false, own(func(m *mailStatus) { m.Status = []byte{0} })},
		{"no bundle in it", false, own(func(m *mailStatus) { m.Bundle = nil })},
		{"bundle of another person", true, own(func(m *mailStatus) { m.Bundle = carol.Bundle() })},
		{"bundle of an invitation", true, own(func(m *mailStatus) { m.Bundle = inv.Bundle })},
		{"bundle badly signed", false, own(func(m *mailStatus) { m.Bundle[len(m.Bundle)-1] ^= 1 })},
	}
}

func TestMailStatusRefuses(t *testing.T) {
	a, b, ea, eb := pair(t)
	check(t, b.LearnBundle(eb, ea.Self.Bundle(), true))
	_, err := b.Open(eb, seal(t, a, ea, mid(1), true))
	check(t, err)
	check(t, eb.Self.publish(rand.Reader, eb.Now)) // so that there is something to learn
	raw := mail(t, b, eb)
	before, err := a.Marshal()
	check(t, err)
	for _, bad := range badMail(t, a, b, ea, eb, raw) {
		if _, err := a.OnMailStatus(ea, bad.raw); !errors.Is(err, ErrBadStatus) {
			t.Errorf("%s: %v", bad.name, err)
		}
		if after, _ := a.Marshal(); !bytes.Equal(before, after) {
			t.Fatalf("%s: changed the state", bad.name)
		}
	}
	if _, err := a.OnMailStatus(ea, raw); err != nil || a.regular.hint != eb.Self.current().pair.Hint() {
		t.Errorf("the good one: %v", err)
	}
}

// TestOldMailStatus: what a mailbox hands out again takes nothing back.
func TestOldMailStatus(t *testing.T) {
	a, b, ea, eb := pair(t)
	check(t, b.LearnBundle(eb, ea.Self.Bundle(), true))
	first := mail(t, b, eb)
	check(t, eb.Self.publish(rand.Reader, eb.Now))
	second := mail(t, b, eb)
	check(t, eb.Self.NewInstallation(rand.Reader, eb.Now, 0))
	b.sync(eb)
	third := mail(t, b, eb) // of an installation that a has not accepted yet
	holds := func(step string, inst identity.Inst, hint [8]byte) {
		t.Helper()
		if a.regular.inst != inst || a.regular.hint != hint {
			t.Errorf("%s: an older bundle was taken in", step)
		}
		if a.want {
			t.Errorf("%s: a handshake is called for", step)
		}
	}
	hear := func(raw []byte) {
		t.Helper()
		r, err := a.OnMailStatus(ea, raw)
		if err != nil || r.SelfRolledBack || r.FetchBundle {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	inst, hint := eb.Self.inst, eb.Self.current().pair.Hint()
	for _, raw := range [][]byte{first, second, third} {
		hear(raw)
	}
	holds("third", inst, hint)
	for _, raw := range [][]byte{second, first, third, first, second} {
		hear(raw)
		holds("old copies", inst, hint)
	}

	// An installation that another one took the place of has nothing to say about
	// prekeys, however high its counter.
	late := Env{Self: eb.Self.Clone(), Now: eb.Now, Rand: rand.Reader}
	late.Self.counter += 1 << 40
	check(t, late.Self.publish(rand.Reader, eb.Now))
	old := mail(t, b.Clone(), late)
	a.former, a.inst = append(a.former, late.Self.inst), identity.Inst{77}
	hear(old)
	holds("former installation", inst, hint)
}

// TestMailStatusNeedsNoFetch: after "cannot open" to a first flight the bundle is
// to be fetched; a newer one out of a mailbox does as well, and the same one again
// does not.
func TestMailStatusNeedsNoFetch(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ea := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	eb := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	a, err := PeerOf(ea, eb.Self.Bundle())
	check(t, err)
	b, err := PeerOf(eb, ea.Self.Bundle())
	check(t, err)
	check(t, a.Start(ea, nil))
	s, err := a.Seal(ea, message(mid(1), ea), 0, true)
	check(t, err)
	if !a.OnAnswer(ea, s, answerCannotOpen) {
		t.Fatal("not to be sealed anew")
	}
	started := func() bool {
		t.Helper()
		_, err := a.OnMailStatus(ea, mail(t, b, eb))
		check(t, err)
		e, err := a.Maintain(ea)
		check(t, err)
		return e.Started
	}
	if started() {
		t.Error("started with the bundle that was of no use")
	}
	check(t, eb.Self.publish(rand.Reader, now))
	if !started() {
		t.Error("not started with a newer one")
	}
}

// TestOwnRollbackByMail: an old copy of me finds out from a mailbox, and what it
// says is not believed for more than that.
func TestOwnRollbackByMail(t *testing.T) {
	a, b, ea, eb := pair(t)
	check(t, b.LearnBundle(eb, ea.Self.Bundle(), true))
	old := a.Clone()
	_, err := b.Open(eb, seal(t, a, ea, mid(1), true))
	check(t, err)
	if r, err := old.OnMailStatus(ea, mail(t, b, eb)); err != nil || !r.SelfRolledBack || len(r.Acked) > 0 {
		t.Errorf("an old copy of me: %+v, %v", r, err)
	}
	b.leave(eb.Now) // says that it is on no session of ours: only live that means something
	b.sessions = nil
	if r, err := a.OnMailStatus(ea, mail(t, b, eb)); err != nil || r.SelfRolledBack || a.want {
		t.Errorf("a replay starts something: %+v, %v", r, err)
	}
	raw, err := b.Status(eb)
	check(t, err)
	if _, err := a.OnStatus(ea, raw, true); err != nil || !a.want {
		t.Errorf("live: %v", err)
	}
}

func FuzzOnMailStatus(f *testing.F) {
	a, b, ea, eb := pair(f)
	check(f, b.LearnBundle(eb, ea.Self.Bundle(), true))
	kpair, err := a.Kpair(ea)
	check(f, err)
	raw := mail(f, b, eb)
	status, err := b.Status(eb)
	check(f, err)
	f.Add(raw, status, eb.Self.Bundle())
	for _, bad := range badMail(f, a, b, ea, eb, raw) {
		f.Add(bad.raw, []byte{}, []byte{})
	}
	stored, err := a.Marshal()
	check(f, err)
	f.Fuzz(func(t *testing.T, raw, status, bundle []byte) {
		m := mailStatus{Status: status, Bundle: bundle}
		m.MAC = m.mac(kpair, eb.Self.ID(), ea.Self.ID())
		own, err := canon.Marshal(m)
		check(t, err)
		for _, raw := range [][]byte{raw, own} {
			p, err := ParsePeer(stored)
			check(t, err)
			if _, err := p.OnMailStatus(ea, raw); err != nil {
				if !errors.Is(err, ErrBadStatus) {
					t.Errorf("error %v", err)
				}
				if now, _ := p.Marshal(); !bytes.Equal(now, stored) {
					t.Error("a bad status changed the state")
				}
			}
			_, _ = p.Maintain(ea)
		}
	})
}

// TestMailStatusFitsABlob: the largest status with the largest bundle.
func TestMailStatusFitsABlob(t *testing.T) {
	m := mailStatus{Status: make([]byte, MaxStatusSize), Bundle: make([]byte, 4<<10)}
	raw, err := canon.Marshal(m)
	if err != nil || len(raw) > MaxMailStatusSize || len(raw) > envelope.MaxPayload {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
}
