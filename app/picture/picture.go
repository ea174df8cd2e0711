// Package picture makes small pictures of large ones, and takes out of photos what
// does not show: where and when they were taken, with what, by whom.
//
// It promises: no picture is decoded before its dimensions were checked; what
// comes from others is looked at no further than its dimensions, unless this person
// opens it (View); what Strip writes holds nothing but the picture.
package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // decodes them
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // decodes them
)

// Limits.
const (
	// MaxPixels is the largest picture that is decoded: 200 MB while that lasts.
	MaxPixels = 50_000_000
	// MaxSide is the largest side of a small picture that is taken from others,
	// thumbnailSide that of one made here, in pixels.
	MaxSide       = 1024
	thumbnailSide = 320
	// viewSide is the largest side of a picture to be looked at, in pixels.
	viewSide = 2048
)

// Errors a caller decides on.
var (
	// ErrNone says that it is no picture that can be decoded.
	ErrNone = errors.New("picture: not a picture that is known")
	// ErrTooLarge says that it has too many pixels, or cannot be made small enough.
	ErrTooLarge = errors.New("picture: too large")
	// ErrMalformed says that the picture's file is damaged.
	ErrMalformed = errors.New("picture: file is damaged")
)

// Kind tells the media type of a picture by its first bytes (16 are enough), "" if
// it is none that this package knows.
func Kind(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case bytes.HasPrefix(head, []byte(pngSignature)):
		return "image/png"
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		return "image/gif"
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return "image/webp"
	case len(head) >= 12 && string(head[4:8]) == "ftyp":
		return heifBrands[string(head[8:12])]
	}
	return ""
}

// Thumbnail makes a JPEG or PNG of at most limit bytes from a picture. It reads
// from r's start. ErrNone, ErrTooLarge or ErrMalformed.
func Thumbnail(r io.ReadSeeker, limit int) ([]byte, error) {
	return smaller(r, thumbnailSide, limit)
}

// View makes a JPEG of at most limit bytes, and 2048 pixels on a side, from a picture
// that this person wants to see; whoever sent it may mean harm. It reads from r's
// start. ErrNone, ErrTooLarge or ErrMalformed.
func View(r io.ReadSeeker, limit int) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil { // a decoder that a picture was made to break
			out, err = nil, fmt.Errorf("%w: %v", ErrMalformed, p)
		}
	}()
	return smaller(r, viewSide, limit)
}

// smaller makes a JPEG of at most limit bytes that fits into a square; where that
// does not suffice, into a smaller one.
func smaller(r io.ReadSeeker, side, limit int) ([]byte, error) {
	img, err := decode(r)
	if err != nil {
		return nil, err
	}
	for ; side >= 40; side /= 2 {
		small := scale(img, side)
		for _, quality := range []int{80, 60, 40} {
			var out bytes.Buffer
			if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: quality}); err != nil {
				return nil, fmt.Errorf("picture: encode: %w", err)
			}
			if out.Len() <= limit {
				return out.Bytes(), nil
			}
		}
	}
	return nil, ErrTooLarge
}

func decode(r io.ReadSeeker) (image.Image, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("picture: %w", err)
	}
	cfg, _, err := image.DecodeConfig(r)
	if errors.Is(err, image.ErrFormat) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if cfg.Width < 1 || cfg.Height < 1 || cfg.Width > MaxPixels/cfg.Height {
		return nil, fmt.Errorf("%w: %d × %d", ErrTooLarge, cfg.Width, cfg.Height)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("picture: %w", err)
	}
	img, _, err := image.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	orientation := 1
	if _, err := r.Seek(0, io.SeekStart); err == nil {
		orientation = jpegOrientation(r)
	}
	return oriented{img, orientation}, nil
}

// scale fits a picture into a square, on white where it is transparent.
func scale(img image.Image, side int) image.Image {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if w > side || h > side {
		if w > h {
			w, h = side, max(1, h*side/w)
		} else {
			w, h = max(1, w*side/h), side
		}
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	draw.ApproxBiLinear.Scale(out, out.Bounds(), img, b, draw.Over, nil)
	return out
}

// CheckThumbnail returns an error unless b is a JPEG or PNG that may be decoded.
// Only its dimensions are read.
func CheckThumbnail(b []byte) error {
	var cfg image.Config
	var err error
	switch Kind(b) {
	case "image/jpeg":
		cfg, err = jpeg.DecodeConfig(bytes.NewReader(b))
	case "image/png":
		cfg, err = png.DecodeConfig(bytes.NewReader(b))
	default:
		return ErrNone
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	case cfg.Width < 1 || cfg.Height < 1 || cfg.Width > MaxSide || cfg.Height > MaxSide:
		return fmt.Errorf("%w: %d × %d", ErrTooLarge, cfg.Width, cfg.Height)
	}
	return nil
}
