package ratchet

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"errors"
	"io"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/crypto/internal/kdf"
	"github.com/kuvert-im/kuvert/crypto/internal/vector"
)

// vectors is crypto/testdata/ratchet.json. To write it anew:
//
//	go test ./crypto/ratchet -run Vectors -update
type vectors struct {
	Comment      string             `json:"comment"`
	Root         []rootVector       `json:"root"`
	Chain        []chainVector      `json:"chain"`
	Wrap         []wrapVector       `json:"wrap"`
	Headers      []headerVector     `json:"headers"`
	Conversation conversationVector `json:"conversation"`
}

type rootVector struct {
	RK     vector.Hex `json:"root_key"`
	DH     vector.Hex `json:"dh"`
	SS     vector.Hex `json:"kem_secret,omitempty"`
	Next   vector.Hex `json:"next_root_key"`
	Chain  vector.Hex `json:"chain_key"`
	Header vector.Hex `json:"next_header_key"`
}

type chainVector struct {
	CK      vector.Hex `json:"chain_key"`
	Next    vector.Hex `json:"next_chain_key"`
	Message vector.Hex `json:"message_key"`
}

type wrapVector struct {
	MK     vector.Hex `json:"message_key"`
	Sealed vector.Hex `json:"sealed_header"`
	AD     vector.Hex `json:"ad"`
	Key    vector.Hex `json:"wrap_key"`
	File   vector.Hex `json:"file_key"`
	Body   vector.Hex `json:"body"`
}

type headerVector struct {
	Name   string     `json:"name"`
	Key    vector.Hex `json:"header_key"`
	Nonce  vector.Hex `json:"nonce"`
	DH     vector.Hex `json:"dh"`
	PN     uint32     `json:"pn"`
	N      uint32     `json:"n"`
	EK     vector.Hex `json:"ek,omitempty"`
	CT     vector.Hex `json:"ct,omitempty"`
	Plain  vector.Hex `json:"plain"`
	Sealed vector.Hex `json:"sealed"`
}

// conversationVector is a session from its first message on. Both sides start
// from the same handshake; the responder's key is the initiator's first peer.
type conversationVector struct {
	RK        vector.Hex    `json:"root_key"`
	HKa       vector.Hex    `json:"header_key_initiator"`
	NHKb      vector.Hex    `json:"next_header_key_responder"`
	AD        vector.Hex    `json:"ad"`
	Initiator vector.Hex    `json:"initiator_ratchet_private"`
	Responder vector.Hex    `json:"responder_prekey_private"`
	Start     int64         `json:"start_unix"`
	Steps     []*stepVector `json:"steps"`
}

// stepVector is one thing a side does. What it draws at random is, for "seal": the
// KEM seed (d | z) if it begins to offer, then the header's nonce; for "open": the
// new ratchet key if the message begins a chain, then the randomness of the
// encapsulation if the chain offers a KEM key.
type stepVector struct {
	Name     string       `json:"name,omitempty"`
	Side     string       `json:"side"`
	Action   string       `json:"action"` // seal, open or refuse
	At       int64        `json:"at_unix"`
	Message  string       `json:"message,omitempty"` // name of the message opened
	Draws    vector.Hex   `json:"draws,omitempty"`
	File     vector.Hex   `json:"file_key,omitempty"`
	Header   vector.Hex   `json:"header,omitempty"` // plain
	Argument string       `json:"argument,omitempty"`
	Body     vector.Hex   `json:"body,omitempty"`
	Error    string       `json:"error,omitempty"`
	After    *stateVector `json:"state_after,omitempty"`
}

type stateVector struct {
	RK      vector.Hex      `json:"root_key"`
	SendHK  vector.Hex      `json:"send_header_key,omitempty"`
	SendCK  vector.Hex      `json:"send_chain_key,omitempty"`
	N       uint32          `json:"send_n"`
	PN      uint32          `json:"send_pn"`
	NextHKs vector.Hex      `json:"next_send_header_key"`
	RecvHK  vector.Hex      `json:"receive_header_key,omitempty"`
	RecvCK  vector.Hex      `json:"receive_chain_key,omitempty"`
	Nr      uint32          `json:"receive_n"`
	NextHKr vector.Hex      `json:"next_receive_header_key"`
	Skipped []skippedVector `json:"skipped,omitempty"`
}

type skippedVector struct {
	HK vector.Hex `json:"header_key"`
	N  uint32     `json:"n"`
	MK vector.Hex `json:"message_key"`
}

func hexOf(k key) vector.Hex { return vector.Hex(k[:]) }

func (s *State) vector() *stateVector {
	v := &stateVector{RK: hexOf(s.rk), NextHKs: hexOf(s.nhks), NextHKr: hexOf(s.nhkr)}
	if s.send != nil {
		v.SendHK, v.SendCK, v.N, v.PN = hexOf(s.send.hk), hexOf(s.send.ck), s.send.n, s.send.pn
	}
	chains := s.old
	if s.recv != nil {
		v.RecvHK, v.RecvCK, v.Nr = hexOf(s.recv.hk), hexOf(s.recv.ck), s.recv.n
		chains = append(chains[:len(chains):len(chains)], s.recv.skipChain)
	}
	for _, c := range chains {
		for _, k := range c.keys {
			v.Skipped = append(v.Skipped, skippedVector{hexOf(c.hk), k.n, hexOf(k.mk)})
		}
	}
	return v
}

// script plays the conversation and writes down what happens.
type script struct {
	t     *testing.T
	rand  io.Reader
	now   time.Time
	sides map[string]*State
	sent  map[string]*stepVector
	out   conversationVector
}

func (s *script) draw(n int) []byte {
	s.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(s.rand, b); err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *script) record(v *stepVector) *stepVector {
	v.At = s.now.Unix()
	s.out.Steps = append(s.out.Steps, v)
	return v
}

func (s *script) seal(side, name string) {
	s.t.Helper()
	state, drawn := s.sides[side], s.draw(64+24)
	tape := bytes.NewReader(drawn)
	file := s.draw(fileKeySize)
	hk := state.send.hk
	stanzas, err := state.Recipient(s.now, tape).Wrap(file)
	if err != nil {
		s.t.Fatal(err)
	}
	sealed, err := decodeSealed(stanzas[0].Args[0])
	if err != nil {
		s.t.Fatal(err)
	}
	plain, ok := openHeader(&hk, sealed)
	if !ok {
		s.t.Fatal("own header does not open")
	}
	s.sent[name] = s.record(&stepVector{
		Name: name, Side: side, Action: "seal", Draws: drawn[:len(drawn)-tape.Len()], File: file,
		Header: plain, Argument: stanzas[0].Args[0], Body: stanzas[0].Body, After: state.vector(),
	})
}

func (s *script) stanza(name string) []*age.Stanza {
	m := s.sent[name]
	return []*age.Stanza{{Type: StanzaType, Args: []string{m.Argument}, Body: m.Body}}
}

func (s *script) open(side, name string) {
	s.t.Helper()
	drawn := s.draw(32 + 32)
	tape := bytes.NewReader(drawn)
	defer fixEncapsulation(s.t, tape)()
	state := s.sides[side]
	file, err := state.Identity(s.now, tape).Unwrap(s.stanza(name))
	if err != nil || !bytes.Equal(file, s.sent[name].File) {
		s.t.Fatalf("%s: %v", name, err)
	}
	s.record(&stepVector{
		Side: side, Action: "open", Message: name, Draws: drawn[:len(drawn)-tape.Len()],
		File: file, After: state.vector(),
	})
}

// fixEncapsulation takes the randomness of encapsulations from rand until the
// function it returns is called.
func fixEncapsulation(t *testing.T, rand io.Reader) (restore func()) {
	true := encapsulate
	encapsulate = func(ek []byte) (ss, ct []byte, err error) {
		k, err := mlkem.NewEncapsulationKey768(ek)
		if err != nil {
			return true(ek)
		}
		m := make([]byte, 32)
		if _, err := io.ReadFull(rand, m); err != nil {
			t.Fatal(err)
		}
		return mlkemtest.Encapsulate768(k, m)
	}
	return func() { encapsulate = true }
}

var errorNames = map[string]error{
	"not mine": ErrNotMine, "used up": ErrUsed, "beyond": ErrBeyond, "mismatch": ErrMismatch, "tampered": ErrTampered,
}

func (s *script) refuse(side, name, want string, st *age.Stanza) {
	s.t.Helper()
	state := s.sides[side]
	before := state.Clone()
	_, err := state.Identity(s.now, vector.Reader(name)).Unwrap([]*age.Stanza{st})
	if !errors.Is(err, errorNames[want]) {
		s.t.Fatalf("%s: %v, want %q", name, err, want)
	}
	same(s.t, state, before)
	s.record(&stepVector{Name: name, Side: side, Action: "refuse", Argument: st.Args[0], Body: st.Body, Error: want})
}

// forge seals a header no honest side makes.
func (s *script) forge(hk key, h header) *age.Stanza {
	s.t.Helper()
	sealed, err := h.seal(&hk, s.rand)
	if err != nil {
		s.t.Fatal(err)
	}
	return &age.Stanza{Type: StanzaType, Args: []string{b64.EncodeToString(sealed)}, Body: s.draw(bodySize)}
}

func newScript(t *testing.T) *script {
	t.Helper()
	s := &script{t: t, rand: vector.Reader("ratchet conversation"), now: start, sent: map[string]*stepVector{}}
	c := &s.out
	c.RK, c.HKa, c.NHKb, c.AD, c.Initiator, c.Responder = s.draw(32), s.draw(32), s.draw(32), s.draw(32), s.draw(32), s.draw(32)
	c.Start = start.Unix()
	self, prekey := private(t, c.Initiator), private(t, c.Responder)
	a, err := NewInitiator(key(c.RK), key(c.HKa), key(c.NHKb), key(c.AD), self, key(prekey.PublicKey().Bytes()), start)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewResponder(key(c.RK), key(c.HKa), key(c.NHKb), key(c.AD), prekey, start)
	if err != nil {
		t.Fatal(err)
	}
	s.sides = map[string]*State{"initiator": a, "responder": b}
	return s
}

func private(t *testing.T, b []byte) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.X25519().NewPrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const a, b = "initiator", "responder"

// play: loss and reordering in the first chains, then a KEM step of both sides.
func (s *script) play() {
	s.t.Helper()
	s.seal(a, "a0")
	s.seal(a, "a1")
	s.seal(a, "a2")
	s.open(b, "a2") // begins a chain, skips two
	s.open(b, "a0")
	s.refuse(b, "a0 again", "used up", s.stanza("a0")[0])
	s.refuseNumbers()
	s.seal(b, "b0")
	s.open(a, "b0")
	s.now = s.now.Add(KEMEveryTime)
	s.seal(a, "a3") // offers
	s.seal(a, "a4")
	s.open(b, "a4") // answers; a1 and a3 are awaited
	s.seal(b, "b1") // with an answer and an offer
	s.refuseAnswers()
	s.open(a, "b1")
	s.seal(a, "a5") // with an answer
	s.open(b, "a3")
	s.open(b, "a5")
	s.open(b, "a1")
	s.seal(b, "b2")
	s.open(a, "b2")
	s.refuseAltered()
}

// refuseNumbers: b has opened a0 and a2 and awaits a3 in the same chain.
func (s *script) refuseNumbers() {
	s.t.Helper()
	st := s.sides[b]
	plain := s.sent["a2"].Header
	known, err := parseHeader(plain)
	if err != nil {
		s.t.Fatal(err)
	}
	at := func(n uint32) header { h := *known; h.n = n; return h }
	other, low := *known, header{pn: 3}
	other.dh[0] ^= 1
	fresh := header{dh: key(private(s.t, s.draw(32)).PublicKey().Bytes())}
	s.refuse(b, "number beyond the limit", "beyond", s.forge(st.recv.hk, at(3+MaxSkipStep+1)))
	s.refuse(b, "last number", "beyond", s.forge(st.recv.hk, at(lastNumber)))
	s.refuse(b, "number not used up, body of another key", "tampered", s.forge(st.recv.hk, at(3)))
	s.refuse(b, "other ratchet key in a known chain", "mismatch", s.forge(st.recv.hk, other))
	fresh.pn = 2
	s.refuse(b, "new chain says the old one was shorter", "mismatch", s.forge(st.nhkr, fresh))
	fresh.pn, fresh.n = 3+600, 401
	s.refuse(b, "both chains together beyond the limit", "beyond", s.forge(st.nhkr, fresh))
	s.refuse(b, "ratchet key of low order", "tampered", s.forge(st.nhkr, low))
	fresh.pn, fresh.n, fresh.ct = 3, 0, make([]byte, ctSize)
	s.refuse(b, "answer nobody asked for", "mismatch", s.forge(st.nhkr, fresh))
	s.refuse(b, "header key of nobody", "not mine", s.forge(key(s.draw(32)), fresh))
}

// refuseAnswers: a has offered a KEM key and awaits the answer.
func (s *script) refuseAnswers() {
	s.t.Helper()
	h, err := parseHeader(s.sent["b1"].Header)
	if err != nil {
		s.t.Fatal(err)
	}
	mute, wrong, bad := *h, *h, *h
	mute.ek, mute.ct = nil, nil
	wrong.ct = bytes.Clone(h.ct)
	wrong.ct[0] ^= 1
	bad.ek = bytes.Repeat([]byte{0xFF}, ekSize)
	hk := s.sides[a].nhkr
	s.refuse(a, "no answer", "mismatch", s.forge(hk, mute))
	s.refuse(a, "wrong answer", "tampered", s.forge(hk, wrong))
	s.refuse(a, "KEM key with coefficients out of range", "tampered", s.forge(hk, bad))
}

// refuseAltered: the initiator's next message, altered on the way.
func (s *script) refuseAltered() {
	s.t.Helper()
	s.seal(a, "a6")
	altered := func(change func(*age.Stanza)) *age.Stanza {
		st := *s.stanza("a6")[0]
		st.Args, st.Body = []string{st.Args[0]}, bytes.Clone(st.Body)
		change(&st)
		return &st
	}
	s.refuse(b, "body altered", "tampered", altered(func(st *age.Stanza) { st.Body[0] ^= 1 }))
	s.refuse(b, "body cut", "tampered", altered(func(st *age.Stanza) { st.Body = st.Body[1:] }))
	s.refuse(b, "header altered", "not mine", altered(func(st *age.Stanza) { st.Args[0] = "A" + st.Args[0][1:] }))
	s.refuse(b, "header cut", "tampered", altered(func(st *age.Stanza) { st.Args[0] = st.Args[0][4:] }))
	s.refuse(b, "padded base64", "tampered", altered(func(st *age.Stanza) { st.Args[0] += "=" }))
	s.open(b, "a6")
}

func TestVectors(t *testing.T) {
	v := vectors{Comment: "docs/protocol/messages.md says how to read this; all bytes in hexadecimal"}
	s := newScript(t)
	s.play()
	v.Conversation = s.out
	s.rand = vector.Reader("ratchet parts")
	v.Root = []rootVector{s.root(false), s.root(true)}
	ck := key(s.draw(32))
	for range 3 {
		next, mk := kdf.Chain(ck)
		v.Chain = append(v.Chain, chainVector{hexOf(ck), hexOf(next), hexOf(mk)})
		ck = next
	}
	for _, h := range []struct {
		name   string
		ek, ct bool
	}{{"plain", false, false}, {"answer", false, true}, {"offer", true, false}, {"both", true, true}} {
		v.Headers = append(v.Headers, s.header(h.name, h.ek, h.ct))
	}
	for i := range 2 { // one message key, two headers: two wrap keys
		v.Wrap = append(v.Wrap, s.wrap(v.Chain[0].Message, v.Headers[i].Sealed))
	}
	if bytes.Equal(v.Wrap[0].Key, v.Wrap[1].Key) {
		t.Error("a message key gives one wrap key under two headers")
	}
	vector.Compare(t, "ratchet", v)
}

func (s *script) root(kem bool) rootVector {
	s.t.Helper()
	v := rootVector{RK: s.draw(32), DH: s.draw(32)}
	if kem {
		v.SS = s.draw(32)
	}
	next, ck, hk := kdf.Root(key(v.RK), v.DH, v.SS)
	v.Next, v.Chain, v.Header = hexOf(next), hexOf(ck), hexOf(hk)
	return v
}

func (s *script) header(name string, ek, ct bool) headerVector {
	s.t.Helper()
	hk, nonce := key(s.draw(32)), s.draw(nonceSize)
	h := header{dh: key(s.draw(32)), pn: 0x01020304, n: 0xA0B0C0D0}
	if ek {
		h.ek = s.draw(ekSize)
	}
	if ct {
		h.ct = s.draw(ctSize)
	}
	sealed, err := h.seal(&hk, bytes.NewReader(nonce))
	if err != nil {
		s.t.Fatal(err)
	}
	return headerVector{name, hexOf(hk), nonce, hexOf(h.dh), h.pn, h.n, h.ek, h.ct, h.bytes(), sealed}
}

func (s *script) wrap(mk, sealed []byte) wrapVector {
	s.t.Helper()
	mkey, ad, file := key(mk), key(s.draw(32)), s.draw(fileKeySize)
	body, err := wrapFileKey(&mkey, &ad, sealed, file)
	if err != nil {
		s.t.Fatal(err)
	}
	return wrapVector{mk, sealed, hexOf(ad), hexOf(kdf.Wrap(mkey, sealed)), file, body}
}
