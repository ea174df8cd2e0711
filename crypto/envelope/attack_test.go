package envelope_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/ratchet"
)

var now = time.Unix(1_800_000_000, 0)

func bytes32() (b [32]byte) {
	rand.Read(b[:])
	return b
}

// pair returns both sides of a fresh session; alice sends first.
func pair(t testing.TB) (alice, bob *ratchet.State) {
	t.Helper()
	rk, hka, nhkb, ad := bytes32(), bytes32(), bytes32(), bytes32()
	keys := [2]*ecdh.PrivateKey{}
	for i := range keys {
		k, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = k
	}
	alice, err := ratchet.NewInitiator(rk, hka, nhkb, ad, keys[0], [32]byte(keys[1].PublicKey().Bytes()), now)
	if err != nil {
		t.Fatal(err)
	}
	bob, err = ratchet.NewResponder(rk, hka, nhkb, ad, keys[1], now)
	if err != nil {
		t.Fatal(err)
	}
	return alice, bob
}

func seal(t testing.TB, s *ratchet.State, payload []byte) []byte {
	t.Helper()
	blob, err := envelope.Seal(s.Recipient(now, rand.Reader), payload)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

// open is what a receiver does: a clone, kept only if all went well.
func open(s **ratchet.State, blob []byte) ([]byte, error) {
	c := (*s).Clone()
	payload, err := envelope.Open(c.Identity(now, rand.Reader), blob)
	if err == nil {
		*s = c
	}
	return payload, err
}

func stored(t testing.TB, s *ratchet.State) []byte {
	t.Helper()
	b, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// split cuts an envelope into its parts.
func split(t testing.TB, blob []byte) (intro, stanza, footer, rest []byte) {
	t.Helper()
	a := bytes.Index(blob, []byte("-> "))
	b := bytes.Index(blob, []byte("\n--- ")) + 1
	c := b + bytes.IndexByte(blob[b:], '\n') + 1
	if a < 0 || b == 0 || c == b {
		t.Fatal("no age file")
	}
	return blob[:a], blob[a:b], blob[b:c], blob[c:]
}

// fit makes b as long as an envelope has to be, so that a test reaches what it is
// about and does not end at the check of the size.
func fit(b []byte, size int) []byte {
	out := make([]byte, max(size, len(b)))
	copy(out, b)
	return out
}

func TestHostileHeaders(t *testing.T) {
	alice, bob := pair(t)
	blob := seal(t, alice, []byte("hello"))
	intro, stanza, footer, rest := split(t, blob)
	foreign := []byte("-> X25519 " + strings.Repeat("A", 43) + "\n" + strings.Repeat("A", 43) + "\n")
	scrypt := []byte("-> scrypt AAAAAAAAAAAAAAAAAAAAAA 22\n" + strings.Repeat("A", 43) + "\n")
	grease := []byte("-> abc-grease x\n\n")
	join := func(parts ...[]byte) []byte { return fit(slices.Concat(parts...), 2048) }
	for name, bad := range map[string][]byte{
		"two stanzas":         join(intro, stanza, stanza, footer, rest),
		"foreign beside":      join(intro, stanza, foreign, footer, rest),
		"foreign in front":    join(intro, foreign, stanza, footer, rest),
		"foreign alone":       join(intro, foreign, footer, rest),
		"scrypt alone":        join(intro, scrypt, footer, rest),
		"scrypt beside":       join(intro, stanza, scrypt, footer, rest),
		"grease beside":       join(intro, stanza, grease, footer, rest),
		"no stanza":           join(intro, footer, rest),
		"no footer":           join(intro, stanza, rest),
		"other age version":   join([]byte("age-encryption.org/v2\n"), stanza, footer, rest),
		"armored":             join([]byte("-----BEGIN AGE ENCRYPTED FILE-----\n"), blob),
		"argument of 9 KiB":   fit(slices.Concat(intro, []byte("-> kuvert/dr1 "), bytes.Repeat([]byte("A"), 9<<10), []byte("\n\n"), footer), 10<<10),
		"header of 100 KiB":   fit(slices.Concat(intro, stanza, bytes.Repeat([]byte("-> x\n\n"), 16<<10), footer), envelope.MaxSize),
		"a stanza of 100 KiB": fit(slices.Concat(intro, []byte("-> kuvert/dr1 "), bytes.Repeat([]byte("A"), 100<<10)), envelope.MaxSize),
		"header of 2 MiB":     slices.Concat(intro, []byte("-> kuvert/dr1 "), bytes.Repeat([]byte("A"), 2<<20), footer, rest),
		"empty":               {},
		"zeros":               make([]byte, 512),
		"no Padmé size":       append(bytes.Clone(blob), 0),
	} {
		t.Run(name, func(t *testing.T) {
			before := stored(t, bob)
			called := &spy{inner: bob.Identity(now, rand.Reader)}
			if _, err := envelope.Open(called, bad); !errors.Is(err, envelope.ErrMalformed) {
				t.Fatalf("%v", err)
			}
			if called.times != 0 || !bytes.Equal(before, stored(t, bob)) {
				t.Fatal("a key was tried before the form was checked")
			}
		})
	}
	if got, err := open(&bob, blob); err != nil || string(got) != "hello" {
		t.Fatalf("the true one afterwards: %q, %v", got, err)
	}
}

// spy counts the calls of an identity.
type spy struct {
	inner age.Identity
	times int
}

func (s *spy) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	s.times++
	return s.inner.Unwrap(stanzas)
}

// No byte of an envelope can be altered, and no alteration burns its key.
func TestEveryByteCounts(t *testing.T) {
	alice, bob := pair(t)
	blob := seal(t, alice, []byte("hello"))
	before := stored(t, bob)
	for i := range blob {
		bad := bytes.Clone(blob)
		bad[i] ^= 1 << (i % 8)
		if _, err := open(&bob, bad); err == nil {
			t.Fatalf("opened with byte %d altered", i)
		}
	}
	if !bytes.Equal(before, stored(t, bob)) {
		t.Fatal("an altered envelope advanced the state")
	}
	if got, err := open(&bob, blob); err != nil || string(got) != "hello" {
		t.Fatalf("the true one afterwards: %q, %v", got, err)
	}
}

func TestTruncation(t *testing.T) {
	alice, bob := pair(t)
	payload := bytes.Repeat([]byte("early plaintext "), 5<<10) // two chunks of age's
	blob := seal(t, alice, payload)
	for _, cut := range []int{1, 16, 17, 2048, 4096, len(blob) - 70_000, len(blob) - 512} {
		got, err := open(&bob, blob[:len(blob)-cut])
		if err == nil || got != nil {
			t.Fatalf("%d bytes of plaintext although %d bytes were missing: %v", len(got), cut, err)
		}
	}
	// At the boundary of a chunk, filled up to a good size.
	_, _, _, rest := split(t, blob)
	boundary := len(blob) - len(rest) + 16 + 65536 + 16
	for _, size := range []int{boundary, 67584} {
		if got, err := open(&bob, fit(blob[:boundary], size)); err == nil || got != nil {
			t.Fatalf("cut at the boundary: %d bytes, %v", len(got), err)
		}
	}
	if got, err := open(&bob, blob); err != nil || !bytes.Equal(got, payload) {
		t.Fatalf("the true one afterwards: %v", err)
	}
}

// What holds the whole payload is not enough: the padding behind it has to come,
// and has to be genuine.
func TestPaddingIsVerified(t *testing.T) {
	alice, bob := pair(t)
	blob := seal(t, alice, make([]byte, 65300)) // the second chunk holds nothing else
	bad := bytes.Clone(blob)
	bad[len(bad)-1] ^= 1
	if got, err := open(&bob, bad); !errors.Is(err, envelope.ErrTampered) || got != nil {
		t.Fatalf("altered in the padding: %d bytes, %v", len(got), err)
	}
	if _, err := open(&bob, blob); err != nil {
		t.Fatal(err)
	}
}

// rewrite puts another plaintext under the header of blob, as anyone can who
// learned its file key.
func rewrite(t testing.TB, blob, fileKey, plain []byte) []byte {
	t.Helper()
	_, _, _, rest := split(t, blob)
	nonce := bytes32()
	k, err := hkdf.Key(sha256.New, fileKey, nonce[:16], "payload", 32)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := chacha20poly1305.New(k)
	if err != nil {
		t.Fatal(err)
	}
	last := make([]byte, 12)
	last[11] = 1
	return aead.Seal(append(bytes.Clone(blob[:len(blob)-len(rest)]), nonce[:16]...), last, plain, nil)
}

func plainOf(t testing.TB, blob []byte, id age.Identity) (fileKey, plain []byte) {
	t.Helper()
	_, _, _, rest := split(t, blob)
	fileKey, err := age.DecryptHeader(blob[:len(blob)-len(rest)], id)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(blob), age.NewInjectedFileKeyIdentity(fileKey))
	if err != nil {
		t.Fatal(err)
	}
	plain, err = io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return fileKey, plain
}

// Whoever learns the file key of an envelope that was opened cannot put another
// payload under its header.
func TestPayloadRewritten(t *testing.T) {
	alice, bob := pair(t)
	blob := seal(t, alice, []byte("pay 10 euro"))
	fileKey, plain := plainOf(t, blob, bob.Clone().Identity(now, rand.Reader))
	forged := rewrite(t, blob, fileKey, bytes.Replace(plain, []byte("10"), []byte("99"), 1))
	if got, err := open(ptr(bob.Clone()), forged); err != nil || string(got) != "pay 99 euro" {
		t.Fatalf("the forgery itself is broken, the test shows nothing: %q, %v", got, err)
	}
	if _, err := open(&bob, blob); err != nil {
		t.Fatal(err)
	}
	if got, err := open(&bob, forged); !errors.Is(err, ratchet.ErrUsed) {
		t.Fatalf("rewritten payload under the old header: %q, %v", got, err)
	}
}

func ptr[T any](v T) *T { return &v }

// The header's MAC commits to one file key: no two keys open one envelope.
func TestOneFileKey(t *testing.T) {
	alice, _ := pair(t)
	blob := seal(t, alice, []byte("x"))
	if _, err := envelope.Open(age.NewInjectedFileKeyIdentity(make([]byte, 16)), blob); err == nil {
		t.Fatal("another file key opened the envelope")
	}
}

func TestPaddingIsChecked(t *testing.T) {
	alice, bob := pair(t)
	for name, change := range map[string]func(plain []byte){
		"last byte":                  func(p []byte) { p[len(p)-1] = 1 },
		"first byte of the padding":  func(p []byte) { p[4+5] = 1 },
		"length one shorter":         func(p []byte) { p[3]-- },
		"length beyond the end":      func(p []byte) { binary.BigEndian.PutUint32(p, uint32(len(p)-3)) },
		"length far beyond the end":  func(p []byte) { binary.BigEndian.PutUint32(p, 0xFFFFFFFF) },
		"length one beyond the text": func(p []byte) { p[3]++; p[len(p)-1] = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			blob := seal(t, alice, []byte("hello"))
			fileKey, plain := plainOf(t, blob, bob.Clone().Identity(now, rand.Reader))
			change(plain)
			if got, err := open(&bob, rewrite(t, blob, fileKey, plain)); !errors.Is(err, envelope.ErrMalformed) {
				t.Fatalf("%q, %v", got, err)
			}
			if _, err := open(&bob, blob); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Errors of the ratchet reach the caller, who decides by them.
func TestErrorsComeThrough(t *testing.T) {
	alice, bob := pair(t)
	stranger, _ := pair(t)
	if _, err := open(&bob, seal(t, stranger, nil)); !errors.Is(err, ratchet.ErrNotMine) || !errors.Is(err, age.ErrIncorrectIdentity) {
		t.Errorf("of another session: %v", err)
	}
	blob := seal(t, alice, nil)
	if _, err := open(&bob, blob); err != nil {
		t.Fatal(err)
	}
	if _, err := open(&bob, blob); !errors.Is(err, ratchet.ErrUsed) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := envelope.Seal(stranger.Recipient(now, strings.NewReader("")), nil); !errors.Is(err, io.EOF) {
		t.Errorf("without randomness: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	alice, bob := pair(f)
	f.Add(seal(f, alice, []byte("hello")))
	f.Add(seal(f, alice, make([]byte, 70<<10)))
	f.Add([]byte("age-encryption.org/v1\n-> kuvert/dr1 "))
	before := stored(f, bob)
	f.Fuzz(func(t *testing.T, blob []byte) {
		s := bob.Clone()
		payload, err := open(&s, blob)
		if err == nil && len(payload) != 5 && len(payload) != 70<<10 {
			t.Fatalf("opened %d bytes nobody sealed", len(payload))
		}
		if err != nil && !bytes.Equal(before, stored(t, s)) {
			t.Fatal("the state changed")
		}
	})
}
