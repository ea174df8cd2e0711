package widgets

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	ftheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

const (
	jumpSide   = 36
	jumpHeight = jumpSide + 10 // with the count above it
)

// jumpButton leads down to the newest message and says how many are new.
type jumpButton struct {
	widget.BaseWidget
	tips    *Tips
	label   string
	tap     func()
	count   int
	hovered bool
	ground  *canvas.Circle
	icon    *canvas.Image
	badge   *badge
}

var (
	_ fyne.Tappable     = (*jumpButton)(nil)
	_ desktop.Hoverable = (*jumpButton)(nil)
	_ fyne.Accessible   = (*jumpButton)(nil)
)

func newJumpButton(tips *Tips, label string, tap func()) *jumpButton {
	b := &jumpButton{tips: tips, label: label, tap: tap, ground: canvas.NewCircle(color.Transparent), icon: canvas.NewImageFromResource(nil), badge: newBadge()}
	b.ExtendBaseWidget(b)
	b.Hide()
	return b
}

func (b *jumpButton) setCount(n int) {
	if b.count != n {
		b.count = n
		b.Refresh()
	}
}

func (b *jumpButton) show(on bool) {
	switch {
	case on && !b.Visible():
		b.Show()
	case !on && b.Visible():
		b.tips.Hide()
		b.Hide()
	}
}

// Tapped implements fyne.Tappable.
func (b *jumpButton) Tapped(*fyne.PointEvent) { b.tap() }

// AccessibilityLabel implements fyne.Accessible.
func (b *jumpButton) AccessibilityLabel() string { return b.label }

// AccessibilityRole implements fyne.Accessible.
func (b *jumpButton) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// MouseIn implements desktop.Hoverable.
func (b *jumpButton) MouseIn(*desktop.MouseEvent) {
	b.hovered = true
	b.tips.Show(b, b.label)
	b.Refresh()
}

// MouseMoved implements desktop.Hoverable.
func (b *jumpButton) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (b *jumpButton) MouseOut() {
	b.hovered = false
	b.tips.Hide()
	b.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (b *jumpButton) CreateRenderer() fyne.WidgetRenderer {
	r := &jumpRenderer{b}
	r.Refresh()
	return r
}

type jumpRenderer struct{ b *jumpButton }

func (r *jumpRenderer) Destroy()           {}
func (r *jumpRenderer) MinSize() fyne.Size { return fyne.NewSize(jumpSide, jumpHeight) }

func (r *jumpRenderer) Objects() []fyne.CanvasObject {
	b := r.b
	return []fyne.CanvasObject{b.ground, b.icon, b.badge.pill, b.badge.text}
}

func (r *jumpRenderer) Layout(s fyne.Size) {
	b := r.b
	top := s.Height - jumpSide
	b.ground.Move(fyne.NewPos(0, top))
	b.ground.Resize(fyne.NewSquareSize(jumpSide))
	b.icon.Move(fyne.NewPos((jumpSide-theme.Icon)/2, top+(jumpSide-theme.Icon)/2+1))
	b.icon.Resize(fyne.NewSquareSize(theme.Icon))
	w := b.badge.set(b.count)
	b.badge.place(s.Width/2+w/2, badgeHeight/2, w)
}

func (r *jumpRenderer) Refresh() {
	b := r.b
	b.ground.FillColor = theme.Color(ftheme.ColorNameOverlayBackground)
	if b.hovered {
		b.ground.FillColor = theme.Color(ftheme.ColorNameButton)
	}
	b.ground.StrokeWidth, b.ground.StrokeColor = 1, theme.Color(ftheme.ColorNameInputBorder)
	b.icon.Resource = icons.New(icons.Down)
	b.icon.Refresh()
	r.Layout(b.Size())
	canvas.Refresh(b)
}

// dayPill is the date that stays at the top while its day is scrolled.
type dayPill struct {
	box  *fyne.Container
	pill *canvas.Rectangle
	text *canvas.Text
}

func newDayPill() *dayPill {
	d := &dayPill{pill: canvas.NewRectangle(color.Transparent), text: newText(theme.SizeCaption, true)}
	d.pill.CornerRadius = pillHeight / 2
	d.box = &fyne.Container{Objects: []fyne.CanvasObject{d.pill, d.text}}
	d.box.Hide()
	return d
}

func (d *dayPill) set(text string) {
	if text == "" {
		if d.box.Visible() {
			d.box.Hide()
		}
		return
	}
	d.pill.FillColor = theme.Color(theme.ColorOther)
	d.pill.StrokeWidth, d.pill.StrokeColor = 1, theme.Color(ftheme.ColorNameSeparator)
	set(d.text, text, theme.ColorMutedOnTint)
	if !d.box.Visible() {
		d.box.Show()
	}
}

func (d *dayPill) place(width, y float32) {
	m := d.text.MinSize()
	d.pill.Resize(fyne.NewSize(m.Width+24, pillHeight))
	d.pill.Move(fyne.NewPos((width-m.Width-24)/2, y))
	put(d.text, (width-m.Width)/2, y+(pillHeight-m.Height)/2)
}
