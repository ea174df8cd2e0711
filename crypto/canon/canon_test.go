package canon

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type doc struct {
	N    uint64   `cbor:"1,keyasint"`
	ID   [4]byte  `cbor:"2,keyasint"`
	Body []byte   `cbor:"3,keyasint"`
	Text string   `cbor:"4,keyasint,omitempty"`
	List [][]byte `cbor:"5,keyasint,omitempty"`
	Sub  *sub     `cbor:"6,keyasint,omitempty"`
	Ext  Ext      `cbor:"-1,keyasint,omitempty"`
}

type sub struct {
	I int64 `cbor:"1,keyasint"`
	B bool  `cbor:"2,keyasint"`
}

// good is a document that the refused ones differ from in one thing.
const good = "a3" + "0101" + "024401020304" + "034105"

var refusals = []struct {
	name, hex string
	ok        bool
}{
	{"good", good, true},
	{"good with extension", "a4" + "0101" + "024401020304" + "034105" + "20a10901", true},
	{"nothing", "", false},
	{"trailing byte", good + "00", false},
	{"cut short", good[:len(good)-2], false},
	{"duplicate key", "a4" + "0101" + "0101" + "024401020304" + "034105", false},
	{"unsorted keys", "a3" + "024401020304" + "0101" + "034105", false},
	{"long integer", "a3" + "011801" + "024401020304" + "034105", false},
	{"long length", "a3" + "0101" + "02580401020304" + "034105", false},
	{"indefinite map", "bf" + "0101" + "024401020304" + "034105" + "ff", false},
	{"indefinite string", "a3" + "0101" + "024401020304" + "035f4105ff", false},
	{"tag", "a3" + "01c101" + "024401020304" + "034105", false},
	{"float", "a3" + "01f93c00" + "024401020304" + "034105", false},
	{"unknown field", "a4" + "0101" + "024401020304" + "034105" + "0701", false},
	{"unknown text field", "a4" + "0101" + "024401020304" + "034105" + "616101", false},
	{"array too short", "a3" + "0101" + "0243010203" + "034105", false},
	{"array too long", "a3" + "0101" + "02450102030405" + "034105", false},
	{"array of numbers", "a3" + "0101" + "028401020304" + "034105", false},
	{"missing field", "a2" + "0101" + "024401020304", false},
	{"null for a string", "a3" + "0101" + "024401020304" + "03f6", false},
	{"empty optional", "a4" + "0101" + "024401020304" + "034105" + "0460", false},
	{"bad UTF-8", "a4" + "0101" + "024401020304" + "034105" + "0461ff", false},
	{"null for a pointer", "a4" + "0101" + "024401020304" + "034105" + "06f6", false},
	{"array that claims 2^63", "9b7fffffffffffffff", false},
	{"map that claims 2^63", "bb7fffffffffffffff", false},
	{"string that claims 2^64-1", "5bffffffffffffffff", false},
	{"deep nesting", strings.Repeat("81", 1000) + "00", false},
	{"extension not canonical", "a4" + "0101" + "024401020304" + "034105" + "20a1091801", false},
	{"extension with key twice", "a4" + "0101" + "024401020304" + "034105" + "20a209010901", false},
	{"key twice inside an extension", "a4" + "0101" + "024401020304" + "034105" + "20a109a201010102", false},
	{"keys unsorted inside an extension", "a4" + "0101" + "024401020304" + "034105" + "20a109a202010101", false},
	{"two-byte simple value", "a3" + "0101" + "024401020304" + "03f814", false},
	{"undefined", "a3" + "0101" + "024401020304" + "03f7", false},
	{"reserved additional info 28", "1c", false},
}

func TestRefusals(t *testing.T) {
	for _, tc := range refusals {
		t.Run(tc.name, func(t *testing.T) {
			raw, err := hex.DecodeString(tc.hex)
			if err != nil {
				t.Fatal(err)
			}
			var d doc
			err = Unmarshal(raw, &d)
			if tc.ok != (err == nil) {
				t.Fatalf("ok = %v, error %v", tc.ok, err)
			}
			if err != nil && !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v does not wrap ErrMalformed", err)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	raw, err := Marshal(make([]byte, 100))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	if err := UnmarshalMax(raw, &out, len(raw)); err != nil {
		t.Fatal(err)
	}
	if err := UnmarshalMax(raw, &out, len(raw)-1); !errors.Is(err, ErrMalformed) {
		t.Fatalf("over the limit: %v", err)
	}
	if err := check(nested(MaxDepth)); err != nil {
		t.Fatalf("as deep as may be: %v", err)
	}
	if err := check(nested(MaxDepth + 1)); !errors.Is(err, ErrMalformed) {
		t.Fatalf("too deep: %v", err)
	}
	if err := Unmarshal(make([]byte, MaxSize+1), &out); !errors.Is(err, ErrMalformed) {
		t.Fatalf("over MaxSize: %v", err)
	}
}

// nested returns a list in a list, so many deep.
func nested(depth int) []byte { return append(bytes.Repeat([]byte{0x81}, depth-1), 0) }

// TestExtensionSurvives: what an older app does not know is written out again.
func TestExtensionSurvives(t *testing.T) {
	raw, _ := hex.DecodeString("a4" + "0101" + "024401020304" + "034105" + "20a2" + "09a10102" + "0a4101")
	var d doc
	if err := Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	again, err := Marshal(d)
	if err != nil || !bytes.Equal(again, raw) {
		t.Fatalf("%x became %x (%v)", raw, again, err)
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := doc{
			N:    rapid.Uint64().Draw(t, "n"),
			Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
			Text: rapid.String().Draw(t, "text"),
			List: rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(t, "list"),
		}
		if rapid.Bool().Draw(t, "sub") {
			d.Sub = &sub{I: rapid.Int64().Draw(t, "i"), B: rapid.Bool().Draw(t, "b")}
		}
		raw, err := Marshal(d)
		if err != nil {
			t.Skip(err) // text that is not UTF-8
		}
		var got doc
		if err := Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		again, err := Marshal(got)
		if err != nil || !bytes.Equal(raw, again) {
			t.Fatalf("%x became %x (%v)", raw, again, err)
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte{0xa3, 1, 1, 2, 0x44, 1, 2, 3, 4, 3, 0x41, 5})
	f.Add([]byte{0xa4, 1, 1, 2, 0x44, 1, 2, 3, 4, 3, 0x41, 5, 0x20, 0xa1, 9, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var d doc
		if Unmarshal(raw, &d) != nil {
			return
		}
		again, err := Marshal(d)
		if err != nil || !bytes.Equal(raw, again) {
			t.Fatalf("%x became %x (%v)", raw, again, err)
		}
	})
}

func TestFrameIsInjective(t *testing.T) {
	seen := map[string]string{}
	for name, b := range map[string][]byte{
		"none":        Frame("a"),
		"empty part":  Frame("a", nil),
		"two empty":   Frame("a", nil, nil),
		"ab":          Frame("a", []byte("ab")),
		"a|b":         Frame("a", []byte("a"), []byte("b")),
		"label ab":    Frame("ab"),
		"label ab, b": Frame("ab", []byte("b")),
	} {
		if other, ok := seen[string(b)]; ok {
			t.Errorf("%s and %s have the same frame", name, other)
		}
		seen[string(b)] = name
	}
}

func TestExtractExpandIsKDF(t *testing.T) {
	secret, info := []byte("secret"), [][]byte{[]byte("x")}
	whole := KDF(secret, nil, "l", info, 40)
	halves := Expand(Extract(secret, nil), "l", info, 40)
	if !bytes.Equal(whole, halves) {
		t.Fatalf("%x, in halves %x", whole, halves)
	}
}
