package qr

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"
)

// A code drawn in a terminal is read back from the characters alone.
func TestTerminal(t *testing.T) {
	const text = "KUVERT-NODE:ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	m, err := NewMatrix(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, colour := range []bool{false, true} {
		out := strings.NewReplacer("\x1b[30;107m", "", "\x1b[0m", "").Replace(m.Terminal(colour))
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		img := photograph(lines, colour)
		bmp, err := gozxing.NewBinaryBitmapFromImage(img)
		if err != nil {
			t.Fatal(err)
		}
		got, err := zxing.NewQRCodeReader().Decode(bmp, nil)
		if err != nil || got.GetText() != text {
			t.Errorf("colour %v: %v, %v", colour, got, err)
		}
	}
}

// photograph turns block characters into pixels, four a module.
func photograph(lines []string, colour bool) image.Image {
	const scale = 4
	width := len([]rune(lines[0]))
	img := image.NewGray(image.Rect(0, 0, width*scale, 2*len(lines)*scale))
	for row, line := range lines {
		for x, r := range []rune(line) {
			for half := range 2 {
				inked := r == '█' || (r == '▀' && half == 0) || (r == '▄' && half == 1)
				if inked != colour { // ink is light on a dark ground, or black on white
					fill(img, image.Rect(x, 2*row+half, x+1, 2*row+half+1), scale)
				}
			}
		}
	}
	return img
}

func fill(img *image.Gray, r image.Rectangle, scale int) {
	for y := r.Min.Y * scale; y < r.Max.Y*scale; y++ {
		for x := r.Min.X * scale; x < r.Max.X*scale; x++ {
			img.SetGray(x, y, color.Gray{255})
		}
	}
}
