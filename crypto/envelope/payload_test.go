package envelope

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"github.com/kuvert-im/kuvert/crypto/canon"
)

func samplePayload() Payload {
	return Payload{
		Version: Version, Type: TypeMessage, Conversation: [16]byte{1}, MessageID: [16]byte{2},
		Sender: [32]byte{3}, Recipient: [32]byte{4}, Inst: [16]byte{5}, Session: [16]byte{6},
		Ctr: 7, Number: 8, Seq: 9, Parents: [][16]byte{{10}, {11}}, Sent: time.UnixMilli(1_800_000_000_123).UTC(),
		Acks: []Ack{{Session: [16]byte{6}, Contiguous: 3, Chain: [8]byte{12}, Ranges: []AckRange{{5, 5, [8]byte{13}}, {7, 9, [8]byte{14}}}, Hi: 15, HiHash: [8]byte{16}}},
		Body: []byte("body"), Ext: canon.Ext{70: cbor.RawMessage{0xf5}},
	}
}

func TestPayloadRoundTrip(t *testing.T) {
	p := samplePayload()
	b, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Fatalf("decoded %+v, %v", got, err)
	}
	p.Version = 0
	if again, err := Encode(p); err != nil || !bytes.Equal(again, b) {
		t.Fatalf("the version is not filled in: %v", err)
	}
}

func TestPropertyPayload(t *testing.T) {
	id := rapid.Custom(func(t *rapid.T) (v [16]byte) {
		copy(v[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		return v
	})
	rapid.Check(t, func(t *rapid.T) {
		p := samplePayload()
		p.Type = rapid.Uint8Min(1).Draw(t, "type")
		p.MessageID, p.Session = id.Draw(t, "message"), id.Draw(t, "session")
		p.Number = rapid.Uint64Min(1).Draw(t, "number")
		p.Ctr = rapid.Uint64Max(p.Number).Draw(t, "ctr")
		p.Seq = rapid.Uint64().Draw(t, "seq")
		p.Parents = rapid.SliceOfN(id, 1, MaxParents).Draw(t, "parents")
		p.Sent = time.UnixMilli(rapid.Int64Range(0, maxSent).Draw(t, "sent")).UTC()
		p.Body = rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "body")
		b, err := Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b)
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Fatalf("decoded %+v, %v", got, err)
		}
		bad := bytes.Clone(b)
		bad[rapid.IntRange(0, len(b)-1).Draw(t, "where")] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		if got, err := Decode(bad); err == nil {
			if again, err := Encode(got); err != nil || !bytes.Equal(again, bad) {
				t.Fatalf("%x decodes, but is not the encoding of what it says (%v)", bad, err)
			}
		}
	})
}

func TestPayloadLimits(t *testing.T) {
	many := make([]Ack, MaxAcks+1)
	for i := range many {
		many[i].Session[0] = byte(i)
	}
	ranges := make([]AckRange, MaxRanges+1)
	for i := range ranges {
		ranges[i].From, ranges[i].To = uint64(2*i+10), uint64(2*i+10)
	}
	acks := func(contiguous uint64, r ...AckRange) func(*Payload) {
		return func(p *Payload) { p.Acks = []Ack{{Contiguous: contiguous, Ranges: r}} }
	}
	for name, tc := range map[string]struct {
		change func(*Payload)
		want   error
	}{
		"sixteen parents":         {func(p *Payload) { p.Parents = make([][16]byte, MaxParents) }, nil},
		"seventeen parents":       {func(p *Payload) { p.Parents = make([][16]byte, MaxParents+1) }, ErrTooLarge},
		"eight acknowledgements":  {func(p *Payload) { p.Acks = many[:MaxAcks] }, nil},
		"nine acknowledgements":   {func(p *Payload) { p.Acks = many }, ErrTooLarge},
		"a session twice":         {func(p *Payload) { p.Acks = make([]Ack, 2) }, ErrMalformed},
		"32 ranges":               {acks(0, ranges[:MaxRanges]...), nil},
		"33 ranges":               {acks(0, ranges...), ErrTooLarge},
		"range without a gap":     {acks(4, AckRange{From: 5, To: 6}), ErrMalformed},
		"range inside":            {acks(4, AckRange{From: 3, To: 9}), ErrMalformed},
		"range backwards":         {acks(0, AckRange{From: 9, To: 8}), ErrMalformed},
		"ranges out of order":     {acks(0, AckRange{From: 9, To: 9}, AckRange{From: 5, To: 5}), ErrMalformed},
		"ranges touching":         {acks(0, AckRange{From: 5, To: 6}, AckRange{From: 7, To: 8}), ErrMalformed},
		"range to the end":        {acks(0, AckRange{From: 5, To: math.MaxUint64}), nil},
		"range beyond the end":    {acks(0, AckRange{From: 5, To: math.MaxUint64}, AckRange{From: 0, To: 1}), ErrMalformed},
		"wraps to one":            {acks(math.MaxUint64, AckRange{From: 1, To: 1}), ErrMalformed},
		"body at the limit":       {func(p *Payload) { p.Body = make([]byte, MaxBody) }, nil},
		"body over the limit":     {func(p *Payload) { p.Body = make([]byte, MaxBody+1) }, ErrTooLarge},
		"no body":                 {func(p *Payload) { p.Body = nil }, nil},
		"type of a later version": {func(p *Payload) { p.Type = 200 }, nil},
		"no type":                 {func(p *Payload) { p.Type = 0 }, ErrMalformed},
		"later version":           {func(p *Payload) { p.Version = 2 }, ErrMalformed},
		"asks for no answer":      {func(p *Payload) { p.Ctr = 0 }, nil},
		"no number":               {func(p *Payload) { p.Number, p.Ctr = 0, 0 }, ErrMalformed},
		"more asking than sealed": {func(p *Payload) { p.Ctr = p.Number + 1 }, ErrMalformed},
		"sent before 1970":        {func(p *Payload) { p.Sent = time.UnixMilli(-1) }, ErrMalformed},
		"sent in the year 9999":   {func(p *Payload) { p.Sent = time.UnixMilli(maxSent) }, nil},
		"sent in the year 10000":  {func(p *Payload) { p.Sent = time.UnixMilli(maxSent + 1) }, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			p := samplePayload()
			tc.change(&p)
			if _, err := Encode(p); !errors.Is(err, tc.want) {
				t.Errorf("encoded: %v, want %v", err, tc.want)
			}
			raw, err := canon.Marshal(p.wire()) // as a careless peer would
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Decode(raw); !errors.Is(err, tc.want) {
				t.Errorf("decoded: %v, want %v", err, tc.want)
			}
		})
	}
}

func TestPayloadForms(t *testing.T) {
	good, err := Encode(samplePayload())
	if err != nil {
		t.Fatal(err)
	}
	text := hex.EncodeToString(good)
	for name, bad := range map[string]string{
		"empty":            "",
		"no map":           "80",
		"trailing byte":    text + "00",
		"cut":              text[:len(text)-2],
		"long integer":     strings.Replace(text, "0201", "021801", 1),
		"duplicate key":    "b1" + "0101" + text[2:],
		"short id":         strings.Replace(text, "0350"+"01"+strings.Repeat("00", 15), "034f01"+strings.Repeat("00", 14), 1),
		"unknown field":    "b1" + text[2:len(text)-8] + "1000" + text[len(text)-8:],
		"indefinite":       "bf" + text[2:] + "ff",
		"huge map":         "bb7fffffffffffffff",
		"huge body":        "a10f5b7fffffffffffffff",
		"deep":             "a10e" + strings.Repeat("81", 4000) + "00",
		"no fields at all": "a0",
	} {
		raw, err := hex.DecodeString(bad)
		if err != nil {
			t.Fatal(name, err)
		}
		if bad == text {
			t.Errorf("%s: nothing was changed", name)
		}
		if _, err := Decode(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode(make([]byte, MaxPayload+1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestAckHashes(t *testing.T) {
	a, b := [16]byte{1}, [16]byte{2}
	if AckChain([32]byte{}, a) == AckChain([32]byte{}, b) || AckChain(AckChain([32]byte{}, a), b) == AckChain(AckChain([32]byte{}, b), a) {
		t.Error("the chain does not depend on the order of the messages")
	}
	if AckRangeHash(a, b) == AckRangeHash(b, a) || AckRangeHash(a) == AckRangeHash(a, b) {
		t.Error("the range does not depend on its messages")
	}
}

func FuzzDecode(f *testing.F) {
	for _, change := range []func(*Payload){func(*Payload) {}, func(p *Payload) { p.Acks, p.Parents, p.Ext = nil, nil, nil }} {
		p := samplePayload()
		change(&p)
		b, err := Encode(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		if again, err := Encode(p); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("decodes, but is not the encoding of what it says: %v", err)
		}
	})
}
