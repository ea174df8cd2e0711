package session

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/handshake"
	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

// Each rule once, at the protocol's own limits. The schedules show that they are
// enough together.

func after(env Env, d time.Duration) Env { env.Now = env.Now.Add(d); return env }

func mid(n int) [16]byte { return [16]byte{8, byte(n), byte(n >> 8)} }

func TestAcknowledgementIsComparedBeforeAnythingIsMarked(t *testing.T) {
	a, b, ea, eb := pair(t)
	for n := range 5 {
		f := seal(t, a, ea, mid(n), true)
		if n == 2 {
			continue // lost, so that there is a range
		}
		_, err := b.Open(eb, f)
		check(t, err)
	}
	good := b.current().ack()
	if good.Contiguous != 4 || len(good.Ranges) != 1 || good.Hi != 7 {
		t.Fatalf("account %+v", good)
	}
	for name, spoil := range map[string]func(*envelope.Ack){
		"chain":             func(k *envelope.Ack) { k.Chain[0] ^= 1 },
		"range":             func(k *envelope.Ack) { k.Ranges[0].Hash[0] ^= 1 },
		"hash of highest":   func(k *envelope.Ack) { k.HiHash[0] ^= 1 },
		"highest":           func(k *envelope.Ack) { k.Hi = 8 },
		"beyond the ctrs":   func(k *envelope.Ack) { k.Contiguous, k.Ranges = 8, nil },
		"range beyond":      func(k *envelope.Ack) { k.Ranges[0].To = 8 },
		"a lost one opened": func(k *envelope.Ack) { k.Contiguous, k.Ranges = 7, nil },
	} {
		p, bad := a.Clone(), good
		bad.Ranges = slices.Clone(good.Ranges)
		spoil(&bad)
		before, err := p.Marshal()
		check(t, err)
		if ids, rolled := p.take(ea, &bad); !rolled || len(ids) != 0 {
			t.Errorf("%s: ids %v, rolled %v", name, ids, rolled)
		}
		if after, _ := p.Marshal(); !bytes.Equal(before, after) {
			t.Errorf("%s: something was marked", name)
		}
	}
	ids, rolled := a.take(ea, &good)
	if rolled || !slices.Equal(ids, [][16]byte{mid(0), mid(1), mid(3), mid(4)}) {
		t.Errorf("good account: ids %v, rolled %v", ids, rolled)
	}
	if ids, rolled = a.take(ea, &good); rolled || len(ids) != 0 {
		t.Errorf("again: ids %v, rolled %v", ids, rolled)
	}
}

func TestTaintedAcknowledgementsMeanNothing(t *testing.T) {
	a, b, ea, eb := pair(t)
	_, err := b.Open(eb, seal(t, a, ea, mid(1), true))
	check(t, err)
	good := b.current().ack()
	check(t, ea.Self.NewInstallation(rand.Reader, ea.Now, 0))
	if ids, rolled := a.take(ea, &good); rolled || len(ids) != 0 {
		t.Fatalf("ids %v, rolled %v", ids, rolled)
	}
	if _, err := a.Seal(ea, message(mid(2), ea), 0, true); !errors.Is(err, ErrNoSession) {
		t.Fatalf("sealed on the old installation's session: %v", err)
	}
	if o, err := a.Open(ea, seal(t, b, eb, mid(3), true)); err != nil || o.Payload.MessageID != mid(3) {
		t.Fatalf("a tainted session must still open: %v", err)
	}
}

func TestWindows(t *testing.T) {
	a, b, ea, eb := pair(t)
	var last []byte
	sealed := 0
	for ; ; sealed++ {
		s, err := a.Seal(ea, message(mid(sealed), ea), 0, true)
		if errors.Is(err, ErrWindow) {
			break
		}
		check(t, err)
		last, err = a.Frame(ea, s)
		check(t, err)
	}
	if sealed != NewWindow {
		t.Errorf("%d messages in flight", sealed)
	}
	acks := 0
	for ; ; acks++ {
		s, err := a.SealAck(ea)
		if errors.Is(err, ErrWindow) {
			break
		}
		check(t, err)
		if s.Ctr == 0 {
			t.Errorf("acknowledgement %d, beyond %d unopened ones, asks for none", acks, AskWindow)
		}
	}
	if sealed+acks != AckWindow {
		t.Errorf("%d in flight with acknowledgements", sealed+acks)
	}
	if _, err := b.Open(eb, last); err != nil {
		t.Fatal(err)
	}
	if b.current().skipped != NewWindow-1 {
		t.Errorf("%d skipped keys", b.current().skipped)
	}
	if _, err := a.Open(ea, ack(t, b, eb)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Seal(ea, message(mid(sealed), ea), 0, true); err != nil {
		t.Errorf("the window stays closed: %v", err)
	}
}

func TestOneMayAlwaysAskWhenNothingElseDoes(t *testing.T) {
	a, b, ea, eb := pair(t)
	for {
		if _, err := a.Seal(ea, envelope.Payload{Type: envelope.TypeAck, MessageID: mid(1), Sent: ea.Now}, 0, false); err != nil {
			t.Fatal(err)
		}
		if !a.current().out.roomForAck(ea.lim()) {
			break
		}
	}
	f := seal(t, a, ea, mid(2), true)
	if _, err := a.Seal(ea, message(mid(3), ea), 0, true); !errors.Is(err, ErrWindow) {
		t.Errorf("a second one: %v", err)
	}
	if _, err := b.Open(eb, f); err != nil {
		t.Errorf("the one cannot be opened: %v", err)
	}
}

// A thousand and one lost: the peer cannot follow, the session is renewed.
func TestBeyondTheSkipLimitRenews(t *testing.T) {
	a, b, ea, eb := pair(t)
	wide := ea
	wide.limits = &limits{1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20}
	var f []byte
	for n := range 1002 {
		f = seal(t, a, wide, mid(n), true)
	}
	_, err := b.Clone().Open(eb, f)
	if !errors.Is(err, ErrCannotOpen) || !b.Observe(eb, err) {
		t.Fatalf("beyond the limit: %v", err)
	}
	check(t, b.LearnBundle(eb, ea.Self.Bundle(), true))
	e, err := b.Maintain(eb)
	if err != nil || !e.Started || !e.Unseal {
		t.Fatalf("maintain: %+v, %v", e, err)
	}
}

func TestEvidenceOfAPeerPutBack(t *testing.T) {
	a, b, ea, eb := pair(t)
	old := b.Clone()
	_, err := a.Open(ea, seal(t, b, eb, mid(1), true))
	check(t, err)
	_, err = a.Clone().Open(ea, seal(t, old, eb, mid(2), true)) // same place, other bytes
	if !errors.Is(err, ErrCannotOpen) {
		t.Fatalf("opened: %v", err)
	}
	if !a.Observe(ea, err) || !a.want {
		t.Error("not taken as evidence")
	}
	if a.Observe(ea, ErrCannotOpen) {
		t.Error("any failure is taken as evidence")
	}
}

// A peer put back may go on receiving, with a gap that nothing can close.
func TestAccountThatRegressed(t *testing.T) {
	a, b, ea, eb := pair(t)
	old := b.Clone()
	_, err := b.Open(eb, seal(t, a, ea, mid(1), true))
	check(t, err)
	before := b.current().ack()
	if ids, _ := a.take(ea, &before); len(ids) != 1 {
		t.Fatalf("acknowledged %v", ids)
	}
	_, err = old.Open(eb, seal(t, a, ea, mid(2), true))
	check(t, err)
	now := old.current().ack()
	if ids, rolled := a.take(ea, &before); rolled || len(ids) > 0 || a.want {
		t.Errorf("an old account: ids %v, rolled %v, want %v", ids, rolled, a.want)
	}
	if _, rolled := a.take(ea, &now); rolled || !a.want {
		t.Errorf("an account that regressed: rolled %v, want %v", rolled, a.want)
	}
}

func TestOwnRollbackIsNoticed(t *testing.T) {
	a, b, ea, eb := pair(t)
	check(t, b.LearnBundle(eb, ea.Self.Bundle(), true))
	old, oldSelf := a.Clone(), ea.Self.Clone()
	_, err := b.Open(eb, seal(t, a, ea, mid(1), true))
	check(t, err)
	status := func() []byte { raw, err := b.Status(eb); check(t, err); return raw }
	noticed := func(name string, p *Peer, env Env, want bool) {
		t.Helper()
		r, err := p.OnStatus(env, status(), true)
		check(t, err)
		if r.SelfRolledBack != want {
			t.Errorf("%s: rolled back %v", name, r.SelfRolledBack)
		}
		if want && (len(r.Acked) > 0 || !r.Unseal) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	noticed("nothing happened", a.Clone(), ea, false)
	eo := ea
	eo.Self = oldSelf
	noticed("highest above what I sealed", old.Clone(), eo, true)

	fork := old.Clone()
	seal(t, fork, eo, mid(2), true)
	noticed("another message under the same ctr", fork, eo, true)

	check(t, a.LearnBundle(ea, eb.Self.Bundle(), true))
	renewed := Env{Self: ea.Self.Clone(), Now: ea.Now, Rand: rand.Reader}
	check(t, renewed.Self.NewInstallation(rand.Reader, ea.Now, 0))
	check(t, b.LearnBundle(eb, renewed.Self.Bundle(), true))
	noticed("an installation that was never mine", old.Clone(), eo, true)
}

func TestInstallationThatWasNeverMine(t *testing.T) {
	a, b, ea, eb := pair(t)
	for name, inst := range map[string]identity.Inst{"unknown": {1}, "present": ea.Self.inst, "none": {}} {
		b.regular = heldBundle{inst: inst}
		raw, err := b.Status(eb)
		check(t, err)
		r, err := a.Clone().OnStatus(ea, raw, true)
		if err != nil || r.SelfRolledBack != (name == "unknown") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	b.regular = heldBundle{inst: ea.Self.inst, counter: ea.Self.counter, hash: [32]byte{1}}
	raw, err := b.Status(eb)
	check(t, err)
	if r, err := a.OnStatus(ea, raw, true); err != nil || !r.SelfRolledBack {
		t.Errorf("my counter with another bundle: %+v, %v", r, err)
	}
}

func TestDuplicatesAreAcknowledgedAgain(t *testing.T) {
	a, b, ea, eb := pair(t)
	last, ok := b.LastAck()
	if !ok || b.Duplicate() || b.AckDue() {
		t.Error("there is an acknowledgement to repeat")
	}
	f, err := b.Frame(eb, last)
	check(t, err)
	if again, err := b.Frame(eb, last); err != nil || !bytes.Equal(f, again) {
		t.Errorf("not the same bytes: %v", err)
	}
	_, err = b.Open(eb, seal(t, a, ea, mid(1), true))
	check(t, err)
	if !b.AckDue() {
		t.Error("none due for a new message")
	}
	seal(t, b, eb, mid(2), true) // carries it
	if b.AckDue() {
		t.Error("still due, though a message carries it")
	}
	b.lastAck = Sealed{}
	if !b.Duplicate() || !b.AckDue() {
		t.Error("none due although there is none to repeat")
	}
}

func TestUnknownActiveSessionMeansRollback(t *testing.T) {
	a, b, ea, eb := pair(t)
	check(t, b.LearnBundle(eb, ea.Self.Bundle(), true))
	raw, err := b.Status(eb)
	check(t, err)
	lost, err := PeerOf(ea, eb.Self.Bundle()) // from before the session
	check(t, err)
	r, err := lost.OnStatus(ea, raw, true)
	if err != nil || !r.SelfRolledBack {
		t.Errorf("not noticed: %+v, %v", r, err)
	}
	if r, _ = a.OnStatus(ea, raw, true); r.SelfRolledBack {
		t.Error("noticed where there was none")
	}
}

func TestCounterAbove(t *testing.T) {
	a, b, ea, eb := pair(t)
	check(t, b.LearnBundle(eb, ea.Self.Bundle(), true))
	b.regular.counter += 5
	raw, err := b.Status(eb)
	check(t, err)
	r, err := a.OnStatus(ea, raw, true)
	if err != nil || !r.SelfRolledBack || r.CounterAbove != b.regular.counter {
		t.Fatalf("%+v, %v", r, err)
	}
	self := ea.Self.Clone()
	check(t, self.NewInstallation(rand.Reader, ea.Now, r.CounterAbove))
	if self.current().counter <= r.CounterAbove || self.current().counter > r.CounterAbove+2 {
		t.Errorf("counter %d, reported %d", self.current().counter, r.CounterAbove)
	}
	check(t, b.LearnBundle(eb, self.Bundle(), true))
	// Nonsense is not followed.
	check(t, self.NewInstallation(rand.Reader, ea.Now, 1<<63))
	if self.current().counter > maxCounter {
		t.Error("a counter from a status moved ours out of all bounds")
	}
}

func TestOnePersonIsNotBelievedForEver(t *testing.T) {
	a, b, ea, eb := pair(t)
	believed := 0
	for range 10 {
		if a.rolledBack(ea) {
			believed++
		}
		ea = after(ea, time.Minute)
	}
	if believed != RollbackDayLimit {
		t.Errorf("believed %d times in a day", believed)
	}
	if !a.want {
		t.Error("no handshake is called for")
	}
	_, _ = b, eb
}

func TestBundles(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ea := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	bob := newSelf(t, now)
	first := bob.Bundle()
	p, err := PeerOf(ea, first)
	check(t, err)

	twin := bob.Clone()
	twin.counter--
	check(t, twin.publish(rand.Reader, now.Add(-time.Hour)))
	if twin.current().counter != bob.current().counter {
		t.Fatal("the test did not make an equal counter")
	}
	if err := p.LearnBundle(ea, twin.Bundle(), true); !errors.Is(err, ErrOldBundle) {
		t.Errorf("equal counter, other bytes: %v", err)
	}
	check(t, bob.publish(rand.Reader, now))
	check(t, p.LearnBundle(ea, bob.Bundle(), false))
	if err := p.LearnBundle(ea, first, true); !errors.Is(err, ErrOldBundle) {
		t.Errorf("lower counter: %v", err)
	}
	check(t, p.LearnBundle(ea, bob.Bundle(), false)) // the same once more

	if err := p.LearnBundle(ea, ea.Self.Bundle(), true); !errors.Is(err, ErrForeign) {
		t.Errorf("somebody else's: %v", err)
	}
	// Expired: useless, except just handed over, whatever the clock says.
	late := after(ea, 100*day)
	if p.CanStart(late) {
		t.Error("an expired bundle starts a handshake")
	}
	check(t, p.LearnBundle(late, bob.Bundle(), true))
	if !p.CanStart(late) || !p.CanStart(after(late, 59*time.Minute)) || p.CanStart(after(late, time.Hour)) || p.CanStart(after(late, -time.Minute)) {
		t.Error("a fetched bundle is usable for one hour")
	}
}

func TestRotation(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := newSelf(t, now)
	hint := s.current().pair.Hint()
	known := func() bool { _, err := s.keysFor(hint, noInvitation); return err == nil }
	counter := s.counter
	for d := 0; d <= 95; d++ {
		changed, err := s.Rotate(rand.Reader, now.Add(time.Duration(d)*day))
		check(t, err)
		if changed != (d == 30 || d == 60 || d == 90) {
			t.Errorf("day %d: changed %v", d, changed)
		}
		if changed && s.counter <= counter {
			t.Errorf("day %d: counter fell", d)
		}
		counter = s.counter
		if known() != (d < 90) {
			t.Errorf("day %d: first prekey known %v", d, known())
		}
	}
	// A clock far ahead makes a bundle far ahead; put right, another follows.
	_, err := s.Rotate(rand.Reader, now.Add(3650*day))
	check(t, err)
	if changed, err := s.Rotate(rand.Reader, now.Add(96*day)); err != nil || !changed {
		t.Errorf("a prekey from the future stays published: %v", err)
	}
	if got := s.current().expiry; got.After(now.Add(157 * day)) {
		t.Errorf("published until %v", got)
	}
}

func TestInvitationKeysEndWithTheFirstRatchetFrame(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ea := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	eb := Env{Self: newSelf(t, now), Now: now, Rand: rand.Reader}
	inv, err := ea.Self.Invite(rand.Reader, now, now.Add(7*day), nil)
	check(t, err)
	if _, err := ea.Self.Clone().Invite(rand.Reader, now, now.Add(61*day), nil); !errors.Is(err, ErrLife) {
		t.Errorf("an invitation beyond its keys: %v", err)
	}
	b, err := PeerOf(eb, inv.Bundle)
	check(t, err)
	if b.CanStart(eb) {
		t.Error("an invitation's bundle starts a handshake without its secret")
	}
	check(t, b.Start(eb, &inv.Code.Auth))
	asked := 0
	lookup := func(hint [8]byte) (Invitation, bool) {
		asked++
		return Invitation{inv.Keys, inv.Bundle}, hint == inv.Hints[0]
	}
	in, err := OpenHandshake(ea, seal(t, b, eb, mid(1), true), lookup)
	check(t, err)
	if in.Invitation() != inv.Code.Auth.ID() || asked != 1 {
		t.Errorf("invitation %x, asked %d times", in.Invitation(), asked)
	}
	a := NewPeer(in.From())
	o, err := a.Accept(ea, in)
	if err != nil || o.InvitationDone != [16]byte{} {
		t.Fatalf("%+v, %v", o, err)
	}
	_, err = b.Open(eb, ack(t, a, ea))
	check(t, err)
	if b.invite != nil || b.invited.raw != nil {
		t.Error("the invitation is kept")
	}
	f := seal(t, b, eb, mid(2), true)
	if o, err = a.Open(ea, f); err != nil || o.InvitationDone != inv.Code.Auth.ID() {
		t.Errorf("done: %x, %v", o.InvitationDone, err)
	}
	if o, err = a.Open(ea, seal(t, b, eb, mid(3), true)); err != nil || o.InvitationDone != [16]byte{} {
		t.Errorf("told twice: %v", err)
	}
	// A new installation takes the invitations of the old one with it.
	check(t, ea.Self.NewInstallation(rand.Reader, now, 0))
	if _, err := ea.Self.keysFor(prekey.Hint(inv.Hints[0]), lookup); !errors.Is(err, ErrCannotOpen) {
		t.Errorf("keys of an old installation: %v", err)
	}
}

func TestGapsAreFilled(t *testing.T) {
	a, b, ea, eb := pair(t)
	var ids [][16]byte
	for n := range FillWindow + 2 {
		seal(t, a, ea, mid(n), true) // never sent
		ids = append(ids, mid(n))
	}
	if a.AckDue() {
		t.Error("due before anything is settled")
	}
	a.Forget(ids...)
	if a.current().out.pending != 0 || !a.AckDue() {
		t.Errorf("pending %d, due %v", a.current().out.pending, a.AckDue())
	}
	for range FillWindow + 2 {
		o, err := b.Open(eb, ack(t, a, ea))
		check(t, err)
		if !o.WantAck || o.Payload.Type != envelope.TypeAck {
			t.Fatalf("%+v", o)
		}
		o, err = a.Open(ea, ack(t, b, eb))
		check(t, err)
		if len(o.Acked) != 0 {
			t.Fatal("a filled gap is told as delivered")
		}
	}
	if a.current().out.contig != a.current().out.ctr || len(a.current().out.asks) != 0 || a.AckDue() {
		t.Errorf("contig %d of %d", a.current().out.contig, a.current().out.ctr)
	}
}

func TestCannotOpen(t *testing.T) {
	a, b, ea, eb := pair(t)
	_, _ = b, eb
	s, err := a.Seal(ea, message(mid(1), ea), 0, true)
	check(t, err)
	if !a.OnAnswer(ea, s, answerCannotOpen) || a.want {
		t.Error("on a listed session: seal anew, no handshake")
	}
	again, err := a.Seal(ea, message(mid(1), ea), s.Ctr, true)
	check(t, err)
	seal(t, a, ea, mid(2), true)
	for _, hint := range []uint64{s.Ctr, 0, s.Ctr + 1, s.Ctr - 1} { // whatever the hint says
		if again, err = a.Seal(ea, message(mid(1), ea), hint, true); err != nil || again.Ctr != s.Ctr || again.Number == s.Number {
			t.Errorf("sealed anew as ctr %d number %d, %v", again.Ctr, again.Number, err)
		}
	}
	p := a.Clone()
	p.current().unlisted = true
	if !p.OnAnswer(ea, again, answerCannotOpen) || !p.want {
		t.Error("on an unlisted session: handshake")
	}
	for range MaxCannotOpen - 1 {
		a.OnAnswer(ea, again, answerCannotOpen)
	}
	if !a.want {
		t.Error("for ever without a handshake")
	}
	if before := a.current().out.pending; a.OnAnswer(ea, again, answerRefused) || a.current().out.pending != before-1 {
		t.Error("refused on a session that stands: given up")
	}
}

func TestStatusConvergence(t *testing.T) {
	a, b, ea, eb := pair(t)
	check(t, b.LearnBundle(eb, ea.Self.Bundle(), true))
	forgetful, err := PeerOf(eb, ea.Self.Bundle())
	check(t, err)
	raw, err := forgetful.Status(eb)
	check(t, err)
	for _, live := range []bool{false, true} {
		p := a.Clone()
		r, err := p.OnStatus(ea, raw, live)
		check(t, err)
		if p.want != live || r.SelfRolledBack {
			t.Errorf("live %v: want %v, %+v", live, p.want, r)
		}
	}
	raw, err = b.Status(eb)
	check(t, err)
	if _, err = a.OnStatus(ea, raw, true); err != nil || a.want {
		t.Errorf("on one session: want %v, %v", a.want, err)
	}
}

func TestFlippedBytesBurnNothing(t *testing.T) {
	a, b, ea, eb := pair(t)
	f := seal(t, a, ea, mid(1), true)
	raw, err := b.Marshal()
	check(t, err)
	for k := 0; k < len(f); k += 7 {
		g := bytes.Clone(f)
		g[k] ^= 0x40
		p, err := ParsePeer(raw)
		check(t, err)
		if _, err := p.Open(eb, g); err == nil {
			t.Fatalf("byte %d flipped, and opened", k)
		} else if q := stored(t, b); q.Observe(eb, err) {
			t.Errorf("byte %d flipped is evidence: %v", k, err)
		}
	}
	_, err = b.Open(eb, f)
	check(t, err)
}

func TestForeignPayloadsAreRefused(t *testing.T) {
	a, b, ea, eb := pair(t)
	for name, spoil := range map[string]func(*envelope.Payload){
		"sender":    func(p *envelope.Payload) { p.Sender = eb.Self.ID() },
		"recipient": func(p *envelope.Payload) { p.Recipient = ea.Self.ID() },
		"session":   func(p *envelope.Payload) { p.Session[0] ^= 1 },
	} {
		s := a.current()
		st, err := s.ratchet()
		check(t, err)
		pl := message(mid(1), ea)
		pl.Version, pl.Sender, pl.Recipient, pl.Session, pl.Number = 1, ea.Self.ID(), eb.Self.ID(), s.sid(), 99
		spoil(&pl)
		plain, err := envelope.Encode(pl)
		check(t, err)
		inner, err := envelope.Seal(st.Recipient(ea.Now, rand.Reader), plain)
		check(t, err)
		if _, err := b.Clone().Open(eb, handshake.AppendFrame(nil, handshake.KindRatchet, prekey.Hint{}, inner)); !errors.Is(err, ErrCannotOpen) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOldSealsAreStale(t *testing.T) {
	a, _, ea, _ := pair(t)
	s, err := a.Seal(ea, message(mid(1), ea), 0, true)
	check(t, err)
	if _, err := a.Frame(after(ea, 22*day), s); !errors.Is(err, ErrStale) {
		t.Errorf("22 days old: %v", err)
	}
	check(t, a.LearnBundle(ea, a.regular.raw, true))
	check(t, a.Start(ea, nil))
	if _, err := a.Frame(ea, s); !errors.Is(err, ErrStale) {
		t.Errorf("of a replaced session: %v", err)
	}
}

func TestSkippedKeysOfAllSessionsAreBounded(t *testing.T) {
	a, b, ea, eb := pair(t)
	for range 3 {
		ea = after(ea, 2*time.Hour)
		eb.Now = ea.Now
		check(t, a.LearnBundle(ea, eb.Self.Bundle(), true))
		check(t, a.Start(ea, nil))
		in, err := OpenHandshake(eb, seal(t, a, ea, mid(0), true), noInvitation)
		check(t, err)
		_, err = b.Accept(eb, in)
		check(t, err)
		_, err = a.Open(ea, ack(t, b, eb))
		check(t, err)
		var f []byte
		for n := range NewWindow {
			f = seal(t, a, ea, mid(n+1), true)
		}
		_, err = b.Open(eb, f)
		check(t, err)
		total := 0
		for _, s := range b.sessions {
			total += s.skipped
		}
		if total > MaxSkipped {
			t.Errorf("%d skipped keys", total)
		}
	}
	newest := b.current()
	if newest.skipped != NewWindow-1 {
		t.Errorf("the newest session has %d", newest.skipped)
	}
}

func TestSessionsAreRemembered(t *testing.T) {
	p := NewPeer(identity.ID{1})
	for n := range MaxSessions + 5 {
		s := &sess{th: [32]byte{byte(n + 1)}, hs: uint64(n + 1)}
		p.add(s)
		p.activate(s, time.Unix(int64(n+1), 0))
	}
	if len(p.sessions) != MaxSessions+1 {
		t.Errorf("%d sessions", len(p.sessions))
	}
	if !p.knows([16]byte{1}) || p.knows([16]byte{99}) {
		t.Error("session ids are not remembered")
	}
	check(t, p.prune(time.Unix(100, 0).Add(MaxRetired)))
	if len(p.sessions) != 1 || p.current() == nil {
		t.Errorf("%d sessions after 30 days", len(p.sessions))
	}
}
