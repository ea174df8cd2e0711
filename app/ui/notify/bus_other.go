//go:build !linux

package notify

import (
	"log/slog"
	"runtime"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Config is what a notifier needs.
type Config struct {
	App fyne.App
	// Title and Body are the constant words for systems that get no others.
	Title, Body string
	// OpenLabel names the button of a notification.
	OpenLabel string
	Icon      string // a name or path known to the desktop; may be empty
	// Open is called from a goroutine of the notifier when a notification was
	// pressed.
	Open func(chat.PersonID)
	Log  *slog.Logger
}

// New returns the notifier for this system.
func New(cfg Config) Notifier {
	if runtime.GOOS == "windows" {
		return newFallback(cfg.App, cfg.Title, cfg.Body)
	}
	return plain{cfg.App}
}

// plain hands the words that the person allowed to Fyne.
type plain struct{ app fyne.App }

func (p plain) Show(n Note) { p.app.SendNotification(fyne.NewNotification(n.Title, n.Body)) }
func (p plain) Clear()      {}
func (p plain) Close()      {}

func trayPresent() bool { return true }
