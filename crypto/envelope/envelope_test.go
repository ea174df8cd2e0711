package envelope

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/crypto/internal/padding"
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
			if len(blob) < MinSize || len(blob) > MaxSize || padding.Padme(len(blob)) != len(blob) {
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

// Every payload under every header gets the smallest Padmé size age can make.
func TestPadEverySize(t *testing.T) {
	worst, empty := 0.0, make([]byte, MaxPayload)
	for _, head := range []int{200, 257, 1705, 3421, MaxHeader/2 + 16} {
		for n := 0; n <= MaxPayload; n += 1 + n/5000*7 {
			plain := len(pad(empty[:n], head))
			total := head + sealedSize(plain)
			if total < MinSize || total > MaxSize || padding.Padme(total) != total {
				t.Fatalf("header %d, payload %d: envelope of %d bytes", head, n, total)
			}
			least := max(MinSize, head+sealedSize(padding.LengthSize+n))
			if total != padding.Padme(least) && total != padding.Padme(padding.Padme(least)+1) {
				t.Fatalf("header %d, payload %d: envelope of %d bytes, not the smallest", head, n, total)
			}
			if least > MinSize && total == padding.Padme(least) {
				worst = max(worst, float64(total-least)/float64(least))
			}
		}
	}
	if worst > 0.0626 {
		t.Errorf("padding adds %.1f %%", 100*worst)
	}
}

// Sizes age cannot make, because its last chunk would be empty, are passed over.
func TestPadUnreachable(t *testing.T) {
	passed := 0
	for left := 65536; left < 65536+64; left++ {
		n, ok := plainSize(left)
		if ok != (left <= 65552 || left > 65568) || ok && sealedSize(n) != left {
			t.Fatalf("%d bytes: %d, %v", left, n, ok)
		}
	}
	for head := 1; head < 4096; head++ {
		for _, total := range []int{65536, 67584, 69632} {
			if _, ok := plainSize(total - head); ok || total < head {
				continue
			}
			passed++
			n := total - head - 65552 // an unreachable size asked for exactly
			if got := head + sealedSize(len(pad(make([]byte, 65536-padding.LengthSize), head))); got <= total || padding.Padme(got) != got {
				t.Fatalf("head %d: %d bytes where %d (%d over) cannot be", head, got, total, n)
			}
		}
	}
	if passed == 0 {
		t.Fatal("no header makes a size unreachable: the test shows nothing")
	}
}

func TestPadme(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, 512: 512, 513: 544, 544: 544, 545: 576, 1024: 1024, 1025: 1088, 65536: 65536, 65537: 67584, MaxSize: MaxSize, MaxSize + 1: 128 << 10} {
		if got := padding.Padme(n); got != want {
			t.Errorf("padme(%d) = %d, want %d", n, got, want)
		}
	}
	if MaxSize+9 > 128<<10 || MaxSize+2048+9 <= 128<<10 {
		t.Error("MaxSize is not the largest size that fits a deliver frame")
	}
}

func TestInnerHash(t *testing.T) {
	if InnerHash([]byte("a")) == InnerHash([]byte("b")) || InnerHash(nil) == [32]byte{} {
		t.Fatal("does not name the envelope")
	}
}
