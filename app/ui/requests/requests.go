// Package requests is the list of strangers who wish to become contacts.
package requests

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// List shows the requests that wait for an answer. It takes no room while there
// is none. Its methods belong to the UI thread.
type List struct {
	env  parts.Env
	root *fyne.Container
	rows *fyne.Container
	say  *parts.Say
	busy bool

	newest parts.Newest
	// OnAccepted is called with a new contact.
	OnAccepted func(chat.PersonID)
}

// New builds an empty list.
func New(env parts.Env) *List {
	l := &List{env: env, rows: parts.Column(parts.Gap), say: parts.NewSay()}
	l.root = parts.Column(parts.Gap, parts.Head(parts.T("screens.requests.title")), parts.Muted(parts.T("screens.requests.text")), l.rows, l.say)
	l.root.Hide()
	return l
}

// Object is what to show.
func (l *List) Object() fyne.CanvasObject { return l.root }

// Load asks for the requests and shows them.
func (l *List) Load() {
	fresh := l.newest.Ask()
	l.env.Work(func(ctx context.Context) func() {
		all, err := l.env.Client.Requests(ctx)
		if err != nil {
			return nil // what is shown stays
		}
		return func() {
			if fresh() {
				l.show(all)
			}
		}
	})
}

func (l *List) show(all []chat.Request) {
	l.rows.RemoveAll()
	for _, r := range all {
		l.rows.Add(l.row(r))
	}
	if len(all) == 0 && l.say.Text() == "" {
		l.root.Hide()
	} else {
		l.root.Show()
	}
	l.root.Refresh()
}

func (l *List) row(r chat.Request) fyne.CanvasObject {
	no := parts.NewButton(parts.T("screens.requests.decline"), func() { l.answer(r.ID, false) })
	yes := parts.NewButton(parts.T("screens.requests.accept"), func() { l.answer(r.ID, true) })
	yes.Importance = widget.HighImportance
	avatar := widgets.ForContact(chat.Contact{ID: r.ID, Name: r.Name}, parts.AvatarSide, theme.ColorNameBackground).Container
	at := parts.T("screens.requests.at", parts.With("When", parts.Day(r.ReceivedAt)))
	return parts.Person(avatar, r.Name, at, parts.Row(parts.Gap, no, yes))
}

func (l *List) answer(id chat.PersonID, accept bool) {
	if l.busy {
		return
	}
	l.busy = true
	l.say.Clear()
	l.env.Work(func(ctx context.Context) func() {
		err := l.env.Client.AnswerRequest(ctx, id, accept)
		return func() { l.answered(id, accept, err) }
	})
}

func (l *List) answered(id chat.PersonID, accept bool, err error) {
	l.busy = false
	if err != nil {
		l.say.Set(parts.ToneError, parts.T("screens.code.unknown"))
	}
	l.Load()
	if err == nil && accept && l.OnAccepted != nil {
		l.OnAccepted(id)
	}
}
