package vault

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/crypto/canon"
)

// cheap is the floor: what the tests spend on a try.
var cheap = Cost{Passes: MinPasses, Memory: MinMemory, Lanes: 4}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// full is a vault with all kinds of wraps.
func full(t testing.TB) (v *Vault, key Key, secrets map[Kind][]byte) {
	t.Helper()
	v, key, err := New(rand.Reader)
	must(t, err)
	secrets = map[Kind][]byte{Keyring: bytes.Repeat([]byte{1}, SecretSize), KeyFile: bytes.Repeat([]byte{2}, SecretSize), Sheet: bytes.Repeat([]byte{3}, SheetKeySize)}
	for k, s := range secrets {
		v, err = v.WithSecret(rand.Reader, key, k, s)
		must(t, err)
	}
	v, err = v.WithPassphrase(rand.Reader, key, "Käse und Brot", cheap)
	must(t, err)
	return v, key, secrets
}

func TestEveryWayOpens(t *testing.T) {
	v, key, secrets := full(t)
	file, err := v.Marshal()
	must(t, err)
	if len(file) > 700 {
		t.Errorf("%d bytes", len(file))
	}
	again, err := Parse(file)
	must(t, err)
	if again.ID() != v.ID() || len(v.ID()) != 32 {
		t.Errorf("id %q, then %q", v.ID(), again.ID())
	}
	for k, s := range secrets {
		if got, err := again.OpenSecret(k, s); err != nil || got != key {
			t.Errorf("kind %d: %v", k, err)
		}
		wrong := append([]byte{s[0] ^ 1}, s[1:]...)
		if got, err := again.OpenSecret(k, wrong); !errors.Is(err, ErrWrong) || got != (Key{}) {
			t.Errorf("kind %d, wrong: %v", k, err)
		}
	}
	if _, err := again.OpenSecret(Keyring, secrets[KeyFile]); !errors.Is(err, ErrWrong) {
		t.Errorf("another kind's secret: %v", err)
	}
	if got, err := again.OpenPassphrase("Ka\u0308se und Brot"); err != nil || got != key { // another keyboard's ä
		t.Errorf("passphrase: %v", err)
	}
	if got, err := again.OpenPassphrase("Käse und brot"); !errors.Is(err, ErrWrong) || got != (Key{}) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if c, ok := again.Cost(); !ok || c != cheap {
		t.Errorf("cost %v, %v", c, ok)
	}
}

// TestRewrap: the key stays, the old passphrase opens nothing any more.
func TestRewrap(t *testing.T) {
	v, key, secrets := full(t)
	next, err := v.WithPassphrase(rand.Reader, key, "another one", cheap)
	must(t, err)
	if _, err := next.OpenPassphrase("Käse und Brot"); !errors.Is(err, ErrWrong) {
		t.Errorf("the old passphrase: %v", err)
	}
	if got, err := next.OpenPassphrase("another one"); err != nil || got != key {
		t.Errorf("the new one: %v", err)
	}
	if got, err := v.OpenPassphrase("Käse und Brot"); err != nil || got != key {
		t.Errorf("the vault was changed in place: %v", err)
	}
	if next = next.Without(Keyring); next.Has(Keyring) || !next.Has(Sheet) || !v.Has(Keyring) {
		t.Error("Without")
	}
	if _, err := next.OpenSecret(Keyring, secrets[Keyring]); !errors.Is(err, ErrWrong) {
		t.Errorf("a removed way: %v", err)
	}
	_, other, err := New(rand.Reader)
	must(t, err)
	if _, err := v.WithSecret(rand.Reader, other, Keyring, secrets[Keyring]); !errors.Is(err, ErrWrong) {
		t.Errorf("another vault's key: %v", err)
	}
}

func TestNoWay(t *testing.T) {
	v, key, err := New(rand.Reader)
	must(t, err)
	if _, err := v.Marshal(); !errors.Is(err, ErrNoWay) {
		t.Errorf("no wrap: %v", err)
	}
	v, err = v.WithSecret(rand.Reader, key, Sheet, make([]byte, SheetKeySize))
	must(t, err)
	if _, err := v.Marshal(); !errors.Is(err, ErrNoWay) {
		t.Errorf("a sheet alone: %v", err)
	}
	for _, bad := range []struct {
		k Kind
		n int
	}{{Keyring, 31}, {Sheet, 32}, {Passphrase, 32}, {0, 32}, {5, 32}} {
		if _, err := v.WithSecret(rand.Reader, key, bad.k, make([]byte, bad.n)); !errors.Is(err, ErrMalformed) {
			t.Errorf("kind %d, %d bytes: %v", bad.k, bad.n, err)
		}
	}
}

// TestDamage flips each bit and cuts each length: always told as damage.
func TestDamage(t *testing.T) {
	v, _, _ := full(t)
	file, err := v.Marshal()
	must(t, err)
	for i := range file {
		for bit := range 8 {
			bad := bytes.Clone(file)
			bad[i] ^= 1 << bit
			if _, err := Parse(bad); !errors.Is(err, ErrMalformed) {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
		}
		if _, err := Parse(file[:i]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	if _, err := Parse(append(bytes.Clone(file), 0)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a byte more: %v", err)
	}
	if _, err := Parse(make([]byte, MaxFileSize+1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("too large: %v", err)
	}
	next := append([]byte(magic+"2\n"), make([]byte, sumSize)...)
	next = append(next, "anything"...)
	sum := sumOf(magic+"2\n", []byte("anything"))
	copy(next[len(line):], sum[:])
	if _, err := Parse(next); !errors.Is(err, ErrVersion) {
		t.Errorf("a newer version: %v", err)
	}
}

// sealed is a file whose body a hostile hand changed, with its checksum right.
func sealed(t *testing.T, v *Vault, change func(*body)) []byte {
	t.Helper()
	d := body{ID: v.id, Check: v.check}
	for _, w := range v.wraps {
		w.Box = bytes.Clone(w.Box)
		if w.Cost != nil {
			c := *w.Cost
			w.Cost = &c
		}
		d.Wraps = append(d.Wraps, w)
	}
	change(&d)
	b, err := canon.Marshal(d)
	must(t, err)
	sum := sumOf(line, b)
	return append(append([]byte(line), sum[:]...), b...)
}

// TestHostileCost: what a file asks for is refused before it is spent.
func TestHostileCost(t *testing.T) {
	v, _, _ := full(t)
	for _, c := range []Cost{
		{MinPasses, 1<<32 - 1, 4},
		{MinPasses, MaxMemory + 1, 4},
		{1<<32 - 1, MinMemory, 4},
		{MaxPasses + 1, MinMemory, 4},
		{MaxPasses, MaxMemory, 4},
		{MinPasses, MinMemory, 17},
		{MinPasses, MinMemory, 0},
		{0, MinMemory, 4},
		{MinPasses, 0, 4},
		{MinPasses - 1, MinMemory, 4},
		{MinPasses, MinMemory - 1, 4},
		{9, MaxMemory, 4},
	} {
		start := time.Now()
		_, err := Parse(sealed(t, v, func(b *body) { *b.Wraps[1].Cost = c }))
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%+v: %v", c, err)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("%+v: refused after %v", c, d)
		}
	}
	for _, c := range []Cost{{MinPasses, MinMemory, 1}, {8, MaxMemory, 16}, {MaxPasses, MinMemory, 4}} {
		if _, err := Parse(sealed(t, v, func(b *body) { *b.Wraps[1].Cost = c })); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestHostileBody: shapes that no vault has.
func TestHostileBody(t *testing.T) {
	v, _, _ := full(t)
	for name, change := range map[string]func(*body){
		"no wrap":             func(b *body) { b.Wraps = nil },
		"one twice":           func(b *body) { b.Wraps[1] = b.Wraps[0] },
		"unknown kind":        func(b *body) { b.Wraps[3].Kind = 5 },
		"kind 0":              func(b *body) { b.Wraps[0].Kind = 0 },
		"out of order":        func(b *body) { b.Wraps[0], b.Wraps[2] = b.Wraps[2], b.Wraps[0] },
		"short box":           func(b *body) { b.Wraps[0].Box = b.Wraps[0].Box[1:] },
		"long box":            func(b *body) { b.Wraps[0].Box = append(b.Wraps[0].Box, 0) },
		"no box":              func(b *body) { b.Wraps[0].Box = nil },
		"passphrase for free": func(b *body) { b.Wraps[1].Cost = nil },
		"cost of a secret":    func(b *body) { b.Wraps[0].Cost = &cheap },
	} {
		if _, err := Parse(sealed(t, v, change)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBound: a wrap opens in its own place and as it was written alone.
func TestBound(t *testing.T) {
	v, _, secrets := full(t)
	other, _, _ := full(t)
	for name, change := range map[string]func(*body){
		"another vault's id":   func(b *body) { b.ID = other.id },
		"another key's check":  func(b *body) { b.Check = other.check },
		"another vault's wrap": func(b *body) { b.Wraps[0] = other.wraps[0] },
		"salt":                 func(b *body) { b.Wraps[0].Salt[0] ^= 1 },
		"nonce":                func(b *body) { b.Wraps[0].Nonce[0] ^= 1 },
		"box":                  func(b *body) { b.Wraps[0].Box[0] ^= 1 },
	} {
		bad, err := Parse(sealed(t, v, change))
		must(t, err)
		if _, err := bad.OpenSecret(Keyring, secrets[Keyring]); err == nil {
			t.Errorf("%s: opens", name)
		}
	}
	bad, err := Parse(sealed(t, v, func(b *body) { b.Wraps[1].Cost.Passes++ }))
	must(t, err)
	if _, err := bad.OpenPassphrase("Käse und Brot"); !errors.Is(err, ErrWrong) {
		t.Errorf("another cost: %v", err)
	}
	// The same secret for two kinds gives two wrapping keys.
	if bytes.Equal(v.wrappingKey(wrap{Kind: Keyring}, secrets[Keyring]), v.wrappingKey(wrap{Kind: KeyFile}, secrets[Keyring])) {
		t.Error("kinds share a wrapping key")
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		floor time.Duration // of one try at the floor
		want  Cost
	}{
		{10 * time.Second, Cost{3, 64 << 10, 4}},
		{750 * time.Millisecond, Cost{3, 64 << 10, 4}},
		{375 * time.Millisecond, Cost{3, 128 << 10, 4}},
		{125 * time.Millisecond, Cost{4, 256 << 10, 4}},
		{50 * time.Millisecond, Cost{11, 256 << 10, 4}},
		{0, Cost{32, 256 << 10, 4}},
	} {
		got := Choose(func(Cost) time.Duration { return c.floor })
		if got != c.want {
			t.Errorf("%v: %v, not %v", c.floor, got, c.want)
		}
		must(t, got.check())
	}
}

func TestSheetKey(t *testing.T) {
	for range 200 {
		k, err := NewSheetKey(rand.Reader)
		must(t, err)
		groups := k.Groups()
		if len(groups) != 9 {
			t.Fatalf("%v", groups)
		}
		text := strings.Join(groups, "-")
		for _, typed := range []string{text, strings.ToLower(text), " " + strings.Join(groups, " ") + "\n", k.QR(), strings.ReplaceAll(strings.ReplaceAll(text, "0", "o"), "1", "l"), strings.Join(groups, "")} {
			if got, err := ParseSheetKey(typed); err != nil || got != k {
				t.Fatalf("%q: %v", typed, err)
			}
		}
		for i := range text {
			bad := []byte(text)
			bad[i] = map[bool]byte{true: '8', false: '7'}[bad[i] == '7']
			if _, err := ParseSheetKey(string(bad)); text[i] != '-' && !errors.Is(err, ErrMistyped) {
				t.Fatalf("character %d wrong: %v", i, err)
			}
		}
	}
	var none SheetKey
	for _, bad := range []string{"", "U", SheetPrefix, strings.Repeat("0", 300), strings.Join(none.Groups(), "") + "0", strings.Join(none.Groups()[:8], ""), "ÄÖ"} {
		if _, err := ParseSheetKey(bad); !errors.Is(err, ErrMistyped) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestBase32 compares with a slow way of counting.
func TestBase32(t *testing.T) {
	k := SheetKey{0xff, 0x00, 0xa5, 0x5a}
	want := ""
	for i := range keyChars {
		v := 0
		for bit := i * 5; bit < i*5+5; bit++ {
			v = v<<1 | int(k[bit/8]>>(7-bit%8)&1)
		}
		want += alphabet[v : v+1]
	}
	if got := base32(k[:], keyChars); got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

// TestMailKey: the key of others' mail is another one for each vault, always the same
// for one, and as documented.
func TestMailKey(t *testing.T) {
	_, key, _ := full(t)
	a, b := key, key
	b[0] ^= 1
	if a.Mail() != key.Mail() || a.Mail() == b.Mail() || a.Mail() == key || a.Mail() == (Key{}) {
		t.Error("not a key of its own")
	}
	prk, err := hkdf.Extract(sha256.New, key[:], nil)
	must(t, err)
	want, err := hkdf.Expand(sha256.New, prk, "kuvert/v1 vault mail", KeySize)
	must(t, err)
	if a := key.Mail(); !bytes.Equal(a[:], want) {
		t.Error("not as in docs/vault-format.md")
	}
}

func TestNothingInLogs(t *testing.T) {
	_, key, err := New(rand.Reader)
	must(t, err)
	k := SheetKey(key[:SheetKeySize])
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key, "sheet", k)
	fmt.Fprintf(&log, "%v %+v %#v %s %v %#v", key, key, key, key, k, k)
	if s := log.String(); strings.Contains(s, fmt.Sprint(key[0])+" ") || strings.Count(s, "[key]") != 5 || strings.Count(s, "[sheet]") != 3 {
		t.Error(s)
	}
	key.Wipe()
	if key != (Key{}) {
		t.Error("not wiped")
	}
}

// TestFormat fixes the bytes: a vault that was written once opens for ever.
func TestFormat(t *testing.T) {
	v, key, err := New(&counter{})
	must(t, err)
	v, err = v.WithSecret(&counter{n: 100}, key, KeyFile, bytes.Repeat([]byte{7}, SecretSize))
	must(t, err)
	file, err := v.Marshal()
	must(t, err)
	sum := canon.Hash("test", file)
	if got := fmt.Sprintf("%x", sum[:8]); got != "87b27d106b00891e" {
		t.Errorf("the format changed: %s", got)
	}
}

// counter is a source of bytes 0, 1, 2 …
type counter struct{ n byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.n
		c.n++
	}
	return len(p), nil
}

// FuzzParse: whatever Parse takes, Marshal writes again, within the limits.
func FuzzParse(f *testing.F) {
	v, key, err := New(&counter{})
	must(f, err)
	v, err = v.WithSecret(&counter{}, key, KeyFile, make([]byte, SecretSize))
	must(f, err)
	file, err := v.Marshal()
	must(f, err)
	f.Add(file[len(line)+sumSize:])
	f.Add([]byte{0xa3, 1, 0x50})
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := sumOf(line, b)
		file := append(append([]byte(line), sum[:]...), b...)
		v, err := Parse(file)
		if err != nil {
			return
		}
		again, err := v.Marshal()
		if err != nil {
			if errors.Is(err, ErrNoWay) {
				return
			}
			t.Fatal(err)
		}
		if !bytes.Equal(again, file) {
			t.Error("two encodings")
		}
		if c, ok := v.Cost(); ok && uint64(c.Memory)*uint64(c.Passes) > MaxWork {
			t.Error("over the limit")
		}
	})
}

// FuzzParseSheetKey: whatever is taken is the key that it writes.
func FuzzParseSheetKey(f *testing.F) {
	f.Add(SheetKey{1, 2, 3}.QR())
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseSheetKey(text)
		if err != nil {
			return
		}
		if again, err := ParseSheetKey(k.QR()); err != nil || again != k {
			t.Errorf("%v", err)
		}
	})
}

// BenchmarkTry prints what one try of a passphrase takes at the cost that this
// machine would choose.
func BenchmarkTry(b *testing.B) {
	c := Choose(Measure)
	b.Logf("%v", c)
	var salt [saltSize]byte
	for i := 0; b.Loop(); i++ {
		binary.BigEndian.PutUint64(salt[:], uint64(i))
		c.stretch([]byte("passphrase"), salt[:])
	}
	b.ReportMetric(float64(c.Memory>>10), "MiB")
	b.ReportMetric(float64(c.Passes), "passes")
}
