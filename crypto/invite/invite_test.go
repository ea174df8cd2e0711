package invite

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

var now = time.Unix(1_767_225_600, 0).UTC()

// inviter makes a person, a bundle with one-time keys and a code for it.
func inviter(t testing.TB) (*identity.Private, []byte, Code) {
	t.Helper()
	self, err := identity.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed, oneTime := pair(t), pair(t)
	raw, err := prekey.Sign(self, prekey.Bundle{
		Inst: identity.Inst{1}, Signed: signed, OneTime: &oneTime,
		Insts: []identity.Inst{{1}}, Expiry: now.Add(prekey.Published), Counter: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return self, raw, Code{
		From: self.ID(), Auth: secret, BundleHash: prekey.HashBundle(raw), Expiry: now.Add(Life),
		Hints: []Hint{{HostKey: [32]byte{9}, Addrs: []Addr{
			{QUIC4, netip.MustParseAddrPort("192.168.1.7:4001")},
			{TCP6, netip.MustParseAddrPort("[fd00::1]:4001")},
		}}},
	}
}

func pair(t testing.TB) prekey.PublicPair {
	t.Helper()
	p, err := prekey.Generate(rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	return p.Public()
}

func TestRoundTrip(t *testing.T) {
	_, _, code := inviter(t)
	for name, change := range map[string]func(string) string{
		"as it is":         func(s string) string { return s },
		"lower case":       strings.ToLower,
		"mixed case":       func(s string) string { return s[:40] + strings.ToLower(s[40:]) },
		"wrapped by mail":  func(s string) string { return "\n " + s[:30] + "\r\n\t" + s[30:90] + "\u00a0" + s[90:] + " \n" },
		"zero-width space": func(s string) string { return "\ufeff" + s[:60] + "\u200b" + s[60:] },
	} {
		got, err := Parse(change(code.String()))
		if err != nil || !reflect.DeepEqual(got, code) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSize(t *testing.T) {
	_, _, code := inviter(t)
	var many []Addr
	for i := range byte(20) {
		many = append(many, Addr{QUIC4, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, i + 1}), 4001)})
	}
	code.Hints = FitHints([]Hint{{HostKey: [32]byte{1}, Addrs: many}})
	raw, err := code.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 177 || MaxLen != 177 || len(code.String()) > 291 || MaxTextLen != 291 {
		t.Fatalf("%d bytes (limit %d), %d characters (limit %d)", len(raw), MaxLen, len(code.String()), MaxTextLen)
	}
	if n := len(code.Hints[0].Addrs); n != 8 {
		t.Fatalf("%d IPv4 addresses fit, expected 8", n)
	}
	code.Hints[0].Addrs = many
	if _, err := code.Text(); !errors.Is(err, ErrMalformed) || code.String() != "" {
		t.Fatalf("too many hints: %v", err)
	}
	if strings.Trim(code.String(), "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567:") != "" {
		t.Fatal("a character outside the QR code's alphanumeric mode")
	}
}

func TestFitHints(t *testing.T) {
	quic := Addr{QUIC4, netip.MustParseAddrPort("10.0.0.1:1")}
	v6 := Addr{QUIC6, netip.MustParseAddrPort("[2001:db8::1]:1")}
	bad := []Addr{
		{QUIC6, netip.MustParseAddrPort("10.0.0.1:1")},
		{QUIC4, netip.MustParseAddrPort("[::1]:1")},
		{QUIC6, netip.MustParseAddrPort("[::ffff:10.0.0.1]:1")},
		{QUIC6, netip.MustParseAddrPort("[fe80::1%eth0]:1")},
		{QUIC4, netip.MustParseAddrPort("0.0.0.0:1")},
		{QUIC4, netip.MustParseAddrPort("224.0.0.1:1")},
		{QUIC4, netip.MustParseAddrPort("10.0.0.1:0")},
		{nextHost, netip.MustParseAddrPort("10.0.0.1:1")},
		{0, netip.MustParseAddrPort("10.0.0.1:1")},
	}
	got := FitHints([]Hint{
		{HostKey: [32]byte{1}, Addrs: append(slices.Clone(bad), quic, quic, v6)},
	})
	want := []Hint{{HostKey: [32]byte{1}, Addrs: []Addr{quic, v6}}}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%v", got)
	}
	for _, a := range bad {
		_, _, code := inviter(t)
		code.Hints[0].Addrs = []Addr{a}
		if _, err := code.Text(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%v was written", a)
		}
	}
}

// TestFitNode: however many addresses the own machine has, the node through which
// it is found from outside keeps one.
func TestFitNode(t *testing.T) {
	at := netip.MustParseAddrPort
	var many []Addr
	for i := range byte(20) {
		many = append(many, Addr{QUIC4, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, i + 1}), 4001)})
	}
	own6, node4 := Addr{QUIC6, at("[2001:db8::1]:1")}, Addr{QUIC4, at("192.0.2.1:1")}
	node6, other4 := Addr{QUIC6, at("[2001:db8::2]:1")}, Addr{TCP4, at("192.0.2.1:1")}
	for name, tc := range map[string]struct{ own, node, wantOwn, wantNode []Addr }{
		"many of its own":   {many, []Addr{node4, other4}, many[:2], []Addr{node4}},
		"none of its own":   {nil, []Addr{node4, other4, node6}, nil, []Addr{node4, other4}},
		"long ones":         {[]Addr{own6, many[0]}, []Addr{node6, node4}, many[:1], []Addr{node6}},
		"a long own one":    {[]Addr{own6}, []Addr{node4, node6}, []Addr{own6}, []Addr{node4}},
		"the node has none": {many, nil, many[:3], nil},
	} {
		got := FitHints([]Hint{{HostKey: [32]byte{1}, Addrs: tc.own}, {HostKey: [32]byte{2}, Addrs: tc.node}, {HostKey: [32]byte{3}}})
		want := []Hint{{HostKey: [32]byte{1}, Addrs: tc.wantOwn}, {HostKey: [32]byte{2}, Addrs: tc.wantNode}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v", name, got)
		}
		_, _, code := inviter(t)
		code.Hints = got
		if parsed, err := Parse(code.String()); err != nil || !reflect.DeepEqual(parsed, code) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTwoHosts(t *testing.T) {
	_, _, code := inviter(t)
	code.Hints = []Hint{
		{HostKey: [32]byte{1}, Addrs: []Addr{{TCP4, netip.MustParseAddrPort("10.0.0.1:1")}}},
		{HostKey: [32]byte{2}, Addrs: []Addr{{QUIC4, netip.MustParseAddrPort("10.0.0.2:2")}}},
	}
	got, err := Parse(code.String())
	if err != nil || !reflect.DeepEqual(got, code) {
		t.Fatalf("%v, %v", got.Hints, err)
	}
	code.Hints = nil
	if got, err = Parse(code.String()); err != nil || got.Hints != nil {
		t.Fatalf("without hints: %v, %v", got.Hints, err)
	}
}

func TestParseRefuses(t *testing.T) {
	_, _, code := inviter(t)
	raw, err := code.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	alter := func(change func([]byte) []byte) string {
		return Scheme + text32.EncodeToString(change(slices.Clone(raw)))
	}
	for name, tc := range map[string]struct {
		text string
		want error
	}{
		"empty":            {"", ErrMalformed},
		"no scheme":        {strings.TrimPrefix(code.String(), Scheme), ErrMalformed},
		"foreign scheme":   {"https://example.org/", ErrMalformed},
		"scheme alone":     {Scheme, ErrMalformed},
		"not base32":       {code.String() + "1", ErrMalformed},
		"padding":          {code.String() + "=", ErrMalformed},
		"huge":             {Scheme + strings.Repeat("A", 1<<20), ErrMalformed},
		"over the limit":   {alter(func(b []byte) []byte { return append(b, make([]byte, MaxLen)...) }), ErrMalformed},
		"later version":    {alter(func(b []byte) []byte { b[0] = 2; return b }), ErrVersion},
		"unknown flag":     {alter(func(b []byte) []byte { b[0] |= 0x80; return b }), ErrVersion},
		"unusable key":     {alter(func(b []byte) []byte { clear(b[1:33]); return b }), identity.ErrBadKey},
		"no expiry":        {alter(func(b []byte) []byte { clear(b[81:85]); return b }), ErrMalformed},
		"cut short":        {alter(func(b []byte) []byte { return b[:fixedLen-1] }), ErrMalformed},
		"cut in host key":  {alter(func(b []byte) []byte { return b[:fixedLen+31] }), ErrMalformed},
		"cut in address":   {alter(func(b []byte) []byte { return b[:len(b)-1] }), ErrMalformed},
		"unknown protocol": {alter(func(b []byte) []byte { b[fixedLen+keyLen] = 9; return b }), ErrMalformed},
		"port zero":        {alter(func(b []byte) []byte { clear(b[len(b)-2:]); return b }), ErrMalformed},
	} {
		if _, err := Parse(tc.text); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

// TestOneSpelling: the unused bits of the last base32 character must be zero.
func TestOneSpelling(t *testing.T) {
	_, _, code := inviter(t)
	code.Hints = []Hint{{HostKey: [32]byte{1}}} // 117 bytes in 188 characters: 4 bits unused
	text := code.String()
	if last := text[len(text)-1]; last != 'A' && last != 'Q' {
		t.Fatalf("ends in %c: expected four unused bits", last)
	}
	for _, last := range "BCDEFGHIJKLMNOPRSTUVWXYZ234567" {
		if _, err := Parse(text[:len(text)-1] + string(last)); !errors.Is(err, ErrMalformed) {
			t.Fatalf("a second spelling was accepted: %v", err)
		}
	}
}

func TestFile(t *testing.T) {
	_, bundle, code := inviter(t)
	file := code.File(bundle)
	if len(file) > MaxFileSize {
		t.Fatalf("%d bytes", len(file))
	}
	for name, f := range map[string][]byte{
		"as it is":           file,
		"Windows line ends":  bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n")),
		"byte order mark":    append([]byte("\ufeff"), file...),
		"without a last end": bytes.TrimRight(file, "\n"),
	} {
		gotCode, gotBundle, err := ParseFile(f)
		if err != nil || !reflect.DeepEqual(gotCode, code) || !bytes.Equal(gotBundle, bundle) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFileRefuses(t *testing.T) {
	_, bundle, code := inviter(t)
	_, foreign, other := inviter(t)
	mixed := other
	mixed.BundleHash = code.BundleHash // another person's name over this bundle
	long := code
	long.Expiry = now.Add(2 * prekey.Published)
	for name, tc := range map[string]struct {
		file []byte
		want error
	}{
		"empty":                     {nil, ErrMalformed},
		"text alone":                {[]byte(code.String()), ErrMalformed},
		"no bundle":                 {code.File(nil), ErrOtherBundle},
		"another bundle":            {code.File(foreign), ErrOtherBundle},
		"another person":            {mixed.File(bundle), ErrOtherBundle},
		"outlives its bundle":       {long.File(bundle), ErrOtherBundle},
		"damaged":                   {code.File(bundle[1:]), ErrOtherBundle},
		"not base64":                {append(code.File(bundle), '!'), ErrMalformed},
		"binary":                    {[]byte{0xff, 0xfe, 0}, ErrMalformed},
		"huge":                      {append(code.File(bundle), bytes.Repeat([]byte("\n"), MaxFileSize)...), ErrMalformed},
		"bundle over its own limit": {code.File(make([]byte, prekey.MaxBundleSize+1)), ErrMalformed},
	} {
		if _, _, err := ParseFile(tc.file); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestSecret(t *testing.T) {
	_, _, code := inviter(t)
	id, hello := code.Auth.ID(), code.Auth.HelloKey()
	if bytes.Equal(id[:], hello[:16]) || bytes.Equal(id[:], code.Auth[:]) {
		t.Fatal("what is derived from the secret is not independent")
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if out := fmt.Sprintf(format, code.Auth); out != "[secret]" {
			t.Errorf("%s prints %q", format, out)
		}
	}
}

func TestExpired(t *testing.T) {
	c := Code{Expiry: now}
	if c.Expired(now) || !c.Expired(now.Add(time.Second)) {
		t.Fatal("wrong at its last second")
	}
}

func FuzzParse(f *testing.F) {
	_, _, code := inviter(f)
	f.Add(code.String())
	code.Hints = nil
	f.Add(code.String())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		again, err := c.Text()
		if err != nil || again != strings.ToUpper(strings.Map(dropBlanks, text)) || len(again) > MaxTextLen {
			t.Fatalf("%q became %q (%v)", text, again, err)
		}
	})
}

func FuzzParseFile(f *testing.F) {
	_, bundle, code := inviter(f)
	f.Add(code.File(bundle))
	f.Fuzz(func(t *testing.T, file []byte) {
		c, bundle, err := ParseFile(file)
		if err == nil && prekey.HashBundle(bundle) != c.BundleHash {
			t.Fatal("a bundle that does not belong to the code")
		}
	})
}
