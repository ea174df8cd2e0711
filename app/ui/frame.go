package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	ftheme "fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

const (
	detailsWidth = 340 // of a screen beside the conversation
	detailsFrom  = 760 // room right of the list from which both fit
)

// frame lays out the window: a banner over everything, the list, and right of it
// the conversation with a screen beside it or in its place.
type frame struct {
	u         *UI
	root      *fyne.Container
	lines     [2]fyne.CanvasObject
	narrow    bool
	collapsed bool // after the first layout, whether narrow was ever told
}

func newFrame(u *UI) *frame {
	f := &frame{u: u, lines: [2]fyne.CanvasObject{parts.Ground(ftheme.ColorNameSeparator, 0, ""), parts.Ground(ftheme.ColorNameSeparator, 0, "")}}
	f.root = container.New(f, u.side.root, u.conv.root, u.empty.root, u.host.root, f.lines[0], f.lines[1], u.banner)
	return f
}

// MinSize implements fyne.Layout.
func (f *frame) MinSize([]fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(theme.MinWidth, theme.MinHeight)
}

func (f *frame) relayout() {
	if f.root != nil {
		f.Layout(nil, f.root.Size())
		canvas.Refresh(f.root)
	}
}

// Layout implements fyne.Layout.
func (f *frame) Layout(_ []fyne.CanvasObject, s fyne.Size) {
	if s.Width < 1 {
		return
	}
	u := f.u
	top := u.banner.Height(s.Width)
	put(u.banner, 0, 0, s.Width, top)
	side := float32(theme.Sidebar)
	if narrow := s.Width < theme.CollapseUnder; narrow != f.narrow || !f.collapsed {
		f.narrow, f.collapsed = narrow, true
		u.side.setNarrow(narrow)
	}
	if f.narrow {
		side = theme.SidebarCollapsed
	}
	h := s.Height - top
	put(u.side.root, 0, top, side, h)
	put(f.lines[0], side, top, 1, h)
	f.layoutRight(side+1, top, s.Width-side-1, h)
}

func (f *frame) layoutRight(x, y, w, h float32) {
	u := f.u
	main := w
	open, beside := u.host.screen != nil, u.host.beside && w >= detailsFrom && !u.current.IsZero()
	f.lines[1].Hide()
	if beside && open {
		main = w - detailsWidth - 1
		f.lines[1].Show()
		put(f.lines[1], x+main, y, 1, h)
		put(u.host.root, x+main+1, y, detailsWidth, h)
	} else {
		put(u.host.root, x, y, w, h)
	}
	covered := open && !beside
	show(u.host.root, open)
	show(u.conv.root, !covered && !u.current.IsZero())
	show(u.empty.root, !covered && u.current.IsZero())
	put(u.conv.root, x, y, main, h)
	put(u.empty.root, x, y, main, h)
}

func put(o fyne.CanvasObject, x, y, w, h float32) {
	if p := fyne.NewPos(x, y); o.Position() != p {
		o.Move(p)
	}
	if s := fyne.NewSize(w, h); o.Size() != s {
		o.Resize(s)
	}
}

func show(o fyne.CanvasObject, on bool) {
	switch {
	case on && !o.Visible():
		o.Show()
	case !on && o.Visible():
		o.Hide()
	}
}

// host shows a screen under a header.
type host struct {
	u      *UI
	root   *fyne.Container
	title  *parts.Text
	body   *fyne.Container
	back   *widgets.IconButton // at the left; to the screen below
	shut   *widgets.IconButton
	screen Screen
	below  Screen // where Back leads to; nil for the conversation
	beside bool
}

func newHost(u *UI) *host {
	h := &host{u: u, title: parts.Head(""), body: container.NewStack()}
	h.back = widgets.NewIconButton(u.tips, icons.Back, t("main.back"), u.Back)
	h.back.Hide()
	h.shut = widgets.NewIconButton(u.tips, icons.Close, t("main.close"), u.closeScreen)
	head := container.New(fixedHeight(theme.Header), parts.Pad(parts.Beside(8, h.back, h.title, h.shut), 0, 12, 0, 20))
	h.root = container.NewStack(parts.Ground(ftheme.ColorNameBackground, 0, ""), container.New(topped{}, head, parts.Line(), h.body))
	h.root.Hide()
	return h
}

// open shows a screen in place of the one before.
func (h *host) open(s Screen, beside bool) { h.show(s, nil, beside) }

// openOver shows a screen that leads back to the one before, if that is of its
// width.
func (h *host) openOver(s Screen) {
	below := h.screen
	if h.beside || h.below != nil {
		below = h.below
	}
	h.show(s, below, false)
}

func (h *host) show(s, below Screen, beside bool) {
	h.leave()
	h.screen, h.below, h.beside = s, below, beside
	show(h.back, below != nil)
	h.title.SetText(s.Title())
	h.body.Objects = []fyne.CanvasObject{s.Object()}
	h.u.tips.Hide()
	h.root.Show()
	h.u.frame.relayout()
	h.body.Refresh()
	if s, ok := s.(shower); ok {
		s.Show()
	}
	h.u.cfg.Window.Canvas().Unfocus()
	if s, ok := s.(focuser); ok {
		s.Focus()
	}
}

func (h *host) leave() {
	if s, ok := h.screen.(hider); ok {
		s.Hide()
	}
	h.screen, h.below = nil, nil
}

func (h *host) close() {
	h.leave()
	h.u.tips.Hide()
	h.body.Objects = nil
	h.root.Hide()
	h.u.frame.relayout()
}

// fixedHeight gives its objects the whole width and one height.
type fixedHeight float32

// MinSize implements fyne.Layout.
func (h fixedHeight) MinSize(o []fyne.CanvasObject) fyne.Size {
	w := float32(0)
	for _, c := range o {
		w = max(w, c.MinSize().Width)
	}
	return fyne.NewSize(w, float32(h))
}

// Layout implements fyne.Layout.
func (h fixedHeight) Layout(o []fyne.CanvasObject, s fyne.Size) {
	for _, c := range o {
		put(c, 0, 0, s.Width, s.Height)
	}
}

// topped stacks its objects; the last one gets what is left.
type topped struct{}

// MinSize implements fyne.Layout.
func (topped) MinSize(o []fyne.CanvasObject) fyne.Size {
	m := fyne.Size{}
	for _, c := range o {
		if c.Visible() {
			k := c.MinSize()
			m = fyne.NewSize(max(m.Width, k.Width), m.Height+k.Height)
		}
	}
	return m
}

// Layout implements fyne.Layout.
func (topped) Layout(o []fyne.CanvasObject, s fyne.Size) {
	y := float32(0)
	for i, c := range o {
		if !c.Visible() {
			continue
		}
		h := c.MinSize().Height
		if i == len(o)-1 {
			h = max(0, s.Height-y)
		}
		put(c, 0, y, s.Width, h)
		y += h
	}
}
