package contactdetails

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/rights"
)

// data is about what is kept of this person: to clear the history, give it out, or
// erase everything.
func (p *Pane) data() fyne.CanvasObject {
	all := []fyne.CanvasObject{parts.Head(parts.T("rights.data"))}
	add := func(key string, icon fyne.Resource, do func()) {
		b := parts.NewButtonWithIcon(parts.T(key), icon, do)
		b.Alignment = widget.ButtonAlignLeading
		all = append(all, b)
	}
	add("rights.person.do", icons.New(icons.Save), func() { rights.AskExport(p.cfg.Rights, &rights.Subject{ID: p.cfg.Contact, Name: p.contact.Name}) })
	if p.conv.ID != (chat.ConversationID{}) {
		add("rights.clear", icons.Colored(icons.Trash, theme.ColorNameError), p.askClear)
	}
	add("rights.erase.person", icons.Colored(icons.Trash, theme.ColorNameError), func() {
		rights.AskErase(p.cfg.Rights, rights.Subject{ID: p.cfg.Contact, Name: p.contact.Name}, func() { call(p.cfg.Erased) })
	})
	return parts.Column(parts.Gap, all...)
}

func (p *Pane) askClear() {
	parts.Ask(p.cfg.Window, parts.T("rights.clear.title"), parts.T("rights.clear.text", p.name()),
		parts.T("screens.cancel"), parts.T("rights.clear.yes"), true, func() {
			p.do(func(ctx context.Context) error { return p.cfg.Client.ClearConversation(ctx, p.conv.ID) }, func() {
				call(p.cfg.Cleared)
				p.say.Set(parts.ToneGood, parts.T("rights.clear.done"))
				p.root.ScrollToTop()
			})
		})
}

func call(f func()) {
	if f != nil {
		f()
	}
}
