package rights

import (
	"context"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// reasons are what may be noted, in the order of the choices.
var reasons = []core.ErasureReason{core.ErasedByChoice, core.ErasedOnRequest}

// erasing is the dialog that erases a person.
type erasing struct {
	cfg   Config
	who   Subject
	modal *parts.Modal
	why   *parts.ChoiceGroup
	done  func()
}

// AskErase says what would be erased with a person and what stays, asks why, and
// erases. done is called when they are gone, before the dialog says so.
func AskErase(cfg Config, who Subject, done func()) {
	e := &erasing{cfg: cfg.withDefaults(), who: who, done: done, modal: parts.NewModal(cfg.Window, wide)}
	cfg.Work(func(ctx context.Context) func() {
		r, err := cfg.Client.PersonRecord(ctx, who.ID)
		return func() {
			if err != nil {
				e.say(parts.ToneError, parts.T("rights.erase.failed"), sentence(err))
				return
			}
			e.ask(r.Messages)
		}
	})
}

func (e *erasing) ask(messages int64) {
	e.why = parts.NewChoiceGroup(0,
		[2]string{parts.T("rights.erase.choice"), parts.T("rights.erase.choice.text")},
		[2]string{parts.T("rights.erase.request"), parts.T("rights.erase.request.text")})
	e.modal.OnClose = e.modal.Hide
	no := e.modal.Button(parts.T("screens.cancel"), e.modal.Hide)
	yes := e.modal.Primary(parts.T("rights.erase.do"), e.run)
	yes.Importance = widget.DangerImportance
	// The keys' fields are written small: the command line fills them, too.
	text := parts.T("gdpr.erase.confirm", parts.With("name", e.who.Name, "messages", parts.Count(messages)))
	var all []fyne.CanvasObject
	for para := range strings.SplitSeq(text, "\n") {
		all = append(all, parts.Body(para))
	}
	all = append(all, parts.Label(parts.T("rights.erase.why")), parts.Column(parts.Gap, e.why.Objects()...))
	e.show(parts.T("rights.erase.title", parts.With("Name", e.who.Name)), parts.Column(12, all...), no, yes)
	e.modal.Focus(no)
}

func (e *erasing) show(title string, body fyne.CanvasObject, answers ...fyne.CanvasObject) {
	e.modal.Show(parts.Column(12, parts.Title(title), e.modal.Fit(body, 130), parts.Space(4), parts.Answers(answers...)))
}

func (e *erasing) run() {
	reason := reasons[max(0, e.why.Selected())]
	busy := parts.NewSay()
	busy.Busy(parts.T("rights.erase.busy"))
	e.modal.OnClose = nil // it is one step, which ends by itself
	e.show(parts.T("rights.erase.title", parts.With("Name", e.who.Name)), busy)
	e.cfg.Order(func(ctx context.Context) func() {
		out, err := e.cfg.Client.Erase(ctx, e.who.ID, reason)
		return func() {
			busy.Clear() // stops its animation
			if err != nil {
				e.say(parts.ToneError, parts.T("rights.erase.failed"), sentence(err))
				return
			}
			e.done()
			e.say(parts.ToneGood, parts.T("rights.erase.done", parts.With("Name", e.who.Name)), erased(out))
		}
	})
}

// erased says what went.
func erased(out core.Erased) string {
	all := []string{parts.N("rights.export.messages", int(out.Messages)), parts.N("rights.export.files", out.Files)}
	says := []string{strings.Join(all, ", ") + ".", parts.T("rights.erase.entry", parts.With("N", out.Entry.Number))}
	if out.Queues > 0 {
		says = append(says, parts.T("rights.erase.queues"))
	}
	if !out.Scrubbed {
		says = append(says, parts.T("rights.erase.rest"))
	}
	return strings.Join(says, " ")
}

func (e *erasing) say(tone parts.Tone, title, text string) {
	e.modal.OnClose = e.modal.Hide
	say := parts.NewSay()
	say.Set(tone, text)
	shut := e.modal.Primary(parts.T("screens.close"), e.modal.Hide)
	e.show(title, say, shut)
	e.modal.Focus(shut)
}
