package ui

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

const (
	// typingPause is how long nothing must be typed before messages are searched.
	typingPause = 120 * time.Millisecond
	// hitsPage is how many hits are asked for at a time: some screens.
	hitsPage = 40
	// namesShown is how many conversations are shown above the messages.
	namesShown = 5
	// filterYears is how many past years can be chosen.
	filterYears = 4
)

// period is a span of time that can be chosen.
type period struct {
	name         string
	since, until time.Time
}

// finder is the search in everything: what the sidebar shows while something
// stands in its field, or its searchPane where the sidebar is collapsed. It
// belongs to the UI thread.
type finder struct {
	u       *UI
	root    *fyne.Container // the filters
	results *widgets.Results
	pane    *searchPane
	from    *widgets.MenuChip
	in      *widgets.MenuChip
	when    *widgets.MenuChip
	file    *widgets.MenuChip

	query  chat.SearchQuery // without text
	text   string
	hits   []chat.Hit
	next   int64
	asking bool
	failed bool
	turn   int // counts the questions: an answer to an older one is not shown
	cancel context.CancelFunc
	stop   func()
}

func newFinder(u *UI) *finder {
	f := &finder{
		u: u, results: widgets.NewResults(), from: widgets.NewMenuChip(u.tips, t("search.from")), in: widgets.NewMenuChip(u.tips, t("search.in")),
		when: widgets.NewMenuChip(u.tips, t("search.when")), file: widgets.NewMenuChip(u.tips, t("search.file")),
	}
	f.from.OnTap = func() { f.menu(f.from, f.fromItems()) }
	f.in.OnTap = func() { f.menu(f.in, f.inItems()) }
	f.when.OnTap = func() { f.menu(f.when, f.whenItems()) }
	f.file.OnTap = func() { f.menu(f.file, f.fileItems()) }
	f.results.OnOpen = f.open
	f.results.OnMore = f.more
	f.results.OnUp = func() { u.cfg.Window.Canvas().Focus(u.side.search) }
	f.results.OnLeave = f.leave
	f.root = container.New(quarters{}, f.from, f.in, f.when, f.file)
	f.pane = &searchPane{u: u}
	return f
}

// active reports whether a search is shown.
func (f *finder) active() bool { return f.text != "" && (!f.u.side.narrow || f.pane.open) }

// leave ends the search; its pane, too.
func (f *finder) leave() {
	if f.pane.open {
		f.u.Back()
		return
	}
	f.u.side.search.SetText("")
}

// typed is told what stands in the field.
func (f *finder) typed(text string) {
	text = strings.TrimSpace(text)
	if text == f.text {
		return
	}
	began := f.text == ""
	f.text = text
	f.drop()
	if text == "" {
		f.clear()
	} else {
		if began {
			f.hits = nil
		}
		f.asking = true
		f.stop = f.u.pump.Later(typingPause, f.ask)
	}
	f.show()
	f.u.side.relayout()
}

// clear forgets filters and hits.
func (f *finder) clear() {
	f.hits, f.next, f.query = nil, 0, chat.SearchQuery{}
	for _, c := range []*widgets.MenuChip{f.from, f.in, f.when, f.file} {
		c.Set("")
	}
}

// drop gives up the question under way.
func (f *finder) drop() {
	f.turn++
	f.asking, f.failed = false, false
	if f.stop != nil {
		f.stop()
		f.stop = nil
	}
	if f.cancel != nil {
		f.cancel()
		f.cancel = nil
	}
}

// ask searches anew.
func (f *finder) ask() {
	f.drop()
	f.look(0, nil)
}

// more asks for the next hits, if there are any.
func (f *finder) more() {
	if f.next != 0 && !f.asking && !f.failed {
		f.look(f.next, f.hits)
	}
}

// look asks for a page of hits after those that are there.
func (f *finder) look(before int64, there []chat.Hit) {
	f.asking = true
	turn, q := f.turn, f.query
	q.Text, q.Before, q.Limit = f.text, before, hitsPage
	work, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.u.pump.Work(func(ctx context.Context) func() {
		defer context.AfterFunc(ctx, cancel)()
		page, err := f.u.cfg.Client.Search(work, q) //nolint:contextcheck // ends with the pump's, and with the next query
		return func() {                             //nolint:contextcheck // the next question has a context of its own
			if turn != f.turn {
				return
			}
			f.take(page, err, there)
		}
	})
}

// take shows an answer. One with few hits and more to come is followed up.
func (f *finder) take(page chat.SearchPage, err error, there []chat.Hit) {
	f.asking, f.failed = false, err != nil
	if err != nil {
		f.u.log.Warn("search failed", "error", err)
	} else {
		f.hits, f.next = slices.Concat(there, page.Hits), page.Next
	}
	if f.next != 0 && !f.failed && len(f.hits)-len(there) < hitsPage/2 && len(f.hits) < hitsPage {
		f.look(f.next, f.hits)
	}
	f.show()
}

// show lists the conversations and messages that were found.
func (f *finder) show() {
	if f.text == "" {
		f.results.SetFound(nil)
		return
	}
	var out []widgets.Found
	people := f.people()
	if len(people) > 0 {
		out = append(out, widgets.Found{Kind: widgets.FoundHeading, Name: t("search.conversations")})
		out = append(out, people...)
	}
	if len(f.hits) > 0 {
		out = append(out, widgets.Found{Kind: widgets.FoundHeading, Name: t("search.messages")})
	}
	for _, h := range f.hits {
		out = append(out, f.hit(h))
	}
	if note := f.note(len(out)); note != "" {
		out = append(out, widgets.Found{Kind: widgets.FoundNote, Name: note})
	}
	f.results.SetFound(out)
	f.u.side.showHint(len(out))
}

// note says what the list itself does not.
func (f *finder) note(lines int) string {
	switch {
	case f.failed:
		return t("search.failed")
	case f.asking && len(f.hits) == 0:
		return t("search.asking")
	case f.asking || f.next != 0:
		return t("search.more")
	case len(f.hits) == 0 && lines > 0:
		return t("search.nomessages")
	}
	return ""
}

// people are the conversations whose name fits, the newest first.
func (f *finder) people() (out []widgets.Found) {
	if f.query != (chat.SearchQuery{}) {
		return nil // filters are about messages
	}
	for _, c := range f.u.byTime(plain(f.text), false) {
		if len(out) == namesShown {
			break
		}
		out = append(out, widgets.Found{Kind: widgets.FoundPerson, Contact: c.ID, Name: c.Name})
	}
	return out
}

func (f *finder) hit(h chat.Hit) widgets.Found {
	m := h.Message
	out := widgets.Found{
		Kind: widgets.FoundMessage, Message: m.ID, Seq: m.Seq, Text: h.Snippet, Marks: h.Marks, Time: rowTime(shown(m), f.u.now()),
	}
	out.Contact = f.u.contactOf(m.Conversation)
	out.Name = f.u.contacts[out.Contact].Name
	if m.Sender == f.u.me.ID {
		out.Lead = t("main.row.me")
	}
	return out
}

// open shows what was chosen. A search stays, so that the next hit is at hand.
func (f *finder) open(line widgets.Found) {
	if line.Contact.IsZero() {
		return
	}
	if line.Kind == widgets.FoundPerson {
		f.u.side.search.SetText("")
		f.u.ShowConversation(line.Contact)
		return
	}
	f.pane.keep = true
	f.u.ShowMessage(line.Contact, chat.Position{Seq: line.Seq, ID: line.Message})
	f.pane.keep = false
}

// menu opens the menu of a filter under its chip.
func (f *finder) menu(chip *widgets.MenuChip, items []*fyne.MenuItem) {
	at := fyne.CurrentApp().Driver().AbsolutePositionForObject(chip)
	widget.ShowPopUpMenuAtPosition(fyne.NewMenu("", items...), f.u.cfg.Window.Canvas(), at.AddXY(0, chip.Size().Height+2))
}

// choose is a menu's item that sets a filter.
func (f *finder) choose(chip *widgets.MenuChip, name, value string, set func(q *chat.SearchQuery)) *fyne.MenuItem {
	item := fyne.NewMenuItem(name, func() {
		set(&f.query)
		chip.Set(value)
		f.ask()
		f.show()
	})
	item.Checked = chip.Value() == value
	return item
}

func (f *finder) fromItems() []*fyne.MenuItem {
	items := []*fyne.MenuItem{
		f.choose(f.from, t("search.from.all"), "", func(q *chat.SearchQuery) { q.Sender = chat.PersonID{} }),
		f.choose(f.from, t("search.from.me"), t("search.from.me"), func(q *chat.SearchQuery) { q.Sender = f.u.me.ID }),
	}
	for _, c := range f.u.byTime("", true) {
		items = append(items, f.choose(f.from, c.Name, c.Name, func(q *chat.SearchQuery) { q.Sender = c.ID }))
	}
	return items
}

func (f *finder) inItems() []*fyne.MenuItem {
	items := []*fyne.MenuItem{
		f.choose(f.in, t("search.in.all"), "", func(q *chat.SearchQuery) { q.Conversation = chat.ConversationID{} }),
	}
	for _, c := range f.u.byTime("", true) {
		items = append(items, f.choose(f.in, c.Name, c.Name, func(q *chat.SearchQuery) { q.Conversation = f.u.conversation(c.ID).ID }))
	}
	return items
}

func (f *finder) fileItems() []*fyne.MenuItem {
	return []*fyne.MenuItem{
		f.choose(f.file, t("search.file.all"), "", func(q *chat.SearchQuery) { q.HasFile = false }),
		f.choose(f.file, t("search.file.only"), t("search.file.only"), func(q *chat.SearchQuery) { q.HasFile = true }),
	}
}

func (f *finder) whenItems() []*fyne.MenuItem {
	items := []*fyne.MenuItem{f.choose(f.when, t("search.when.all"), "", func(q *chat.SearchQuery) { q.Since, q.Until = time.Time{}, time.Time{} })}
	for _, p := range periods(f.u.now()) {
		items = append(items, f.choose(f.when, p.name, p.name, func(q *chat.SearchQuery) { q.Since, q.Until = p.since, p.until }))
	}
	return items
}

// periods are the spans of time that can be chosen: the last days, and years.
func periods(now time.Time) []period {
	now = now.Local()
	y, m, d := now.Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, time.Local)
	out := []period{
		{name: t("main.today"), since: today},
		{name: t("search.when.week"), since: today.AddDate(0, 0, -6)},
		{name: t("search.when.month"), since: today.AddDate(0, 0, -29)},
	}
	for n := range filterYears + 1 {
		from := time.Date(y-n, 1, 1, 0, 0, 0, 0, time.Local)
		out = append(out, period{name: strconv.Itoa(y - n), since: from, until: from.AddDate(1, 0, 0)})
	}
	return out
}

// byTime are the contacts whose name holds a plain text, those first with whom
// something happened last. short leaves out where nothing was ever written.
func (u *UI) byTime(wanted string, short bool) (out []chat.Contact) {
	at := map[chat.PersonID]time.Time{}
	for id, c := range u.contacts {
		v, ok := u.convs[id]
		if short && !ok || !strings.Contains(plain(c.Name), wanted) {
			continue
		}
		at[id] = v.LastAt
		if v.LastAt.IsZero() {
			at[id] = c.AddedAt
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b chat.Contact) int {
		if d := at[b.ID].Compare(at[a.ID]); d != 0 {
			return d
		}
		return strings.Compare(a.ID.String(), b.ID.String())
	})
	if short {
		out = out[:min(len(out), menuMost)]
	}
	return out
}

// menuMost is how many people a menu offers: as many as a screen holds.
const menuMost = 14

// contactOf says whose conversation it is; zero if it is not known.
func (u *UI) contactOf(id chat.ConversationID) chat.PersonID {
	for person := range u.contacts {
		if u.conversation(person).ID == id {
			return person
		}
	}
	return chat.PersonID{}
}

// quarters gives each object the same width.
type quarters struct{}

const quarterGap = 6

// MinSize implements fyne.Layout.
func (quarters) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(200, o[0].MinSize().Height)
}

// Layout implements fyne.Layout.
func (quarters) Layout(o []fyne.CanvasObject, s fyne.Size) {
	n := float32(len(o))
	w := (s.Width - quarterGap*(n-1)) / n
	for i, c := range o {
		put(c, float32(i)*(w+quarterGap), 0, w, s.Height)
	}
}
