//go:build unix

package envelope_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/ratchet"
)

// The benchmarks of one message, beside age's own symmetric work on a payload of
// the same padded size, which is the floor: header and MAC with a key that needs
// no unwrapping, and the payload. The bar: within a chain at most twice that,
// with a ratchet step at most five times. The figure to compare is cpu-ns/op, the
// processor time of the whole process: most of what age's own work costs is the
// collection of its 64 KiB buffers, which the time on the wall shows or not.
//
//	go test -bench . -run XXX ./crypto/envelope

const messageSize = 100

// each runs f as b.Loop does and reports the processor time it took.
func each(b *testing.B, f func()) {
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

func cpuTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// bare is a recipient and an identity that do nothing: what remains is age.
type bare struct{ fileKey []byte }

func (b *bare) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	b.fileKey = bytes.Clone(fileKey)
	return []*age.Stanza{{Type: "bare", Args: []string{"x"}, Body: make([]byte, 32)}}, nil
}

func (b *bare) Unwrap([]*age.Stanza) ([]byte, error) { return b.fileKey, nil }

func ageSeal(b *testing.B, r age.Recipient, plain []byte) []byte {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, r)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// paddedPlain is what age encrypts inside an envelope of a small message.
func paddedPlain(b *testing.B) []byte {
	alice, bob := pair(b)
	_, plain := plainOf(b, seal(b, alice, make([]byte, messageSize)), bob.Identity(now, rand.Reader))
	return plain
}

func BenchmarkAgeAloneSeal(b *testing.B) {
	plain := paddedPlain(b)
	each(b, func() {
		ageSeal(b, new(bare), plain)
	})
}

func BenchmarkAgeAloneOpen(b *testing.B) {
	id := new(bare)
	blob := ageSeal(b, id, paddedPlain(b))
	each(b, func() {
		r, err := age.Decrypt(bytes.NewReader(blob), id)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadAll(r); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkSealInChain(b *testing.B) {
	alice, _ := pair(b)
	payload := make([]byte, messageSize)
	each(b, func() {
		seal(b, alice, payload)
	})
}

// mustOpen opens a copy of bob's state, which stays as it is.
func mustOpen(b *testing.B, bob *ratchet.State, blob []byte, at time.Time) *ratchet.State {
	c := bob.Clone()
	if _, err := envelope.Open(c.Identity(at, rand.Reader), blob); err != nil {
		b.Fatal(err)
	}
	return c
}

func BenchmarkOpenInChain(b *testing.B) {
	alice, bob := pair(b)
	bob = mustOpen(b, bob, seal(b, alice, nil), now)
	blob := seal(b, alice, make([]byte, messageSize))
	each(b, func() {
		mustOpen(b, bob, blob, now)
	})
}

func BenchmarkOpenRatchetStep(b *testing.B) {
	alice, bob := pair(b)
	bob = mustOpen(b, bob, seal(b, alice, nil), now)
	alice = mustOpen(b, alice, seal(b, bob, nil), now)
	blob := seal(b, alice, make([]byte, messageSize))
	each(b, func() {
		mustOpen(b, bob, blob, now)
	})
}

// The same as a session does it, with the state fresh from storage: the ratchet
// key has to be made ready first.
func BenchmarkOpenRatchetStepStored(b *testing.B) {
	alice, bob := pair(b)
	bob = mustOpen(b, bob, seal(b, alice, nil), now)
	alice = mustOpen(b, alice, seal(b, bob, nil), now)
	raw, blob := stored(b, bob), seal(b, alice, make([]byte, messageSize))
	each(b, func() {
		s, err := ratchet.Parse(raw)
		if err != nil {
			b.Fatal(err)
		}
		stored(b, mustOpen(b, s, blob, now))
	})
}

// A KEM step at both of its ends: the answer to an offer, and the end of one.
func BenchmarkOpenKEMStep(b *testing.B) {
	late := now.Add(ratchet.KEMEveryTime)
	alice, bob := pair(b)
	bob = mustOpen(b, bob, seal(b, alice, nil), now)
	alice = mustOpen(b, alice, seal(b, bob, nil), now)
	offer, err := envelope.Seal(alice.Recipient(late, rand.Reader), make([]byte, messageSize))
	if err != nil {
		b.Fatal(err)
	}
	answering := mustOpen(b, bob, offer, now) // bob himself offers nothing
	answer := seal(b, answering, make([]byte, messageSize))
	b.Run("encapsulate", func(b *testing.B) {
		each(b, func() {
			mustOpen(b, bob, offer, now)
		})
	})
	b.Run("decapsulate", func(b *testing.B) {
		each(b, func() {
			mustOpen(b, alice, answer, late)
		})
	})
	b.Run("seal-offer", func(b *testing.B) {
		before := mustOpen(b, alice, answer, late)
		each(b, func() {
			if _, err := envelope.Seal(before.Clone().Recipient(late.Add(ratchet.KEMEveryTime), rand.Reader), make([]byte, messageSize)); err != nil {
				b.Fatal(err)
			}
		})
	})
}

func BenchmarkOpenSkipping1000(b *testing.B) {
	alice, bob := pair(b)
	for range ratchet.MaxSkipStep {
		seal(b, alice, nil)
	}
	blob := seal(b, alice, nil)
	each(b, func() {
		mustOpen(b, bob, blob, now)
	})
}

func BenchmarkStore(b *testing.B) {
	alice, bob := pair(b)
	bob = mustOpen(b, bob, seal(b, alice, nil), now)
	states := map[string]*ratchet.State{"small": bob}
	for range 2 {
		for range ratchet.MaxSkipStep {
			seal(b, alice, nil)
		}
		bob = mustOpen(b, bob, seal(b, alice, nil), now)
	}
	states["2000-skipped"] = bob
	for name, s := range states {
		raw, err := s.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		b.Run("marshal/"+name, func(b *testing.B) {
			each(b, func() {
				if _, err := s.Marshal(); err != nil {
					b.Fatal(err)
				}
			})
			b.ReportMetric(float64(len(raw)), "bytes")
		})
		b.Run("parse/"+name, func(b *testing.B) {
			each(b, func() {
				if _, err := ratchet.Parse(raw); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func BenchmarkPayload(b *testing.B) {
	p := envelope.Payload{Type: envelope.TypeMessage, Number: 1, Ctr: 1, Sent: now, Body: make([]byte, messageSize), Acks: make([]envelope.Ack, 1)}
	raw, err := envelope.Encode(p)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		each(b, func() {
			if _, err := envelope.Encode(p); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("decode", func(b *testing.B) {
		each(b, func() {
			if _, err := envelope.Decode(raw); err != nil {
				b.Fatal(err)
			}
		})
	})
}
