package handshake

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

// reframe puts an altered block of i into a frame.
func reframe(t testing.TB, i *Initiated, change func(*block)) []byte {
	t.Helper()
	b, err := parseBlock(i.Block)
	if err != nil {
		t.Fatal(err)
	}
	change(b)
	enc, err := canon.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	altered := *i
	altered.Block = enc
	return frameOf(t, &altered, []byte("inner"))
}

// TestEveryFieldCounts changes each field of an offer after it was made.
func TestEveryFieldCounts(t *testing.T) {
	alice, bob, carol := newSomeone(t, false), newSomeone(t, true), newSomeone(t, false)
	bob.keys.Invite = &invite.Secret{7}
	i := initiate(t, alice, bob)
	newer, err := prekey.ParseBundle(alice.bundle)
	if err != nil {
		t.Fatal(err)
	}
	newer.Counter++
	renewed := signBundle(t, alice.self, newer)
	newer.OneTime = &prekey.PublicPair{DH: [32]byte{1}, PQ: newPair(t).Public().PQ}
	withOneTime := signBundle(t, alice.self, newer)
	for name, tc := range map[string]struct {
		change func(*block)
		want   error
	}{
		"nothing":                   {func(*block) {}, nil},
		"version":                   {func(b *block) { b.Version = 2 }, ErrVersion},
		"another person's bundle":   {func(b *block) { b.Bundle = carol.bundle }, ErrBadMAC},
		"a newer bundle of A":       {func(b *block) { b.Bundle = renewed }, ErrBadMAC},
		"one-time keys of A":        {func(b *block) { b.Bundle = withOneTime }, ErrMalformed},
		"damaged bundle":            {func(b *block) { b.Bundle = slices.Clone(b.Bundle[:100]) }, prekey.ErrMalformed},
		"B's own bundle":            {func(b *block) { b.Bundle = bob.bundle }, ErrMalformed},
		"B's bundle":                {func(b *block) { b.Peer[0] ^= 1 }, ErrUnknownBundle},
		"signed prekey":             {func(b *block) { b.Signed[0] ^= 1 }, ErrUnknownPrekey},
		"one-time prekey":           {func(b *block) { b.OneTime[0] ^= 1 }, ErrUnknownPrekey},
		"one-time prekey left out":  {func(b *block) { b.OneTime = prekey.Hint{} }, ErrUnknownPrekey},
		"ephemeral key":             {func(b *block) { b.EK[0] ^= 1 }, ErrBadMAC},
		"ratchet key":               {func(b *block) { b.Ratchet[0] ^= 1 }, ErrBadMAC},
		"seed":                      {func(b *block) { b.Seed[0] ^= 1 }, ErrBadMAC},
		"number":                    {func(b *block) { b.HS++ }, ErrBadMAC},
		"number zero":               {func(b *block) { b.HS = 0 }, ErrMalformed},
		"another invitation":        {func(b *block) { b.Invite[0] ^= 1 }, ErrUnknownInvite},
		"invitation left out":       {func(b *block) { b.Invite = [16]byte{} }, ErrUnknownInvite},
		"confirmation":              {func(b *block) { b.MAC[31] ^= 1 }, ErrBadMAC},
		"signature":                 {func(b *block) { b.Sig[0] ^= 1 }, ErrBadSignature},
		"all-zero ephemeral key":    {func(b *block) { b.EK = [32]byte{} }, ErrZeroDH},
		"ephemeral key of order 2":  {func(b *block) { b.EK = [32]byte{1} }, ErrZeroDH},
		"all-zero ratchet key":      {func(b *block) { b.Ratchet = [32]byte{} }, ErrZeroDH},
		"signature of someone else": {func(b *block) { b.Sig = carol.self.Sign("hs", i.TH[:]) }, ErrBadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(now, bob.self, bob.keys, reframe(t, i, tc.change)); !errors.Is(err, tc.want) {
				t.Fatalf("%v, want %v", err, tc.want)
			}
		})
	}
}

// TestTranscript: TH depends on each of its inputs, and on where one ends and the
// next begins.
func TestTranscript(t *testing.T) {
	base := func() *transcript {
		return &transcript{
			a: identity.Public{ID: identity.ID{1}, DH: [32]byte{2}}, b: identity.Public{ID: identity.ID{3}, DH: [32]byte{4}},
			bundleA: []byte("aa"), bundleB: []byte("bb"),
			block: &block{
				Signed: prekey.Hint{5}, OneTime: prekey.Hint{6}, EK: [32]byte{7}, Ratchet: [32]byte{8},
				Seed: [32]byte{9}, HS: 10, Invite: [16]byte{11},
			},
		}
	}
	changes := []func(*transcript){
		func(*transcript) {},
		func(tr *transcript) { tr.a.ID[0]++ },
		func(tr *transcript) { tr.a.DH[0]++ },
		func(tr *transcript) { tr.b.ID[0]++ },
		func(tr *transcript) { tr.b.DH[0]++ },
		func(tr *transcript) { tr.a, tr.b = tr.b, tr.a },
		func(tr *transcript) { tr.bundleA = []byte("ac") },
		func(tr *transcript) { tr.bundleB = []byte("bc") },
		func(tr *transcript) { tr.bundleB, tr.bundleA = []byte("bba"), []byte("a") },
		func(tr *transcript) { tr.bundleB, tr.bundleA = tr.bundleA, tr.bundleB },
		func(tr *transcript) { tr.block.Signed[0]++ },
		func(tr *transcript) { tr.block.OneTime[0]++ },
		func(tr *transcript) { tr.block.EK[0]++ },
		func(tr *transcript) { tr.block.Ratchet[0]++ },
		func(tr *transcript) { tr.block.Seed[0]++ },
		func(tr *transcript) { tr.block.HS++ },
		func(tr *transcript) { tr.block.Invite[0]++ },
	}
	seen := map[[32]byte]int{}
	for n, change := range changes {
		tr := base()
		change(tr)
		th := tr.hash()
		if other, ok := seen[th]; ok {
			t.Errorf("changes %d and %d give the same TH", other, n)
		}
		seen[th] = n
	}
}

// TestEverySecretCounts: the root key depends on each secret.
func TestEverySecretCounts(t *testing.T) {
	base := func() secrets {
		return secrets{dh: [][]byte{{1: 1, 31: 0}, {1: 2, 31: 0}, {1: 3, 31: 0}, {1: 4, 31: 0}}, seed: [32]byte{5}, invite: [16]byte{6}}
	}
	seen := map[[32]byte]int{}
	for n, change := range []func(*secrets){
		func(*secrets) {},
		func(s *secrets) { s.dh[0][0]++ },
		func(s *secrets) { s.dh[1][0]++ },
		func(s *secrets) { s.dh[2][0]++ },
		func(s *secrets) { s.dh[3][0]++ },
		func(s *secrets) { s.dh = s.dh[:3] },
		func(s *secrets) { s.dh[0], s.dh[1] = s.dh[1], s.dh[0] },
		func(s *secrets) { s.seed[0]++ },
		func(s *secrets) { s.invite[0]++ },
	} {
		s := base()
		change(&s)
		k := schedule(s, [32]byte{1})
		if other, ok := seen[k.rk0]; ok {
			t.Errorf("changes %d and %d give the same root key", other, n)
		}
		seen[k.rk0] = n
		if k.rk0 == k.hka || k.hka == k.nhkb || k.rk0 == k.nhkb {
			t.Error("two keys are equal")
		}
	}
}

// TestThiefOfPrekeys: who has all of B's private prekeys and B's identity, but not
// A's identity key, cannot be A towards B.
func TestThiefOfPrekeys(t *testing.T) {
	alice, bob := newSomeone(t, false), newSomeone(t, false)
	b, err := parseBlock(initiate(t, alice, bob).Block)
	if err != nil {
		t.Fatal(err)
	}
	// The thief computes DH1 with B's SPK instead of A's identity, draws the rest
	// anew and confirms properly; only the signature is out of reach.
	thief, err := identity.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d, err := drawKeys(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	peer, _ := prekey.ParseBundle(bob.bundle)
	forged := d.block(alice.bundle, bob.bundle, &peer, 9, nil)
	s, err := bob.keys.agree(bob.self, alice.self.Public().DH, forged)
	if err != nil {
		t.Fatal(err)
	}
	tr := transcript{alice.self.Public(), bob.self.Public(), alice.bundle, bob.bundle, forged}
	i, err := finish(thief, &tr, s, d.ratchet, &peer, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, sig := range map[string][64]byte{
		"the thief's": forged.Sig, "one from an older handshake": b.Sig,
		"one from the bundle": [64]byte(alice.bundle[len(alice.bundle)-64:]),
	} {
		frame := reframe(t, i, func(b *block) { b.Sig = sig })
		if _, err := Open(now, bob.self, bob.keys, frame); !errors.Is(err, ErrBadSignature) {
			t.Errorf("with %s signature: %v", name, err)
		}
	}
}

// TestDigitsWithoutANonce shows what six digits of a handshake alone are worth
// against somebody who stands between two people and sees the one's digits first:
// an initiator finds keys that show the same. Three digits keep the search short;
// a try is a few hashes. Where the digits are to hold against this, a nonce has to
// come in after a commitment, as in package pairing.
func TestDigitsWithoutANonce(t *testing.T) {
	mallory, bob := newSomeone(t, false), newSomeone(t, false)
	const seen = "042"
	d, err := drawKeys(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := prekey.ParseBundle(bob.bundle)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.agree(mallory.self, &peer, nil)
	if err != nil {
		t.Fatal(err)
	}
	for hs := uint64(1); hs < 20_000; hs++ {
		b := d.block(mallory.bundle, bob.bundle, &peer, hs, nil)
		th := (&transcript{mallory.self.Public(), peer.Identity, mallory.bundle, bob.bundle, b}).hash()
		if rk0 := schedule(s, th).rk0; SAS(rk0, th, nil)[3:] == seen {
			return
		}
	}
	t.Fatal("not found: the search does not search")
}

func TestOpenRefuses(t *testing.T) {
	alice, bob, carol := newSomeone(t, false), newSomeone(t, true), newSomeone(t, false)
	frame := frameOf(t, initiate(t, alice, bob), []byte("inner"))
	_, hint, file, err := ParseFrame(frame)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := decryptOuter(bob.keys.OneTime, file)
	if err != nil {
		t.Fatal(err)
	}
	outer := func(plain []byte) []byte {
		f, err := encryptOuter(bob.keys.outer().Public(), plain)
		if err != nil {
			t.Fatal(err)
		}
		return AppendFrame(nil, KindHandshake, hint, f)
	}
	with := func(change func(*Keys)) Keys {
		k := bob.keys
		change(&k)
		return k
	}
	for name, tc := range map[string]struct {
		keys  Keys
		frame []byte
		want  error
	}{
		"as it is":             {bob.keys, frame, nil},
		"no keys":              {Keys{}, frame, ErrUnknownPrekey},
		"signed prekey alone":  {with(func(k *Keys) { k.OneTime = nil }), frame, ErrUnknownPrekey},
		"another's keys":       {carol.keys, frame, ErrUnknownPrekey},
		"other signed prekey":  {with(func(k *Keys) { k.Signed = carol.keys.Signed }), frame, ErrUnknownPrekey},
		"no bundle":            {with(func(k *Keys) { k.Bundles = nil }), frame, ErrUnknownBundle},
		"invitation expected":  {with(func(k *Keys) { k.Invite = &invite.Secret{1} }), frame, ErrUnknownInvite},
		"ratchet frame":        {bob.keys, AppendFrame(nil, KindRatchet, hint, file), ErrMalformed},
		"empty":                {bob.keys, nil, ErrMalformed},
		"not age":              {bob.keys, AppendFrame(nil, KindHandshake, hint, plain), ErrCannotOpen},
		"truncated":            {bob.keys, frame[:len(frame)-1], ErrCannotOpen},
		"truncated header":     {bob.keys, frame[:200], ErrCannotOpen},
		"flipped bit":          {bob.keys, flip(frame, len(frame)-20), ErrCannotOpen},
		"bytes behind":         {bob.keys, append(slices.Clone(frame), 0), ErrCannotOpen},
		"not an offer":         {bob.keys, outer([]byte("hello")), ErrMalformed},
		"empty offer":          {bob.keys, outer(nil), ErrMalformed},
		"bytes behind offer":   {bob.keys, outer(append(slices.Clone(plain), 0)), ErrMalformed},
		"offer without block":  {bob.keys, outer(marshal(t, offer{})), ErrMalformed},
		"two stanzas":          {bob.keys, AppendFrame(nil, KindHandshake, hint, twoStanzas(t, bob, carol, plain)), ErrCannotOpen},
		"scrypt stanza":        {bob.keys, AppendFrame(nil, KindHandshake, hint, scrypt(t, plain)), ErrCannotOpen},
		"another's prekey":     {bob.keys, AppendFrame(nil, KindHandshake, hint, toSomeone(t, carol, plain)), ErrCannotOpen},
		"header of 100 kB":     {bob.keys, AppendFrame(nil, KindHandshake, hint, longHeader(file)), ErrCannotOpen},
		"header without end":   {bob.keys, AppendFrame(nil, KindHandshake, hint, longHeader(nil)), ErrCannotOpen},
		"offer with more data": {bob.keys, outer(bytes.Repeat(plain, 3)), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(now, bob.self, tc.keys, tc.frame); !errors.Is(err, tc.want) {
				t.Fatalf("%v, want %v", err, tc.want)
			}
		})
	}
}

func TestHeaderLimit(t *testing.T) {
	alice, bob := newSomeone(t, false), newSomeone(t, false)
	_, _, file, err := ParseFrame(frameOf(t, initiate(t, alice, bob), nil))
	if err != nil {
		t.Fatal(err)
	}
	if !shortHeader(file) || shortHeader(longHeader(file)) || shortHeader(nil) {
		t.Fatal("the limit does not hold")
	}
}

// TestForeignBundleAmongOurs: a mistake above must not make us answer for somebody
// else's bundle.
func TestForeignBundleAmongOurs(t *testing.T) {
	alice, bob, carol := newSomeone(t, false), newSomeone(t, false), newSomeone(t, false)
	mixed := bob.keys
	mixed.Bundles = [][]byte{carol.bundle}
	frame := reframe(t, initiate(t, alice, bob), func(b *block) { b.Peer = prekey.HashBundle(carol.bundle) })
	if _, err := Open(now, bob.self, mixed, frame); !errors.Is(err, ErrUnknownBundle) {
		t.Fatalf("%v", err)
	}
}

// TestReflection: B's own handshake sent back to B.
func TestReflection(t *testing.T) {
	alice, bob := newSomeone(t, false), newSomeone(t, false)
	frame := reframe(t, initiate(t, alice, bob), func(b *block) { b.Bundle = bob.bundle })
	if _, err := Open(now, bob.self, bob.keys, frame); !errors.Is(err, ErrSelf) {
		t.Fatalf("%v", err)
	}
}

// TestCrossProtocol feeds the bytes of each kind to the reader of another.
func TestCrossProtocol(t *testing.T) {
	alice, bob := newSomeone(t, false), newSomeone(t, false)
	i := initiate(t, alice, bob)
	frame := frameOf(t, i, []byte("inner"))
	code := invite.Code{From: bob.self.ID(), Expiry: now.Add(invite.Life)}
	stored, err := i.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	material := map[string][]byte{
		"bundle": alice.bundle, "block": i.Block, "frame": frame, "stored handshake": stored,
		"private identity": alice.self.Marshal(), "private prekey": bob.keys.Signed.Marshal(),
		"invitation file": code.File(alice.bundle), "invitation": []byte(code.String()),
	}
	for reader, tc := range map[string]struct {
		takes string
		read  func([]byte) error
	}{
		"bundle":           {"bundle", func(b []byte) error { _, err := prekey.ParseBundle(b); return err }},
		"block":            {"block", func(b []byte) error { _, err := parseBlock(b); return err }},
		"stored handshake": {"stored handshake", func(b []byte) error { _, err := ParseInitiated(b); return err }},
		"private identity": {"private identity", func(b []byte) error { _, err := identity.ParsePrivate(b); return err }},
		"private prekey":   {"private prekey", func(b []byte) error { _, err := prekey.ParsePair(b); return err }},
		"invitation file":  {"", func(b []byte) error { _, _, err := invite.ParseFile(b); return err }},
		"invitation":       {"invitation", func(b []byte) error { _, err := invite.Parse(string(b)); return err }},
		"handshake": {"frame", func(b []byte) error {
			_, err := Open(now, bob.self, bob.keys, b)
			return err
		}},
		"offer in a hinted frame": {"", func(b []byte) error {
			_, err := Open(now, bob.self, bob.keys, AppendFrame(nil, KindHandshake, bob.keys.Signed.Hint(), b))
			return err
		}},
	} {
		for name, raw := range material {
			if err := tc.read(raw); (err == nil) != (name == tc.takes) {
				t.Errorf("the reader of %s, given %s: %v", reader, name, err)
			}
		}
	}
	// The inner envelope is for the ratchet; as a handshake's outer file it is refused.
	inner := sealAge(t, i.Ratchet.Recipient(now, rand.Reader), "hello")
	if _, err := decryptOuter(bob.keys.Signed, inner); !errors.Is(err, ErrCannotOpen) {
		t.Errorf("a ratchet envelope as outer file: %v", err)
	}
	// And the outer file is not a ratchet envelope.
	_, _, file, _ := ParseFrame(frame)
	if _, err := age.Decrypt(bytes.NewReader(file), i.Ratchet.Clone().Identity(now, rand.Reader)); err == nil {
		t.Error("the outer file was opened by the ratchet")
	}
}

func flip(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := canon.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ageFile(t *testing.T, plain []byte, to ...age.Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func recipient(t *testing.T, s *someone) age.Recipient {
	t.Helper()
	r, err := s.keys.outer().Public().Recipient()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func twoStanzas(t *testing.T, a, b *someone, plain []byte) []byte {
	t.Helper()
	return ageFile(t, plain, recipient(t, a), recipient(t, b))
}

func toSomeone(t *testing.T, s *someone, plain []byte) []byte {
	t.Helper()
	return ageFile(t, plain, recipient(t, s))
}

func scrypt(t *testing.T, plain []byte) []byte {
	t.Helper()
	r, err := age.NewScryptRecipient("password")
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(1)
	return ageFile(t, plain, r)
}

// longHeader puts 100 kB of further stanzas before the first one's end.
func longHeader(file []byte) []byte {
	start, rest, _ := bytes.Cut(file, []byte("-> "))
	if start == nil {
		start = []byte("age-encryption.org/v1\n")
	}
	out := slices.Clone(start)
	for n := 0; len(out) < 100<<10; n++ {
		out = fmt.Appendf(out, "-> grease %d\n\n", n)
	}
	return append(append(out, "-> "...), rest...)
}

func FuzzParseFrame(f *testing.F) {
	f.Add(AppendFrame(nil, KindHandshake, prekey.Hint{1}, []byte("envelope")))
	f.Add(AppendFrame(nil, KindRatchet, prekey.Hint{}, []byte("envelope")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		kind, hint, envelope, err := ParseFrame(raw)
		if err == nil && !bytes.Equal(AppendFrame(nil, kind, hint, envelope), raw) {
			t.Fatal("two encodings of one frame")
		}
	})
}

// FuzzOpen feeds plaintexts of the outer file, past its encryption.
func FuzzOpen(f *testing.F) {
	alice, bob := newSomeone(f, false), newSomeone(f, false)
	i := initiate(f, alice, bob)
	good, err := canon.Marshal(offer{i.Block, []byte("inner")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(i.Block)
	f.Fuzz(func(t *testing.T, plain []byte) {
		var o offer
		if canon.UnmarshalMax(plain, &o, MaxFrame) != nil {
			return
		}
		b, err := parseBlock(o.Block)
		if err != nil {
			return
		}
		acc, err := bob.keys.accept(now, bob.self, b)
		if err == nil && acc.TH != i.TH {
			t.Fatal("accepted another offer than the one that was signed")
		}
	})
}

func FuzzParseInitiated(f *testing.F) {
	alice, bob := newSomeone(f, false), newSomeone(f, false)
	stored, err := initiate(f, alice, bob).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stored)
	f.Fuzz(func(t *testing.T, raw []byte) {
		i, err := ParseInitiated(raw)
		if err != nil {
			return
		}
		if again, err := i.Marshal(); err != nil || !bytes.Equal(again, raw) {
			t.Fatal("two encodings of one handshake")
		}
	})
}
