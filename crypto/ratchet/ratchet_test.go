package ratchet

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"

	"filippo.io/age"
)

var start = time.Unix(1_800_000_000, 0)

// tester is what the helpers need of a *testing.T, a *testing.B or a *rapid.T.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func random32() (k [32]byte) {
	rand.Read(k[:])
	return k
}

func newKey(t tester) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// pair returns both sides of a fresh session; alice sends first.
func pair(t tester) (alice, bob *State) {
	t.Helper()
	rk, hka, nhkb, ad := random32(), random32(), random32(), random32()
	spk := newKey(t)
	alice, err := NewInitiator(rk, hka, nhkb, ad, newKey(t), [32]byte(spk.PublicKey().Bytes()), start)
	if err != nil {
		t.Fatal(err)
	}
	bob, err = NewResponder(rk, hka, nhkb, ad, spk, start)
	if err != nil {
		t.Fatal(err)
	}
	return alice, bob
}

func seal(t tester, s *State, now time.Time, text string) []byte {
	t.Helper()
	blob, err := encrypt(s.Recipient(now, rand.Reader), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func encrypt(r age.Recipient, plain []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, r)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}

// open opens blob as a caller does: on a clone, kept only after the verified end.
func open(s **State, now time.Time, blob []byte) (string, error) {
	c := (*s).Clone()
	r, err := age.Decrypt(bytes.NewReader(blob), c.Identity(now, rand.Reader))
	if err != nil {
		return "", err
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	*s = c
	return string(plain), nil
}

func mustOpen(t tester, s **State, now time.Time, blob []byte, want string) {
	t.Helper()
	got, err := open(s, now, blob)
	if err != nil || got != want {
		t.Fatalf("open: %q, %v; want %q", got, err, want)
	}
}

func TestConversation(t *testing.T) {
	alice, bob := pair(t)
	if bob.CanSend() || !alice.CanSend() {
		t.Fatal("the initiator sends first")
	}
	if _, err := encrypt(bob.Recipient(start, rand.Reader), nil); !errors.Is(err, ErrCannotSend) {
		t.Fatalf("responder sealed before it opened: %v", err)
	}
	for range 5 {
		first, second := seal(t, alice, start, "one"), seal(t, alice, start, "two")
		mustOpen(t, &bob, start, second, "two")
		mustOpen(t, &bob, start, first, "one")
		if _, err := open(&bob, start, first); !errors.Is(err, ErrUsed) && !errors.Is(err, ErrNotMine) {
			t.Fatalf("opened twice: %v", err)
		}
		mustOpen(t, &alice, start, seal(t, bob, start, "three"), "three")
	}
}
