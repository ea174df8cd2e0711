package addcontact

import (
	"bytes"
	"context"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

const (
	fileExtension = ".kuvert"
	// maxText bounds a pasted text or the content of a .kuvert file, in bytes; the
	// core's own limits are tighter.
	maxText = 64 << 10
)

// theirs takes in somebody else's code, in whatever form it comes.
type theirs struct {
	cfg  *Config
	busy bool
	// cancel ends what is being read; a large picture may take seconds.
	cancel context.CancelFunc
	added  chat.PersonID

	root    *fyne.Container
	entry   *pasteEntry
	say     *parts.Say
	buttons []*widget.Button
	stopBtn *widget.Button
	open    *widget.Button
}

func newTheirs(cfg *Config) *theirs {
	t := &theirs{cfg: cfg, say: parts.NewSay()}
	t.entry = newPasteEntry(t.takeClipboard)
	t.entry.SetPlaceHolder(parts.T("screens.add.paste.hint"))
	t.entry.OnSubmitted = func(string) { t.takeText() }
	button := func(b *widget.Button) *widget.Button {
		t.buttons = append(t.buttons, b)
		return b
	}
	file := button(widget.NewButtonWithIcon(parts.T("screens.add.file"), icons.New(icons.File), func() { t.cfg.PickFile(t.takeFile) }))
	clip := button(widget.NewButtonWithIcon(parts.T("screens.add.clipboard"), icons.New(icons.Clipboard), t.takeClipboard))
	take := button(parts.Primary(parts.T("screens.add.take"), t.takeText))
	t.stopBtn = widget.NewButton(parts.T("screens.cancel"), t.stop)
	t.stopBtn.Hide()
	t.open = parts.Primary(parts.T("screens.add.open"), func() { t.cfg.Open(t.added) })
	t.open.Hide()
	t.root = parts.Card(parts.Column(12,
		parts.Head(parts.T("screens.add.theirs")),
		parts.Muted(parts.T("screens.add.theirs.text")),
		file, clip, parts.Space(4),
		t.entry,
		take, t.say, t.stopBtn, t.open,
	), 20)
	return t
}

// reset clears what an earlier visit left.
func (t *theirs) reset() {
	t.entry.SetText("")
	if !t.busy {
		t.say.Clear()
	}
	t.open.Hide()
}

func (t *theirs) stop() {
	if t.cancel != nil {
		t.cancel()
	}
}

// run does work away from the UI thread and shows what came of it.
func (t *theirs) run(message string, work func(ctx context.Context) (chat.PersonID, error)) {
	if t.busy {
		return
	}
	t.busy = true
	for _, b := range t.buttons {
		b.Disable()
	}
	t.open.Hide()
	t.stopBtn.Show()
	t.say.Busy(message)
	var ctx context.Context
	ctx, t.cancel = context.WithCancel(context.Background())
	cancel := t.cancel
	t.cfg.Work(func(window context.Context) func() {
		defer cancel()
		stop := context.AfterFunc(window, cancel)
		defer stop()
		id, err := work(ctx)
		return func() { t.done(id, err) }
	})
}

func (t *theirs) done(id chat.PersonID, err error) {
	t.busy = false
	for _, b := range t.buttons {
		b.Enable()
	}
	t.stopBtn.Hide()
	if err != nil {
		t.say.Set(tone(err), sentence(err))
		return
	}
	t.entry.SetText("")
	t.added = id
	t.say.Set(parts.ToneGood, parts.T("screens.add.done.pending"))
	if t.cfg.Open != nil {
		t.open.Show()
		t.cfg.Window.Canvas().Focus(t.open)
	}
}

// accept hands a code to the core. No code that comes this way was scanned by a
// live camera.
func (t *theirs) accept(ctx context.Context, code string) (chat.PersonID, error) {
	got, err := t.cfg.Client.Accept(ctx, code, false)
	return got.Contact, err
}

func (t *theirs) takeText() {
	text := strings.TrimSpace(t.entry.Text)
	if err := checkText(text); err != nil {
		t.say.Set(parts.ToneError, sentence(err))
		t.cfg.Window.Canvas().Focus(t.entry)
		return
	}
	t.run(parts.T("screens.add.taking"), func(ctx context.Context) (chat.PersonID, error) { return t.accept(ctx, text) })
}

// checkText refuses what is no invitation at first sight.
func checkText(text string) error {
	foreign := qr.ForeignError{Text: text}
	switch {
	case text == "":
		return errNoText
	case foreign.IsWeb():
		return errWebText
	case len(text) > maxText:
		return chat.ErrInvitationMalformed
	}
	return nil
}

func (t *theirs) takeFile(path string) {
	t.run(parts.T("screens.add.reading"), func(ctx context.Context) (chat.PersonID, error) {
		if path == "" {
			return chat.PersonID{}, errUnreadable
		}
		data, err := qr.ReadFile(path, qr.MaxFile)
		if err != nil {
			return chat.PersonID{}, err
		}
		return t.takeData(ctx, data)
	})
}

func (t *theirs) takeClipboard() {
	t.run(parts.T("screens.add.reading"), func(ctx context.Context) (chat.PersonID, error) {
		data, err := t.cfg.ClipboardPicture(ctx)
		if err != nil {
			return chat.PersonID{}, err
		}
		return t.takeData(ctx, data)
	})
}

// takeData accepts the code in a picture, or in an invitation's text.
func (t *theirs) takeData(ctx context.Context, data []byte) (chat.PersonID, error) {
	if !qr.IsPicture(data) {
		text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
		if len(data) > maxText || !qr.IsInvitation(string(text[:min(len(text), 16)])) {
			return chat.PersonID{}, qr.ErrNoPicture
		}
		return t.accept(ctx, string(data))
	}
	code, err := qr.Decode(ctx, data)
	if err != nil {
		return chat.PersonID{}, err
	}
	return t.accept(ctx, code)
}

// pasteEntry is a field for a link that takes a picture as well when one pastes
// and there is no text.
type pasteEntry struct {
	widget.Entry
	onPicture func()
}

func newPasteEntry(onPicture func()) *pasteEntry {
	e := &pasteEntry{onPicture: onPicture}
	e.MultiLine = true
	e.Wrapping = fyne.TextWrapBreak
	e.SetMinRowsVisible(3)
	e.ExtendBaseWidget(e)
	return e
}

// TypedShortcut implements fyne.Shortcutable.
func (e *pasteEntry) TypedShortcut(s fyne.Shortcut) {
	if p, ok := s.(*fyne.ShortcutPaste); ok && p.Clipboard != nil && p.Clipboard.Content() == "" {
		e.onPicture()
		return
	}
	e.Entry.TypedShortcut(s)
}

// TypedKey implements fyne.Focusable: Enter takes the link, it has no lines, and
// Tab leaves the field.
func (e *pasteEntry) TypedKey(k *fyne.KeyEvent) {
	if k.Name == fyne.KeyReturn || k.Name == fyne.KeyEnter {
		if e.OnSubmitted != nil {
			e.OnSubmitted(e.Text)
		}
		return
	}
	e.Entry.TypedKey(k)
}

// AcceptsTab implements fyne.Tabbable.
func (e *pasteEntry) AcceptsTab() bool { return false }
