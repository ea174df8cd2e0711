package protect

import (
	"context"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// dialog is a modal that asks for passphrases and does something with them.
type dialog struct {
	env   parts.Env
	modal *parts.Modal
	say   *parts.Say
	old   *Field // nil if none is asked for
	pair  *Pair  // nil if none is chosen
	busy  bool
	body  fyne.CanvasObject
	focus fyne.Focusable
	no    *parts.Button
	yes   *parts.Button
	do    func(ctx context.Context, old, passphrase string) error
	done  func(passphrase string)
}

// ChangePassphrase asks for the passphrase if there is one, and for a new one. done
// is called when it is stored.
func ChangePassphrase(env parts.Env, guard Guard, has bool, done func()) {
	title, text := "protect.set", "protect.set.text"
	if has {
		title, text = "protect.change", "protect.change.text"
	}
	open(env, dialog{do: guard.SetPassphrase, done: func(string) { done() }}, has, true, title, text, "screens.save")
}

// AskPassphrase asks for the passphrase and does something with it; title, text and
// yes are keys.
func AskPassphrase(env parts.Env, title, text, yes string, do func(ctx context.Context, passphrase string) error, done func(passphrase string)) {
	d := dialog{do: func(ctx context.Context, old, _ string) error { return do(ctx, old) }, done: done}
	open(env, d, true, false, title, text, yes)
}

func open(env parts.Env, d dialog, old, anew bool, title, text, yes string) {
	d.env, d.say, d.modal = env, parts.NewSay(), parts.NewModal(env.Window, parts.ModalWidth)
	d.build(old, anew, title, text, yes)
}

func (d *dialog) build(old, anew bool, title, text, yes string) {
	d.modal.OnClose = d.close
	all := []fyne.CanvasObject{parts.Title(parts.T(title)), parts.Body(parts.T(text))}
	if anew {
		d.pair = NewPair(d.submit)
		d.pair.Escape(d.close)
		d.pair.Changed = d.clear
		d.focus = d.pair.First()
	}
	if old {
		d.old = NewField(d.submit)
		d.old.Escape(d.close)
		d.old.Entry.OnChanged = func(string) { d.clear() }
		d.focus = d.old.Entry
		if anew {
			d.old.Entry.OnSubmitted = func(string) { d.modal.Focus(d.pair.First()) }
			d.old.Entry.SetPlaceHolder(parts.T("protect.present"))
		}
		all = append(all, d.old.Object())
	}
	if anew {
		all = append(all, d.pair.Object())
	}
	d.no = d.modal.Button(parts.T("screens.cancel"), d.close)
	d.yes = d.modal.Primary(parts.T(yes), d.submit)
	d.body = parts.Column(12, append(all, d.say, parts.Space(4), parts.Answers(d.no, d.yes))...)
	d.modal.Show(d.body)
	d.modal.Focus(d.focus)
}

// refresh follows a change of height, and keeps the keyboard where it is.
func (d *dialog) refresh() {
	at := d.env.Window.Canvas().Focused()
	d.modal.Show(d.body)
	if at != nil {
		d.modal.Focus(at)
	}
}

func (d *dialog) clear() {
	if d.say.Text() != "" && !d.busy {
		d.say.Clear()
		d.refresh()
	}
}

func (d *dialog) close() {
	if !d.busy {
		d.modal.Hide()
	}
}

func (d *dialog) wrong(text string) {
	d.say.Set(parts.ToneError, text)
	d.refresh()
}

// answers are what was typed, or what is wrong with it.
func (d *dialog) answers() (old, passphrase, wrong string) {
	if d.old != nil {
		if old = d.old.Entry.Text; old == "" {
			return "", "", parts.T("protect.empty")
		}
	}
	if d.pair != nil {
		passphrase, wrong = d.pair.Value()
	}
	return old, passphrase, wrong
}

func (d *dialog) submit() {
	if d.busy {
		return
	}
	old, passphrase, wrong := d.answers()
	if wrong != "" {
		d.wrong(wrong)
		return
	}
	d.hold(true)
	d.say.Busy(parts.T("protect.checking"))
	d.refresh()
	d.env.Work(func(ctx context.Context) func() {
		err := d.do(ctx, old, passphrase)
		return func() {
			d.hold(false)
			if err != nil {
				d.wrong(Sentence(err))
				d.modal.Focus(d.focus)
				return
			}
			d.modal.Hide()
			d.done(old)
		}
	})
}

func (d *dialog) hold(on bool) {
	d.busy = on
	parts.Enable(!on, d.no, d.yes)
}

// MakeSheet makes an emergency sheet for a profile with the passphrase, or with none,
// and hands it over. done is called when it was.
func MakeSheet(env parts.Env, guard Guard, passphrase string, show func(pdf []byte) error, done func()) {
	m := parts.NewModal(env.Window, parts.ModalWidth+40)
	var offer *Offer
	var body fyne.CanvasObject
	closing := func() {
		if !offer.busy {
			m.Hide()
		}
	}
	m.OnClose = closing
	shut := m.Button(parts.T("screens.close"), closing)
	offer = NewOffer(OfferConfig{
		Work: env.Work, Open: show, Made: done,
		Make:    func(ctx context.Context) ([]byte, error) { return guard.NewSheet(ctx, passphrase) },
		Changed: func() { m.Show(body) },
	})
	all := append([]fyne.CanvasObject{parts.Title(parts.T("protect.sheet.title")), parts.Body(parts.T("protect.sheet.text")), parts.Muted(parts.T("protect.sheet.renew"))}, offer.Objects()...)
	body = parts.Column(12, append(all, parts.Space(4), parts.Answers(shut))...)
	m.Show(body)
	m.Focus(offer.Buttons()[0])
}
