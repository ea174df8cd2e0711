package qr

import (
	"image"
	"image/color"
	"image/draw"
	"math"
)

// gray is a picture of luminances, 0 is black, without stride.
type gray struct {
	w, h int
	pix  []byte
}

func newGray(w, h int) *gray { return &gray{w: w, h: h, pix: make([]byte, w*h)} }

// toGray turns any picture into luminances over a white ground: screenshots and
// drawings often have a transparent one. It works in strips, so that a large
// photograph is never held a second time in colour.
func toGray(img image.Image) *gray {
	const rows = 64
	b := img.Bounds()
	g := newGray(b.Dx(), b.Dy())
	strip := image.NewRGBA(image.Rect(0, 0, g.w, rows))
	white := image.NewUniform(color.White)
	for y := 0; y < g.h; y += rows {
		n := min(rows, g.h-y)
		r := image.Rect(0, 0, g.w, n)
		draw.Draw(strip, r, white, image.Point{}, draw.Src)
		draw.Draw(strip, r, img, image.Pt(b.Min.X, b.Min.Y+y), draw.Over)
		for i := range g.w * n {
			p := strip.Pix[4*i : 4*i+3]
			g.pix[y*g.w+i] = byte((306*uint32(p[0]) + 601*uint32(p[1]) + 117*uint32(p[2])) >> 10)
		}
	}
	return g
}

// crop copies a part that must lie within g.
func (g *gray) crop(r image.Rectangle) *gray {
	out := newGray(r.Dx(), r.Dy())
	for y := range out.h {
		copy(out.pix[y*out.w:(y+1)*out.w], g.pix[(r.Min.Y+y)*g.w+r.Min.X:])
	}
	return out
}

// long is the longer side.
func (g *gray) long() int { return max(g.w, g.h) }

// scaled returns g with its longer side made long pixels: averaged when it
// shrinks, which also removes noise, interpolated when it grows.
func (g *gray) scaled(long int) *gray {
	if long == g.long() {
		return g
	}
	f := float64(long) / float64(g.long())
	w, h := max(1, int(math.Round(float64(g.w)*f))), max(1, int(math.Round(float64(g.h)*f)))
	if f < 1 {
		return g.shrunk(w, h)
	}
	out := newGray(w, h)
	for y := range h {
		sy := (float64(y)+0.5)/f - 0.5
		for x := range w {
			out.pix[y*w+x] = g.at((float64(x)+0.5)/f-0.5, sy)
		}
	}
	return out
}

// shrunk averages the source pixels under each new one.
func (g *gray) shrunk(w, h int) *gray {
	out := newGray(w, h)
	for y := range h {
		y0, y1 := y*g.h/h, max((y+1)*g.h/h, y*g.h/h+1)
		for x := range w {
			x0, x1 := x*g.w/w, max((x+1)*g.w/w, x*g.w/w+1)
			sum := 0
			for sy := y0; sy < y1; sy++ {
				for _, p := range g.pix[sy*g.w+x0 : sy*g.w+x1] {
					sum += int(p)
				}
			}
			out.pix[y*w+x] = byte(sum / ((y1 - y0) * (x1 - x0)))
		}
	}
	return out
}

// at interpolates between four pixels; outside is white.
func (g *gray) at(x, y float64) byte {
	fx, fy := math.Floor(x), math.Floor(y)
	ix, iy := int(fx), int(fy)
	dx, dy := x-fx, y-fy
	top := float64(g.get(ix, iy))*(1-dx) + float64(g.get(ix+1, iy))*dx
	low := float64(g.get(ix, iy+1))*(1-dx) + float64(g.get(ix+1, iy+1))*dx
	return byte(top*(1-dy) + low*dy + 0.5)
}

func (g *gray) get(x, y int) byte {
	if x < 0 || y < 0 || x >= g.w || y >= g.h {
		return 255
	}
	return g.pix[y*g.w+x]
}

// rotated turns g about its centre, on a white ground that holds all of it.
func (g *gray) rotated(degrees float64) *gray {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	w := int(math.Ceil(float64(g.w)*math.Abs(cos) + float64(g.h)*math.Abs(sin)))
	h := int(math.Ceil(float64(g.w)*math.Abs(sin) + float64(g.h)*math.Abs(cos)))
	out := newGray(max(w, 1), max(h, 1))
	for y := range out.h {
		for x := range out.w {
			dx, dy := float64(x)-float64(out.w)/2, float64(y)-float64(out.h)/2
			out.pix[y*out.w+x] = g.at(dx*cos+dy*sin+float64(g.w)/2, dy*cos-dx*sin+float64(g.h)/2)
		}
	}
	return out
}
