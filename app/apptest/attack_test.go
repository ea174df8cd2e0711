package apptest

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/handshake"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// mallory answers somebody's invitation by hand: the real cryptography, but a
// program that says what it likes, when it likes.
type mallory struct {
	nobody
	w      *World
	victim *Person
	link   *Link
	code   invite.Code
	own    session.Issued // if it is mallory's own
	env    session.Env
	peer   *session.Peer
	got    []envelope.Payload
}

const victimRef = "victim"

// newMallory connects a program of mallory's to the victim's machine and makes the
// handshake; nothing is sent yet.
func newMallory(w *World, victim *Person) *mallory {
	w.T.Helper()
	m := program(w, victim)
	var err error
	m.code, err = invite.Parse(victim.Invites())
	w.check(err)
	m.link.Follow(victimRef, nil, nil)
	synctest.Wait()
	m.peer = session.NewPeer(m.code.From)
	m.starts()
	return m
}

// newInviter is mallory as the one whose invitation the victim accepts.
func newInviter(w *World, victim *Person) *mallory {
	w.T.Helper()
	m := program(w, victim)
	var err error
	m.own, err = m.env.Self.Invite(rand.Reader, time.Now(), time.Now().Add(time.Hour).Truncate(time.Second), nil)
	w.check(err)
	m.code = m.own.Code
	victim.Accepts(m.code.String())
	synctest.Wait()
	return m
}

func program(w *World, victim *Person) *mallory {
	w.T.Helper()
	m := &mallory{w: w, victim: victim}
	self, err := session.NewSelf(rand.Reader, time.Now())
	w.check(err)
	m.env.Self = self
	m.link = w.Net.newLink("mallory", [32]byte{66})
	m.link.handler = m
	return m
}

// starts makes a handshake, a first one or one more.
func (m *mallory) starts() {
	m.w.T.Helper()
	bundle, err := m.link.FetchBundle(context.Background(), victimRef)
	m.w.check(err)
	m.w.check(m.peer.LearnBundle(m.now(), bundle, true))
	m.w.check(m.peer.Start(m.now(), &m.code.Auth))
}

func (m *mallory) now() session.Env {
	m.env.Now, m.env.Rand = time.Now(), rand.Reader
	return m.env
}

// HelloKeys: mallory has the invitation.
func (m *mallory) HelloKeys(context.Context) (map[string][32]byte, error) {
	return map[string][32]byte{victimRef: m.code.Auth.HelloKey()}, nil
}

func (m *mallory) Status(context.Context, string) ([]byte, error)         { return nil, nil }
func (m *mallory) OnStatus(context.Context, string, []byte) error         { return nil }
func (m *mallory) Recognised(context.Context, string, [32]byte, []string) {}

func (m *mallory) Bundle(context.Context, string) ([]byte, error) { return m.own.Bundle, nil }

// Frames opens what the victim sends.
func (m *mallory) Frames(_ context.Context, _ string, _ core.HostKey, frames [][]byte) []byte {
	answers := make([]byte, len(frames))
	for i, f := range frames {
		if err := m.open(f); err != nil {
			answers[i] = core.AnswerDuplicate // nobody is told of it
		}
	}
	return answers
}

func (m *mallory) open(frame []byte) error {
	if _, first := handshake.Peek(frame); first {
		return m.accept(frame)
	}
	p := m.peer.Clone()
	o, err := p.Open(m.now(), frame)
	if err == nil {
		m.peer, m.got = p, append(m.got, o.Payload)
	}
	return err
}

func (m *mallory) accept(frame []byte) error {
	hs, err := session.OpenHandshake(m.now(), frame, func([8]byte) (session.Invitation, bool) {
		return session.Invitation{Keys: m.own.Keys, Bundle: m.own.Bundle}, true
	})
	if err != nil {
		return err
	}
	if m.peer == nil {
		m.peer = session.NewPeer(hs.From())
	}
	p := m.peer.Clone()
	o, err := p.Accept(m.now(), hs)
	if err == nil {
		m.peer, m.got = p, append(m.got, o.Payload)
	}
	return err
}

func (m *mallory) sid() [16]byte {
	active, _ := m.peer.Active()
	return active.SID
}

// says sends a payload.
func (m *mallory) says(typ uint8, body interface{ Encode() ([]byte, error) }) {
	m.w.T.Helper()
	raw, err := body.Encode()
	m.w.check(err)
	me := chat.PersonID(m.env.Self.ID())
	sealed, err := m.peer.Seal(m.now(), envelope.Payload{
		Type: typ, Conversation: chat.DirectConversation(me, m.victim.Me()), MessageID: chat.NewMessageID(),
		Seq: 1, Sent: time.Now(), Body: raw,
	}, 0, true)
	m.w.check(err)
	frame, err := m.peer.Frame(m.now(), sealed)
	m.w.check(err)
	answers, err := m.link.Deliver(context.Background(), victimRef, [][]byte{frame})
	m.w.check(err)
	if answers[0] != core.AnswerCommitted {
		m.w.T.Fatalf("payload of type %d: answer %d", typ, answers[0])
	}
	synctest.Wait()
}

func (m *mallory) introduces() { m.says(envelope.TypeStart, envelope.StartBody{Name: "bob"}) }

func (m *mallory) moves(move uint8, value [32]byte) {
	m.says(envelope.TypeDigits, envelope.DigitsBody{Move: move, Value: value})
}

func (m *mallory) commits(n [32]byte) {
	m.moves(envelope.MoveCommit, envelope.DigitsCommit(m.sid(), n))
}

// numbers are those that the victim drew.
func (m *mallory) numbers() (all [][32]byte) {
	m.w.T.Helper()
	typ := envelope.MoveNonce
	if m.own.Bundle != nil {
		typ = envelope.MoveReveal
	}
	for _, p := range m.got {
		if p.Type != envelope.TypeDigits {
			continue
		}
		b, err := envelope.DecodeDigits(p.Body)
		m.w.check(err)
		if b.Move == typ && !slices.Contains(all, b.Value) {
			all = append(all, b.Value)
		}
	}
	return all
}

// number is the one that the victim sent.
func (m *mallory) number() [32]byte {
	m.w.T.Helper()
	all := m.numbers()
	if len(all) != 1 {
		m.w.T.Fatalf("%d numbers came, not one", len(all))
	}
	return all[0]
}

// digitsOf are the digits of the initiator's and the responder's number.
func (m *mallory) digitsOf(initiator, responder [32]byte) string {
	d, _ := m.peer.SAS(m.now(), slices.Concat(initiator[:], responder[:]))
	return d
}

// shown are the digits that the victim is asked to compare, "" for none.
func (p *Person) shown() string {
	p.w.T.Helper()
	all, err := p.Core.Pairings(context.Background())
	p.w.check(err)
	if len(all) == 0 {
		return ""
	}
	return all[0].Digits
}

func attack(t *testing.T, fn func(w *World, alice *Person, m *mallory)) {
	t.Helper()
	Run(t, func(w *World) {
		alice := w.Person("alice")
		fn(w, alice, newMallory(w, alice))
	})
}

// The program by hand is understood when it keeps to the rules; so what the other
// tests see is due to what it does otherwise.
func TestDigitsByHand(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		m.introduces()
		if n := len(m.numbers()); n != 0 {
			w.T.Fatalf("%d numbers before a commitment: whoever sees it first can choose a number to fit", n)
		}
		own := [32]byte{1}
		m.commits(own)
		if d := alice.shown(); d != "" {
			w.T.Fatalf("%s shown before the number was revealed", d)
		}
		m.moves(envelope.MoveReveal, own)
		if d := alice.shown(); d != m.digitsOf(own, m.number()) || len(d) != 6 {
			w.T.Fatalf("alice sees %q, mallory computes %q", d, m.digitsOf(own, m.number()))
		}
	})
}

// grind looks for a number with which the victim would see digits that begin as
// wanted. Two figures take a moment; six would take some seconds.
func (m *mallory) grind(theirs [32]byte, want string) [32]byte {
	m.w.T.Helper()
	for i := range 100_000 {
		n := [32]byte{2, byte(i), byte(i >> 8), byte(i >> 16)}
		if m.digitsOf(n, theirs)[:2] == want[:2] {
			return n
		}
	}
	m.w.T.Fatal("not found: the search does not search")
	return [32]byte{}
}

// Mallory swapped alice's invitation for one of her own on its way to bob. She
// knows the digits that bob sees and wants alice to see the same.
func TestDigitsWithSomebodyBetween(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		bob, posing := w.Person("bob"), w.Person("alice, says mallory")
		w.Pair(posing, bob)
		target := bob.shown()
		if target == "" || target != posing.shown() {
			w.T.Fatalf("bob sees %q, mallory %q", target, posing.shown())
		}
		w.Section("kept to the rules, the digits differ")
		m.introduces()
		committed := [32]byte{1}
		m.commits(committed)
		honest := m.digitsOf(committed, m.number())
		if honest == target {
			w.T.Fatal("equal, which happens once in a million times")
		}
		w.Section("another number, found once alice's is known")
		found := m.grind(m.number(), target)
		m.commits(found)
		m.moves(envelope.MoveReveal, found)
		if d := alice.shown(); d != "" {
			w.T.Fatalf("alice is shown %s for a number that was not committed to", d)
		}
		w.Section("and the first one, after all")
		m.moves(envelope.MoveReveal, committed)
		if d := alice.shown(); d != "" {
			w.T.Fatalf("alice is shown %s after a false number", d)
		}
		if len(m.numbers()) != 1 {
			w.T.Fatalf("alice sent %d numbers in one session", len(m.numbers()))
		}
	})
}

// Without the exchange the keys themselves could be chosen to fit
// (crypto/handshake, TestDigitsWithoutANonce). Handshakes that are never revealed
// are tries, too: there are only so many.
func TestDigitsTriedAgainAndAgain(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		m.introduces()
		m.commits([32]byte{1})
		for i := range 11 {
			w.Advance(13 * time.Hour)
			m.starts()
			m.introduces()
			m.commits([32]byte{byte(i + 2)})
		}
		if n := len(m.numbers()); n != 5 {
			w.T.Fatalf("alice sent %d numbers in 12 sessions, not 5", n)
		}
		m.moves(envelope.MoveReveal, [32]byte{12})
		if d := alice.shown(); d != "" {
			w.T.Fatalf("alice is shown %s", d)
		}
	})
}

// The other way round: the victim began the session. Its own number is out of its
// hands as soon as the first of mallory's has come, so no second one may count.
func TestDigitsOfAHostileInviter(t *testing.T) {
	Run(t, func(w *World) {
		alice := w.Person("alice")
		m := newInviter(w, alice)
		m.introduces()
		w.Advance(time.Minute)
		if d := alice.shown(); d != "" || len(m.numbers()) != 0 {
			w.T.Fatalf("before mallory's number: %q is shown, %d numbers sent", d, len(m.numbers()))
		}
		m.moves(envelope.MoveNonce, [32]byte{1})
		want := m.digitsOf(m.number(), [32]byte{1})
		if d := alice.shown(); d != want {
			w.T.Fatalf("alice sees %q, mallory computes %q", d, want)
		}
		m.moves(envelope.MoveNonce, [32]byte{2})
		m.moves(envelope.MoveCommit, [32]byte{3})
		m.moves(envelope.MoveReveal, [32]byte{4})
		if d := alice.shown(); d != want || len(m.numbers()) != 1 {
			w.T.Fatalf("after more numbers alice sees %q, not %q, and sent %d", d, want, len(m.numbers()))
		}
	})
}

// Numbers of one session show nothing in another.
func TestDigitsOfAReplacedSession(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		own := [32]byte{1}
		m.introduces()
		m.commits(own)
		m.moves(envelope.MoveReveal, own)
		if alice.shown() == "" {
			w.T.Fatal("no digits")
		}
		w.Advance(time.Hour)
		m.starts()
		m.introduces()
		if d := alice.shown(); d != "" {
			w.T.Fatalf("alice is shown %s in a session without an exchange", d)
		}
	})
}

// A commitment belongs to its session: nobody can hand on that of another.
func TestDigitsOfAnotherSession(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		m.introduces()
		own := [32]byte{1}
		m.moves(envelope.MoveCommit, envelope.DigitsCommit([16]byte{9}, own))
		m.number()
		m.moves(envelope.MoveReveal, own)
		if d := alice.shown(); d != "" {
			w.T.Fatalf("alice is shown %s", d)
		}
	})
}

// The side that did not begin the session has no commitment to make.
func TestDigitsOutOfTurn(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		m.introduces()
		m.moves(envelope.MoveNonce, [32]byte{1})
		m.moves(envelope.MoveReveal, [32]byte{1})
		m.commits([32]byte{1})
		m.moves(envelope.MoveNonce, [32]byte{1})
		if d := alice.shown(); d != "" {
			w.T.Fatalf("alice is shown %s", d)
		}
		m.moves(envelope.MoveReveal, [32]byte{1})
		if d := alice.shown(); d != m.digitsOf([32]byte{1}, m.number()) {
			w.T.Fatalf("moves out of turn disturbed the others: %q", d)
		}
	})
}

// Nothing of the exchange shows on the wire.
func TestDigitsAreSealed(t *testing.T) {
	attack(t, func(w *World, _ *Person, m *mallory) {
		m.introduces()
		own := [32]byte{1}
		m.commits(own)
		number := m.number()
		m.moves(envelope.MoveReveal, own)
		for _, f := range w.Net.Carried() {
			if kind, _, _, err := handshake.ParseFrame(f); err != nil || kind == 0 {
				w.T.Fatalf("frame: %v", err)
			}
			if bytes.Contains(f, number[:]) || bytes.Contains(f, own[:]) {
				w.T.Error("a frame shows a number")
			}
		}
	})
}
