package prekey

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/internal/vector"
)

type vectors struct {
	Comment string           `json:"comment"`
	Pairs   []pairVector     `json:"pairs"`
	Bundles []bundleVector   `json:"bundles"`
	Refused []vector.Refused `json:"bundles_refused"`
}

type pairVector struct {
	Private vector.Hex `json:"x25519_private"`
	Seed    vector.Hex `json:"hybrid_seed"`
	DH      vector.Hex `json:"x25519_public"`
	PQ      vector.Hex `json:"hybrid_public"`
	Age     string     `json:"age_identity"`
	Hint    vector.Hex `json:"hint"`
	Stored  vector.Hex `json:"stored"`
}

type bundleVector struct {
	Signer  vector.Hex   `json:"signer_stored"`
	Inst    vector.Hex   `json:"inst"`
	Prev    vector.Hex   `json:"prev"`
	Signed  int          `json:"signed_pair"`
	OneTime int          `json:"one_time_pair"` // -1: none
	Insts   []vector.Hex `json:"insts"`
	Expiry  int64        `json:"expiry_unix_ms"`
	Counter uint64       `json:"counter"`
	Bundle  vector.Hex   `json:"bundle"`
	Hash    vector.Hex   `json:"hash"`
}

// TestVectors recomputes crypto/testdata/prekey.json.
func TestVectors(t *testing.T) {
	self, err := identity.Generate(vector.Reader("alice"))
	if err != nil {
		t.Fatal(err)
	}
	v := vectors{Comment: "pairs are numbered from 0; one_time_pair -1: none"}
	var pairs []*Pair
	for _, name := range []string{"alice signed prekey", "alice one-time prekey"} {
		p, err := Generate(vector.Reader(name), now)
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, p)
		pub, hint := p.Public(), p.Hint()
		v.Pairs = append(v.Pairs, pairVector{
			p.dh.Bytes(), p.pqSeed[:], pub.DH[:], pub.PQ, p.pq.String(), hint[:], p.Marshal(),
		})
	}
	oneTime := pairs[1].Public()
	b := Bundle{
		Inst: identity.Inst{1}, Signed: pairs[0].Public(), Insts: []identity.Inst{{1}},
		Expiry: now.Add(Published), Counter: uint64(now.UnixMilli()),
	}
	v.Bundles = append(v.Bundles, describe(t, self, b, -1))
	b.Prev, b.OneTime, b.Insts = identity.Inst{2}, &oneTime, []identity.Inst{{3}, {1}}
	v.Bundles = append(v.Bundles, describe(t, self, b, 1))
	v.Refused = refusedBundles(t, self, v.Bundles[0].Bundle)
	vector.Compare(t, "prekey", v)
}

func describe(t *testing.T, self *identity.Private, b Bundle, oneTime int) bundleVector {
	t.Helper()
	raw := sign(t, self, b)
	if _, err := ParseBundle(raw); err != nil {
		t.Fatal(err)
	}
	hash := HashBundle(raw)
	out := bundleVector{
		Signer: self.Marshal(), Inst: b.Inst[:], Prev: b.Prev[:], OneTime: oneTime,
		Expiry: b.Expiry.UnixMilli(), Counter: b.Counter, Bundle: raw, Hash: hash[:],
	}
	for _, inst := range b.Insts {
		out.Insts = append(out.Insts, inst[:])
	}
	return out
}

func refusedBundles(t *testing.T, self *identity.Private, raw []byte) (out []vector.Refused) {
	t.Helper()
	good := bodyOf(t, raw)
	add := func(name string, raw []byte, want error, code string) {
		if _, err := ParseBundle(raw); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		out = append(out, vector.Refused{Name: name, Input: raw, Error: code})
	}
	changed := func(change func(*body)) []byte { return resign(t, self, with(good, change)) }
	add("cut short", raw[:len(raw)-1], ErrMalformed, "malformed")
	add("a byte behind the end", append(slices.Clone(raw), 0), ErrMalformed, "malformed")
	add("version 2", changed(func(b *body) { b.Version = 2 }), ErrVersion, "version")
	add("no counter", changed(func(b *body) { b.Counter = 0 }), ErrMalformed, "malformed")
	add("no expiry", changed(func(b *body) { b.Expiry = 0 }), ErrMalformed, "malformed")
	add("installation not in its list", changed(func(b *body) { b.Insts = b.Insts[:0] }), ErrMalformed, "malformed")
	add("its own predecessor", changed(func(b *body) { b.Prev = b.Inst }), ErrMalformed, "malformed")
	add("one-time key is the signed one", changed(func(b *body) { b.OneTime = &b.Signed }), ErrMalformed, "malformed")
	add("short hybrid key", changed(func(b *body) { b.Signed.PQ = b.Signed.PQ[1:] }), ErrMalformed, "malformed")
	add("identity key of small order", changed(func(b *body) { b.ID = identity.ID{1} }), identity.ErrBadKey, "bad signature")
	add("X25519 key not signed", changed(func(b *body) { b.DHSig[0] ^= 1 }), ErrBadSignature, "bad signature")
	enc, err := canon.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	relabelled, err := canon.Marshal(signed{enc, self.Sign("hs", enc)})
	if err != nil {
		t.Fatal(err)
	}
	add("signed for another purpose", relabelled, ErrBadSignature, "bad signature")
	bare, err := canon.Marshal(signed{good.Signed.PQ, self.Sign(labelBundle, good.Signed.PQ)})
	if err != nil {
		t.Fatal(err)
	}
	add("signed, but not a bundle", bare, ErrMalformed, "malformed")
	return out
}

// TestVectorsFromOutside reads the file as another implementation would: stored
// private keys in, public ones and bundles out.
func TestVectorsFromOutside(t *testing.T) {
	var v vectors
	vector.Load(t, "prekey", &v)
	for i, p := range v.Pairs {
		pair, err := ParsePair(p.Stored)
		if err != nil || !slices.Equal(pair.Public().PQ, []byte(p.PQ)) {
			t.Errorf("pair %d: %v", i, err)
		}
	}
	for i, want := range v.Bundles {
		b, err := ParseBundle(want.Bundle)
		if err != nil || b.Counter != want.Counter || !b.Expiry.Equal(time.UnixMilli(want.Expiry)) {
			t.Errorf("bundle %d: %v", i, err)
		}
	}
	for _, r := range v.Refused {
		if _, err := ParseBundle(r.Input); err == nil {
			t.Errorf("%s: accepted", r.Name)
		}
	}
}
