package ratchet

import (
	"bytes"
	"crypto/rand"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"
)

// seedStates are states of every shape a session passes through.
func seedStates(f *testing.F) (states []*State) {
	f.Helper()
	alice, bob := pair(f)
	late := start.Add(KEMEveryTime)
	states = append(states, alice.Clone(), bob.Clone())
	seal(f, alice, start, "lost")
	mustOpen(f, &bob, start, seal(f, alice, start, "x"), "x")
	states = append(states, bob.Clone())
	mustOpen(f, &alice, start, seal(f, bob, start, "y"), "y")
	mustOpen(f, &bob, late, seal(f, alice, late, "offer"), "offer")
	states = append(states, alice.Clone(), bob.Clone())
	mustOpen(f, &alice, late, seal(f, bob, late, "answer and offer"), "answer and offer")
	return append(states, alice, bob)
}

func FuzzParse(f *testing.F) {
	for _, s := range seedStates(f) {
		stored, err := s.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stored)
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		s, err := Parse(stored)
		if err != nil {
			return
		}
		again, err := s.Marshal()
		if err != nil || !bytes.Equal(stored, again) {
			t.Fatalf("parsed, but is not what the state stores: %v", err)
		}
		c := s.Clone()
		c.Prune(start)
		c.DropOldestSkipped(1)
		if s.CanSend() {
			if _, err := encrypt(s.Recipient(start, rand.Reader), nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzHeader feeds what an authenticated but hostile peer can put into a header.
func FuzzHeader(f *testing.F) {
	alice, bob := pair(f)
	mustOpen(f, &bob, start, seal(f, alice, start, "x"), "x")
	f.Add(make([]byte, headerPlain), false)
	f.Add(make([]byte, headerAnswer), true)
	f.Add(make([]byte, headerOffer), true)
	f.Add(bytes.Repeat([]byte{0xFF}, headerBoth), false)
	f.Fuzz(func(t *testing.T, plain []byte, next bool) {
		if h, err := parseHeader(plain); err == nil && !bytes.Equal(h.bytes(), plain) {
			t.Fatal("header parses, but not to what it says")
		}
		hk := bob.recv.hk
		if next {
			hk = bob.nhkr
		}
		before := bob.Clone()
		sealed := sealPlain(t, &hk, plain)
		st := &age.Stanza{Type: StanzaType, Args: []string{b64.EncodeToString(sealed)}, Body: make([]byte, bodySize)}
		if _, err := bob.Identity(start, rand.Reader).Unwrap([]*age.Stanza{st}); err == nil {
			t.Fatal("a body of zeros opened")
		}
		same(t, bob, before)
	})
}

// sealPlain encrypts whatever bytes as a header.
func sealPlain(t *testing.T, hk *key, plain []byte) []byte {
	t.Helper()
	aead, err := chacha20poly1305.NewX(hk[:])
	if err != nil {
		t.Fatal(err)
	}
	nonce := random32()
	return aead.Seal(nonce[:nonceSize], nonce[:nonceSize], plain, nil)
}

// FuzzStanza feeds the argument and body of a stanza.
func FuzzStanza(f *testing.F) {
	alice, bob := pair(f)
	good := stanzasOf(f, seal(f, alice, start, "x"))[0]
	f.Add(good.Type, good.Args[0], good.Body)
	f.Add("X25519", "", []byte{})
	f.Fuzz(func(t *testing.T, kind, arg string, body []byte) {
		s := bob.Clone()
		_, err := s.Identity(start, rand.Reader).Unwrap([]*age.Stanza{{Type: kind, Args: []string{arg}, Body: body}})
		if genuine := kind == good.Type && arg == good.Args[0] && bytes.Equal(body, good.Body); genuine != (err == nil) {
			t.Fatalf("genuine %v, error %v", genuine, err)
		}
		if err != nil {
			same(t, s, bob)
		}
	})
}
