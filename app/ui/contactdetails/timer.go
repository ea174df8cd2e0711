package contactdetails

import (
	"context"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// lifeWords are the words for the lives that may be chosen.
var lifeWords = map[string]string{
	"off": "screens.contact.timer.off", "1h": "screens.contact.timer.hour", "1d": "screens.contact.timer.day",
	"7d": "screens.contact.timer.week", "30d": "screens.contact.timer.month", "90d": "screens.contact.timer.quarter",
}

// loadTimer finds the conversation with a person and its timer; the zero one if
// there is none yet.
func (p *Pane) loadTimer(ctx context.Context) chat.Conversation {
	all, err := p.cfg.Client.Conversations(ctx)
	if err != nil {
		return chat.Conversation{}
	}
	for _, c := range all {
		if c.Contact == p.cfg.Contact {
			return chat.Conversation{ID: c.ID, Timer: c.Timer}
		}
	}
	return chat.Conversation{}
}

// timer says how long new messages stay, and changes it.
func (p *Pane) timer() fyne.CanvasObject {
	lives := chat.Lives()
	var words []string
	for _, life := range lives {
		words = append(words, parts.T(lifeWords[chat.LifeName(life)]))
	}
	choose := widget.NewSelect(words, nil)
	if i := slices.Index(lives, p.conv.Timer); i >= 0 {
		choose.SetSelectedIndex(i)
	} else {
		choose.PlaceHolder = parts.T("screens.contact.timer.other")
	}
	choose.OnChanged = func(word string) { p.setTimer(lives[slices.Index(words, word)]) }
	if p.contact.Blocked {
		choose.Disable()
	}
	return parts.Column(parts.Gap, parts.Head(parts.T("screens.contact.timer")), choose,
		parts.Muted(parts.T("screens.contact.timer.text", p.name())))
}

func (p *Pane) setTimer(life time.Duration) {
	if life == p.conv.Timer {
		return
	}
	p.do(func(ctx context.Context) error { return p.cfg.Client.SetTimer(ctx, p.conv.ID, life) }, nil)
}
