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
	find           *widgets.IconButton // in place of the field where there is no room for it
	search         *widgets.Search
	searchBox      fyne.CanvasObject
	chips          *widgets.Chips
	finder         *finder
	waiting        *widgets.Banner
	list           *widgets.List
	hint, hintMore *parts.Text
	ground, line   fyne.CanvasObject
	footer         *widgets.Footer
	narrow         bool
}

func newSidebar(u *UI) *sidebar {
	s := &sidebar{u: u, title: parts.Title(t("main.title")), hint: parts.Body("").Centered().Colored(theme.ColorMuted), hintMore: parts.Tiny("").Centered()}
	s.add = widgets.NewIconButton(u.tips, icons.AddContact, t("main.add"), u.ShowAddContact)
	s.settings = widgets.NewIconButton(u.tips, icons.Settings, t("main.settings"), u.ShowSettings)
	s.find = widgets.NewIconButton(u.tips, icons.Search, t("main.search.start"), u.focusSearch)
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
	s.search.OnLeave = s.finder.leave
	s.footer = widgets.NewFooter(u.tips)
	s.footer.OnTap = u.ShowNetwork
	s.footer.OnBackup = u.ShowBackup
	s.ground, s.line = parts.Ground(theme.ColorSidebar, 0, ""), parts.Ground(ftheme.ColorNameSeparator, 0, "")
	s.root = container.New(s, s.objects()...)
	s.hint.Hide()
	s.hintMore.Hide()
	return s
}

// objects are what the sidebar shows. Collapsed, what belongs to the search is in
// the searchPane.
func (s *sidebar) objects() []fyne.CanvasObject {
	if s.narrow {
		return []fyne.CanvasObject{s.ground, s.add, s.find, s.list, s.line, s.settings, s.footer}
	}
	return []fyne.CanvasObject{
		s.ground, s.title, s.add, s.settings, s.searchBox, s.chips, s.finder.root, s.waiting,
		s.list, s.finder.results, s.hint, s.hintMore, s.line, s.footer,
	}
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
	show(s.list, !found || s.narrow)
	show(s.chips, !found)
	s.root.Refresh()
	s.finder.pane.refresh()
	if !found {
		s.u.showRows()
	}
}

// setNarrow collapses the sidebar, or opens it again. A search under way stays: it
// is at hand behind the button.
func (s *sidebar) setNarrow(narrow bool) {
	s.finder.pane.shut()
	s.narrow = narrow
	s.list.SetNarrow(narrow)
	s.footer.SetNarrow(narrow)
	if narrow {
		s.chips.Choose(filterAll)
	}
	s.root.Objects = s.objects()
	s.markAdd()
	s.relayout()
	s.u.showRows()
}

// MinSize implements fyne.Layout.
func (s *sidebar) MinSize([]fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(theme.SidebarCollapsed, theme.MinHeight)
}

// Layout implements fyne.Layout.
func (s *sidebar) Layout(_ []fyne.CanvasObject, size fyne.Size) {
	put(s.ground, 0, 0, size.Width, size.Height)
	if s.narrow {
		s.layoutNarrow(size.Width, size.Height)
		return
	}
	bottom := size.Height - theme.Footer - 1
	put(s.line, 0, bottom, size.Width, 1)
	put(s.footer, 0, bottom+1, size.Width, theme.Footer)
	y := s.layoutHead(size.Width)
	if h := s.waiting.Height(size.Width); h > 0 && !s.finder.active() {
		put(s.waiting, 0, y, size.Width, h)
		y += h + 4
	}
	put(s.list, 0, y, size.Width, max(0, bottom-y))
	put(s.finder.results, 0, y, size.Width, max(0, bottom-y))
	s.layoutHint(y, size.Width)
}

// layoutNarrow places what there is room for: buttons and pictures.
func (s *sidebar) layoutNarrow(w, h float32) {
	const hit, foot = theme.HitArea, 2 * theme.HitArea
	put(s.add, (w-hit)/2, float32(theme.Header-hit)/2, hit, hit)
	put(s.find, (w-hit)/2, theme.Header, hit, hit)
	y := float32(theme.Header + hit + 8)
	put(s.list, 0, y, w, max(0, h-foot-1-y))
	put(s.line, 0, h-foot-1, w, 1)
	put(s.settings, (w-hit)/2, h-foot, hit, hit)
	put(s.footer, 0, h-hit, w, hit)
}

// layoutHead places what is above the list and returns where the list begins.
func (s *sidebar) layoutHead(w float32) float32 {
	const hit = theme.HitArea
	top := float32(theme.Header-hit) / 2
	put(s.settings, w-theme.SidebarInset-hit+8, top, hit, hit)
	put(s.add, w-theme.SidebarInset-2*hit+8, top, hit, hit)
	tm := s.title.MinSize()
	put(s.title, theme.SidebarInset+4, (theme.Header-tm.Height)/2, w-2*hit-2*theme.SidebarInset-4, tm.Height)
	put(s.chips, theme.SidebarInset, theme.Header+4+searchHeight+8, w-2*theme.SidebarInset, s.chips.MinSize().Height)
	return s.layoutField(theme.Header+4, w)
}

// layoutField places the field and the filters of the search from y on and returns
// where they end.
func (s *sidebar) layoutField(y, w float32) float32 {
	put(s.searchBox, theme.SidebarInset, y, w-2*theme.SidebarInset, searchHeight)
	y += searchHeight
	put(s.finder.root, theme.SidebarInset, y+8, w-2*theme.SidebarInset, s.finder.root.MinSize().Height)
	return y + chipsHeight
}

// layoutHint places what is said where the list is empty.
func (s *sidebar) layoutHint(y, w float32) {
	const pad = 24
	h := s.hint.MinSize().Height
	put(s.hint, pad, y+32, w-2*pad, h)
	put(s.hintMore, pad, y+32+h+4, w-2*pad, s.hintMore.MinSize().Height)
}

func (s *sidebar) showWaiting(w waiting) {
	switch {
	case w.asking > 0:
		s.waiting.Set(widgets.ToneInfo, icons.AddContact, count("main.waiting", w.asking), t("main.waiting.show"))
	case w.joining > 0:
		s.waiting.Set(widgets.ToneInfo, icons.Shield, t("main.joining"), t("main.comparing.show"))
	case w.comparing > 0:
		s.waiting.Set(widgets.ToneInfo, icons.Shield, count("main.comparing", w.comparing), t("main.comparing.show"))
	default:
		s.waiting.Set(widgets.ToneInfo, "", "", "")
	}
	s.markAdd()
	s.root.Refresh()
}

// markAdd lets the button say what the collapsed sidebar has no room for.
func (s *sidebar) markAdd() {
	w := s.u.waiting
	if n := w.asking + w.joining + w.comparing; s.narrow && n > 0 {
		s.add.Mark(n, s.waiting.Text())
		return
	}
	s.add.Mark(0, t("main.add"))
}

func (s *sidebar) showFooter(n core.Network, b core.BackupStatus) {
	f := widgets.FooterText{Text: t("main.network.lan"), Tip: t("main.network.lan.tip"), Icon: icons.Lock}
	if n.Mode == core.NetworkInternet {
		f = widgets.FooterText{Text: t("main.network.internet"), Tip: t("main.network.internet.tip"), Icon: icons.Globe}
	}
	if n.Waiting > 0 {
		f.Queue, f.QueueTip = count("main.queue", n.Waiting), count("main.queue.tip", n.Waiting)
	}
	f.Backup, f.BackupTip = footBackup(b, s.u.now())
	s.footer.Set(f)
}

// showHint says why the list is empty.
func (s *sidebar) showHint(rows int) {
	title, text := "", ""
	switch {
	case !s.u.ready || rows > 0 && (!s.narrow || s.finder.active()):
	case s.finder.active():
		title, text = t("main.search.none"), t("main.search.none.text")
	case s.narrow:
		title, text = t("main.search.start"), t("main.search.start.text")
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
	s.finder.pane.refresh()
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
