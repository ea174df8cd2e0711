// Package contactdetails is the pane about one person: who they are, whether that
// is verified and how to verify it, and how to block them. It says what is known
// and no more. What is kept of them can be given out and erased here.
package contactdetails

import (
	"context"
	"errors"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/rights"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// Measures in dp.
const (
	maxWidth   = 480
	avatarSide = 64
)

// Config is what the pane is given.
type Config struct {
	parts.Env
	// Contact is the person it is about.
	Contact chat.PersonID
	// Rights is what the dialogs about this person's data are given; its Env is the
	// pane's.
	Rights rights.Config
	// Cleared is called when the history was cleared, Erased when the person is gone;
	// nil for nobody.
	Cleared, Erased func()
}

// Pane shows one contact. Its methods belong to the UI thread.
type Pane struct {
	cfg     Config
	loaded  chat.Contact
	contact chat.Contact      // loaded, with a name to show
	number  string            // safety number, "" while unknown
	conv    chat.Conversation // id and timer of the one with them, zero if there is none
	known   bool
	busy    bool
	editing bool
	newest  parts.Newest

	root  *container.Scroll
	body  *fyne.Container
	say   *parts.Say
	entry *widget.Entry
}

// New builds the pane and loads the contact.
func New(cfg Config) *Pane {
	cfg.Rights.Env = cfg.Env
	p := &Pane{cfg: cfg, body: parts.Column(parts.Section), say: parts.NewSay()}
	p.root = container.NewVScroll(parts.Pad(parts.AtMost(maxWidth, p.body), parts.Edge, parts.Edge, parts.Edge, parts.Edge))
	p.load()
	return p
}

// Title names the pane.
func (p *Pane) Title() string { return parts.T("screens.contact.title") }

// Object is what to show.
func (p *Pane) Object() fyne.CanvasObject { return p.root }

// Changed is called with what happened in the core.
func (p *Pane) Changed(events []event.Event) {
	for _, e := range events {
		mine := e.Kind == event.ConversationChanged && e.Conversation == p.conv.ID
		if mine || e.Kind == event.ContactChanged && (e.Contact == p.cfg.Contact || e.Contact.IsZero()) {
			p.load()
			return
		}
	}
}

func (p *Pane) load() {
	fresh := p.newest.Ask()
	p.cfg.Work(func(ctx context.Context) func() {
		c, err := p.cfg.Client.Contact(ctx, p.cfg.Contact)
		if err != nil {
			return func() {
				if fresh() {
					p.missing(err)
				}
			}
		}
		number := ""
		if s, err := p.cfg.Client.Safety(ctx, p.cfg.Contact); err == nil {
			number = s.Number
		}
		conv := p.loadTimer(ctx)
		return func() {
			if fresh() {
				p.show(c, number, conv)
			}
		}
	})
}

func (p *Pane) missing(err error) {
	key := "screens.code.unknown"
	if errors.Is(err, chat.ErrNotFound) {
		key = "screens.contact.gone"
	}
	p.body.Objects = []fyne.CanvasObject{p.say}
	p.say.Set(parts.ToneError, parts.T(key))
	p.body.Refresh()
}

// show builds the pane; a name that is being edited is left alone.
func (p *Pane) show(c chat.Contact, number string, conv chat.Conversation) {
	if p.known && p.loaded == c && p.number == number && p.conv == conv {
		return
	}
	p.loaded, p.contact, p.number, p.conv, p.known = c, c, number, conv, true
	if c.Name == "" { // nobody has said it yet
		p.contact.Name = parts.T("screens.contact.unnamed")
	}
	if p.editing && p.entry != nil {
		return
	}
	p.build()
}

func (p *Pane) build() {
	p.body.Objects = []fyne.CanvasObject{p.header(), p.say, p.trust(), p.safety()}
	if p.conv.ID != (chat.ConversationID{}) {
		p.body.Objects = append(p.body.Objects, p.timer())
	}
	p.body.Objects = append(p.body.Objects, p.data(), p.end())
	p.body.Refresh()
	p.root.Refresh()
}

func (p *Pane) name() map[string]any { return parts.With("Name", p.contact.Name) }

// header says who it is and how they can be reached now.
func (p *Pane) header() fyne.CanvasObject {
	if p.editing {
		return p.editor()
	}
	lines := []fyne.CanvasObject{parts.Title(p.contact.Name)}
	if p.contact.Alias != "" && p.contact.GivenName != "" && p.contact.GivenName != p.contact.Name {
		lines = append(lines, parts.Muted(parts.T("screens.contact.given", parts.With("Name", p.contact.GivenName))))
	}
	lines = append(lines, parts.Muted(p.status()))
	avatar := widgets.ForContact(p.contact, avatarSide, theme.ColorNameBackground).Container
	edit := parts.NewButtonWithIcon(parts.T("screens.contact.name.edit"), icons.New(icons.Edit), func() { p.edit(true) })
	return parts.Column(12, parts.Beside(16, avatar, parts.Column(2, lines...), nil), parts.Row(0, edit))
}

// status is the truth about how they can be reached.
func (p *Pane) status() string {
	c := p.contact
	switch {
	case c.Blocked:
		return parts.T("screens.contact.blocked")
	case c.Online:
		return parts.T("screens.contact.online")
	case c.Pending:
		return parts.T("screens.contact.pending")
	case c.LastSeen.IsZero():
		return parts.T("screens.contact.never")
	}
	return parts.T("screens.contact.seen", parts.With("When", parts.Moment(c.LastSeen, p.cfg.Now())))
}

func (p *Pane) edit(on bool) {
	p.editing = on
	p.say.Clear()
	p.build()
	if on {
		p.cfg.Window.Canvas().Focus(p.entry)
	}
}

// editor asks for a name of my own for this person.
func (p *Pane) editor() fyne.CanvasObject {
	p.entry = widget.NewEntry()
	p.entry.SetText(p.loaded.Name)
	p.entry.SetPlaceHolder(p.contact.GivenName)
	p.entry.OnSubmitted = func(string) { p.rename() }
	cancel := parts.NewButton(parts.T("screens.cancel"), func() { p.edit(false) })
	save := parts.Primary(parts.T("screens.save"), p.rename)
	hint := parts.T("screens.contact.name.only")
	if p.contact.GivenName != "" {
		hint = parts.T("screens.contact.name.text", parts.With("Name", p.contact.GivenName))
	}
	return parts.Column(parts.Gap,
		parts.Label(parts.T("screens.contact.name")), p.entry, parts.Muted(hint),
		parts.Answers(cancel, save))
}

func (p *Pane) rename() {
	alias := strings.TrimSpace(p.entry.Text)
	if alias == p.contact.GivenName {
		alias = ""
	}
	p.do(func(ctx context.Context) error { return p.cfg.Client.Rename(ctx, p.cfg.Contact, alias) }, func() { p.edit(false) })
}

// do changes something and loads the contact anew; then runs on success, before
// that.
func (p *Pane) do(change func(ctx context.Context) error, then func()) {
	if p.busy {
		return
	}
	p.busy = true
	p.say.Clear()
	p.cfg.Work(func(ctx context.Context) func() {
		err := change(ctx)
		return func() {
			p.busy = false
			switch {
			case errors.Is(err, chat.ErrBadName):
				p.say.Set(parts.ToneError, parts.T("screens.contact.name.bad"))
				return
			case err != nil:
				p.say.Set(parts.ToneError, parts.T("screens.code.unknown"))
			case then != nil:
				then()
			}
			p.load()
		}
	})
}

// trust says whether this person is verified, by word, icon and colour.
func (p *Pane) trust() fyne.CanvasObject {
	icon, head, text := icons.Colored(icons.Shield, theme.ColorNameWarning), "screens.contact.unverified", "screens.contact.unverified.text"
	if p.contact.Verified {
		icon, head, text = icons.Colored(icons.ShieldCheck, theme.ColorNameSuccess), "screens.contact.verified", "screens.contact.verified.text"
	}
	return parts.Beside(12, parts.Mark(icon), parts.Column(2, parts.Head(parts.T(head)), parts.Muted(parts.T(text, p.name()))), nil)
}

// safety shows the number and how to compare it.
func (p *Pane) safety() fyne.CanvasObject {
	all := []fyne.CanvasObject{parts.Head(parts.T("screens.contact.safety"))}
	if p.number == "" {
		return parts.Column(parts.Gap, append(all, parts.Muted(parts.T("screens.contact.safety.failed")))...)
	}
	copyIt := parts.NewButtonWithIcon(parts.T("screens.contact.safety.copy"), icons.New(icons.Copy), func() {
		fyne.CurrentApp().Clipboard().SetContent(Lines(p.number))
		p.say.Set(parts.ToneGood, parts.T("screens.contact.safety.copied"))
	})
	buttons := []fyne.CanvasObject{copyIt}
	if !p.contact.Verified {
		buttons = append(buttons, parts.Primary(parts.T("screens.contact.safety.verify"), p.askVerify))
	}
	all = append(all, parts.Muted(parts.T("screens.contact.safety.how")), numberGrid(p.number), parts.Answers(buttons...))
	return parts.Column(10, all...)
}

func (p *Pane) askVerify() {
	parts.Ask(p.cfg.Window, parts.T("screens.contact.verify.title"), parts.T("screens.contact.verify.text", p.name()),
		parts.T("screens.cancel"), parts.T("screens.contact.verify.yes"), false, func() {
			p.do(func(ctx context.Context) error { return p.cfg.Client.Verify(ctx, p.cfg.Contact) }, nil)
		})
}

// end says since when they are a contact, and blocks.
func (p *Pane) end() fyne.CanvasObject {
	added := parts.Muted(parts.T("screens.contact.added", parts.With("When", parts.Day(p.contact.AddedAt))))
	block := parts.NewButtonWithIcon(parts.T("screens.contact.block"), icons.Colored(icons.Block, theme.ColorNameError), p.askBlock)
	if p.contact.Blocked {
		block = parts.NewButtonWithIcon(parts.T("screens.contact.unblock"), icons.New(icons.Block), func() { p.block(false) })
	}
	return parts.Column(12, parts.Line(), added, parts.Row(0, block))
}

func (p *Pane) askBlock() {
	parts.Ask(p.cfg.Window, parts.T("screens.contact.block.title", p.name()), parts.T("screens.contact.block.text", p.name()),
		parts.T("screens.cancel"), parts.T("screens.contact.block"), true, func() { p.block(true) })
}

func (p *Pane) block(on bool) {
	p.do(func(ctx context.Context) error { return p.cfg.Client.SetBlocked(ctx, p.cfg.Contact, on) }, nil)
}
