package envelope

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"filippo.io/age"
)

func hybrid(t testing.TB) *age.HybridIdentity {
	t.Helper()
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestSealOpenSizes(t *testing.T) {
	id := hybrid(t)
	for _, n := range []int{0, 1, 100, 500, 1000, 65300, 65400, 65500, 65531, 65532, 65533, 66000, MaxPayload} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			payload := random(n)
			blob, err := Seal(id.Recipient(), payload)
			if err != nil {
				t.Fatal(err)
			}
			if len(blob) < MinSize || len(blob) > MaxSize || padme(len(blob)) != len(blob) {
				t.Fatalf("%d bytes is no size of an envelope", len(blob))
			}
			got, err := OpenAs(StanzaHybrid, id, blob)
			if err != nil || !bytes.Equal(got, payload) {
				t.Fatalf("opened %d bytes: %v", len(got), err)
			}
			if _, err := Open(id, blob); !errors.Is(err, ErrMalformed) {
				t.Fatalf("opened as a ratchet envelope: %v", err)
			}
		})
	}
	if _, err := Seal(id.Recipient(), random(MaxPayload+1)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("too large a payload: %v", err)
	}
}
