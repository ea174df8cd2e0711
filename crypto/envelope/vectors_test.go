package envelope

import (
	"bytes"
	"crypto/ecdh"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/internal/padding"
	"github.com/kuvert-im/kuvert/crypto/internal/vector"
	"github.com/kuvert-im/kuvert/crypto/ratchet"
)

// vectors is crypto/testdata/envelope.json. To write it anew:
//
//	go test ./crypto/envelope -run Vectors -update
type vectors struct {
	Comment         string           `json:"comment"`
	Padme           [][2]int         `json:"padme"` // size, next Padmé size
	Padding         []paddingVector  `json:"padding"`
	Payloads        []payloadVector  `json:"payloads"`
	PayloadsRefused []vector.Refused `json:"payloads_refused"`
	Bodies          []bodyVector     `json:"bodies"`
	BodiesRefused   []bodyVector     `json:"bodies_refused"`
	Acks            ackVector        `json:"acknowledgement_hashes"`
	Files           filesVector      `json:"files"`
}

type paddingVector struct {
	Head     int `json:"header_and_nonce_bytes"`
	Payload  int `json:"payload_bytes"`
	Plain    int `json:"padded_plaintext_bytes"`
	Envelope int `json:"envelope_bytes"`
}

type payloadVector struct {
	Name    string        `json:"name"`
	Fields  payloadFields `json:"fields"`
	Encoded vector.Hex    `json:"encoded"`
}

// payloadFields is a Payload as JSON can show it.
type payloadFields struct {
	Version      uint8        `json:"1_version"`
	Type         uint8        `json:"2_type"`
	Conversation vector.Hex   `json:"3_conversation"`
	MessageID    vector.Hex   `json:"4_message_id"`
	Sender       vector.Hex   `json:"5_sender"`
	Recipient    vector.Hex   `json:"6_recipient"`
	Inst         vector.Hex   `json:"7_inst"`
	Session      vector.Hex   `json:"8_session"`
	Ctr          uint64       `json:"9_ctr"`
	Number       uint64       `json:"10_number"`
	Seq          uint64       `json:"11_seq"`
	Parents      []vector.Hex `json:"12_parents"`
	Sent         int64        `json:"13_sent_unix_ms"`
	Acks         []ackFields  `json:"14_acks"`
	Body         vector.Hex   `json:"15_body"`
}

type ackFields struct {
	Session    vector.Hex    `json:"1_session"`
	Contiguous uint64        `json:"2_contiguous"`
	Chain      vector.Hex    `json:"3_chain"`
	Ranges     []rangeFields `json:"4_ranges"`
	Hi         uint64        `json:"5_hi"`
	HiHash     vector.Hex    `json:"6_hi_hash"`
}

type rangeFields struct {
	From uint64     `json:"1_from"`
	To   uint64     `json:"2_to"`
	Hash vector.Hex `json:"3_hash"`
}

func fieldsOf(p *Payload) payloadFields {
	f := payloadFields{
		p.Version, p.Type, p.Conversation[:], p.MessageID[:], p.Sender[:], p.Recipient[:], p.Inst[:],
		p.Session[:], p.Ctr, p.Number, p.Seq, nil, p.Sent.UnixMilli(), nil, p.Body,
	}
	for i := range p.Parents {
		f.Parents = append(f.Parents, p.Parents[i][:])
	}
	for i := range p.Acks {
		a := &p.Acks[i]
		af := ackFields{a.Session[:], a.Contiguous, a.Chain[:], nil, a.Hi, a.HiHash[:]}
		for j := range a.Ranges {
			r := &a.Ranges[j]
			af.Ranges = append(af.Ranges, rangeFields{r.From, r.To, r.Hash[:]})
		}
		f.Acks = append(f.Acks, af)
	}
	return f
}

type bodyVector struct {
	Name    string     `json:"name"`
	Kind    string     `json:"kind"`
	Encoded vector.Hex `json:"encoded"`
	Error   string     `json:"error,omitempty"`
}

type ackVector struct {
	MessageIDs []vector.Hex `json:"message_ids"`
	Chain      []vector.Hex `json:"chain"` // after each of them
	Range      vector.Hex   `json:"range_hash"`
	Envelope   vector.Hex   `json:"envelope"`
	InnerHash  vector.Hex   `json:"envelope_hash"`
}

// filesVector holds whole envelopes, the first of a session, for its responder.
type filesVector struct {
	RK        vector.Hex   `json:"root_key"`
	HKa       vector.Hex   `json:"header_key_initiator"`
	NHKb      vector.Hex   `json:"next_header_key_responder"`
	AD        vector.Hex   `json:"ad"`
	Initiator vector.Hex   `json:"initiator_ratchet_private"`
	Responder vector.Hex   `json:"responder_prekey_private"`
	Files     []fileVector `json:"envelopes"`
}

type fileVector struct {
	Name    string     `json:"name"`
	Blob    vector.Hex `json:"envelope"`
	Payload vector.Hex `json:"payload,omitempty"`
	Error   string     `json:"error,omitempty"`
}

var vectorErrors = map[string]error{
	"malformed": ErrMalformed, "too large": ErrTooLarge, "tampered": ErrTampered,
	"not mine": ratchet.ErrNotMine, "stanza tampered": ratchet.ErrTampered,
}

func errorName(t *testing.T, err error) string {
	t.Helper()
	for name, e := range vectorErrors {
		if errors.Is(err, e) {
			return name
		}
	}
	t.Fatalf("an error without a name: %v", err)
	return ""
}

func drawn(t *testing.T, r io.Reader, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	v := vectors{
		Comment:         "docs/protocol/messages.md says how to read this; all bytes in hexadecimal",
		Payloads:        payloadVectors(t),
		PayloadsRefused: refusedPayloads(t),
		Bodies:          bodyVectors(t),
		BodiesRefused:   refusedBodies(t),
		Acks:            ackVectors(t),
	}
	for _, n := range []int{512, 513, 544, 545, 1000, 1025, 4097, 10000, 65536, 65537, 67585, 100000, MaxSize} {
		v.Padme = append(v.Padme, [2]int{n, padding.Padme(n)})
	}
	for _, c := range [][2]int{{236, 0}, {236, 100}, {236, 256}, {236, 257}, {1688, 100}, {3273, 100}, {236, 65300}, {236, 65532}, {236, 65533}, {2030, 65532}, {236, 70000}, {3273, MaxPayload}} {
		plain := len(pad(make([]byte, c[1]), c[0]))
		v.Padding = append(v.Padding, paddingVector{c[0], c[1], plain, c[0] + sealedSize(plain)})
	}
	v.Files = fileVectors(t)
	vector.Compare(t, "envelope", v)
}

func payloadVectors(t *testing.T) (out []payloadVector) {
	t.Helper()
	full := samplePayload()
	full.Ext = nil
	least := Payload{Version: Version, Type: TypeAck, Number: 1, Sent: time.UnixMilli(0)}
	later := full
	later.Ext = canon.Ext{70: {0xf5}, 1000: {0x82, 0x01, 0x02}}
	for _, c := range []struct {
		name string
		p    Payload
	}{{"every field", full}, {"as little as can be", least}, {"fields of a later version under key -1: {70: true, 1000: [1, 2]}", later}} {
		b, err := Encode(c.p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(b); err != nil {
			t.Fatal(err)
		}
		out = append(out, payloadVector{c.name, fieldsOf(&c.p), b})
	}
	return out
}

func refusedPayloads(t *testing.T) (out []vector.Refused) {
	t.Helper()
	good := payloadVectors(t)[0].Encoded
	edit := func(name string, change func(*Payload)) {
		p := samplePayload()
		p.Ext = nil
		change(&p)
		raw, err := canon.Marshal(p.wire())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, vector.Refused{Name: name, Input: raw})
	}
	text := func(name, old, replacement string) {
		raw, err := hex.DecodeString(strings.Replace(hex.EncodeToString(good), old, replacement, 1))
		if err != nil || bytes.Equal(raw, good) {
			t.Fatal(name, "was not changed", err)
		}
		out = append(out, vector.Refused{Name: name, Input: raw})
	}
	edit("version 2", func(p *Payload) { p.Version = 2 })
	edit("type 0", func(p *Payload) { p.Type = 0 })
	edit("number 0", func(p *Payload) { p.Number, p.Ctr = 0, 0 })
	edit("ctr above number", func(p *Payload) { p.Ctr = p.Number + 1 })
	edit("17 parents", func(p *Payload) { p.Parents = make([][16]byte, 17) })
	edit("9 acknowledgements", func(p *Payload) {
		p.Acks = make([]Ack, 9)
		for i := range p.Acks {
			p.Acks[i].Session[0] = byte(i)
		}
	})
	edit("a session acknowledged twice", func(p *Payload) { p.Acks = make([]Ack, 2) })
	edit("range right after the contiguous part", func(p *Payload) { p.Acks = []Ack{{Contiguous: 4, Ranges: []AckRange{{From: 5, To: 5}}}} })
	edit("range backwards", func(p *Payload) { p.Acks = []Ack{{Ranges: []AckRange{{From: 5, To: 4}}}} })
	edit("ranges that touch", func(p *Payload) { p.Acks = []Ack{{Ranges: []AckRange{{From: 5, To: 6}, {From: 7, To: 7}}}} })
	edit("sent before 1970", func(p *Payload) { p.Sent = time.UnixMilli(-1) })
	edit("sent after the year 9999", func(p *Payload) { p.Sent = time.UnixMilli(maxSent + 1) })
	text("integer longer than need be", "af0101", "af011801")
	text("a key twice", "af0101", "b001010101")
	text("unknown field 16", "af", "b0")
	out[len(out)-1].Input = append(out[len(out)-1].Input, 0x10, 0x00)
	text("message id of 15 bytes", "045002"+strings.Repeat("00", 15), "044f02"+strings.Repeat("00", 14))
	text("indefinite map", "af0101", "bf0101")
	out[len(out)-1].Input = append(out[len(out)-1].Input, 0xff)
	out = append(out,
		vector.Refused{Name: "byte at the end", Input: append(bytes.Clone(good), 0)},
		vector.Refused{Name: "cut short", Input: good[:len(good)-1]},
		vector.Refused{Name: "empty"})
	for i := range out {
		_, err := Decode(out[i].Input)
		out[i].Error = errorName(t, err)
	}
	return out
}

func bodyVectors(t *testing.T) (out []bodyVector) {
	t.Helper()
	names := []string{"message: 'Grüß Gott 👋', answer to 04…, ext {9: 1}", "message: empty", "message: two files, the second with the least", "start: 'Änne' with reach", "start: 'Bob'", "read: two", "reach: two addresses, next host key", "reach: one address", "reach: two nodes, a queue for mail at each, an inbox at the second, the token with which mail is kept", "bundle", "digits: commitment of session 07… to 08…", "digits: number 09…", "digits: 08… revealed"}
	for i, b := range sampleBodies() {
		raw, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, bodyVector{Name: names[i], Kind: kindOf(b), Encoded: raw})
	}
	return out
}

func refusedBodies(t *testing.T) (out []bodyVector) {
	t.Helper()
	add := func(name, kind string, w any) {
		raw, err := canon.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		_, err = decoders[kind](raw)
		out = append(out, bodyVector{name, kind, raw, errorName(t, err)})
	}
	add("text is not UTF-8", "message", wireMessage{Text: "a\xff"})
	add("answer to an id of 15 bytes", "message", wireMessage{Text: "a", ReplyTo: make([]byte, 15)})
	add("answer to zeros, which must be left out", "message", wireMessage{Text: "a", ReplyTo: make([]byte, 16)})
	add("name of 129 bytes", "start", wireStart{Name: strings.Repeat("n", 129)})
	add("17 addresses", "reach", wireReach{Addrs: bytes.SplitAfter(make([]byte, 17), []byte{0})[:17]})
	add("empty address", "reach", wireReach{Addrs: [][]byte{{}}})
	add("address of 129 bytes", "reach", wireReach{Addrs: [][]byte{make([]byte, 129)}})
	for _, bad := range badReach {
		b := sampleReach()
		bad.change(&b)
		add(bad.name, "reach", b.wire())
	}
	add("a fourth move", "digits", wireDigits{Move: 4, Value: [32]byte{1}})
	add("a move without a number", "digits", wireDigits{Move: MoveNonce})
	return out
}

func ackVectors(t *testing.T) ackVector {
	t.Helper()
	r := vector.Reader("envelope acknowledgements")
	var v ackVector
	var ids [][16]byte
	var h [32]byte
	for range 3 {
		id := [16]byte(drawn(t, r, 16))
		h = AckChain(h, id)
		ids = append(ids, id)
		v.MessageIDs, v.Chain = append(v.MessageIDs, id[:]), append(v.Chain, bytes.Clone(h[:]))
	}
	hash := AckRangeHash(ids...)
	v.Range, v.Envelope = hash[:], drawn(t, r, 40)
	inner := InnerHash(v.Envelope)
	v.InnerHash = inner[:]
	return v
}

// fileVectors returns the envelopes in the file: age draws file key and nonce
// itself, so they are opened, not made again. When updating they are made.
func fileVectors(t *testing.T) filesVector {
	t.Helper()
	r := vector.Reader("envelope files")
	v := filesVector{
		RK: drawn(t, r, 32), HKa: drawn(t, r, 32), NHKb: drawn(t, r, 32), AD: drawn(t, r, 32),
		Initiator: drawn(t, r, 32), Responder: drawn(t, r, 32),
	}
	if vector.Updating() {
		v.Files = makeFiles(t, &v, r)
	} else {
		var old vectors
		vector.Load(t, "envelope", &old)
		v.Files = old.Files.Files
	}
	_, responder := v.states(t)
	for _, f := range v.Files {
		payload, err := Open(responder.Clone().Identity(vectorTime, vector.Reader("step")), f.Blob)
		if f.Error != "" {
			if !errors.Is(err, vectorErrors[f.Error]) {
				t.Errorf("%s: %v, want %s", f.Name, err, f.Error)
			}
		} else if err != nil || !bytes.Equal(payload, f.Payload) {
			t.Errorf("%s: %x, %v", f.Name, payload, err)
		}
	}
	return v
}

var vectorTime = time.Unix(1_800_000_000, 0)

func (v *filesVector) states(t *testing.T) (initiator, responder *ratchet.State) {
	t.Helper()
	keys := make([]*ecdh.PrivateKey, 2)
	for i, b := range [][]byte{v.Initiator, v.Responder} {
		k, err := ecdh.X25519().NewPrivateKey(b)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = k
	}
	initiator, err := ratchet.NewInitiator([32]byte(v.RK), [32]byte(v.HKa), [32]byte(v.NHKb), [32]byte(v.AD), keys[0], [32]byte(keys[1].PublicKey().Bytes()), vectorTime)
	if err != nil {
		t.Fatal(err)
	}
	responder, err = ratchet.NewResponder([32]byte(v.RK), [32]byte(v.HKa), [32]byte(v.NHKb), [32]byte(v.AD), keys[1], vectorTime)
	if err != nil {
		t.Fatal(err)
	}
	return initiator, responder
}

func makeFiles(t *testing.T, v *filesVector, r io.Reader) []fileVector {
	t.Helper()
	initiator, _ := v.states(t)
	payload := payloadVectors(t)[0].Encoded
	seal := func() []byte {
		blob, err := Seal(initiator.Recipient(vectorTime, r), payload)
		if err != nil {
			t.Fatal(err)
		}
		return blob
	}
	// raw seals a plaintext as it is, padded by nobody.
	raw := func(plain []byte) []byte {
		var out bytes.Buffer
		w, err := age.Encrypt(&out, initiator.Recipient(vectorTime, r))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(plain[:512-out.Len()-chunkTag]); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	first, second := seal(), seal()
	dirty, long := make([]byte, 512), make([]byte, 512)
	dirty[4] = 1
	binary.BigEndian.PutUint32(long, 512)
	stanza := first[bytes.Index(first, []byte("-> ")) : bytes.Index(first, []byte("\n---"))+1]
	twice := bytes.Replace(first, stanza, append(bytes.Clone(stanza), stanza...), 1)
	flipped, header := bytes.Clone(first), bytes.Clone(first)
	flipped[len(flipped)-1] ^= 1
	at := bytes.Index(header, []byte(StanzaRatchet)) + len(StanzaRatchet) + 2
	header[at] = flip(header[at])
	return []fileVector{
		{Name: "first message", Blob: first, Payload: payload},
		{Name: "second message", Blob: second, Payload: payload},
		{Name: "last byte altered", Blob: flipped, Error: "tampered"},
		{Name: "first half, of a good size", Blob: first[:512], Error: "tampered"},
		{Name: "header of another session", Blob: header, Error: "not mine"},
		{Name: "stanza twice", Blob: fitted(twice), Error: "malformed"},
		{Name: "other stanza", Blob: fitted(bytes.Replace(first, []byte(StanzaRatchet), []byte("kuvert/dr2"), 1)), Error: "malformed"},
		{Name: "a byte too long for a Padmé size", Blob: append(bytes.Clone(first), 0), Error: "malformed"},
		{Name: "padding not zero", Blob: raw(dirty), Error: "malformed"},
		{Name: "length beyond the end", Blob: raw(long), Error: "malformed"},
	}
}

func flip(c byte) byte {
	if c == 'A' {
		return 'B'
	}
	return 'A'
}

// fitted grows b to the next Padmé size.
func fitted(b []byte) []byte {
	return append(bytes.Clone(b), make([]byte, padding.Padme(len(b))-len(b))...)
}
