package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/kuvert-im/kuvert/crypto/canon"
)

func generate(t testing.TB) *Private {
	t.Helper()
	p, err := Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPublicVerify(t *testing.T) {
	p := generate(t).Public()
	if err := p.Verify(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Public){
		"other ID":  func(p *Public) { p.ID[0] ^= 1 },
		"other DH":  func(p *Public) { p.DH[0] ^= 1 },
		"other sig": func(p *Public) { p.Sig[0] ^= 1 },
	} {
		bad := p
		spoil(&bad)
		if err := bad.Verify(); !errors.Is(err, ErrBadSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLabelsSeparate: a signature for one purpose is none for another, however the
// parts are cut.
func TestLabelsSeparate(t *testing.T) {
	p := generate(t)
	sig := p.Sign("hs", []byte("ab"), []byte("c"))
	if !Verify(p.ID(), sig, "hs", []byte("ab"), []byte("c")) {
		t.Fatal("the signature itself is refused")
	}
	if Verify(p.ID(), sig, "bundle", []byte("ab"), []byte("c")) {
		t.Error("accepted under another label")
	}
	if Verify(p.ID(), sig, "hs", []byte("a"), []byte("bc")) {
		t.Error("accepted with the parts cut elsewhere")
	}
}

// TestSmallOrder shows both that the listed keys are dangerous (the standard
// library accepts a signature made without a private key for one message in
// eight at least) and that they are refused.
func TestSmallOrder(t *testing.T) {
	forged := [64]byte{1} // R = the neutral element, S = 0
	for _, id := range smallOrder {
		for _, sign := range []byte{0, 0x80} {
			id[31] |= sign
			t.Run(fmt.Sprintf("%x", id[:]), func(t *testing.T) {
				if err := id.Valid(); !errors.Is(err, ErrBadKey) {
					t.Fatalf("Valid: %v", err)
				}
				for i := range uint32(1000) {
					msg := binary.BigEndian.AppendUint32(nil, i)
					if ed25519.Verify(id[:], canon.Frame("x", msg), forged[:]) && Verify(id, forged, "x", msg) {
						t.Fatal("a forged signature was accepted")
					}
				}
			})
		}
	}
	if err := generate(t).ID().Valid(); err != nil {
		t.Fatalf("an honest key: %v", err)
	}
}

// TestSmallOrderIsDangerous keeps the test above honest: without the check, such
// keys do accept the forgery.
func TestSmallOrderIsDangerous(t *testing.T) {
	forged, accepted := [64]byte{1}, 0
	for _, id := range smallOrder {
		for i := range uint32(200) {
			if ed25519.Verify(id[:], binary.BigEndian.AppendUint32(nil, i), forged[:]) {
				accepted++
				break
			}
		}
	}
	if accepted < 5 {
		t.Fatalf("only %d of %d listed keys accept the forgery", accepted, len(smallOrder))
	}
}

// lowOrder are X25519 keys whose every result is zero: 0, 1, and the points of
// order 8 (from Wycheproof).
func lowOrder(t *testing.T) [][32]byte {
	t.Helper()
	out := [][32]byte{{}, {1}}
	for _, text := range []string{
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	} {
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, [32]byte(raw))
	}
	return out
}

func TestECDHRefusesZero(t *testing.T) {
	p := generate(t)
	for _, low := range lowOrder(t) {
		if _, err := p.ECDH(low); !errors.Is(err, ErrZeroDH) {
			t.Errorf("%x: %v", low, err)
		}
		if _, err := Kpair(p, Public{DH: low}); !errors.Is(err, ErrZeroDH) {
			t.Errorf("Kpair with %x: %v", low, err)
		}
	}
}

func TestKpair(t *testing.T) {
	a, b, c := generate(t), generate(t), generate(t)
	ab, err := Kpair(a, b.Public())
	if err != nil {
		t.Fatal(err)
	}
	ba, _ := Kpair(b, a.Public())
	ac, _ := Kpair(a, c.Public())
	if ab != ba || ab == ac {
		t.Fatalf("a-b %x, b-a %x, a-c %x", ab, ba, ac)
	}
	// Somebody who puts our X25519 key into an identity of their own shares no key.
	thief := b.Public()
	thief.ID = c.ID()
	if at, _ := Kpair(a, thief); at == ab {
		t.Fatal("the key does not depend on the identities")
	}
}

func TestSafetyNumber(t *testing.T) {
	a, b, c := generate(t).Public(), generate(t).Public(), generate(t).Public()
	ab := SafetyNumber(a, b)
	if !regexp.MustCompile(`^\d{5}( \d{5}){11}$`).MatchString(ab) {
		t.Fatalf("%q", ab)
	}
	if ba := SafetyNumber(b, a); ba != ab {
		t.Fatalf("%q on one side, %q on the other", ab, ba)
	}
	if SafetyNumber(a, c) == ab {
		t.Fatal("equal for two people")
	}
	changed := b
	changed.DH[0] ^= 1
	if SafetyNumber(a, changed) == ab {
		t.Fatal("does not depend on the X25519 key")
	}
}

func TestMarshal(t *testing.T) {
	p := generate(t)
	got, err := ParsePrivate(p.Marshal())
	if err != nil || got.Public() != p.Public() {
		t.Fatalf("%v", err)
	}
	raw := p.Marshal()
	for name, bad := range map[string][]byte{
		"empty":         nil,
		"cut short":     raw[:len(raw)-1],
		"other version": bytes.Replace(raw, []byte{1, 1}, []byte{1, 2}, 1),
	} {
		if _, err := ParsePrivate(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingSecretIsPrinted(t *testing.T) {
	p := generate(t)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if out := fmt.Sprintf(format, p); !strings.Contains(out, "[private key]") {
			t.Errorf("%s prints %q", format, out)
		}
	}
}

func FuzzParsePrivate(f *testing.F) {
	f.Add(generate(f).Marshal())
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParsePrivate(raw)
		if err == nil && !bytes.Equal(p.Marshal(), raw) {
			t.Fatal("two encodings of one identity")
		}
	})
}
