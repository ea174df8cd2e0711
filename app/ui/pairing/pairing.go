// Package pairing is the dialog in which two people compare six digits, on both
// screens the same if nobody sits in between. Only the person's own yes makes a
// contact verified; closing the dialog answers nothing.
package pairing

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

const digitsSize = 44

// Dialog shows one comparison until it is over or the person closes it. Its
// methods belong to the UI thread.
type Dialog struct {
	env     parts.Env
	pairing core.Pairing
	modal   *parts.Modal
	say     *parts.Say
	busy    bool
	newest  parts.Newest
	doubt   bool // the person said the digits differ and has not confirmed that yet
	joined  bool // the other side confirmed, too
	shown   core.Pairing
	// OnClosed is called when the dialog is gone.
	OnClosed func()
}

// Show opens the dialog for a pairing.
func Show(env parts.Env, p core.Pairing) *Dialog {
	d := &Dialog{env: env, pairing: p, modal: parts.NewModal(env.Window, parts.ModalWidth)}
	d.modal.OnClose = d.close
	d.show()
	return d
}

// ID is the pairing's.
func (d *Dialog) ID() string { return d.pairing.ID }

// Closed reports whether the dialog is gone.
func (d *Dialog) Closed() bool { return !d.modal.Visible() }

// Changed is called with what happened in the core.
func (d *Dialog) Changed(events []event.Event) {
	for _, e := range events {
		if e.Kind == event.PairingChanged || e.Kind == event.ContactChanged {
			d.load()
			return
		}
	}
}

// load asks how far the pairing is. One that the core no longer knows failed,
// unless its end is on the screen already.
func (d *Dialog) load() {
	if d.confirmed() {
		d.askJoined()
	}
	id, fresh := d.pairing.ID, d.newest.Ask()
	d.env.Work(func(ctx context.Context) func() {
		all, err := d.env.Client.Pairings(ctx)
		if err != nil {
			return nil
		}
		for _, p := range all {
			if p.ID == id {
				return func() {
					if fresh() {
						d.update(p)
					}
				}
			}
		}
		return func() {
			if fresh() {
				d.gone()
			}
		}
	})
}

// confirmed reports whether only the other side's answer is missing.
func (d *Dialog) confirmed() bool {
	return d.pairing.State == core.PairingDone && !d.pairing.Invitation && !d.joined
}

// askJoined finds out whether the other side confirmed, too: then there is a
// contact.
func (d *Dialog) askJoined() {
	id := d.pairing.Contact
	d.env.Work(func(ctx context.Context) func() {
		if c, err := d.env.Client.Contact(ctx, id); err != nil || c.Pending {
			return nil // not yet
		}
		return func() {
			if !d.Closed() && d.confirmed() {
				d.joined = true
				d.show()
			}
		}
	})
}

func (d *Dialog) update(p core.Pairing) {
	if d.Closed() || d.joined || p == d.shown {
		return
	}
	d.pairing = p
	d.show()
}

func (d *Dialog) gone() {
	switch d.pairing.State {
	case core.PairingDone, core.PairingRejected, core.PairingFailed:
	default:
		p := d.pairing
		p.State = core.PairingFailed
		d.update(p)
	}
}

func (d *Dialog) close() {
	d.modal.Hide()
	if d.OnClosed != nil {
		d.OnClosed()
	}
}

func (d *Dialog) name() map[string]any { return parts.With("Name", d.pairing.Name) }

func (d *Dialog) title() *parts.Text {
	key := "screens.pair.title"
	if d.pairing.Invitation {
		key = "screens.pair.title.invited"
	}
	return parts.Title(parts.T(key, d.name()))
}

// show builds the dialog for the pairing's state.
func (d *Dialog) show() {
	d.say = parts.NewSay()
	d.shown = d.pairing
	switch {
	case d.joined:
		d.end(parts.ToneGood, "screens.pair.joined", parts.T("screens.pair.joined.text", d.name()))
	case d.pairing.State == core.PairingDone:
		d.end(parts.ToneGood, "screens.pair.done", d.doneText())
	case d.pairing.State == core.PairingRejected && d.pairing.Invitation:
		d.end(parts.ToneWarning, "screens.pair.rejected", parts.T("screens.pair.rejected.invited"))
	case d.pairing.State == core.PairingRejected:
		d.end(parts.ToneWarning, "screens.pair.rejected", parts.T("screens.pair.rejected.text"))
	case d.pairing.State == core.PairingFailed:
		d.end(parts.ToneError, "screens.pair.failed", parts.T("screens.pair.failed.text"))
	case d.pairing.Digits == "":
		d.wait()
	case d.doubt:
		d.askDifferent()
	default:
		d.compare()
	}
}

func (d *Dialog) doneText() string {
	if d.pairing.Invitation {
		return parts.T("screens.pair.done.invited", d.name())
	}
	return parts.T("screens.pair.done.text", d.name())
}

// wait shows that the other side has not answered yet.
func (d *Dialog) wait() {
	d.say.Busy(parts.T("screens.pair.waiting", d.name()))
	stop := d.modal.Button(parts.T("screens.cancel"), func() { d.answer(false) })
	d.modal.Show(parts.Column(12, d.title(), d.say, parts.Muted(parts.T("screens.pair.waiting.text")), parts.Space(4), parts.Answers(stop)))
	d.modal.Focus(stop)
}

// compare shows the digits. No button has the focus: nobody should say yes by a
// stray Enter.
func (d *Dialog) compare() {
	who := "screens.pair.incoming"
	if d.pairing.Invitation {
		who = "screens.pair.invited"
	}
	all := []fyne.CanvasObject{d.title()}
	if d.pairing.Incoming || d.pairing.Invitation {
		all = append(all, parts.Body(parts.T(who, d.name())))
	}
	later := d.modal.Button(parts.T("screens.pair.later"), d.close)
	later.Importance = widget.LowImportance
	no := d.modal.Button(parts.T("screens.pair.different"), func() { d.doubt = true; d.show() })
	yes := d.modal.Primary(parts.T("screens.pair.same"), func() { d.answer(true) })
	all = append(all, digits(d.pairing.Digits),
		parts.Label(parts.T("screens.pair.compare")), parts.Muted(parts.T("screens.pair.compare.text")),
		d.say, parts.Space(4), parts.Beside(parts.Gap, later, parts.Space(0), parts.Row(parts.Gap, no, yes)))
	d.modal.Show(parts.Column(12, all...))
	d.modal.Focus(nil)
}

// digits shows six digits, large, in two groups of three.
func digits(s string) fyne.CanvasObject {
	t := parts.Body(Grouped(s)).Mono(digitsSize).Centered()
	return container.NewStack(parts.Ground(theme.ColorNameInputBackground, parts.Radius, ""), parts.Pad(t, 12, 12, 12, 12))
}

// Grouped puts a space between the two halves of six digits.
func Grouped(s string) string {
	if len(s) != 6 {
		return s
	}
	return s[:3] + " " + s[3:]
}

// askDifferent makes sure before a connection is ended or a contact blocked.
func (d *Dialog) askDifferent() {
	text, do := "screens.pair.different.text", "screens.pair.different.end"
	if d.pairing.Invitation {
		text, do = "screens.pair.different.invited", "screens.pair.different.block"
	}
	back := d.modal.Button(parts.T("screens.back"), func() { d.doubt = false; d.show() })
	end := d.modal.Button(parts.T(do), func() { d.answer(false) })
	end.Importance = widget.DangerImportance
	d.modal.Show(parts.Column(12, parts.Title(parts.T("screens.pair.different.title")), parts.Body(parts.T(text)), d.say, parts.Space(4), parts.Answers(back, end)))
	d.modal.Focus(back)
}

// end shows how it ended.
func (d *Dialog) end(tone parts.Tone, key, text string) {
	d.say.Set(tone, parts.T(key))
	ok := d.modal.Primary(parts.T("screens.close"), d.close)
	d.modal.Show(parts.Column(12, d.title(), d.say, parts.Body(text), parts.Space(4), parts.Answers(ok)))
	d.modal.Focus(ok)
}

// answer tells the core what the person said. A wait that the person gives up is
// closed at once.
func (d *Dialog) answer(same bool) {
	if d.busy {
		return
	}
	d.busy = true
	p := d.pairing
	if p.Digits == "" {
		d.close()
	}
	d.env.Work(func(ctx context.Context) func() {
		err := d.env.Client.Confirm(ctx, p.ID, same)
		return func() { d.answered(same, err) }
	})
}

func (d *Dialog) answered(same bool, err error) {
	d.busy = false
	if d.Closed() {
		return
	}
	if err != nil {
		d.say.Set(parts.ToneError, parts.T("screens.code.unknown"))
		d.load()
		return
	}
	d.doubt = false
	p := d.pairing
	p.State = core.PairingRejected
	if same {
		p.State = core.PairingDone
	}
	d.update(p)
	if d.confirmed() {
		d.askJoined() // the other side may have been the first
	}
}
