// Package settings is the screen of the settings: each is stored when it is
// changed, and goes back if it could not be. What the app knows about its own
// reachability stands with the setting that it belongs to.
package settings

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/backup"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/protect"
)

const maxWidth = 560

// Config is what the screen is given.
type Config struct {
	parts.Env
	Version string
	// Licences is the text about the parts that the program is made of.
	Licences string
	// ThemeChanged is called when another theme was stored: "light", "dark", or ""
	// for the system's.
	ThemeChanged func(choice string)
	// Quit ends the program, so that a new language applies at the next start.
	Quit func()
	// Doctor, Contacted and Rights open their pages; nil shows no button for them.
	Doctor, Contacted, Rights func()
	// AddContact leads to where an invitation belongs; nil shows no button for it.
	AddContact func(code string)
	// Guard protects the data on this computer, Lock locks the window, OpenPDF shows
	// a PDF in the system's program, away from the UI thread.
	Guard   protect.Guard
	Lock    func()
	OpenPDF func(pdf []byte) error
	// Desk has the backup that is being written, OpenPage shows a page over this screen,
	// Back leads back from there.
	Desk     *backup.Desk
	OpenPage func(backup.Page)
	Back     func()
	// PickBackup is that of backup.Config.
	PickBackup func(name string, chosen func(path string))
	// ClipboardPicture and PickFile are those of codes.Config.
	ClipboardPicture func(ctx context.Context) ([]byte, error)
	PickFile         func(chosen func(path string))
}

// The sections that Reveal knows.
const (
	SectionNetwork = "network"
	SectionMailbox = "mailbox"
	// SectionProtection is about passphrase, emergency sheet and lock.
	SectionProtection = "protection"
	SectionBackup     = "backup"
)

// Screen is the screen. Its methods belong to the UI thread.
type Screen struct {
	cfg      Config
	values   map[string]string
	language string
	newest   parts.Newest

	root    *container.Scroll
	say     *parts.Say
	name    *widget.Entry
	save    *parts.Button
	network *parts.ChoiceGroup
	state   *parts.Text
	trouble *parts.Say
	try     *widget.Entry
	trySave *parts.Button
	trySay  *parts.Say
	mail    *mailbox
	part    map[string]fyne.CanvasObject // by section
	checks  map[string]*parts.Switch
	theme   *choice
	lang    *choice
	restart *fyne.Container

	protection *protection
	store      *fileStore
	backup     *backup.Section
}

// New builds the screen. Show fills it.
func New(cfg Config) *Screen {
	s := &Screen{cfg: cfg, values: map[string]string{}, say: parts.NewSay(), trouble: parts.NewSay(), checks: map[string]*parts.Switch{}}
	s.mail = newMailbox(s)
	s.protection = newProtection(s)
	s.store = newFileStore(s)
	s.backup = backup.NewSection(backup.SectionConfig{
		Config: backup.Config{Env: cfg.Env, Desk: cfg.Desk, Back: s.backToBackup, Pick: cfg.PickBackup},
		Open:   cfg.OpenPage, Relayout: s.relayout,
	})
	s.part = map[string]fyne.CanvasObject{
		SectionNetwork: s.section("screens.settings.network", icons.Network, s.reach()...),
		SectionMailbox: s.section("screens.mailbox.title", icons.Mailbox, s.mail.objects()...),

		SectionFiles:      s.section("screens.store.title", icons.File, s.store.objects()...),
		SectionProtection: s.section("protect.title", icons.Lock, s.protection.objects()...),
		SectionBackup:     s.section("backup.title", icons.Save, s.backup.Objects()...),
	}
	all := parts.Column(parts.Section, s.say,
		s.section("screens.settings.profile", icons.Contact, s.profile()...),
		s.part[SectionNetwork], s.part[SectionMailbox],
		s.part[SectionProtection], s.part[SectionBackup], s.part[SectionFiles],
		s.section("screens.settings.privacy", icons.Eye, s.privacy()...),
		s.rights(),
		s.section("screens.settings.notify", icons.Bell, s.notify()...),
		s.section("screens.settings.appearance", icons.Palette, s.appearance()...),
		s.section("screens.settings.about", icons.Info, s.about()...),
	)
	s.root = container.NewVScroll(parts.Pad(parts.AtMost(maxWidth, all), parts.Edge, parts.Edge, parts.Edge, parts.Edge))
	return s
}

// Title names the screen.
func (s *Screen) Title() string { return parts.T("screens.settings.title") }

// Object is what to show.
func (s *Screen) Object() fyne.CanvasObject { return s.root }

// Show is called each time the screen comes to the front.
func (s *Screen) Show() {
	s.say.Clear()
	s.protection.say.Clear()
	s.store.say.Clear()
	s.store.load()
	s.load()
	s.protection.load()
	s.backup.Show()
}

// Hide is called when the screen is left.
func (s *Screen) Hide() { s.backup.Hide() }

// Reveal scrolls to a section.
func (s *Screen) Reveal(section string) {
	if o := s.part[section]; o != nil {
		s.relayout()
		s.root.ScrollToOffset(fyne.NewPos(0, max(0, o.Position().Y)))
	}
}

// backToBackup leads back to the section that a page was opened from.
func (s *Screen) backToBackup() {
	s.cfg.Back()
	s.Reveal(SectionBackup)
}

// OfferMailbox takes in an access link that was met on another screen.
func (s *Screen) OfferMailbox(link string) {
	s.mail.open()
	s.Reveal(SectionMailbox)
	s.mail.form.Offer(link)
}

// Dropped takes what was dragged into the window: it can only be the access link
// of a mailbox.
func (s *Screen) Dropped(items []fyne.URI) {
	if !s.mail.how.Visible() {
		s.mail.open()
	}
	s.Reveal(SectionMailbox)
	s.mail.form.Dropped(items)
}

// relayout follows a change of heights.
func (s *Screen) relayout() {
	if s.root != nil {
		s.root.Content.Refresh()
		s.root.Refresh()
	}
}

// Changed is called with what happened in the core.
func (s *Screen) Changed(events []event.Event) {
	s.backup.Changed(events)
	for _, e := range events {
		switch e.Kind {
		case event.SettingsChanged, event.NetworkChanged, event.TroubleChanged, event.NodeChanged:
			s.load()
			return
		default:
		}
	}
}

func (s *Screen) section(key string, icon icons.Name, objects ...fyne.CanvasObject) fyne.CanvasObject {
	head := parts.Beside(10, parts.Mark(icons.New(icon)), parts.Head(parts.T(key)), nil)
	return parts.Card(parts.Column(12, append([]fyne.CanvasObject{head}, objects...)...), 20)
}

func (s *Screen) profile() []fyne.CanvasObject {
	s.name = widget.NewEntry()
	s.save = parts.Primary(parts.T("screens.save"), s.saveName)
	s.save.Disable()
	s.name.OnChanged = func(t string) {
		if t = strings.TrimSpace(t); t == "" || t == s.values[core.SettingName] {
			s.save.Disable()
		} else {
			s.save.Enable()
		}
	}
	s.name.OnSubmitted = func(string) { s.saveName() }
	return []fyne.CanvasObject{
		parts.Label(parts.T("screens.settings.name")),
		parts.Beside(parts.Gap, nil, s.name, s.save),
		parts.Muted(parts.T("screens.settings.name.text")),
	}
}

func (s *Screen) saveName() {
	if name := strings.TrimSpace(s.name.Text); name != "" && name != s.values[core.SettingName] {
		s.save.Disable()
		s.set(core.SettingName, name, nil)
	}
}

func (s *Screen) privacy() []fyne.CanvasObject {
	out := []fyne.CanvasObject{
		s.check(core.SettingVisible, "screens.add.visible", "screens.add.visible.text"),
		s.check(core.SettingReadReceipts, "screens.settings.receipts", "screens.settings.receipts.text"),
	}
	if s.cfg.Contacted != nil {
		out = append(out, parts.Row(0, parts.NewButtonWithIcon(parts.T("screens.contacted.title"), icons.New(icons.Eye), s.cfg.Contacted)))
	}
	return out
}

// rights leads to the page about people's rights over their data.
func (s *Screen) rights() fyne.CanvasObject {
	open := parts.NewButtonWithIcon(parts.T("rights.settings.open"), icons.New(icons.Eye), s.cfg.Rights)
	o := s.section("rights.settings", icons.File, parts.Muted(parts.T("rights.settings.text")), parts.Row(0, open))
	if s.cfg.Rights == nil {
		o.Hide()
	}
	return o
}

func (s *Screen) notify() []fyne.CanvasObject {
	return []fyne.CanvasObject{
		s.check(core.SettingNotify, "screens.settings.notify.on", ""),
		s.check(core.SettingNotifyContent, "screens.settings.notify.content", "screens.settings.notify.content.text"),
	}
}

// check is a switch with a sentence under it.
func (s *Screen) check(key, label, text string) fyne.CanvasObject {
	if text != "" {
		text = parts.T(text)
	}
	c := parts.NewSwitch(parts.T(label), text, func(on bool) {
		if key == core.SettingNotify {
			s.checksFollow()
		}
		s.set(key, strconv.FormatBool(on), nil)
	})
	s.checks[key] = c
	return c
}

func (s *Screen) appearance() []fyne.CanvasObject {
	s.theme = newChoice([]option{
		{"", parts.T("screens.settings.system")}, {"light", parts.T("screens.settings.theme.light")}, {"dark", parts.T("screens.settings.theme.dark")},
	}, func(v string) {
		s.set(core.SettingTheme, v, func() {
			if s.cfg.ThemeChanged != nil {
				s.cfg.ThemeChanged(v)
			}
		})
	})
	s.lang = newChoice([]option{{"", parts.T("screens.settings.system")}, {"de", "Deutsch"}, {"en", "English"}}, func(v string) {
		s.set(core.SettingLanguage, v, s.showRestart)
	})
	quit := parts.NewButton(parts.T("screens.settings.restart.now"), func() {
		if s.cfg.Quit != nil {
			s.cfg.Quit()
		}
	})
	s.restart = parts.Beside(12, parts.Mark(icons.New(icons.Info)), parts.Body(parts.T("screens.settings.restart")), quit)
	s.restart.Hide()
	return []fyne.CanvasObject{
		parts.Column(6, parts.Label(parts.T("screens.settings.theme")), s.theme.sel),
		parts.Column(6, parts.Label(parts.T("screens.settings.language")), s.lang.sel),
		s.restart,
	}
}

// showRestart says that a new language waits for a restart; back at the one that
// is spoken, there is nothing to say.
func (s *Screen) showRestart() {
	if s.lang.value() == s.language {
		s.restart.Hide()
	} else {
		s.restart.Show()
	}
	s.root.Refresh()
}

func (s *Screen) about() []fyne.CanvasObject {
	licences := parts.NewButtonWithIcon(parts.T("screens.settings.licences"), icons.New(icons.File), s.showLicences)
	return []fyne.CanvasObject{
		parts.Body(parts.T("screens.settings.version", parts.With("Version", s.cfg.Version))),
		parts.Muted(parts.T("screens.settings.about.text")),
		parts.Row(0, licences),
	}
}

// snapshot is what the screen shows.
type snapshot struct {
	values map[string]string
	net    core.Network
	nodes  []core.NodeInfo
	kept   core.KeptMail
}

func (s *Screen) load() {
	fresh := s.newest.Ask()
	s.cfg.Work(func(ctx context.Context) func() {
		snap, err := ask(ctx, s.cfg.Client)
		return func() {
			if !fresh() {
				return
			}
			if err != nil {
				s.say.Set(parts.ToneError, parts.T("screens.code.unknown"))
				return
			}
			s.fill(snap)
		}
	})
}

// ask asks the core for everything that the screen shows.
func ask(ctx context.Context, client core.Client) (snap snapshot, err error) {
	if snap.values, err = client.Settings(ctx); err != nil {
		return snap, err
	}
	if snap.net, err = client.Network(ctx); err != nil {
		return snap, err
	}
	if snap.nodes, err = client.Nodes(ctx); err != nil {
		return snap, err
	}
	snap.kept, err = client.KeptMail(ctx)
	return snap, err
}

// fill sets the controls; what is being typed is left alone.
func (s *Screen) fill(snap snapshot) {
	first := len(s.values) == 0
	typed := !first && strings.TrimSpace(s.name.Text) != s.values[core.SettingName]
	trying := !first && strings.TrimSpace(s.try.Text) != s.values[core.SettingTryAddrs]
	s.values = snap.values
	if !trying {
		if list := s.values[core.SettingTryAddrs]; strings.TrimSpace(s.try.Text) != list {
			s.try.SetText(list)
		}
		s.trySave.Disable()
	}
	if !typed {
		s.name.SetText(s.values[core.SettingName])
	}
	s.network.SetSelected(map[string]int{core.NetworkLAN: 0, core.NetworkInternet: 1}[s.values[core.SettingNetwork]])
	for key, c := range s.checks {
		c.SetOn(s.values[key] == "true")
	}
	s.checksFollow()
	s.theme.set(s.values[core.SettingTheme])
	s.lang.set(s.values[core.SettingLanguage])
	s.store.show(s.values)
	s.protection.after.set(s.values[core.SettingLockAfter])
	if first {
		s.language = s.values[core.SettingLanguage]
	}
	s.showRestart()
	s.showNetwork(snap.net)
	s.mail.show(snap.nodes, snap.kept)
	s.relayout()
}

// checksFollow: without notifications there is no content to show in them.
func (s *Screen) checksFollow() {
	if s.checks[core.SettingNotify].On() {
		s.checks[core.SettingNotifyContent].Enable()
	} else {
		s.checks[core.SettingNotifyContent].Disable()
	}
}

// set stores a setting; then runs once it is stored. What could not be stored
// goes back to what it was.
func (s *Screen) set(key, value string, then func()) {
	if s.values[key] == value {
		return
	}
	s.say.Clear()
	s.cfg.Order(func(ctx context.Context) func() {
		err := s.cfg.Client.SetSetting(ctx, key, value)
		return func() {
			if err != nil {
				s.say.Set(parts.ToneError, parts.T(failure(err)))
				s.root.ScrollToTop()
			} else {
				s.values[key] = value
				if then != nil {
					then()
				}
			}
			s.load()
		}
	})
}

func failure(err error) string {
	switch {
	case errors.Is(err, chat.ErrBadName):
		return "screens.contact.name.bad"
	case errors.Is(err, chat.ErrDiskFull):
		return "screens.code.diskfull"
	}
	return "screens.settings.failed"
}
