package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// searchPane is the screen on which one searches while the sidebar is collapsed. It
// shows the sidebar's own field, filters and results.
type searchPane struct {
	u    *UI
	root *fyne.Container
	open bool
	keep bool // what stands in the field stays when the screen is left
}

var _ Screen = (*searchPane)(nil)

// Title implements Screen.
func (p *searchPane) Title() string { return t("main.search") }

// Object implements Screen.
func (p *searchPane) Object() fyne.CanvasObject {
	if p.root == nil {
		s := p.u.side
		p.root = container.New(p, parts.Ground(theme.ColorSidebar, 0, ""), s.searchBox, s.finder.root, s.finder.results, s.hint, s.hintMore)
	}
	return p.root
}

// Changed implements Screen: the window itself follows what happens.
func (p *searchPane) Changed([]event.Event) {}

// Show implements shower.
func (p *searchPane) Show() {
	p.open = true
	p.u.side.relayout()
	p.u.showRows()
}

// Hide implements hider.
func (p *searchPane) Hide() {
	p.open = false
	if !p.keep {
		p.u.side.search.SetText("")
	}
	p.u.side.relayout()
}

// Focus implements focuser. What was searched for last is overwritten by typing.
func (p *searchPane) Focus() {
	p.u.cfg.Window.Canvas().Focus(p.u.side.search)
	p.u.side.search.TypedShortcut(&fyne.ShortcutSelectAll{})
}

// shut closes the screen, if it is open, without ending the search.
func (p *searchPane) shut() {
	if p.open {
		p.keep = true
		p.u.closeScreen()
		p.keep = false
	}
}

func (p *searchPane) refresh() {
	if p.open {
		p.root.Refresh()
	}
}

// MinSize implements fyne.Layout.
func (p *searchPane) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(1, 1) }

// Layout implements fyne.Layout.
func (p *searchPane) Layout(o []fyne.CanvasObject, size fyne.Size) {
	s := p.u.side
	put(o[0], 0, 0, size.Width, size.Height)
	y := s.layoutField(8, size.Width)
	put(s.finder.results, 0, y, size.Width, max(0, size.Height-y))
	s.layoutHint(y, size.Width)
}
