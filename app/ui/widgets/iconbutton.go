package widgets

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	ftheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// badgeOver is how far a count sticks out of the button's corner.
const badgeOver = 4

// IconButton is an icon of 20 dp in a place of 36 to press, with its name as a
// tooltip. Space and Enter press it when it has the focus.
type IconButton struct {
	widget.DisableableWidget
	icon    icons.Name
	label   string
	tips    *Tips
	OnTap   func()
	color   fyne.ThemeColorName
	primary bool // filled, for the one thing to do
	hovered bool
	focused bool
	side    float32
	count   int
}

var (
	_ fyne.Tappable     = (*IconButton)(nil)
	_ fyne.Focusable    = (*IconButton)(nil)
	_ desktop.Hoverable = (*IconButton)(nil)
	_ fyne.Accessible   = (*IconButton)(nil)
)

// NewIconButton makes a button; label is what a tooltip says.
func NewIconButton(tips *Tips, icon icons.Name, label string, tap func()) *IconButton {
	b := &IconButton{icon: icon, label: label, tips: tips, OnTap: tap, color: ftheme.ColorNameForeground, side: theme.HitArea}
	b.ExtendBaseWidget(b)
	return b
}

// SetIcon changes the icon and what the tooltip says.
func (b *IconButton) SetIcon(icon icons.Name, label string) {
	b.icon, b.label = icon, label
	b.Refresh()
}

// Mark shows a count at the button's corner, nothing if it is 0, and what the
// tooltip says meanwhile.
func (b *IconButton) Mark(count int, label string) {
	b.count, b.label = count, label
	b.Refresh()
}

// AccessibilityLabel implements fyne.Accessible.
func (b *IconButton) AccessibilityLabel() string { return b.label }

// AccessibilityRole implements fyne.Accessible.
func (b *IconButton) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// Tapped implements fyne.Tappable.
func (b *IconButton) Tapped(*fyne.PointEvent) {
	b.tips.Hide()
	if !b.Disabled() && b.OnTap != nil {
		b.OnTap()
	}
}

// FocusGained implements fyne.Focusable.
func (b *IconButton) FocusGained() { b.focused = true; b.Refresh() }

// FocusLost implements fyne.Focusable.
func (b *IconButton) FocusLost() { b.focused = false; b.Refresh() }

// TypedRune implements fyne.Focusable.
func (b *IconButton) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (b *IconButton) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		b.Tapped(nil)
	case fyne.KeyEscape:
		parts.PassKey(b, e)
	}
}

// MouseIn implements desktop.Hoverable.
func (b *IconButton) MouseIn(*desktop.MouseEvent) {
	b.hovered = true
	b.tips.Show(b, b.label)
	b.Refresh()
}

// MouseMoved implements desktop.Hoverable.
func (b *IconButton) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (b *IconButton) MouseOut() {
	b.hovered = false
	b.tips.Hide()
	b.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (b *IconButton) CreateRenderer() fyne.WidgetRenderer {
	r := &iconButtonRenderer{b: b, ground: canvas.NewRectangle(color.Transparent), icon: canvas.NewImageFromResource(nil), badge: newBadge()}
	r.ground.CornerRadius = 10
	r.Refresh()
	return r
}

type iconButtonRenderer struct {
	b      *IconButton
	ground *canvas.Rectangle
	icon   *canvas.Image
	badge  *badge
}

func (r *iconButtonRenderer) Destroy() {}

func (r *iconButtonRenderer) Layout(s fyne.Size) {
	side := min(s.Width, s.Height, r.b.side)
	at := fyne.NewPos((s.Width-side)/2, (s.Height-side)/2)
	r.ground.Move(at)
	r.ground.Resize(fyne.NewSquareSize(side))
	off := (side - theme.Icon) / 2
	r.icon.Move(at.AddXY(off, off))
	r.icon.Resize(fyne.NewSquareSize(theme.Icon))
	r.badge.place(at.X+side+badgeOver, at.Y+badgeHeight/2-badgeOver, r.badge.set(r.b.count))
}

func (r *iconButtonRenderer) MinSize() fyne.Size { return fyne.NewSquareSize(r.b.side) }

func (r *iconButtonRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.ground, r.icon, r.badge.pill, r.badge.text}
}

func (r *iconButtonRenderer) Refresh() {
	c := r.b.color
	r.ground.FillColor, r.ground.StrokeWidth = seeThrough(ftheme.ColorNamePrimary), 0
	switch {
	case r.b.Disabled():
		c = ftheme.ColorNameDisabled
	case r.b.primary:
		c = ftheme.ColorNameForegroundOnPrimary
		r.ground.FillColor = theme.Color(ftheme.ColorNamePrimary)
	case r.b.hovered:
		r.ground.FillColor = theme.Color(ftheme.ColorNameHover)
	}
	if r.b.focused {
		r.ground.StrokeWidth, r.ground.StrokeColor = 2, theme.Color(ftheme.ColorNamePrimary)
		if r.b.primary {
			r.ground.StrokeColor = theme.Color(ftheme.ColorNameForeground)
		}
	}
	r.icon.Resource = icons.Colored(r.b.icon, c)
	r.Layout(r.b.Size())
	r.ground.Refresh()
	r.icon.Refresh()
}
