// Package oracle holds Kuvert's ratchet against go.mau.fi/libsignal, a port of
// Signal's own library: an observer that knows every secret both sides draw
// derives all keys with libsignal's functions and opens every envelope with them.
//
// Tests only, in a module of its own: run `go test ./...` in this directory.
package oracle

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"testing"
	"time"

	"filippo.io/age"
	"go.mau.fi/libsignal/ecc"
	skdf "go.mau.fi/libsignal/kdf"
	"go.mau.fi/libsignal/keys/chain"
	"go.mau.fi/libsignal/keys/message"
	"go.mau.fi/libsignal/keys/root"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/internal/kdf"
	"github.com/kuvert-im/kuvert/crypto/ratchet"
)

type key = [32]byte

func drawKey() (k key) {
	rand.Read(k[:])
	return k
}

func private(t *testing.T, k key) *ecdh.PrivateKey {
	t.Helper()
	p, err := ecdh.X25519().NewPrivateKey(k[:])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func public(t *testing.T, priv key) key {
	t.Helper()
	return key(private(t, priv).PublicKey().Bytes())
}

// shadow is what the observer knows of one side.
type shadow struct {
	priv, pub key
	rk        []byte
	hks, nhks []byte
	chain     *chain.Key
	n, pn     uint32
	seed      []byte // of the KEM key this side offers
	ct        []byte // the answer in this side's present chain
}

// rootStep derives with libsignal what one root step gives, and holds libsignal's
// own root key against our code as well.
func rootStep(t *testing.T, rk []byte, priv, peer key, ss []byte) (next, ck, header []byte) {
	t.Helper()
	dh := skdf.CalculateSharedSecret(peer, priv)
	info, ikm := "kuvert/v1 root", dh[:]
	if ss != nil {
		info, ikm = "kuvert/v1 root-kem", append(bytes.Clone(dh[:]), ss...)
	}
	out, err := skdf.DeriveSecrets(ikm, rk, []byte(info), 96)
	if err != nil {
		t.Fatal(err)
	}
	signalRoot(t, rk, priv, peer, dh)
	return out[:32], out[32:64], out[64:]
}

// signalRoot: libsignal's RootKey on the same Diffie-Hellman output is what our
// derivation gives under Signal's label.
func signalRoot(t *testing.T, rk []byte, priv, peer, dh key) {
	t.Helper()
	self := ecc.NewECKeyPair(ecc.NewDjbECPublicKey(public(t, priv)), ecc.NewDjbECPrivateKey(priv))
	pair, err := root.NewKey(skdf.DeriveSecrets, rk).CreateChain(ecc.NewDjbECPublicKey(peer), self)
	if err != nil {
		t.Fatal(err)
	}
	ours := kdf.Derive(dh[:], rk, root.KdfInfo, root.DerivedSecretsSize)
	if !bytes.Equal(ours[:32], pair.RootKey.Bytes()) || !bytes.Equal(ours[32:], pair.ChainKey.Key()) {
		t.Fatal("root step differs from libsignal's")
	}
}

// next takes the message key of the shadow's chain and moves on. libsignal hides
// the key in a derivation of its own, which is given one that catches it.
func (s *shadow) next(t *testing.T) (mk []byte) {
	t.Helper()
	catch := func(ikm, salt, info []byte, n int) ([]byte, error) {
		mk = bytes.Clone(ikm)
		return skdf.DeriveSecrets(ikm, salt, info, n)
	}
	keys := chain.NewKey(catch, s.chain.Key(), s.chain.Index()).MessageKeys()
	signalMessageKeys(t, mk, keys)
	ourNext, ourMK := kdf.Chain(key(s.chain.Key()))
	s.chain = s.chain.NextKey()
	if !bytes.Equal(ourMK[:], mk) || !bytes.Equal(ourNext[:], s.chain.Key()) {
		t.Fatal("chain step differs from libsignal's")
	}
	s.n++
	return mk
}

func signalMessageKeys(t *testing.T, mk []byte, keys *message.Keys) {
	t.Helper()
	ours := kdf.Derive(mk, nil, message.KdfSalt, message.DerivedSecretsSize)
	if !bytes.Equal(ours, append(append(bytes.Clone(keys.CipherKey()), keys.MacKey()...), keys.Iv()...)) {
		t.Fatal("message keys differ from libsignal's")
	}
}

// observe opens an envelope of s with nothing but what libsignal derived.
func (s *shadow) observe(t *testing.T, ad key, blob []byte, want string) {
	t.Helper()
	sealed, body := stanza(t, blob)
	header := openHeader(t, s.hks, blob)
	expected := append(bytes.Clone(s.pub[:]), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, s.pn), s.n)...)
	if !bytes.HasPrefix(header, expected) {
		t.Fatalf("header %x, want %x", header[:40], expected)
	}
	s.parts(t, header[40:])
	mk := s.next(t)
	salt := sha256.Sum256(sealed)
	wrap, err := skdf.DeriveSecrets(mk, salt[:], []byte("kuvert/v1 wrap"), 32)
	if err != nil {
		t.Fatal(err)
	}
	c, err := chacha20poly1305.New(wrap)
	if err != nil {
		t.Fatal(err)
	}
	aad := append(append([]byte("kuvert/dr1\x00"), ad[:]...), sealed...)
	fileKey, err := c.Open(nil, make([]byte, 12), body, aad)
	if err != nil {
		t.Fatalf("wrap differs: %v", err)
	}
	r, err := age.Decrypt(bytes.NewReader(blob), age.NewInjectedFileKeyIdentity(fileKey))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil || string(plain[4:4+binary.BigEndian.Uint32(plain)]) != want {
		t.Fatalf("payload %q, %v", plain, err)
	}
}

// parts checks the KEM's part of a header: an offer exactly if the side has a
// seed, and the same answer in all of a chain.
func (s *shadow) parts(t *testing.T, rest []byte) {
	t.Helper()
	if s.seed != nil {
		dk, err := mlkem.NewDecapsulationKey768(s.seed)
		if err != nil || !bytes.HasPrefix(rest, dk.EncapsulationKey().Bytes()) {
			t.Fatalf("header offers another KEM key: %v", err)
		}
		rest = rest[mlkem.EncapsulationKeySize768:]
	}
	if !bytes.Equal(rest, s.ct) {
		t.Fatal("another answer in the same chain")
	}
}

func openHeader(t *testing.T, hk, blob []byte) []byte {
	t.Helper()
	sealed, _ := stanza(t, blob)
	x, err := chacha20poly1305.NewX(hk)
	if err != nil {
		t.Fatal(err)
	}
	header, err := x.Open(nil, sealed[:24], sealed[24:], nil)
	if err != nil {
		t.Fatalf("header key differs: %v", err)
	}
	return header
}

func stanza(t *testing.T, blob []byte) (sealed, body []byte) {
	t.Helper()
	lines := bytes.SplitN(blob, []byte("\n"), 4)
	sealed, err := base64.RawStdEncoding.Strict().DecodeString(string(bytes.TrimPrefix(lines[1], []byte("-> kuvert/dr1 "))))
	if err != nil {
		t.Fatal(err)
	}
	body, err = base64.RawStdEncoding.Strict().DecodeString(string(lines[2]))
	if err != nil {
		t.Fatal(err)
	}
	return sealed, body
}

// step is what a side does when it opens the first envelope of the peer's chain.
// The answer to an offer is the library's own randomness; it is read off the
// first header of the new chain.
func (s *shadow) step(t *testing.T, peer *shadow, priv key, answer []byte) {
	t.Helper()
	s.rk, _, _ = rootStep(t, s.rk, s.priv, peer.pub, decapsulate(t, s.seed, peer.ct))
	s.priv, s.pub, s.pn, s.n = priv, public(t, priv), s.n, 0
	s.seed, s.ct, s.hks = nil, answer, s.nhks
	var ck []byte
	s.rk, ck, s.nhks = rootStep(t, s.rk, priv, peer.pub, decapsulate(t, peer.seed, answer))
	s.chain = chain.NewKey(skdf.DeriveSecrets, ck, 0)
}

// decapsulate returns nil if nothing was offered.
func decapsulate(t *testing.T, seed, ct []byte) []byte {
	t.Helper()
	if seed == nil {
		return nil
	}
	dk, err := mlkem.NewDecapsulationKey768(seed)
	if err != nil {
		t.Fatal(err)
	}
	ss, err := dk.Decapsulate(ct)
	if err != nil {
		t.Fatal(err)
	}
	return ss
}

// room is one conversation with its observer.
type room struct {
	t       *testing.T
	ad      key
	now     time.Time
	sides   [2]*ratchet.State
	shadows [2]*shadow
	steps   [2]*halfStep // made, but nothing sealed since
	flying  []flight
	sealed  int
	kems    int
}

type halfStep struct {
	peer *shadow // as it was when it sealed what made the step
	priv key     // the ratchet key drawn
}

type flight struct {
	to   int
	blob []byte
	text string
	from *shadow
}

func newRoom(t *testing.T) *room {
	t.Helper()
	rk, hka, nhkb, ek, spk := drawKey(), drawKey(), drawKey(), drawKey(), drawKey()
	r := &room{t: t, ad: drawKey(), now: time.Unix(1_800_000_000, 0)}
	var err error
	if r.sides[0], err = ratchet.NewInitiator(rk, hka, nhkb, r.ad, private(t, ek), public(t, spk), r.now); err != nil {
		t.Fatal(err)
	}
	if r.sides[1], err = ratchet.NewResponder(rk, hka, nhkb, r.ad, private(t, spk), r.now); err != nil {
		t.Fatal(err)
	}
	a := &shadow{priv: ek, pub: public(t, ek), hks: hka[:]}
	var ck []byte
	a.rk, ck, a.nhks = rootStep(t, rk[:], ek, public(t, spk), nil)
	a.chain = chain.NewKey(skdf.DeriveSecrets, ck, 0)
	r.shadows = [2]*shadow{a, {priv: spk, pub: public(t, spk), rk: rk[:], nhks: nhkb[:]}}
	return r
}

// tape is a source of randomness the observer has read.
func tape(n int) ([]byte, *bytes.Reader) {
	b := make([]byte, n)
	rand.Read(b)
	return b, bytes.NewReader(b)
}

func (r *room) seal(from int) {
	r.t.Helper()
	if !r.sides[from].CanSend() {
		return
	}
	drawn, rest := tape(64 + 24)
	text := fmt.Sprint("message ", r.sealed)
	r.sealed++
	blob, err := envelope.Seal(r.sides[from].Recipient(r.now, rest), []byte(text))
	if err != nil {
		r.t.Fatal(err)
	}
	r.finishStep(from, blob)
	s := r.shadows[from]
	if rest.Len() == 0 { // it drew a KEM key too
		s.seed = drawn[:64]
		r.kems++
	}
	s.observe(r.t, r.ad, blob, text)
	then := *s
	r.flying = append(r.flying, flight{1 - from, blob, text, &then})
}

func (r *room) finishStep(side int, blob []byte) {
	r.t.Helper()
	half := r.steps[side]
	if half == nil {
		return
	}
	r.steps[side] = nil
	s := r.shadows[side]
	var answer []byte
	if half.peer.seed != nil {
		header := openHeader(r.t, s.nhks, blob)
		answer = header[len(header)-mlkem.CiphertextSize768:]
	}
	s.step(r.t, half.peer, half.priv, answer)
}

// deliver opens one envelope; what is drawn for it shows whether it made a step.
func (r *room) deliver(i int) {
	r.t.Helper()
	f := r.flying[i]
	r.flying = append(r.flying[:i], r.flying[i+1:]...)
	drawn, rest := tape(32)
	got, err := envelope.Open(r.sides[f.to].Identity(r.now, rest), f.blob)
	if err != nil || string(got) != f.text {
		r.t.Fatalf("opened %q, %v; want %q", got, err, f.text)
	}
	if rest.Len() == 0 {
		r.steps[f.to] = &halfStep{f.from, key(drawn)}
	}
}

// Random conversations, with loss, delay and reordering, in which libsignal's
// functions derive every key that Kuvert used.
func TestRandomConversations(t *testing.T) {
	conversations, kems, messages := 40, 0, 0
	for seed := range uint64(conversations) {
		random := mrand.New(mrand.NewPCG(seed, 1))
		r := newRoom(t)
		for range 250 {
			switch n := random.IntN(100); {
			case n < 50:
				r.seal(random.IntN(2))
			case n < 95 && len(r.flying) > 0:
				r.deliver(random.IntN(len(r.flying)))
			case n < 97 && len(r.flying) > 0: // lost
				i := random.IntN(len(r.flying))
				r.flying = append(r.flying[:i], r.flying[i+1:]...)
			case n >= 97:
				r.now = r.now.Add(10 * time.Hour)
			}
		}
		kems, messages = kems+r.kems, messages+r.sealed
	}
	t.Logf("%d conversations, %d messages, %d KEM offers", conversations, messages, kems)
	if kems < conversations {
		t.Errorf("only %d KEM offers in %d conversations", kems, conversations)
	}
}
