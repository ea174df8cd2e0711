package widgets

import (
	"image"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

const (
	bottomPad = 12 // under the newest item
	// ahead is how many items are left at an end of what is loaded when more is
	// asked for: about two screens.
	ahead = 30
	// nearBottom is how far the newest item may hang below the window for the
	// person to count as being at the bottom.
	nearBottom = 80
)

// History is a virtual list of items of any height. What it remembers of its place
// is the lowest item on screen and how much of it hangs below the edge; items are
// placed upwards from there. So its cost follows from what is on screen, not from
// how much there is.
//
// It shows a part of a conversation that its owner has loaded. When the person
// comes near an end of it, it asks for more and gets it by SetItems, which keeps
// the item at the edge where it is.
type History struct {
	widget.BaseWidget
	items        []Item
	index        map[Key]int
	older, newer bool // there is more than is loaded
	firstSeq     uint64
	lastSeq      uint64

	anchor int     // the lowest item on screen
	over   float32 // how much of it hangs below the edge
	placed []placed
	atEnd  bool

	live map[Key]*itemView
	pool []*itemView
	box  *fyne.Container
	clip *container.Clip

	thumb  *scrollThumb
	jump   *jumpButton
	sticky *dayPill
	tips   *Tips

	selection selection
	focused   bool
	cursor    Key
	pointer   fyne.Position
	asked     struct{ older, newer bool }

	// What a person does. All may be nil.
	OnOlder   func()
	OnNewer   func()
	OnSeek    func(seq uint64) // the thumb was dragged to what is not loaded
	OnBottom  func()           // to the newest, which is not loaded
	OnSeen    func(seq uint64) // the highest place that is on screen
	OnMenu    func(it Item, at fyne.Position)
	OnDetails func(it Item)
	OnDelete  func(it Item)
	OnAction  func(it Item)
	OnQuote   func(it Item)
	OnMore    func(it Item)
	OnPicture func(it Item, place int)     // a thumbnail was pressed
	OnFile    func(it Item, place, do int) // a FileAction was chosen
	OnCopy    func(text string)
	OnRune    func(r rune) // typed while the history has the focus
	OnLeave   func()       // Escape
	// OnShortcut gets shortcuts first and says whether it took one.
	OnShortcut func(fyne.Shortcut) bool
	// Thumbnail returns the thumbnail of a message's file, nil while it is not
	// there; Repaint is then called when it is. It is asked for what is on screen.
	Thumbnail func(id chat.MessageID, place int) image.Image
}

type placed struct {
	v *itemView
	i int
	y float32
}

var (
	_ fyne.Scrollable   = (*History)(nil)
	_ desktop.Hoverable = (*History)(nil)
)

// NewHistory makes an empty history. newest is what the button that leads down is
// called.
func NewHistory(tips *Tips, newest string) *History {
	h := &History{live: map[Key]*itemView{}, index: map[Key]int{}, box: container.NewWithoutLayout(), tips: tips, atEnd: true}
	h.clip = container.NewClip(h.box)
	h.thumb = newScrollThumb(h.thumbMoved, h.hover)
	h.jump = newJumpButton(tips, newest, h.ToBottom)
	h.sticky = newDayPill()
	h.ExtendBaseWidget(h)
	return h
}

// SetItems replaces what is loaded and says whether there is more. The item at the
// lower edge stays where it is; at the bottom the view follows what is new.
func (h *History) SetItems(items []Item, older, newer bool) {
	follow := h.atEnd && !h.newer && !newer
	old, oldAnchor := h.items, h.anchor
	h.items, h.older, h.newer = items, older, newer
	h.asked.older, h.asked.newer = false, false
	h.index = make(map[Key]int, len(items))
	for i := range items {
		h.index[items[i].Key] = i
	}
	h.keepCursor(old)
	if keep, ok := h.survivor(old, oldAnchor); !ok || follow {
		h.anchor, h.over = len(items)-1, 0
	} else {
		if oldAnchor >= len(old) || old[oldAnchor].Key != keep {
			h.over = 0
		}
		h.anchor = h.index[keep]
	}
	h.place()
}

// survivor is the item nearest to the anchor, upwards first, that is still there.
func (h *History) survivor(old []Item, anchor int) (Key, bool) {
	for d := range len(old) {
		for _, i := range [2]int{anchor - d, anchor + d} {
			if i >= 0 && i < len(old) {
				if _, ok := h.index[old[i].Key]; ok {
					return old[i].Key, true
				}
			}
		}
	}
	return Key{}, false
}

// SetExtent says from which place to which the conversation reaches, for the
// thumb.
func (h *History) SetExtent(first, last uint64) { h.firstSeq, h.lastSeq = first, last }

// SetNew sets the count on the button that leads down.
func (h *History) SetNew(n int) { h.jump.setCount(n) }

// Items returns what is loaded; it must not be changed.
func (h *History) Items() []Item { return h.items }

// AtEnd reports whether the newest item is on screen, or nearly.
func (h *History) AtEnd() bool { return h.atEnd && !h.newer }

// ToBottom shows the newest item.
func (h *History) ToBottom() {
	if h.newer && h.OnBottom != nil {
		h.OnBottom()
		return
	}
	h.ShowEnd()
}

// ShowEnd shows the last item that is loaded.
func (h *History) ShowEnd() {
	h.anchor, h.over = len(h.items)-1, 0
	h.place()
}

// ShowAt brings an item to y under the upper edge, or to where the end of what is
// loaded allows.
func (h *History) ShowAt(k Key, y float32) bool {
	i, ok := h.index[k]
	if !ok || h.Size().Height < 1 {
		return ok
	}
	edge := h.Size().Height
	for ; i < len(h.items); i++ {
		y += h.heightOf(i)
		if y >= edge {
			h.anchor, h.over = i, y-edge
			h.place()
			return true
		}
	}
	h.ShowEnd()
	return true
}

// OnScreen reports whether an item is to be seen.
func (h *History) OnScreen(k Key) bool {
	for _, p := range h.placed {
		if h.items[p.i].Key == k {
			return true
		}
	}
	return false
}

// reveal scrolls as little as brings an item into view.
func (h *History) reveal(k Key) {
	for _, p := range h.placed {
		if h.items[p.i].Key != k {
			continue
		}
		bottom := h.Size().Height - bottomPad
		switch {
		case p.y < 8:
			h.ScrollBy(8 - p.y)
		case p.y+p.v.height > bottom && p.v.height < bottom:
			h.ScrollBy(bottom - p.y - p.v.height)
		}
		return
	}
	h.ShowAt(k, h.Size().Height/3)
}

// ScrollBy moves the content; positive shows older items.
func (h *History) ScrollBy(dy float32) {
	if len(h.items) > 0 {
		h.over += dy
		h.place()
	}
}

// Scrolled implements fyne.Scrollable.
func (h *History) Scrolled(e *fyne.ScrollEvent) {
	h.tips.Hide()
	h.ScrollBy(e.Scrolled.DY)
}

// view returns the laid-out view of an item.
func (h *History) view(i int) *itemView {
	it, w := h.items[i], h.Size().Width
	v := h.live[it.Key]
	if v == nil {
		v = h.take()
		h.live[it.Key] = v
	}
	v.cursor = h.focused && it.Key == h.cursor
	v.set(it, w)
	if size := fyne.NewSize(w, v.height); v.Size() != size {
		v.Resize(size)
	}
	return v
}

// heightOf is the room an item takes: the newest has some under it.
func (h *History) heightOf(i int) float32 {
	height := h.view(i).height
	if i == len(h.items)-1 {
		height += bottomPad
	}
	return height
}

func (h *History) take() *itemView {
	n := len(h.pool)
	if n == 0 {
		v := newItemView(h)
		h.box.Objects = append(h.box.Objects, v)
		return v
	}
	v := h.pool[n-1]
	h.pool = h.pool[:n-1]
	v.hovered = false
	v.width = 0
	v.Show()
	return v
}

// place puts views on what is on screen.
func (h *History) place() {
	s := h.Size()
	if s.Height < 1 || s.Width < 1 {
		return
	}
	h.placed = h.placed[:0]
	if len(h.items) > 0 {
		h.settle()
		h.stack(s.Height)
	}
	h.recycle()
	h.after(s)
	canvas.Refresh(h.box)
}

// settle makes the anchor the lowest item that is on screen.
func (h *History) settle() {
	n := len(h.items)
	h.anchor = min(max(0, h.anchor), n-1)
	for h.over < 0 && h.anchor < n-1 {
		h.anchor++
		h.over += h.heightOf(h.anchor)
	}
	h.over = max(0, h.over)
	for h.anchor > 0 {
		height := h.heightOf(h.anchor)
		if h.over < height {
			break
		}
		h.over -= height
		h.anchor--
	}
}

// stack places items upwards from the anchor until the upper edge. If the first
// item would hang in the air, everything moves up to it.
func (h *History) stack(edge float32) {
	y := edge + h.over
	for i := h.anchor; i >= 0 && y > 0; i-- {
		y -= h.heightOf(i)
		h.placed = append(h.placed, placed{h.view(i), i, y})
	}
	if y > 0 && h.over > 0 {
		d := min(y, h.over)
		h.over -= d
		for i := range h.placed {
			h.placed[i].y -= d
		}
	}
	for _, p := range h.placed {
		p.v.Move(fyne.NewPos(0, p.y))
	}
}

// recycle takes the views that are not on screen back.
func (h *History) recycle() {
	if len(h.live) == len(h.placed) {
		return
	}
	seen := make(map[*itemView]bool, len(h.placed))
	for _, p := range h.placed {
		seen[p.v] = true
	}
	for k, v := range h.live {
		if !seen[v] {
			v.Hide()
			delete(h.live, k)
			h.pool = append(h.pool, v)
		}
	}
}

// after brings thumb, button and date up to date and tells the owner.
func (h *History) after(s fyne.Size) {
	n := len(h.items)
	h.atEnd = n == 0 || (h.anchor == n-1 && h.over < nearBottom)
	h.placeThumb()
	x, cw := column(s.Width)
	h.jump.Move(fyne.NewPos(x+cw-theme.Gutter-jumpSide, s.Height-jumpHeight-8))
	h.jump.show(!h.AtEnd())
	h.placeSticky(s.Width)
	if n == 0 {
		return
	}
	if h.OnSeen != nil {
		h.OnSeen(h.Seen())
	}
	top := h.placed[len(h.placed)-1].i
	if h.older && !h.asked.older && top < ahead && h.OnOlder != nil {
		h.asked.older = true
		h.OnOlder()
	}
	if h.newer && !h.asked.newer && n-1-h.anchor < ahead && h.OnNewer != nil {
		h.asked.newer = true
		h.OnNewer()
	}
}

// Seen is the highest place that a person can have read: of an item whose end is
// on screen, or that fills the screen.
func (h *History) Seen() uint64 {
	s := h.Size()
	for _, p := range h.placed {
		if it := h.items[p.i]; it.Key.Kind == ItemBubble || it.Key.Kind == ItemNotice {
			if p.y+p.v.height <= s.Height || p.y <= 0 {
				return it.Seq
			}
		}
	}
	return 0
}

func (h *History) placeSticky(width float32) {
	if len(h.placed) == 0 || h.AtEnd() {
		h.sticky.set("")
		return
	}
	day := h.items[h.placed[len(h.placed)-1].i].Day
	for _, p := range h.placed {
		if h.items[p.i].Key.Kind == ItemDay && p.y < 24 {
			day = "" // the day's own line is there
			break
		}
	}
	h.sticky.set(day)
	h.sticky.place(width, 8)
}

// placeThumb computes the thumb from the places on screen: what lies between is
// not known, and need not be.
func (h *History) placeThumb() {
	if len(h.placed) == 0 || h.lastSeq <= h.firstSeq {
		h.thumb.set(1, 1)
		return
	}
	lowest, highest := h.placed[0], h.placed[len(h.placed)-1]
	if !h.older && !h.newer && highest.i == 0 && highest.y >= 0 && h.anchor == len(h.items)-1 && h.over == 0 {
		h.thumb.set(1, 1)
		return
	}
	span := float32(h.lastSeq-h.firstSeq) + 1
	top := float32(h.items[highest.i].Seq-min(h.firstSeq, h.items[highest.i].Seq)) + hidden(-highest.y, highest.v.height)
	bottom := float32(h.items[lowest.i].Seq-min(h.firstSeq, h.items[lowest.i].Seq)) + 1 - hidden(h.over, lowest.v.height)
	share := min(1, max(0.001, (bottom-top)/span))
	at := float32(1)
	if room := span - (bottom - top); room > 0 {
		at = min(1, max(0, top/room))
	}
	if h.AtEnd() && h.over == 0 {
		at = 1
	}
	if !h.older && highest.i == 0 && highest.y >= 0 {
		at = 0
	}
	h.thumb.set(at, min(share, 0.999))
}

func hidden(part, whole float32) float32 { return min(1, max(0, part/max(1, whole))) }

// thumbMoved shows the place that the thumb was dragged to.
func (h *History) thumbMoved(at float32) {
	if len(h.items) == 0 {
		return
	}
	switch {
	case at >= 1:
		h.ToBottom()
		return
	case at <= 0 && !h.older:
		h.ShowAt(h.items[0].Key, 0)
		return
	}
	seq := h.firstSeq + uint64(float64(at)*float64(h.lastSeq-h.firstSeq))
	if i, ok := h.find(seq); ok {
		h.ShowAt(h.items[i].Key, h.Size().Height*at)
		return
	}
	if h.OnSeek != nil {
		h.OnSeek(seq)
	}
}

// find returns the first item at or after a place, if the place is loaded.
func (h *History) find(seq uint64) (int, bool) {
	n := len(h.items)
	if n == 0 || (h.older && seq < h.items[0].Seq) || (h.newer && seq > h.items[n-1].Seq) {
		return 0, false
	}
	for i := range h.items {
		if h.items[i].Seq >= seq {
			return i, true
		}
	}
	return n - 1, true
}

// call runs a callback with an item, if it is set.
func (h *History) call(f func(Item), it Item) {
	if f != nil {
		f(it)
	}
}

func (h *History) menu(it Item, at fyne.Position) {
	if h.OnMenu != nil && it.Key.Kind == ItemBubble {
		h.OnMenu(it, at)
	}
}

func (h *History) hover(in bool) { h.thumb.setHot(in) }

// MouseIn implements desktop.Hoverable.
func (h *History) MouseIn(*desktop.MouseEvent) { h.hover(true) }

// MouseMoved implements desktop.Hoverable.
func (h *History) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (h *History) MouseOut() { h.hover(false) }

// selectionIn is what is selected of an item's text.
func (h *History) selectionIn(k Key) (int, int) {
	if h.selection.key != k {
		return 0, 0
	}
	return h.selection.bounds()
}

// choose changes what is selected.
func (h *History) choose(s selection) {
	if s == h.selection {
		return
	}
	old := h.selection.key
	h.selection = s
	for _, k := range [2]Key{old, s.key} {
		if v := h.live[k]; v != nil {
			v.lay(v.width)
		}
	}
}

// Selected is the selected text, "" if there is none.
func (h *History) Selected() string {
	i, ok := h.index[h.selection.key]
	if !ok {
		return ""
	}
	from, to := h.selection.bounds()
	return h.items[i].Text[min(from, len(h.items[i].Text)):min(to, len(h.items[i].Text))]
}

// CreateRenderer implements fyne.Widget.
func (h *History) CreateRenderer() fyne.WidgetRenderer { return &historyRenderer{h} }

type historyRenderer struct{ h *History }

func (r *historyRenderer) Destroy()           {}
func (r *historyRenderer) MinSize() fyne.Size { return fyne.NewSize(200, 80) }

func (r *historyRenderer) Objects() []fyne.CanvasObject {
	h := r.h
	return []fyne.CanvasObject{h.clip, h.sticky.box, h.thumb, h.jump}
}

func (r *historyRenderer) Layout(s fyne.Size) {
	h := r.h
	h.clip.Resize(s)
	h.box.Resize(s)
	h.thumb.Resize(fyne.NewSize(thumbTrack, s.Height))
	h.thumb.Move(fyne.NewPos(s.Width-thumbTrack, 0))
	h.jump.Resize(h.jump.MinSize())
	h.place()
}

// Refresh paints everything anew: the theme may have changed.
func (r *historyRenderer) Refresh() {
	for _, v := range r.h.live {
		v.width = 0
	}
	r.h.place()
	r.h.thumb.Refresh()
	r.h.jump.Refresh()
}
