package pairing

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/crypto/handshake"
	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

var now = time.UnixMilli(1_767_225_600_000).UTC()

// person can take either part.
type person struct {
	self   *identity.Private
	pair   *prekey.Pair
	bundle []byte
}

func newPerson(t testing.TB) *person {
	t.Helper()
	self, err := identity.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := prekey.Generate(rand.Reader, now)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := prekey.Sign(self, prekey.Bundle{
		Inst: identity.Inst{1}, Signed: pair.Public(), Insts: []identity.Inst{{1}},
		Expiry: now.Add(prekey.Published), Counter: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &person{self, pair, bundle}
}

// initiate builds the complete frame to a bundle, before anything is committed.
func (p *person) initiate(t testing.TB, bundle []byte) (*handshake.Initiated, Reveal) {
	t.Helper()
	i, err := handshake.Initiate(rand.Reader, now, p.self, p.bundle, bundle, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := i.Frame([]byte("start"))
	if err != nil {
		t.Fatal(err)
	}
	return i, Reveal{frame}
}

// accept checks the reveal against the commitment, as B does.
func (p *person) accept(t testing.TB, c Commit, r Reveal) *handshake.Accepted {
	t.Helper()
	if err := c.Check(r); err != nil {
		t.Fatal(err)
	}
	acc, err := handshake.Open(now, p.self, handshake.Keys{Signed: p.pair, Bundles: [][]byte{p.bundle}}, r.Frame)
	if err != nil {
		t.Fatal(err)
	}
	return acc
}

func nonce(t testing.TB) Nonce {
	t.Helper()
	n, err := NewNonce(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestHonestPairing(t *testing.T) {
	alice, bob := newPerson(t), newPerson(t)
	i, reveal := alice.initiate(t, bob.bundle)
	n := nonce(t)
	acc := bob.accept(t, CommitTo(reveal.Frame), reveal)
	if a, b := i.SAS(n.Value[:]), acc.SAS(n.Value[:]); a != b {
		t.Fatalf("alice sees %s, bob %s", a, b)
	}
	if acc.From.ID != alice.self.ID() {
		t.Fatal("bob paired with somebody else")
	}
}

// TestManInTheMiddle: mallory takes bob's part towards alice and alice's towards
// bob. Each row is one run; the digits of the two screens agree no more often than
// by chance, whichever order mallory works in.
func TestManInTheMiddle(t *testing.T) {
	const runs = 40
	for run := range runs {
		alice, bob, mallory := newPerson(t), newPerson(t), newPerson(t)
		// Alice commits to a frame for mallory's bundle; mallory to one for bob's.
		alices, aliceReveal := alice.initiate(t, mallory.bundle)
		mallorys, malloryReveal := mallory.initiate(t, bob.bundle)
		bobs := nonce(t) // known to mallory only after the commitment
		// Mallory passes bob's nonce on, the best guess without alice's frame.
		onAlicesScreen := alices.SAS(bobs.Value[:])
		onBobsScreen := bob.accept(t, CommitTo(malloryReveal.Frame), malloryReveal).SAS(bobs.Value[:])
		if onBobsScreen != mallorys.SAS(bobs.Value[:]) {
			t.Fatal("mallory and bob disagree: the test is wrong")
		}
		if acc := mallory.accept(t, CommitTo(aliceReveal.Frame), aliceReveal); acc.SAS(bobs.Value[:]) != onAlicesScreen {
			t.Fatal("mallory and alice disagree: the test is wrong")
		}
		if onAlicesScreen == onBobsScreen {
			t.Fatalf("run %d: both screens show %s", run, onBobsScreen) // 40 in a million by chance
		}
	}
}

// TestGrindingNeedsTheReveal shows what the commitment is for. Two digits instead
// of six keep the search short. With the nonce known first, mallory finds keys
// that show what alice sees; once committed, the found frame is refused.
func TestGrindingNeedsTheReveal(t *testing.T) {
	bob, mallory := newPerson(t), newPerson(t)
	const alicesDigits = "42"
	_, committed := mallory.initiate(t, bob.bundle)
	c, n := CommitTo(committed.Frame), nonce(t)
	for range 5000 {
		i, ground := mallory.initiate(t, bob.bundle)
		if !strings.HasSuffix(i.SAS(n.Value[:]), alicesDigits) {
			continue
		}
		if err := c.Check(ground); !errors.Is(err, ErrCommitment) {
			t.Fatalf("a frame made after the nonce: %v", err)
		}
		return
	}
	t.Fatal("no frame found: the search does not search")
}

// TestNonceCounts: without B's nonce in the digits A could grind alone.
func TestNonceCounts(t *testing.T) {
	alice, bob := newPerson(t), newPerson(t)
	i, _ := alice.initiate(t, bob.bundle)
	seen := map[string]bool{}
	for range 20 {
		n := nonce(t)
		seen[i.SAS(n.Value[:])] = true
	}
	if len(seen) < 15 {
		t.Fatalf("20 nonces give %d different digits", len(seen))
	}
}

func TestCommitIsToOneFrame(t *testing.T) {
	alice, bob := newPerson(t), newPerson(t)
	i, reveal := alice.initiate(t, bob.bundle)
	c := CommitTo(reveal.Frame)
	again, err := i.Frame([]byte("start")) // the same handshake in another outer file
	if err != nil {
		t.Fatal(err)
	}
	for name, frame := range map[string][]byte{
		"same handshake, other file": again,
		"shortened":                  reveal.Frame[:len(reveal.Frame)-1],
		"empty":                      nil,
	} {
		if err := c.Check(Reveal{frame}); !errors.Is(err, ErrCommitment) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// messages returns one of each kind, encoded.
func messages(t testing.TB) map[string][]byte {
	t.Helper()
	p := newPerson(t)
	out := map[string][]byte{}
	for name, m := range map[string]interface{ Encode() ([]byte, error) }{
		"request": Request{Version, "Änne"},
		"offer":   Offer{p.bundle, strings.Repeat("x", MaxName)},
		"commit":  Commit{[32]byte{1}},
		"nonce":   Nonce{[32]byte{2}},
		"equal":   Decision{true},
		"unequal": Decision{false},
		"reveal":  Reveal{handshake.AppendFrame(nil, handshake.KindHandshake, prekey.Hint{1}, []byte("envelope"))},
	} {
		b, err := m.Encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = b
	}
	return out
}

// again decodes a message as the named kind and encodes what came out.
func again(name string, b []byte) ([]byte, error) {
	var m interface{ Encode() ([]byte, error) }
	var err error
	switch name {
	case "request":
		m, err = DecodeRequest(b)
	case "offer":
		m, err = DecodeOffer(b)
	case "commit":
		m, err = DecodeCommit(b)
	case "nonce":
		m, err = DecodeNonce(b)
	case "reveal":
		m, err = DecodeReveal(b)
	case "equal", "unequal":
		m, err = DecodeDecision(b)
	}
	if err != nil {
		return nil, err
	}
	return m.Encode()
}

func TestMessages(t *testing.T) {
	all := messages(t)
	for as := range all {
		for name, b := range all {
			got, err := again(as, b)
			if as == name && (err != nil || !bytes.Equal(got, b)) {
				t.Errorf("%s: %v", name, err)
			}
			same := as == name || strings.HasSuffix(as, "equal") && strings.HasSuffix(name, "equal")
			if !same && !errors.Is(err, ErrMalformed) {
				t.Errorf("%s read as %s: %v", name, as, err)
			}
		}
	}
	for name, b := range all {
		if _, err := again(name, b[:len(b)-1]); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s cut short: %v", name, err)
		}
		if _, err := again(name, append(b, make([]byte, MaxReveal)...)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s over its limit: %v", name, err)
		}
	}
}

func TestLargestMessages(t *testing.T) {
	frame := handshake.AppendFrame(nil, handshake.KindHandshake, prekey.Hint{}, make([]byte, handshake.MaxFrame-9))
	b, err := Reveal{frame}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeReveal(b); err != nil {
		t.Fatal(err)
	}
	if _, err := (Reveal{append(frame, 0)}).Encode(); !errors.Is(err, ErrMalformed) {
		t.Fatalf("over the limit: %v", err)
	}
	if _, err := (Offer{make([]byte, prekey.MaxBundleSize), strings.Repeat("x", MaxName)}).Encode(); err != nil {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	later, err := encode(wireRequest{Kind: kindRequest, Version: 2, Name: "x"}, MaxSmall)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeRequest(later); !errors.Is(err, ErrVersion) {
		t.Errorf("a later version: %v", err)
	}
	for _, name := range []string{"", "\xff", strings.Repeat("x", MaxName+1)} {
		if _, err := (Request{Version, name}).Encode(); !errors.Is(err, ErrMalformed) {
			t.Errorf("name %q in a request: %v", name, err)
		}
		if _, err := (Offer{[]byte{1}, name}).Encode(); !errors.Is(err, ErrMalformed) {
			t.Errorf("name %q in an offer: %v", name, err)
		}
	}
	long, err := encode(wireRequest{Kind: kindRequest, Version: 1, Name: strings.Repeat("x", MaxName+1)}, MaxSmall)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeRequest(long); !errors.Is(err, ErrMalformed) {
		t.Errorf("a long name received: %v", err)
	}
	for as, m := range map[string]any{
		"request": wireRequest{Kind: kindOffer, Version: 1, Name: "x"},
		"offer":   wireOffer{Kind: kindRequest, Bundle: []byte("bundle"), Name: "x"},
		"equal":   wireDecision{kindCommit, true},
		"reveal":  wireReveal{kindCommit, handshake.AppendFrame(nil, handshake.KindHandshake, prekey.Hint{}, []byte("e"))},
	} {
		b, err := encode(m, MaxReveal)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again(as, b); !errors.Is(err, ErrMalformed) {
			t.Errorf("a %s that says it is another message: %v", as, err)
		}
	}
	ratchet, err := encode(wireReveal{kindReveal, []byte{2, 1}}, MaxSmall)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeReveal(ratchet); !errors.Is(err, ErrMalformed) {
		t.Errorf("a ratchet frame revealed: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	all := messages(f)
	for _, b := range all {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for name := range all {
			if got, err := again(name, raw); err == nil && !bytes.Equal(got, raw) && raw[0]&0x1f < 4 {
				t.Fatalf("two encodings of one %s", name)
			}
		}
	})
}
