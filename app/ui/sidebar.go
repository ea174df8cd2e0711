package ui

import (
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	ftheme "fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

const (
	searchHeight = 36
	chipsHeight  = 44 // with the room around them
)

// The filters, in the order of their chips.
const (
	filterAll = iota
	filterUnread
)

// sidebar is the left side: title, search, filters, the conversations, and at the
// bottom how far this computer reaches and what waits.
type sidebar struct {
	u              *UI
	root           *fyne.Container
	title          *parts.Text
	add, settings  *widgets.IconButton
	search         *widgets.Search
	searchBox      fyne.CanvasObject
	chips          *widgets.Chips
	finder         *finder
	waiting        *widgets.Banner
	list           *widgets.List
	hint, hintMore *parts.Text
	footer         *widgets.Footer
	narrow         bool
}

func newSidebar(u *UI) *sidebar {
	s := &sidebar{u: u, title: parts.Title(t("main.title")), hint: parts.Body("").Centered().Colored(theme.ColorMuted), hintMore: parts.Tiny("").Centered()}
	s.add = widgets.NewIconButton(u.tips, icons.AddContact, t("main.add"), u.ShowAddContact)
	s.settings = widgets.NewIconButton(u.tips, icons.Settings, t("main.settings"), u.ShowSettings)
	s.search, s.searchBox = widgets.NewSearch(u.tips, t("main.search"), t("main.search.clear"), func(text string) { s.finder.typed(text) })
	s.finder = newFinder(u)
	s.chips = widgets.NewChips(t("main.filter.all"), t("main.filter.unread"))
	s.chips.OnChosen = func(int) { u.showRows() }
	s.waiting = widgets.NewBanner()
	s.waiting.OnAction = u.ShowAddContact
	s.list = widgets.NewList(u.tips)
	s.list.OnOpen = u.ShowConversation
	s.search.OnDown = s.focusBelow
	s.search.OnSubmitted = func(string) { s.openFirst() }
	s.footer = widgets.NewFooter(u.tips)
	s.footer.OnTap = u.ShowNetwork
	s.root = container.New(s, parts.Ground(theme.ColorSidebar, 0, ""), s.title, s.add, s.settings, s.searchBox, s.chips, s.finder.root, s.waiting,
		s.list, s.finder.results, s.hint, s.hintMore, parts.Ground(ftheme.ColorNameSeparator, 0, ""), s.footer)
	s.hint.Hide()
	s.hintMore.Hide()
	return s
}

// openFirst opens what the search found first.
func (s *sidebar) openFirst() {
	if f, ok := s.finder.results.First(); ok && s.finder.active() {
		s.finder.open(f)
	}
}

// focusBelow leads the keyboard to what is under the search field.
func (s *sidebar) focusBelow() {
	if s.finder.active() {
		s.u.cfg.Window.Canvas().Focus(s.finder.results)
		return
	}
	s.u.cfg.Window.Canvas().Focus(s.list)
}

// relayout shows the list, or what a search found in its place.
func (s *sidebar) relayout() {
	found := s.finder.active()
	show(s.finder.root, found)
	show(s.finder.results, found)
	show(s.list, !found)
	show(s.chips, !found && !s.narrow)
	s.root.Refresh()
	if !found {
		s.u.showRows()
	}
}

func (s *sidebar) setNarrow(narrow bool) {
	s.narrow = narrow
	s.list.SetNarrow(narrow)
	s.footer.SetNarrow(narrow)
	if narrow {
		s.search.SetText("")
		s.chips.Choose(filterAll)
	}
	for _, o := range []fyne.CanvasObject{s.title, s.searchBox} {
		show(o, !narrow)
	}
	s.relayout()
	s.u.showRows()
}

// MinSize implements fyne.Layout.
func (s *sidebar) MinSize([]fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(theme.SidebarCollapsed, theme.MinHeight)
}

// Layout implements fyne.Layout.
func (s *sidebar) Layout(o []fyne.CanvasObject, size fyne.Size) {
	put(o[0], 0, 0, size.Width, size.Height)
	foot := float32(theme.Footer)
	if s.narrow {
		foot = 2 * theme.HitArea
	}
	line := o[len(o)-2]
	put(line, 0, size.Height-foot-1, size.Width, 1)
	y := s.layoutHead(size.Width, size.Height, foot)
	if h := s.waiting.Height(size.Width); h > 0 && !s.narrow && !s.finder.active() {
		put(s.waiting, 0, y, size.Width, h)
		y += h + 4
	}
	put(s.list, 0, y, size.Width, max(0, size.Height-foot-1-y))
	put(s.finder.results, 0, y, size.Width, max(0, size.Height-foot-1-y))
	pad := float32(24)
	put(s.hint, pad, y+32, size.Width-2*pad, s.hint.MinSize().Height)
	put(s.hintMore, pad, y+32+s.hint.MinSize().Height+4, size.Width-2*pad, s.hintMore.MinSize().Height)
}

// layoutHead places what is above the list, and the footer, and returns where the
// list begins. Collapsed there is only room for the two buttons.
func (s *sidebar) layoutHead(w, h, foot float32) float32 {
	const hit = theme.HitArea
	top := float32(theme.Header-hit) / 2
	if s.narrow {
		put(s.add, (w-hit)/2, top, hit, hit)
		put(s.settings, (w-hit)/2, h-foot, hit, hit)
		put(s.footer, 0, h-hit, w, hit)
		return theme.Header
	}
	put(s.footer, 0, h-foot, w, foot)
	put(s.settings, w-theme.SidebarInset-hit+8, top, hit, hit)
	put(s.add, w-theme.SidebarInset-2*hit+8, top, hit, hit)
	tm := s.title.MinSize()
	put(s.title, theme.SidebarInset+4, (theme.Header-tm.Height)/2, w-2*hit-2*theme.SidebarInset-4, tm.Height)
	put(s.searchBox, theme.SidebarInset, theme.Header+4, w-2*theme.SidebarInset, searchHeight)
	y := float32(theme.Header + 4 + searchHeight)
	put(s.chips, theme.SidebarInset, y+8, w-2*theme.SidebarInset, s.chips.MinSize().Height)
	put(s.finder.root, theme.SidebarInset, y+8, w-2*theme.SidebarInset, s.finder.root.MinSize().Height)
	return y + chipsHeight
}

func (s *sidebar) showWaiting(w waiting) {
	switch {
	case w.asking > 0:
		s.waiting.Set(widgets.ToneInfo, icons.AddContact, count("main.waiting", w.asking), t("main.waiting.show"))
	case w.comparing > 0:
		s.waiting.Set(widgets.ToneInfo, icons.Shield, count("main.comparing", w.comparing), t("main.comparing.show"))
	default:
		s.waiting.Set(widgets.ToneInfo, "", "", "")
	}
	if s.narrow {
		s.waiting.Hide()
	}
	s.root.Refresh()
}

func (s *sidebar) showFooter(n core.Network) {
	f := widgets.FooterText{Text: t("main.network.lan"), Tip: t("main.network.lan.tip"), Icon: icons.Lock}
	if n.Mode == core.NetworkInternet {
		f = widgets.FooterText{Text: t("main.network.internet"), Tip: t("main.network.internet.tip"), Icon: icons.Globe}
	}
	if n.Waiting > 0 {
		f.Queue, f.QueueTip = count("main.queue", n.Waiting), count("main.queue.tip", n.Waiting)
	}
	s.footer.Set(f)
}

// showHint says why the list is empty.
func (s *sidebar) showHint(rows int) {
	title, text := "", ""
	switch {
	case rows > 0 || !s.u.ready || s.narrow:
	case s.finder.active():
		title, text = t("main.search.none"), t("main.search.none.text")
	case s.chips.Chosen() == filterUnread && len(s.u.contacts) > 0:
		title = t("main.filter.none")
	default:
		title = t("main.list.empty")
	}
	s.hint.SetText(title)
	s.hintMore.SetText(text)
	show(s.hint, title != "")
	show(s.hintMore, text != "")
	s.Layout(s.root.Objects, s.root.Size())
}

// showRows shows the conversations that the search and the filter let through,
// newest first.
func (u *UI) showRows() {
	if u.side == nil || u.conv == nil {
		return
	}
	type entry struct {
		c chat.Contact
		v chat.Conversation
	}
	var all []entry
	unread := u.side.chips.Chosen() == filterUnread
	for id, c := range u.contacts {
		v := u.conversation(id)
		if v.LastAt.IsZero() {
			v.LastAt = c.AddedAt
		}
		if unread && v.Unread == 0 && id != u.current {
			continue
		}
		all = append(all, entry{c, v})
	}
	slices.SortFunc(all, func(a, b entry) int {
		if d := b.v.LastAt.Compare(a.v.LastAt); d != 0 {
			return d
		}
		return strings.Compare(a.c.ID.String(), b.c.ID.String())
	})
	rows := make([]widgets.Row, len(all))
	for i, e := range all {
		rows[i] = row(e.c, e.v, u.me.ID, e.c.ID == u.current, u.now())
	}
	u.side.list.SetRows(rows)
	if u.side.finder.active() {
		u.side.finder.show()
		return
	}
	u.side.showHint(len(rows))
}
