package widgets

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
)

var (
	_ fyne.Focusable    = (*History)(nil)
	_ fyne.Shortcutable = (*History)(nil)
)

// FocusGained implements fyne.Focusable: the keyboard starts at the lowest
// message on screen.
func (h *History) FocusGained() {
	h.focused = true
	if _, ok := h.index[h.cursor]; !ok || h.live[h.cursor] == nil {
		h.cursor = Key{}
		for _, p := range h.placed {
			if it := h.items[p.i]; it.Key.Kind == ItemBubble && p.y+p.v.height <= h.Size().Height {
				h.cursor = it.Key
				break
			}
		}
	}
	h.repaint(h.cursor)
}

// FocusLost implements fyne.Focusable.
func (h *History) FocusLost() {
	h.focused = false
	h.repaint(h.cursor)
}

func (h *History) repaint(k Key) {
	if v := h.live[k]; v != nil {
		v.cursor = h.focused && k == h.cursor
		v.lay(v.width)
	}
}

// TypedRune implements fyne.Focusable.
func (h *History) TypedRune(r rune) {
	if h.OnRune != nil {
		h.OnRune(r)
	}
}

// TypedKey implements fyne.Focusable.
func (h *History) TypedKey(e *fyne.KeyEvent) {
	it, ok := h.cursorItem()
	switch e.Name {
	case fyne.KeyUp:
		h.step(-1)
	case fyne.KeyDown:
		h.step(1)
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace:
		if ok {
			h.call(h.OnDetails, it)
		}
	case desktop.KeyMenu:
		if ok {
			h.menu(it, h.cursorPoint())
		}
	case fyne.KeyDelete:
		if ok {
			h.call(h.OnDelete, it)
		}
	case fyne.KeyEscape:
		if h.OnLeave != nil {
			h.OnLeave()
		}
	default:
		h.Page(e.Name)
	}
}

// Page scrolls by a key and reports whether it is one that scrolls.
func (h *History) Page(k fyne.KeyName) bool {
	switch k {
	case fyne.KeyPageUp:
		h.ScrollBy(h.Size().Height * 0.9)
	case fyne.KeyPageDown:
		h.ScrollBy(-h.Size().Height * 0.9)
	case fyne.KeyHome:
		h.thumbMoved(0)
	case fyne.KeyEnd:
		h.ToBottom()
	default:
		return false
	}
	return true
}

// step moves the cursor to the next message and keeps it in view.
func (h *History) step(by int) {
	i, ok := h.index[h.cursor]
	if !ok {
		i = h.anchor - by
	}
	for i += by; i >= 0 && i < len(h.items); i += by {
		if h.items[i].Key.Kind == ItemBubble {
			old := h.cursor
			h.cursor = h.items[i].Key
			h.repaint(old)
			h.reveal(h.cursor)
			h.repaint(h.cursor)
			return
		}
	}
	h.ScrollBy(-40 * float32(by))
}

// keepCursor puts the cursor of a message that is gone on its neighbour, the one
// below first.
func (h *History) keepCursor(old []Item) {
	if _, there := h.index[h.cursor]; there || h.cursor == (Key{}) {
		return
	}
	at := slices.IndexFunc(old, func(it Item) bool { return it.Key == h.cursor })
	h.cursor = Key{}
	for d := 1; at >= 0 && d < len(old); d++ {
		for _, i := range [2]int{at + d, at - d} {
			if i < 0 || i >= len(old) || old[i].Key.Kind != ItemBubble {
				continue
			}
			if _, there := h.index[old[i].Key]; there {
				h.cursor = old[i].Key
				return
			}
		}
	}
}

func (h *History) cursorItem() (Item, bool) {
	i, ok := h.index[h.cursor]
	if !ok {
		return Item{}, false
	}
	return h.items[i], true
}

// cursorPoint is where the menu of the message under the cursor opens.
func (h *History) cursorPoint() fyne.Position {
	v := h.live[h.cursor]
	if v == nil {
		return fyne.CurrentApp().Driver().AbsolutePositionForObject(h)
	}
	return fyne.CurrentApp().Driver().AbsolutePositionForObject(v).Add(v.bubble.pos).AddXY(12, 24)
}

// TypedShortcut implements fyne.Shortcutable.
func (h *History) TypedShortcut(s fyne.Shortcut) {
	if h.OnShortcut != nil && h.OnShortcut(s) {
		return
	}
	switch s.(type) {
	case *fyne.ShortcutCopy:
		h.Copy()
	case *fyne.ShortcutSelectAll:
		if it, ok := h.cursorItem(); ok {
			h.choose(selection{it.Key, 0, len(it.Text)})
		}
	}
}

// Copy hands out the selected text, or that of the message under the keyboard's
// cursor.
func (h *History) Copy() {
	text := h.Selected()
	if it, ok := h.cursorItem(); text == "" && ok && h.focused {
		text = it.Text
	}
	if text != "" && h.OnCopy != nil {
		h.OnCopy(text)
	}
}
