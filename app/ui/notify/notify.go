// Package notify tells the person about new messages while they look elsewhere:
// notifications and the icon in the tray.
//
// A notification never holds what somebody else wrote, nor their name, unless the
// person switched that on; and on Windows not even then, because Fyne builds a
// command line of PowerShell from the text there, in which "$(…)" would be run.
package notify

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Note is one notification. A later one about the same person replaces it.
type Note struct {
	Person chat.PersonID // zero: about nobody in particular
	Title  string
	Body   string
	// Plain says that Title and Body are Kuvert's own words.
	Plain bool
}

// Notifier shows notifications. Its methods return at once.
type Notifier interface {
	Show(n Note)
	// Clear takes back what is still shown.
	Clear()
	// Close ends it.
	Close()
}

// Tray is the icon in the system's tray.
type Tray interface {
	// Present reports whether there is a tray at all: without one, a hidden window
	// could not be brought back.
	Present() bool
	SetUnread(unread bool)
}

// fallback shows notifications by Fyne's own means: the same constant words for
// everything.
type fallback struct {
	app         fyne.App
	title, body string
}

// newFallback makes a notifier that says title and body, whatever it is told.
func newFallback(app fyne.App, title, body string) Notifier { return &fallback{app, title, body} }

func (f *fallback) Show(Note) { f.app.SendNotification(fyne.NewNotification(f.title, f.body)) }
func (f *fallback) Clear()    {}
func (f *fallback) Close()    {}

// tray is Fyne's tray icon.
type tray struct {
	app            desktop.App
	normal, unread fyne.Resource
	last           fyne.Resource
}

// NewTray puts an icon with a menu into the tray, nil if the app cannot. show is
// called when the icon is pressed where systems support that.
func NewTray(app fyne.App, normal, unread fyne.Resource, menu *fyne.Menu) Tray {
	d, ok := app.(desktop.App)
	if !ok {
		return nil
	}
	t := &tray{app: d, normal: normal, unread: unread, last: normal}
	d.SetSystemTrayMenu(menu)
	d.SetSystemTrayIcon(normal)
	return t
}

// Present implements Tray.
func (t *tray) Present() bool { return trayPresent() }

// SetUnread implements Tray.
func (t *tray) SetUnread(unread bool) {
	icon := t.normal
	if unread {
		icon = t.unread
	}
	if icon != t.last {
		t.last = icon
		t.app.SetSystemTrayIcon(icon)
	}
}
