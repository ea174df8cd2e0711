package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// inflated is how much of a packed part of a file is looked at, in bytes.
const inflated = 4 << 20

// trace is a planted string that was found where it must not be.
type trace struct {
	what, as, where string
}

func (f trace) String() string { return fmt.Sprintf("%s, as %s, in %s", f.what, f.as, f.where) }

// needle is one way in which a planted string may lie somewhere.
type needle struct {
	what, as string
	bytes    []byte
}

// haystack looks for many needles at once: each is filed under its first four bytes,
// and a map of the first two keeps all other places cheap.
type haystack struct {
	first   [1 << 16]bool
	needles map[uint32][]needle
	unpack  bool // look into packed parts, too
}

func newHaystack() *haystack { return &haystack{needles: map[uint32][]needle{}, unpack: true} }

// add has the search look for bytes as they are, in hexadecimal and in base64.
func (h *haystack) add(what string, b []byte) {
	h.addAs(what, "bytes", b)
	h.addAs(what, "hex", []byte(hex.EncodeToString(b)))
	h.addAs(what, "HEX", []byte(strings.ToUpper(hex.EncodeToString(b))))
	for skip := range 3 {
		whole := base64.StdEncoding.EncodeToString(append(make([]byte, skip), b...))
		// What depends on the neighbours is left out at both ends.
		from, to := (skip*8+5)/6, (skip+len(b))*8/6
		h.addAs(what, "base64", []byte(whole[from:to]))
		h.addAs(what, "base64url", []byte(strings.NewReplacer("+", "-", "/", "_").Replace(whole[from:to])))
	}
}

// addText has the search look for a text in every shape.
func (h *haystack) addText(what, text string) {
	h.add(what, []byte(text))
	h.addAs(what, "capitals", []byte(strings.ToUpper(text)))
	var le, be []byte
	for _, u := range utf16.Encode([]rune(text)) {
		le, be = binary.LittleEndian.AppendUint16(le, u), binary.BigEndian.AppendUint16(be, u)
	}
	h.addAs(what, "UTF-16LE", le)
	h.addAs(what, "UTF-16BE", be)
	b32 := base32.StdEncoding.WithPadding(base32.NoPadding)
	h.addAs(what, "base32", []byte(b32.EncodeToString([]byte(text))[:len(text)*8/5]))
}

func (h *haystack) addAs(what, as string, b []byte) {
	key := binary.BigEndian.Uint32(b)
	if slices.ContainsFunc(h.needles[key], func(n needle) bool { return bytes.Equal(n.bytes, b) }) {
		return
	}
	h.first[key>>16] = true
	h.needles[key] = append(h.needles[key], needle{what, as, b})
}

// look returns what is in b.
func (h *haystack) look(where string, b []byte) (found []trace) {
	for i := 0; i+4 <= len(b); i++ {
		if !h.first[uint16(b[i])<<8|uint16(b[i+1])] {
			continue
		}
		for _, n := range h.needles[binary.BigEndian.Uint32(b[i:])] {
			if bytes.HasPrefix(b[i:], n.bytes) {
				found = append(found, trace{n.what, n.as, fmt.Sprintf("%s at %d", where, i)})
			}
		}
	}
	if h.unpack {
		found = append(found, h.lookInside(where, b)...)
	}
	return found
}

// packers begin what is packed, and unpack it.
var packers = []struct {
	name, magic string
	open        func([]byte) (io.Reader, error)
}{
	{"gzip", "\x1f\x8b\x08", func(b []byte) (io.Reader, error) { return gzip.NewReader(bytes.NewReader(b)) }},
	{"zlib", "\x78\x01", openZlib},
	{"zlib", "\x78\x5e", openZlib},
	{"zlib", "\x78\x9c", openZlib},
	{"zlib", "\x78\xda", openZlib},
	{"zip", "PK\x03\x04", openZip},
}

func openZlib(b []byte) (io.Reader, error) { return zlib.NewReader(bytes.NewReader(b)) }

// openZip unpacks one member by its own header: the archive may be torn.
func openZip(b []byte) (io.Reader, error) {
	if len(b) < 30 {
		return nil, zip.ErrFormat
	}
	begin := 30 + int(binary.LittleEndian.Uint16(b[26:])) + int(binary.LittleEndian.Uint16(b[28:]))
	if len(b) < begin || binary.LittleEndian.Uint16(b[8:]) != zip.Deflate {
		return nil, zip.ErrFormat
	}
	return flate.NewReader(bytes.NewReader(b[begin:])), nil
}

// lookInside looks into everything in b that can be unpacked, as far as it can.
func (h *haystack) lookInside(where string, b []byte) (found []trace) {
	plain := *h
	plain.unpack = false
	for _, p := range packers {
		for at := 0; ; at++ {
			i := bytes.Index(b[at:], []byte(p.magic))
			if i < 0 {
				break
			}
			at += i
			r, err := p.open(b[at:])
			if err != nil {
				continue
			}
			content, _ := io.ReadAll(io.LimitReader(r, inflated)) // until it tears
			found = append(found, plain.look(fmt.Sprintf("%s, %s at %d", where, p.name, at), content)...)
		}
	}
	return found
}

// tree looks at every name and every file below a folder, and at where links point.
func (h *haystack) tree(t *testing.T, root string) (found []trace, files int, size int64) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		found = append(found, h.look("the name "+name, []byte(d.Name()))...)
		switch {
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			found = append(found, h.look("the target of "+name, []byte(target))...)
			return err
		case !d.Type().IsRegular():
			return nil
		}
		b, err := os.ReadFile(path)
		files, size = files+1, size+int64(len(b))
		found = append(found, h.look(name, b)...)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return found, files, size
}

// process looks at what the system shows of a process: its command line, its
// environment and the files that it has open, those without a name among them.
func (h *haystack) process(pid int) (found []trace) {
	for _, name := range []string{"cmdline", "environ"} {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		found = append(found, h.look(fmt.Sprintf("%s of process %d", name, pid), b)...)
	}
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range open {
		if info, err := os.Stat(fd); err != nil || !info.Mode().IsRegular() {
			continue
		}
		b, _ := os.ReadFile(fd)
		found = append(found, h.look(fd, b)...)
	}
	return found
}

// TestTheSearchFinds: a search that finds nothing says nothing unless it would.
func TestTheSearchFinds(t *testing.T) {
	const word = "zwetschgenkuchen"
	h := newHaystack()
	h.addText("word", word)
	packed := func(f func(io.Writer) io.WriteCloser) []byte {
		var b bytes.Buffer
		b.WriteString("before ")
		w := f(&b)
		_, _ = io.WriteString(w, "some text with "+word+" in it")
		_ = w.Close()
		return append(b.Bytes(), " after"...)
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	member, _ := z.Create("a.txt")
	_, _ = io.WriteString(member, "in an archive: "+word)
	_ = z.Close()
	var wide []byte
	for _, u := range utf16.Encode([]rune("ein " + word)) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	places := map[string][]byte{
		"plain": []byte("ein " + word + "\n"), "capitals": []byte(strings.ToUpper(word)), "utf16": wide,
		"hex": []byte(hex.EncodeToString([]byte("x" + word))), "archive.zip": archive.Bytes(),
		"a.gz":   packed(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }),
		"a.zlib": packed(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }),
	}
	for i := range 3 {
		places[fmt.Sprint("base64-", i)] = []byte(base64.StdEncoding.EncodeToString([]byte("abc"[:i] + word + "xyz")))
		places[fmt.Sprint("base64url-", i)] = []byte(base64.RawURLEncoding.EncodeToString([]byte("abc"[:i] + word)))
	}
	dir := t.TempDir()
	for name, b := range places {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder "+word), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nowhere/"+word, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	found, _, _ := h.tree(t, dir)
	for name := range places {
		if !slices.ContainsFunc(found, func(f trace) bool {
			return strings.HasPrefix(f.where, name+" ") || strings.HasPrefix(f.where, name+",")
		}) {
			t.Errorf("not found in %s", name)
		}
	}
	for _, what := range []string{"the name folder", "the target of link"} {
		if !slices.ContainsFunc(found, func(f trace) bool { return strings.HasPrefix(f.where, what) }) {
			t.Errorf("not found as %s", what)
		}
	}
	if got := h.look("nothing", []byte("zwetschgen kuchen, and ZWETSCHGE")); len(got) != 0 {
		t.Errorf("found what is not there: %v", got)
	}
}
