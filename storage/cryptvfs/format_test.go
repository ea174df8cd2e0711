package cryptvfs

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// goldenKey opens testdata/v1.db and its WAL: a table greeting with the rows
// "Grüße aus der Datenbank" and, in the WAL alone, "Grüße aus dem WAL".
var goldenKey = Key{31: 0x42}

// TestGoldenFilesOpen opens what the first version of the format wrote. If this
// fails, profiles that exist cannot be opened any more.
func TestGoldenFilesOpen(t *testing.T) {
	path := newPath(t)
	for _, suffix := range []string{"", walSuffix} {
		if err := os.WriteFile(path+suffix, readFile(t, "testdata/v1.db"+suffix), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := Open(path, &goldenKey)
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, db, 1)
	wantOne(t, c, "Grüße aus der Datenbank|Grüße aus dem WAL", "SELECT group_concat(text, '|') FROM greeting")
	wantOne(t, c, "ok", "PRAGMA integrity_check")
	closeAll(t, c, db)
}

// TestFormatIsAsDocumented reads the golden files with nothing but what
// docs/storage-format.md says, and gets SQLite's own pages.
func TestFormatIsAsDocumented(t *testing.T) {
	main, wal := readFile(t, "testdata/v1.db"), readFile(t, "testdata/v1.db-wal")
	secret := func(label string) []byte {
		k, err := hkdf.Key(sha256.New, goldenKey[:], nil, label, 32)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	unseal := func(key, nonce, sealed []byte, kind byte, n uint64) []byte {
		t.Helper()
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			t.Fatal(err)
		}
		p, err := aead.Open(nil, nonce, sealed, binary.BigEndian.AppendUint64([]byte{kind}, n))
		if err != nil {
			t.Fatalf("%c %d: %v", kind, n, err)
		}
		return p
	}

	sum := sha256.Sum256(main[:4064])
	if string(main[:16]) != "Kuvert database\n" || !bytes.Equal(main[16:24], []byte{0, 0, 0, 1, 0, 0, 16, 0}) ||
		!bytes.Equal(main[32:64], secret("kuvert/database/v1/check")) || !bytes.Equal(main[4064:4096], sum[:]) ||
		!allZero(main[24:32]) || !allZero(main[64:4064]) {
		t.Error("head")
	}
	if len(main)%4096 != 0 || len(main) < 3*4096 {
		t.Fatal(len(main))
	}
	var pages []byte
	for n := 1; n < len(main)/4096; n++ {
		b := main[n*4096:][:4096]
		p := unseal(secret("kuvert/database/v1/page"), b[4072:4096], b[:4072], 'D', uint64(n))
		pages = append(pages, append(p, make([]byte, 40)...)...)
	}
	if !bytes.HasPrefix(pages, []byte("SQLite format 3\x00")) || pages[20] != 40 || !bytes.Contains(pages, []byte("Grüße aus der Datenbank")) {
		t.Error("pages")
	}

	key := secret("kuvert/database/v1/wal")
	record := func(at, length int, kind byte, n uint64) []byte {
		return unseal(key, wal[at:at+24], wal[at+24:at+24+length+16], kind, n)
	}
	head, mark := record(0, 32, 'H', 0), record(72, 16, 'M', 0)
	if binary.BigEndian.Uint32(head)&^1 != 0x377f0682 || !bytes.Equal(mark[:8], head[16:24]) {
		t.Error("WAL's head", head, mark)
	}
	frames := (len(wal) - 128) / 4200
	if frames == 0 || binary.BigEndian.Uint64(mark[8:]) != uint64(frames) {
		t.Error("mark", mark, frames)
	}
	found := false
	for n := 1; n <= frames; n++ {
		at := 128 + (n-1)*4200
		if h := record(at, 24, 'F', uint64(n)); !bytes.Equal(h[8:16], head[16:24]) {
			t.Error("frame", n, h)
		}
		found = found || bytes.Contains(record(at+64, 4096, 'P', uint64(n)), []byte("Grüße aus dem WAL"))
	}
	if !found {
		t.Error("row in the WAL was not found")
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	path := newPath(t)
	if err := openTest(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	b := readFile(t, path)
	b[headVersion+3]++
	sum := sha256.Sum256(b[:headSum])
	copy(b[headSum:], sum[:])
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path, &testKey)
	if !errors.Is(err, ErrNewerFormat) || !bytes.Equal(b, readFile(t, path)) {
		t.Error(err)
	}
}

func TestRecordsLieWhereTheyShould(t *testing.T) {
	end := int64(0)
	for off := int64(0); off < walHeadLen+5*frameLen; {
		r := recordAt(off)
		at := r.at
		if r.frame == 1 && r.kind == kindFrameHead {
			at -= sealedMark
		}
		if r.start != off || at != end {
			t.Fatal(off, r, end)
		}
		if last := recordAt(off + int64(r.length) - 1); last != r {
			t.Error(off, last)
		}
		off, end = off+int64(r.length), r.at+int64(r.length)+overhead
	}
}

// tested are the versions with which all tests here were run. The package uses
// SQLite's transpiled inside, whose names and layout follow no promise.
var tested = map[string]string{
	"modernc.org/sqlite": "v1.62.0",
	"modernc.org/libc":   "v1.80.1",
}

// TestVersionsAreTheTestedOnes: whoever raises one of them raises both, as
// modernc.org/sqlite itself asks for them, and runs make crash first.
func TestVersionsAreTheTestedOnes(t *testing.T) {
	for path, version := range tested {
		if got := moduleInfo(t, path).Version; got != version {
			t.Errorf("%s is %s, tested was %s: run make crash and go test -race here, then change this test", path, got, version)
		}
	}
	mod, err := os.ReadFile(moduleInfo(t, "modernc.org/sqlite").GoMod)
	if err != nil {
		t.Fatal(err)
	}
	if want := "modernc.org/libc " + tested["modernc.org/libc"]; !strings.Contains(string(mod), want) {
		t.Errorf("modernc.org/sqlite does not ask for %s", want)
	}
}

type module struct{ Version, GoMod string }

func moduleInfo(t *testing.T, path string) (m module) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "-json", path)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}
