package widgets

import (
	"image/color"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	ftheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// ItemKind tells what an Item of the history shows.
type ItemKind uint8

// The kinds.
const (
	ItemBubble  ItemKind = iota
	ItemDay              // a date between days
	ItemDivider          // "Neue Nachrichten"
	ItemNotice           // a line that the app itself wrote
)

// Key names an item for as long as the history shows it.
type Key struct {
	Kind ItemKind
	ID   chat.MessageID
	Day  int64 // of an ItemDay: days since 1970
}

// Item is one line of the history. Items are compared with ==: one that did not
// change is not laid out again.
type Item struct {
	Key Key
	// Seq is the message's place; items that are no message have the place of the
	// one after them.
	Seq  uint64
	Text string
	// Files stand above the text; nil for none. Equal ones should be the same.
	Files *Files
	// Shown is how many bytes of Text are shown, 0 for all; More is what leads to
	// the rest, or back.
	Shown int
	More  string
	// Day is the date that the sticky pill shows while this is the topmost item.
	Day string

	Own         bool
	First, Last bool // of a group of one sender
	Time        string
	Word        string // the state in a word, said with the newest own message
	Mark        Mark
	QuoteWho    string
	Quote       string
	QuoteOf     chat.MessageID
	Note        string // under the bubble: what it waits for, or why it failed
	Failed      bool   // Note is an error's
	Action      string // what can be done about it
	Detail      string // the opened panel's lines; "" while it is closed
	Marked      bool   // a search led here
}

// shown is the part of the text that is shown.
func (it *Item) shown() string {
	if it.Shown > 0 && it.Shown < len(it.Text) {
		return it.Text[:it.Shown]
	}
	return it.Text
}

// hit is a place in an item that does something when it is pressed.
type hit struct {
	pos  fyne.Position
	size fyne.Size
	do   func(abs fyne.Position)
}

func (t hit) holds(p fyne.Position) bool {
	return p.X >= t.pos.X && p.Y >= t.pos.Y && p.X < t.pos.X+t.size.Width && p.Y < t.pos.Y+t.size.Height
}

// itemView shows an Item; the history reuses it. Its parts are made when they are
// first needed, and only those in use are handed to the canvas.
type itemView struct {
	widget.BaseWidget
	h       *History
	item    Item
	width   float32 // for which it was laid out; 0 after a change
	height  float32
	objects []fyne.CanvasObject
	hits    []hit
	hovered bool
	cursor  bool

	rects []*canvas.Rectangle
	texts []*canvas.Text
	nRect int
	nText int
	// Of files: made only for messages that have some.
	icons, pictures []*canvas.Image
	nIcon, nPicture int
	sign            *sign
	more            *canvas.Image
	shut            *canvas.Image

	// Of a bubble's text, for selecting in it.
	lines   []line
	textPos fyne.Position
	// textSize is larger for emoji alone.
	textSize float32
	bubble   hit // the bubble's place
	clicks   clicks
}

func newItemView(h *History) *itemView {
	v := &itemView{h: h}
	v.ExtendBaseWidget(v)
	return v
}

// set shows an item at a width and returns its height.
func (v *itemView) set(it Item, width float32) float32 {
	if v.width == width && v.item == it {
		return v.height
	}
	v.item = it
	v.lay(width)
	return v.height
}

// lay places and paints everything anew.
func (v *itemView) lay(width float32) {
	v.width = width
	v.objects, v.hits, v.nRect, v.nText, v.lines = v.objects[:0], v.hits[:0], 0, 0, nil
	v.nIcon, v.nPicture = 0, 0
	v.bubble = hit{}
	switch v.item.Key.Kind {
	case ItemDay:
		v.height = v.layDay(width)
	case ItemDivider:
		v.height = v.layDivider(width)
	case ItemNotice:
		v.height = v.layNotice(width)
	case ItemBubble:
		v.height = v.layBubble(width)
	}
	canvas.Refresh(v)
}

// rect takes a rectangle from the view's stock.
func (v *itemView) rect(x, y, w, h, radius float32, fill fyne.ThemeColorName) *canvas.Rectangle {
	if v.nRect == len(v.rects) {
		v.rects = append(v.rects, canvas.NewRectangle(color.Transparent))
	}
	r := v.rects[v.nRect]
	v.nRect++
	*r = canvas.Rectangle{CornerRadius: radius, FillColor: seeThrough(theme.ColorOther)}
	if fill != "" {
		r.FillColor = theme.Color(fill)
	}
	r.Resize(fyne.NewSize(w, h))
	r.Move(fyne.NewPos(x, y))
	v.objects = append(v.objects, r)
	return r
}

// text takes a text from the view's stock.
func (v *itemView) text(s string, x, y, size float32, bold bool, c fyne.ThemeColorName) *canvas.Text {
	if v.nText == len(v.texts) {
		v.texts = append(v.texts, newText(size, bold))
	}
	t := v.texts[v.nText]
	v.nText++
	t.Text, t.TextSize, t.TextStyle.Bold, t.Color = s, size, bold, theme.Color(c)
	put(t, x, y)
	v.objects = append(v.objects, t)
	return t
}

const pillHeight = 22

func (v *itemView) layDay(w float32) float32 {
	v.pill(v.item.Text, w, 14)
	return 14 + pillHeight + 4
}

func (v *itemView) pill(s string, w, y float32) {
	tw, th := measure(s, theme.SizeCaption, true), height(theme.SizeCaption, true)
	v.rect((w-tw-24)/2, y, tw+24, pillHeight, pillHeight/2, theme.ColorOther)
	v.text(s, (w-tw)/2, y+(pillHeight-th)/2, theme.SizeCaption, true, theme.ColorMutedOnTint)
}

func (v *itemView) layDivider(w float32) float32 {
	const y = 24
	x, cw := column(w)
	tw, th := measure(v.item.Text, theme.SizeStatus, true), height(theme.SizeStatus, true)
	left := x + (cw-tw)/2
	v.rect(x+theme.Gutter, y, left-12-x-theme.Gutter, 1, 0, ftheme.ColorNamePrimary)
	v.rect(left+tw+12, y, x+cw-theme.Gutter-(left+tw+12), 1, 0, ftheme.ColorNamePrimary)
	v.text(v.item.Text, left, y-th/2, theme.SizeStatus, true, ftheme.ColorNamePrimary)
	return 40
}

func (v *itemView) layNotice(w float32) float32 {
	_, cw := column(w)
	y, h := float32(12), height(theme.SizeStatus, false)
	for _, l := range wrapSmall(v.item.Text, min(theme.BubbleMax, cw-2*theme.Gutter)) {
		v.text(l, (w-measure(l, theme.SizeStatus, false))/2, y, theme.SizeStatus, false, theme.ColorMuted)
		y += h
	}
	return y + 4
}

// wrapSmall breaks the text of notes and notices.
func wrapSmall(s string, width float32) []string {
	var out []string
	for para := range strings.SplitSeq(s, "\n") {
		cur := ""
		for _, w := range strings.Fields(para) {
			switch next := strings.TrimPrefix(cur+" "+w, " "); {
			case cur == "" || measure(next, theme.SizeStatus, false) <= width:
				cur = next
			default:
				out, cur = append(out, cur), w
			}
		}
		out = append(out, cur)
	}
	return out
}

// column is where the history's column lies in a pane: at most 820 wide, centred.
func column(pane float32) (x, width float32) {
	width = min(theme.Column, pane)
	return (pane - width) / 2, width
}

// CreateRenderer implements fyne.Widget.
func (v *itemView) CreateRenderer() fyne.WidgetRenderer { return &itemRenderer{v} }

type itemRenderer struct{ v *itemView }

func (r *itemRenderer) Destroy()                     {}
func (r *itemRenderer) Layout(fyne.Size)             {}
func (r *itemRenderer) MinSize() fyne.Size           { return fyne.NewSize(1, 1) }
func (r *itemRenderer) Objects() []fyne.CanvasObject { return r.v.objects }
func (r *itemRenderer) Refresh() {
	if r.v.width > 0 {
		r.v.lay(r.v.width)
	}
}
