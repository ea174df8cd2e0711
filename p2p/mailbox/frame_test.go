package mailbox

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"
)

func keyOf(n byte) (k access) {
	for i := range k.id {
		k.id[i] = n
	}
	for i := range k.by {
		k.by[i] = ^n
	}
	return k
}

// samples is one request of each kind.
func samples() []request {
	return []request{
		{op: opAuth, token: [32]byte{1, 2}},
		{op: opUsage},
		{op: opMake, key: keyOf(1), send: keyOf(2), until: 1 << 33},
		{op: opDrop, key: keyOf(3)},
		{op: opPut, key: keyOf(4), blob: []byte("blob")},
		{op: opPut, key: keyOf(4), blob: []byte{}},
		{op: opSlot, key: keyOf(5), blob: []byte("state")},
		{op: opList, key: keyOf(6), after: math.MaxUint64},
		{op: opDelete, key: keyOf(7), places: []uint64{1, 2, 1 << 50}},
		{op: opWatch, keys: []access{keyOf(8), keyOf(9)}},
		{op: opPublish, key: access{id: keyOf(1).id}, until: 7, blob: []byte("page")},
		{op: opRead, key: access{id: keyOf(1).id}},
	}
}

func TestRequestsRoundTrip(t *testing.T) {
	for _, want := range samples() {
		b, err := appendRequest(nil, &want)
		if err != nil {
			t.Fatalf("%d: %v", want.op, err)
		}
		got, err := parseRequest(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v became %+v, %v", want, got, err)
		}
		if _, err := parseRequest(b[:len(b)-1]); err == nil && want.op != opPut && want.op != opSlot && want.op != opPublish {
			t.Errorf("%d: accepted without its last byte", want.op)
		}
		if _, err := parseRequest(append(b, 0)); err == nil && want.op != opPut && want.op != opSlot && want.op != opPublish {
			t.Errorf("%d: accepted with a byte behind it", want.op)
		}
	}
}

func TestRequestsOverTheLimit(t *testing.T) {
	for name, r := range map[string]request{
		"blob":       {op: opPut, blob: make([]byte, MaxBlob+1)},
		"slot":       {op: opSlot, blob: make([]byte, MaxBlob+1)},
		"empty slot": {op: opSlot},
		"places":     {op: opDelete, places: make([]uint64, MaxDelete+1)},
		"no places":  {op: opDelete},
		"queues":     {op: opWatch, keys: make([]access, MaxWatch+1)},
		"no queues":  {op: opWatch},
		"page":       {op: opPublish, blob: make([]byte, MaxPublish+1)},
		"far end":    {op: opMake, until: maxUntil + 1},
		"unknown":    {op: 99},
	} {
		if _, err := appendRequest(nil, &r); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := append([]byte{byte(opPut)}, make([]byte, accessSize+MaxBlob+1)...)
	if _, err := parseRequest(long); !errors.Is(err, errRequest) {
		t.Errorf("long blob: %v", err)
	}
	if _, err := parseRequest(append([]byte{byte(opWatch)}, make([]byte, accessSize*(MaxWatch+1))...)); !errors.Is(err, errRequest) {
		t.Errorf("many queues: %v", err)
	}
	if _, err := parseRequest(nil); !errors.Is(err, errRequest) {
		t.Errorf("nothing: %v", err)
	}
	if len(long)-1 != maxRequest {
		t.Errorf("the longest request has %d bytes, not %d", len(long)-1, maxRequest)
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []time.Time{{}, time.Unix(1, 0).UTC(), time.Unix(1<<33, 0).UTC()} {
		if got := timeOf(seconds(c)); !got.Equal(c) {
			t.Errorf("%v became %v", c, got)
		}
	}
	if seconds(time.Unix(-5, 0)) != 1 || seconds(time.Unix(1<<50, 0)) != maxUntil {
		t.Error("far times are not bounded")
	}
}

func TestParseList(t *testing.T) {
	entry := func(place uint64, n int) []byte { return appendEntry(nil, place, make([]byte, n)) }
	many := []byte{}
	for i := range MaxPage + 1 {
		many = append(many, entry(uint64(i+10), 1)...)
	}
	good := slices.Concat(entry(8, 1), entry(9, 3))
	if list, err := parseList(good, 7); err != nil || len(list) != 2 || list[1].Place != 9 || len(list[1].Blob) != 3 {
		t.Errorf("%v, %v", list, err)
	}
	for name, c := range map[string][]byte{
		"same place":     slices.Concat(entry(8, 1), entry(8, 1)),
		"descending":     slices.Concat(entry(9, 1), entry(8, 1)),
		"not after":      entry(7, 1),
		"empty blob":     entry(8, 0),
		"long blob":      entry(8, MaxBlob+1),
		"cut":            good[:len(good)-1],
		"half a head":    good[:5],
		"too many blobs": many,
		"absurd length":  {0, 0, 0, 0, 0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff, 1},
	} {
		if list, err := parseList(c, 7); !errors.Is(err, ErrAnswer) || list != nil {
			t.Errorf("%s: %d blobs, %v", name, len(list), err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, r := range samples() {
		b, _ := appendRequest(nil, &r)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := parseRequest(in)
		if err != nil {
			return
		}
		if out, err := appendRequest(nil, &r); err != nil || !bytes.Equal(out, in) {
			t.Fatalf("%x became %x, %v", in, out, err)
		}
	})
}

func FuzzParseList(f *testing.F) {
	f.Add(appendEntry(appendEntry(nil, 1, []byte("a")), 2, []byte("bc")), uint64(0))
	f.Fuzz(func(t *testing.T, in []byte, after uint64) {
		list, err := parseList(in, after)
		if err != nil {
			return
		}
		var out []byte
		for _, b := range list {
			if b.Place <= after {
				t.Fatal("places do not ascend")
			}
			after = b.Place
			out = appendEntry(out, b.Place, b.Blob)
		}
		if !bytes.Equal(in, out) {
			t.Fatalf("%x became %x", in, out)
		}
	})
}

func FuzzParseAnswers(f *testing.F) {
	f.Add(appendUsage(nil, Usage{1, 2, true}))
	f.Add([]byte{0, 1, 0, 2})
	f.Fuzz(func(t *testing.T, in []byte) {
		if u, err := parseUsage(in); err == nil && !bytes.Equal(appendUsage(nil, u)[:16], in[:16]) {
			t.Fatalf("%x became %+v", in, u)
		}
		list, err := parseIndexes(in, 3)
		if err == nil && (len(list) > 3 || len(list) > 0 && (slices.Max(list) > 2 || slices.Min(list) < 0)) {
			t.Fatalf("%x became %v", in, list)
		}
	})
}
