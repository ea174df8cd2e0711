package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// keys are the shortcuts of the window: what they do wherever the keyboard is.
func (u *UI) keys() map[desktop.CustomShortcut]func() {
	ctrl, alt := fyne.KeyModifierShortcutDefault, fyne.KeyModifierAlt
	return map[desktop.CustomShortcut]func(){
		{KeyName: fyne.KeyF, Modifier: ctrl}:     u.findHere,
		{KeyName: fyne.KeyK, Modifier: ctrl}:     u.focusSearch,
		{KeyName: fyne.KeyN, Modifier: ctrl}:     u.ShowAddContact,
		{KeyName: fyne.KeyComma, Modifier: ctrl}: u.ShowSettings,
		{KeyName: fyne.KeyI, Modifier: ctrl}:     u.showCurrent,
		{KeyName: fyne.KeyL, Modifier: ctrl}:     u.Lock,
		{KeyName: fyne.KeyW, Modifier: ctrl}:     u.close,
		{KeyName: fyne.KeyQ, Modifier: ctrl}:     u.Quit,
		{KeyName: fyne.KeyDown, Modifier: alt}:   func() { u.step(1) },
		{KeyName: fyne.KeyUp, Modifier: alt}:     func() { u.step(-1) },
		{KeyName: fyne.KeyLeft, Modifier: alt}:   u.Back,
	}
}

// shortcuts listens to the keyboard. Fyne hands shortcuts to what has the focus
// alone, so the text fields pass on those that they do not know.
func (u *UI) shortcuts() {
	c := u.cfg.Window.Canvas()
	all := u.keys()
	for k, f := range all {
		all[k] = u.unlessLocked(k, f)
	}
	for k, f := range all {
		c.AddShortcut(&k, func(fyne.Shortcut) { f() })
	}
	c.AddShortcut(&fyne.ShortcutCopy{}, func(fyne.Shortcut) {
		if !u.Locked() {
			u.conv.history.Copy()
		}
	})
	pass := func(s fyne.Shortcut) bool {
		k, ok := s.(*desktop.CustomShortcut)
		if !ok || all[*k] == nil {
			return false
		}
		all[*k]()
		return true
	}
	u.conv.composer.OnShortcut, u.side.search.OnShortcut, u.conv.history.OnShortcut = pass, pass, pass
	u.conv.find.bar.Field.OnShortcut = pass
	c.SetOnTypedRune(func(r rune) {
		u.touch()
		if c.Overlays().Top() == nil && u.host.screen == nil {
			u.conv.typeInto(r)
		}
	})
	c.SetOnTypedKey(func(e *fyne.KeyEvent) {
		u.touch()
		if e.Name == fyne.KeyEscape {
			u.escape()
		} else if u.host.screen == nil && !u.current.IsZero() {
			u.conv.history.Page(e.Name)
		}
	})
}

// unlessLocked is f, but while the window is locked only what closes it.
func (u *UI) unlessLocked(k desktop.CustomShortcut, f func()) func() {
	return func() {
		u.touch()
		if !u.Locked() || k.KeyName == fyne.KeyW || k.KeyName == fyne.KeyQ {
			f()
		}
	}
}

// focusSearch puts the cursor into the search field, on its own screen where the
// sidebar has no room for it.
func (u *UI) focusSearch() {
	pane := u.side.finder.pane
	if u.side.narrow && !pane.open {
		u.host.openOver(pane)
		return
	}
	pane.Focus()
}

func (u *UI) showCurrent() {
	if !u.current.IsZero() {
		u.ShowContact(u.current)
	}
}

// step opens the conversation below the open one, or above.
func (u *UI) step(by int) {
	if id, ok := u.side.list.Step(by); ok {
		u.ShowConversation(id)
	}
}

// menu opens the menu of a message.
func (c *conversation) menu(it widgets.Item, at fyne.Position) {
	c.u.tips.Hide()
	widget.ShowPopUpMenuAtPosition(fyne.NewMenu("", c.menuItems(it)...), c.u.cfg.Window.Canvas(), at)
}

func (c *conversation) menuItems(it widgets.Item) []*fyne.MenuItem {
	clip := fyne.CurrentApp().Clipboard()
	var items []*fyne.MenuItem
	if s := c.history.Selected(); s != "" {
		items = append(items, fyne.NewMenuItem(t("conversation.menu.copyselected"), func() { clip.SetContent(s) }))
	}
	details := t("conversation.menu.details")
	if it.Detail != "" {
		details = t("conversation.menu.details.hide")
	}
	items = append(items,
		fyne.NewMenuItem(t("conversation.menu.copy"), func() { clip.SetContent(it.Text) }),
		fyne.NewMenuItem(details, func() { c.toggleDetails(it.Key.ID) }),
	)
	items = append(items, c.fileItems(it)...)
	if it.Failed {
		items = append(items, fyne.NewMenuItemSeparator(),
			fyne.NewMenuItem(t("conversation.menu.resend"), func() { c.resend(it.Key.ID) }))
	}
	return append(items, c.deleteItem(it)...)
}

// openFrom opens a conversation from outside the window, such as a notification.
func (u *UI) openFrom(id chat.PersonID) {
	u.Present()
	if !id.IsZero() {
		u.WhenOpen(func() { u.ShowConversation(id) })
	}
}
