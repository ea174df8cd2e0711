// Package codes takes in a code, in whatever form it comes: a picture of a QR
// code from a file, from the clipboard or dragged into the window, a .kuvert
// file, a pasted link. What comes in is hostile until the core has accepted it;
// each way to be wrong has its own sentence. Several screens use it: the one for
// contacts takes in invitations, the settings access links of mailboxes.
package codes

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

const (
	// FileExtension is how an invitation's file is named.
	FileExtension = ".kuvert"
	// maxText bounds a pasted text or the content of a text file, in bytes; the
	// core's own limits are tighter.
	maxText = 64 << 10
)

// endings are the files that the picker shows.
var endings = []string{".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", FileExtension}

// Config says what a form is for.
type Config struct {
	parts.Env
	// ClipboardPicture reads a picture from the clipboard; nil is the system's.
	// It runs away from the UI thread. ErrNoClipboard and ErrClipboardEmpty have
	// their own sentences.
	ClipboardPicture func(ctx context.Context) ([]byte, error)
	// PickFile asks for a file and hands over its path; nil is the picker.
	PickFile func(chosen func(path string))
	// Hint stands in the empty field, Take on the button beside it.
	Hint, Take string
	// Accept hands a code to the core, away from the UI thread; taken then shows
	// on it what came of that. ErrElsewhere leads to Elsewhere.
	Accept func(ctx context.Context, code string) (taken func(), err error)
	// Sentences are said about errors in place of the usual ones.
	Sentences []Sentence
	// Elsewhere is where a code belongs that is good, but not here.
	Elsewhere Elsewhere
	// Changed is called when the form may have become higher or lower; nil for
	// nobody.
	Changed func()
}

// Elsewhere leads to another screen. Open is called with the code; nil shows no
// button.
type Elsewhere struct {
	Text, Button string
	Open         func(code string)
}

// Form is the buttons and the field that take in a code. Its methods belong to the
// UI thread.
type Form struct {
	cfg  Config
	busy bool
	// cancel ends what is being read; a large picture may take seconds.
	cancel context.CancelFunc
	lead   func() // of the button that leads on

	Entry   *Entry
	Say     *parts.Say
	Buttons []*parts.Button // disabled while something is being read
	stop    *parts.Button
	next    *parts.Button
	take    *parts.Button
}

// New makes a form.
func New(cfg Config) *Form {
	if cfg.ClipboardPicture == nil {
		cfg.ClipboardPicture = files.ClipboardPicture
	}
	if cfg.PickFile == nil {
		cfg.PickFile = func(chosen func(string)) { files.Pick(cfg.Env, endings, chosen) }
	}
	f := &Form{cfg: cfg, Say: parts.NewSay()}
	f.Entry = newEntry(f.takeClipboard)
	f.Entry.SetPlaceHolder(cfg.Hint)
	f.Entry.OnSubmitted = func(string) { f.takeText() }
	f.take = parts.Primary(cfg.Take, f.takeText)
	f.Buttons = []*parts.Button{
		parts.NewButtonWithIcon(parts.T("screens.add.file"), icons.New(icons.File), func() { f.cfg.PickFile(f.TakeFile) }),
		parts.NewButtonWithIcon(parts.T("screens.add.clipboard"), icons.New(icons.Clipboard), f.takeClipboard),
		f.take,
	}
	f.stop = parts.NewButton(parts.T("screens.cancel"), f.cancelReading)
	f.stop.Hide()
	f.next = parts.Primary("", func() { f.lead() })
	f.next.Hide()
	return f
}

// Objects returns what the form is made of, to be placed in a Column.
func (f *Form) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{f.Buttons[0], f.Buttons[1], parts.Space(4), f.Entry, f.take, f.Say, f.stop, f.next}
}

// Reset clears what an earlier visit left.
func (f *Form) Reset() {
	f.Entry.SetText("")
	if !f.busy {
		f.Say.Clear()
	}
	f.setLead(false)
}

// Busy reports whether something is being read.
func (f *Form) Busy() bool { return f.busy }

// Lead shows a button that leads on, and puts the keyboard on it.
func (f *Form) Lead(text string, do func()) {
	f.lead = do
	f.next.SetText(text)
	f.setLead(true)
	f.cfg.Window.Canvas().Focus(f.next)
}

// setLead shows or hides the button that leads on. While it is there it is the one
// thing to do, and the button beside the field steps back.
func (f *Form) setLead(on bool) {
	f.next.Hidden = !on
	f.take.Importance = widget.HighImportance
	if on {
		f.take.Importance = widget.MediumImportance
	}
	f.take.Refresh()
	f.next.Refresh()
}

func (f *Form) cancelReading() {
	if f.cancel != nil {
		f.cancel()
	}
}

// run reads a code away from the UI thread, hands it to the core and shows what
// came of it.
func (f *Form) run(message string, read func(ctx context.Context) (code string, err error)) {
	if f.busy {
		return
	}
	f.busy = true
	for _, b := range f.Buttons {
		b.Disable()
	}
	f.setLead(false)
	f.stop.Show()
	f.Say.Busy(message)
	f.changed()
	var ctx context.Context
	ctx, f.cancel = context.WithCancel(context.Background())
	cancel := f.cancel
	f.cfg.Work(func(window context.Context) func() {
		defer cancel()
		stop := context.AfterFunc(window, cancel)
		defer stop()
		code, err := read(ctx)
		var taken func()
		if err == nil {
			taken, err = f.cfg.Accept(ctx, code)
		}
		return func() { f.done(code, taken, err) }
	})
}

func (f *Form) done(code string, taken func(), err error) {
	f.busy = false
	for _, b := range f.Buttons {
		b.Enable()
	}
	f.stop.Hide()
	switch {
	case errors.Is(err, ErrElsewhere):
		f.Say.Set(parts.ToneInfo, f.cfg.Elsewhere.Text)
		if open := f.cfg.Elsewhere.Open; open != nil {
			f.Lead(f.cfg.Elsewhere.Button, func() { open(code) })
		}
	case err != nil:
		f.Say.Set(tone(err), f.sentence(err))
	default:
		f.Entry.SetText("")
		f.Say.Clear()
		taken()
	}
	f.changed()
}

func (f *Form) changed() {
	if f.cfg.Changed != nil {
		f.cfg.Changed()
	}
}

func (f *Form) takeText() {
	text := strings.TrimSpace(f.Entry.Text)
	if err := checkText(text); err != nil {
		f.Say.Set(parts.ToneError, f.sentence(err))
		f.cfg.Window.Canvas().Focus(f.Entry)
		f.changed()
		return
	}
	f.run(parts.T("screens.add.taking"), func(context.Context) (string, error) { return text, nil })
}

// checkText refuses what is no code at first sight.
func checkText(text string) error {
	foreign := qr.ForeignError{Text: text}
	switch {
	case text == "":
		return errNoText
	case foreign.IsWeb():
		return ErrWebText
	case len(text) > maxText:
		return chat.ErrInvitationMalformed
	}
	return nil
}

// Offer puts a code into the field and takes it in.
func (f *Form) Offer(code string) {
	f.Entry.SetText(code)
	f.takeText()
}

// Dropped takes what was dragged into the window.
func (f *Form) Dropped(items []fyne.URI) {
	if len(items) != 1 {
		f.Say.Set(parts.ToneError, parts.T("screens.code.onefile"))
		f.changed()
		return
	}
	f.TakeFile(files.LocalPath(items[0]))
}

// TakeFile takes in a picture or a text file.
func (f *Form) TakeFile(path string) {
	f.run(parts.T("screens.add.reading"), func(ctx context.Context) (string, error) {
		if path == "" {
			return "", errUnreadable
		}
		data, err := qr.ReadFile(path, qr.MaxFile)
		if err != nil {
			return "", err
		}
		return read(ctx, data)
	})
}

func (f *Form) takeClipboard() {
	f.run(parts.T("screens.add.reading"), func(ctx context.Context) (string, error) {
		data, err := f.cfg.ClipboardPicture(ctx)
		if err != nil {
			return "", err
		}
		return read(ctx, data)
	})
}

// read finds the code in a picture, or in a file's text.
func read(ctx context.Context, data []byte) (string, error) {
	if !qr.IsPicture(data) {
		text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
		if len(data) > maxText || !isOurs(string(text[:min(len(text), 32)])) {
			return "", qr.ErrNoPicture
		}
		return string(data), nil
	}
	code, err := qr.Decode(ctx, data)
	var foreign *qr.ForeignError
	if errors.As(err, &foreign) && isOurs(foreign.Text) {
		return foreign.Text, nil
	}
	return code, err
}

// isOurs reports whether text begins like an invitation or an access link.
func isOurs(text string) bool { return qr.IsInvitation(text) || IsNodeLink(text) }
