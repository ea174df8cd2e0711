package session

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/crypto/handshake"
)

func TestHandshakeLimits(t *testing.T) {
	a, b, ea, eb := pair(t)
	accepted, busy := 0, 0
	for range 8 {
		check(t, a.LearnBundle(ea, eb.Self.Bundle(), true))
		err := a.Start(ea, nil)
		var limited *LimitedError
		if errors.As(err, &limited) {
			if !errors.Is(err, ErrLimited) || !limited.Until.After(ea.Now) {
				t.Errorf("limited until %v, now %v", limited.Until, ea.Now)
			}
			if accepted >= DayLimit {
				break
			}
			ea.Now = limited.Until
			eb.Now = ea.Now
			continue
		}
		check(t, err)
		in, err := OpenHandshake(eb, seal(t, a, ea, mid(accepted), true), noInvitation)
		check(t, err)
		switch o, err := b.Accept(eb, in); {
		case errors.Is(err, ErrBusy):
			busy++
		case err != nil:
			t.Fatal(err)
		case !o.NewSession || !o.Renewed || !o.Unseal:
			t.Errorf("accepted: %+v", o)
		default:
			accepted++
		}
	}
	if accepted != DayLimit || busy != 0 {
		t.Errorf("%d accepted, %d busy", accepted, busy)
	}
	if n, _ := within(a.started, ea.Now, 24*time.Hour); n != DayLimit {
		t.Errorf("%d started in a day", n)
	}
	// The acceptor keeps its own count, whatever the initiator does.
	a.started = nil
	check(t, a.Start(ea, nil))
	in, err := OpenHandshake(eb, seal(t, a, ea, mid(99), true), noInvitation)
	check(t, err)
	if _, err := b.Accept(eb, in); !errors.Is(err, ErrBusy) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestHandshakesOfANonConfirmedKindAreBoundedToo(t *testing.T) {
	a, b, ea, eb := pair(t)
	b.active, b.sessions = [16]byte{}, nil
	accepted := 0
	for range AcceptLimit + 5 {
		a.started = nil
		check(t, a.Start(ea, nil))
		in, err := OpenHandshake(eb, seal(t, a, ea, mid(1), true), noInvitation)
		check(t, err)
		b.active = [16]byte{} // as if an own unanswered handshake ranked above
		if _, err := b.Accept(eb, in); err == nil {
			accepted++
		}
	}
	if accepted > AcceptLimit || len(b.sessions) > MaxSessions+1 {
		t.Errorf("%d accepted, %d sessions", accepted, len(b.sessions))
	}
}

func TestOldHandshakeIsRefused(t *testing.T) {
	a, b, ea, eb := pair(t)
	first := a.Clone()
	check(t, first.Start(ea, nil))
	old := seal(t, first, ea, mid(1), true)
	ea = after(ea, time.Minute)
	check(t, a.Start(ea, nil))
	for _, f := range [][]byte{seal(t, a, ea, mid(2), true), old} {
		in, err := OpenHandshake(eb, f, noInvitation)
		check(t, err)
		c := b.Clone()
		_, err = c.Accept(eb, in)
		if bytes.Equal(f, old) {
			if !errors.Is(err, ErrRefused) {
				t.Errorf("old one: %v", err)
			}
			continue
		}
		check(t, err)
		b = c
	}
}

// Until the other side has answered, every envelope carries the handshake, and
// the responder takes it once.
func TestFirstFlight(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ea := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	eb := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	a, err := PeerOf(ea, eb.Self.Bundle())
	check(t, err)
	check(t, a.Start(ea, nil))
	var b *Peer
	for n := range 3 {
		a = stored(t, a)
		f := seal(t, a, ea, mid(n), true)
		if kind, _, _, _ := handshake.ParseFrame(f); kind != handshake.KindHandshake {
			t.Fatalf("frame %d of kind %d", n, kind)
		}
		in, err := OpenHandshake(eb, f, noInvitation)
		check(t, err)
		if b == nil {
			b = NewPeer(in.From())
		}
		o, err := b.Accept(eb, in)
		check(t, err)
		if o.NewSession != (n == 0) || o.Payload.MessageID != mid(n) {
			t.Errorf("frame %d: %+v", n, o)
		}
		if len(b.sessions) != 1 {
			t.Errorf("%d sessions", len(b.sessions))
		}
	}
	o, err := a.Open(ea, ack(t, b, eb))
	check(t, err)
	if len(o.Acked) != 3 {
		t.Errorf("acknowledged %d", len(o.Acked))
	}
	if kind, _, _, _ := handshake.ParseFrame(seal(t, a, ea, mid(9), true)); kind != handshake.KindRatchet {
		t.Error("the handshake is still sent")
	}
	// The session is forgotten: its handshake makes no second one.
	f := func() []byte { c := a.Clone(); _ = c.Start(ea, nil); return seal(t, c, ea, mid(5), true) }()
	in, err := OpenHandshake(eb, f, noInvitation)
	check(t, err)
	c := b.Clone()
	_, err = c.Accept(eb, in)
	check(t, err)
	c.sessions, c.active = nil, [16]byte{}
	if _, err := c.Accept(eb, in); !errors.Is(err, ErrCannotOpen) {
		t.Errorf("a known handshake of a forgotten session: %v", err)
	}
}

func TestFailedFirstFlightIsMadeAnewWithAFetchedBundle(t *testing.T) {
	for _, answer := range []byte{answerCannotOpen, answerRefused} {
		now := time.Unix(1_800_000_000, 0)
		ea := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
		eb := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
		a, err := PeerOf(ea, eb.Self.Bundle())
		check(t, err)
		check(t, a.Start(ea, nil))
		first, _ := a.Active()
		s, err := a.Seal(ea, message(mid(1), ea), 0, true)
		check(t, err)
		if !a.OnAnswer(ea, s, answer) {
			t.Error("not to be sealed anew")
		}
		a = stored(t, a)
		e, err := a.Maintain(ea)
		if err != nil || e.Started || !e.FetchBundle || !e.Unseal || a.CanStart(ea) {
			t.Errorf("before fetching: %+v, %v", e, err)
		}
		check(t, a.LearnBundle(ea, eb.Self.Bundle(), true))
		if e, err = a.Maintain(ea); err != nil || !e.Started {
			t.Errorf("after fetching: %+v, %v", e, err)
		}
		if second, _ := a.Active(); second.HS <= first.HS {
			t.Error("the number did not rise")
		}
	}
}

func TestRank(t *testing.T) {
	a, b, ea, eb := pair(t)
	check(t, a.LearnBundle(ea, eb.Self.Bundle(), true))
	check(t, b.LearnBundle(eb, ea.Self.Bundle(), true))
	eb = after(eb, time.Second) // so that b's number is the higher one
	check(t, a.Start(ea, nil))
	check(t, b.Start(eb, nil))
	fa, fb := seal(t, a, ea, mid(1), true), seal(t, b, eb, mid(2), true)
	ina, err := OpenHandshake(eb, fa, noInvitation)
	check(t, err)
	inb, err := OpenHandshake(ea, fb, noInvitation)
	check(t, err)
	oa, err := a.Accept(ea, inb)
	check(t, err)
	ob, err := b.Accept(eb, ina)
	check(t, err)
	if !oa.NewSession || ob.NewSession {
		t.Errorf("the higher number must win on both sides: %v, %v", oa.NewSession, ob.NewSession)
	}
	sa, _ := a.Active()
	sb, _ := b.Active()
	if sa.SID != sb.SID {
		t.Error("two sessions are active")
	}
}

func TestHandshakeToAFormerInstallationYields(t *testing.T) {
	a, b, ea, eb := pair(t)
	check(t, a.LearnBundle(ea, eb.Self.Bundle(), true))
	ahead := after(ea, 3650*day) // a's number will be far above
	check(t, a.LearnBundle(ahead, eb.Self.Bundle(), true))
	check(t, a.Start(ahead, nil))
	check(t, eb.Self.NewInstallation(rand.Reader, eb.Now, 0))
	b.Taint()
	check(t, b.LearnBundle(eb, ea.Self.Bundle(), true))
	check(t, b.Start(eb, nil))
	in, err := OpenHandshake(ahead, seal(t, b, eb, mid(1), true), noInvitation)
	check(t, err)
	o, err := a.Accept(ahead, in)
	if err != nil || !o.NewSession {
		t.Errorf("the new installation's handshake lost: %+v, %v", o, err)
	}
	if o.Branch {
		t.Error("an announced installation is taken for a branch")
	}
}

func TestBranchAndAlarm(t *testing.T) {
	a, b, ea, eb := pair(t)
	_ = b
	renewed := func() Env { // a clone of b's first installation, each time
		e := Env{Self: eb.Self.Clone(), Now: eb.Now, Rand: rand.Reader}
		check(t, e.Self.NewInstallation(rand.Reader, e.Now, 0))
		return e
	}
	offer := func(e Env) (Opened, error) {
		e.Now = ea.Now
		p, err := PeerOf(e, ea.Self.Bundle())
		check(t, err)
		check(t, p.Start(e, nil))
		in, err := OpenHandshake(ea, seal(t, p, e, mid(int(ea.Now.Unix()%1000)), true), noInvitation)
		check(t, err)
		c := a.Clone()
		o, err := c.Accept(ea, in)
		if err == nil {
			a = c
		} else {
			a.Observe(ea, err)
		}
		return o, err
	}
	steps := []struct {
		after         time.Duration
		branch, alarm bool
	}{{time.Minute, false, false}, {2 * time.Hour, true, false}, {5 * day, true, true}}
	for i, s := range steps {
		ea = after(ea, s.after)
		o, err := offer(renewed())
		if s.alarm {
			if !errors.Is(err, ErrBranch) || !errors.Is(err, ErrRefused) || !a.Alarmed() {
				t.Errorf("step %d: %v, alarmed %v", i, err, a.Alarmed())
			}
			continue
		}
		if err != nil || o.Branch != s.branch || a.Alarmed() {
			t.Errorf("step %d: %+v, %v", i, o, err)
		}
	}
	a.want = true
	if e, err := a.Maintain(ea); err != nil || e.Started || a.CanStart(ea) {
		t.Errorf("an alarmed peer starts: %+v, %v", e, err)
	}
	a = stored(t, a)
	a.Resume()
	if o, err := offer(renewed()); err != nil || !o.Branch {
		t.Errorf("after resuming: %+v, %v", o, err)
	}
}

// What an alarmed person's app refuses stays with its sender, who is told why, until
// something opens again.
func TestRefusedByOneWhoIsAlarmed(t *testing.T) {
	a, b, ea, eb := pair(t)
	ea, eb = after(ea, time.Hour), after(eb, time.Hour)
	b.want = true
	_, err := b.Maintain(eb)
	check(t, err)
	refuse := func() {
		t.Helper()
		in, err := OpenHandshake(ea, seal(t, b, eb, mid(7), true), noInvitation)
		check(t, err)
		a.alarmed = true
		if _, err := a.Clone().Accept(ea, in); !errors.Is(err, ErrBranch) {
			t.Fatal(err)
		}
		now, _ := b.Active()
		if !b.OnAnswer(eb, Sealed{Session: now.SID}, answerRefused) {
			t.Error("not to be sealed anew")
		}
		b = stored(t, b)
	}
	refuse()
	if b.Refuses() {
		t.Error("refused because of a second installation that nobody spoke of")
	}
	b.rollbacks = note(b.rollbacks, eb.Now)
	if !b.Refuses() || !b.FirstProof(eb) {
		t.Errorf("refuses %v, first proof %v", b.Refuses(), b.FirstProof(eb))
	}
	a.Resume()
	check(t, b.LearnBundle(eb, ea.Self.Bundle(), true))
	check(t, b.Start(eb, nil))
	in, err := OpenHandshake(ea, seal(t, b, eb, mid(7), true), noInvitation)
	check(t, err)
	_, err = a.Accept(ea, in)
	check(t, err)
	_, err = b.Open(eb, seal(t, a, ea, mid(8), true))
	check(t, err)
	if b.Refuses() {
		t.Error("still refused after an answer")
	}
}

func TestUnansweredHandshakeIsMadeAnewByMailbox(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ea := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	eb := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	a, err := PeerOf(ea, eb.Self.Bundle())
	check(t, err)
	check(t, a.Start(ea, nil))
	old, _ := a.Active()
	b, err := PeerOf(eb, ea.Self.Bundle())
	check(t, err)
	before := mail(t, b, eb)
	hear := func(after time.Duration, all ...[]byte) bool {
		t.Helper()
		env := ea
		env.Now = ea.Now.Add(after)
		p := a.Clone()
		for _, raw := range all {
			_, err := p.OnMailStatus(env, raw)
			check(t, err)
		}
		e, err := p.Maintain(env)
		check(t, err)
		return e.Started
	}
	if hear(4*day, before) {
		t.Error("made anew to the same prekey")
	}
	check(t, eb.Self.publish(rand.Reader, now))
	if hear(2*day, mail(t, b, eb)) {
		t.Error("made anew after two days")
	}
	if !hear(4*day, mail(t, b, eb)) || !hear(4*day, before, mail(t, b, eb), before) {
		t.Error("not made anew after four days")
	}
	renewed := a.Clone() // went to the new prekey: an old copy must not lead back
	check(t, renewed.LearnBundle(ea, eb.Self.Bundle(), false))
	check(t, renewed.Start(ea, nil))
	a, renewed = renewed, a
	if hear(4*day, before) {
		t.Error("made anew because of an old copy")
	}
	a = renewed
	check(t, a.LearnBundle(ea, eb.Self.Bundle(), false))

	// Without any status: when the bundle it went to has expired.
	for d, want := range map[time.Duration]bool{59 * day: false, 61 * day: true} {
		env := ea
		env.Now = ea.Now.Add(d)
		p := a.Clone()
		check(t, eb.Self.publish(rand.Reader, now.Add(20*day)))
		check(t, p.LearnBundle(env, eb.Self.Bundle(), false))
		if e, err := p.Maintain(env); err != nil || e.Started != want {
			t.Errorf("after %v: started %v, %v", d, e.Started, err)
		} else if s, _ := p.Active(); want != (s.HS > old.HS) {
			t.Errorf("after %v: number %d, before %d", d, s.HS, old.HS)
		}
	}
}

func TestFirstInstallationEverSeenIsNoBranch(t *testing.T) {
	a, b, ea, eb := pair(t)
	_ = b
	check(t, eb.Self.NewInstallation(rand.Reader, eb.Now, 0))
	check(t, eb.Self.NewInstallation(rand.Reader, eb.Now, 0))
	p, err := PeerOf(eb, ea.Self.Bundle())
	check(t, err)
	check(t, p.Start(eb, nil))
	in, err := OpenHandshake(ea, seal(t, p, eb, mid(1), true), noInvitation)
	check(t, err)
	if o, err := NewPeer(in.From()).Accept(ea, in); err != nil || o.Branch {
		t.Errorf("to a stranger: branch %v, %v", o.Branch, err)
	}
	// To one who knew the first installation, the second one between is missing.
	if o, err := a.Accept(ea, in); err != nil || !o.Branch {
		t.Errorf("to one who knew an earlier one: branch %v, %v", o.Branch, err)
	}
}

func TestHandshakeNumbersOfTheOtherSideCount(t *testing.T) {
	a, b, ea, eb := pair(t)
	b.highestHS += 1000
	raw, err := b.Status(eb)
	check(t, err)
	_, err = a.OnStatus(ea, raw, false)
	check(t, err)
	check(t, a.LearnBundle(ea, eb.Self.Bundle(), true))
	check(t, a.Start(ea, nil))
	if s, _ := a.Active(); s.HS != b.highestHS+1 {
		t.Errorf("number %d, the other side knows %d", s.HS, b.highestHS)
	}
	b.highestHS = maxCounter + 1
	raw, err = b.Status(eb)
	check(t, err)
	_, err = a.OnStatus(ea, raw, true)
	check(t, err)
	if a.highestHS > maxCounter {
		t.Error("nonsense is followed")
	}
}

func TestLimitsAfterTheClockWentBack(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	list := []time.Time{now.Add(3650 * day), now.Add(3650 * day), now.Add(3650 * day)}
	if until := limitedUntil(list, now); !until.IsZero() {
		t.Errorf("limited until %v", until)
	}
	list = []time.Time{now.Add(-59 * time.Minute), now}
	if until := limitedUntil(list, now); !until.Equal(now.Add(time.Minute)) {
		t.Errorf("limited until %v", until)
	}
}

// A handshake called for because nobody answered is not made once somebody has.
func TestAnAnswerEndsTheCallForAnotherHandshake(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ea := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	eb := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	a, err := PeerOf(ea, eb.Self.Bundle())
	check(t, err)
	check(t, a.Start(ea, nil))
	in, err := OpenHandshake(eb, seal(t, a, ea, mid(1), true), noInvitation)
	check(t, err)
	b := NewPeer(in.From())
	_, err = b.Accept(eb, in)
	check(t, err)
	a.want = true
	_, err = a.Open(ea, ack(t, b, eb))
	check(t, err)
	if e, err := a.Maintain(ea); err != nil || e.Started {
		t.Errorf("started another one: %+v, %v", e, err)
	}
}
