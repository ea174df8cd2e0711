package cryptvfs

import (
	"bytes"
	"errors"
	"testing"
)

// TestPiecesShowEverything finds what is in the pages and in the WAL, beside damage.
func TestPiecesShowEverything(t *testing.T) {
	s := makeSample(t)
	path := newPath(t)
	clear(s.main[:headSize])
	s.main[pageOffset(3)] ^= 1
	s.wal[frameOffset(2)+sealedFrameHd] ^= 1
	s.place(t, path)
	damaged := map[bool][]int64{}
	found := map[bool]bool{}
	err := Pieces(path, &testKey, func(p Piece) error {
		if p.Content == nil {
			damaged[p.WAL] = append(damaged[p.WAL], p.Number)
		}
		found[p.WAL] = found[p.WAL] || bytes.Contains(p.Content, []byte(map[bool]string{false: "nummer17 ", true: "spät 18"}[p.WAL]))
		return nil
	})
	if err != nil || !found[false] || !found[true] {
		t.Error(found, err)
	}
	if d, w := damaged[false], damaged[true]; len(d) != 1 || d[0] != 3 || len(w) != 1 || w[0] != 2 {
		t.Error(damaged)
	}
	stop := errors.New("stop")
	n := 0
	if err := Pieces(path, &otherKey, func(p Piece) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Error(n, err)
	}
	if err := Pieces(path+"none", &testKey, func(Piece) error { return stop }); err != nil {
		t.Error(err)
	}
}
