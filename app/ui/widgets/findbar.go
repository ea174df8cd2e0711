package widgets

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	ftheme "fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// FindBarHeight is the height of a FindBar in dp.
const FindBarHeight = 48

// FindWords are what a FindBar says.
type FindWords struct{ Hint, Clear, Older, Newer, Close string }

// FindBar is the line above a conversation in which one searches in it: a field,
// how many were found, and the ways to the next.
type FindBar struct {
	*fyne.Container
	Field        *Search
	count        *canvas.Text
	older, newer *IconButton
	shut         *IconButton
	box          fyne.CanvasObject
}

// NewFindBar makes a bar. changed is called with what is typed, step with 1 for
// the next older place and -1 for the next newer one.
func NewFindBar(tips *Tips, w FindWords, changed func(string), step func(by int), shut func()) *FindBar {
	b := &FindBar{count: newText(theme.SizeStatus, false)}
	b.Field, b.box = NewSearch(tips, w.Hint, w.Clear, changed)
	b.Field.OnLeave = shut
	b.Field.OnSubmitted = func(string) { step(1) }
	b.Field.OnUp = func() { step(1) }
	b.Field.OnDown = func() { step(-1) }
	b.older = NewIconButton(tips, icons.Up, w.Older, func() { step(1) })
	b.newer = NewIconButton(tips, icons.Down, w.Newer, func() { step(-1) })
	b.shut = NewIconButton(tips, icons.Close, w.Close, shut)
	ground, line := canvas.NewRectangle(theme.Color(ftheme.ColorNameBackground)), canvas.NewRectangle(theme.Color(ftheme.ColorNameSeparator))
	b.Container = container.New(&findLayout{b}, ground, b.box, b.count, b.older, b.newer, b.shut, line)
	b.Paint()
	return b
}

// Say shows how many were found, and whether there is an older and a newer one.
func (b *FindBar) Say(count string, older, newer bool) {
	b.count.Text = count
	for button, on := range map[*IconButton]bool{b.older: older, b.newer: newer} {
		if on {
			button.Enable()
		} else {
			button.Disable()
		}
	}
	b.Paint()
}

// Said is the number of places it shows.
func (b *FindBar) Said() string { return b.count.Text }

// Paint follows the theme.
func (b *FindBar) Paint() {
	b.count.Color = theme.Color(theme.ColorMuted)
	for i, c := range map[int]fyne.ThemeColorName{0: ftheme.ColorNameBackground, len(b.Objects) - 1: ftheme.ColorNameSeparator} {
		if r, ok := b.Objects[i].(*canvas.Rectangle); ok {
			r.FillColor = theme.Color(c)
		}
	}
	b.Layout.Layout(b.Objects, b.Size())
	b.Refresh()
}

type findLayout struct{ b *FindBar }

// MinSize implements fyne.Layout.
func (*findLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(280, FindBarHeight) }

// Layout implements fyne.Layout.
func (l *findLayout) Layout(o []fyne.CanvasObject, s fyne.Size) {
	b := l.b
	const hit, inset = theme.HitArea, 10
	o[0].Resize(s)
	o[len(o)-1].Move(fyne.NewPos(0, s.Height-1))
	o[len(o)-1].Resize(fyne.NewSize(s.Width, 1))
	x, y := s.Width-inset, (s.Height-hit)/2
	for _, k := range []*IconButton{b.shut, b.newer, b.older} {
		x -= hit
		k.Move(fyne.NewPos(x, y))
		k.Resize(fyne.NewSquareSize(hit))
	}
	m := b.count.MinSize()
	x -= m.Width + 10
	put(b.count, x, (s.Height-m.Height)/2)
	const left = theme.Gutter - 4
	b.box.Move(fyne.NewPos(left, y))
	b.box.Resize(fyne.NewSize(max(80, x-10-left), hit))
}
