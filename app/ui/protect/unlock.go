package protect

import (
	"context"
	"errors"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Measures in dp.
const (
	cardWidth   = 440
	noticeWidth = 360
	margin      = 20
)

// UnlockConfig is what the screen before a locked profile is given.
type UnlockConfig struct {
	Window fyne.Window
	// Work runs work away from the UI thread and what it returns on it.
	Work func(work func(ctx context.Context) (show func()))
	// Icon is shown above everything; nil shows none.
	Icon fyne.Resource
	// State says what opens the profile, and Why the keyring did not, if it should
	// have: chat.ErrNoKeyring, chat.ErrKeyringEmpty.
	State State
	Why   error
	// Running says that the profile is at work behind the screen: only the window is
	// locked.
	Running bool
	// Unlock opens the profile, away from the UI thread; "" tries the keyring once
	// more. Open is called on the UI thread when it has.
	Unlock func(ctx context.Context, passphrase string) error
	Open   func()
	// Sheet is for a forgotten passphrase.
	Sheet SheetGuard
	// Other is called with an error that has nothing to do with the lock; nil shows
	// it here.
	Other func(err error)
	Quit  func()
	// PickFile asks for a picture; nil is the picker.
	PickFile func(chosen func(path string))
}

// What the screen asks for.
type asking int

const (
	askPassphrase asking = iota
	askKeyring           // to answer
	askSheet
	askNew // a new passphrase, after the sheet
)

// Unlocking is the screen before a locked profile. Its methods belong to the UI
// thread.
type Unlocking struct {
	cfg   UnlockConfig
	ask   asking
	busy  bool
	sheet string // checked, while a new passphrase is chosen

	root    *fyne.Container
	say     *parts.Say
	field   *Field
	entry   *sheetEntry
	pair    *Pair
	next    *parts.Button
	buttons []*parts.Button
	focus   fyne.Focusable
}

// NewUnlocking makes the screen. Object is what to show; then Focus.
func NewUnlocking(cfg UnlockConfig) *Unlocking {
	u := &Unlocking{cfg: cfg, root: container.NewStack()}
	u.build(u.first())
	return u
}

func (u *Unlocking) first() asking {
	if u.cfg.State.Passphrase || u.cfg.Running {
		return askPassphrase
	}
	return askKeyring
}

// Object is what to show.
func (u *Unlocking) Object() fyne.CanvasObject { return u.root }

// Focus puts the keyboard where the screen wants it.
func (u *Unlocking) Focus() { u.cfg.Window.Canvas().Focus(u.focus) }

// Dropped takes a picture of a sheet's QR code that was dragged into the window.
func (u *Unlocking) Dropped(items []fyne.URI) {
	if u.ask == askSheet && len(items) == 1 && items[0].Scheme() == "file" {
		u.entry.takeFile(items[0].Path())
	}
}

// goTo shows another question.
func (u *Unlocking) goTo(ask asking) {
	u.build(ask)
	u.Focus()
}

func (u *Unlocking) build(ask asking) {
	u.ask = ask
	u.say = parts.NewSay()
	u.field, u.entry, u.pair, u.next, u.buttons = nil, nil, nil, nil, nil
	var body []fyne.CanvasObject
	switch ask {
	case askPassphrase:
		body = u.passphrase()
	case askKeyring:
		body = u.keyring()
	case askSheet:
		body = u.fromSheet()
	case askNew:
		body = u.anew()
	}
	u.root.Objects = []fyne.CanvasObject{u.card(body)}
	u.root.Refresh()
}

func (u *Unlocking) card(body []fyne.CanvasObject) fyne.CanvasObject {
	all := []fyne.CanvasObject{}
	if u.cfg.Icon != nil {
		img := canvas.NewImageFromResource(u.cfg.Icon)
		img.FillMode = canvas.ImageFillContain
		img.SetMinSize(fyne.NewSquareSize(48))
		all = append(all, parts.Row(0, img))
	}
	card := parts.Card(parts.Column(12, append(all, body...)...), 24)
	ground := parts.Ground(theme.ColorNameBackground, 0, "")
	return container.NewStack(ground, container.NewVScroll(parts.Pad(parts.Middle(cardWidth, card), margin, margin, margin, margin)))
}

func (u *Unlocking) primary(text string, f func()) {
	u.next = parts.Primary(text, f)
	u.buttons = append(u.buttons, u.next)
}

func (u *Unlocking) quiet(text string, f func()) *parts.Button {
	b := parts.Quiet(text, f)
	u.buttons = append(u.buttons, b)
	return b
}

// forgotten leads to the sheet, nothing where there is none.
func (u *Unlocking) forgotten() fyne.CanvasObject {
	if !u.cfg.State.Sheet {
		return parts.Muted(parts.T("protect.forgotten.none"))
	}
	b := u.quiet(parts.T("protect.sheet.open"), func() { u.goTo(askSheet) })
	return parts.Beside(parts.Gap, nil, parts.Muted(parts.T("protect.forgotten")), b)
}

func (u *Unlocking) passphrase() []fyne.CanvasObject {
	u.field = NewField(u.submit)
	u.field.Entry.OnChanged = func(string) { u.cleared() }
	u.focus = u.field.Entry
	u.primary(parts.T("protect.unlock"), u.submit)
	title, text := "protect.unlock.title", "protect.unlock.text"
	if u.cfg.Running {
		title, text = "protect.locked.title", "protect.locked.text"
	}
	out := []fyne.CanvasObject{parts.Title(parts.T(title)), parts.Body(parts.T(text))}
	if u.cfg.Why != nil {
		u.say.Set(parts.ToneInfo, Sentence(u.cfg.Why))
	}
	last := parts.Answers(u.quiet(parts.T("screens.fail.quit"), u.cfg.Quit), u.next)
	return append(out, u.field.Object(), u.say, last, parts.Line(), u.forgotten())
}

// keyring says that the keyring did not open the profile.
func (u *Unlocking) keyring() []fyne.CanvasObject {
	head := parts.Beside(10, parts.Mark(icons.Colored(icons.Lock, theme.ColorNameWarning)), parts.Title(parts.T("protect.keyring.title")), nil)
	out := []fyne.CanvasObject{head, parts.Body(parts.T(todo(u.cfg.Why)))}
	u.primary(parts.T("screens.retry"), u.submit)
	u.focus = u.next
	end := u.quiet(parts.T("screens.fail.quit"), u.cfg.Quit)
	out = append(out, u.say, parts.Answers(end, u.next))
	if u.cfg.State.Sheet {
		b := u.quiet(parts.T("protect.sheet.open"), func() { u.goTo(askSheet) })
		b.Alignment = widget.ButtonAlignLeading
		return append(out, parts.Line(), b)
	}
	if errors.Is(u.cfg.Why, chat.ErrKeyringEmpty) {
		out = append(out, parts.Muted(parts.T("protect.keyring.lost")))
	}
	return out
}

func (u *Unlocking) fromSheet() []fyne.CanvasObject {
	env := parts.Env{Window: u.cfg.Window, Work: u.cfg.Work}
	u.primary(parts.T("screens.next"), u.submit)
	u.entry = newSheetEntry(env, u.cfg.Sheet.SheetFits, u.submit, u.follow)
	if u.cfg.PickFile != nil {
		u.entry.pick = u.cfg.PickFile
	}
	u.entry.entry.onEscape = u.back
	u.buttons = append(u.buttons, u.entry.picture)
	u.focus = u.entry.entry
	out := append([]fyne.CanvasObject{parts.Title(parts.T("protect.sheet.open")), parts.Body(parts.T("protect.sheet.open.text"))}, u.entry.objects()...)
	return append(out, u.say, parts.Answers(u.quiet(parts.T("screens.back"), u.back), u.next))
}

// follow lets the button follow what is typed from the sheet.
func (u *Unlocking) follow() {
	if u.entry == nil {
		return
	}
	u.say.Clear()
	if u.entry.value() == "" || u.entry.busy {
		u.next.Disable()
	} else {
		u.next.Enable()
	}
	u.root.Refresh()
}

func (u *Unlocking) anew() []fyne.CanvasObject {
	u.pair = NewPair(u.submit)
	u.pair.Changed = u.cleared
	u.pair.Escape(u.back)
	u.focus = u.pair.First()
	u.primary(parts.T("protect.unlock"), u.submit)
	return []fyne.CanvasObject{
		parts.Title(parts.T("protect.anew.title")), parts.Body(parts.T("protect.anew.text")),
		u.pair.Object(), u.say, parts.Answers(u.quiet(parts.T("screens.back"), u.back), u.next),
	}
}

func (u *Unlocking) back() {
	u.sheet = ""
	u.goTo(u.first())
}

func (u *Unlocking) cleared() {
	if !u.busy {
		u.say.Clear()
		u.root.Refresh()
	}
}

// submit does what the screen asks for.
func (u *Unlocking) submit() {
	if u.busy {
		return
	}
	switch u.ask {
	case askPassphrase:
		pass := u.field.Entry.Text
		if pass == "" {
			u.wrong(parts.T("protect.empty"))
			return
		}
		u.run("protect.checking", func(ctx context.Context) error { return u.cfg.Unlock(ctx, pass) }, u.open)
	case askKeyring:
		u.run("protect.keyring.asking", func(ctx context.Context) error { return u.cfg.Unlock(ctx, "") }, u.open)
	case askSheet:
		sheet := u.entry.value()
		if sheet == "" {
			return
		}
		u.run("protect.checking", func(ctx context.Context) error { return u.cfg.Sheet.VerifySheet(ctx, sheet) }, func() {
			u.sheet = sheet
			u.goTo(askNew)
		})
	case askNew:
		u.replace()
	}
}

// replace gives the profile a new passphrase and opens it.
func (u *Unlocking) replace() {
	pass, wrong := u.pair.Value()
	if wrong != "" {
		u.wrong(wrong)
		return
	}
	sheet := u.sheet
	u.run("protect.checking", func(ctx context.Context) error {
		if err := u.cfg.Sheet.Replace(ctx, sheet, pass); err != nil {
			return err
		}
		return u.cfg.Unlock(ctx, pass)
	}, u.open)
}

func (u *Unlocking) open() {
	u.sheet = ""
	u.cfg.Open()
}

func (u *Unlocking) wrong(text string) {
	u.say.Set(parts.ToneError, text)
	u.root.Refresh()
	u.Focus()
}

// run does work with everything held still and goes on by then if it went well.
func (u *Unlocking) run(message string, work func(ctx context.Context) error, then func()) {
	u.busy = true
	for _, b := range u.buttons {
		b.Disable()
	}
	u.say.Busy(parts.T(message))
	u.root.Refresh()
	u.cfg.Work(func(ctx context.Context) func() {
		err := work(ctx)
		return func() {
			u.busy = false
			for _, b := range u.buttons {
				b.Enable()
			}
			u.say.Clear()
			if err == nil {
				then()
				return
			}
			u.failed(err)
		}
	})
}

// failed says why it is not open, and asks again.
func (u *Unlocking) failed(err error) {
	switch {
	case u.ask == askSheet && errors.Is(err, chat.ErrWrongPassphrase):
		u.wrong(parts.T("protect.sheet.foreign.profile"))
	case u.ask == askKeyring && (errors.Is(err, chat.ErrNoKeyring) || errors.Is(err, chat.ErrKeyringEmpty)):
		u.cfg.Why = err
		u.goTo(askKeyring)
		u.wrong(parts.T("protect.keyring.still"))
	case u.cfg.Other != nil && !ours(err):
		u.cfg.Other(err)
	default:
		if u.field != nil {
			u.field.Entry.TypedShortcut(&fyne.ShortcutSelectAll{})
		}
		u.wrong(Sentence(err))
	}
}

// ours reports whether an error is about the lock.
func ours(err error) bool {
	for _, e := range []error{chat.ErrWrongPassphrase, chat.ErrSheetMistyped, chat.ErrPassphraseShort, chat.ErrLocked} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// todo is what to do about a keyring that did not open the profile, by its key.
func todo(err error) string {
	if errors.Is(err, chat.ErrKeyringEmpty) {
		return "protect.keyring.empty.todo"
	}
	return "protect.keyring.none.todo"
}

// Opening is what the window shows while a profile is being opened.
func Opening() fyne.CanvasObject {
	say := parts.NewSay()
	say.Busy(parts.T("protect.opening"))
	return parts.Middle(noticeWidth, parts.Pad(say, margin, margin, margin, margin))
}
