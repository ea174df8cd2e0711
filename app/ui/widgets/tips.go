package widgets

import (
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// tipDelay is how long the pointer rests on something before its name is shown.
const tipDelay = 500 * time.Millisecond

// Later runs f on the UI thread after d unless stop is called before.
type Later func(d time.Duration, f func()) (stop func())

// Tips shows the names of icons. Its Layer lies above the whole window.
type Tips struct {
	Layer *fyne.Container
	later Later
	stop  func()
	pill  *canvas.Rectangle
	text  *canvas.Text
}

// NewTips makes a hidden layer.
func NewTips(later Later) *Tips {
	t := &Tips{later: later, pill: canvas.NewRectangle(color.Transparent), text: newText(theme.SizeStatus, false)}
	t.pill.CornerRadius = 6
	t.Layer = &fyne.Container{Objects: []fyne.CanvasObject{t.pill, t.text}}
	t.pill.Hide()
	t.text.Hide()
	return t
}

// Show shows a text at an object after a moment.
func (t *Tips) Show(at fyne.CanvasObject, text string) {
	t.Hide()
	if t.later == nil || text == "" {
		return
	}
	t.stop = t.later(tipDelay, func() { t.show(at, text) })
}

func (t *Tips) show(at fyne.CanvasObject, text string) {
	d := fyne.CurrentApp().Driver()
	pos := d.AbsolutePositionForObject(at).Subtract(d.AbsolutePositionForObject(t.Layer))
	set(t.text, text, theme.ColorOnTip)
	m := t.text.MinSize()
	size := fyne.NewSize(m.Width+16, m.Height+8)
	x := min(max(4, pos.X+at.Size().Width/2-size.Width/2), t.Layer.Size().Width-size.Width-4)
	y := pos.Y + at.Size().Height + 4
	if y+size.Height > t.Layer.Size().Height {
		y = pos.Y - size.Height - 4
	}
	t.pill.FillColor = theme.Color(theme.ColorTip)
	t.pill.Resize(size)
	t.pill.Move(fyne.NewPos(x, y))
	put(t.text, x+8, y+4)
	t.pill.Show()
	t.text.Show()
	t.Layer.Refresh()
}

// Hide takes the text away.
func (t *Tips) Hide() {
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
	if t.pill.Visible() {
		t.pill.Hide()
		t.text.Hide()
		t.Layer.Refresh()
	}
}
