package widgets

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	ftheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

const (
	composerRows   = 6
	composerHeight = 40 // with one row
	sendSide       = 32
	// composerMuch is a text that fills all rows however wide the window is.
	composerMuch = 8000
)

// Composer is where a message is written: one rounded box of one to six rows that
// holds the button to send. Enter sends, Shift+Enter breaks the line.
type Composer struct {
	widget.Entry
	send  *IconButton
	box   *box
	rows  int
	shift bool
	// OnSend is called with what was written, without blank ends. It returns
	// whether it was taken; if so, the composer is emptied.
	OnSend func(text string) bool
	// OnEdit is called after each change of the text.
	OnEdit func(text string)
	// OnPage gets the keys that scroll the history; it says whether it took one.
	OnPage func(k fyne.KeyName) bool
	// OnLeave is called for Escape.
	OnLeave func()
	// OnShortcut gets shortcuts first and says whether it took one.
	OnShortcut func(fyne.Shortcut) bool
	// OnPaste gets the text that is about to be pasted, "" if the clipboard holds
	// something else, and says whether it took it; PasteText pastes it after all.
	OnPaste func(text string) bool
	// OnRows is called when the box grew or shrank.
	OnRows func()
}

// NewComposer makes an empty composer. Show its Object.
func NewComposer(tips *Tips, hint, sendLabel string) *Composer {
	c := &Composer{rows: 1}
	c.ExtendBaseWidget(c)
	c.MultiLine = true
	c.Wrapping = fyne.TextWrapWord
	c.PlaceHolder = hint
	c.send = NewIconButton(tips, icons.Send, sendLabel, c.submit)
	c.send.primary = true
	c.send.side = sendSide
	c.send.Disable()
	c.OnChanged = c.edited
	c.SetMinRowsVisible(1)
	c.box = newBox(c, 12)
	c.box.right, c.box.lead, c.box.tail, c.box.drop = c.send, 4, sendSide+6, 2.5
	return c
}

// CreateRenderer implements fyne.Widget.
func (c *Composer) CreateRenderer() fyne.WidgetRenderer { return bare{c.Entry.CreateRenderer()} }

// AddAttach puts a button at the left that adds files.
func (c *Composer) AddAttach(tips *Tips, label string, tap func()) {
	b := NewIconButton(tips, icons.Attach, label, tap)
	b.color, b.side = theme.ColorMuted, sendSide
	c.box.left, c.box.lead, c.box.low = b, sendSide+4, true
}

// PasteText pastes what the clipboard holds as text.
func (c *Composer) PasteText() {
	c.Entry.TypedShortcut(&fyne.ShortcutPaste{Clipboard: fyne.CurrentApp().Clipboard()})
}

// Object is what to show.
func (c *Composer) Object() fyne.CanvasObject { return c.box }

func (c *Composer) edited(text string) {
	c.fit()
	if strings.TrimSpace(text) == "" {
		c.send.Disable()
	} else {
		c.send.Enable()
	}
	if c.OnEdit != nil {
		c.OnEdit(text)
	}
}

// fit gives the box as many rows as the text needs.
func (c *Composer) fit() {
	w := c.Size().Width - 2*(ftheme.InnerPadding()+ftheme.InputBorderSize())
	rows := 1
	switch {
	case len(c.Text) > composerMuch:
		rows = composerRows
	case w > 60:
		rows = min(composerRows, max(1, len(wrap(c.Text, w))))
	}
	if rows == c.rows {
		return
	}
	c.rows = rows
	c.SetMinRowsVisible(rows)
	if c.OnRows != nil {
		c.OnRows()
	}
}

// MinSize implements fyne.CanvasObject.
func (c *Composer) MinSize() fyne.Size {
	line := height(ftheme.TextSize(), false)
	return fyne.NewSize(120, composerHeight+float32(c.rows-1)*line)
}

// Resize implements fyne.CanvasObject.
func (c *Composer) Resize(s fyne.Size) {
	c.Entry.Resize(s)
	c.fit()
}

// Set replaces the text without telling OnEdit, and puts the cursor at its end.
func (c *Composer) Set(text string) {
	edit := c.OnEdit
	c.OnEdit = nil
	c.SetText(text)
	c.OnEdit = edit
	c.toEnd()
}

func (c *Composer) toEnd() {
	lines := strings.Split(c.Text, "\n")
	c.CursorRow, c.CursorColumn = len(lines)-1, len([]rune(lines[len(lines)-1]))
	if len(wrap(c.Text, max(60, c.Size().Width-60))) > len(lines) { // rows are broken: the entry knows better
		c.Entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyPageDown})
		c.Entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnd})
	}
	c.Refresh()
}

func (c *Composer) submit() {
	text := strings.TrimSpace(c.Text)
	if text != "" && c.OnSend != nil && c.OnSend(text) {
		c.Set("")
		c.send.Disable()
	}
}

// KeyDown implements desktop.Keyable.
func (c *Composer) KeyDown(e *fyne.KeyEvent) {
	if e.Name == desktop.KeyShiftLeft || e.Name == desktop.KeyShiftRight {
		c.shift = true
	}
	c.Entry.KeyDown(e)
}

// KeyUp implements desktop.Keyable.
func (c *Composer) KeyUp(e *fyne.KeyEvent) {
	if e.Name == desktop.KeyShiftLeft || e.Name == desktop.KeyShiftRight {
		c.shift = false
	}
	c.Entry.KeyUp(e)
}

// FocusLost implements fyne.Focusable.
func (c *Composer) FocusLost() {
	c.shift = false
	c.Entry.FocusLost()
	c.box.setFocused(false)
}

// FocusGained implements fyne.Focusable.
func (c *Composer) FocusGained() {
	c.Entry.FocusGained()
	c.box.setFocused(true)
}

// TypedKey implements fyne.Focusable.
func (c *Composer) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		if c.shift {
			c.newLine()
			return
		}
		c.submit()
	case fyne.KeyPageUp, fyne.KeyPageDown:
		if c.OnPage == nil || !c.OnPage(e.Name) {
			c.Entry.TypedKey(e)
		}
	case fyne.KeyEscape:
		if c.OnLeave != nil {
			c.OnLeave()
		}
	default:
		c.Entry.TypedKey(e)
	}
}

// newLine breaks the line. The entry would submit for a Return with shift, so it
// gets the character instead.
func (c *Composer) newLine() { c.Entry.TypedRune('\n') }

// TypedShortcut implements fyne.Shortcutable.
func (c *Composer) TypedShortcut(s fyne.Shortcut) {
	if c.OnShortcut != nil && c.OnShortcut(s) {
		return
	}
	p, ok := s.(*fyne.ShortcutPaste)
	if !ok || c.OnPaste == nil || p.Clipboard == nil || !c.OnPaste(p.Clipboard.Content()) {
		c.Entry.TypedShortcut(s)
	}
}

// AcceptsTab implements fyne.Tabbable: the tabulator leads to the next thing.
func (c *Composer) AcceptsTab() bool { return false }
