package widgets

import (
	"image/color"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	ftheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// FoundKind tells what a line of Results shows.
type FoundKind uint8

// The kinds.
const (
	FoundMessage FoundKind = iota
	FoundPerson
	FoundHeading
	FoundNote // a sentence: nothing was found, or more is being looked for
)

// Found is one line of Results. All of its text has one line.
type Found struct {
	Kind    FoundKind
	Contact chat.PersonID
	Message chat.MessageID
	Seq     uint64 // of the message
	Name    string // of the conversation, or what a heading or note says
	Time    string
	Lead    string // before a message's text: "Ich:"
	Text    string
	Marks   []chat.Mark // ranges of bytes in Text
}

// Heights of the lines.
const (
	headingHeight = 32
	personHeight  = 52
	messageHeight = 76
	noteHeight    = 44
)

func (f *Found) height() float32 {
	switch f.Kind {
	case FoundPerson:
		return personHeight
	case FoundHeading:
		return headingHeight
	case FoundNote:
		return noteHeight
	case FoundMessage:
	}
	return messageHeight
}

func (f *Found) opens() bool { return f.Kind == FoundMessage || f.Kind == FoundPerson }

// Results is the list of what a search found: people, and messages with the words
// marked. Only what is on screen exists. The arrows move a cursor, Enter opens.
type Results struct {
	widget.BaseWidget
	found   []Found
	tops    []float32      // of each line, and at the end the height of all
	cursor  int            // line with the keyboard's ring, -1 for none
	chosen  chat.MessageID // that was opened last
	focused bool
	offset  float32
	views   []*foundView
	box     *fyne.Container
	clip    *container.Clip
	thumb   *scrollThumb
	// OnOpen is called with the line that is to open, OnMore when the end comes
	// near, OnUp when the cursor leaves upwards, OnLeave at Escape.
	OnOpen  func(Found)
	OnMore  func()
	OnUp    func()
	OnLeave func()
}

var (
	_ fyne.Scrollable   = (*Results)(nil)
	_ fyne.Focusable    = (*Results)(nil)
	_ desktop.Hoverable = (*Results)(nil)
)

// NewResults makes an empty list.
func NewResults() *Results {
	r := &Results{cursor: -1, box: container.NewWithoutLayout(), tops: []float32{0}}
	r.clip = container.NewClip(r.box)
	r.thumb = newScrollThumb(func(at float32) {
		r.offset = at * r.reach()
		r.place()
	}, r.hover)
	r.ExtendBaseWidget(r)
	return r
}

// SetFound replaces what is shown. With the same beginning as before it stays
// where it is, else it goes to the top.
func (r *Results) SetFound(found []Found) {
	if n := min(len(r.found), 2); len(found) < n || !slices.EqualFunc(r.found[:n], found[:n], sameLine) {
		r.offset, r.cursor = 0, -1
	}
	r.found = found
	r.tops = r.tops[:0]
	y := float32(0)
	for i := range found {
		r.tops = append(r.tops, y)
		y += found[i].height()
	}
	r.tops = append(r.tops, y)
	r.cursor = min(r.cursor, len(found)-1)
	if r.focused && r.cursor < 0 {
		r.cursor = r.next(-1, 1)
	}
	r.place()
}

func sameLine(a, b Found) bool {
	return a.Kind == b.Kind && a.Contact == b.Contact && a.Message == b.Message && a.Name == b.Name
}

// Found returns what is shown; it must not be changed.
func (r *Results) Found() []Found { return r.found }

// First returns the first line that opens something.
func (r *Results) First() (Found, bool) {
	if i := r.next(-1, 1); i >= 0 {
		return r.found[i], true
	}
	return Found{}, false
}

// next is the nearest line from i in a direction that opens something, -1 for none.
func (r *Results) next(i, by int) int {
	for i += by; i >= 0 && i < len(r.found); i += by {
		if r.found[i].opens() {
			return i
		}
	}
	return -1
}

func (r *Results) hover(in bool) { r.thumb.setHot(in) }

func (r *Results) reach() float32 { return max(0, r.tops[len(r.tops)-1]-r.Size().Height) }

// Scrolled implements fyne.Scrollable.
func (r *Results) Scrolled(e *fyne.ScrollEvent) {
	r.offset -= e.Scrolled.DY
	r.place()
}

// moreWithin is how near the end more is asked for.
const moreWithin = 3 * messageHeight

// place puts a view on each line that is on screen.
func (r *Results) place() {
	s := r.Size()
	if s.Height < 1 {
		return
	}
	reach := r.reach()
	r.offset = min(max(0, r.offset), reach)
	n := 0
	for i := range r.found {
		if r.tops[i+1] <= r.offset || r.tops[i] >= r.offset+s.Height {
			continue
		}
		if n == len(r.views) {
			v := newFoundView(r)
			r.views = append(r.views, v)
			r.box.Objects = append(r.box.Objects, v)
		}
		v := r.views[n]
		n++
		v.Move(fyne.NewPos(0, r.tops[i]-r.offset))
		v.set(r.found[i], r.focused && i == r.cursor, s.Width)
	}
	for _, v := range r.views[n:] {
		v.Hide()
	}
	at := float32(0)
	if reach > 0 {
		at = r.offset / reach
	}
	r.thumb.set(at, s.Height/max(1, r.tops[len(r.tops)-1]))
	canvas.Refresh(r.box)
	if r.OnMore != nil && len(r.found) > 0 && reach-r.offset < moreWithin {
		r.OnMore()
	}
}

// FocusGained implements fyne.Focusable.
func (r *Results) FocusGained() {
	r.focused = true
	if r.cursor < 0 {
		r.cursor = r.next(-1, 1)
	}
	r.place()
}

// FocusLost implements fyne.Focusable.
func (r *Results) FocusLost() {
	r.focused = false
	r.place()
}

// TypedRune implements fyne.Focusable.
func (r *Results) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (r *Results) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyDown:
		r.move(1)
	case fyne.KeyUp:
		r.move(-1)
	case fyne.KeyHome:
		r.cursor = -1
		r.move(1)
	case fyne.KeyEnd:
		r.cursor = len(r.found)
		r.move(-1)
	case fyne.KeyEscape:
		if r.OnLeave != nil {
			r.OnLeave()
		}
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace:
		if r.cursor >= 0 && r.cursor < len(r.found) {
			r.open(r.found[r.cursor])
		}
	}
}

func (r *Results) move(by int) {
	i := r.next(r.cursor, by)
	if i < 0 {
		if by < 0 && r.OnUp != nil {
			r.OnUp()
		}
		return
	}
	r.cursor = i
	r.offset = min(r.offset, r.tops[i])
	r.offset = max(r.offset, r.tops[i+1]-r.Size().Height)
	if r.next(i, -1) < 0 {
		r.offset = 0 // with the heading above it
	}
	r.place()
}

func (r *Results) open(f Found) {
	if !f.opens() || r.OnOpen == nil {
		return
	}
	r.chosen = f.Message
	for _, v := range r.views {
		v.paintGround()
	}
	r.OnOpen(f)
}

// MouseIn implements desktop.Hoverable.
func (r *Results) MouseIn(*desktop.MouseEvent) { r.hover(true) }

// MouseMoved implements desktop.Hoverable.
func (r *Results) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (r *Results) MouseOut() { r.hover(false) }

// CreateRenderer implements fyne.Widget.
func (r *Results) CreateRenderer() fyne.WidgetRenderer { return &resultsRenderer{r} }

type resultsRenderer struct{ r *Results }

func (x *resultsRenderer) Destroy() {}
func (x *resultsRenderer) MinSize() fyne.Size {
	return fyne.NewSize(theme.SidebarCollapsed, messageHeight)
}

func (x *resultsRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{x.r.clip, x.r.thumb}
}

func (x *resultsRenderer) Layout(s fyne.Size) {
	x.r.clip.Resize(s)
	x.r.box.Resize(s)
	x.r.thumb.Resize(fyne.NewSize(thumbTrack, s.Height))
	x.r.thumb.Move(fyne.NewPos(s.Width-thumbTrack, 0))
	x.r.place()
}

// Refresh paints every line anew: the theme may have changed.
func (x *resultsRenderer) Refresh() {
	for _, v := range x.r.views {
		v.width = 0
	}
	x.r.place()
	x.r.thumb.Refresh()
}

// foundView shows a line; the list reuses it.
type foundView struct {
	widget.BaseWidget
	r       *Results
	line    Found
	cursor  bool
	hovered bool
	width   float32 // for which it was laid out; 0 after a change
	ground  *canvas.Rectangle
	avatar  *Avatar
	objects []fyne.CanvasObject
	rects   []*canvas.Rectangle
	texts   []*canvas.Text
	nRect   int
	nText   int
}

var (
	_ fyne.Tappable      = (*foundView)(nil)
	_ desktop.Hoverable  = (*foundView)(nil)
	_ desktop.Cursorable = (*foundView)(nil)
	_ fyne.Accessible    = (*foundView)(nil)
)

func newFoundView(r *Results) *foundView {
	v := &foundView{r: r, ground: canvas.NewRectangle(color.Transparent), avatar: NewAvatar(foundAvatar, theme.ColorSidebar)}
	v.ground.CornerRadius = 10
	v.ExtendBaseWidget(v)
	return v
}

// foundAvatar is the side of a person's picture.
const foundAvatar = 36

// set shows a line.
func (v *foundView) set(f Found, cursor bool, width float32) {
	same := v.width == width && v.cursor == cursor && sameLine(v.line, f) && v.line.Text == f.Text &&
		v.line.Time == f.Time && slices.Equal(v.line.Marks, f.Marks)
	if !sameLine(v.line, f) {
		v.hovered = false
	}
	v.line, v.cursor = f, cursor
	if size := fyne.NewSize(width, f.height()); v.Size() != size {
		v.Resize(size)
	}
	if !same {
		v.lay(width)
	}
	if !v.Visible() {
		v.Show()
	}
}

// AccessibilityLabel implements fyne.Accessible.
func (v *foundView) AccessibilityLabel() string { return v.line.Name + ": " + v.line.Text }

// AccessibilityRole implements fyne.Accessible.
func (v *foundView) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// Tapped implements fyne.Tappable.
func (v *foundView) Tapped(*fyne.PointEvent) { v.r.open(v.line) }

// Cursor implements desktop.Cursorable.
func (v *foundView) Cursor() desktop.Cursor {
	if v.line.opens() {
		return desktop.PointerCursor
	}
	return desktop.DefaultCursor
}

// MouseIn implements desktop.Hoverable.
func (v *foundView) MouseIn(*desktop.MouseEvent) {
	v.hovered = true
	v.r.hover(true)
	v.paintGround()
}

// MouseMoved implements desktop.Hoverable.
func (v *foundView) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (v *foundView) MouseOut() {
	v.hovered = false
	v.r.hover(false)
	v.paintGround()
}

// CreateRenderer implements fyne.Widget.
func (v *foundView) CreateRenderer() fyne.WidgetRenderer { return &foundRenderer{v} }

type foundRenderer struct{ v *foundView }

func (x *foundRenderer) Destroy()                     {}
func (x *foundRenderer) Layout(fyne.Size)             {}
func (x *foundRenderer) MinSize() fyne.Size           { return fyne.NewSize(1, 1) }
func (x *foundRenderer) Objects() []fyne.CanvasObject { return x.v.objects }
func (x *foundRenderer) Refresh() {
	if x.v.width > 0 {
		x.v.lay(x.v.width)
	}
}

func (v *foundView) paintGround() {
	v.ground.FillColor, v.ground.StrokeWidth = seeThrough(ftheme.ColorNamePrimary), 0
	chosen := v.line.Kind == FoundMessage && v.line.Message == v.r.chosen
	if v.hovered && v.line.opens() || chosen {
		v.ground.FillColor = theme.Color(ftheme.ColorNameHover)
	}
	if v.cursor {
		v.ground.StrokeWidth, v.ground.StrokeColor = 2, theme.Color(ftheme.ColorNamePrimary)
	}
	v.ground.Refresh()
}

// foundPad is where text begins and ends.
const foundPad = theme.SidebarInset + 4

// lay places and paints everything anew.
func (v *foundView) lay(width float32) {
	v.width = width
	v.objects, v.nRect, v.nText = v.objects[:0], 0, 0
	v.ground.Resize(fyne.NewSize(width-2*rowInset, v.line.height()-2))
	v.ground.Move(fyne.NewPos(rowInset, 1))
	v.paintGround()
	v.objects = append(v.objects, v.ground)
	left, right := float32(foundPad), width-foundPad
	switch f := &v.line; f.Kind {
	case FoundHeading:
		v.text(f.Name, left, 12, theme.SizeStatus, true, theme.ColorMuted)
	case FoundNote:
		v.text(ellipsis(f.Name, right-left, theme.SizePreview, false), left, 12, theme.SizePreview, false, theme.ColorMuted)
	case FoundPerson:
		v.avatar.Resize(fyne.NewSquareSize(foundAvatar))
		v.avatar.Move(fyne.NewPos(left-2, (personHeight-foundAvatar)/2))
		v.avatar.Set(f.Contact, f.Name, false, theme.ColorSidebar)
		v.objects = append(v.objects, v.avatar.Container)
		x := left + foundAvatar + 10
		h := height(theme.SizeText, true)
		v.text(ellipsis(f.Name, right-x, theme.SizeText, true), x, (personHeight-h)/2, theme.SizeText, true, ftheme.ColorNameForeground)
	case FoundMessage:
		v.layMessage(left, right)
	}
	canvas.Refresh(v)
}

// layMessage shows whose conversation it is, when it was, and two lines of text.
func (v *foundView) layMessage(left, right float32) {
	f := &v.line
	tw := measure(f.Time, theme.SizeCaption, false)
	v.text(f.Time, right-tw, 11, theme.SizeCaption, false, theme.ColorMuted)
	v.text(ellipsis(f.Name, right-tw-8-left, theme.SizePreview, true), left, 9, theme.SizePreview, true, ftheme.ColorNameForeground)
	x := left
	if f.Lead != "" {
		x += v.text(f.Lead, left, 29, theme.SizePreview, false, theme.ColorMuted) + 4
	}
	v.layText(x, left, right, 29)
}

// layText shows the text on two lines, with the marked words bold on a tint: never
// by colour alone.
func (v *foundView) layText(x, left, right, y float32) {
	h := height(theme.SizePreview, false)
	for _, p := range pieces(v.line.Text, v.line.Marks) {
		for _, w := range words(p.text) {
			width := measure(w, theme.SizePreview, p.marked)
			if x > left && x+measure(strings.TrimRight(w, " "), theme.SizePreview, p.marked) > right {
				if y > 40 {
					v.text("…", min(x, right-8), y, theme.SizePreview, false, theme.ColorMuted)
					return
				}
				x, y = left, y+h+1
			}
			if x == left {
				w = strings.TrimLeft(w, " ")
				width = measure(w, theme.SizePreview, p.marked)
			}
			if x+width > right+4 { // a word longer than the line
				w = ellipsis(w, right-x, theme.SizePreview, p.marked)
				width = measure(w, theme.SizePreview, p.marked)
			}
			if p.marked {
				v.rect(x-1, y, width+2, h, 3, theme.ColorSelected)
			}
			c := theme.ColorMuted
			if p.marked {
				c = ftheme.ColorNameForeground
			}
			x += v.text(w, x, y, theme.SizePreview, p.marked, c)
		}
	}
}

// piece is a part of a text that looks the same all over.
type piece struct {
	text   string
	marked bool
}

// pieces cuts a text at its marks.
func pieces(text string, marks []chat.Mark) []piece {
	var out []piece
	at := 0
	for _, m := range marks {
		if m.From < at || m.To < m.From || m.To > len(text) {
			continue
		}
		if m.From > at {
			out = append(out, piece{text[at:m.From], false})
		}
		out = append(out, piece{text[m.From:m.To], true})
		at = m.To
	}
	if at < len(text) {
		out = append(out, piece{text[at:], false})
	}
	return out
}

// words cuts a text after its spaces.
func words(s string) []string {
	var out []string
	for len(s) > 0 {
		i := 0
		for i < len(s) && s[i] != ' ' {
			i++
		}
		for i < len(s) && s[i] == ' ' {
			i++
		}
		out, s = append(out, s[:i]), s[i:]
	}
	return out
}

func (v *foundView) rect(x, y, w, h, radius float32, fill fyne.ThemeColorName) {
	if v.nRect == len(v.rects) {
		v.rects = append(v.rects, canvas.NewRectangle(color.Transparent))
	}
	r := v.rects[v.nRect]
	v.nRect++
	r.CornerRadius, r.FillColor = radius, theme.Color(fill)
	r.Resize(fyne.NewSize(w, h))
	r.Move(fyne.NewPos(x, y))
	v.objects = append(v.objects, r)
}

// text shows one line and returns its width.
func (v *foundView) text(s string, x, y, size float32, bold bool, c fyne.ThemeColorName) float32 {
	if v.nText == len(v.texts) {
		v.texts = append(v.texts, newText(size, bold))
	}
	t := v.texts[v.nText]
	v.nText++
	t.Text, t.TextSize, t.TextStyle.Bold, t.Color = s, size, bold, theme.Color(c)
	v.objects = append(v.objects, t)
	return put(t, x, y).Width
}
