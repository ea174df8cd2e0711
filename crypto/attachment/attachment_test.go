package attachment

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/crypto/internal/vector"
)

func sealed(t testing.TB, content []byte) (f File, file, hashes []byte) {
	t.Helper()
	var out, man bytes.Buffer
	f, err := Seal(&out, &man, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return f, out.Bytes(), man.Bytes()
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// sizes are those at which blocks, chunks and padding change.
var sizes = []int{0, 1, 511, 512, 513, chunk - 1, chunk, chunk + 1, 3*chunk - 1700, 3 * chunk, 1 << 20, 1<<20 + 1}

// Stock age opens what Seal made: the content, and nothing but zeros behind it.
func TestStockAgeOpens(t *testing.T) {
	for _, n := range sizes {
		content := random(n)
		f, file, _ := sealed(t, content)
		id, err := age.ParseHybridIdentity(f.Identity)
		if err != nil {
			t.Fatal(err)
		}
		r, err := age.Decrypt(bytes.NewReader(file), id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || int64(len(got)) != padded(int64(n)) || !bytes.Equal(got[:n], content) || len(bytes.Trim(got[n:], "\x00")) != 0 {
			t.Errorf("%d bytes: stock age gives %d, %v", n, len(got), err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, n := range sizes {
		content := random(n)
		f, file, hashes := sealed(t, content)
		if err := f.Check(); err != nil {
			t.Fatal(err)
		}
		if f.Size != int64(n) || f.Sealed != int64(len(file)) || f.Hash != sha256.Sum256(content) {
			t.Errorf("%d bytes: %d, %d sealed", n, f.Size, f.Sealed)
		}
		var got bytes.Buffer
		if err := f.Copy(&got, bytes.NewReader(file)); err != nil || !bytes.Equal(got.Bytes(), content) {
			t.Errorf("%d bytes: copy: %v", n, err)
		}
		r, err := f.Open(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if all, err := io.ReadAll(r); err != nil || !bytes.Equal(all, content) {
			t.Errorf("%d bytes: open: %v", n, err)
		}
		if n > 2 {
			mid := make([]byte, n/2)
			if _, err := r.ReadAt(mid, int64(n/3)); err != nil || !bytes.Equal(mid, content[n/3:n/3+n/2]) {
				t.Errorf("%d bytes: seeking: %v", n, err)
			}
		}
		checkManifest(t, f, file, hashes)
	}
}

func checkManifest(t *testing.T, f File, file, hashes []byte) {
	t.Helper()
	if int64(len(hashes)) != HashSize*Blocks(f.Sealed) {
		t.Fatalf("%d bytes of hashes for %d blocks", len(hashes), Blocks(f.Sealed))
	}
	for i := range Blocks(f.Sealed) {
		b := file[i*BlockSize:][:BlockLen(f.Sealed, i)]
		if HashBlock(b) != [32]byte(hashes[i*HashSize:][:HashSize]) {
			t.Errorf("block %d has another hash", i)
		}
	}
	m := NewManifest()
	m.Write(hashes)
	if m.Finish(f.Sealed) != f.Manifest {
		t.Error("the manifest's hash does not fit")
	}
	if BlockLen(f.Sealed, Blocks(f.Sealed)) != 0 {
		t.Error("a block beyond the end")
	}
}

// Neither two files nor two sealings of one have anything in common.
func TestEverySealingIsAnother(t *testing.T) {
	content := random(1000)
	a, fa, _ := sealed(t, content)
	b, fb, _ := sealed(t, content)
	if a.Identity == b.Identity || a.ID() == b.ID() || a.Manifest == b.Manifest || bytes.Equal(fa[len(fa)-500:], fb[len(fb)-500:]) {
		t.Error("two sealings of one file can be linked")
	}
	if err := a.Copy(io.Discard, bytes.NewReader(fb)); !errors.Is(err, ErrCannotOpen) {
		t.Errorf("another file's identity: %v", err)
	}
}

func TestSizeShowsABucketOnly(t *testing.T) {
	_, a, _ := sealed(t, make([]byte, 100_400))
	_, b, _ := sealed(t, make([]byte, 102_300))
	if len(a) != len(b) {
		t.Errorf("sizes %d and %d", len(a), len(b))
	}
}

// A flipped bit anywhere is found, and what was announced is compared.
func TestRefuses(t *testing.T) {
	content := random(3 * chunk)
	f, file, _ := sealed(t, content)
	for _, at := range []int{0, 30, 1000, maxHeader, len(file) / 2, len(file) - 1} {
		bad := bytes.Clone(file)
		bad[at] ^= 1
		if err := f.Copy(io.Discard, bytes.NewReader(bad)); !errors.Is(err, ErrCannotOpen) && !errors.Is(err, ErrMalformed) {
			t.Errorf("flipped byte %d: %v", at, err)
		}
	}
	for name, c := range map[string]struct {
		change func(*File)
		want   error
	}{
		"hash":            {func(f *File) { f.Hash[3] ^= 1 }, ErrWrongHash},
		"shorter content": {func(f *File) { f.Size-- }, ErrMalformed},
		"longer content":  {func(f *File) { f.Size = padded(f.Size) + 1 }, ErrMalformed},
		"cut":             {func(f *File) { f.Sealed -= 10_000 }, ErrMalformed},
		"negative":        {func(f *File) { f.Size = -1 }, ErrMalformed},
		"over the limit":  {func(f *File) { f.Size = MaxSize + 1 }, ErrMalformed},
		"no identity":     {func(f *File) { f.Identity = "" }, ErrMalformed},
		"classic identity": {func(f *File) {
			id, _ := age.GenerateX25519Identity()
			f.Identity = id.String()
		}, ErrMalformed},
	} {
		bad := f
		c.change(&bad)
		if err := bad.Copy(io.Discard, bytes.NewReader(file)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := f.Copy(failing{}, bytes.NewReader(file)); err == nil || errors.Is(err, ErrCannotOpen) {
		t.Errorf("a full disk: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// What hides behind the content is not taken, even under the right keys.
func TestPaddingIsZeros(t *testing.T) {
	id, _ := age.GenerateHybridIdentity()
	var file, hashes bytes.Buffer
	f, err := seal(&file, &hashes, bytes.NewReader(append(random(600), 7)), id)
	if err != nil {
		t.Fatal(err)
	}
	f.Size = 600 // the 7 is padding now
	if padded(600) != padded(601) {
		t.Fatal("the test needs one bucket")
	}
	if err := f.Copy(io.Discard, bytes.NewReader(file.Bytes())); !errors.Is(err, ErrMalformed) {
		t.Errorf("%v", err)
	}
}

// Other kinds of age files under the file's identity are refused.
func TestOneStanza(t *testing.T) {
	id, _ := age.GenerateHybridIdentity()
	other, _ := age.GenerateHybridIdentity()
	f := File{Identity: id.String(), Size: 512}
	var two bytes.Buffer
	w, err := age.Encrypt(&two, other.Recipient(), id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(make([]byte, 512))
	_ = w.Close()
	f.Sealed = int64(two.Len())
	if err := f.Copy(io.Discard, bytes.NewReader(two.Bytes())); !errors.Is(err, ErrCannotOpen) {
		t.Errorf("two stanzas: %v", err)
	}
}

func TestNothingIsPrinted(t *testing.T) {
	f, _, _ := sealed(t, nil)
	if strings.Contains(f.String()+f.GoString()+f.LogValue().String(), "AGE") {
		t.Error("the identity is printed")
	}
}

type vectors struct {
	Comment  string     `json:"comment"`
	Identity string     `json:"age_identity"`
	Content  vector.Hex `json:"content"`
	File     vector.Hex `json:"sealed_file"`
	Hashes   vector.Hex `json:"block_hashes"`
	Hash     vector.Hex `json:"content_sha256"`
	Manifest vector.Hex `json:"manifest"`
	ID       vector.Hex `json:"file_id"`
}

// TestVectors opens and recomputes crypto/testdata/attachment.json. Sealing draws
// its own randomness, so that with -update another file is written.
func TestVectors(t *testing.T) {
	if vector.Updating() {
		content, _ := io.ReadAll(io.LimitReader(vector.Reader("attachment"), 700))
		f, file, hashes := sealed(t, content)
		id := f.ID()
		vector.Save(t, "attachment", vectors{
			"the file is opened and compared; sealing again makes another one",
			f.Identity, content, file, hashes, f.Hash[:], f.Manifest[:], id[:],
		})
	}
	var v vectors
	vector.Load(t, "attachment", &v)
	f := File{Identity: v.Identity, Sealed: int64(len(v.File)), Size: int64(len(v.Content)), Hash: [32]byte(v.Hash), Manifest: [32]byte(v.Manifest)}
	var got bytes.Buffer
	if err := f.Copy(&got, bytes.NewReader(v.File)); err != nil || !bytes.Equal(got.Bytes(), v.Content) {
		t.Errorf("opened: %v", err)
	}
	checkManifest(t, f, v.File, v.Hashes)
	if f.ID() != [32]byte(v.ID) {
		t.Error("another file id")
	}
}

func BenchmarkSeal(b *testing.B) {
	content := random(64 << 20)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := Seal(io.Discard, io.Discard, bytes.NewReader(content)); err != nil {
			b.Fatal(err)
		}
	}
}
