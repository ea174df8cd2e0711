package parts

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Choice is one of several answers that exclude each other: a title, a sentence
// that explains it, and a ring that is filled when it is chosen. It takes the
// focus; space and Enter choose it, the arrows go to its neighbours.
type Choice struct {
	widget.BaseWidget
	title, text *Text
	group       *ChoiceGroup
	index       int
	ground      *fill
	ring, dot   *canvas.Circle
	focused     bool
	hovered     bool
}

var (
	_ fyne.Focusable    = (*Choice)(nil)
	_ fyne.Tappable     = (*Choice)(nil)
	_ desktop.Hoverable = (*Choice)(nil)
	_ fyne.Accessible   = (*Choice)(nil)
)

// ChoiceGroup holds the choices among which one is chosen.
type ChoiceGroup struct {
	choices  []*Choice
	selected int
	// OnChanged is called with the new choice's index.
	OnChanged func(int)
}

// NewChoiceGroup makes a group from pairs of title and text; none is chosen if
// selected is negative.
func NewChoiceGroup(selected int, pairs ...[2]string) *ChoiceGroup {
	g := &ChoiceGroup{selected: selected}
	for i, p := range pairs {
		c := &Choice{title: Label(p[0]), text: Muted(p[1]), group: g, index: i, ground: newFill(theme.ColorNameBackground, Radius, 0, theme.ColorNameSeparator)}
		c.ring, c.dot = canvas.NewCircle(nil), canvas.NewCircle(nil)
		c.ring.StrokeWidth = 2
		c.ExtendBaseWidget(c)
		g.choices = append(g.choices, c)
	}
	return g
}

// Objects returns the choices, to be placed in a Column.
func (g *ChoiceGroup) Objects() []fyne.CanvasObject {
	out := make([]fyne.CanvasObject, len(g.choices))
	for i, c := range g.choices {
		out[i] = c
	}
	return out
}

// Selected is the chosen index, negative if none.
func (g *ChoiceGroup) Selected() int { return g.selected }

// Select chooses one.
func (g *ChoiceGroup) Select(i int) {
	if i < 0 || i >= len(g.choices) || i == g.selected {
		return
	}
	g.selected = i
	for _, c := range g.choices {
		c.Refresh()
	}
	if g.OnChanged != nil {
		g.OnChanged(i)
	}
}

// SetSelected shows i as chosen without calling OnChanged.
func (g *ChoiceGroup) SetSelected(i int) {
	g.selected = i
	for _, c := range g.choices {
		c.Refresh()
	}
}

// SetText changes what is said about a choice.
func (g *ChoiceGroup) SetText(i int, text string) {
	g.choices[i].text.SetText(text)
	g.choices[i].Refresh()
}

// step chooses and focuses a neighbour.
func (g *ChoiceGroup) step(from, by int) {
	to := min(max(from+by, 0), len(g.choices)-1)
	g.Select(to)
	if c := fyne.CurrentApp().Driver().CanvasForObject(g.choices[to]); c != nil {
		c.Focus(g.choices[to])
	}
}

// Tapped implements fyne.Tappable.
func (c *Choice) Tapped(*fyne.PointEvent) { c.group.Select(c.index) }

// FocusGained implements fyne.Focusable.
func (c *Choice) FocusGained() { c.focused = true; c.Refresh() }

// FocusLost implements fyne.Focusable.
func (c *Choice) FocusLost() { c.focused = false; c.Refresh() }

// TypedRune implements fyne.Focusable.
func (c *Choice) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (c *Choice) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		c.group.Select(c.index)
	case fyne.KeyDown, fyne.KeyRight:
		c.group.step(c.index, 1)
	case fyne.KeyUp, fyne.KeyLeft:
		c.group.step(c.index, -1)
	case fyne.KeyEscape:
		PassKey(c, e)
	}
}

// MouseIn implements desktop.Hoverable.
func (c *Choice) MouseIn(*desktop.MouseEvent) { c.hovered = true; c.Refresh() }

// MouseMoved implements desktop.Hoverable.
func (c *Choice) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (c *Choice) MouseOut() { c.hovered = false; c.Refresh() }

// AccessibilityLabel implements fyne.Accessible.
func (c *Choice) AccessibilityLabel() string { return c.title.text + ". " + c.text.text }

// AccessibilityRole implements fyne.Accessible.
func (c *Choice) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// CreateRenderer implements fyne.Widget.
func (c *Choice) CreateRenderer() fyne.WidgetRenderer {
	body := Beside(12, Space(0), Column(2, c.title, c.text), nil)
	r := &choiceRenderer{c: c, body: Pad(body, 12, 14, 12, 14+choiceRing)}
	r.Refresh()
	return r
}

const choiceRing = 18

type choiceRenderer struct {
	c    *Choice
	body *fyne.Container
}

func (r *choiceRenderer) Destroy() {}

func (r *choiceRenderer) Layout(s fyne.Size) {
	r.c.ground.Resize(s)
	r.body.Resize(s)
	y := float32(12)
	r.c.ring.Move(fyne.NewPos(14, y))
	r.c.ring.Resize(fyne.NewSize(choiceRing, choiceRing))
	r.c.dot.Move(fyne.NewPos(14+4, y+4))
	r.c.dot.Resize(fyne.NewSize(choiceRing-8, choiceRing-8))
}

func (r *choiceRenderer) MinSize() fyne.Size { return r.body.MinSize() }

func (r *choiceRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.c.ground, r.c.ring, r.c.dot, r.body}
}

// Refresh paints the state: the chosen one by its ring and dot as well as by
// colour, the focus by the outline's width.
func (r *choiceRenderer) Refresh() {
	c, th, v := r.c, r.c.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	chosen := c.group.selected == c.index
	stroke, width, ground := theme.ColorNameSeparator, float32(1), theme.ColorNameBackground
	c.ring.StrokeColor = th.Color(theme.ColorNamePlaceHolder, v)
	c.dot.FillColor = th.Color(theme.ColorNamePrimary, v)
	c.dot.Hidden = !chosen
	if chosen {
		stroke = theme.ColorNamePrimary
		c.ring.StrokeColor = th.Color(theme.ColorNamePrimary, v)
	}
	if c.focused {
		stroke, width = theme.ColorNamePrimary, 2
	}
	if c.hovered {
		ground = theme.ColorNameInputBackground
	}
	c.ground.set(ground, stroke, width)
	c.title.Refresh()
	c.text.Refresh()
	c.ring.Refresh()
	c.dot.Refresh()
}
