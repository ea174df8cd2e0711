package mailbox

import (
	"bytes"
	"errors"
	"testing"
)

func TestBlocks(t *testing.T) {
	for _, n := range []int{1, 100, MaxBlock} {
		b := Block{File: [32]byte{1, 31: 2}, Index: Manifest, Data: bytes.Repeat([]byte{7}, n)}
		raw, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseBlock(raw)
		if err != nil || got.File != b.File || got.Index != b.Index || !bytes.Equal(got.Data, b.Data) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if blob := seal(t, KindBlock, raw); len(blob) > MaxBlob {
			t.Errorf("%d bytes: a blob of %d", n, len(blob))
		}
	}
	for _, n := range []int{0, MaxBlock + 1} {
		if _, err := (Block{Data: make([]byte, n)}).Encode(); !errors.Is(err, ErrTooLarge) {
			t.Errorf("encode %d bytes: %v", n, err)
		}
		if _, err := ParseBlock(make([]byte, 36+n)); !errors.Is(err, ErrMalformed) {
			t.Errorf("parse %d bytes: %v", n, err)
		}
	}
	if _, err := ParseBlock(nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("nothing: %v", err)
	}
}
