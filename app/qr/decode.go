package qr

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Sides in pixels at which a picture is looked at. An invitation has 57 modules;
// it is found from about 2.5 pixels a module.
const (
	firstSide = 1200
	fineSide  = 2400
	roughSide = 700
	smallSide = 900 // smaller pictures are looked at enlarged as well
	tileSide  = 2000
)

// Decode finds the one invitation in a picture file (PNG, JPEG, GIF, BMP, WebP).
// Errors: chat.ErrNoQRCode, a *ForeignError, ErrSeveral, ErrNoPicture,
// ErrTooLarge, or the context's. It may take seconds of processor time on a large
// photograph without any code; ctx ends it early.
func Decode(ctx context.Context, data []byte) (string, error) {
	img, err := Open(data)
	if err != nil {
		return "", err
	}
	return DecodeImage(ctx, img)
}

// DecodeImage is Decode for a picture that is open already.
func DecodeImage(ctx context.Context, img image.Image) (text string, err error) {
	if err := checkBounds(img.Bounds()); err != nil {
		return "", err
	}
	defer recoverAs(&err)
	s := search{ctx: ctx}
	if s.run(toGray(img)) {
		return s.result()
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("qr: %w", err)
	}
	return s.result()
}

// search is the work on one picture.
type search struct {
	ctx     context.Context
	codes   []string // invitations, distinct
	foreign []string
}

func (s *search) result() (string, error) {
	switch {
	case len(s.codes) > 1:
		return "", fmt.Errorf("qr: %d codes: %w", len(s.codes), ErrSeveral)
	case len(s.codes) == 1:
		return s.codes[0], nil
	case len(s.foreign) > 0:
		return "", &ForeignError{Text: s.foreign[0]}
	}
	return "", chat.ErrNoQRCode
}

// run looks at the picture at several scales, then turned, then in tiles, and
// stops at the first look that shows an invitation. A picture with a foreign code
// is not turned: its codes are readable as it is.
func (s *search) run(g *gray) bool {
	for _, side := range sides(g.long()) {
		if s.look(g.scaled(side), hybrid, adaptive, global) {
			return true
		}
	}
	if len(s.foreign) > 0 {
		return false
	}
	for _, side := range []int{firstSide, roughSide} {
		for _, angle := range []float64{45, 22.5, 67.5} {
			if small := g.scaled(min(side, g.long())); s.look(small.rotated(angle), hybrid, adaptive) {
				return true
			}
		}
	}
	return s.tiles(g)
}

// sides lists the scales for a picture of that size, the likeliest first.
func sides(long int) []int {
	out := []int{min(long, firstSide)}
	add := func(side int) {
		if !slices.Contains(out, side) {
			out = append(out, side)
		}
	}
	add(min(long, fineSide))
	if long > roughSide {
		add(roughSide)
	}
	if long <= smallSide {
		add(2 * long)
		add(3 * long)
	}
	return out
}

// tiles looks at overlapping parts in full size: a small code in a large
// screenshot or photograph.
func (s *search) tiles(g *gray) bool {
	if g.long() <= fineSide {
		return false
	}
	for y := 0; ; y += tileSide / 2 {
		for x := 0; ; x += tileSide / 2 {
			r := image.Rect(x, y, min(x+tileSide, g.w), min(y+tileSide, g.h))
			if s.look(g.crop(r), hybrid, adaptive) {
				return true
			}
			if r.Max.X == g.w {
				break
			}
		}
		if y+tileSide >= g.h {
			return false
		}
	}
}

// look tries each binarizer, dark on light and light on dark.
func (s *search) look(g *gray, bs ...binarizer) bool {
	for _, b := range bs {
		if s.ctx.Err() != nil {
			return false
		}
		m, err := b(g)
		if err != nil {
			continue
		}
		s.note(scan(m))
		if len(s.codes) == 0 {
			m.FlipAll()
			s.note(scan(m))
		}
		if len(s.codes) > 0 {
			return true
		}
	}
	return false
}

func (s *search) note(texts []string) {
	for _, t := range texts {
		to := &s.foreign
		if IsInvitation(t) {
			to = &s.codes
			t = strings.TrimSpace(t)
		}
		if !slices.Contains(*to, t) {
			*to = append(*to, t)
		}
	}
}

// IsInvitation reports whether text begins like an invitation, in any case.
func IsInvitation(text string) bool {
	t := strings.TrimSpace(text)
	return len(t) > len(Prefix) && strings.EqualFold(t[:len(Prefix)], Prefix)
}

// IsNoCode reports whether err says that a picture was read but holds no
// invitation that can be taken: none, a foreign one, or several.
func IsNoCode(err error) bool {
	return errors.Is(err, chat.ErrNoQRCode) || errors.Is(err, ErrForeign) || errors.Is(err, ErrSeveral)
}
