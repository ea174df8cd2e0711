package ui

import (
	"bytes"
	"context"
	"image"
	_ "image/jpeg" // what thumbnails are
	_ "image/png"

	"golang.org/x/image/draw"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// maxThumbs is how many thumbnails are remembered, of at most thumbWidth ×
// thumbHeight pixels: 16 MB at most.
const (
	maxThumbs   = 64
	thumbWidth  = widgets.PictureWidth
	thumbHeight = widgets.PictureHeight
)

// thumbs remembers the thumbnails that were on screen last. It belongs to the UI
// thread.
type thumbs struct {
	got   map[fileKey]image.Image // nil: being loaded, or there is none
	order []fileKey               // the one that was shown longest ago comes first
}

// find returns a thumbnail; known is false if it was not asked for yet.
func (s *thumbs) find(k fileKey) (img image.Image, known bool) {
	img, known = s.got[k]
	if known {
		s.touch(k)
	}
	return img, known
}

func (s *thumbs) touch(k fileKey) {
	for i, o := range s.order {
		if o == k {
			copy(s.order[i:], s.order[i+1:])
			s.order[len(s.order)-1] = k
			return
		}
	}
	s.order = append(s.order, k)
}

func (s *thumbs) put(k fileKey, img image.Image) {
	if s.got == nil {
		s.got = map[fileKey]image.Image{}
	}
	s.got[k] = img
	s.touch(k)
	if len(s.order) > maxThumbs {
		delete(s.got, s.order[0])
		s.order = s.order[1:]
	}
}

// thumbnail returns a file's thumbnail. One that is not there is loaded, and the
// bubble painted when it came.
func (c *conversation) thumbnail(id chat.MessageID, place int) image.Image {
	k := fileKey{id, place}
	img, known := c.thumbs.find(k)
	if known {
		return img
	}
	c.thumbs.put(k, nil)
	c.u.pump.Work(func(ctx context.Context) func() {
		data, err := c.u.cfg.Client.FilePicture(ctx, id, place)
		if err != nil {
			return nil // the bubble keeps the icon in its place
		}
		img, err := thumbnail(data)
		if err != nil {
			return nil
		}
		return func() {
			if _, wanted := c.thumbs.got[k]; wanted {
				c.thumbs.put(k, img)
				c.history.Repaint(id)
			}
		}
	})
	return nil
}

// thumbnail decodes a thumbnail, whose dimensions the core has checked, and cuts
// out what a bubble shows of it.
func thumbnail(data []byte) (image.Image, error) {
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	b := cover(img.Bounds())
	w, h := b.Dx(), b.Dy()
	if w > thumbWidth {
		w, h = thumbWidth, thumbHeight
	}
	out := image.NewRGBA(image.Rect(0, 0, max(1, w), max(1, h)))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	draw.ApproxBiLinear.Scale(out, out.Bounds(), img, b, draw.Over, nil)
	return out, nil
}

// cover is the middle of a picture in the shape that bubbles show.
func cover(b image.Rectangle) image.Rectangle {
	w, h := b.Dx(), b.Dy()
	if w*thumbHeight > h*thumbWidth {
		w = max(1, h*thumbWidth/thumbHeight)
	} else {
		h = max(1, w*thumbHeight/thumbWidth)
	}
	x, y := b.Min.X+(b.Dx()-w)/2, b.Min.Y+(b.Dy()-h)/2
	return image.Rect(x, y, x+w, y+h)
}
