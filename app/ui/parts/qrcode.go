package parts

import (
	"image"
	"image/color"
	"image/draw"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/qr"
)

// QRCode shows an invitation as a QR code, black on white in either theme: many
// readers fail on light codes. It is drawn in the screen's own pixels, each module
// a whole number of them, so that it is sharp at any scale.
type QRCode struct {
	widget.BaseWidget
	most   float32
	matrix *qr.Matrix
	raster *canvas.Raster
}

var _ fyne.Widget = (*QRCode)(nil)

// leastSide is the smallest side in dp: three pixels for each module of an
// invitation.
const leastSide = 195

// NewQRCode returns an empty white field, at most most dp wide; in a narrower
// place it shrinks. Place it in a Column.
func NewQRCode(most float32) *QRCode {
	q := &QRCode{most: most}
	q.raster = canvas.NewRaster(q.draw)
	q.ExtendBaseWidget(q)
	return q
}

// SetCode shows another code; "" shows none.
func (q *QRCode) SetCode(text string) error {
	q.matrix = nil
	if text != "" {
		m, err := qr.NewMatrix(text)
		if err != nil {
			return err
		}
		q.matrix = m
	}
	q.Refresh()
	return nil
}

// draw renders the code for a field of w × h real pixels.
func (q *QRCode) draw(w, h int) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, max(w, 1), max(h, 1)))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	if q.matrix == nil {
		return out
	}
	side := q.matrix.Size() + 2*qr.QuietZone
	code := q.matrix.Image(min(w, h) / side)
	at := image.Pt((w-code.Bounds().Dx())/2, (h-code.Bounds().Dy())/2)
	draw.Draw(out, code.Bounds().Add(at), code, image.Point{}, draw.Src)
	return out
}

// CreateRenderer implements fyne.Widget.
func (q *QRCode) CreateRenderer() fyne.WidgetRenderer { return &qrRenderer{q} }

type qrRenderer struct{ q *QRCode }

func (r *qrRenderer) Destroy() {}

func (r *qrRenderer) side(width float32) float32 { return max(leastSide, min(width, r.q.most)) }

// Layout keeps the field square and in the middle.
func (r *qrRenderer) Layout(s fyne.Size) {
	side := r.side(s.Width)
	r.q.raster.Resize(fyne.NewSquareSize(side))
	r.q.raster.Move(fyne.NewPos((s.Width-side)/2, (s.Height-side)/2))
}

func (r *qrRenderer) MinSize() fyne.Size           { return fyne.NewSize(leastSide, r.side(r.q.Size().Width)) }
func (r *qrRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.q.raster} }
func (r *qrRenderer) Refresh()                     { r.q.raster.Refresh() }
