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

// MenuChip is a filter that is chosen from a menu. It says what is chosen, or its
// name while everything is let through.
type MenuChip struct {
	widget.BaseWidget
	name             string
	value            string // "": nothing is chosen
	tips             *Tips
	focused, hovered bool
	ground           *canvas.Rectangle
	text             *canvas.Text
	arrow            *Picture
	// OnTap is called to open the menu, or to switch the filter.
	OnTap func()
}

var (
	_ fyne.Tappable     = (*MenuChip)(nil)
	_ fyne.Focusable    = (*MenuChip)(nil)
	_ desktop.Hoverable = (*MenuChip)(nil)
	_ fyne.Accessible   = (*MenuChip)(nil)
)

// NewMenuChip makes a chip with a name.
func NewMenuChip(tips *Tips, name string) *MenuChip {
	c := &MenuChip{name: name, tips: tips, ground: canvas.NewRectangle(color.Transparent), text: newText(theme.SizeStatus, false)}
	c.ground.CornerRadius = chipHeight / 2
	c.arrow = NewPicture(icons.Colored(icons.Down, theme.ColorMuted))
	c.arrow.side = 12
	c.ExtendBaseWidget(c)
	return c
}

// Set says what is chosen; "" for nothing.
func (c *MenuChip) Set(value string) {
	if c.value != value {
		c.value = value
		c.Refresh()
	}
}

// Value is what is chosen.
func (c *MenuChip) Value() string { return c.value }

// AccessibilityLabel implements fyne.Accessible.
func (c *MenuChip) AccessibilityLabel() string {
	if c.value == "" {
		return c.name
	}
	return c.name + ": " + c.value
}

// AccessibilityRole implements fyne.Accessible.
func (c *MenuChip) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// Tapped implements fyne.Tappable.
func (c *MenuChip) Tapped(*fyne.PointEvent) {
	c.tips.Hide()
	if c.OnTap != nil {
		c.OnTap()
	}
}

// FocusGained implements fyne.Focusable.
func (c *MenuChip) FocusGained() { c.focused = true; c.Refresh() }

// FocusLost implements fyne.Focusable.
func (c *MenuChip) FocusLost() { c.focused = false; c.Refresh() }

// TypedRune implements fyne.Focusable.
func (c *MenuChip) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (c *MenuChip) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter, fyne.KeyDown:
		c.Tapped(nil)
	default:
		parts.PassKey(c, e)
	}
}

// MouseIn implements desktop.Hoverable.
func (c *MenuChip) MouseIn(*desktop.MouseEvent) {
	c.hovered = true
	c.tips.Show(c, c.AccessibilityLabel())
	c.Refresh()
}

// MouseMoved implements desktop.Hoverable.
func (c *MenuChip) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (c *MenuChip) MouseOut() {
	c.hovered = false
	c.tips.Hide()
	c.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (c *MenuChip) CreateRenderer() fyne.WidgetRenderer {
	r := &menuChipRenderer{c}
	r.Refresh()
	return r
}

type menuChipRenderer struct{ c *MenuChip }

const (
	menuChipPad  = 9
	menuArrow    = 12
	menuArrowGap = 3
)

func (r *menuChipRenderer) Destroy()           {}
func (r *menuChipRenderer) MinSize() fyne.Size { return fyne.NewSize(48, chipHeight) }
func (r *menuChipRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.c.ground, r.c.text, r.c.arrow}
}

func (r *menuChipRenderer) Layout(s fyne.Size) {
	c := r.c
	c.ground.Resize(s)
	label := c.value
	if label == "" {
		label = c.name
	}
	c.text.Text = ellipsis(label, s.Width-2*menuChipPad-menuArrow-menuArrowGap, theme.SizeStatus, c.text.TextStyle.Bold)
	m := c.text.MinSize()
	x := (s.Width - m.Width - menuArrow - menuArrowGap) / 2
	put(c.text, x, (s.Height-m.Height)/2)
	c.arrow.Resize(fyne.NewSquareSize(menuArrow))
	c.arrow.Move(fyne.NewPos(x+m.Width+menuArrowGap, (s.Height-menuArrow)/2+1))
}

// Refresh shows a chosen filter by weight as well as by colour.
func (r *menuChipRenderer) Refresh() {
	c := r.c
	fg := theme.ColorMuted
	c.ground.FillColor, c.ground.StrokeWidth, c.ground.StrokeColor = seeThrough(ftheme.ColorNamePrimary), 1, theme.Color(ftheme.ColorNameSeparator)
	switch {
	case c.value != "":
		fg = theme.ColorPrimaryOnTint
		c.ground.FillColor, c.ground.StrokeWidth = theme.Color(theme.ColorSelected), 0
	case c.hovered:
		c.ground.FillColor = theme.Color(ftheme.ColorNameHover)
	}
	if c.focused {
		c.ground.StrokeWidth, c.ground.StrokeColor = 2, theme.Color(ftheme.ColorNamePrimary)
	}
	c.text.TextStyle.Bold = c.value != ""
	c.text.Color = theme.Color(fg)
	r.Layout(c.Size())
	c.ground.Refresh()
	c.text.Refresh()
	c.arrow.Refresh()
}
