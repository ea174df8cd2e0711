package ratchet

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// headerOf opens the header of blob with the reader's keys.
func headerOf(t testing.TB, s *State, blob []byte) *header {
	t.Helper()
	sealed := sealedHeader(t, blob)
	for _, hk := range s.headerKeys() {
		if plain, ok := openHeader(&hk, sealed); ok {
			h, err := parseHeader(plain)
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
	}
	t.Fatal("no key of the reader opens this header")
	return nil
}

func (s *State) headerKeys() []key {
	keys := []key{s.nhkr}
	if s.recv != nil {
		keys = append(keys, s.recv.hk)
	}
	for i := range s.old {
		keys = append(keys, s.old[i].hk)
	}
	return keys
}

// sealedHeader is the decoded argument of the stanza of blob.
func sealedHeader(t testing.TB, blob []byte) []byte {
	t.Helper()
	_, rest, _ := bytes.Cut(blob, []byte("-> "+StanzaType+" "))
	arg, _, ok := bytes.Cut(rest, []byte("\n"))
	if !ok {
		t.Fatal("not a ratchet envelope")
	}
	sealed, err := decodeSealed(string(arg))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// headerSizeOf is the length of the plain header of blob.
func headerSizeOf(t testing.TB, blob []byte) int { return len(sealedHeader(t, blob)) - 24 - 16 }

// talk lets both sides say one thing in turn, rounds times, and returns the
// sizes of the headers.
func talk(t testing.TB, alice, bob **State, now time.Time, rounds int) (sizes [][2]int) {
	t.Helper()
	for range rounds {
		a := seal(t, *alice, now, "ping")
		mustOpen(t, bob, now, a, "ping")
		b := seal(t, *bob, now, "pong")
		mustOpen(t, alice, now, b, "pong")
		sizes = append(sizes, [2]int{headerSizeOf(t, a), headerSizeOf(t, b)})
	}
	return sizes
}

func TestKEMAfterMessages(t *testing.T) {
	alice, bob := pair(t)
	sizes := talk(t, &alice, &bob, start, 60)
	// 50 messages are 25 rounds. Alice then offers; bob, who has counted one
	// more, answers and offers; alice answers.
	for i, s := range sizes {
		want := [2]int{headerPlain, headerPlain}
		switch i {
		case 25, 51:
			want = [2]int{headerOffer, headerBoth}
		case 26, 52:
			want = [2]int{headerAnswer, headerPlain}
		}
		if s != want {
			t.Errorf("round %d: headers of %v bytes, want %v", i, s, want)
		}
	}
}

func TestKEMAfterTime(t *testing.T) {
	for name, wait := range map[string]time.Duration{
		"a day": KEMEveryTime, "clock went back": -KEMEveryTime, "clock jumped": 10 * 365 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			alice, bob := pair(t)
			talk(t, &alice, &bob, start, 2)
			if got := talk(t, &alice, &bob, start.Add(wait*23/24), 1); name == "a day" && got[0] != [2]int{headerPlain, headerPlain} {
				t.Fatalf("headers of %v bytes after 23 hours", got)
			}
			alice, bob = pair(t)
			talk(t, &alice, &bob, start, 2)
			if got := talk(t, &alice, &bob, start.Add(wait), 1); got[0] != [2]int{headerOffer, headerBoth} {
				t.Fatalf("headers of %v bytes after %v", got, wait)
			}
			if got := talk(t, &alice, &bob, start.Add(wait), 2); got[0] != [2]int{headerAnswer, headerPlain} || got[1] != [2]int{headerPlain, headerPlain} {
				t.Fatalf("headers of %v bytes after the step", got)
			}
		})
	}
}

// All messages of a chain carry the same offer, or none does.
func TestKEMOfferInEveryMessage(t *testing.T) {
	alice, bob := pair(t)
	talk(t, &alice, &bob, start, 1)
	first := seal(t, alice, start, "no offer yet")
	late := start.Add(2 * KEMEveryTime)
	second := seal(t, alice, late, "nor in the middle of a chain")
	if headerSizeOf(t, first) != headerPlain || headerSizeOf(t, second) != headerPlain {
		t.Fatal("a chain began without an offer and went on with one")
	}
	mustOpen(t, &bob, late, first, "no offer yet")
	answer := [][]byte{seal(t, bob, late, "1"), seal(t, bob, late, "2"), seal(t, bob, late, "3")}
	ek := headerOf(t, alice, answer[0]).ek
	if ek == nil {
		t.Fatal("a chain that began late offers nothing")
	}
	for _, blob := range answer {
		if h := headerOf(t, alice, blob); !bytes.Equal(h.ek, ek) {
			t.Fatal("another offer in the same chain")
		}
	}
	mustOpen(t, &alice, late, answer[2], "3") // any one of them is enough
	replies := [][]byte{seal(t, alice, late, "4"), seal(t, alice, late, "5")}
	ct := headerOf(t, bob, replies[0]).ct
	if ct == nil || !bytes.Equal(headerOf(t, bob, replies[1]).ct, ct) {
		t.Fatal("not the same answer in every message of the chain")
	}
	mustOpen(t, &bob, late, replies[1], "5")
	mustOpen(t, &bob, late, replies[0], "4")
	mustOpen(t, &alice, late, answer[0], "1")
	mustOpen(t, &bob, late, second, "nor in the middle of a chain")
}

// The decapsulation seed is gone from the state after the receive step, and the
// secret really went into the root key.
func TestKEMSeedDies(t *testing.T) {
	alice, bob := pair(t)
	talk(t, &alice, &bob, start, 1)
	late := start.Add(KEMEveryTime)
	mustOpen(t, &bob, late, seal(t, alice, late, "offer"), "offer")
	seed := bytes.Clone(alice.offer.seed[:])
	stored, err := alice.Marshal()
	if err != nil || !bytes.Contains(stored, seed) {
		t.Fatalf("an offering state does not hold its seed: %v", err)
	}
	mustOpen(t, &alice, late, seal(t, bob, late, "answer"), "answer")
	stored, err = alice.Marshal()
	if err != nil || bytes.Contains(stored, seed) || alice.offer != nil {
		t.Fatalf("the seed outlived the receive step: %v", err)
	}
}

func TestKEMSecretIsMixedIn(t *testing.T) {
	alice, bob := pair(t)
	talk(t, &alice, &bob, start, 1)
	late := start.Add(KEMEveryTime)
	offer := seal(t, alice, late, "offer")
	// The same envelope, opened twice with the same ratchet key but another
	// encapsulation, gives another chain.
	one, two := bob.Clone(), bob.Clone()
	zero := bytes.NewReader(make([]byte, 64))
	for _, s := range []*State{one, two} {
		zero.Reset(make([]byte, 64))
		if _, err := s.Identity(late, zero).Unwrap(stanzasOf(t, offer)); err != nil {
			t.Fatal(err)
		}
	}
	if one.self.priv != two.self.priv {
		t.Fatal("the test does not control the ratchet key")
	}
	if one.rk == two.rk || one.send.ck == two.send.ck {
		t.Fatal("the KEM's secret is not in the root step")
	}
	// Whoever answers without the right secret is not understood.
	mustOpen(t, &bob, late, offer, "offer")
	bob.send.ct = bytes.Clone(bob.send.ct)
	bob.send.ct[0] ^= 1
	if _, err := open(&alice, late, seal(t, bob, late, "wrong answer")); !errors.Is(err, ErrTampered) {
		t.Fatalf("a wrong KEM answer: %v", err)
	}
}

// The peer's next chain answers, or is refused; nobody answers what was not asked.
func TestKEMAnswerIsDemanded(t *testing.T) {
	late := start.Add(KEMEveryTime)
	alice, bob := pair(t)
	talk(t, &alice, &bob, start, 1)
	mustOpen(t, &bob, late, seal(t, alice, late, "offer"), "offer")
	mute := bob.Clone()
	mute.send.ct = nil
	before := alice.Clone()
	if _, err := open(&alice, late, seal(t, mute, late, "x")); !errors.Is(err, ErrMismatch) {
		t.Fatalf("no answer to an offer: %v", err)
	}
	same(t, alice, before)
	mustOpen(t, &alice, late, seal(t, bob, late, "answer"), "answer")

	alice, bob = pair(t)
	mustOpen(t, &bob, start, seal(t, alice, start, "no offer"), "no offer")
	bob.send.ct = make([]byte, ctSize)
	if _, err := open(&alice, start, seal(t, bob, start, "x")); !errors.Is(err, ErrMismatch) {
		t.Fatalf("an answer nobody asked for: %v", err)
	}
}

func TestKEMKeyOutOfRange(t *testing.T) {
	late := start.Add(KEMEveryTime)
	alice, bob := pair(t)
	talk(t, &alice, &bob, start, 1)
	seal(t, alice, late, "draws the offer")
	for i := range alice.offer.ek {
		alice.offer.ek[i] = 0xFF // coefficients of 4095 are no residues modulo 3329
	}
	before := bob.Clone()
	if _, err := open(&bob, late, seal(t, alice, late, "x")); !errors.Is(err, ErrTampered) {
		t.Fatalf("an encapsulation key out of range: %v", err)
	}
	same(t, bob, before)
}
