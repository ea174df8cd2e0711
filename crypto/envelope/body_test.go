package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/kuvert-im/kuvert/crypto/canon"
)

// A body that can be encoded.
type body interface{ Encode() ([]byte, error) }

// decoders reads each kind of body, for tests that treat them alike.
var decoders = map[string]func([]byte) (body, error){
	"message": func(b []byte) (body, error) { return DecodeMessage(b) },
	"start":   func(b []byte) (body, error) { return DecodeStart(b) },
	"read":    func(b []byte) (body, error) { return DecodeRead(b) },
	"reach":   func(b []byte) (body, error) { return DecodeReach(b) },
	"bundle":  func(b []byte) (body, error) { return DecodeBundle(b) },
	"digits":  func(b []byte) (body, error) { return DecodeDigits(b) },
}

func kindOf(b body) string {
	switch b.(type) {
	case MessageBody:
		return "message"
	case StartBody:
		return "start"
	case ReadBody:
		return "read"
	case ReachBody:
		return "reach"
	case DigitsBody:
		return "digits"
	default:
		return "bundle"
	}
}

func sampleBodies() []body {
	ext := canon.Ext{9: cbor.RawMessage{0x01}}
	reach := ReachBody{HostKey: [32]byte{1}, Next: [32]byte{2}, Addrs: [][]byte{{1, 127, 0, 0, 1, 0, 80}, {3}}, Ext: ext}
	return []body{
		MessageBody{Text: "Grüß Gott 👋", ReplyTo: [16]byte{4}, Ext: ext},
		MessageBody{Text: ""},
		MessageBody{Files: []File{sampleFile(), {Identity: "i", Sealed: 1, Manifest: [32]byte{1}, Name: "\x00"}}},
		StartBody{Name: "Änne", Reach: &reach, Ext: ext},
		StartBody{Name: "Bob"},
		ReadBody{IDs: [][16]byte{{5}, {6}}},
		reach,
		ReachBody{HostKey: [32]byte{1}, Addrs: [][]byte{{1}}},
		sampleReach(),
		BundleBody{Bundle: []byte("signed")},
		DigitsBody{Move: MoveCommit, Value: DigitsCommit([16]byte{7}, [32]byte{8})},
		DigitsBody{Move: MoveNonce, Value: [32]byte{9}},
		DigitsBody{Move: MoveReveal, Value: [32]byte{8}},
	}
}

// sampleReach has everything once and one thing twice.
func sampleReach() ReachBody {
	return ReachBody{
		HostKey: [32]byte{1}, Addrs: [][]byte{{1}},
		Nodes: []ReachNode{
			{Host: [32]byte{2}, Addrs: [][]byte{{1, 192, 0, 2, 1, 0x0f, 0xa1}, {4}}, Relay: true},
			{Host: [32]byte{3}, Addrs: [][]byte{}},
		},
		Mail: []ReachMail{
			{Node: 1, SendID: [24]byte{4}, SendCap: [32]byte{5}, Key: [32]byte{6}},
			{Node: 0, SendID: [24]byte{4}, SendCap: [32]byte{5}, Key: [32]byte{6}},
		},
		Inbox: []ReachInbox{{Node: 1, RecvID: [24]byte{4}, RecvCap: [32]byte{8}, Key: [32]byte{9}}},
		Keep:  [32]byte{10},
	}
}

// badReach are changes after which a ReachBody is not one any more.
var badReach = []struct {
	name   string
	change func(*ReachBody)
	want   error
}{
	{"5 nodes", func(b *ReachBody) {
		b.Nodes = append(b.Nodes, ReachNode{Host: [32]byte{20}}, ReachNode{Host: [32]byte{21}}, ReachNode{Host: [32]byte{22}})
	}, ErrTooLarge},
	{"node without a key", func(b *ReachBody) { b.Nodes[1].Host = [32]byte{} }, ErrMalformed},
	{"node named twice", func(b *ReachBody) { b.Nodes[1].Host = b.Nodes[0].Host }, ErrMalformed},
	{"17 addresses of a node", func(b *ReachBody) { b.Nodes[1].Addrs = bytes.SplitAfter(make([]byte, 17), []byte{0})[:17] }, ErrTooLarge},
	{"empty address of a node", func(b *ReachBody) { b.Nodes[1].Addrs = [][]byte{{}} }, ErrMalformed},
	{"5 queues for mail", func(b *ReachBody) { b.Mail = append(b.Mail, make([]ReachMail, 3)...) }, ErrTooLarge},
	{"queue for mail at no node", func(b *ReachBody) { b.Mail[0].Node = 2 }, ErrMalformed},
	{"queue for mail without an id", func(b *ReachBody) { b.Mail[0].SendID = [24]byte{} }, ErrMalformed},
	{"queue for mail without a capability", func(b *ReachBody) { b.Mail[0].SendCap = [32]byte{} }, ErrMalformed},
	{"queue for mail without a key", func(b *ReachBody) { b.Mail[0].Key = [32]byte{} }, ErrMalformed},
	{"queue for mail named twice", func(b *ReachBody) { b.Mail[1].Node = 1 }, ErrMalformed},
	{"5 inboxes", func(b *ReachBody) { b.Inbox = make([]ReachInbox, 5) }, ErrTooLarge},
	{"inbox at no node", func(b *ReachBody) { b.Inbox[0].Node = 255 }, ErrMalformed},
	{"inbox without an id", func(b *ReachBody) { b.Inbox[0].RecvID = [24]byte{} }, ErrMalformed},
	{"inbox without a capability", func(b *ReachBody) { b.Inbox[0].RecvCap = [32]byte{} }, ErrMalformed},
	{"inbox without a key", func(b *ReachBody) { b.Inbox[0].Key = [32]byte{} }, ErrMalformed},
	{"inbox named twice", func(b *ReachBody) { b.Inbox = append(b.Inbox, b.Inbox[0]) }, ErrMalformed},
	{"queues at no nodes", func(b *ReachBody) { b.Nodes = nil }, ErrMalformed},
}

func TestReachRefuses(t *testing.T) {
	for _, tc := range badReach {
		b := sampleReach()
		tc.change(&b)
		if _, err := b.Encode(); !errors.Is(err, tc.want) {
			t.Errorf("%s: encoded: %v, want %v", tc.name, err, tc.want)
		}
		for kind, w := range map[string]any{"reach": b.wire(), "start": wireStart{Name: "n", Reach: b.wire()}} {
			raw, err := canon.Marshal(w)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := decoders[kind](raw); !errors.Is(err, tc.want) {
				t.Errorf("%s: decoded in %s: %v, want %v", tc.name, kind, err, tc.want)
			}
		}
	}
	for name, keep := range map[string][]byte{"short": {1}, "all zeros": make([]byte, 32)} {
		w := sampleReach()
		wire := w.wire()
		wire.Keep = keep
		raw, err := canon.Marshal(wire)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeReach(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("token that is %s: %v", name, err)
		}
	}
}

// TestReachAtItsLimits: the largest one fits a payload many times over.
func TestReachAtItsLimits(t *testing.T) {
	addrs := make([][]byte, MaxAddrs)
	for i := range addrs {
		addrs[i] = bytes.Repeat([]byte{byte(i)}, MaxAddr)
	}
	b := ReachBody{HostKey: [32]byte{1}, Next: [32]byte{2}, Addrs: addrs, Keep: [32]byte{3}}
	for i := range MaxReachNodes {
		n := byte(i + 1)
		b.Nodes = append(b.Nodes, ReachNode{Host: [32]byte{n}, Addrs: addrs})
		b.Mail = append(b.Mail, ReachMail{Node: uint8(i), SendID: [24]byte{n}, SendCap: [32]byte{n}, Key: [32]byte{n}})
		b.Inbox = append(b.Inbox, ReachInbox{Node: uint8(i), RecvID: [24]byte{n}, RecvCap: [32]byte{n}, Key: [32]byte{n}})
	}
	raw, err := b.Encode()
	if err != nil || len(raw) > 16<<10 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	if got, err := DecodeReach(raw); err != nil || !reflect.DeepEqual(got, b) {
		t.Fatal(err)
	}
}

// TestReachHidesSecrets: capabilities and keys are not printed.
func TestReachHidesSecrets(t *testing.T) {
	b := sampleReach()
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{b.Mail[0], b.Inbox[0], &b.Mail[0]} {
			if out := fmt.Sprintf(format, v); out != "[queue]" {
				t.Errorf("%s prints %s", format, out)
			}
		}
	}
	if s := fmt.Sprintf("%v %+v %#v", b, &b, b); s != "[reach] [reach] [reach]" {
		t.Error(s)
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("told", "reach", b, "mail", b.Mail[0], "inbox", b.Inbox[0])
	if s := out.String(); !strings.Contains(s, "reach=[reach] mail=[queue] inbox=[queue]") {
		t.Error(s)
	}
}

func TestBodyRoundTrip(t *testing.T) {
	for _, b := range sampleBodies() {
		raw, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decoders[kindOf(b)](raw)
		if err != nil || !reflect.DeepEqual(got, b) {
			t.Errorf("%s: decoded %+v, %v", kindOf(b), got, err)
		}
		if _, err := decoders[kindOf(b)](append(raw, 0)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: with a byte behind: %v", kindOf(b), err)
		}
	}
}

func TestBodyLimits(t *testing.T) {
	addrs := func(n, size int) [][]byte {
		out := make([][]byte, n)
		for i := range out {
			out[i] = make([]byte, size)
		}
		return out
	}
	for name, tc := range map[string]struct {
		body body
		want error
	}{
		"text at the limit":     {MessageBody{Text: strings.Repeat("x", MaxText)}, nil},
		"text over the limit":   {MessageBody{Text: strings.Repeat("x", MaxText+1)}, ErrTooLarge},
		"text is not UTF-8":     {MessageBody{Text: "a\xffb"}, ErrMalformed},
		"text is a surrogate":   {MessageBody{Text: "\xed\xa0\x80"}, ErrMalformed},
		"name at the limit":     {StartBody{Name: strings.Repeat("ä", MaxName/2)}, nil},
		"name over the limit":   {StartBody{Name: strings.Repeat("ä", MaxName/2) + "a"}, ErrTooLarge},
		"name is not UTF-8":     {StartBody{Name: "\xc0\x80"}, ErrMalformed},
		"500 read":              {ReadBody{IDs: make([][16]byte, MaxRead)}, nil},
		"501 read":              {ReadBody{IDs: make([][16]byte, MaxRead+1)}, ErrTooLarge},
		"16 addresses":          {ReachBody{Addrs: addrs(MaxAddrs, MaxAddr)}, nil},
		"17 addresses":          {ReachBody{Addrs: addrs(MaxAddrs+1, 7)}, ErrTooLarge},
		"long address":          {ReachBody{Addrs: addrs(1, MaxAddr+1)}, ErrMalformed},
		"empty address":         {ReachBody{Addrs: addrs(1, 0)}, ErrMalformed},
		"long address inside":   {StartBody{Reach: &ReachBody{Addrs: addrs(1, MaxAddr+1)}}, ErrMalformed},
		"bundle at the limit":   {BundleBody{Bundle: make([]byte, MaxBundle)}, nil},
		"bundle over the limit": {BundleBody{Bundle: make([]byte, MaxBundle+1)}, ErrTooLarge},
		"no move":               {DigitsBody{Value: [32]byte{1}}, ErrMalformed},
		"a fourth move":         {DigitsBody{Move: MoveReveal + 1, Value: [32]byte{1}}, ErrMalformed},
		"a move without value":  {DigitsBody{Move: MoveNonce}, ErrMalformed},
	} {
		if _, err := tc.body.Encode(); !errors.Is(err, tc.want) {
			t.Errorf("%s: encoded: %v, want %v", name, err, tc.want)
		}
		raw, err := canon.Marshal(carelessly(tc.body))
		if err != nil {
			t.Fatal(name, err)
		}
		_, err = decoders[kindOf(tc.body)](raw)
		if (err == nil) != (tc.want == nil) || err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: decoded: %v, want %v", name, err, tc.want)
		}
	}
}

// carelessly is the wire form of a body that nothing checked.
func carelessly(b body) any {
	switch b := b.(type) {
	case MessageBody:
		return wireMessage{Text: b.Text}
	case StartBody:
		w := wireStart{Name: b.Name}
		if b.Reach != nil {
			w.Reach = b.Reach.wire()
		}
		return w
	case ReadBody:
		return wireRead(b)
	case DigitsBody:
		return wireDigits(b)
	case ReachBody:
		return b.wire()
	case BundleBody:
		return wireBundle(b)
	default:
		return nil
	}
}

// A commitment is good for one session and one number.
func TestDigitsCommit(t *testing.T) {
	c := DigitsCommit([16]byte{1}, [32]byte{1})
	if c == DigitsCommit([16]byte{2}, [32]byte{1}) || c == DigitsCommit([16]byte{1}, [32]byte{2}) {
		t.Error("a commitment fits something else as well")
	}
}

func TestOptionalFields(t *testing.T) {
	for name, w := range map[string]wireMessage{
		"short":     {ReplyTo: make([]byte, 15)},
		"all zeros": {ReplyTo: make([]byte, 16)},
		"long":      {ReplyTo: bytes.Repeat([]byte{1}, 17)},
	} {
		raw, err := canon.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeMessage(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("answer to a message id that is %s: %v", name, err)
		}
	}
}

func FuzzBodies(f *testing.F) {
	for _, b := range sampleBodies() {
		raw, err := b.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for kind, decode := range decoders {
			b, err := decode(raw)
			if err != nil {
				continue
			}
			if again, err := b.Encode(); err != nil || !bytes.Equal(again, raw) {
				t.Fatalf("%s: decodes, but is not the encoding of what it says: %v", kind, err)
			}
		}
	})
}
