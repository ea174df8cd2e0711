package qr

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"

	"golang.org/x/image/bmp"
)

func canvas(w, h int, c color.Color) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	return out
}

func paste(dst draw.Image, src image.Image, x, y int) {
	draw.Draw(dst, image.Rect(x, y, x+src.Bounds().Dx(), y+src.Bounds().Dy()), src, src.Bounds().Min, draw.Over)
}

// shot describes how a code is photographed.
type shot struct {
	w, h  int     // of the photograph
	size  float64 // of the code within it, in pixels
	angle float64 // in degrees
	tilt  float64 // perspective: 0 none; 0.2 makes the far edge a fifth smaller
	blur  int     // box radius in pixels
	noise int     // amplitude
	light float64 // 0 even; 0.5 halves the light across the picture
}

// take renders the photograph: a code on grey paper with a text-like pattern
// around it.
func (s shot) take(t testing.TB, code string, seed uint64) *image.Gray {
	src := toGray(mustEncode(t, code, 65*8))
	r := rand.New(rand.NewPCG(seed, 2))
	out := image.NewGray(image.Rect(0, 0, s.w, s.h))
	sin, cos := math.Sincos(s.angle * math.Pi / 180)
	for y := range s.h {
		for x := range s.w {
			dx, dy := float64(x)-float64(s.w)/2, float64(y)-float64(s.h)/2
			u, v := (dx*cos+dy*sin)/s.size, (dy*cos-dx*sin)/s.size
			d := 1 + s.tilt*v // the farther, the smaller
			u, v = u*d+0.5, v*d+0.5
			p := 200.0
			switch {
			case u >= 0 && u < 1 && v >= 0 && v < 1:
				p = float64(src.at(u*float64(src.w), v*float64(src.h)))*0.8 + 20
			case int(u*90)%2 == 0 && int(v*50)%3 == 0: // lines of print
				p = 90
			}
			out.Pix[y*out.Stride+x] = byte(p * (1 - s.light*float64(x)/float64(s.w)))
		}
	}
	g := &gray{w: s.w, h: s.h, pix: out.Pix}
	out.Pix = blurred(g, s.blur)
	for i := range out.Pix {
		if s.noise > 0 {
			out.Pix[i] = byte(max(0, min(255, int(out.Pix[i])+r.IntN(2*s.noise+1)-s.noise)))
		}
	}
	return out
}

func blurred(g *gray, r int) []byte {
	out := make([]byte, len(g.pix))
	for y := range g.h {
		for x := range g.w {
			sum, n := 0, 0
			for yy := max(0, y-r); yy <= min(g.h-1, y+r); yy++ {
				for xx := max(0, x-r); xx <= min(g.w-1, x+r); xx++ {
					sum, n = sum+int(g.pix[yy*g.w+xx]), n+1
				}
			}
			out[y*g.w+x] = byte(sum / n)
		}
	}
	return out
}

// TestPhotographs: the codes that people hold up, mildly distorted, are read, all
// of them.
func TestPhotographs(t *testing.T) {
	shots := map[string]shot{
		"straight":       {w: 1280, h: 720, size: 500},
		"small":          {w: 1280, h: 720, size: 230},
		"turned 10":      {w: 1280, h: 720, size: 450, angle: 10},
		"turned 45":      {w: 1280, h: 720, size: 450, angle: 45},
		"turned 90":      {w: 1280, h: 720, size: 450, angle: 90},
		"turned 160":     {w: 1280, h: 720, size: 450, angle: 160},
		"tilted":         {w: 1280, h: 720, size: 450, angle: 5, tilt: 0.15},
		"tilted more":    {w: 1280, h: 720, size: 500, angle: -8, tilt: 0.3},
		"blurred":        {w: 1280, h: 720, size: 500, blur: 2, angle: 3},
		"noisy":          {w: 1280, h: 720, size: 500, noise: 60, angle: 3},
		"in a shadow":    {w: 1280, h: 720, size: 500, light: 0.7, angle: 3},
		"everything":     {w: 1280, h: 720, size: 480, angle: 12, tilt: 0.12, blur: 1, noise: 25, light: 0.4},
		"large":          {w: 4000, h: 3000, size: 1400, angle: 7, blur: 2, noise: 20},
		"small in large": {w: 4000, h: 3000, size: 260, angle: 2},
	}
	for name, s := range shots {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				code := invitation(seed, 291)
				if got, err := DecodeImage(t.Context(), s.take(t, code, seed)); err != nil || got != code {
					t.Errorf("seed %d: got %q, %v", seed, got, err)
				}
			}
		})
	}
}

// TestScreenshots: the code as it stands in a window, at fractions of a pixel.
func TestScreenshots(t *testing.T) {
	code := invitation(5, 291)
	for _, dark := range []bool{false, true} {
		for _, side := range []int{150, 180, 260, 333, 520} {
			shot := canvas(1920, 1080, color.White)
			if dark {
				shot = canvas(1920, 1080, color.Gray{22})
			}
			g := toGray(mustEncode(t, code, 65*8)).scaled(side)
			paste(shot, &image.Gray{Pix: g.pix, Stride: g.w, Rect: image.Rect(0, 0, g.w, g.h)}, 1003, 401)
			if got, err := DecodeImage(t.Context(), shot); err != nil || got != code {
				t.Errorf("%d pixels, dark %v: %v", side, dark, err)
			}
		}
	}
}

func TestInverted(t *testing.T) {
	g := toGray(mustEncode(t, invitation(5, 291), 400))
	for i := range g.pix {
		g.pix[i] = 255 - g.pix[i]
	}
	img := &image.Gray{Pix: g.pix, Stride: g.w, Rect: image.Rect(0, 0, g.w, g.h)}
	if got, err := DecodeImage(t.Context(), img); err != nil || got != invitation(5, 291) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTransparentGround(t *testing.T) {
	src := mustEncode(t, invitation(6, 291), 400)
	out := image.NewNRGBA(src.Bounds())
	for i := range 400 * 400 {
		if r, _, _, _ := src.At(i%400, i/400).RGBA(); r == 0 {
			out.Set(i%400, i/400, color.Black)
		}
	}
	if got, err := Decode(t.Context(), pngBytes(t, out)); err != nil || got != invitation(6, 291) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFormats(t *testing.T) {
	code := invitation(9, 291)
	img := mustEncode(t, code, 400)
	write := map[string]func(*bytes.Buffer) error{
		"gif":      func(b *bytes.Buffer) error { return gif.Encode(b, img, nil) },
		"bmp":      func(b *bytes.Buffer) error { return bmp.Encode(b, img) },
		"jpeg 90":  func(b *bytes.Buffer) error { return jpeg.Encode(b, img, &jpeg.Options{Quality: 90}) },
		"jpeg 15":  func(b *bytes.Buffer) error { return jpeg.Encode(b, img, &jpeg.Options{Quality: 15}) },
		"animated": func(b *bytes.Buffer) error { return animated(b, img) },
	}
	for name, f := range write {
		var buf bytes.Buffer
		if err := f(&buf); err != nil {
			t.Fatal(err)
		}
		if got, err := Decode(t.Context(), buf.Bytes()); err != nil || got != code {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func animated(b *bytes.Buffer, img image.Image) error {
	p, ok := img.(*image.Paletted)
	if !ok {
		return fmt.Errorf("not paletted: %T", img)
	}
	return gif.EncodeAll(b, &gif.GIF{Image: []*image.Paletted{p, p}, Delay: []int{1, 1}})
}
