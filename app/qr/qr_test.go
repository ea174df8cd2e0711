package qr

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kuvert-im/kuvert/app/chat"
)

// invitation returns a code of the given length in characters, as an invitation
// looks: KUVERT: and base32.
func invitation(seed uint64, length int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	b := []byte(Prefix)
	for len(b) < length {
		b = append(b, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[r.IntN(32)])
	}
	return string(b)
}

func mustEncode(t testing.TB, text string, pixels int) image.Image {
	t.Helper()
	img, err := Encode(text, pixels)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func pngBytes(t testing.TB, img image.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestEncodeDecodeEveryLength(t *testing.T) {
	for _, n := range []int{len(Prefix) + 1, 40, 120, 200, 252, 291, MaxCode} {
		code := invitation(uint64(n), n)
		got, err := Decode(t.Context(), pngBytes(t, mustEncode(t, code, 400)))
		if err != nil || got != code {
			t.Errorf("%d characters: got %q, %v", n, got, err)
		}
	}
}

func TestEncodeIsCrisp(t *testing.T) {
	m, err := NewMatrix(invitation(1, 291))
	if err != nil {
		t.Fatal(err)
	}
	if m.Size() != 57 {
		t.Errorf("an invitation of 291 characters has %d modules, want 57: is it encoded in alphanumeric mode?", m.Size())
	}
	for _, pixels := range []int{10, 65, 129, 130, 399, 400} {
		img := mustEncode(t, invitation(1, 291), pixels)
		side, scale := img.Bounds().Dx(), max(1, pixels/65)
		if side != 65*scale {
			t.Errorf("%d pixels: side %d, want %d", pixels, side, 65*scale)
		}
		for i := range side { // the quiet zone is white all around
			for _, p := range []image.Point{{i, 0}, {i, 4*scale - 1}, {0, i}, {side - 1, i}, {i, side - 4*scale}} {
				if r, _, _, _ := img.At(p.X, p.Y).RGBA(); r != 0xffff {
					t.Fatalf("%d pixels: no quiet zone at %v", pixels, p)
				}
			}
		}
		if r, _, _, _ := img.At(4*scale, 4*scale).RGBA(); r != 0 {
			t.Errorf("%d pixels: the finder pattern does not begin after the quiet zone", pixels)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "lower case": "kuvert:abc", "umlaut": "KUVERT:Ä", "too long": invitation(1, MaxCode+1),
	} {
		if _, err := NewMatrix(text); !errors.Is(err, ErrNotEncodable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestForeignCode(t *testing.T) {
	for text, web := range map[string]bool{
		"HTTPS://EXAMPLE.COM/X": true, "WWW.EXAMPLE.COM": true, "WIFI:S:OFFICE": false, "KUVERT:": false, "KUVERTX:AB": false,
	} {
		_, err := Decode(t.Context(), pngBytes(t, mustEncode(t, text, 300)))
		var foreign *ForeignError
		if !errors.As(err, &foreign) || !errors.Is(err, ErrForeign) || !IsNoCode(err) {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if foreign.Text != text || foreign.IsWeb() != web {
			t.Errorf("%s: text %q, web %v", text, foreign.Text, foreign.IsWeb())
		}
		if strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error's text shows what the code says", text)
		}
	}
}

// sheet places pictures side by side on white.
func sheet(gap int, imgs ...image.Image) *image.RGBA {
	w, h := gap, 0
	for _, i := range imgs {
		w, h = w+i.Bounds().Dx()+gap, max(h, i.Bounds().Dy())
	}
	out := canvas(w, h+2*gap, color.White)
	x := gap
	for _, i := range imgs {
		paste(out, i, x, gap)
		x += i.Bounds().Dx() + gap
	}
	return out
}

func TestSeveralCodes(t *testing.T) {
	a, b := invitation(1, 291), invitation(2, 291)
	web := mustEncode(t, "HTTPS://EXAMPLE.COM/SOME/PAGE", 300)
	t.Run("the invitation among others", func(t *testing.T) {
		for _, img := range []image.Image{
			sheet(40, web, mustEncode(t, a, 300)), sheet(40, mustEncode(t, a, 300), web), sheet(20, web, mustEncode(t, a, 200), web),
		} {
			if got, err := DecodeImage(t.Context(), img); err != nil || got != a {
				t.Errorf("got %q, %v", got, err)
			}
		}
	})
	t.Run("two invitations", func(t *testing.T) {
		_, err := DecodeImage(t.Context(), sheet(40, mustEncode(t, a, 300), mustEncode(t, b, 300)))
		if !errors.Is(err, ErrSeveral) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the same invitation twice", func(t *testing.T) {
		if got, err := DecodeImage(t.Context(), sheet(40, mustEncode(t, a, 300), mustEncode(t, a, 300))); err != nil || got != a {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestNoCode(t *testing.T) {
	noise := image.NewGray(image.Rect(0, 0, 700, 500))
	r := rand.New(rand.NewPCG(7, 7))
	for i := range noise.Pix {
		noise.Pix[i] = byte(r.IntN(256))
	}
	for name, img := range map[string]image.Image{
		"white": canvas(500, 400, color.White), "one pixel": canvas(1, 1, color.Black),
		"a row": canvas(3000, 1, color.Black), "a column": canvas(1, 3000, color.White), "noise": noise,
	} {
		if _, err := DecodeImage(t.Context(), img); !errors.Is(err, chat.ErrNoQRCode) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := DecodeImage(ctx, canvas(500, 400, color.White)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
