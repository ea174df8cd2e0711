package session

import (
	"errors"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/internal/vector"
)

// vectors is crypto/testdata/session.json. To write it anew:
//
//	go test ./crypto/session -run Vectors -update
type vectors struct {
	Comment string           `json:"comment"`
	From    vector.Hex       `json:"from"`
	To      vector.Hex       `json:"to"`
	Own     vector.Hex       `json:"private_keys_of_the_recipient"`
	Kpair   vector.Hex       `json:"kpair"`
	Key     vector.Hex       `json:"mac_key"`
	Mail    []mailVector     `json:"statuses_by_mailbox"`
	Refused []vector.Refused `json:"statuses_refused"`
}

type mailVector struct {
	Name    string     `json:"name"`
	Status  vector.Hex `json:"status"`
	Bundle  vector.Hex `json:"bundle"`
	MAC     vector.Hex `json:"mac"`
	Encoded vector.Hex `json:"encoded"`
}

// TestVectors recomputes crypto/testdata/session.json.
func TestVectors(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	env := func(name string) Env {
		s, err := NewSelf(vector.Reader(name), now)
		check(t, err)
		return Env{Self: s, Now: now, Rand: vector.Reader(name + " later")}
	}
	ea, eb := env("alice"), env("bob")
	a, err := PeerOf(ea, eb.Self.Bundle())
	check(t, err)
	b, err := PeerOf(eb, ea.Self.Bundle())
	check(t, err)
	kpair, err := a.Kpair(ea)
	check(t, err)
	idA, idB := ea.Self.ID(), eb.Self.ID()
	v := vectors{
		Comment: "docs/protocol/sessions.md says how to read this; all bytes in hexadecimal",
		From:    idB[:], To: idA[:], Own: ea.Self.private.Marshal(), Kpair: kpair[:],
		Key: canon.KDF(kpair[:], nil, "mail-status", nil, 32),
	}
	add := func(name string, raw []byte) {
		var m mailStatus
		check(t, canon.Unmarshal(raw, &m))
		if _, err := a.Clone().OnMailStatus(ea, raw); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		v.Mail = append(v.Mail, mailVector{name, m.Status, m.Bundle, m.MAC[:], raw})
	}
	plain := mail(t, b, eb)
	add("no session yet", plain)
	add("every field", forgeMail(t, plain, &kpair, idB, idA, func(m *mailStatus) { m.Status = fullStatus(t, ea, eb) }))
	for _, r := range badMail(t, a, b, ea, eb, plain) {
		if r.drawn || len(r.raw) > MaxMailStatusSize {
			continue
		}
		if _, err := a.Clone().OnMailStatus(ea, r.raw); !errors.Is(err, ErrBadStatus) {
			t.Errorf("%s: %v", r.name, err)
		}
		v.Refused = append(v.Refused, vector.Refused{Name: r.name, Input: r.raw, Error: "bad status"})
	}
	vector.Compare(t, "session", v)
}

// fullStatus has something in every field.
func fullStatus(t *testing.T, ea, eb Env) []byte {
	t.Helper()
	own, theirs := eb.Self.current(), ea.Self.current()
	raw, err := canon.Marshal(status{
		Version: statusVersion, Inst: eb.Self.inst, Counter: own.counter, Hint: own.pair.Hint(),
		YourInst: ea.Self.inst, YourCount: theirs.counter, YourHash: theirs.hash,
		Active: [16]byte{1}, Confirmed: true, HS: 1_800_000_000_001,
		Sessions: []envelope.Ack{
			{Session: [16]byte{2}, Contiguous: 3, Chain: [8]byte{4}, Ranges: []envelope.AckRange{{From: 5, To: 6, Hash: [8]byte{7}}}, Hi: 8, HiHash: [8]byte{9}},
			{Session: [16]byte{1}},
		},
	})
	check(t, err)
	return raw
}
