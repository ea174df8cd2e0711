package handshake

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

var now = time.UnixMilli(1_767_225_600_000).UTC()

// someone is a person with a bundle, and the keys that open handshakes to it.
type someone struct {
	self   *identity.Private
	bundle []byte
	keys   Keys
}

func newSomeone(t testing.TB, oneTime bool) *someone {
	t.Helper()
	self, err := identity.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &someone{self: self, keys: Keys{Signed: newPair(t)}}
	b := prekey.Bundle{
		Inst: identity.Inst{1}, Signed: s.keys.Signed.Public(), Insts: []identity.Inst{{1}},
		Expiry: now.Add(prekey.Published), Counter: 1,
	}
	if oneTime {
		s.keys.OneTime = newPair(t)
		pub := s.keys.OneTime.Public()
		b.OneTime = &pub
	}
	s.bundle = signBundle(t, self, b)
	s.keys.Bundles = [][]byte{[]byte("an older one"), s.bundle}
	return s
}

func newPair(t testing.TB) *prekey.Pair {
	t.Helper()
	p, err := prekey.Generate(rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func signBundle(t testing.TB, self *identity.Private, b prekey.Bundle) []byte {
	t.Helper()
	raw, err := prekey.Sign(self, b)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func initiate(t testing.TB, a, b *someone) *Initiated {
	t.Helper()
	i, err := Initiate(rand.Reader, now, a.self, a.bundle, b.bundle, 5, b.keys.Invite)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func frameOf(t testing.TB, i *Initiated, inner []byte) []byte {
	t.Helper()
	frame, err := i.Frame(inner)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// sealAge and openAge use a ratchet state as the age plugin it is.
func sealAge(t testing.TB, r age.Recipient, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func openAge(t testing.TB, id age.Identity, file []byte) string {
	t.Helper()
	r, err := age.Decrypt(bytes.NewReader(file), id)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestHandshake runs all four shapes to a conversation in both directions.
func TestHandshake(t *testing.T) {
	for name, tc := range map[string]struct{ oneTime, invite bool }{
		"bundle":               {false, false},
		"personal invitation":  {true, true},
		"one-time keys alone":  {true, false},
		"reusable invitation ": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			alice, bob := newSomeone(t, false), newSomeone(t, tc.oneTime)
			if tc.invite {
				bob.keys.Invite = &invite.Secret{7}
			}
			i := initiate(t, alice, bob)
			frame := frameOf(t, i, sealAge(t, i.Ratchet.Recipient(now, rand.Reader), "hello bob"))
			if hint, ok := Peek(frame); !ok || hint != bob.keys.outer().Hint() {
				t.Fatalf("hint %x", hint)
			}
			acc, err := Open(now, bob.self, bob.keys, frame)
			if err != nil {
				t.Fatal(err)
			}
			if acc.From != alice.self.Public() || !bytes.Equal(acc.BundleRaw, alice.bundle) || acc.HS != 5 || acc.TH != i.TH {
				t.Fatalf("%+v", acc)
			}
			if (acc.InviteID != [16]byte{}) != tc.invite {
				t.Fatalf("invitation %x", acc.InviteID)
			}
			if a, b := i.SAS([]byte("n")), acc.SAS([]byte("n")); a != b || len(a) != 6 || a == i.SAS(nil) {
				t.Fatalf("digits %s and %s, without a nonce %s", a, b, i.SAS(nil))
			}
			if got := openAge(t, acc.Ratchet.Identity(now, rand.Reader), acc.Inner); got != "hello bob" {
				t.Fatalf("bob reads %q", got)
			}
			answer := sealAge(t, acc.Ratchet.Recipient(now, rand.Reader), "hello alice")
			if got := openAge(t, i.Ratchet.Identity(now, rand.Reader), answer); got != "hello alice" {
				t.Fatalf("alice reads %q", got)
			}
		})
	}
}

// TestFirstFlight: every frame of one handshake has an outer file of its own and
// the same block, also after a restart.
func TestFirstFlight(t *testing.T) {
	alice, bob := newSomeone(t, false), newSomeone(t, true)
	i := initiate(t, alice, bob)
	one := frameOf(t, i, []byte("one"))
	stored, err := i.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	restarted, err := ParseInitiated(stored)
	if err != nil {
		t.Fatal(err)
	}
	two := frameOf(t, restarted, []byte("one"))
	if bytes.Equal(one, two) {
		t.Fatal("the outer file was not made afresh")
	}
	for _, frame := range [][]byte{one, two} {
		acc, err := Open(now, bob.self, bob.keys, frame)
		if err != nil || acc.TH != i.TH || string(acc.Inner) != "one" || acc.SAS(nil) != restarted.SAS(nil) {
			t.Fatalf("%v", err)
		}
	}
	if _, err := ParseInitiated(stored[:len(stored)-1]); !errors.Is(err, ErrMalformed) {
		t.Fatalf("cut: %v", err)
	}
}

// TestOuterIsStockAge: a plain hybrid identity opens the outer file, with nothing
// of ours.
func TestOuterIsStockAge(t *testing.T) {
	alice, bob := newSomeone(t, false), newSomeone(t, false)
	_, _, file, err := ParseFrame(frameOf(t, initiate(t, alice, bob), []byte("inner")))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := age.ParseHybridIdentity(bob.keys.Signed.Identity().String())
	if err != nil {
		t.Fatal(err)
	}
	if text := openAge(t, plain, file); !bytes.Contains([]byte(text), alice.bundle) {
		t.Fatal("the offer is not in it")
	}
}

// TestNothingOutsideNamesTheInitiator: two frames of one person to one prekey
// share their fixed beginning and nothing else, and hold none of the keys that
// could name anybody.
func TestNothingOutsideNamesTheInitiator(t *testing.T) {
	alice, bob := newSomeone(t, false), newSomeone(t, false)
	i := initiate(t, alice, bob)
	one, two := frameOf(t, i, []byte("inner")), frameOf(t, i, []byte("inner"))
	fixed := len("k") + prekey.HintSize + len("age-encryption.org/v1\n-> mlkem768x25519 ")
	if !bytes.Equal(one[:fixed], two[:fixed]) {
		t.Fatal("the beginning differs")
	}
	const width = 12 // two random files share twelve base64 characters once in 10^14 runs
	seen := map[string]bool{}
	for n := fixed; n+width <= len(one); n++ {
		seen[string(one[n:n+width])] = true
	}
	for n := fixed; n+width <= len(two); n++ {
		if part := two[n : n+width]; seen[string(part)] && !bytes.Equal(part, two[fixed:fixed+width]) {
			t.Fatalf("both hold %q", part)
		}
	}
	id, dh := alice.self.ID(), alice.self.Public().DH
	for _, name := range [][]byte{id[:8], dh[:8], alice.bundle[:64], i.TH[:8]} {
		if bytes.Contains(one, name) {
			t.Fatalf("holds %x", name)
		}
	}
	other := newSomeone(t, false)
	if n := len(frameOf(t, initiate(t, other, bob), []byte("inner"))); n != len(one) {
		t.Fatalf("%d bytes from one person, %d from another", len(one), n)
	}
}

// TestSizeHidesTheInvitation: with or without, a frame is as long.
func TestSizeHidesTheInvitation(t *testing.T) {
	alice, bob := newSomeone(t, false), newSomeone(t, false)
	without := len(frameOf(t, initiate(t, alice, bob), []byte("inner")))
	bob.keys.Invite = &invite.Secret{1}
	if with := len(frameOf(t, initiate(t, alice, bob), []byte("inner"))); with != without {
		t.Fatalf("%d bytes with an invitation, %d without", with, without)
	}
}

func TestFrameLimit(t *testing.T) {
	alice, bob := newSomeone(t, false), newSomeone(t, false)
	i := initiate(t, alice, bob)
	frame := frameOf(t, i, make([]byte, 100<<10))
	if len(frame) > MaxFrame {
		t.Fatalf("%d bytes", len(frame))
	}
	if _, err := i.Frame(make([]byte, MaxFrame-100)); !errors.Is(err, ErrTooBig) {
		t.Fatalf("over the limit: %v", err)
	}
	overhead := len(frameOf(t, i, make([]byte, 512))) - 512
	t.Logf("a handshake frame has %d bytes more than its inner envelope", overhead)
	if overhead > 4096 {
		t.Fatalf("%d bytes of overhead", overhead)
	}
}

func TestInitiateRefuses(t *testing.T) {
	alice, bob, withOneTime := newSomeone(t, false), newSomeone(t, false), newSomeone(t, true)
	zero := newPair(t).Public()
	zero.DH = [32]byte{}
	zeroBundle := signBundle(t, bob.self, prekey.Bundle{
		Inst: identity.Inst{1}, Signed: zero, Insts: []identity.Inst{{1}}, Expiry: now.Add(time.Hour), Counter: 2,
	})
	for name, tc := range map[string]struct {
		self      *identity.Private
		own, peer []byte
		hs        uint64
		want      error
	}{
		"with oneself":           {alice.self, alice.bundle, alice.bundle, 1, ErrSelf},
		"foreign own bundle":     {alice.self, bob.bundle, bob.bundle, 1, ErrMalformed},
		"own one-time keys":      {withOneTime.self, withOneTime.bundle, bob.bundle, 1, ErrMalformed},
		"number zero":            {alice.self, alice.bundle, bob.bundle, 0, ErrMalformed},
		"all-zero Diffie-Helman": {alice.self, alice.bundle, zeroBundle, 1, ErrZeroDH},
		"damaged bundle":         {alice.self, alice.bundle, bob.bundle[1:], 1, prekey.ErrMalformed},
	} {
		if _, err := Initiate(rand.Reader, now, tc.self, tc.own, tc.peer, tc.hs, nil); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	short := bytes.NewReader(make([]byte, 95))
	if _, err := Initiate(short, now, alice.self, alice.bundle, bob.bundle, 1, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("without randomness: %v", err)
	}
}

func TestParseFrame(t *testing.T) {
	hint := prekey.Hint{1, 2, 3}
	for name, tc := range map[string]struct {
		frame []byte
		ok    bool
	}{
		"handshake":              {AppendFrame(nil, KindHandshake, hint, []byte("e")), true},
		"ratchet":                {AppendFrame(nil, KindRatchet, prekey.Hint{}, []byte("e")), true},
		"largest":                {AppendFrame(nil, KindRatchet, prekey.Hint{}, make([]byte, MaxFrame-1)), true},
		"empty":                  {nil, false},
		"kind alone":             {[]byte{2}, false},
		"kind 0":                 {[]byte{0, 1, 2}, false},
		"kind 3":                 {[]byte{3, 1, 2}, false},
		"hint cut short":         {[]byte{1, 1, 2, 3, 4, 5, 6, 7}, false},
		"hint without envelope":  {[]byte{1, 1, 2, 3, 4, 5, 6, 7, 8}, false},
		"one byte over the size": {AppendFrame(nil, KindRatchet, prekey.Hint{}, make([]byte, MaxFrame)), false},
	} {
		kind, gotHint, envelope, err := ParseFrame(tc.frame)
		if tc.ok != (err == nil) || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && !bytes.Equal(AppendFrame(nil, kind, gotHint, envelope), tc.frame) {
			t.Errorf("%s: changed", name)
		}
	}
	if _, ok := Peek(AppendFrame(nil, KindRatchet, prekey.Hint{}, []byte("e"))); ok {
		t.Error("a ratchet frame has a hint")
	}
	if got := slices.Compact([]Kind{KindHandshake, 1}); len(got) != 1 || KindRatchet != 2 {
		t.Error("the kinds' values changed")
	}
}

func BenchmarkInitiate(b *testing.B) {
	alice, bob := newSomeone(b, false), newSomeone(b, true)
	for b.Loop() {
		frameOf(b, initiate(b, alice, bob), make([]byte, 512))
	}
}

func BenchmarkOpen(b *testing.B) {
	alice, bob := newSomeone(b, false), newSomeone(b, true)
	frame := frameOf(b, initiate(b, alice, bob), make([]byte, 512))
	for b.Loop() {
		if _, err := Open(now, bob.self, bob.keys, frame); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRefuse is what a frame with an unknown prekey costs.
func BenchmarkRefuse(b *testing.B) {
	alice, bob := newSomeone(b, false), newSomeone(b, true)
	frame := frameOf(b, initiate(b, alice, bob), make([]byte, 512))
	for b.Loop() {
		if _, ok := Peek(frame); !ok {
			b.Fatal("no hint")
		}
	}
}
