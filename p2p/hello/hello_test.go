package hello

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kuvert-im/kuvert/p2p/internal/hosttest"
)

func keys(names ...string) Keys {
	k := Keys{}
	for _, n := range names {
		k[n] = sha256.Sum256([]byte(n))
	}
	return k
}

type table struct {
	d, l   host.Host
	served <-chan hosttest.Result[string]
	met    []string
}

func newTable(t *testing.T, listener Keys) *table {
	d, l := hosttest.Pair(t)
	tb := &table{d: d, l: l}
	tb.served = hosttest.Handle(l, ID, func(s network.Stream) (string, error) {
		return Serve(t.Context(), s, listener, func(name string) error { tb.met = append(tb.met, name); return nil })
	})
	return tb
}

func TestBothSidesRecogniseACommonKey(t *testing.T) {
	for name, c := range map[string]struct {
		dialer, listener Keys
		expect, want     string
	}{
		"expected":                {keys("bob", "carol"), keys("bob", "dave"), "bob", "bob"},
		"anybody":                 {keys("bob", "carol"), keys("bob", "dave"), "", "bob"},
		"expected somebody else":  {keys("bob", "carol"), keys("bob", "dave"), "carol", ""},
		"nobody in common":        {keys("carol"), keys("dave"), "", ""},
		"listener knows nobody":   {keys("carol"), nil, "", ""},
		"dialer knows nobody":     {nil, keys("dave"), "", ""},
		"more than one block":     {many(700, "bob"), many(0, "bob"), "", "bob"},
		"expected is not a key":   {keys("bob"), keys("bob"), "carol", "none"},
		"listener with many keys": {keys("bob"), many(3000, "bob"), "", "bob"},
	} {
		t.Run(name, func(t *testing.T) {
			tb := newTable(t, c.listener)
			got, err := Dial(t.Context(), hosttest.Stream(t, tb.d, tb.l, ID), c.dialer, c.expect)
			if c.want == "none" {
				if !errors.Is(err, ErrUnknown) {
					t.Errorf("dialer: %v", err)
				}
				return
			}
			served := <-tb.served
			if got != c.want || served.Value != c.want {
				t.Errorf("dialer met %q (%v), listener met %q (%v)", got, err, served.Value, served.Err)
			}
			if unknown := c.want == ""; unknown != errors.Is(err, ErrUnknown) || served.Err != nil {
				t.Errorf("errors: %v, %v", err, served.Err)
			}
			if wantMet := map[bool]int{true: 1, false: 0}[c.want != ""]; len(tb.met) != wantMet {
				t.Errorf("the listener was told of %q", tb.met)
			}
		})
	}
}

func many(n int, more ...string) Keys {
	k := keys(more...)
	for i := range n {
		name := fmt.Sprint("contact ", i)
		k[name] = sha256.Sum256([]byte(name))
	}
	return k
}

// dialRaw runs the dialer's part by hand and returns the sizes and the answer.
func dialRaw(t *testing.T, tb *table, tokens func(r *run) []byte) (*run, []byte) {
	t.Helper()
	s := hosttest.Stream(t, tb.d, tb.l, ID)
	r := &run{dialer: tb.d.ID(), listener: tb.l.ID()}
	r.nonceD[0] = 1
	mustWrite(t, s, r.nonceD[:])
	if _, err := io.ReadFull(s, r.nonceL[:]); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, tokens(r))
	answer := make([]byte, TokenSize)
	if _, err := io.ReadFull(s, answer); err != nil {
		t.Fatal(err)
	}
	return r, answer
}

func mustWrite(t *testing.T, w io.Writer, b []byte) {
	t.Helper()
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
}

// The bytes of a token, written down once more from the specification.
func TestTokenIsAsSpecified(t *testing.T) {
	key := sha256.Sum256([]byte("key"))
	r := &run{dialer: peer.ID("dialer id"), listener: peer.ID("listener id"), nonceD: [16]byte{1}, nonceL: [16]byte{2}}
	var in bytes.Buffer
	for _, part := range []string{"kuvert/v1 hello", "listener", "dialer id", "listener id", string(r.nonceD[:]), string(r.nonceL[:])} {
		_ = binary.Write(&in, binary.BigEndian, uint32(len(part)))
		in.WriteString(part)
	}
	m := hmac.New(sha256.New, key[:])
	m.Write(in.Bytes())
	if got := r.token(key, roleListener); !bytes.Equal(got[:], m.Sum(nil)[:16]) {
		t.Errorf("token %x, want %x", got, m.Sum(nil)[:16])
	}
	if r.token(key, roleListener) == r.token(key, roleDialer) {
		t.Error("the roles have one token: it could be sent back")
	}
}

// A stranger, a contact who was blocked and a replay of a good run get answers
// that show nothing: never the right token, never the same bytes twice.
func TestStrangersLearnNothing(t *testing.T) {
	tb := newTable(t, keys("bob"))
	good := func(r *run) []byte {
		tok := r.token(keys("bob")["bob"], roleDialer)
		return append([]byte{0, 0, 0, 1}, tok[:]...)
	}
	r, answer := dialRaw(t, tb, good)
	if want := r.token(keys("bob")["bob"], roleListener); !bytes.Equal(answer, want[:]) {
		t.Fatal("a known dialer was not recognised")
	}
	replay := good(r)
	seen := map[string]bool{}
	for _, tokens := range []func(*run) []byte{
		func(*run) []byte { return replay },
		func(*run) []byte { return append([]byte{0, 0, 0, 1}, answer...) },
		func(r *run) []byte { // the blocked one: a key the listener leaves out
			tok := r.token(keys("eve")["eve"], roleDialer)
			return append([]byte{0, 0, 0, 1}, tok[:]...)
		},
		func(*run) []byte { return append([]byte{0, 0, 0, 1}, make([]byte, 16)...) },
	} {
		r, answer := dialRaw(t, tb, tokens)
		want := r.token(keys("bob")["bob"], roleListener)
		if bytes.Equal(answer, want[:]) || seen[string(answer)] || bytes.Equal(answer, make([]byte, 16)) {
			t.Errorf("answer %x shows something", answer)
		}
		seen[string(answer)] = true
	}
}

// An unaddressed hello always has a multiple of 256 tokens, whatever the number of
// contacts, in an order that shows nothing, and an addressed one has one.
func TestTokensArePadded(t *testing.T) {
	r := &run{dialer: "a", listener: "b"}
	for _, c := range []struct{ contacts, want int }{{0, 256}, {1, 256}, {256, 256}, {257, 512}, {MaxTokens + 5, MaxTokens}} {
		_, tokens, err := r.offer(many(c.contacts), "")
		if err != nil || len(tokens) != 4+16*c.want || binary.BigEndian.Uint32(tokens) != uint32(c.want) {
			t.Errorf("%d contacts: %d bytes, %v", c.contacts, len(tokens), err)
		}
		distinct := map[string]bool{}
		for i := 4; i < len(tokens); i += TokenSize {
			distinct[string(tokens[i:i+TokenSize])] = true
		}
		if len(distinct) != c.want {
			t.Errorf("%d contacts: %d tokens of %d are distinct", c.contacts, len(distinct), c.want)
		}
	}
	places := map[int]bool{}
	want := r.token(keys("bob")["bob"], roleDialer)
	for range 64 {
		_, tokens, _ := r.offer(keys("bob"), "")
		places[bytes.Index(tokens[4:], want[:])/16] = true
	}
	if len(places) < 16 {
		t.Errorf("a single contact's token stands in %d places", len(places))
	}
}

func TestListenerRefusesAbsurdCounts(t *testing.T) {
	for _, count := range []string{"\xff\xff\xff\xff", "\x00\x00\x00\x00", "\x00\x00\x00\x02", "\x00\x00\x20\x01"} {
		tb := newTable(t, keys("bob"))
		s := hosttest.Stream(t, tb.d, tb.l, ID)
		mustWrite(t, s, make([]byte, NonceSize))
		mustWrite(t, s, []byte(count))
		if served := <-tb.served; served.Err == nil {
			t.Errorf("count %x: %v", count, served.Err)
		}
		if _, err := io.ReadAll(s); err == nil {
			t.Errorf("count %x: the stream was not reset", count)
		}
	}
}

// Before the answer leaves, the listener has told whom it met.
func TestToldBeforeAnswered(t *testing.T) {
	d, l := hosttest.Pair(t)
	told := make(chan struct{})
	hosttest.Handle(l, ID, func(s network.Stream) (string, error) {
		return Serve(t.Context(), s, keys("bob"), func(string) error { close(told); return nil })
	})
	if _, err := Dial(t.Context(), hosttest.Stream(t, d, l, ID), keys("bob"), "bob"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told:
	default:
		t.Error("the answer came first")
	}
}

func TestFailedRecognitionAnswersLikeAStranger(t *testing.T) {
	d, l := hosttest.Pair(t)
	hosttest.Handle(l, ID, func(s network.Stream) (string, error) {
		return Serve(t.Context(), s, keys("bob"), func(string) error { return io.ErrUnexpectedEOF })
	})
	if _, err := Dial(t.Context(), hosttest.Stream(t, d, l, ID), keys("bob"), "bob"); !errors.Is(err, ErrUnknown) {
		t.Errorf("dialer: %v", err)
	}
}

func BenchmarkServe300Contacts(b *testing.B) {
	k := many(300, "bob")
	r := &run{dialer: "a", listener: "b"}
	_, raw, _ := r.offer(k, "")
	set := map[[TokenSize]byte]struct{}{}
	for i := 4; i < len(raw); i += TokenSize {
		set[[TokenSize]byte(raw[i:])] = struct{}{}
	}
	for b.Loop() {
		r.find(set, k)
	}
}
