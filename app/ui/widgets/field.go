package widgets

import (
	"image/color"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	ftheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// bare is an entry's renderer without its ground and its border: the field draws
// them itself, so that there is one of each. (A theme of its own would do it too,
// but Fyne then loads every font once more, each time the field is made.)
type bare struct{ fyne.WidgetRenderer }

// Objects implements fyne.WidgetRenderer.
func (r bare) Objects() []fyne.CanvasObject {
	return slices.DeleteFunc(slices.Clone(r.WidgetRenderer.Objects()), func(o fyne.CanvasObject) bool {
		_, drawn := o.(*canvas.Rectangle)
		return drawn
	})
}

// box is the rounded ground of a field with its focus ring, the text in its middle
// and something at its ends.
type box struct {
	widget.BaseWidget
	text        fyne.CanvasObject
	left, right fyne.CanvasObject
	lead, tail  float32 // room for left and right
	low         bool    // left stays beside the last row
	drop        float32 // how much lower the text is, for capitals in the middle
	radius      float32
	focused     bool
	ground      *canvas.Rectangle
}

func newBox(text fyne.CanvasObject, radius float32) *box {
	b := &box{text: text, radius: radius, ground: canvas.NewRectangle(color.Transparent)}
	b.ground.CornerRadius = radius
	b.ExtendBaseWidget(b)
	return b
}

func (b *box) setFocused(on bool) {
	if b.focused != on {
		b.focused = on
		b.paint()
		canvas.Refresh(b.ground)
	}
}

func (b *box) paint() {
	b.ground.FillColor, b.ground.StrokeWidth = theme.Color(ftheme.ColorNameInputBackground), 0
	if b.focused {
		b.ground.StrokeWidth, b.ground.StrokeColor = 2, theme.Color(ftheme.ColorNamePrimary)
	}
}

// CreateRenderer implements fyne.Widget.
func (b *box) CreateRenderer() fyne.WidgetRenderer {
	b.paint()
	return &boxRenderer{b}
}

type boxRenderer struct{ b *box }

func (r *boxRenderer) Destroy() {}
func (r *boxRenderer) MinSize() fyne.Size {
	return r.b.text.MinSize().AddWidthHeight(r.b.lead+r.b.tail, 0)
}

func (r *boxRenderer) Objects() []fyne.CanvasObject {
	out := []fyne.CanvasObject{r.b.ground, r.b.text}
	for _, o := range []fyne.CanvasObject{r.b.left, r.b.right} {
		if o != nil {
			out = append(out, o)
		}
	}
	return out
}

// Layout keeps what is at the ends beside the last row.
func (r *boxRenderer) Layout(s fyne.Size) {
	b := r.b
	b.ground.Resize(s)
	b.text.Move(fyne.NewPos(b.lead, b.drop))
	b.text.Resize(fyne.NewSize(max(0, s.Width-b.lead-b.tail), s.Height))
	if b.left != nil {
		m := b.left.MinSize()
		b.left.Resize(m)
		y := (s.Height - m.Height) / 2
		if b.low {
			y = s.Height - m.Height - 4
		}
		b.left.Move(fyne.NewPos((b.lead+4-m.Width)/2, y))
	}
	if b.right != nil {
		m := b.right.MinSize()
		b.right.Resize(m)
		b.right.Move(fyne.NewPos(s.Width-m.Width-4, s.Height-m.Height-4))
	}
}

func (r *boxRenderer) Refresh() {
	r.b.paint()
	r.b.text.Refresh()
	for _, o := range r.Objects()[2:] {
		o.Refresh()
	}
	r.Layout(r.b.Size())
	canvas.Refresh(r.b)
}

// Search is the search field: Escape empties it, the arrows lead to what was
// found.
type Search struct {
	widget.Entry
	clear *IconButton
	box   *box
	// OnDown and OnUp are called when an arrow is pressed, OnLeave at Escape in
	// place of emptying the field.
	OnDown  func()
	OnUp    func()
	OnLeave func()
	// OnShortcut gets shortcuts first and says whether it took one.
	OnShortcut func(fyne.Shortcut) bool
}

// NewSearch makes a search field. Show the object, not the field.
func NewSearch(tips *Tips, hint, clearLabel string, changed func(string)) (*Search, fyne.CanvasObject) {
	s := &Search{}
	s.ExtendBaseWidget(s)
	s.PlaceHolder = hint
	s.clear = NewIconButton(tips, icons.Close, clearLabel, func() { s.SetText("") })
	s.clear.side = 28
	s.clear.color = theme.ColorMuted
	s.clear.Hide()
	s.OnChanged = func(text string) {
		s.clear.Hidden = text == ""
		s.clear.Refresh()
		changed(text)
	}
	s.box = newBox(s, 10)
	picture := NewPicture(icons.Colored(icons.Search, theme.ColorMuted))
	picture.side = 18
	s.box.left, s.box.right, s.box.lead, s.box.tail, s.box.drop = picture, s.clear, 30, 34, 0.5
	return s, s.box
}

// CreateRenderer implements fyne.Widget.
func (s *Search) CreateRenderer() fyne.WidgetRenderer { return bare{s.Entry.CreateRenderer()} }

// FocusGained implements fyne.Focusable.
func (s *Search) FocusGained() { s.Entry.FocusGained(); s.box.setFocused(true) }

// FocusLost implements fyne.Focusable.
func (s *Search) FocusLost() { s.Entry.FocusLost(); s.box.setFocused(false) }

// TypedKey implements fyne.Focusable.
func (s *Search) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyEscape:
		if s.OnLeave != nil {
			s.OnLeave()
			return
		}
		s.SetText("")
	case fyne.KeyDown:
		if s.OnDown != nil {
			s.OnDown()
		}
	case fyne.KeyUp:
		if s.OnUp != nil {
			s.OnUp()
		}
	default:
		s.Entry.TypedKey(e)
	}
}

// TypedShortcut implements fyne.Shortcutable.
func (s *Search) TypedShortcut(k fyne.Shortcut) {
	if s.OnShortcut == nil || !s.OnShortcut(k) {
		s.Entry.TypedShortcut(k)
	}
}
