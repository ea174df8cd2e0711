package widgets

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// List is the list of conversations: rows of one height, of which only those on
// screen exist. The arrows move a cursor, Enter opens.
type List struct {
	widget.BaseWidget
	rows     []Row
	selected chat.PersonID
	cursor   int // row with the keyboard's ring, -1 for none
	focused  bool
	narrow   bool
	offset   float32
	views    []*rowView
	box      *fyne.Container
	clip     *container.Clip
	thumb    *scrollThumb
	tips     *Tips
	// OnOpen is called with the contact whose conversation is to open.
	OnOpen func(chat.PersonID)
}

var (
	_ fyne.Scrollable   = (*List)(nil)
	_ fyne.Focusable    = (*List)(nil)
	_ desktop.Hoverable = (*List)(nil)
)

// NewList makes an empty list.
func NewList(tips *Tips) *List {
	l := &List{cursor: -1, box: container.NewWithoutLayout(), tips: tips}
	l.clip = container.NewClip(l.box)
	l.thumb = newScrollThumb(func(at float32) {
		l.offset = at * l.reach()
		l.place()
	}, l.hover)
	l.ExtendBaseWidget(l)
	return l
}

// SetRows replaces the rows.
func (l *List) SetRows(rows []Row) {
	l.rows = rows
	if l.cursor >= len(rows) {
		l.cursor = len(rows) - 1
	}
	l.place()
}

// Rows returns what is shown; it must not be changed.
func (l *List) Rows() []Row { return l.rows }

// Select marks a contact's row as the open one and brings it into view.
func (l *List) Select(id chat.PersonID) {
	if l.selected == id {
		return
	}
	l.selected = id
	if i := l.index(id); i >= 0 {
		l.reveal(i)
	}
	l.place()
}

// SetNarrow shows avatars alone.
func (l *List) SetNarrow(narrow bool) {
	if l.narrow != narrow {
		l.narrow = narrow
		l.place()
	}
}

// Step returns the contact by rows below the selected one, or above if negative.
func (l *List) Step(by int) (chat.PersonID, bool) {
	i := l.index(l.selected)
	if i < 0 && by < 0 {
		i = len(l.rows)
	}
	if i += by; i < 0 || i >= len(l.rows) {
		return chat.PersonID{}, false
	}
	return l.rows[i].Contact, true
}

func (l *List) index(id chat.PersonID) int {
	for i := range l.rows {
		if l.rows[i].Contact == id {
			return i
		}
	}
	return -1
}

func (l *List) open(id chat.PersonID) {
	l.tips.Hide()
	if l.OnOpen != nil {
		l.OnOpen(id)
	}
}

func (l *List) hover(in bool) { l.thumb.setHot(in) }

// reach is how far the list can be scrolled.
func (l *List) reach() float32 {
	return max(0, float32(len(l.rows))*theme.Row-l.Size().Height)
}

// reveal scrolls as little as brings row i into view.
func (l *List) reveal(i int) {
	top := float32(i) * theme.Row
	l.offset = min(l.offset, top)
	l.offset = max(l.offset, top+theme.Row-l.Size().Height)
}

// Scrolled implements fyne.Scrollable.
func (l *List) Scrolled(e *fyne.ScrollEvent) {
	l.offset -= e.Scrolled.DY
	l.place()
}

// place puts a view on each row that is on screen.
func (l *List) place() {
	s := l.Size()
	if s.Height < 1 {
		return
	}
	reach := l.reach()
	l.offset = min(max(0, l.offset), reach)
	first := int(l.offset / theme.Row)
	n := min(len(l.rows)-first, int(s.Height/theme.Row)+2)
	for len(l.views) < n {
		v := newRowView(l)
		l.views = append(l.views, v)
		l.box.Objects = append(l.box.Objects, v)
	}
	for i, v := range l.views {
		if i >= n {
			v.Hide()
			continue
		}
		l.show(v, first+i, s.Width)
	}
	at := float32(0)
	if reach > 0 {
		at = l.offset / reach
	}
	l.thumb.set(at, s.Height/max(1, float32(len(l.rows))*theme.Row))
	canvas.Refresh(l.box)
}

func (l *List) show(v *rowView, i int, width float32) {
	row := l.rows[i]
	selected, cursor := row.Contact == l.selected, l.focused && i == l.cursor
	same := v.row == row && v.selected == selected && v.cursor == cursor && v.narrow == l.narrow
	v.row, v.selected, v.cursor, v.narrow = row, selected, cursor, l.narrow
	v.Move(fyne.NewPos(0, float32(i)*theme.Row-l.offset))
	if size := fyne.NewSize(width, theme.Row); v.Size() != size {
		v.Resize(size)
	}
	if !v.Visible() {
		v.Show()
	}
	if !same {
		v.Refresh()
	}
}

// FocusGained implements fyne.Focusable.
func (l *List) FocusGained() {
	l.focused = true
	l.cursor = max(0, l.index(l.selected))
	l.place()
}

// FocusLost implements fyne.Focusable.
func (l *List) FocusLost() {
	l.focused = false
	l.place()
}

// TypedRune implements fyne.Focusable.
func (l *List) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (l *List) TypedKey(e *fyne.KeyEvent) {
	page := max(1, int(l.Size().Height/theme.Row)-1)
	switch e.Name {
	case fyne.KeyDown:
		l.move(1)
	case fyne.KeyUp:
		l.move(-1)
	case fyne.KeyPageDown:
		l.move(page)
	case fyne.KeyPageUp:
		l.move(-page)
	case fyne.KeyHome:
		l.move(-len(l.rows))
	case fyne.KeyEnd:
		l.move(len(l.rows))
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace:
		if l.cursor >= 0 && l.cursor < len(l.rows) {
			l.open(l.rows[l.cursor].Contact)
		}
	}
}

func (l *List) move(by int) {
	if len(l.rows) == 0 {
		return
	}
	l.cursor = min(max(0, l.cursor+by), len(l.rows)-1)
	l.reveal(l.cursor)
	l.place()
}

// MouseIn implements desktop.Hoverable.
func (l *List) MouseIn(*desktop.MouseEvent) { l.hover(true) }

// MouseMoved implements desktop.Hoverable.
func (l *List) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (l *List) MouseOut() { l.hover(false) }

// CreateRenderer implements fyne.Widget.
func (l *List) CreateRenderer() fyne.WidgetRenderer { return &listRenderer{l} }

type listRenderer struct{ l *List }

func (r *listRenderer) Destroy()           {}
func (r *listRenderer) MinSize() fyne.Size { return fyne.NewSize(theme.SidebarCollapsed, theme.Row) }

func (r *listRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.l.clip, r.l.thumb}
}

func (r *listRenderer) Layout(s fyne.Size) {
	r.l.clip.Resize(s)
	r.l.box.Resize(s)
	r.l.thumb.Resize(fyne.NewSize(thumbTrack, s.Height))
	r.l.thumb.Move(fyne.NewPos(s.Width-thumbTrack, 0))
	r.l.place()
}

// Refresh paints every row anew: the theme may have changed.
func (r *listRenderer) Refresh() {
	r.l.place()
	for _, v := range r.l.views {
		v.Refresh()
	}
	r.l.thumb.Refresh()
}
