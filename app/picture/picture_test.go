package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func photo(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.RGBA{uint8(x), uint8(y), uint8(x * y), 255})
		}
	}
	return img
}

func jpegOf(img image.Image) []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, img, nil)
	return b.Bytes()
}

func pngOf(img image.Image) []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, img)
	return b.Bytes()
}

func seg(marker byte, body string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xFF, marker}, uint16(len(body)+2)), body...)
}

// withSecrets is a JPEG as a telephone makes it: place, comment, preview, a second
// picture and a film behind the end.
func withSecrets(j []byte, orientation byte) []byte {
	exif := "Exif\x00\x00II*\x00\x08\x00\x00\x00\x02\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string(orientation) + "\x00\x00\x00\x25\x88\x04\x00\x01\x00\x00\x00SECRET\x00\x00"
	out := append([]byte{}, j[:2]...)
	for _, s := range [][]byte{
		seg(0xE0, "JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x01\x01SECRET"),
		seg(0xE1, exif), seg(0xE1, "http://ns.adobe.com/xap/1.0/\x00<SECRET/>"), seg(0xE2, "MPF\x00SECRET"), seg(0xED, "Photoshop SECRET"), seg(0xFE, "SECRET"),
	} {
		out = append(out, s...)
	}
	out = append(out, j[2:]...)
	return append(out, "SECRET film"...)
}

func strip(t *testing.T, b []byte, kind string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Strip(&out, bytes.NewReader(b), kind); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestJPEGIsStripped(t *testing.T) {
	img := photo(61, 33)
	j := jpegOf(img)
	for how := byte(1); how <= 8; how++ {
		secret := withSecrets(j, how)
		if got := jpegOrientation(bytes.NewReader(secret)); got != int(how) {
			t.Fatalf("the sample's orientation is %d", got)
		}
		clean := strip(t, secret, "image/jpeg")
		if bytes.Contains(clean, []byte("SECRET")) {
			t.Error("something stays")
		}
		if got := jpegOrientation(bytes.NewReader(clean)); got != int(how) {
			t.Errorf("orientation %d became %d", how, got)
		}
		want, _ := jpeg.Decode(bytes.NewReader(j))
		got, err := jpeg.Decode(bytes.NewReader(clean))
		if err != nil || !samePixels(want, got) {
			t.Errorf("another picture: %v", err)
		}
		small, err := Thumbnail(bytes.NewReader(secret), 16<<10)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := jpeg.DecodeConfig(bytes.NewReader(small))
		if err != nil || (cfg.Width == 33) != (how >= 5) {
			t.Errorf("orientation %d: %d × %d, %v", how, cfg.Width, cfg.Height, err)
		}
	}
}

func samePixels(a, b image.Image) bool {
	if a.Bounds() != b.Bounds() {
		return false
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if a.At(x, y) != b.At(x, y) {
				return false
			}
		}
	}
	return true
}

func chunk(kind, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, kind...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(kind+body)))
}

func TestPNGIsStripped(t *testing.T) {
	img := photo(20, 10)
	p := pngOf(img)
	at := len(pngSignature) + 25 // behind IHDR
	secret := append([]byte{}, p[:at]...)
	for _, kind := range []string{"tEXt", "iTXt", "zTXt", "eXIf", "tIME", "prVt"} {
		secret = append(secret, chunk(kind, "SECRET")...)
	}
	secret = append(append(secret, p[at:]...), "SECRET"...)
	clean := strip(t, secret, "image/png")
	if !bytes.Equal(clean, p) {
		t.Errorf("%d bytes, the clean one has %d", len(clean), len(p))
	}
}

func riff(chunks ...string) []byte {
	body := "WEBP" + strings.Join(chunks, "")
	return []byte("RIFF" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body)
}

func webpChunk(kind, body string) string {
	pad := strings.Repeat("\x00", len(body)%2)
	return kind + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body + pad
}

func TestWebPIsStripped(t *testing.T) {
	pixels := webpChunk("VP8 ", "pixels")
	secret := riff(webpChunk("VP8X", "\x0cxxxyyyzzz"), pixels, webpChunk("EXIF", "SECRET1"), webpChunk("XMP ", "SECRET"))
	want := riff(webpChunk("VP8X", "\x00xxxyyyzzz"), pixels)
	if got := strip(t, append(secret, "SECRET"...), "image/webp"); !bytes.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Files that are cut or wild end with an error, never a panic, and nothing hangs.
func TestDamagedPictures(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	samples := map[string][]byte{
		"image/jpeg": withSecrets(jpegOf(photo(30, 30)), 6), "image/png": pngOf(photo(30, 30)),
		"image/webp": riff(webpChunk("VP8X", "\x0cxxxyyyzzz"), webpChunk("VP8 ", "pixels")),
	}
	for kind, whole := range samples {
		for range 2000 {
			b := bytes.Clone(whole[:rng.IntN(len(whole)+1)])
			for range rng.IntN(4) {
				if len(b) > 0 {
					b[rng.IntN(len(b))] = byte(rng.Uint32())
				}
			}
			_ = Strip(io.Discard, bytes.NewReader(b), kind)
			_, _ = Thumbnail(bytes.NewReader(b), 16<<10)
			_ = CheckThumbnail(b)
		}
		if err := Strip(io.Discard, bytes.NewReader(whole[:len(whole)/2]), kind); !errors.Is(err, ErrMalformed) {
			t.Errorf("half a %s: %v", kind, err)
		}
	}
	if err := Strip(io.Discard, strings.NewReader("GIF89a"), "image/gif"); !errors.Is(err, ErrNone) {
		t.Errorf("gif: %v", err)
	}
}

// bombPNG claims its dimensions and is a few bytes long.
func bombPNG(w, h uint32) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	return append([]byte(pngSignature), chunk("IHDR", string(head)+"\x08\x06\x00\x00\x00")...)
}

func TestDimensionsComeFirst(t *testing.T) {
	for _, side := range []uint32{50_000, 7_072, 1 << 30} {
		if _, err := Thumbnail(bytes.NewReader(bombPNG(side, side)), 16<<10); !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrMalformed) {
			t.Errorf("%d: %v", side, err)
		}
		if err := CheckThumbnail(bombPNG(side, side)); err == nil {
			t.Errorf("%d: taken as a thumbnail", side)
		}
	}
	if _, err := Thumbnail(bytes.NewReader(bombPNG(50_000, 50_000)), 16<<10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("50,000 × 50,000: %v", err)
	}
	if err := CheckThumbnail(pngOf(photo(MaxSide+1, 1))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("wide: %v", err)
	}
}

func TestThumbnails(t *testing.T) {
	var g bytes.Buffer
	_ = gif.Encode(&g, photo(500, 10), nil)
	noise := image.NewRGBA(image.Rect(0, 0, 900, 700))
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range noise.Pix {
		noise.Pix[i] = byte(rng.Uint32())
	}
	for name, b := range map[string][]byte{
		"jpeg": jpegOf(photo(2000, 1000)), "png": pngOf(photo(10, 900)), "gif": g.Bytes(), "noise": pngOf(noise), "tiny": pngOf(photo(1, 1)),
	} {
		small, err := Thumbnail(bytes.NewReader(b), 6<<10)
		if err != nil || len(small) > 6<<10 {
			t.Errorf("%s: %d bytes, %v", name, len(small), err)
			continue
		}
		if err := CheckThumbnail(small); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Thumbnail(strings.NewReader("<svg onload='x'/>"), 100); !errors.Is(err, ErrNone) {
		t.Errorf("svg: %v", err)
	}
	if CheckThumbnail(g.Bytes()) == nil || CheckThumbnail(nil) == nil {
		t.Error("a thumbnail that is neither JPEG nor PNG")
	}
}

// TestView: what somebody wants to see fits a screen and the answer, and what was made
// to do harm is refused.
func TestView(t *testing.T) {
	const limit = 300 << 10
	got, err := View(bytes.NewReader(jpegOf(photo(3000, 1000))), limit)
	if err != nil || len(got) > limit {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if cfg, err := jpeg.DecodeConfig(bytes.NewReader(got)); err != nil || cfg.Width > viewSide || cfg.Width != 3*cfg.Height && cfg.Width/cfg.Height != 3 {
		t.Errorf("%d × %d, %v", cfg.Width, cfg.Height, err)
	}
	bomb := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\xc3\x50\x00\x00\xc3\x50\x08\x06\x00\x00\x00")
	bomb = binary.BigEndian.AppendUint32(bomb, crc32.ChecksumIEEE(bomb[12:]))
	if _, err := View(bytes.NewReader(bomb), limit); !errors.Is(err, ErrTooLarge) {
		t.Errorf("50,000 × 50,000: %v", err)
	}
	if _, err := View(strings.NewReader("no picture"), limit); !errors.Is(err, ErrNone) {
		t.Errorf("no picture: %v", err)
	}
}
