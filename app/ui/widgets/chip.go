package widgets

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	ftheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/theme"
)

const chipHeight = 28

// Chips is a row of filters of which one is chosen.
type Chips struct {
	widget.BaseWidget
	chips  []*chip
	chosen int
	// OnChosen is called with the index of another filter.
	OnChosen func(int)
}

// NewChips makes a row; the first is chosen.
func NewChips(labels ...string) *Chips {
	c := &Chips{}
	for i, l := range labels {
		k := &chip{row: c, index: i, label: l, ground: canvas.NewRectangle(color.Transparent), text: newText(theme.SizePreview, false)}
		k.ground.CornerRadius = chipHeight / 2
		k.ExtendBaseWidget(k)
		c.chips = append(c.chips, k)
	}
	c.ExtendBaseWidget(c)
	return c
}

// Chosen is the index of the filter.
func (c *Chips) Chosen() int { return c.chosen }

// Choose sets the filter.
func (c *Chips) Choose(i int) {
	if i < 0 || i >= len(c.chips) || i == c.chosen {
		return
	}
	c.chosen = i
	c.Refresh()
	if c.OnChosen != nil {
		c.OnChosen(i)
	}
}

// CreateRenderer implements fyne.Widget.
func (c *Chips) CreateRenderer() fyne.WidgetRenderer { return &chipsRenderer{c} }

type chipsRenderer struct{ c *Chips }

func (r *chipsRenderer) Destroy() {}

func (r *chipsRenderer) MinSize() fyne.Size {
	w := float32(0)
	for _, k := range r.c.chips {
		w += k.MinSize().Width + 6
	}
	return fyne.NewSize(w, chipHeight)
}

func (r *chipsRenderer) Layout(s fyne.Size) {
	x := float32(0)
	for _, k := range r.c.chips {
		w := k.MinSize().Width
		k.Move(fyne.NewPos(x, (s.Height-chipHeight)/2))
		k.Resize(fyne.NewSize(w, chipHeight))
		x += w + 6
	}
}

func (r *chipsRenderer) Objects() []fyne.CanvasObject {
	out := make([]fyne.CanvasObject, len(r.c.chips))
	for i, k := range r.c.chips {
		out[i] = k
	}
	return out
}

func (r *chipsRenderer) Refresh() {
	for _, k := range r.c.chips {
		k.Refresh()
	}
}

// chip is one filter.
type chip struct {
	widget.BaseWidget
	row              *Chips
	index            int
	label            string
	focused, hovered bool
	ground           *canvas.Rectangle
	text             *canvas.Text
}

var (
	_ fyne.Tappable     = (*chip)(nil)
	_ fyne.Focusable    = (*chip)(nil)
	_ desktop.Hoverable = (*chip)(nil)
	_ fyne.Accessible   = (*chip)(nil)
)

// Tapped implements fyne.Tappable.
func (k *chip) Tapped(*fyne.PointEvent) { k.row.Choose(k.index) }

// AccessibilityLabel implements fyne.Accessible.
func (k *chip) AccessibilityLabel() string { return k.label }

// AccessibilityRole implements fyne.Accessible.
func (k *chip) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// FocusGained implements fyne.Focusable.
func (k *chip) FocusGained() { k.focused = true; k.Refresh() }

// FocusLost implements fyne.Focusable.
func (k *chip) FocusLost() { k.focused = false; k.Refresh() }

// TypedRune implements fyne.Focusable.
func (k *chip) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (k *chip) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		k.row.Choose(k.index)
	}
}

// MouseIn implements desktop.Hoverable.
func (k *chip) MouseIn(*desktop.MouseEvent) { k.hovered = true; k.Refresh() }

// MouseMoved implements desktop.Hoverable.
func (k *chip) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (k *chip) MouseOut() { k.hovered = false; k.Refresh() }

// CreateRenderer implements fyne.Widget.
func (k *chip) CreateRenderer() fyne.WidgetRenderer {
	r := &chipRenderer{k}
	r.Refresh()
	return r
}

type chipRenderer struct{ k *chip }

func (r *chipRenderer) Destroy() {}
func (r *chipRenderer) MinSize() fyne.Size {
	return fyne.NewSize(measure(r.k.label, theme.SizePreview, true)+24, chipHeight)
}

func (r *chipRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.k.ground, r.k.text}
}

func (r *chipRenderer) Layout(s fyne.Size) {
	r.k.ground.Resize(s)
	m := r.k.text.MinSize()
	put(r.k.text, (s.Width-m.Width)/2, (s.Height-m.Height)/2)
}

// Refresh shows the chosen one by weight as well as by colour.
func (r *chipRenderer) Refresh() {
	k := r.k
	chosen := k.row.chosen == k.index
	k.ground.FillColor, k.ground.StrokeWidth = seeThrough(ftheme.ColorNamePrimary), 0
	fg := theme.ColorMuted
	switch {
	case chosen:
		fg = theme.ColorPrimaryOnTint
		k.ground.FillColor = theme.Color(theme.ColorSelected)
	case k.hovered:
		k.ground.FillColor = theme.Color(ftheme.ColorNameHover)
	}
	if k.focused {
		k.ground.StrokeWidth, k.ground.StrokeColor = 2, theme.Color(ftheme.ColorNamePrimary)
	}
	k.text.TextStyle.Bold = chosen
	k.text.Text, k.text.Color = k.label, theme.Color(fg)
	r.Layout(k.Size())
	k.ground.Refresh()
	k.text.Refresh()
}
