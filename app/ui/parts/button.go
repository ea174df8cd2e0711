package parts

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Button is Fyne's, for people who use the keyboard: Enter presses it as Space
// does, a ring shows that it has the focus, and Escape goes on to the window or
// the modal, which a key would not reach otherwise.
type Button struct {
	widget.Button
	focused bool
}

// Enable lets buttons be pressed, or not.
func Enable(on bool, buttons ...*Button) {
	for _, b := range buttons {
		if on {
			b.Enable()
		} else {
			b.Disable()
		}
	}
}

// NewButton makes a button.
func NewButton(text string, f func()) *Button { return NewButtonWithIcon(text, nil, f) }

// NewButtonWithIcon makes a button with an icon before its text.
func NewButtonWithIcon(text string, icon fyne.Resource, f func()) *Button {
	b := &Button{}
	b.Text, b.Icon, b.OnTapped = text, icon, f
	b.ExtendBaseWidget(b)
	return b
}

// Primary is the one button of a screen that leads on.
func Primary(text string, f func()) *Button {
	b := NewButton(text, f)
	b.Importance = widget.HighImportance
	return b
}

// Quiet is a button without a ground.
func Quiet(text string, f func()) *Button {
	b := NewButton(text, f)
	b.Importance = widget.LowImportance
	return b
}

// FocusGained implements fyne.Focusable.
func (b *Button) FocusGained() { b.focused = true; b.Button.FocusGained() }

// FocusLost implements fyne.Focusable.
func (b *Button) FocusLost() { b.focused = false; b.Button.FocusLost() }

// TypedKey implements fyne.Focusable.
func (b *Button) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		b.Tapped(nil)
	case fyne.KeyEscape:
		PassKey(b, e)
	default:
		b.Button.TypedKey(e)
	}
}

// PassKey hands a key on from what has the focus to the window, or to the modal
// over it.
func PassKey(from fyne.CanvasObject, e *fyne.KeyEvent) {
	c := fyne.CurrentApp().Driver().CanvasForObject(from)
	if c != nil && c.OnTypedKey() != nil {
		c.OnTypedKey()(e)
	}
}

// CreateRenderer implements fyne.Widget.
func (b *Button) CreateRenderer() fyne.WidgetRenderer {
	inner := b.Button.CreateRenderer()
	r := &buttonRenderer{WidgetRenderer: inner, b: b, ring: canvas.NewRectangle(color.Transparent)}
	r.objects = append(inner.Objects(), r.ring)
	r.paint()
	return r
}

type buttonRenderer struct {
	fyne.WidgetRenderer
	b       *Button
	ring    *canvas.Rectangle
	objects []fyne.CanvasObject
}

func (r *buttonRenderer) Objects() []fyne.CanvasObject { return r.objects }

func (r *buttonRenderer) Layout(s fyne.Size) {
	r.WidgetRenderer.Layout(s)
	r.ring.Resize(s)
}

func (r *buttonRenderer) Refresh() {
	r.paint()
	r.WidgetRenderer.Refresh()
}

// paint colours the ring so that it stands out from the button's ground.
func (r *buttonRenderer) paint() {
	name := theme.ColorNamePrimary
	if i := r.b.Importance; i == widget.HighImportance || i == widget.DangerImportance {
		name = theme.ColorNameForeground
	}
	ring := r.ring
	ring.Hidden = !r.b.focused
	ring.StrokeWidth, ring.CornerRadius = 2, r.b.Theme().Size(theme.SizeNameButtonRadius)
	ring.StrokeColor = r.b.Theme().Color(name, fyne.CurrentApp().Settings().ThemeVariant())
	ring.Refresh()
}
