package apptest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/pairing"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// tell and hear are the two directions of mallory's end of a pairing.
func (m *mallory) tell(st core.PairStream, msg interface{ Encode() ([]byte, error) }) {
	m.w.T.Helper()
	raw, err := msg.Encode()
	m.w.check(err)
	m.w.check(st.Send(context.Background(), raw))
}

func hear[T any](m *mallory, st core.PairStream, decode func([]byte) (T, error)) (T, bool) {
	m.w.T.Helper()
	raw, err := st.Receive(context.Background())
	if err != nil {
		var none T
		return none, false
	}
	v, err := decode(raw)
	m.w.check(err)
	return v, true
}

// asks begins a pairing and reports whether the victim's app went along.
func (m *mallory) asks() (core.PairStream, pairing.Offer, bool) {
	m.w.T.Helper()
	st, err := m.link.PairDial(context.Background(), m.victim.link.key)
	m.w.check(err)
	m.tell(st, pairing.Request{Version: pairing.Version, Name: "mallory"})
	offer, ok := hear(m, st, pairing.DecodeOffer)
	return st, offer, ok
}

// triesOnce pairs up to the point where mallory knows the digits and the victim
// does not, and leaves.
func (m *mallory) triesOnce() bool {
	m.w.T.Helper()
	st, offer, ok := m.asks()
	defer func() { _ = st.Close() }()
	if !ok {
		return false
	}
	m.tell(st, pairing.CommitTo(m.pairFrame(offer)))
	if _, ok := hear(m, st, pairing.DecodeNonce); !ok {
		m.w.T.Fatal("no nonce")
	}
	return true
}

// pairsOpenly keeps to the protocol until the digits show, and then says that they
// differ.
func (m *mallory) pairsOpenly() bool {
	m.w.T.Helper()
	st, offer, ok := m.asks()
	defer func() { _ = st.Close() }()
	if !ok {
		return false
	}
	frame := m.pairFrame(offer)
	m.tell(st, pairing.CommitTo(frame))
	if _, ok := hear(m, st, pairing.DecodeNonce); !ok {
		m.w.T.Fatal("no nonce")
	}
	m.tell(st, pairing.Reveal{Frame: frame})
	synctest.Wait()
	m.tell(st, pairing.Decision{Same: false})
	synctest.Wait()
	return true
}

func (m *mallory) pairFrame(offer pairing.Offer) []byte {
	m.w.T.Helper()
	p, err := session.PeerOf(m.now(), offer.Bundle)
	m.w.check(err)
	m.w.check(p.Start(m.now(), nil))
	body, err := envelope.StartBody{Name: "mallory"}.Encode()
	m.w.check(err)
	sealed, err := p.Seal(m.now(), envelope.Payload{
		Type: envelope.TypeStart, Conversation: chat.DirectConversation(chat.PersonID(m.env.Self.ID()), m.victim.Me()),
		MessageID: chat.NewMessageID(), Sent: time.Now(), Body: body,
	}, 0, true)
	m.w.check(err)
	frame, err := p.Frame(m.now(), sealed)
	m.w.check(err)
	return frame
}

func visible(t *testing.T, fn func(w *World, alice *Person, m *mallory)) {
	t.Helper()
	Run(t, func(w *World) {
		alice := w.Person("alice")
		w.check(alice.Core.SetSetting(context.Background(), core.SettingVisible, "true"))
		fn(w, alice, program(w, alice))
	})
}

// states counts the pairings on a person's screen by their state.
func (p *Person) states() map[core.PairingState]int {
	p.w.T.Helper()
	all, err := p.Core.Pairings(context.Background())
	p.w.check(err)
	n := map[core.PairingState]int{}
	for _, u := range all {
		n[u.State]++
	}
	return n
}

func TestPairingsNeverRevealed(t *testing.T) {
	visible(t, func(w *World, alice *Person, m *mallory) {
		for i := range 3 {
			w.Advance(20 * time.Minute) // slowly does not help
			if !m.triesOnce() {
				w.T.Fatalf("try %d was not let in", i)
			}
			synctest.Wait()
		}
		if m.triesOnce() {
			w.T.Fatal("let in during the pause")
		}
		other := program(w, alice)
		if other.pairsOpenly() {
			w.T.Fatal("another machine was let in during the pause")
		}
		w.Advance(9 * time.Minute)
		if m.triesOnce() {
			w.T.Fatal("let in before the pause was over")
		}
		w.Advance(2 * time.Minute)
		if !m.pairsOpenly() {
			w.T.Fatal("not let in after the pause")
		}
	})
}

// What was not revealed yet counts as well: many at once are no way around it.
func TestPairingsNeverRevealedAtOnce(t *testing.T) {
	visible(t, func(w *World, alice *Person, m *mallory) {
		open := 0
		for i := range byte(6) {
			other := *m
			other.link = w.Net.newLink("mallory", [32]byte{100, i})
			other.link.handler = &other
			if _, _, ok := other.asks(); ok {
				open++
			}
		}
		if n := alice.states()[core.PairingWaiting]; open != 3 || n != 3 {
			w.T.Fatalf("%d let in, %d shown as waiting, not 3", open, n)
		}
	})
}

func TestPairingsAMinute(t *testing.T) {
	visible(t, func(w *World, _ *Person, m *mallory) {
		for i := range 10 {
			if !m.pairsOpenly() {
				w.T.Fatalf("pairing %d was not let in", i)
			}
			w.Advance(time.Second)
		}
		if m.pairsOpenly() {
			w.T.Fatal("the eleventh within a minute was let in")
		}
		w.Advance(time.Minute)
		if !m.pairsOpenly() {
			w.T.Fatal("not let in a minute later")
		}
	})
}

// A screen is not filled with attempts that are over.
func TestPairingsThatEnded(t *testing.T) {
	visible(t, func(w *World, alice *Person, _ *mallory) {
		bob := w.Person("bob")
		w.Advance(time.Second)
		near, err := bob.Core.Nearby(context.Background())
		if err != nil || len(near) != 1 {
			w.T.Fatalf("nearby %+v, %v", near, err)
		}
		w.check(alice.Core.SetSetting(context.Background(), core.SettingVisible, "false"))
		alice.Quits()
		w.Net.mu.Lock()
		bobsView := bob.link.handler
		w.Net.mu.Unlock()
		bobsView.Visible(alice.link.key, "alice") // an announcement that was late
		for range 20 {
			if _, err := bob.Core.Pair(context.Background(), near[0].ID); err != nil {
				w.T.Fatal(err)
			}
			synctest.Wait()
		}
		if n := bob.states()[core.PairingFailed]; n != 16 {
			w.T.Fatalf("%d attempts are listed, not 16", n)
		}
		w.Advance(2 * time.Minute)
		if n := bob.states()[core.PairingFailed]; n != 0 {
			w.T.Fatalf("%d attempts are listed after two minutes", n)
		}
	})
}
