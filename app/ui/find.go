package ui

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// markTime is how long a message stays marked to which a search led.
const markTime = 2500 * time.Millisecond

// find is the search in the open conversation. It belongs to the UI thread.
type find struct {
	c      *conversation
	bar    *widgets.FindBar
	open   bool
	text   string
	hits   []chat.Position // newest first
	next   int64
	at     int // which one is shown
	turn   int
	asking bool
	cancel context.CancelFunc
	stop   func()
}

func newFind(c *conversation) *find {
	f := &find{c: c}
	f.bar = widgets.NewFindBar(c.u.tips, widgets.FindWords{
		Hint: t("search.here"), Clear: t("main.search.clear"), Older: t("search.older"), Newer: t("search.newer"), Close: t("main.close"),
	}, f.typed, f.step, f.close)
	f.bar.Hide()
	return f
}

// show opens the bar.
func (f *find) show() {
	if f.c.id.IsZero() {
		return
	}
	f.open = true
	f.say()
	f.bar.Show()
	f.c.root.Refresh()
	f.c.u.cfg.Window.Canvas().Focus(f.bar.Field)
}

// close closes the bar and goes back to writing.
func (f *find) close() {
	if !f.open {
		return
	}
	f.reset()
	f.c.focus()
}

// reset closes the bar and forgets everything.
func (f *find) reset() {
	f.open = false
	f.bar.Field.SetText("")
	f.bar.Hide()
	f.c.root.Refresh()
}

// typed is told what stands in the field.
func (f *find) typed(text string) {
	text = strings.TrimSpace(text)
	if text == f.text {
		return
	}
	f.text = text
	f.drop()
	f.hits, f.next, f.at, f.asking = nil, 0, 0, text != ""
	f.c.unmark()
	f.say()
	if text != "" {
		f.stop = f.c.u.pump.Later(typingPause, func() { f.look(0) })
	}
}

// drop gives up the question under way.
func (f *find) drop() {
	f.turn++
	if f.stop != nil {
		f.stop()
		f.stop = nil
	}
	if f.cancel != nil {
		f.cancel()
		f.cancel = nil
	}
}

// look asks for the hits before a place, and then shows the one at f.at.
func (f *find) look(before int64) {
	f.drop()
	f.asking = true
	turn := f.turn
	q := chat.SearchQuery{Text: f.text, Conversation: f.c.u.conversation(f.c.id).ID, Before: before, Limit: hitsPage}
	work, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.c.u.pump.Work(func(ctx context.Context) func() {
		defer context.AfterFunc(ctx, cancel)()
		page, err := f.c.u.cfg.Client.Search(work, q) //nolint:contextcheck // ends with the pump's, and with the next query
		return func() {                               //nolint:contextcheck // the next question has a context of its own
			if turn == f.turn && f.open {
				f.take(page, err)
			}
		}
	})
}

func (f *find) take(page chat.SearchPage, err error) {
	if f.asking = false; err != nil {
		f.c.u.log.Warn("search failed", "error", err)
		f.next = 0
		f.bar.Say(t("search.failed"), false, false)
		return
	}
	for _, h := range page.Hits {
		f.hits = append(f.hits, chat.Position{Seq: h.Message.Seq, ID: h.Message.ID})
	}
	// The store's order is that of arrival; here one goes upwards.
	slices.SortFunc(f.hits, func(a, b chat.Position) int {
		return compare(chat.Message{Seq: b.Seq, ID: b.ID}, chat.Message{Seq: a.Seq, ID: a.ID})
	})
	f.next = page.Next
	if f.at >= len(f.hits) && f.next != 0 {
		f.look(f.next)
		return
	}
	f.at = min(f.at, max(0, len(f.hits)-1))
	f.jump()
}

// step goes to an older hit, or a newer one if negative.
func (f *find) step(by int) {
	switch at := f.at + by; {
	case at < 0 || len(f.hits) == 0:
	case at < len(f.hits):
		f.at = at
		f.jump()
	case f.next != 0 && !f.asking:
		f.at = at
		f.look(f.next)
	}
}

// jump shows the hit.
func (f *find) jump() {
	f.say()
	if f.at < len(f.hits) {
		f.c.jumpTo(f.hits[f.at])
	}
}

// say shows how many there are.
func (f *find) say() {
	n := len(f.hits)
	switch {
	case f.text == "":
		f.bar.Say("", false, false)
	case n == 0 && !f.asking:
		f.bar.Say(t("search.none.here"), false, false)
	case n == 0:
		f.bar.Say("", false, false)
	default:
		all := strconv.Itoa(n)
		if f.next != 0 {
			all += "+"
		}
		f.bar.Say(t("search.count", "At", strconv.Itoa(f.at+1), "All", all), f.at+1 < n || f.next != 0, f.at > 0)
	}
}

// jumpTo shows a message in its context and marks it for a while.
func (c *conversation) jumpTo(p chat.Position) {
	c.mark(p.ID)
	if c.history.ShowAt(widgets.Key{Kind: widgets.ItemBubble, ID: p.ID}, c.history.Size().Height/3) {
		c.show()
		return
	}
	c.ask(goal{kind: goalMessage, id: p.ID}, func(t *timeline, ctx context.Context) error { return t.seek(ctx, p.Seq) })
}

// mark rings a message for a while.
func (c *conversation) mark(id chat.MessageID) {
	if c.stopMark != nil {
		c.stopMark()
	}
	c.found = id
	c.stopMark = c.u.pump.Later(markTime, func() {
		c.unmark()
		c.show()
	})
}

func (c *conversation) unmark() {
	if c.stopMark != nil {
		c.stopMark()
		c.stopMark = nil
	}
	c.found = chat.MessageID{}
}

// ShowMessage opens a conversation at one of its messages.
func (u *UI) ShowMessage(with chat.PersonID, at chat.Position) {
	u.closeScreen()
	if u.current == with {
		u.conv.jumpTo(at)
		return
	}
	u.conv.target = &at
	u.ShowConversation(with)
	u.conv.target = nil
}

// findHere searches in the conversation that is seen, else in everything.
func (u *UI) findHere() {
	if u.current.IsZero() || !u.conv.root.Visible() || u.cfg.Window.Canvas().Focused() == fyne.Focusable(u.conv.find.bar.Field) {
		u.focusSearch()
		return
	}
	u.conv.find.show()
}
