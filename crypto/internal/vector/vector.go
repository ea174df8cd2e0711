// Package vector reads and writes the test vectors in crypto/testdata. Only tests
// import it.
//
// The vectors are the protocol's bytes for other implementations to check
// themselves against. A test recomputes them and compares; with -update it writes
// them, which is right only before a version of the protocol is out.
package vector

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write crypto/testdata instead of comparing with it")

// Updating reports whether the vectors are being written.
func Updating() bool { return *update }

// Hex is bytes that JSON shows as hexadecimal text.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("vector: %w", err)
	}
	return nil
}

// Refused is bytes a reader must refuse, and the name of the error.
type Refused struct {
	Name  string `json:"name"`
	Input Hex    `json:"input"`
	Error string `json:"error"`
}

func path(name string) string { return filepath.Join("..", "testdata", name+".json") }

// Load reads a file of vectors into v; unknown fields are an error.
func Load(t testing.TB, name string, v any) {
	t.Helper()
	raw, err := os.ReadFile(path(name))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatal(err)
	}
}

// Save writes v as a file of vectors.
func Save(t testing.TB, name string, v any) {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path(name), append(raw, '\n'), 0o644); err != nil { //nolint:gosec // a public file
		t.Fatal(err)
	}
}

// Compare writes computed as the named file when updating; otherwise it fails
// unless the file says the same, byte for byte.
func Compare(t testing.TB, name string, computed any) {
	t.Helper()
	if *update {
		Save(t, name, computed)
	}
	want, err := os.ReadFile(path(name))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(computed, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if line, w, g, ok := firstDifference(want, append(got, '\n')); !ok {
		t.Fatalf("%s, line %d: the file has\n%s\nthe code computes\n%s", path(name), line, w, g)
	}
}

func firstDifference(want, got []byte) (line int, w, g []byte, same bool) {
	ws, gs := bytes.Split(want, []byte("\n")), bytes.Split(got, []byte("\n"))
	for i := range max(len(ws), len(gs)) {
		if i >= len(ws) || i >= len(gs) || !bytes.Equal(ws[i], gs[i]) {
			return i + 1, at(ws, i), at(gs, i), false
		}
	}
	return 0, nil, nil, true
}

func at(lines [][]byte, i int) []byte {
	if i < len(lines) {
		return lines[i]
	}
	return []byte("(nothing)")
}

// Reader is a stream of reproducible "random" bytes: SHA-256 of
// "kuvert/v1 vectors " + name + the block's number as one byte, block after block.
func Reader(name string) io.Reader { return &stream{name: name} }

type stream struct {
	name string
	n    byte
	rest []byte
}

// Read implements io.Reader; it ends after 256 blocks.
func (s *stream) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		if s.n == 255 {
			return 0, io.EOF
		}
		sum := sha256.Sum256(append([]byte("kuvert/v1 vectors "+s.name), s.n))
		s.rest, s.n = sum[:], s.n+1
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
