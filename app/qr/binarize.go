package qr

import (
	"github.com/makiuchi-d/gozxing"
)

// binarizer turns luminances into black and white. Each fails where another
// works: even light, a shadow across the code, blur or noise.
type binarizer func(*gray) (*gozxing.BitMatrix, error)

var (
	hybrid   binarizer = viaZXing(gozxing.NewHybridBinarizer)
	global   binarizer = viaZXing(gozxing.NewGlobalHistgramBinarizer)
	adaptive binarizer = localMean
)

func viaZXing(b func(gozxing.LuminanceSource) gozxing.Binarizer) binarizer {
	return func(g *gray) (*gozxing.BitMatrix, error) {
		src, err := gozxing.NewPlanarYUVLuminanceSource(g.pix, g.w, g.h, 0, 0, g.w, g.h, false)
		if err != nil {
			return nil, err
		}
		return b(src).GetBlackMatrix()
	}
}

// localMean calls a pixel black if it is darker than the mean around it, by a
// little: a window of a tenth of the picture is wider than a finder pattern and
// narrower than most shadows.
func localMean(g *gray) (*gozxing.BitMatrix, error) {
	const margin = 6 // of 255: paper and noise are not black
	out, err := gozxing.NewBitMatrix(g.w, g.h)
	if err != nil {
		return nil, err
	}
	sums := g.sums()
	r := max(8, min(g.w, g.h)/20)
	at := func(x, y int) uint32 { return sums[y*(g.w+1)+x] }
	for y := range g.h {
		y0, y1 := max(0, y-r), min(g.h, y+r+1)
		for x := range g.w {
			x0, x1 := max(0, x-r), min(g.w, x+r+1)
			sum := at(x1, y1) - at(x0, y1) - at(x1, y0) + at(x0, y0) // modulo 2^32 is exact here
			if n := (x1 - x0) * (y1 - y0); (int(g.pix[y*g.w+x])+margin)*n < int(sum) {
				out.Set(x, y)
			}
		}
	}
	return out, nil
}

// sums is the summed-area table, one larger than g on each side. It may wrap:
// differences over a window below 2^24 pixels stay exact.
func (g *gray) sums() []uint32 {
	s := make([]uint32, (g.w+1)*(g.h+1))
	for y := range g.h {
		row := uint32(0)
		for x := range g.w {
			row += uint32(g.pix[y*g.w+x])
			s[(y+1)*(g.w+1)+x+1] = s[y*(g.w+1)+x+1] + row
		}
	}
	return s
}
