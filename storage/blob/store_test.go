package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, [32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// sample is a sealed file's bytes and the hashes of its blocks.
func sample(n int) (file, hashes []byte) {
	file = make([]byte, n)
	_, _ = rand.Read(file)
	for i := 0; i < n; i += BlockSize {
		h := sha256.Sum256(file[i:min(n, i+BlockSize)])
		hashes = append(hashes, h[:]...)
	}
	return file, hashes
}

func block(file []byte, i int64) []byte {
	return file[i*BlockSize : min(int64(len(file)), (i+1)*BlockSize)]
}

func begin(t testing.TB, s *Store, id ID, file, hashes []byte) *Part {
	t.Helper()
	p, err := s.Begin(t.Context(), id, int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if !p.HasManifest() {
		if err := errors.Join(p.WriteHashes(hashes[:32], true), p.WriteHashes(hashes[32:], false), p.KeepHashes()); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func put(t testing.TB, p *Part, i int64, b []byte) {
	t.Helper()
	if _, err := p.Put(i, b); err != nil {
		t.Fatal(err)
	}
}

func TestADraftIsKept(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	d, err := s.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write([]byte("sealed")); err != nil {
		t.Fatal(err)
	}
	_, _ = d.Hashes().Write([]byte("hashes"))
	if _, err := s.OpenFile(ID{1}); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	if err := errors.Join(d.Keep(ID{1}), d.Drop()); err != nil {
		t.Fatal(err)
	}
	f, err := open(t, dir).OpenFile(ID{1})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, _ := io.ReadAll(f)
	hashes := make([]byte, 6)
	if _, err := f.Hashes().ReadAt(hashes, 0); err != nil || string(got) != "sealed" || string(hashes) != "hashes" || f.Size() != 6 {
		t.Errorf("%q, %q, %v", got, hashes, err)
	}
}

// What a process was writing when it ended goes; what it had kept stays.
func TestDraftsGoAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := s.New(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestNamesTellNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	file, hashes := sample(100)
	id := ID(sha256.Sum256([]byte("x")))
	p := begin(t, s, id, file, hashes)
	defer p.Close()
	names, _ := os.ReadDir(dir)
	for _, e := range names {
		base, _, _ := strings.Cut(e.Name(), ".")
		if len(base) != 64 || strings.Contains(base, "2d711642") {
			t.Errorf("name %s", e.Name())
		}
	}
	if other, _ := Open(dir, [32]byte{8}); other.name(id) == s.name(id) {
		t.Error("the name does not depend on the key")
	}
}

// A killed process is imitated by leaving the part open: its map and blocks are as
// they were written.
func TestAPartIsTakenUpAfterAKill(t *testing.T) {
	dir := t.TempDir()
	file, hashes := sample(5*BlockSize + 100)
	p := begin(t, open(t, dir), ID{1}, file, hashes)
	for _, i := range []int64{0, 2, 5} {
		put(t, p, i, block(file, i))
	}
	// A write that was lost, and one that nobody noted.
	damaged := open(t, dir)
	if _, err := p.file.WriteAt([]byte{^file[2*BlockSize]}, 2*BlockSize); err != nil {
		t.Fatal(err)
	}
	q := begin(t, damaged, ID{1}, file, hashes)
	defer q.Close()
	if n := damaged.Left(ID{1}); n != 2*BlockSize {
		t.Errorf("%d bytes are left", n)
	}
	if first, n := q.Next(0, 10); first != 1 || n != 4 {
		t.Errorf("missing from %d: %d", first, n)
	}
	if want := int64(BlockSize + 100); q.Got() != want {
		t.Errorf("%d bytes are here, want %d", q.Got(), want)
	}
	if err := q.Finish(); !errors.Is(err, ErrIncomplete) {
		t.Errorf("finish: %v", err)
	}
	for i := int64(1); i < 5; i++ {
		put(t, q, i, block(file, i))
	}
	if err := q.Finish(); err != nil {
		t.Fatal(err)
	}
	f, err := damaged.OpenFile(ID{1})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, _ := io.ReadAll(f); !bytes.Equal(got, file) {
		t.Error("another file")
	}
	if err := q.Finish(); err != nil {
		t.Errorf("finished twice: %v", err)
	}
}

func TestOnlyTheRightBlocksAreStored(t *testing.T) {
	dir := t.TempDir()
	file, hashes := sample(2*BlockSize + 1)
	s := open(t, dir)
	p, err := s.Begin(t.Context(), ID{1}, int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Put(0, block(file, 0)); !errors.Is(err, ErrNoManifest) {
		t.Errorf("no manifest: %v", err)
	}
	if err := errors.Join(p.WriteHashes(hashes[:64], true)); err != nil {
		t.Fatal(err)
	}
	if err := p.KeepHashes(); !errors.Is(err, ErrNoManifest) {
		t.Errorf("short manifest: %v", err)
	}
	if err := errors.Join(p.WriteHashes(hashes, true), p.KeepHashes()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		i int64
		b []byte
	}{
		"another's place": {1, block(file, 0)}, "short": {0, file[:10]}, "long last": {2, block(file, 0)},
		"beyond": {3, nil}, "negative": {-1, block(file, 0)}, "flipped": {0, append([]byte{file[0] ^ 1}, file[1:BlockSize]...)},
	} {
		if _, err := p.Put(c.i, c.b); !errors.Is(err, ErrWrongBlock) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if fi, _ := os.Stat(filepath.Join(dir, p.name+partSuffix)); fi.Size() != 0 || p.Got() != 0 {
		t.Errorf("%d bytes were stored", fi.Size())
	}
	put(t, p, 2, block(file, 2))
	if known, err := p.Put(2, block(file, 2)); !known || err != nil {
		t.Errorf("again: %v, %v", known, err)
	}
}

func TestPartsAreShared(t *testing.T) {
	s := open(t, t.TempDir())
	file, hashes := sample(100)
	p := begin(t, s, ID{1}, file, hashes)
	q, err := s.Begin(context.Background(), ID{1}, 100)
	if err != nil || p != q {
		t.Fatalf("another part: %v", err)
	}
	if err := errors.Join(p.Close(), s.Remove(ID{1})); err != nil {
		t.Fatal(err)
	}
	put(t, q, 0, file)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Usage(); n != 0 {
		t.Errorf("%d bytes stay", n)
	}
}

func TestSweepAndQuarantine(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for _, b := range []byte{1, 2, 3} {
		d, err := s.New()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = d.Write(make([]byte, 100))
		if err := d.Keep(ID{b}); err != nil {
			t.Fatal(err)
		}
	}
	file, hashes := sample(BlockSize)
	p := begin(t, s, ID{4}, file, hashes)
	if freed, err := s.Sweep([]ID{{1}}, time.Now().Add(-time.Hour)); freed != 0 || err != nil {
		t.Errorf("within the grace period: %d, %v", freed, err)
	}
	if err := s.Quarantine(ID{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenFile(ID{1}); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("a quarantined file opens: %v", err)
	}
	if freed, err := s.Sweep([]ID{{2}}, time.Now().Add(time.Hour)); freed != 200 || err != nil {
		t.Errorf("swept: %d, %v", freed, err)
	}
	if f, err := s.OpenFile(ID{2}); err != nil {
		t.Error(err)
	} else {
		_ = f.Close()
	}
	put(t, p, 0, file)
	if err := errors.Join(p.Finish(), p.Close()); err != nil {
		t.Error(err)
	}
}
