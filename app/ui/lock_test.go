package ui

import (
	"slices"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

// shutter is a lock screen that is opened by the test.
type shutter struct {
	label   *widget.Label
	open    func()
	dropped int
}

func (s *shutter) Object() fyne.CanvasObject { return s.label }
func (s *shutter) Focus()                    {}
func (s *shutter) Dropped([]fyne.URI)        { s.dropped++ }

// lockable gives the window a lock; asks says whether there is a passphrase.
func (x *world) lockable(asks bool) *shutter {
	s := &shutter{label: widget.NewLabel("locked")}
	x.u.cfg.Lock = Lock{
		Asks:   func() (bool, error) { return asks, nil },
		Screen: func(open func()) LockScreen { s.open = open; return s },
	}
	return s
}

func (x *world) shortcut(k fyne.KeyName) {
	key := desktop.CustomShortcut{KeyName: k, Modifier: fyne.KeyModifierShortcutDefault}
	x.u.unlessLocked(key, x.u.keys()[key])()
	x.pump.run()
}

// TestLockHides: the shortcut hides everything that somebody wrote and who they
// are, dialogs too, and brings all of it back.
func TestLockHides(t *testing.T) {
	x := open(t, setup{})
	s := x.lockable(true)
	x.talk(sabine)
	before := uitest.Texts(x.w)
	dialog := parts.Ask(x.w, "Frage", "an Sabine", "nein", "ja", false, func() {})
	x.tray.unread = true
	x.shortcut(fyne.KeyL)
	if got := uitest.Texts(x.w); !x.u.Locked() || len(got) != 0 && !slices.Equal(got, []string{"locked"}) {
		t.Fatalf("locked %v, the window says %q", x.u.Locked(), got)
	}
	if x.w.Title() != "Kuvert – gesperrt" || x.tray.unread || x.w.Canvas().Overlays().Top() != nil || x.notes.cleared == 0 && x.u.alerts.shown {
		t.Errorf("title %q, tray %v", x.w.Title(), x.tray.unread)
	}
	s.open()
	x.pump.run()
	if x.u.Locked() || x.w.Canvas().Overlays().Top() == nil || !dialog.Visible() {
		t.Error("the dialog does not come back")
	}
	dialog.Hide()
	if got := uitest.Texts(x.w); !slices.Equal(got, before) || x.w.Title() == "Kuvert – gesperrt" {
		t.Errorf("after the lock the window says %q, before %q", got, before)
	}
}

// TestLockedDoesNothing: no key and no answer that comes late reaches anything
// behind the lock; messages arrive, unread, and are told without what is in them.
func TestLockedDoesNothing(t *testing.T) {
	x := open(t, setup{})
	s := x.lockable(true)
	x.c.Change(func(c *uitest.Client) { c.Values[core.SettingNotifyContent] = "true" }, event.Event{Kind: event.SettingsChanged})
	x.pump.run()
	x.talk(sabine)
	x.u.Lock()
	late := 0
	x.u.WhenOpen(func() { late++ })
	x.pump.run()
	if late != 1 {
		t.Fatal("waits though nothing is locked")
	}
	x.shortcut(fyne.KeyN)
	x.shortcut(fyne.KeyComma)
	if x.screen != nil {
		t.Error("a shortcut opens a screen behind the lock")
	}
	if c, ok := x.w.Canvas().(interface{ OnTypedRune() func(rune) }); ok && c.OnTypedRune() != nil {
		t.Error("what is typed goes somewhere")
	}
	x.u.WhenOpen(func() { late++ })
	x.u.SetActive(true)
	x.arrives(sabine, "ganz geheim")
	if len(x.notes.shown) == 0 {
		t.Fatal("nothing is told")
	}
	for _, n := range x.notes.shown {
		if !n.Plain {
			t.Errorf("told: %+v", n)
		}
	}
	x.u.dropped(fyne.Position{}, nil)
	if v := x.u.convs[x.u.current]; v.Unread == 0 || late != 1 || s.dropped != 1 {
		t.Errorf("unread %d, late %d, dropped %d", v.Unread, late, s.dropped)
	}
	s.open()
	x.pump.run()
	if late != 2 {
		t.Error("what waited was forgotten")
	}
}

// TestLockNeedsPassphrase: without one there is no lock, and the settings say so.
func TestLockNeedsPassphrase(t *testing.T) {
	x := open(t, setup{})
	x.lockable(false)
	x.shortcut(fyne.KeyL)
	if x.u.Locked() || x.screen == nil || x.screen.title != "settings" {
		t.Error("locked without a passphrase, or not said")
	}
}

// TestLockAfter: idle time locks, the mouse or a key begins it anew, and "" ends it.
func TestLockAfter(t *testing.T) {
	x := open(t, setup{})
	s := x.lockable(true)
	set := func(v string) {
		x.c.Change(func(c *uitest.Client) { c.Values[core.SettingLockAfter] = v }, event.Event{Kind: event.SettingsChanged})
		x.pump.run()
	}
	x.pump.pass(2 * time.Hour)
	if x.u.Locked() {
		t.Fatal("locked though it is off")
	}
	set("5")
	for _, doing := range []func(){
		func() { newSensor(x.u.touch).Cursor() },
		func() { x.w.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyHome}) },
		func() { x.talk(sabine); test.Type(x.u.conv.composer, "x") },
	} {
		x.pump.pass(4*time.Minute + 30*time.Second)
		doing()
	}
	x.pump.pass(4*time.Minute + 30*time.Second)
	if x.u.Locked() {
		t.Fatal("locked though somebody was there")
	}
	x.pump.pass(time.Minute)
	if !x.u.Locked() {
		t.Fatal("not locked after five minutes")
	}
	s.open()
	x.pump.pass(4 * time.Minute)
	if x.u.Locked() {
		t.Error("locked again at once")
	}
	set("")
	x.pump.pass(time.Hour)
	if x.u.Locked() {
		t.Error("locked though it is off")
	}
}
