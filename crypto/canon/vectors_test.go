package canon

import (
	"encoding/hex"
	"testing"

	"github.com/kuvert-im/kuvert/crypto/internal/vector"
)

type vectors struct {
	Comment string           `json:"comment"`
	Frames  []frameVector    `json:"frames"`
	KDFs    []kdfVector      `json:"kdfs"`
	CBOR    []docVector      `json:"cbor"`
	Refused []vector.Refused `json:"cbor_refused"`
}

type frameVector struct {
	Label string       `json:"label"`
	Parts []vector.Hex `json:"parts"`
	Frame vector.Hex   `json:"frame"`
	Hash  vector.Hex   `json:"hash"`
	Key   vector.Hex   `json:"mac_key"`
	MAC   vector.Hex   `json:"mac"`
}

type kdfVector struct {
	Secret vector.Hex   `json:"secret"`
	Salt   vector.Hex   `json:"salt"`
	Label  string       `json:"label"`
	Info   []vector.Hex `json:"info"`
	Key    vector.Hex   `json:"key"`
}

type docVector struct {
	N        uint64     `json:"1"`
	ID       vector.Hex `json:"2"`
	Body     vector.Hex `json:"3"`
	Encoding vector.Hex `json:"encoding"`
}

// TestVectors recomputes crypto/testdata/canon.json.
func TestVectors(t *testing.T) {
	v := vectors{Comment: "cbor: a map {1: unsigned integer, 2: byte string of 4, 3: byte string, 4: text, optional, not empty, " +
		"5: list of byte strings, optional, not empty, 6: map {1: integer, 2: bool}, optional, -1: extensions}"}
	key := []byte("a key of the MAC")
	for _, f := range []struct {
		label string
		parts [][]byte
	}{
		{"a", nil},
		{"a", [][]byte{{}}},
		{"a", [][]byte{[]byte("b"), []byte("c")}},
		{"ab", [][]byte{[]byte("c")}},
	} {
		hash, mac := Hash(f.label, f.parts...), MAC(key, f.label, f.parts...)
		v.Frames = append(v.Frames, frameVector{f.label, hexes(f.parts), Frame(f.label, f.parts...), hash[:], key, mac[:]})
	}
	for _, k := range []struct {
		salt []byte
		info [][]byte
		n    int
	}{{nil, nil, 32}, {[]byte("salt"), nil, 16}, {nil, [][]byte{[]byte("x"), {}}, 96}} {
		v.KDFs = append(v.KDFs, kdfVector{key, k.salt, "label", hexes(k.info), KDF(key, k.salt, "label", k.info, k.n)})
	}
	for _, d := range []doc{{N: 0, Body: []byte{5}}, {N: 1 << 40, ID: [4]byte{1, 2, 3, 4}, Body: make([]byte, 24)}} {
		enc, err := Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		v.CBOR = append(v.CBOR, docVector{d.N, d.ID[:], d.Body, enc})
	}
	v.Refused = refusedVectors(t)
	vector.Compare(t, "canon", v)
}

func hexes(parts [][]byte) []vector.Hex {
	out := []vector.Hex{}
	for _, p := range parts {
		out = append(out, p)
	}
	return out
}

func refusedVectors(t *testing.T) (out []vector.Refused) {
	t.Helper()
	for _, r := range refusals {
		raw, err := hex.DecodeString(r.hex)
		if err != nil {
			t.Fatal(err)
		}
		if !r.ok {
			out = append(out, vector.Refused{Name: r.name, Input: raw, Error: "malformed"})
		}
	}
	return out
}
