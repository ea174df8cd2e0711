// Package qr turns invitations into QR codes and finds them again in pictures.
//
// An invitation is the text KUVERT: followed by upper-case base32
// (docs/protocol, "Invitations"): all of it lies in QR's alphanumeric alphabet,
// which keeps a code of 291 characters at 57 modules a side. Codes follow
// ISO/IEC 18004 with a quiet zone of four modules; every module is a whole number
// of pixels.
//
// Reading takes what people have: a photograph of a screen, a screenshot of a
// chat window, a scan of a print. It never trusts the picture: a file's size and
// its dimensions are checked before anything is allocated, the work on one
// picture is bounded, and a fault in a decoder is an error, not a crash.
package qr

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// Prefix begins every invitation.
const Prefix = "KUVERT:"

const (
	// MaxCode is the longest text that Encode takes, in characters. The protocol's
	// longest invitation has 291; denser codes no longer scan well from a screen.
	MaxCode = 320
	// QuietZone is the white border in modules that ISO/IEC 18004 asks for.
	QuietZone = 4
	// maxPixels bounds the side of an encoded picture.
	maxPixels = 4096
)

// Errors of this package. A picture without any code is chat.ErrNoQRCode.
var (
	// ErrNotEncodable: the text is empty, too long or outside QR's alphanumeric
	// alphabet.
	ErrNotEncodable = errors.New("text does not fit into a QR code")
	// ErrNoPicture: the bytes are no picture of a known format, or a damaged one.
	ErrNoPicture = errors.New("not a picture that can be read")
	// ErrTooLarge: the file or its dimensions are beyond MaxFile or MaxPixels.
	ErrTooLarge = errors.New("picture is too large")
	// ErrSeveral: more than one invitation is in the picture.
	ErrSeveral = errors.New("several invitations in one picture")
	// ErrForeign: there is a QR code, but no invitation; see ForeignError.
	ErrForeign = errors.New("QR code is not an invitation")
)

// ForeignError says that a picture holds a QR code that is no invitation. It
// wraps ErrForeign.
type ForeignError struct {
	// Text is what the code says. It is hostile input: show it as text at most.
	Text string
}

// Error implements error without the code's text, which may be private.
func (e *ForeignError) Error() string { return ErrForeign.Error() }

// Unwrap returns ErrForeign.
func (e *ForeignError) Unwrap() error { return ErrForeign }

// IsWeb reports whether the code is a link to a web page.
func (e *ForeignError) IsWeb() bool {
	t := strings.ToLower(strings.TrimSpace(e.Text))
	return strings.HasPrefix(t, "http://") || strings.HasPrefix(t, "https://") || strings.HasPrefix(t, "www.")
}

// Matrix is a QR code, a bool for each module, true is dark, without quiet zone.
type Matrix struct {
	size int
	dark []bool
}

// NewMatrix encodes text with error correction level M (15 %).
func NewMatrix(text string) (*Matrix, error) {
	if text == "" || len(text) > MaxCode {
		return nil, fmt.Errorf("qr: %d characters: %w", len(text), ErrNotEncodable)
	}
	code, err := qr.Encode(text, qr.M, qr.AlphaNumeric)
	if err != nil {
		return nil, fmt.Errorf("qr: encode: %w", errors.Join(ErrNotEncodable, err))
	}
	m := &Matrix{size: code.Bounds().Dx()}
	m.dark = make([]bool, m.size*m.size)
	for i := range m.dark {
		r, _, _, _ := code.At(i%m.size, i/m.size).RGBA()
		m.dark[i] = r < 0x8000
	}
	return m, nil
}

// Size is the number of modules on a side, without the quiet zone.
func (m *Matrix) Size() int { return m.size }

// Image draws the code black on white with scale pixels a module (at least 1) and
// the quiet zone around it.
func (m *Matrix) Image(scale int) *image.Paletted {
	side := m.size + 2*QuietZone
	scale = max(1, min(scale, maxPixels/side))
	img := image.NewPaletted(image.Rect(0, 0, side*scale, side*scale), color.Palette{color.White, color.Black})
	for i, dark := range m.dark {
		if !dark {
			continue
		}
		x, y := (i%m.size+QuietZone)*scale, (i/m.size+QuietZone)*scale
		for row := y; row < y+scale; row++ {
			line := img.Pix[row*img.Stride+x:][:scale]
			for p := range line {
				line[p] = 1
			}
		}
	}
	return img
}

// Encode draws text as a QR code that is at most pixels wide and high, with the
// largest whole number of pixels a module that fits, at least one.
func Encode(text string, pixels int) (image.Image, error) {
	m, err := NewMatrix(text)
	if err != nil {
		return nil, err
	}
	return m.Image(pixels / (m.size + 2*QuietZone)), nil
}
