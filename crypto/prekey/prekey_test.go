package prekey

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/identity"
)

var now = time.UnixMilli(1_767_225_600_123).UTC()

func generate(t testing.TB) *Pair {
	t.Helper()
	p, err := Generate(rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func person(t testing.TB) *identity.Private {
	t.Helper()
	p, err := identity.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// example is a bundle with one-time keys.
func example(t testing.TB) Bundle {
	t.Helper()
	oneTime := generate(t).Public()
	return Bundle{
		Inst: identity.Inst{1}, Prev: identity.Inst{2}, Signed: generate(t).Public(), OneTime: &oneTime,
		Insts: []identity.Inst{{1}, {3}}, Expiry: now.Add(Published), Counter: 7,
	}
}

func sign(t testing.TB, self *identity.Private, b Bundle) []byte {
	t.Helper()
	raw, err := Sign(self, b)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestPairIsAge(t *testing.T) {
	p := generate(t)
	if text := fmt.Sprint(p.Identity().Recipient()); text != bech32Encode(hrpRecipient, p.Public().PQ) {
		t.Fatal("our Bech32 differs from age's")
	}
	r, err := p.Public().Recipient()
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	w, err := age.Encrypt(&file, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := age.Decrypt(&file, p.Identity())
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(got); err != nil || string(text) != "hello" {
		t.Fatalf("%q, %v", text, err)
	}
}

func TestPairMarshal(t *testing.T) {
	p := generate(t)
	got, err := ParsePair(p.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if got.Hint() != p.Hint() || !got.Private().Equal(p.Private()) || !got.Created().Equal(now.Truncate(time.Second)) {
		t.Fatal("changed by storing")
	}
	if _, err := ParsePair(p.Marshal()[1:]); !errors.Is(err, ErrMalformed) {
		t.Fatalf("cut: %v", err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if out := fmt.Sprintf(format, p); !strings.Contains(out, "[prekey]") {
			t.Errorf("%s prints %q", format, out)
		}
	}
}

func TestBundleRoundTrip(t *testing.T) {
	self, b := person(t), example(t)
	b.Identity = self.Public()
	raw := sign(t, self, b)
	got, err := ParseBundle(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got.Identity != b.Identity || got.Inst != b.Inst || got.Prev != b.Prev ||
		!slices.Equal(got.Insts, b.Insts) || !got.Expiry.Equal(b.Expiry) || got.Counter != b.Counter ||
		got.Signed.Hint() != b.Signed.Hint() || got.OneTime.Hint() != b.OneTime.Hint() || got.OneTime.DH != b.OneTime.DH {
		t.Fatalf("%+v became %+v", b, got)
	}
	if again := sign(t, self, got); !bytes.Equal(again, raw) {
		t.Fatal("two encodings of one bundle")
	}
	if got.Outer().Hint() != b.OneTime.Hint() {
		t.Fatal("the outer file goes to the signed prekey although there is a one-time key")
	}
}

func TestBundleSize(t *testing.T) {
	self, b := person(t), example(t)
	b.Insts = []identity.Inst{b.Inst}
	with := len(sign(t, self, b))
	b.OneTime = nil
	without := len(sign(t, self, b))
	t.Logf("%d bytes with one-time keys, %d without", with, without)
	if with > 2850 || without > 1600 {
		t.Fatalf("%d bytes with one-time keys, %d without", with, without)
	}
	b.OneTime = example(t).OneTime
	for i := range byte(MaxInsts - 1) {
		b.Insts = append(b.Insts, identity.Inst{100 + i})
	}
	if n := len(sign(t, self, b)); n > MaxBundleSize {
		t.Fatalf("the largest bundle has %d bytes, over its own limit", n)
	}
}

func TestBundleRefusals(t *testing.T) {
	self := person(t)
	for name, spoil := range map[string]func(*body){
		"no installation":           func(b *body) { b.Inst = identity.Inst{} },
		"its own predecessor":       func(b *body) { b.Prev = b.Inst },
		"not in its list":           func(b *body) { b.Insts = b.Insts[1:] },
		"listed twice":              func(b *body) { b.Insts = append(b.Insts, b.Inst) },
		"zero in the list":          func(b *body) { b.Insts = append(b.Insts, identity.Inst{}) },
		"too many installations":    func(b *body) { b.Insts = append(b.Insts, many(MaxInsts)...) },
		"no counter":                func(b *body) { b.Counter = 0 },
		"no expiry":                 func(b *body) { b.Expiry = 0 },
		"expires after year 9999":   func(b *body) { b.Expiry = maxMillis + 1 },
		"short hybrid key":          func(b *body) { b.Signed.PQ = b.Signed.PQ[:PQSize-1] },
		"long hybrid key":           func(b *body) { b.Signed.PQ = append(slices.Clone(b.Signed.PQ), 0) },
		"hybrid key not reduced":    func(b *body) { b.Signed.PQ = bytes.Repeat([]byte{0xff}, PQSize) },
		"bad one-time key":          func(b *body) { b.OneTime.PQ = nil },
		"one-time key is the other": func(b *body) { b.OneTime = &b.Signed },
	} {
		t.Run(name, func(t *testing.T) {
			b := bodyOf(t, sign(t, self, example(t)))
			spoil(&b)
			if _, err := ParseBundle(resign(t, self, b)); !errors.Is(err, ErrMalformed) {
				t.Fatalf("parse: %v", err)
			}
			spoiled := b.bundle()
			spoiled.Expiry = time.UnixMilli(int64(b.Expiry))
			if _, err := Sign(self, spoiled); !errors.Is(err, ErrMalformed) {
				t.Fatalf("sign: %v", err)
			}
		})
	}
}

func TestBundleVersionAndSignature(t *testing.T) {
	self, other := person(t), person(t)
	raw := sign(t, self, example(t))
	good := bodyOf(t, raw)
	for name, tc := range map[string]struct {
		raw  []byte
		want error
	}{
		"later version":       {resign(t, self, with(good, func(b *body) { b.Version = 2 })), ErrVersion},
		"signed by another":   {resign(t, other, good), ErrBadSignature},
		"other identity":      {resign(t, other, with(good, func(b *body) { b.ID = other.ID() })), ErrBadSignature},
		"foreign X25519 key":  {resign(t, self, with(good, func(b *body) { b.DH = other.Public().DH })), ErrBadSignature},
		"unusable identity":   {resign(t, self, with(good, func(b *body) { b.ID = identity.ID{1} })), identity.ErrBadKey},
		"empty":               {nil, ErrMalformed},
		"cut short":           {raw[:len(raw)-1], ErrMalformed},
		"bytes after the end": {append(slices.Clone(raw), 0), ErrMalformed},
		"over the limit":      {append(slices.Clone(raw), make([]byte, MaxBundleSize)...), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseBundle(tc.raw); !errors.Is(err, tc.want) {
				t.Fatalf("%v, want %v", err, tc.want)
			}
		})
	}
}

// TestEveryBitIsSigned flips each bit of a bundle.
func TestEveryBitIsSigned(t *testing.T) {
	self, b := person(t), example(t)
	b.OneTime = nil
	raw := sign(t, self, b)
	step := 1
	if testing.Short() {
		step = 17
	}
	for bit := 0; bit < 8*len(raw); bit += step {
		bad := slices.Clone(raw)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := ParseBundle(bad); err == nil {
			t.Fatalf("bit %d flipped and accepted", bit)
		}
	}
}

// TestExtensionIsKept: a field of a later version passes an older reader.
func TestExtensionIsKept(t *testing.T) {
	self := person(t)
	b := with(bodyOf(t, sign(t, self, example(t))), func(b *body) { b.Ext = canon.Ext{1: {0x01}} })
	if _, err := ParseBundle(resign(t, self, b)); err != nil {
		t.Fatal(err)
	}
}

func many(n byte) (out []identity.Inst) {
	for i := range n {
		out = append(out, identity.Inst{200 + i})
	}
	return out
}

func with(b body, change func(*body)) body {
	change(&b)
	return b
}

func bodyOf(t testing.TB, raw []byte) (b body) {
	t.Helper()
	var s signed
	if err := canon.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	if err := canon.Unmarshal(s.Body, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func resign(t testing.TB, self *identity.Private, b body) []byte {
	t.Helper()
	enc, err := canon.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	out, err := canon.Marshal(signed{enc, self.Sign(labelBundle, enc)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func FuzzParseBundle(f *testing.F) {
	self := person(f)
	b := example(f)
	f.Add(sign(f, self, b))
	b.OneTime = nil
	f.Add(sign(f, self, b))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := ParseBundle(raw)
		if err != nil {
			return
		}
		if len(raw) > MaxBundleSize || b.Identity.Verify() != nil {
			t.Fatal("accepted beyond its limits")
		}
	})
}

func FuzzParsePair(f *testing.F) {
	f.Add(generate(f).Marshal())
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ParsePair(raw)
		if err == nil && !bytes.Equal(p.Marshal(), raw) {
			t.Fatal("two encodings of one pair")
		}
	})
}
