package qr

import (
	"cmp"
	"math"
	"slices"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/detector"
)

// ZXing's own search for finder patterns takes the cube of their number, and a
// picture of noise has thousands: that is why this package collects them itself
// and tries the likeliest triples only.
const (
	// maxCenters is how many candidate centres of finder patterns are combined.
	maxCenters = 96
	// maxBatch is how many candidates one ZXing finder holds; each new candidate
	// is compared with all of them.
	maxBatch = 256
	// maxTriples is how many triples of a picture are sampled and decoded.
	maxTriples = 48
)

// triple is three finder patterns that may belong to one code.
type triple struct {
	bl, tl, tr *detector.FinderPattern
	score      float64 // 0 is a perfect right angle of equal patterns
}

// size is the estimated side of a module in pixels.
func (t triple) size() float64 {
	return (t.bl.GetEstimatedModuleSize() + t.tl.GetEstimatedModuleSize() + t.tr.GetEstimatedModuleSize()) / 3
}

// modules is how many lie between two neighbouring finder patterns' centres.
func (t triple) modules() float64 {
	return (gozxing.ResultPoint_Distance(t.tl, t.bl) + gozxing.ResultPoint_Distance(t.tl, t.tr)) / (2 * t.size())
}

func (t triple) uses(p *detector.FinderPattern) bool { return t.bl == p || t.tl == p || t.tr == p }

// scan finds the texts of all codes in a black and white picture.
func scan(m *gozxing.BitMatrix) []string {
	var texts []string
	var used []*detector.FinderPattern
	for _, t := range triples(centers(m)) {
		if slices.ContainsFunc(used, t.uses) {
			continue
		}
		if text, ok := decodeAt(m, t); ok {
			texts = append(texts, text)
			used = append(used, t.bl, t.tl, t.tr)
		}
	}
	return texts
}

// decodeAt samples and decodes the code at t, at the size that ZXing estimates
// and at the next ones: in perspective its estimate is off by one or two
// versions. A panic in the decoder counts as "no code here": the picture is a
// stranger's.
func decodeAt(m *gozxing.BitMatrix, t triple) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	found, err := detector.NewDetector(m).ProcessFinderPatternInfo(detector.NewFinderPatternInfo(t.bl, t.tl, t.tr))
	if err == nil {
		if text, ok := decodeBits(found.GetBits()); ok {
			return text, true
		}
	}
	n := int(math.Round(t.modules()+7)-1) / 4 * 4
	for _, dim := range []int{n + 1, n + 5, n - 3, n + 9, n - 7} {
		if text, ok := decodeSized(m, t, dim); ok {
			return text, true
		}
	}
	return "", false
}

func decodeBits(bits *gozxing.BitMatrix) (string, bool) {
	res, err := decoder.NewDecoder().Decode(bits, nil)
	if err != nil {
		return "", false
	}
	return res.GetText(), true
}

// decodeSized takes the code at t as one of dim modules a side.
func decodeSized(m *gozxing.BitMatrix, t triple, dim int) (string, bool) {
	v, err := decoder.Version_GetProvisionalVersionForDimension(dim)
	if err != nil {
		return "", false
	}
	var corner *detector.AlignmentPattern
	if len(v.GetAlignmentPatternCenters()) > 0 {
		corner = t.corner(m, dim)
	}
	bits, err := detector.Detector_sampleGrid(m, detector.Detector_createTransform(t.tl, t.tr, t.bl, corner, dim), dim)
	if err != nil {
		return "", false
	}
	return decodeBits(bits)
}

// corner looks for the alignment pattern opposite tl, nearby first; nil if there
// is none.
func (t triple) corner(m *gozxing.BitMatrix, dim int) *detector.AlignmentPattern {
	size := t.size()
	f := 1 - 3/float64(dim-7)
	x := t.tl.GetX() + f*(t.tr.GetX()+t.bl.GetX()-2*t.tl.GetX())
	y := t.tl.GetY() + f*(t.tr.GetY()+t.bl.GetY()-2*t.tl.GetY())
	for _, modules := range []float64{4, 8, 16} {
		r := modules * size
		x0, y0 := max(0, int(x-r)), max(0, int(y-r))
		w, h := min(m.GetWidth()-1, int(x+r))-x0, min(m.GetHeight()-1, int(y+r))-y0
		if float64(w) < 3*size || float64(h) < 3*size {
			continue
		}
		if p, err := detector.NewAlignmentPatternFinder(m, x0, y0, w, h, size, nil).Find(); err == nil {
			return p
		}
	}
	return nil
}

// centers collects what looks like a finder pattern's centre in at least two
// rows, the most often seen first.
func centers(m *gozxing.BitMatrix) []*detector.FinderPattern {
	var out []*detector.FinderPattern
	f := detector.NewFinderPatternFinder(m, nil)
	keep := func() {
		for _, p := range f.GetPossibleCenters() {
			if p.GetCount() >= detector.FinderPatternFinder_CENTER_QUORUM {
				out = append(out, p)
			}
		}
	}
	for y := 1; y < m.GetHeight(); y += 2 {
		if len(f.GetPossibleCenters()) > maxBatch {
			keep()
			f = detector.NewFinderPatternFinder(m, nil)
		}
		scanRow(f, m, y)
	}
	keep()
	slices.SortStableFunc(out, func(a, b *detector.FinderPattern) int { return cmp.Compare(b.GetCount(), a.GetCount()) })
	return out[:min(len(out), maxCenters)]
}

// scanRow looks for dark and light runs of 1:1:3:1:1 in a row.
func scanRow(f *detector.FinderPatternFinder, m *gozxing.BitMatrix, y int) {
	var runs [5]int // dark, light, dark, light, dark
	state := 0
	hit := func(x int) bool {
		return detector.FinderPatternFinder_foundPatternCross(runs[:]) && f.HandlePossibleCenter(runs[:], y, x)
	}
	for x := range m.GetWidth() {
		dark := m.Get(x, y)
		switch {
		case dark == (state%2 == 0):
			runs[state]++
		case state == 0 && runs[0] == 0: // light before the first dark pixel
		case state < 4:
			state++
			runs[state]++
		case hit(x):
			runs, state = [5]int{}, 0
		default:
			runs, state = [5]int{runs[2], runs[3], runs[4], 1, 0}, 3
		}
	}
	if state == 4 {
		hit(m.GetWidth())
	}
}

// triples combines centres to possible codes, the likeliest first.
func triples(cs []*detector.FinderPattern) []triple {
	slices.SortFunc(cs, func(a, b *detector.FinderPattern) int {
		return cmp.Compare(a.GetEstimatedModuleSize(), b.GetEstimatedModuleSize())
	})
	var out []triple
	for i, a := range cs {
		for j := i + 1; j < len(cs) && alike(a, cs[j]); j++ {
			for k := j + 1; k < len(cs) && alike(a, cs[k]); k++ {
				if t, ok := newTriple(a, cs[j], cs[k]); ok {
					out = append(out, t)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b triple) int { return cmp.Compare(a.score, b.score) })
	return out[:min(len(out), maxTriples)]
}

// alike reports whether the larger b may belong to the code of a: a perspective
// makes the farther patterns smaller.
func alike(a, b *detector.FinderPattern) bool {
	return b.GetEstimatedModuleSize() <= 1.7*a.GetEstimatedModuleSize()
}

func newTriple(a, b, c *detector.FinderPattern) (triple, bool) {
	p, q, r := gozxing.ResultPoint_OrderBestPatterns(a, b, c)
	t := triple{bl: p.(*detector.FinderPattern), tl: q.(*detector.FinderPattern), tr: r.(*detector.FinderPattern)}
	down, across := gozxing.ResultPoint_Distance(t.tl, t.bl), gozxing.ResultPoint_Distance(t.tl, t.tr)
	if down < 1 || across < 1 {
		return t, false
	}
	if n := t.modules(); n < 10 || n > 185 { // versions 1 to 40, less 7, with some play
		return t, false
	}
	cos := ((t.tr.GetX()-t.tl.GetX())*(t.bl.GetX()-t.tl.GetX()) + (t.tr.GetY()-t.tl.GetY())*(t.bl.GetY()-t.tl.GetY())) / (down * across)
	skew := math.Abs(math.Log(down / across))
	if math.Abs(cos) > 0.4 || skew > 0.5 {
		return t, false
	}
	t.score = math.Abs(cos) + skew + math.Log(c.GetEstimatedModuleSize()/a.GetEstimatedModuleSize())
	return t, true
}
