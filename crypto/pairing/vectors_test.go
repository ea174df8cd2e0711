package pairing

import (
	"strings"
	"testing"

	"github.com/kuvert-im/kuvert/crypto/handshake"
	"github.com/kuvert-im/kuvert/crypto/internal/vector"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

type vectors struct {
	Comment  string           `json:"comment"`
	Frame    vector.Hex       `json:"frame"`
	Messages []messageVector  `json:"messages"`
	Refused  []vector.Refused `json:"refused"`
}

type messageVector struct {
	Kind  string     `json:"kind"`
	Bytes vector.Hex `json:"bytes"`
}

// TestVectors recomputes crypto/testdata/pairing.json.
func TestVectors(t *testing.T) {
	frame := handshake.AppendFrame(nil, handshake.KindHandshake, prekey.Hint{1}, []byte("envelope"))
	nonce, err := NewNonce(vector.Reader("pairing nonce"))
	if err != nil {
		t.Fatal(err)
	}
	v := vectors{Comment: "bundle and frame are examples of their form only; digits with a nonce are in handshake.json", Frame: frame}
	for _, m := range []struct {
		kind string
		m    interface{ Encode() ([]byte, error) }
	}{
		{"request", Request{Version, "Änne"}},
		{"offer", Offer{[]byte("bundle"), "Bob"}},
		{"commit", CommitTo(frame)},
		{"nonce", nonce},
		{"reveal", Reveal{frame}},
		{"decision: equal", Decision{true}},
		{"decision: not equal", Decision{false}},
	} {
		b, err := m.m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		v.Messages = append(v.Messages, messageVector{m.kind, b})
	}
	v.Refused = refused(t)
	vector.Compare(t, "pairing", v)
}

func refused(t *testing.T) (out []vector.Refused) {
	t.Helper()
	for _, r := range []struct {
		as, name string
		m        any
	}{
		{"request", "version 2", wireRequest{Kind: kindRequest, Version: 2, Name: "x"}},
		{"request", "no name", wireRequest{Kind: kindRequest, Version: 1}},
		{"request", "name of 129 bytes", wireRequest{Kind: kindRequest, Version: 1, Name: strings.Repeat("x", 129)}},
		{"offer", "no name", wireOffer{Kind: kindOffer, Bundle: []byte("bundle")}},
		{"commit", "a nonce", wireFixed{kindNonce, [32]byte{1}}},
		{"nonce", "a commit", wireFixed{kindCommit, [32]byte{1}}},
		{"equal", "a commit", wireFixed{kindCommit, [32]byte{1}}},
		{"reveal", "a ratchet frame", wireReveal{kindReveal, []byte{2, 1}}},
	} {
		b, err := encode(r.m, MaxReveal)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again(r.as, b); err == nil {
			t.Errorf("%s: %s was accepted", r.as, r.name)
		}
		out = append(out, vector.Refused{Name: strings.Replace(r.as, "equal", "decision", 1) + ": " + r.name, Input: b, Error: "refused"})
	}
	return out
}
