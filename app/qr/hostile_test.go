package qr

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/kuvert-im/kuvert/app/chat"
)

// headerPNG is a PNG that claims its dimensions and holds no pixels.
func headerPNG(w, h uint32, depth, kind byte) []byte {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	chunk := func(name string, data []byte) {
		_ = binary.Write(&b, binary.BigEndian, uint32(len(data)))
		body := append([]byte(name), data...)
		b.Write(body)
		_ = binary.Write(&b, binary.BigEndian, crc32.ChecksumIEEE(body))
	}
	head := binary.BigEndian.AppendUint32(nil, w)
	head = binary.BigEndian.AppendUint32(head, h)
	chunk("IHDR", append(head, depth, kind, 0, 0, 0))
	chunk("IDAT", []byte{0x78, 0x9c})
	return b.Bytes()
}

// TestHugeDimensions: a file of 60 bytes that claims 2.5 billion pixels is
// refused before anything is allocated for them.
func TestHugeDimensions(t *testing.T) {
	for name, data := range map[string][]byte{
		"50,000 by 50,000":     headerPNG(50_000, 50_000, 8, 2),
		"product wraps 32 bit": headerPNG(65_536, 65_537, 8, 0),
		"the largest":          headerPNG(1<<31-1, 1<<31-1, 8, 6),
		"one row":              headerPNG(1_000_000, 1, 8, 0),
		"one column":           headerPNG(1, 1_000_000, 1, 0),
		"8000 by 8000, 16 bit": headerPNG(8_000, 8_000, 16, 6),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Decode(t.Context(), data)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrNoPicture) {
				t.Errorf("got %v", err)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
				t.Errorf("allocated %d bytes for a header", grown)
			}
		})
	}
	if _, err := Decode(t.Context(), headerPNG(50_000, 50_000, 8, 2)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("50,000 by 50,000 must be called too large: %v", err)
	}
}

func TestFileTooLarge(t *testing.T) {
	if _, err := Decode(t.Context(), make([]byte, MaxFile+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, make([]byte, 101), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path, 100); !errors.Is(err, ErrTooLarge) {
		t.Errorf("ReadFile: %v", err)
	}
	if b, err := ReadFile(path, 101); err != nil || len(b) != 101 {
		t.Errorf("ReadFile at its limit: %d bytes, %v", len(b), err)
	}
	if _, err := ReadFile(t.TempDir(), 100); !errors.Is(err, ErrNoPicture) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := ReadFile(path+"no", 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestGoPictures runs through the pictures that Go's own decoders are tested
// with, the broken ones among them: an error or no code, never a panic.
func TestGoPictures(t *testing.T) {
	root := filepath.Join(runtime.GOROOT(), "src", "image") //nolint:staticcheck // its own test data is asked for, wherever it lies
	n := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "testdata") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		_, err = Decode(t.Context(), data)
		// Go draws an index beyond the palette as black.
		broken := strings.HasPrefix(d.Name(), "invalid-") && d.Name() != "invalid-palette.png"
		if broken && !errors.Is(err, ErrNoPicture) {
			t.Errorf("%s: got %v, want ErrNoPicture", d.Name(), err)
		}
		if !errors.Is(err, ErrNoPicture) && !errors.Is(err, chat.ErrNoQRCode) {
			t.Errorf("%s: got %v", d.Name(), err)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) || n == 0 {
		t.Skip("the toolchain comes without its test data")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTruncated cuts a picture of a code at every tenth of its length.
func TestTruncated(t *testing.T) {
	data := pngBytes(t, mustEncode(t, invitation(1, 291), 300))
	for i := range 10 {
		if _, err := Decode(t.Context(), data[:len(data)*i/10]); !errors.Is(err, ErrNoPicture) {
			t.Errorf("%d tenths: %v", i, err)
		}
	}
}

// TestManyFinderPatterns: a wall of finder patterns is the worst case of the
// search; it must end by its limits, not by the patience of the person.
func TestManyFinderPatterns(t *testing.T) {
	img := image.NewPaletted(image.Rect(0, 0, 1200, 1200), color.Palette{color.White, color.Black})
	for i := range img.Pix {
		x, y := i%1200%18/2, i/1200%18/2
		ring := max(abs(x-4), abs(y-4))
		if ring <= 1 || ring == 3 {
			img.Pix[i] = 1
		}
	}
	if _, err := DecodeImage(t.Context(), img); !errors.Is(err, chat.ErrNoQRCode) {
		t.Errorf("got %v", err)
	}
}

func abs(i int) int { return max(i, -i) }

func FuzzDecode(f *testing.F) {
	small, err := Encode(invitation(1, 60), 60)
	if err != nil {
		f.Fatal(err)
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, small); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add(headerPNG(50_000, 50_000, 8, 2))
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"))
	f.Add([]byte("RIFF\x20\x00\x00\x00WEBPVP8L\x10\x00\x00\x00\x2f"))
	f.Add([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00"))
	f.Add([]byte("\xff\xd8\xff\xe0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if img, err := Open(data); err == nil && img.Bounds().Dx()*img.Bounds().Dy() > 1<<20 {
			t.Skip("decoded; searching it would only be slow")
		}
		code, err := Decode(t.Context(), data)
		if err == nil && !IsInvitation(code) {
			t.Errorf("%q is no invitation", code)
		}
	})
}

// FuzzScan feeds bits straight to the search, as if they were a picture.
func FuzzScan(f *testing.F) {
	small, err := Encode("KUVERT:AAAA", 29)
	if err != nil {
		f.Fatal(err)
	}
	g := toGray(small)
	f.Add(uint8(g.w), g.pix)
	f.Fuzz(func(t *testing.T, width uint8, pix []byte) {
		w := int(width)
		if w == 0 || len(pix) < w {
			t.Skip()
		}
		g := &gray{w: w, h: len(pix) / w, pix: pix[:w*(len(pix)/w)]}
		for _, b := range []binarizer{hybrid, adaptive, global} {
			if m, err := b(g); err == nil {
				scan(m)
			}
		}
	})
}

func BenchmarkDecodeScreenshot(b *testing.B) {
	shot := canvas(1920, 1080, color.White)
	paste(shot, mustEncode(b, invitation(1, 291), 330), 700, 300)
	for b.Loop() {
		if _, err := DecodeImage(b.Context(), shot); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeNothing12MP(b *testing.B) {
	img := (shot{w: 4000, h: 3000, size: 1}).take(b, invitation(1, 291), 1)
	for b.Loop() {
		if _, err := DecodeImage(b.Context(), img); !errors.Is(err, chat.ErrNoQRCode) {
			b.Fatal(err)
		}
	}
}
