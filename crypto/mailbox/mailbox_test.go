package mailbox

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/kuvert-im/kuvert/crypto/internal/padding"
	"github.com/kuvert-im/kuvert/crypto/invite"
)

var key = [32]byte{1}

func seal(t testing.TB, kind byte, content []byte) []byte {
	t.Helper()
	blob, err := Seal(key, kind, content)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func TestSealOpen(t *testing.T) {
	for _, n := range []int{0, 1, 100, MinBlob - overhead, MinBlob - overhead + 1, 4000, 126 << 10, MaxContent} {
		content := bytes.Repeat([]byte{7}, n)
		blob := seal(t, KindFrame, content)
		if len(blob) < MinBlob || len(blob) > MaxBlob || padding.Padme(len(blob)) != len(blob) {
			t.Errorf("%d bytes became %d", n, len(blob))
		}
		kind, got, err := Open(key, blob)
		if err != nil || kind != KindFrame || !bytes.Equal(got, content) {
			t.Errorf("%d bytes: kind %d, %d bytes, %v", n, kind, len(got), err)
		}
	}
	if len(seal(t, KindFrame, make([]byte, MaxContent))) != MaxBlob {
		t.Error("MaxContent does not fill MaxBlob")
	}
	if _, err := Seal(key, KindFrame, make([]byte, MaxContent+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	for _, kind := range []byte{0, 5, 255} {
		if _, err := Seal(key, kind, nil); !errors.Is(err, ErrMalformed) {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
}

// TestOneBlob: the same content gives the same blob; anything else another one,
// with another nonce.
func TestOneBlob(t *testing.T) {
	blob := seal(t, KindFrame, []byte("a"))
	if !bytes.Equal(blob, seal(t, KindFrame, []byte("a"))) {
		t.Error("sealing again gives another blob")
	}
	other, err := Seal([32]byte{2}, KindFrame, []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	nonces := map[string]bool{string(blob[:24]): true}
	for _, b := range [][]byte{seal(t, KindStatus, []byte("a")), seal(t, KindFrame, []byte("b")), seal(t, KindFrame, []byte("a\x00")), other} {
		nonces[string(b[:24])] = true
	}
	if len(nonces) != 5 {
		t.Error("a nonce was used twice")
	}
}

// forge seals a plaintext as it is, with the nonce given or the right one.
func forge(t testing.TB, key [32]byte, plain, nonce []byte) []byte {
	t.Helper()
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		t.Fatal(err)
	}
	if nonce == nil {
		n := nonceOf(key, plain)
		nonce = n[:]
	}
	return aead.Seal(bytes.Clone(nonce), nonce, plain, []byte(blobContext))
}

// refused are blobs that must not open under key.
func refused(t testing.TB) []struct {
	name string
	blob []byte
	want error
} {
	t.Helper()
	good := seal(t, KindFrame, []byte("content"))
	flipped := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	plain := func(change func([]byte)) []byte {
		p := append([]byte{KindFrame}, padding.Frame([]byte("content"), MinBlob-overhead+padding.LengthSize)...)
		change(p)
		return forge(t, key, p, nil)
	}
	otherKey, err := Seal([32]byte{2}, KindFrame, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	long := append([]byte{KindFrame}, padding.Frame([]byte("content"), 544-overhead+padding.LengthSize)...)
	ordinary := append([]byte{KindFrame}, padding.Frame([]byte("content"), MinBlob-overhead+padding.LengthSize)...)
	return []struct {
		name string
		blob []byte
		want error
	}{
		{"empty", nil, ErrMalformed},
		{"a byte short", good[:len(good)-1], ErrMalformed},
		{"a byte long", append(bytes.Clone(good), 0), ErrMalformed},
		{"over MaxBlob", make([]byte, 168<<10), ErrMalformed},
		{"other key", otherKey, ErrCannotOpen},
		{"nonce altered", flipped(0), ErrCannotOpen},
		{"first byte altered", flipped(24), ErrCannotOpen},
		{"last byte altered", flipped(len(good) - 1), ErrCannotOpen},
		{"zeros after it, up to the next size", append(bytes.Clone(good), make([]byte, 32)...), ErrCannotOpen},
		{"nonce of another's choice", forge(t, key, ordinary, make([]byte, 24)), ErrCannotOpen},
		{"kind 0", plain(func(p []byte) { p[0] = 0 }), ErrMalformed},
		{"kind 5", plain(func(p []byte) { p[0] = 5 }), ErrMalformed},
		{"length beyond the end", plain(func(p []byte) { p[3] = 0xff }), ErrMalformed},
		{"padding not zero", plain(func(p []byte) { p[len(p)-1] = 1 }), ErrMalformed},
		{"padded to more than need be", forge(t, key, long, nil), ErrMalformed},
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, tc := range refused(t) {
		if _, _, err := Open(key, tc.blob); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestNew(t *testing.T) {
	q, err := New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	zero := Queue{}
	if q.RecvID == zero.RecvID || q.RecvCap == zero.RecvCap || q.SendID == zero.SendID || q.SendCap == zero.SendCap || q.Key == zero.Key {
		t.Error("something was not drawn")
	}
	if q, err := New(io.LimitReader(rand.Reader, 100)); err == nil || q != zero {
		t.Error("drew from an empty source")
	}
}

// TestFirstContact: guest and inviter agree, and what the inviter alone may know
// does not follow from the code.
func TestFirstContact(t *testing.T) {
	secret := invite.Secret{1}
	guest, inviter := Derive(secret), Derive(secret)
	if err := inviter.Complete(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if guest.ToInviter.SendID != inviter.ToInviter.SendID || guest.ToInviter.SendCap != inviter.ToInviter.SendCap ||
		guest.ToInviter.Key != inviter.ToInviter.Key || guest.ToGuest.RecvID != inviter.ToGuest.RecvID ||
		guest.ToGuest.RecvCap != inviter.ToGuest.RecvCap || guest.ToGuest.Key != inviter.ToGuest.Key ||
		guest.BundleID != inviter.BundleID || guest.BundleKey != inviter.BundleKey {
		t.Error("the two do not agree")
	}
	zero := Queue{}
	if guest.ToInviter.RecvID != zero.RecvID || guest.ToInviter.RecvCap != zero.RecvCap ||
		guest.ToGuest.SendID != zero.SendID || guest.ToGuest.SendCap != zero.SendCap {
		t.Error("the guest knows what is the inviter's alone")
	}
	again := Derive(secret)
	if err := again.Complete(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if again.ToInviter.RecvCap == inviter.ToInviter.RecvCap || again.ToGuest.SendCap == inviter.ToGuest.SendCap ||
		again.ToInviter.RecvID == inviter.ToInviter.RecvID || again.ToGuest.SendID == inviter.ToGuest.SendID {
		t.Error("what the inviter draws follows from the code")
	}
	if err := again.Complete(strings.NewReader("short")); err == nil {
		t.Error("drew from an empty source")
	}
}

// TestDerivedApart: nothing that is derived equals another, and each depends on
// the secret.
func TestDerivedApart(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range []FirstContact{Derive(invite.Secret{1}), Derive(invite.Secret{2})} {
		for _, b := range [][]byte{
			f.ToInviter.SendID[:], f.ToInviter.SendCap[:24], f.ToInviter.Key[:24], f.ToGuest.RecvID[:],
			f.ToGuest.RecvCap[:24], f.ToGuest.Key[:24], f.BundleID[:], f.BundleKey[:24],
		} {
			if seen[string(b)] || bytes.Equal(b, make([]byte, 24)) {
				t.Errorf("%x", b)
			}
			seen[string(b)] = true
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	f := Derive(invite.Secret{1})
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("made", "first", f, "queue", f.ToGuest)
	if s := out.String(); !strings.Contains(s, `first="[first contact]" queue=[queue]`) {
		t.Error(s)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(format+" "+format, f.ToGuest, f); s != "[queue] [first contact]" {
			t.Error(format, s)
		}
	}
}

// sealing is what nonce and tag add to a padded plaintext.
const sealing = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

func FuzzOpen(f *testing.F) {
	f.Add(seal(f, KindFrame, []byte("content")), []byte{})
	f.Add(seal(f, KindStatus, make([]byte, 2000)), []byte("x"))
	for _, r := range refused(f) {
		if len(r.blob) < 2*MinBlob {
			f.Add(r.blob, r.blob)
		}
	}
	f.Fuzz(func(t *testing.T, blob, plain []byte) {
		if kind, content, err := Open(key, blob); err == nil {
			if again := seal(t, kind, content); !bytes.Equal(again, blob) {
				t.Error("opens, but is not the blob of what it holds")
			}
		}
		// Behind the key, too, every form is checked.
		plain = plain[:min(len(plain), MaxContent)]
		size := padding.Padme(max(MinBlob, len(plain)+sealing))
		plain = append(bytes.Clone(plain), make([]byte, size-sealing-len(plain))...)
		forged := forge(t, key, plain, nil)
		kind, content, err := Open(key, forged)
		if err == nil && !bytes.Equal(seal(t, kind, content), forged) {
			t.Error("a forged blob opens, but is not the blob of what it holds")
		}
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Error(err)
		}
	})
}
