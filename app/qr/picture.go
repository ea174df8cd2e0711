package qr

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
)

const (
	// MaxFile is the largest picture file that is read, in bytes. A photograph of
	// a present telephone has 3 to 15 MiB.
	MaxFile = 32 << 20
	// MaxPixels is the largest picture that is decoded: width × height. A
	// photograph of a present telephone has 12 to 50 million.
	MaxPixels = 64_000_000
	// maxDecoded bounds the memory of the decoded picture, in bytes, for formats
	// with 16 bits a channel.
	maxDecoded = 256 << 20
	// maxSide bounds either side, so that a picture of one row stays cheap.
	maxSide = 32_768
)

// format is a picture format that Open knows. The list is closed on purpose: the
// registry of package image holds whatever other packages of the program add.
type format struct {
	name   string
	magic  string // '?' matches any byte
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var formats = []format{
	{"png", "\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode},
	{"jpeg", "\xff\xd8\xff", jpeg.DecodeConfig, jpeg.Decode},
	{"gif", "GIF8?a", gif.DecodeConfig, gif.Decode},
	{"webp", "RIFF????WEBPVP8", webp.DecodeConfig, webp.Decode},
	{"bmp", "BM????\x00\x00\x00\x00", bmp.DecodeConfig, bmp.Decode},
}

func sniff(data []byte) *format {
	for i := range formats {
		if hasMagic(data, formats[i].magic) {
			return &formats[i]
		}
	}
	return nil
}

func hasMagic(data []byte, magic string) bool {
	if len(data) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != data[i] {
			return false
		}
	}
	return true
}

// IsPicture reports whether data begins like a picture that Open knows.
func IsPicture(data []byte) bool { return sniff(data) != nil }

// Open decodes a PNG, JPEG, GIF (its first frame), BMP or WebP picture. The
// dimensions are checked before the pixels are allocated. Errors wrap
// ErrNoPicture or ErrTooLarge.
func Open(data []byte) (img image.Image, err error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("qr: file of %d bytes: %w", len(data), ErrTooLarge)
	}
	f := sniff(data)
	if f == nil {
		return nil, fmt.Errorf("qr: unknown format: %w", ErrNoPicture)
	}
	defer recoverAs(&err)
	cfg, err := f.config(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("qr: %s header: %w", f.name, errors.Join(ErrNoPicture, err))
	}
	if err := checkConfig(cfg); err != nil {
		return nil, err
	}
	img, err = f.decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("qr: %s: %w", f.name, errors.Join(ErrNoPicture, err))
	}
	return img, checkBounds(img.Bounds())
}

// checkConfig refuses what would take too much memory. Products are in int64, so
// that they cannot wrap on 32-bit machines.
func checkConfig(cfg image.Config) error {
	if err := checkBounds(image.Rect(0, 0, cfg.Width, cfg.Height)); err != nil {
		return err
	}
	per := int64(4)
	switch cfg.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model:
		per = 8
	}
	if int64(cfg.Width)*int64(cfg.Height)*per > maxDecoded {
		return fmt.Errorf("qr: %d×%d, %d bytes a pixel: %w", cfg.Width, cfg.Height, per, ErrTooLarge)
	}
	return nil
}

func checkBounds(r image.Rectangle) error {
	w, h := int64(r.Dx()), int64(r.Dy())
	if w <= 0 || h <= 0 {
		return fmt.Errorf("qr: %d×%d pixels: %w", w, h, ErrNoPicture)
	}
	if w > maxSide || h > maxSide || w*h > MaxPixels {
		return fmt.Errorf("qr: %d×%d pixels: %w", w, h, ErrTooLarge)
	}
	return nil
}

// recoverAs turns a panic of a decoder into an error: pictures come from
// strangers, and a fault in a decoder must not end the program.
func recoverAs(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("qr: decoder failed: %v: %w", p, ErrNoPicture)
	}
}

// ReadFile reads a file of at most limit bytes; beyond that the error wraps
// ErrTooLarge. Only regular files are read: a pipe or a device could block for
// ever.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("qr: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("qr: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("qr: not a regular file: %w", ErrNoPicture)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("qr: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("qr: file over %d bytes: %w", limit, ErrTooLarge)
	}
	return data, nil
}
