package invite

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func nodeLink() NodeLink {
	return NodeLink{Host: [32]byte{1}, Token: [32]byte{2}, Relay: true, Addrs: []Addr{
		{QUIC4, netip.MustParseAddrPort("192.0.2.1:4001")},
		{TCP6, netip.MustParseAddrPort("[2001:db8::1]:4001")},
	}}
}

func TestNodeLinkRoundTrip(t *testing.T) {
	full := nodeLink()
	mail := NodeLink{Host: [32]byte{1}, Token: [32]byte{2}}
	for _, l := range []NodeLink{full, mail} {
		text := l.String()
		for name, s := range map[string]string{
			"as it is":        text,
			"lower case":      strings.ToLower(text),
			"wrapped by mail": "\n " + text[:6] + "\r\n\t" + text[6:50] + "\u00a0" + text[50:] + " \n",
			"zero-width":      "\ufeff" + text[:40] + "\u200b" + text[40:],
		} {
			got, err := ParseNodeLink(s)
			if err != nil || !reflect.DeepEqual(got, l) || !IsNodeLink(s) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567:-") != "" {
			t.Error("a character outside the QR code's alphanumeric mode")
		}
	}
}

func TestNodeLinkSize(t *testing.T) {
	l := nodeLink()
	var many []Addr
	for i := range byte(20) {
		many = append(many, Addr{QUIC4, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, i + 1}), 4001)})
	}
	if l.Addrs = FitNodeAddrs(append([]Addr{{QUIC4, netip.AddrPort{}}, many[0]}, many...)); len(l.Addrs) != 9 {
		t.Errorf("%d addresses fit, expected 9", len(l.Addrs))
	}
	raw, err := l.Marshal()
	if err != nil || len(raw) > 129 || MaxNodeLen != 129 || len(l.String()) > MaxNodeTextLen || MaxNodeTextLen != 219 {
		t.Errorf("%d bytes, %d characters of %d (%v)", len(raw), len(l.String()), MaxNodeTextLen, err)
	}
	l.Addrs = many[:10]
	if _, err := l.Text(); !errors.Is(err, ErrMalformed) || l.String() != "" {
		t.Errorf("too many addresses: %v", err)
	}
}

func TestNodeLinkIsNotWritten(t *testing.T) {
	for name, change := range map[string]func(*NodeLink){
		"no host key": func(l *NodeLink) { l.Host = [32]byte{} },
		"no token":    func(l *NodeLink) { l.Token = [32]byte{} },
		"bad address": func(l *NodeLink) { l.Addrs = []Addr{{QUIC4, netip.MustParseAddrPort("0.0.0.0:1")}} },
	} {
		l := nodeLink()
		change(&l)
		if _, err := l.Text(); !errors.Is(err, ErrMalformed) || l.String() != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// nodeTextsRefused are texts that are no access links.
func nodeTextsRefused(t testing.TB) []struct {
	name, text string
	want       error
} {
	t.Helper()
	_, _, code := inviter(t)
	raw, err := nodeLink().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	text := NodeScheme + text32.EncodeToString(raw)
	changed := func(change func([]byte) []byte) string {
		return NodeScheme + text32.EncodeToString(change(slices.Clone(raw)))
	}
	return []struct {
		name, text string
		want       error
	}{
		{"empty", "", ErrMalformed},
		{"an invitation", code.String(), ErrMalformed},
		{"an invitation's prefix", Scheme + strings.TrimPrefix(text, NodeScheme), ErrMalformed},
		{"prefix alone", NodeScheme, ErrMalformed},
		{"padding", text + "=", ErrMalformed},
		{"huge", NodeScheme + strings.Repeat("A", 1<<20), ErrMalformed},
		{"130 bytes", changed(func(b []byte) []byte { return append(b, make([]byte, 130-len(b))...) }), ErrMalformed},
		{"version 2", changed(func(b []byte) []byte { b[0] = 2; return b }), ErrVersion},
		{"version 0", changed(func(b []byte) []byte { b[0] = 0x10; return b }), ErrVersion},
		{"unknown flag", changed(func(b []byte) []byte { b[0] |= 0x20; return b }), ErrVersion},
		{"no host key", changed(func(b []byte) []byte { clear(b[1:33]); return b }), ErrMalformed},
		{"no token", changed(func(b []byte) []byte { clear(b[33:65]); return b }), ErrMalformed},
		{"cut short", changed(func(b []byte) []byte { return b[:64] }), ErrMalformed},
		{"cut in an address", changed(func(b []byte) []byte { return b[:len(b)-1] }), ErrMalformed},
		{"unknown protocol", changed(func(b []byte) []byte { b[65] = 5; return b }), ErrMalformed},
		{"port 0", changed(func(b []byte) []byte { clear(b[len(b)-2:]); return b }), ErrMalformed},
		{"address 0.0.0.0", changed(func(b []byte) []byte { clear(b[66:70]); return b }), ErrMalformed},
	}
}

func TestParseNodeLinkRefuses(t *testing.T) {
	for _, tc := range nodeTextsRefused(t) {
		if _, err := ParseNodeLink(tc.text); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	_, _, code := inviter(t)
	for _, text := range []string{"", code.String(), "KUVERT-NODE", strings.Repeat(" ", maxInput) + NodeScheme} {
		if IsNodeLink(text) {
			t.Errorf("%.40q is taken for an access link", text)
		}
	}
	if _, err := Parse(nodeLink().String()); !errors.Is(err, ErrMalformed) {
		t.Errorf("an access link is taken for an invitation: %v", err)
	}
}

func TestNodeLinkIsNotLogged(t *testing.T) {
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("made", "link", nodeLink())
	if s := out.String(); !strings.Contains(s, `link="[node link]"`) {
		t.Error(s)
	}
	if s := fmt.Sprintf("%#v", nodeLink()); s != "[node link]" {
		t.Error(s)
	}
}

func FuzzParseNodeLink(f *testing.F) {
	f.Add(nodeLink().String())
	f.Add(NodeLink{Host: [32]byte{1}, Token: [32]byte{2}}.String())
	for _, r := range nodeTextsRefused(f) {
		if len(r.text) < maxInput {
			f.Add(r.text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseNodeLink(text)
		if err != nil {
			return
		}
		again, err := l.Text()
		if err != nil || again != normal(text) || len(again) > MaxNodeTextLen || !IsNodeLink(text) {
			t.Fatalf("%q became %q (%v)", text, again, err)
		}
	})
}
