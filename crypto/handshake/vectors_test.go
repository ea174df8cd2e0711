package handshake

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/internal/vector"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

type vectors struct {
	Comment string        `json:"comment"`
	Cases   []*caseVector `json:"cases"`
}

// caseVector is one handshake from A to B. What Draws holds is EK_A, the first
// ratchet key and pq_seed, 32 bytes each.
type caseVector struct {
	Name    string     `json:"name"`
	A       vector.Hex `json:"a_identity_stored"`
	B       vector.Hex `json:"b_identity_stored"`
	ABundle vector.Hex `json:"a_bundle"`
	BBundle vector.Hex `json:"b_bundle"`
	Signed  vector.Hex `json:"b_signed_pair_stored"`
	OneTime vector.Hex `json:"b_one_time_pair_stored"` // empty: none
	Auth    vector.Hex `json:"invite_auth"`            // empty: none
	HS      uint64     `json:"hs"`
	Draws   vector.Hex `json:"a_draws"`

	DH            []vector.Hex `json:"dh"`
	TH            vector.Hex   `json:"th"`
	RK0           vector.Hex   `json:"rk0"`
	HKa           vector.Hex   `json:"hka"`
	NHKb          vector.Hex   `json:"nhkb"`
	MAC           vector.Hex   `json:"mac"`
	Sig           vector.Hex   `json:"signature"`
	AD            vector.Hex   `json:"ad"`
	Digits        string       `json:"digits"`
	Nonce         vector.Hex   `json:"pairing_nonce"`
	Paired        string       `json:"digits_with_nonce"`
	Block         vector.Hex   `json:"block"`
	Inner         vector.Hex   `json:"inner"`
	Offer         vector.Hex   `json:"offer"`
	Frame         vector.Hex   `json:"frame"` // its outer file is drawn anew each time
	Ratchet       vector.Hex   `json:"ratchet_initiator_stored"`
	Refused       []refusal    `json:"offers_refused,omitempty"`
	RefusedFrames []refusal    `json:"frames_refused,omitempty"`
}

type refusal struct {
	Name  string     `json:"name"`
	Input vector.Hex `json:"input"`
	Error string     `json:"error"`
}

// cast is the people of the vectors.
type cast struct {
	alice, bob, carol *someone
	auth              invite.Secret
}

// fixed makes someone from reproducible bytes.
func fixed(t *testing.T, name string, oneTime bool) *someone {
	t.Helper()
	self, err := identity.Generate(vector.Reader(name))
	if err != nil {
		t.Fatal(err)
	}
	s := &someone{self: self}
	if s.keys.Signed, err = prekey.Generate(vector.Reader(name+" signed prekey"), now); err != nil {
		t.Fatal(err)
	}
	b := prekey.Bundle{
		Inst: identity.Inst{1}, Signed: s.keys.Signed.Public(), Insts: []identity.Inst{{1}},
		Expiry: now.Add(prekey.Published), Counter: 1,
	}
	if oneTime {
		if s.keys.OneTime, err = prekey.Generate(vector.Reader(name+" one-time prekey"), now); err != nil {
			t.Fatal(err)
		}
		pub := s.keys.OneTime.Public()
		b.OneTime = &pub
	}
	s.bundle = signBundle(t, self, b)
	s.keys.Bundles = [][]byte{s.bundle}
	return s
}

// TestVectors recomputes crypto/testdata/handshake.json, except for the outer
// files, which age draws anew: those are opened.
func TestVectors(t *testing.T) {
	var old vectors
	if !vector.Updating() {
		vector.Load(t, "handshake", &old)
	}
	v := vectors{Comment: "pairs and identities as stored; offers are the content of the outer age file"}
	carol := fixed(t, "carol", false)
	for n, tc := range []struct {
		name            string
		oneTime, invite bool
	}{{"bundle", false, false}, {"personal invitation", true, true}} {
		c := cast{alice: fixed(t, "alice", false), bob: fixed(t, "bob", tc.oneTime), carol: carol}
		if tc.invite {
			c.auth = invite.Secret(draw(t, "invitation", 16))
			c.bob.keys.Invite = &c.auth
		}
		cv := c.run(t, tc.name)
		if tc.invite { // the case with every field in use
			c.refusals(t, cv)
		}
		if vector.Updating() {
			c.frames(t, cv, tc.invite)
		} else {
			cv.Frame, cv.RefusedFrames = old.Cases[n].Frame, old.Cases[n].RefusedFrames
		}
		c.checkFrames(t, cv)
		v.Cases = append(v.Cases, cv)
	}
	vector.Compare(t, "handshake", v)
}

func draw(t *testing.T, name string, n int) []byte {
	t.Helper()
	out := make([]byte, n)
	if _, err := io.ReadFull(vector.Reader(name), out); err != nil {
		t.Fatal(err)
	}
	return out
}

// run makes the handshake with the package and, beside it, from the standard
// library alone as docs/protocol/handshake.md says; both must agree.
func (c *cast) run(t *testing.T, name string) *caseVector {
	t.Helper()
	a, b := c.alice, c.bob
	cv := &caseVector{
		Name: name, A: a.self.Marshal(), B: b.self.Marshal(), ABundle: a.bundle, BBundle: b.bundle,
		Signed: b.keys.Signed.Marshal(), HS: uint64(now.UnixMilli()), Draws: draw(t, name+" draws", 96),
		Nonce: draw(t, name+" nonce", 32), Inner: draw(t, name+" inner", 64),
	}
	if b.keys.OneTime != nil {
		cv.OneTime = b.keys.OneTime.Marshal()
	}
	if b.keys.Invite != nil {
		cv.Auth = b.keys.Invite[:]
	}
	i, err := Initiate(bytes.NewReader(cv.Draws), now, a.self, a.bundle, b.bundle, cv.HS, b.keys.Invite)
	if err != nil {
		t.Fatal(err)
	}
	cv.TH, cv.Block, cv.Digits, cv.Paired = i.TH[:], i.Block, i.SAS(nil), i.SAS(cv.Nonce)
	if cv.Ratchet, err = i.Ratchet.Marshal(); err != nil {
		t.Fatal(err)
	}
	if cv.Offer, err = canon.Marshal(offer{i.Block, cv.Inner}); err != nil {
		t.Fatal(err)
	}
	blk, err := parseBlock(i.Block)
	if err != nil {
		t.Fatal(err)
	}
	cv.MAC, cv.Sig = blk.MAC[:], blk.Sig[:]
	c.reference(t, cv)
	return cv
}

// refFrame, refHash and refMAC are the protocol's, written out once more.
func refFrame(label string, parts ...[]byte) (out []byte) {
	for _, p := range slices.Concat([][]byte{[]byte("kuvert/v1 " + label)}, parts) {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(p))), p...)
	}
	return out
}

func refHash(label string, parts ...[]byte) []byte {
	sum := sha256.Sum256(refFrame(label, parts...))
	return sum[:]
}

func refKDF(t *testing.T, secret []byte, n int, label string, parts ...[]byte) []byte {
	t.Helper()
	info := "kuvert/v1 " + label
	for _, p := range parts {
		info += string(binary.BigEndian.AppendUint32(nil, uint32(len(p)))) + string(p)
	}
	out, err := hkdf.Key(sha256.New, secret, make([]byte, 32), info, n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// reference fills in what only the specification gives and checks the rest.
func (c *cast) reference(t *testing.T, cv *caseVector) {
	t.Helper()
	a, b := c.alice.self.Public(), c.bob.self.Public()
	ek, ratchetKey, seed := privateKey(t, cv.Draws[:32]), privateKey(t, cv.Draws[32:64]), cv.Draws[64:]
	spk := c.bob.keys.Signed
	oneTimeHint, auth, inviteID := make([]byte, 8), make([]byte, 16), make([]byte, 16)
	cv.DH = []vector.Hex{
		ecdhOf(t, spk.Private(), a.DH[:]), // DH1, seen from B
		ecdhOf(t, ek, b.DH[:]),
		ecdhOf(t, ek, spk.Private().PublicKey().Bytes()),
	}
	if opk := c.bob.keys.OneTime; opk != nil {
		cv.DH = append(cv.DH, ecdhOf(t, ek, opk.Private().PublicKey().Bytes()))
		oneTimeHint = refHash("hint", opk.Public().PQ)[:8]
	}
	if c.bob.keys.Invite != nil {
		auth, inviteID = cv.Auth, refKDF(t, cv.Auth, 16, "invite-id")
	}
	seedHash := sha256.Sum256(seed)
	th := refHash("th", []byte("kuvert/v1 X25519 ML-KEM-768 Ed25519 SHA-256 ChaCha20-Poly1305"),
		a.ID[:], a.DH[:], b.ID[:], b.DH[:], cv.BBundle, cv.ABundle, refHash("hint", spk.Public().PQ)[:8], oneTimeHint,
		ek.PublicKey().Bytes(), ratchetKey.PublicKey().Bytes(), seedHash[:], inviteID,
		binary.BigEndian.AppendUint64(nil, cv.HS))
	ikm := bytes.Repeat([]byte{0xff}, 32)
	for _, dh := range cv.DH {
		ikm = append(ikm, dh...)
	}
	out := refKDF(t, slices.Concat(ikm, seed, auth), 96, "pqxdh", th)
	cv.RK0, cv.HKa, cv.NHKb, cv.AD = out[:32], out[32:64], out[64:], refHash("ad", th)
	mac := hmac.New(sha256.New, refKDF(t, cv.RK0, 32, "confirm"))
	mac.Write(refFrame("A", th))
	sig := c.alice.self.Sign("hs", th)
	ad, rk0 := associated([32]byte(th)), [32]byte(cv.RK0)
	for name, same := range map[string]bool{
		"TH": bytes.Equal(th, cv.TH), "mac": bytes.Equal(mac.Sum(nil), cv.MAC), "ad": bytes.Equal(ad[:], cv.AD),
		"signature":  bytes.Equal(sig[:], cv.Sig),
		"digits":     cv.Digits == refDigits(t, cv.RK0, th, nil) && cv.Digits == SAS(rk0, [32]byte(th), nil),
		"with nonce": cv.Paired == refDigits(t, cv.RK0, th, cv.Nonce),
	} {
		if !same {
			t.Errorf("%s: %s is not as specified", cv.Name, name)
		}
	}
}

func refDigits(t *testing.T, rk0, th, extra []byte) string {
	t.Helper()
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(refKDF(t, rk0, 8, "sas", th, extra))%1_000_000)
}

func privateKey(t *testing.T, seed []byte) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.X25519().NewPrivateKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ecdhOf(t *testing.T, k *ecdh.PrivateKey, pub []byte) []byte {
	t.Helper()
	p, err := ecdh.X25519().NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	out, err := k.ECDH(p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var codes = []struct {
	err  error
	code string
}{
	{ErrVersion, "version"},
	{ErrUnknownPrekey, "unknown prekey"},
	{ErrUnknownBundle, "unknown bundle"},
	{ErrUnknownInvite, "unknown invitation"},
	{ErrCannotOpen, "cannot open"},
	{ErrBadMAC, "bad confirmation"},
	{ErrBadSignature, "bad signature"},
	{ErrZeroDH, "all-zero Diffie-Hellman"},
	{ErrSelf, "with oneself"},
	{prekey.ErrMalformed, "malformed"},
	{prekey.ErrBadSignature, "bad signature"},
	{ErrMalformed, "malformed"},
}

func codeOf(err error) string {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return fmt.Sprint(err)
}

// refusals lists offers that differ from the good one in one field.
func (c *cast) refusals(t *testing.T, cv *caseVector) {
	t.Helper()
	foreign := c.carol.self.Sign("hs", cv.TH)
	relabelled := c.alice.self.Sign("bundle", cv.TH)
	for _, r := range []struct {
		name   string
		change func(*block)
		want   error
	}{
		{"version", func(b *block) { b.Version = 2 }, ErrVersion},
		{"bundle of somebody else", func(b *block) { b.Bundle = c.carol.bundle }, ErrBadMAC},
		{"bundle cut short", func(b *block) { b.Bundle = b.Bundle[1:] }, prekey.ErrMalformed},
		{"bundle with a flipped bit", func(b *block) { b.Bundle = flip(b.Bundle, len(b.Bundle)-1) }, prekey.ErrBadSignature},
		{"hash of B's bundle", func(b *block) { b.Peer[0] ^= 1 }, ErrUnknownBundle},
		{"signed prekey", func(b *block) { b.Signed[0] ^= 1 }, ErrUnknownPrekey},
		{"one-time prekey", func(b *block) { b.OneTime[0] ^= 1 }, ErrUnknownPrekey},
		{"ephemeral key", func(b *block) { b.EK[0] ^= 1 }, ErrBadMAC},
		{"ephemeral key zero", func(b *block) { b.EK = [32]byte{} }, ErrZeroDH},
		{"ratchet key", func(b *block) { b.Ratchet[0] ^= 1 }, ErrBadMAC},
		{"ratchet key zero", func(b *block) { b.Ratchet = [32]byte{} }, ErrZeroDH},
		{"seed", func(b *block) { b.Seed[0] ^= 1 }, ErrBadMAC},
		{"number", func(b *block) { b.HS++ }, ErrBadMAC},
		{"number zero", func(b *block) { b.HS = 0 }, ErrMalformed},
		{"invitation", func(b *block) { b.Invite[0] ^= 1 }, ErrUnknownInvite},
		{"confirmation", func(b *block) { b.MAC[0] ^= 1 }, ErrBadMAC},
		{"signature", func(b *block) { b.Sig[0] ^= 1 }, ErrBadSignature},
		{"signature of somebody else", func(b *block) { b.Sig = foreign }, ErrBadSignature},
		{"signature for another purpose", func(b *block) { b.Sig = relabelled }, ErrBadSignature},
	} {
		blk, err := parseBlock(cv.Block)
		if err != nil {
			t.Fatal(err)
		}
		r.change(blk)
		plain := marshal(t, offer{marshal(t, blk), cv.Inner})
		if err := c.openOffer(plain); !errors.Is(err, r.want) {
			t.Errorf("%s: %v, want %v", r.name, err, r.want)
		}
		cv.Refused = append(cv.Refused, refusal{r.name, plain, codeOf(r.want)})
	}
	behind := append(slices.Clone(cv.Offer), 0)
	cv.Refused = append(cv.Refused, refusal{"a byte behind the end", behind, codeOf(c.openOffer(behind))})
}

// openOffer is Open without the outer file.
func (c *cast) openOffer(plain []byte) error {
	file, err := encryptOuter(c.bob.keys.outer().Public(), plain)
	if err != nil {
		return err
	}
	_, err = Open(now, c.bob.self, c.bob.keys, AppendFrame(nil, KindHandshake, c.bob.keys.outer().Hint(), file))
	return err
}

// frames draws the outer files anew.
func (c *cast) frames(t *testing.T, cv *caseVector, refused bool) {
	t.Helper()
	hint := c.bob.keys.outer().Hint()
	file, err := encryptOuter(c.bob.keys.outer().Public(), cv.Offer)
	if err != nil {
		t.Fatal(err)
	}
	cv.Frame = AppendFrame(nil, KindHandshake, hint, file)
	if !refused {
		return
	}
	for _, r := range []struct {
		name  string
		frame []byte
	}{
		{"cut short", cv.Frame[:len(cv.Frame)-1]},
		{"a flipped bit in the payload", flip(cv.Frame, len(cv.Frame)-1)},
		{"a flipped bit in the stanza", flip(cv.Frame, 100)},
		{"a byte behind the end", append(slices.Clone(cv.Frame), 0)},
		{"two stanzas", AppendFrame(nil, KindHandshake, hint, twoStanzas(t, c.bob, c.carol, cv.Offer))},
		{"a scrypt stanza", AppendFrame(nil, KindHandshake, hint, scrypt(t, cv.Offer))},
		{"for another prekey", AppendFrame(nil, KindHandshake, hint, toSomeone(t, c.carol, cv.Offer))},
		{"another prekey's hint", AppendFrame(nil, KindHandshake, c.carol.keys.Signed.Hint(), file)},
		{"as a ratchet frame", AppendFrame(nil, KindRatchet, prekey.Hint{}, file)},
		{"without an outer file", AppendFrame(nil, KindHandshake, hint, cv.Offer)},
	} {
		_, err := Open(now, c.bob.self, c.bob.keys, r.frame)
		cv.RefusedFrames = append(cv.RefusedFrames, refusal{r.name, r.frame, codeOf(err)})
	}
}

func (c *cast) checkFrames(t *testing.T, cv *caseVector) {
	t.Helper()
	acc, err := Open(now, c.bob.self, c.bob.keys, cv.Frame)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(acc.Inner, cv.Inner) || !bytes.Equal(acc.TH[:], cv.TH) || acc.SAS(nil) != cv.Digits || acc.HS != cv.HS {
		t.Error("the frame holds another offer")
	}
	for _, r := range cv.RefusedFrames {
		if _, err := Open(now, c.bob.self, c.bob.keys, r.Input); err == nil || codeOf(err) != r.Error {
			t.Errorf("%s: %v, want %s", r.Name, err, r.Error)
		}
	}
}

// TestVectorReader: draws of the real source and of the vectors take as many bytes.
func TestVectorReader(t *testing.T) {
	a, b := fixed(t, "alice", false), fixed(t, "bob", false)
	for _, source := range []io.Reader{rand.Reader, vector.Reader("x")} {
		if _, err := Initiate(source, now, a.self, a.bundle, b.bundle, 1, nil); err != nil {
			t.Fatal(err)
		}
	}
}
