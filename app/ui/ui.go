package ui

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/notify"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// Config is what the main window is given.
type Config struct {
	Client  core.Client
	Window  fyne.Window
	Pump    *Pump
	Screens Screens
	Log     *slog.Logger
	// Now is the time; nil is time.Now. Tests stop it.
	Now func() time.Time
	// Notifier makes what shows notifications; open is for the pressed ones. nil
	// shows none.
	Notifier func(open func(chat.PersonID)) notify.Notifier
	// Tray makes the icon in the tray; nil makes none. If the system shows it,
	// closing the window hides the window there, else it quits.
	Tray func(menu *fyne.Menu) notify.Tray
	// Lock locks the window; its zero value never does.
	Lock Lock
	// Quit ends the program.
	Quit func()
	// OpenFile gives a file to the system's program for it, away from the UI thread;
	// nil asks Fyne to.
	OpenFile func(path string) error
}

// UI is the main window. Its methods belong to the UI thread.
type UI struct {
	cfg  Config
	pump carrier
	log  *slog.Logger
	now  func() time.Time
	tips *widgets.Tips

	// What is known of the core.
	ready    bool // the first snapshot is here
	me       core.Profile
	settings map[string]string
	network  core.Network
	backup   core.BackupStatus
	contacts map[chat.PersonID]chat.Contact
	convs    map[chat.PersonID]chat.Conversation
	waiting  waiting
	failing  bool // the core does not answer

	load   *loader // belongs to the pump's lane of questions
	active bool    // the window has the keyboard
	alerts alerts
	lock   lock

	notifier notify.Notifier // nil for none
	tray     notify.Tray     // nil for none

	content fyne.CanvasObject // of the window while it is not locked
	frame   *frame
	banner  *widgets.Banner
	// bannerAction is what the banner's word to press does.
	bannerAction func()
	side         *sidebar
	conv         *conversation
	empty        *emptyPane
	host         *host
	moved        moved
	current      chat.PersonID // whose conversation is open; zero for none
}

// New builds the window's content and shows it in the window. Start fills it.
func New(cfg Config) *UI { return newUI(cfg, cfg.Pump) }

func newUI(cfg Config, pump carrier) *UI {
	u := &UI{
		cfg: cfg, pump: pump, log: cfg.Log, now: cfg.Now, contacts: map[chat.PersonID]chat.Contact{}, convs: map[chat.PersonID]chat.Conversation{},
		load: &loader{client: cfg.Client}, active: true, settings: map[string]string{},
	}
	if u.now == nil {
		u.now = time.Now
	}
	if u.log == nil {
		u.log = slog.New(slog.DiscardHandler)
	}
	u.tips = widgets.NewTips(pump.Later)
	u.banner = widgets.NewBanner()
	u.banner.OnAction = func() { u.bannerAction() }
	u.banner.OnDismiss = u.dismissBackup
	u.side = newSidebar(u)
	u.conv = newConversation(u)
	u.empty = newEmptyPane(u)
	u.host = newHost(u)
	u.frame = newFrame(u)
	u.attach()
	u.showPane()
	return u
}

// Env is what the screens are given.
func (u *UI) Env() parts.Env {
	return parts.Env{Client: u.cfg.Client, Window: u.cfg.Window, Work: u.openly(u.pump.Work), Tell: u.openly(u.pump.Tell), Now: u.now}
}

// attach puts the content into the window and listens to what happens to it.
func (u *UI) attach() {
	w := u.cfg.Window
	w.SetPadded(false)
	u.content = container.NewStack(newSensor(u.touch), u.frame.root, u.moved.layer(), u.tips.Layer)
	w.SetContent(u.content)
	w.Resize(u.savedSize())
	w.SetCloseIntercept(u.close)
	w.SetOnDropped(u.dropped)
	u.shortcuts()
	life := fyne.CurrentApp().Lifecycle()
	life.SetOnEnteredForeground(func() { u.SetActive(true) })
	life.SetOnExitedForeground(func() { u.SetActive(false) })
	u.buildTray()
}

// Start asks for everything and follows what changes until the pump's end.
func (u *UI) Start() {
	u.pump.follow(u.cfg.Client, u.log, func(ctx context.Context, events []event.Event) func() {
		c := u.load.load(ctx, events)
		return func() { u.apply(c) }
	})
	u.atMidnight()
}

// atMidnight brings "today" and "yesterday" up to date.
func (u *UI) atMidnight() {
	y, m, d := u.now().Local().Date()
	next := time.Date(y, m, d+1, 0, 0, 1, 0, time.Local)
	u.pump.Later(next.Sub(u.now()), func() {
		u.showRows()
		u.conv.show()
		u.askBackup()
		u.atMidnight()
	})
}

// apply takes over what the pump found out.
func (u *UI) apply(c change) {
	u.setFailing(c.err)
	if c.me != nil {
		u.me = *c.me
	}
	if c.settings != nil {
		u.settings = c.settings
		u.followLock()
	}
	if c.network != nil {
		u.network = *c.network
	}
	if c.backup != nil {
		u.backup = *c.backup
		u.showMoved()
	}
	if c.waiting != nil {
		u.setWaiting(*c.waiting)
	}
	u.applyPeople(c)
	if c.view != nil {
		u.conv.setView(c.view)
	}
	if !u.ready && c.err == nil {
		u.ready = true
		u.showPane()
	}
	u.refresh()
	if u.host.screen != nil && !u.Locked() {
		u.host.screen.Changed(c.events)
	}
	if u.moved.screen != nil {
		u.moved.screen.Changed(c.events)
	}
	if c.window {
		u.Present()
	}
}

// applyPeople takes over contacts and conversations. What is gone from a complete
// answer goes from the screen.
func (u *UI) applyPeople(c change) {
	if c.all && c.err == nil {
		u.contacts, u.convs = map[chat.PersonID]chat.Contact{}, map[chat.PersonID]chat.Conversation{}
	}
	for _, p := range c.contacts {
		u.contacts[p.ID] = named(p)
	}
	for _, id := range c.gone {
		u.forget(id)
	}
	for _, v := range c.convs {
		u.applyConversation(v, slices.Contains(c.added, v.ID))
	}
	if c.all && !u.current.IsZero() {
		if _, ok := u.contacts[u.current]; !ok {
			u.leave()
		}
	}
}

// forget takes a person who was erased from the screen.
func (u *UI) forget(id chat.PersonID) {
	if id == u.current {
		u.conv.stopSaving()
		u.conv.dirty = false // there is nowhere left to store a draft
		u.leave()
	}
	delete(u.contacts, id)
	delete(u.convs, id)
}

func (u *UI) applyConversation(v chat.Conversation, added bool) {
	before, known := u.convs[v.Contact]
	u.convs[v.Contact] = v
	if !added || !u.ready || v.Last == nil || v.Last.Sender == u.me.ID || v.Last.Kind != chat.KindText || v.Unread == 0 {
		return
	}
	if known && v.Unread <= before.Unread {
		return
	}
	if v.Contact == u.current {
		u.conv.arrived(before)
	}
	if !u.active || v.Contact != u.current {
		u.alert(v)
	}
}

// refresh shows what is known.
func (u *UI) refresh() {
	u.showBanner()
	u.showRows()
	u.side.showFooter(u.network, u.backup)
	u.conv.showHeader()
	u.showPane()
	u.showUnread()
}

func (u *UI) setFailing(err error) {
	u.failing = err != nil
	if err != nil && !errors.Is(err, context.Canceled) {
		u.log.Warn("questions to the core failed", "error", err)
	}
}

func (u *UI) showBanner() {
	tone, key := trouble(u.network)
	if key == "" && u.failing {
		tone, key = widgets.ToneWarning, "error.core"
	}
	before := u.banner.Text()
	u.banner.SetDismiss("")
	u.bannerAction = u.ShowDoctor
	switch {
	case u.backup.Moved && u.ready:
		u.bannerAction = u.coverMoved
		u.banner.Set(widgets.ToneWarning, icons.Disk, t("main.moved"), t("main.moved.more"))
	case key == "" && u.ready && u.warnsOfBackup():
		u.bannerAction = u.ShowBackup
		u.banner.SetDismiss(t("main.backup.later"))
		u.banner.Set(widgets.ToneWarning, icons.Save, u.backupWarning(), t("main.backup.now"))
	case key == "" || !u.ready && !u.failing:
		u.banner.Set(widgets.ToneInfo, "", "", "")
	default:
		action := ""
		if key == "error.offline" || key == "error.core" {
			action = t("error.check")
		}
		u.banner.Set(tone, bannerIcons[key], t(key), action)
	}
	if u.banner.Text() != before {
		u.frame.relayout()
	}
}

var bannerIcons = map[string]icons.Name{
	"error.offline": icons.Offline, "error.disk": icons.Disk, "error.database": icons.Warning, "error.core": icons.Warning,
}

func (u *UI) setWaiting(w waiting) {
	if w.asking > u.waiting.asking && u.ready && !u.active {
		u.alertRequest()
	}
	u.waiting = w
	u.side.showWaiting(w)
}

// unread is how many messages are unread, over all.
func (u *UI) unread() int {
	n := 0
	for id, v := range u.convs {
		if !u.contacts[id].Blocked {
			n += v.Unread
		}
	}
	return n
}

// showUnread tells the title and the tray.
func (u *UI) showUnread() {
	n := u.unread()
	title := t("main.title")
	if u.Locked() {
		title, n = parts.T("protect.locked.window"), 0
	}
	if n > 0 {
		title = "(" + widgets.Count(n) + ") " + title
	}
	if u.cfg.Window.Title() != title {
		u.cfg.Window.SetTitle(title)
	}
	if u.tray != nil {
		u.tray.SetUnread(n > 0)
	}
}

// showPane shows what belongs right of the list.
func (u *UI) showPane() {
	switch {
	case !u.current.IsZero():
		u.empty.root.Hide()
		u.conv.root.Show()
	default:
		u.conv.root.Hide()
		u.empty.show(u.ready, len(u.contacts) > 0)
	}
	u.frame.relayout()
}

// SetActive tells the window whether it has the keyboard. An inactive one has no
// blinking cursor, and reads nothing.
func (u *UI) SetActive(active bool) {
	active = active && !u.Locked()
	u.touch()
	if u.active == active {
		return
	}
	u.active = active
	u.conv.setActive(active)
	if active {
		u.alerts.clear(u.notifier)
	}
}

// Present brings the window to the front.
func (u *UI) Present() {
	u.cfg.Window.Show()
	u.cfg.Window.RequestFocus()
}

// ShowConversation opens the conversation with a person and puts the cursor into
// its composer.
func (u *UI) ShowConversation(id chat.PersonID) {
	u.closeScreen()
	if u.current != id {
		u.leave()
		if _, ok := u.contacts[id]; !ok {
			u.fetchThenShow(id)
			return
		}
		u.current = id
		u.conv.open(id)
		u.side.list.Select(id)
		u.showRows()
		u.showPane()
	}
	u.conv.focus()
}

// fetchThenShow opens the conversation with a contact that the window has not
// heard of yet: it was made a moment ago.
func (u *UI) fetchThenShow(id chat.PersonID) {
	u.pump.Ask(func(ctx context.Context) func() {
		p, err := u.cfg.Client.Contact(ctx, id)
		if err != nil {
			return nil
		}
		return func() {
			u.contacts[id] = named(p)
			u.ShowConversation(id)
		}
	})
}

// conversation of a contact; one that does not exist yet has no messages.
func (u *UI) conversation(id chat.PersonID) chat.Conversation {
	if v, ok := u.convs[id]; ok {
		return v
	}
	return chat.Conversation{ID: chat.DirectConversation(u.me.ID, id), Contact: id}
}

// leave closes the conversation.
func (u *UI) leave() {
	if u.current.IsZero() {
		return
	}
	u.conv.leave()
	u.current = chat.PersonID{}
	u.side.list.Select(chat.PersonID{})
	u.showPane()
}

// ShowAddContact opens the screen on which people find each other; in a profile
// that has moved the one that says so.
func (u *UI) ShowAddContact() {
	if u.moved.screen != nil {
		u.coverMoved()
		return
	}
	u.host.open(u.cfg.Screens.AddContact(u.Env()), false)
}

// ShowInvitation opens it with an invitation that was met elsewhere.
func (u *UI) ShowInvitation(code string) {
	u.ShowAddContact()
	if s, ok := u.host.screen.(offered); ok {
		s.Offer(code)
	}
}

// ShowSettings opens the settings.
func (u *UI) ShowSettings() { u.host.open(u.cfg.Screens.Settings(u.Env()), false) }

// sectionNetwork is the settings' section about how far Kuvert may write.
const sectionNetwork = "network"

// ShowNetwork opens the settings where they say how far Kuvert may write.
func (u *UI) ShowNetwork() {
	u.ShowSettings()
	if s, ok := u.host.screen.(revealer); ok {
		s.Reveal(sectionNetwork)
	}
}

// ShowOver opens a page over the screen that is open.
func (u *UI) ShowOver(s Screen) { u.host.openOver(s) }

// ShowMailbox opens the settings with the access link of a mailbox.
func (u *UI) ShowMailbox(link string) {
	u.ShowSettings()
	if s, ok := u.host.screen.(mailboxed); ok {
		s.OfferMailbox(link)
	}
}

// ShowDoctor opens the page that says what is wrong with the connection.
func (u *UI) ShowDoctor() { u.host.openOver(u.cfg.Screens.Doctor(u.Env())) }

// ShowContacted opens the page about the machines that were contacted.
func (u *UI) ShowContacted() { u.host.openOver(u.cfg.Screens.Contacted(u.Env())) }

// ShowRights opens the page about what is kept of people, and their rights over it.
func (u *UI) ShowRights() { u.host.openOver(u.cfg.Screens.Rights(u.Env())) }

// ShowContact opens the details of a contact, beside the conversation if there is
// room.
func (u *UI) ShowContact(id chat.PersonID) { u.host.open(u.cfg.Screens.Contact(u.Env(), id), true) }

// Back leaves the screen that is open, for the one it was opened from.
func (u *UI) Back() {
	switch {
	case u.host.screen == nil:
	case u.host.below != nil:
		u.host.open(u.host.below, false)
	default:
		u.host.close()
		u.conv.focus()
	}
}

// escape leaves what is open: a screen, else the panels under the messages.
func (u *UI) escape() {
	if u.host.screen != nil {
		u.Back()
		return
	}
	if u.conv.find.open {
		u.conv.find.close()
		return
	}
	u.conv.closePanels()
}

// closeScreen leaves all screens.
func (u *UI) closeScreen() {
	if u.host.screen != nil {
		u.host.close()
		u.conv.focus()
	}
}

func (u *UI) dropped(_ fyne.Position, items []fyne.URI) {
	if u.Locked() {
		u.lock.screen.Dropped(items)
		return
	}
	if d, ok := u.host.screen.(dropper); ok {
		d.Dropped(items)
		return
	}
	u.conv.dropped(items)
}

// close is what the window's own button does.
func (u *UI) close() {
	u.saveSize()
	u.conv.saveDraft()
	if u.tray != nil && u.tray.Present() {
		u.SetActive(false)
		u.cfg.Window.Hide()
		return
	}
	u.Quit()
}

// Quit stores what is not stored yet and ends the program.
func (u *UI) Quit() {
	u.saveSize()
	u.conv.saveDraft()
	u.pump.Drain(2 * time.Second)
	if u.cfg.Quit != nil {
		u.cfg.Quit()
	}
}

const (
	prefWidth  = "window.width"
	prefHeight = "window.height"
)

// savedSize is the window's size when it was last closed.
func (u *UI) savedSize() fyne.Size {
	p := fyne.CurrentApp().Preferences()
	w := p.FloatWithFallback(prefWidth, theme.WindowWidth)
	h := p.FloatWithFallback(prefHeight, theme.WindowHeight)
	return fyne.NewSize(min(max(float32(w), theme.MinWidth), 4000), min(max(float32(h), theme.MinHeight), 4000))
}

func (u *UI) saveSize() {
	s := u.cfg.Window.Canvas().Size()
	if u.cfg.Window.FullScreen() || s.Width < theme.MinWidth || s.Height < theme.MinHeight {
		return
	}
	p := fyne.CurrentApp().Preferences()
	p.SetFloat(prefWidth, float64(s.Width))
	p.SetFloat(prefHeight, float64(s.Height))
}
