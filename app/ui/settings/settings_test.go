package settings

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/backup"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/protect"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
	"github.com/kuvert-im/kuvert/app/ui/uitest/guards"
	"github.com/kuvert-im/kuvert/assets/translations"
)

type world struct {
	t      *testing.T
	client *uitest.Client
	env    parts.Env
	screen *Screen
	guard  *guards.Guard
	locks  int
	themes []string
	quit   int

	pages       []string
	invitations []string
	clipboard   []byte

	page  backup.Page // over the settings
	picks string      // what is chosen for a backup
}

func (w *world) desk() *backup.Desk { return backup.NewDesk(w.env) }

func (w *world) back() {
	w.page = nil
	w.env.Window.SetContent(w.screen.Object())
	w.screen.Show()
}

func show(t *testing.T) *world { return showIn(t, "de", 1100, 720) }

func showIn(t *testing.T, language string, width, height float32) *world {
	w := &world{t: t, client: uitest.New("Sabine")}
	w.env = uitest.Env(t, w.client, language, width, height)
	w.guard = &guards.Guard{Is: protect.State{Keyring: true}}
	w.open()
	return w
}

func (w *world) open() {
	w.screen = New(Config{
		Env: w.env, Version: "1.2.3", Licences: strings.Repeat("some licence\n", 500),
		ThemeChanged: func(c string) { w.themes = append(w.themes, c) },
		Quit:         func() { w.quit++ },
		Desk:         w.desk(), OpenPage: func(p backup.Page) { w.page = p; w.env.Window.SetContent(p.Object()) }, Back: w.back,
		PickBackup: func(name string, chosen func(string)) { chosen(w.picks + name) },
		Guard:      w.guard, Lock: func() { w.locks++ }, OpenPDF: func([]byte) error { return nil },
		Doctor: func() { w.pages = append(w.pages, "doctor") }, Contacted: func() { w.pages = append(w.pages, "contacted") },
		Rights:           func() { w.pages = append(w.pages, "rights") },
		AddContact:       func(code string) { w.invitations = append(w.invitations, code) },
		ClipboardPicture: func(context.Context) ([]byte, error) { return w.clipboard, nil },
	})
	w.env.Window.SetContent(w.screen.Object())
	w.screen.Show()
}

func (w *world) stored(key string) string {
	values, err := w.client.Settings(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return values[key]
}

func (w *world) calls(want ...string) {
	w.t.Helper()
	if got := w.client.Called(); !slices.Equal(got, want) {
		w.t.Errorf("calls %q, want %q", got, want)
	}
}

// TestShowsWithoutStoring: to look at the settings changes none.
func TestShowsWithoutStoring(t *testing.T) {
	w := show(t)
	w.client.Change(func(c *uitest.Client) {
		c.Values[core.SettingNetwork], c.Values[core.SettingTheme] = core.NetworkInternet, "dark"
		c.Values[core.SettingLanguage], c.Values[core.SettingVisible] = "en", "true"
	})
	w.screen.Changed([]event.Event{{Kind: event.SettingsChanged}})
	w.calls()
	if w.screen.network.Selected() != 1 || w.screen.theme.value() != "dark" || w.screen.lang.value() != "en" || !w.screen.checks[core.SettingVisible].On() {
		t.Error("does not show what is stored")
	}
}

func TestSwitches(t *testing.T) {
	for key, want := range map[string]string{
		core.SettingVisible: "true", core.SettingReadReceipts: "false",
		core.SettingNotify: "false", core.SettingNotifyContent: "true",
	} {
		w := show(t)
		test.Tap(w.screen.checks[key])
		w.calls("SetSetting " + key + " " + want)
		if w.stored(key) != want {
			t.Errorf("%s is %q", key, w.stored(key))
		}
	}
}

// TestContentFollowsNotify: without notifications there is nothing to choose.
func TestContentFollowsNotify(t *testing.T) {
	w := show(t)
	content := w.screen.checks[core.SettingNotifyContent]
	test.Tap(w.screen.checks[core.SettingNotify])
	if !content.Disabled() {
		t.Error("the content can be chosen without notifications")
	}
	test.Tap(w.screen.checks[core.SettingNotify])
	if content.Disabled() {
		t.Error("the content cannot be chosen")
	}
}

func TestNetwork(t *testing.T) {
	w := show(t)
	if !uitest.Says(w.env.Window, "Verbunden · Port 47821") {
		t.Errorf("says %q", uitest.Texts(w.env.Window))
	}
	w.screen.network.Select(1)
	w.calls("SetSetting network internet")
	for trouble, key := range map[string]string{
		core.TroublePort: "port", core.TroubleMulticast: "multicast", core.TroubleDiskFull: "disk",
		core.TroubleDatabase: "database", core.TroubleNoNetwork: "network",
	} {
		w.client.Change(func(c *uitest.Client) { c.Net.Trouble, c.Net.Online = trouble, false })
		w.screen.Changed([]event.Event{{Kind: event.TroubleChanged}})
		if got := w.screen.trouble.Text(); got != parts.T("screens.settings.trouble."+key) {
			t.Errorf("%s: says %q", trouble, got)
		}
	}
	w.client.Change(func(c *uitest.Client) { c.Net.Trouble, c.Net.Online = "", true })
	w.screen.Changed([]event.Event{{Kind: event.NetworkChanged}})
	if w.screen.trouble.Text() != "" {
		t.Error("the trouble is over and still shown")
	}
}

func TestTheme(t *testing.T) {
	w := show(t)
	w.screen.theme.sel.SetSelected("Dunkel")
	w.screen.theme.sel.SetSelected("Wie das System")
	w.calls("SetSetting theme dark", "SetSetting theme")
	if !slices.Equal(w.themes, []string{"dark", ""}) {
		t.Errorf("themes %q", w.themes)
	}
}

// TestLanguage: a new language asks for a restart; the old one again does not.
func TestLanguage(t *testing.T) {
	w := show(t)
	if w.screen.restart.Visible() {
		t.Error("asks for a restart without a change")
	}
	w.screen.lang.sel.SetSelected("English")
	if !w.screen.restart.Visible() {
		t.Error("does not ask for a restart")
	}
	uitest.Press(t, w.env.Window, "Kuvert beenden")
	if w.quit != 1 {
		t.Error("does not quit")
	}
	w.screen.lang.sel.SetSelected("Wie das System")
	if w.screen.restart.Visible() {
		t.Error("still asks for a restart")
	}
}

func TestName(t *testing.T) {
	w := show(t)
	save := w.screen.save
	if w.screen.name.Text != "Sabine" || !save.Disabled() {
		t.Errorf("shows %q, can save %v", w.screen.name.Text, !save.Disabled())
	}
	w.screen.name.SetText("  ")
	if !save.Disabled() {
		t.Error("an empty name can be saved")
	}
	w.screen.name.SetText(" Sabine Krüger ")
	test.Tap(save)
	w.calls("SetSetting name Sabine Krüger")
	if !save.Disabled() {
		t.Error("can be saved twice")
	}
}

// TestTypingIsLeftAlone: an event does not take away what is being typed.
func TestTypingIsLeftAlone(t *testing.T) {
	w := show(t)
	w.screen.name.SetText("Sabine K")
	w.screen.Changed([]event.Event{{Kind: event.SettingsChanged}})
	if w.screen.name.Text != "Sabine K" || w.screen.save.Disabled() {
		t.Errorf("now %q", w.screen.name.Text)
	}
}

// TestFails: what could not be stored goes back to what it was, and says so.
func TestFails(t *testing.T) {
	for err, key := range map[error]string{
		errors.New("odd"): "screens.settings.failed", chat.ErrDiskFull: "screens.code.diskfull", chat.ErrBadName: "screens.contact.name.bad",
	} {
		w := show(t)
		w.client.Fail["SetSetting"] = err
		test.Tap(w.screen.checks[core.SettingVisible])
		w.screen.theme.sel.SetSelected("Dunkel")
		w.screen.network.Select(1)
		if w.screen.say.Text() != parts.T(key) {
			t.Errorf("%v: says %q", err, w.screen.say.Text())
		}
		if w.screen.checks[core.SettingVisible].On() || w.screen.theme.value() != "" || w.screen.network.Selected() != 0 || len(w.themes) != 0 {
			t.Errorf("%v: shows what is not stored", err)
		}
	}
}

func TestRightsPage(t *testing.T) {
	w := show(t)
	uitest.Press(t, w.env.Window, parts.T("rights.settings.open"))
	if !slices.Equal(w.pages, []string{"rights"}) {
		t.Errorf("opened %q", w.pages)
	}
}

func TestLicences(t *testing.T) {
	w := show(t)
	uitest.Press(t, w.env.Window, "Lizenzen der verwendeten Bausteine")
	if !uitest.Says(w.env.Window, "some licence") {
		t.Error("shows no licence")
	}
	uitest.Overflow(t, w.env.Window)
	uitest.Press(t, w.env.Window, "Schließen")
	if n := len(w.env.Window.Canvas().Overlays().List()); n != 0 {
		t.Errorf("%d dialogs are left", n)
	}
}

func TestFits(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		for _, size := range []fyne.Size{{Width: 1100, Height: 720}, {Width: 680, Height: 400}, {Width: 380, Height: 400}} {
			w := show(t)
			if err := translations.Register(language); err != nil {
				t.Fatal(err)
			}
			w.env.Window.Resize(size)
			w.open()
			w.screen.trouble.Set(parts.ToneWarning, parts.T("screens.settings.trouble.port"))
			w.screen.restart.Show()
			w.client.Change(func(c *uitest.Client) {
				c.Stations, c.Values[core.SettingKeepMail] = uitest.Mailboxes(), "true"
				c.Kept = core.KeptMail{On: true, People: 5, Blobs: 12, Bytes: 340_000}
			})
			w.screen.load()
			w.screen.mail.open()
			w.screen.mail.form.Say.Set(parts.ToneError, parts.T("screens.mailbox.code.malformed"))
			w.screen.trySay.Set(parts.ToneError, parts.T("screens.settings.try.bad"))
			uitest.Overflow(t, w.env.Window)
			uitest.Reachable(t, w.env.Window)
		}
	}
}
