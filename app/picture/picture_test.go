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
	"maps"
	"math/rand/v2"
	"os"
	"slices"
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

func gifOf(img image.Image) []byte {
	var b bytes.Buffer
	_ = gif.Encode(&b, img, nil)
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

// photoFiles are photos with a place, a camera and a name in Exif and XMP.
func photoFiles(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for kind, name := range map[string]string{"image/heic": "secrets.heic", "image/avif": "secrets.avif"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got := Kind(b[:16]); got != kind {
			t.Fatalf("%s is %q", name, got)
		}
		out[kind] = b
	}
	return out
}

// pixelsOf are the data of the picture items of a HEIF file.
func pixelsOf(t *testing.T, b []byte) (out [][]byte) {
	t.Helper()
	h := &heif{src: bytes.NewReader(b), items: map[uint32]string{}}
	if err := errors.Join(h.read(), h.edit()); err != nil {
		t.Fatal(err)
	}
	for _, s := range h.kept {
		if s.put == nil {
			out = append(out, b[s.from:s.to])
		}
	}
	return out
}

func TestHEIFIsStripped(t *testing.T) {
	for kind, secret := range photoFiles(t) {
		more := append(heifBox("free", "SECRET"), heifBox("uuid", "SECRET")...)
		clean := strip(t, slices.Concat(secret, more, []byte("SECRET behind")), kind)
		if len(clean) != len(secret) {
			t.Errorf("%s: %d bytes of %d", kind, len(clean), len(secret))
		}
		for _, word := range []string{"SECRET", "GPS", "2026:", "<rdf", "2.3.0.0"} {
			if bytes.Contains(clean, []byte(word)) {
				t.Errorf("%s: %q stays", kind, word)
			}
		}
		want, got := pixelsOf(t, secret), pixelsOf(t, clean)
		if len(want) == 0 || !slices.EqualFunc(want, got, bytes.Equal) {
			t.Errorf("%s: another picture", kind)
		}
		if !bytes.Equal(clean, strip(t, clean, kind)) {
			t.Errorf("%s: stripped again it is another", kind)
		}
	}
}

func heifBox(kind, body string) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+8)), kind...), body...)
}

func be16(v ...uint16) (s string) {
	for _, n := range v {
		s += string(binary.BigEndian.AppendUint16(nil, n))
	}
	return s
}

func infe(id uint16, kind, name string) string {
	return string(heifBox("infe", "\x02\x00\x00\x00"+be16(id, 0)+kind+name+"\x00"))
}

// iloc places items of the given methods, each with one extent.
func iloc(places ...[4]uint16) string {
	s := "\x01\x00\x00\x00\x44\x00" + be16(uint16(len(places)))
	for _, p := range places {
		s += be16(p[0], p[1], 0, 1, 0, p[2], 0, p[3])
	}
	return string(heifBox("iloc", s))
}

// A grid whose description lies in the index, beside a note; a picture behind data
// that nobody refers to; notes among the properties and in a sequence.
func TestHEIFIndexData(t *testing.T) {
	ftyp := string(heifBox("ftyp", "mif1\x00\x00\x00\x00"))
	meta := func(at uint16) string {
		return string(heifBox("meta", "\x00\x00\x00\x00"+
			string(heifBox("iinf", "\x00\x00\x00\x00"+be16(3)+infe(1, "grid", "SECRET")+infe(2, "uri ", "")+infe(3, "hvc1", "")))+
			iloc([4]uint16{1, 1, 6, 4}, [4]uint16{2, 1, 0, 6}, [4]uint16{3, 0, at, 6})+
			string(heifBox("iprp", string(heifBox("ipco", string(heifBox("ispe", "12345678"))+string(heifBox("udes", "SECRET"))))))+
			string(heifBox("xml ", "SECRET"))+
			string(heifBox("idat", "SECRETgrid"))))
	}
	moov := string(heifBox("moov", string(heifBox("trak", string(heifBox("udta", "SECRET"))+
		string(heifBox("tkhd", "\x00\x00\x00\x01SECRET!!rest"))))+string(heifBox("udta", "SECRET"))))
	for _, sequence := range []string{"", moov} {
		head := len(ftyp) + len(meta(0)) + len(sequence)
		mdat := "SECRETpixels"
		if sequence != "" {
			mdat = "frames" + "pixels"
		}
		whole := ftyp + meta(uint16(head+8+6)) + sequence + string(heifBox("mdat", mdat))
		clean := strip(t, []byte(whole), "image/heif")
		if len(clean) != len(whole) || bytes.Contains(clean, []byte("SECRET")) {
			t.Errorf("%d bytes of %d: %q", len(clean), len(whole), clean)
		}
		for _, word := range []string{"grid", "pixels", "12345678", "rest", "frames"} {
			if strings.Contains(whole, word) && !bytes.Contains(clean, []byte(word)) {
				t.Errorf("%q is missing: %q", word, clean)
			}
		}
	}
	for name, bad := range map[string]string{
		"no index": ftyp + string(heifBox("mdat", "SECRET")), "cut": (ftyp + meta(0))[:60], "two": ftyp + meta(0) + meta(0),
		"elsewhere":  strings.Replace(ftyp+meta(0), be16(3, 0, 0, 1), be16(3, 0, 1, 1), 1),
		"of an item": strings.Replace(ftyp+meta(0), be16(3, 0, 0, 1), be16(3, 2, 0, 1), 1),
	} {
		if err := Strip(io.Discard, strings.NewReader(bad), "image/heif"); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGIFIsStripped(t *testing.T) {
	frame := func(c byte) *image.Paletted {
		p := image.NewPaletted(image.Rect(0, 0, 30, 20), color.Palette{color.White, color.Gray{c}})
		p.Pix[33] = 1
		return p
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame(1), frame(2)}, Delay: []int{5, 7}}); err != nil {
		t.Fatal(err)
	}
	plain := b.Bytes()
	at := bytes.Index(plain, []byte("!\xff\x0bNETSCAPE2.0"))
	extra := "!\xfe\x06SECRET\x00" + "!\xff\x0bXMP DataXMP\x06SECRET\x00" + "!\x01\x06SECRET\x00" + "!\xff\x03abc\x06SECRET\x00"
	secret := string(plain[:at]) + extra + string(plain[at:]) + "SECRET"
	if got := strip(t, []byte(secret), "image/gif"); !bytes.Equal(got, plain) {
		t.Errorf("%q, want %q", got, plain)
	}
}

// Files that are cut or wild end with an error, never a panic, and nothing hangs.
func TestDamagedPictures(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	samples := map[string][]byte{
		"image/jpeg": withSecrets(jpegOf(photo(30, 30)), 6), "image/png": pngOf(photo(30, 30)),
		"image/webp": riff(webpChunk("VP8X", "\x0cxxxyyyzzz"), webpChunk("VP8 ", "pixels")),
		"image/gif":  gifOf(photo(30, 30)),
	}
	maps.Copy(samples, photoFiles(t))
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
	if err := Strip(io.Discard, strings.NewReader("II*\x00"), "image/tiff"); !errors.Is(err, ErrNone) {
		t.Errorf("tiff: %v", err)
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
	g := gifOf(photo(500, 10))
	noise := image.NewRGBA(image.Rect(0, 0, 900, 700))
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range noise.Pix {
		noise.Pix[i] = byte(rng.Uint32())
	}
	for name, b := range map[string][]byte{
		"jpeg": jpegOf(photo(2000, 1000)), "png": pngOf(photo(10, 900)), "gif": g, "noise": pngOf(noise), "tiny": pngOf(photo(1, 1)),
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
	if CheckThumbnail(g) == nil || CheckThumbnail(nil) == nil {
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
