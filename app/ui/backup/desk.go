// Package backup is what the screens ask and say about backups: the section in the
// settings, the pages that set the automatic backup up, save a single one and move
// the profile to another computer, the screen of a profile that has moved, and the
// sentences about what went wrong. Writing is the core's work; here is waited for it
// and said how far it is.
package backup

import (
	"context"
	"errors"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Page is a screen of its own over the settings.
type Page interface {
	Title() string
	Object() fyne.CanvasObject
	Changed(events []event.Event)
}

// Desk has the backup that a person asked for while it is being written. It outlives
// the screens, so that one that is opened again can end it and says how it went. Its
// methods belong to the UI thread.
type Desk struct {
	env    parts.Env
	cancel context.CancelFunc // nil while nothing is written
	// says is what came of the last one, not seen yet.
	tone parts.Tone
	says string
	// changed is called when the work began or ended; nil for nobody.
	changed func()
}

// NewDesk makes a desk.
func NewDesk(env parts.Env) *Desk { return &Desk{env: env} }

// Busy reports whether something that Stop ends is being written.
func (d *Desk) Busy() bool { return d.cancel != nil }

// Stop ends the writing. What was there before stays.
func (d *Desk) Stop() {
	if d.cancel != nil {
		d.cancel()
	}
}

// run has write write a backup, away from the UI thread, and calls done when it has,
// on it.
func (d *Desk) run(write func(ctx context.Context) (core.BackupReport, error), done func(core.BackupReport, error)) {
	if d.Busy() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel, d.says = cancel, ""
	d.tell()
	d.env.Work(func(window context.Context) func() {
		defer cancel()
		stop := context.AfterFunc(window, cancel)
		defer stop()
		r, err := write(ctx)
		return func() {
			d.cancel = nil
			done(r, err)
			d.tell()
		}
	})
}

func (d *Desk) tell() {
	if d.changed != nil {
		d.changed()
	}
}

// written says what came of a backup.
func (d *Desk) written(r core.BackupReport, err error) {
	switch {
	case err == nil:
		d.tone, d.says = parts.ToneGood, parts.T("backup.written", parts.With("Path", r.Path, "Size", parts.Bytes(r.Size)))
	case errors.Is(err, context.Canceled):
		d.tone, d.says = parts.ToneInfo, parts.T("backup.canceled")
	default:
		d.tone, d.says = parts.ToneError, Sentence(err)
	}
}
