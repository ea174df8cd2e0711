package invite

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/internal/vector"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

type vectors struct {
	Codes        []codeVector  `json:"codes"`
	Spellings    []spelling    `json:"other_spellings_of_the_first"`
	Refused      []refusedText `json:"texts_refused"`
	File         string        `json:"file_of_the_first"`
	FilesRefused []refusedText `json:"files_refused"`
	Nodes        []nodeVector  `json:"node_links"`
	NodesRefused []refusedText `json:"node_links_refused"`
}

type nodeVector struct {
	Host  vector.Hex `json:"host_key"`
	Token vector.Hex `json:"token"`
	Relay bool       `json:"relay"`
	Addrs []string   `json:"addresses"`
	Text  string     `json:"text"`
}

type spelling struct {
	Text string `json:"text"`
}

type refusedText struct {
	Name  string `json:"name"`
	Text  string `json:"text"`
	Error string `json:"error"`
}

type codeVector struct {
	From     vector.Hex   `json:"from"`
	Auth     vector.Hex   `json:"invite_auth"`
	Hash     vector.Hex   `json:"bundle_hash"`
	Expiry   int64        `json:"expiry_unix_s"`
	Hints    []hintVector `json:"hints"`
	Text     string       `json:"text"`
	InviteID vector.Hex   `json:"invite_id"`
	Hello    vector.Hex   `json:"hello_key"`
}

type hintVector struct {
	Key   vector.Hex `json:"host_key"`
	Addrs []string   `json:"addresses"` // protocol number, space, address and port
}

// fixed makes the inviter of the vectors.
func fixed(t *testing.T) (bundle []byte, code Code) {
	t.Helper()
	self, err := identity.Generate(vector.Reader("alice"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := prekey.Generate(vector.Reader("alice signed prekey"), now)
	if err != nil {
		t.Fatal(err)
	}
	oneTime, err := prekey.Generate(vector.Reader("alice one-time prekey"), now)
	if err != nil {
		t.Fatal(err)
	}
	public := oneTime.Public()
	bundle, err = prekey.Sign(self, prekey.Bundle{
		Inst: identity.Inst{1}, Signed: signed.Public(), OneTime: &public,
		Insts: []identity.Inst{{1}}, Expiry: now.Add(prekey.Published), Counter: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := NewSecret(vector.Reader("invitation"))
	if err != nil {
		t.Fatal(err)
	}
	return bundle, Code{From: self.ID(), Auth: secret, BundleHash: prekey.HashBundle(bundle), Expiry: now.Add(Life)}
}

// TestVectors recomputes crypto/testdata/invite.json.
func TestVectors(t *testing.T) {
	bundle, code := fixed(t)
	v := vectors{File: string(code.File(bundle))}
	at := netip.MustParseAddrPort
	for _, hints := range [][]Hint{
		nil,
		{{HostKey: [32]byte{1}}},
		{{HostKey: [32]byte{1}, Addrs: []Addr{{QUIC4, at("192.168.1.7:4001")}, {TCP4, at("192.168.1.7:4001")}, {QUIC6, at("[fd00::1]:4001")}}}},
		{{HostKey: [32]byte{1}, Addrs: []Addr{{TCP6, at("[2001:db8::1]:65535")}}}, {HostKey: [32]byte{2}, Addrs: []Addr{{QUIC4, at("10.0.0.1:1")}}}},
	} {
		code.Hints = hints
		v.Codes = append(v.Codes, describe(code))
	}
	first := v.Codes[0].Text
	v.Spellings = []spelling{{strings.ToLower(first)}, {" " + first[:60] + "\r\n\t" + first[60:] + "\u00a0\n"}, {first[:60] + "\u200b" + first[60:]}}
	code.Hints = nil
	v.Refused, v.FilesRefused = refusedTexts(t, code), refusedFiles(t, code, bundle)
	v.Nodes, v.NodesRefused = nodeVectors(t)
	for _, s := range v.Spellings {
		if c, err := Parse(s.Text); err != nil || c.String() != first {
			t.Errorf("%q: %v", s.Text, err)
		}
	}
	vector.Compare(t, "invite", v)
}

func describe(c Code) codeVector {
	id, hello := c.Auth.ID(), c.Auth.HelloKey()
	out := codeVector{
		From: c.From[:], Auth: c.Auth[:], Hash: c.BundleHash[:], Expiry: c.Expiry.Unix(), Text: c.String(),
		InviteID: id[:], Hello: hello[:], Hints: []hintVector{},
	}
	for _, h := range c.Hints {
		out.Hints = append(out.Hints, hintVector{Key: h.HostKey[:], Addrs: addrTexts(h.Addrs)})
	}
	return out
}

func addrTexts(addrs []Addr) []string {
	out := []string{}
	for _, a := range addrs {
		out = append(out, string('0'+rune(a.Proto))+" "+a.At.String())
	}
	return out
}

func nodeVectors(t *testing.T) (links []nodeVector, refused []refusedText) {
	t.Helper()
	for _, l := range []NodeLink{nodeLink(), {Host: [32]byte{1}, Token: [32]byte{2}}} {
		links = append(links, nodeVector{l.Host[:], l.Token[:], l.Relay, addrTexts(l.Addrs), l.String()})
	}
	for _, r := range nodeTextsRefused(t) {
		if len(r.text) < maxInput && r.name != "an invitation" { // that one is drawn
			refused = append(refused, refusedText{r.name, r.text, codes[r.want]})
		}
	}
	return links, refused
}

func refusedTexts(t *testing.T, code Code) (out []refusedText) {
	t.Helper()
	code.Hints = []Hint{{HostKey: [32]byte{1}, Addrs: []Addr{{QUIC4, netip.MustParseAddrPort("10.0.0.1:1")}}}}
	raw, err := code.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	add := func(name, text string, want error) {
		if _, err := Parse(text); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		out = append(out, refusedText{name, text, codes[want]})
	}
	changed := func(change func([]byte) []byte) string {
		return Scheme + text32.EncodeToString(change(slices.Clone(raw)))
	}
	text := code.String()
	add("no scheme", strings.TrimPrefix(text, Scheme), ErrMalformed)
	add("padding", text+"=", ErrMalformed)
	add("unused bits set", text[:len(text)-1]+"B", ErrMalformed)
	add("version 2", changed(func(b []byte) []byte { b[0] = 2; return b }), ErrVersion)
	add("identity key of small order", changed(func(b []byte) []byte { clear(b[1:33]); return b }), identity.ErrBadKey)
	add("no expiry", changed(func(b []byte) []byte { clear(b[81:85]); return b }), ErrMalformed)
	add("cut short", changed(func(b []byte) []byte { return b[:84] }), ErrMalformed)
	add("cut in the host key", changed(func(b []byte) []byte { return b[:100] }), ErrMalformed)
	add("cut in an address", changed(func(b []byte) []byte { return b[:len(b)-1] }), ErrMalformed)
	add("unknown protocol", changed(func(b []byte) []byte { b[117] = 6; return b }), ErrMalformed)
	add("port 0", changed(func(b []byte) []byte { clear(b[len(b)-2:]); return b }), ErrMalformed)
	add("address 0.0.0.0", changed(func(b []byte) []byte { clear(b[118:122]); return b }), ErrMalformed)
	add("178 bytes", changed(func(b []byte) []byte { return append(b, make([]byte, 178-len(b))...) }), ErrMalformed)
	return out
}

var codes = map[error]string{
	ErrMalformed: "malformed", ErrVersion: "version", identity.ErrBadKey: "bad key", ErrOtherBundle: "other bundle",
}

func refusedFiles(t *testing.T, code Code, bundle []byte) (out []refusedText) {
	t.Helper()
	add := func(name, file string, want error) {
		if _, _, err := ParseFile([]byte(file)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		out = append(out, refusedText{name, file, codes[want]})
	}
	add("the text alone", code.String(), ErrMalformed)
	add("a damaged bundle", string(code.File(bundle[1:])), ErrOtherBundle)
	late := code
	late.Expiry = now.Add(prekey.Published + time.Second)
	add("outlives its bundle", string(late.File(bundle)), ErrOtherBundle)
	return out
}
