package widgets

import (
	"strings"
	"time"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
)

// doubleClick is the longest time between the presses of a double click.
const doubleClick = 400 * time.Millisecond

// clicks counts presses at one place.
type clicks struct {
	n  int
	at time.Time
	x  float32
}

func (c *clicks) press(x float32, now time.Time) int {
	if now.Sub(c.at) > doubleClick || abs(x-c.x) > 6 {
		c.n = 0
	}
	c.n, c.at, c.x = c.n+1, now, x
	return c.n
}

func abs(f float32) float32 { return max(f, -f) }

// selection is what is selected: a part of one item's text.
type selection struct {
	key      Key
	from, to int // where it was begun and where it is now; to may be smaller
}

func (s selection) bounds() (int, int) { return min(s.from, s.to), max(s.from, s.to) }

var (
	_ fyne.Draggable         = (*itemView)(nil)
	_ fyne.Tappable          = (*itemView)(nil)
	_ fyne.SecondaryTappable = (*itemView)(nil)
	_ desktop.Mouseable      = (*itemView)(nil)
	_ desktop.Hoverable      = (*itemView)(nil)
	_ desktop.Cursorable     = (*itemView)(nil)
)

// offset is the place in the text that is nearest to a point.
func (v *itemView) offset(p fyne.Position) int {
	if len(v.lines) == 0 {
		return 0
	}
	i := int((p.Y - v.textPos.Y) / height(v.textSize, false))
	l := v.lines[min(max(0, i), len(v.lines)-1)]
	s := v.item.Text[l.start:l.end]
	best, dist := 0, abs(p.X-v.textPos.X)
	for at := 0; at < len(s); {
		_, n := utf8.DecodeRuneInString(s[at:])
		at += n
		d := abs(p.X - v.textPos.X - measure(s[:at], v.textSize, false))
		if d > dist {
			break
		}
		best, dist = at, d
	}
	return l.start + best
}

func (v *itemView) overText(p fyne.Position) bool {
	if len(v.lines) == 0 {
		return false
	}
	bottom := v.textPos.Y + float32(len(v.lines))*height(v.textSize, false)
	return v.bubble.holds(p) && p.Y >= v.textPos.Y-4 && p.Y <= bottom+4
}

func (v *itemView) hitAt(p fyne.Position) *hit {
	for i := range v.hits {
		if v.hits[i].holds(p) {
			return &v.hits[i]
		}
	}
	return nil
}

// MouseDown implements desktop.Mouseable: it begins a selection; a second press
// selects the word, a third the whole text.
func (v *itemView) MouseDown(e *desktop.MouseEvent) {
	if e.Button != desktop.MouseButtonPrimary || v.hitAt(e.Position) != nil || !v.overText(e.Position) {
		if e.Button == desktop.MouseButtonPrimary {
			v.h.choose(selection{})
		}
		return
	}
	at := v.offset(e.Position)
	switch v.clicks.press(e.Position.X, time.Now()) {
	case 1:
		v.h.choose(selection{v.item.Key, at, at})
	case 2:
		from, to := wordAt(v.item.Text, at)
		v.h.choose(selection{v.item.Key, from, to})
	default:
		v.h.choose(selection{v.item.Key, 0, len(v.item.shown())})
	}
}

// wordAt is the word around a place.
func wordAt(s string, at int) (int, int) {
	const ends = " \n\t.,;:!?()[]\"'„“”«»"
	from := strings.LastIndexAny(s[:at], ends)
	if from >= 0 {
		_, n := utf8.DecodeRuneInString(s[from:])
		from += n
	} else {
		from = 0
	}
	to := strings.IndexAny(s[at:], ends)
	if to < 0 {
		return from, len(s)
	}
	return from, at + to
}

// MouseUp implements desktop.Mouseable.
func (v *itemView) MouseUp(*desktop.MouseEvent) {}

// Dragged implements fyne.Draggable.
func (v *itemView) Dragged(e *fyne.DragEvent) {
	if v.h.selection.key == v.item.Key && len(v.lines) > 0 && v.h.selection != (selection{}) {
		s := v.h.selection
		s.to = v.offset(e.Position)
		v.h.choose(s)
	}
}

// DragEnd implements fyne.Draggable.
func (v *itemView) DragEnd() {}

// Tapped implements fyne.Tappable.
func (v *itemView) Tapped(e *fyne.PointEvent) {
	if t := v.hitAt(e.Position); t != nil {
		t.do(e.AbsolutePosition)
	}
}

// TappedSecondary implements fyne.SecondaryTappable.
func (v *itemView) TappedSecondary(e *fyne.PointEvent) {
	if v.bubble.holds(e.Position) {
		v.h.menu(v.item, e.AbsolutePosition)
	}
}

// MouseIn implements desktop.Hoverable.
func (v *itemView) MouseIn(e *desktop.MouseEvent) {
	v.h.hover(true)
	v.MouseMoved(e)
}

// MouseMoved implements desktop.Hoverable: the menu's button shows while the
// pointer is on the bubble or on the way to the button.
func (v *itemView) MouseMoved(e *desktop.MouseEvent) {
	v.h.pointer = e.Position
	near := v.bubble.size.Width > 0 && e.Position.Y >= v.bubble.pos.Y && e.Position.Y <= v.bubble.pos.Y+v.bubble.size.Height &&
		e.Position.X >= v.bubble.pos.X-moreSide-16 && e.Position.X <= v.bubble.pos.X+v.bubble.size.Width+moreSide+16
	v.setHovered(near)
}

// MouseOut implements desktop.Hoverable.
func (v *itemView) MouseOut() {
	v.h.hover(false)
	v.setHovered(false)
}

func (v *itemView) setHovered(on bool) {
	if v.hovered != on {
		v.hovered = on
		v.lay(v.width)
	}
}

// Cursor implements desktop.Cursorable.
func (v *itemView) Cursor() desktop.Cursor {
	switch {
	case v.hitAt(v.h.pointer) != nil:
		return desktop.PointerCursor
	case v.overText(v.h.pointer):
		return desktop.TextCursor
	}
	return desktop.DefaultCursor
}
