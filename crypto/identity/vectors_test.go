package identity

import (
	"errors"
	"slices"
	"testing"

	"github.com/kuvert-im/kuvert/crypto/internal/vector"
)

type vectors struct {
	Comment    string           `json:"comment"`
	People     []personVector   `json:"people"`
	Pairs      []pairVector     `json:"pairs"`
	Signatures []sigVector      `json:"signatures"`
	BadPublic  []vector.Refused `json:"public_refused"`
	BadDH      []vector.Hex     `json:"x25519_refused"`
}

type personVector struct {
	Seed    vector.Hex `json:"ed25519_seed"`
	Private vector.Hex `json:"x25519_private"`
	ID      vector.Hex `json:"id"`
	Text    string     `json:"id_text"`
	DH      vector.Hex `json:"x25519_public"`
	Sig     vector.Hex `json:"x25519_signature"`
	Stored  vector.Hex `json:"stored"`
}

type pairVector struct {
	A      int        `json:"a"`
	B      int        `json:"b"`
	Kpair  vector.Hex `json:"kpair"`
	Safety string     `json:"safety_number"`
}

type sigVector struct {
	Person int          `json:"person"`
	Label  string       `json:"label"`
	Parts  []vector.Hex `json:"parts"`
	Sig    vector.Hex   `json:"signature"`
}

// TestVectors recomputes crypto/testdata/identity.json.
func TestVectors(t *testing.T) {
	v := vectors{Comment: "public_refused: id | x25519_public | x25519_signature"}
	var people []*Private
	for _, name := range []string{"alice", "bob", "carol"} {
		p, err := Generate(vector.Reader(name))
		if err != nil {
			t.Fatal(err)
		}
		people = append(people, p)
		pub := p.Public()
		v.People = append(v.People, personVector{
			p.sign.Seed(), p.dh.Bytes(), pub.ID[:], pub.ID.String(), pub.DH[:], pub.Sig[:], p.Marshal(),
		})
	}
	for _, ab := range [][2]int{{0, 1}, {1, 0}, {0, 2}} {
		a, b := people[ab[0]], people[ab[1]]
		k, err := Kpair(a, b.Public())
		if err != nil {
			t.Fatal(err)
		}
		v.Pairs = append(v.Pairs, pairVector{ab[0], ab[1], k[:], SafetyNumber(a.Public(), b.Public())})
	}
	sig := people[0].Sign("hs", []byte("ab"), []byte("c"))
	v.Signatures = []sigVector{{0, "hs", []vector.Hex{[]byte("ab"), []byte("c")}, sig[:]}}
	v.BadPublic = badPublics(t, people[0])
	for _, low := range lowOrder(t) {
		v.BadDH = append(v.BadDH, low[:])
	}
	vector.Compare(t, "identity", v)
}

func badPublics(t *testing.T, p *Private) []vector.Refused {
	t.Helper()
	out := []vector.Refused{}
	add := func(name string, pub Public, want error) {
		if err := pub.Verify(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		code := map[error]string{ErrBadKey: "bad key", ErrBadSignature: "bad signature"}[want]
		out = append(out, vector.Refused{Name: name, Input: slices.Concat(pub.ID[:], pub.DH[:], pub.Sig[:]), Error: code})
	}
	unsigned := p.Public()
	unsigned.DH[0] ^= 1
	add("other X25519 key", unsigned, ErrBadSignature)
	relabelled := p.Public()
	relabelled.Sig = p.Sign("hs", relabelled.DH[:])
	add("signature for another purpose", relabelled, ErrBadSignature)
	for _, id := range smallOrder {
		add("identity key of small order", Public{ID: id, DH: p.public.DH, Sig: [64]byte{1}}, ErrBadKey)
		id[31] |= 0x80
		add("identity key of small order, sign bit set", Public{ID: id, DH: p.public.DH, Sig: [64]byte{1}}, ErrBadKey)
	}
	return out
}
