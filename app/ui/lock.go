package ui

import (
	"context"
	"image/color"
	"strconv"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/core"
)

// idleEvery is how often the window looks whether anybody is there.
const idleEvery = 10 * time.Second

// LockScreen is what the window shows while it is locked.
type LockScreen interface {
	Object() fyne.CanvasObject
	Focus()
	Dropped(items []fyne.URI)
}

// Lock is how the window locks itself.
type Lock struct {
	// Asks reports whether there is a passphrase to ask for; it returns at once. nil
	// never locks.
	Asks func() (bool, error)
	// Screen makes the screen that asks; open is called when it was answered.
	Screen func(open func()) LockScreen
	// Opened is called when the window was unlocked; nil for nobody.
	Opened func()
}

// lock is the app lock: what it hides, and what waits for its end. The core goes on
// behind it, and what is known of it is kept up to date; nothing of that is drawn.
type lock struct {
	screen LockScreen // nil: not locked
	// hidden are the dialogs that were open, with what listened to the keys.
	hidden []fyne.CanvasObject
	rune   func(rune)
	key    func(*fyne.KeyEvent)
	// waits are done when it opens.
	waits []func()

	after   time.Duration // idle time until it locks; 0: never
	touched time.Time     // when somebody last did something
	watched bool          // a look is on its way
}

// Locked reports whether the window is locked.
func (u *UI) Locked() bool { return u.lock.screen != nil }

// WhenOpen does f now, or when the window is unlocked.
func (u *UI) WhenOpen(f func()) {
	if u.Locked() {
		u.lock.waits = append(u.lock.waits, f)
		return
	}
	f()
}

// Lock locks the window. Without a passphrase it says in the settings that it needs
// one.
func (u *UI) Lock() { u.tryLock(u.needPassphrase) }

// tryLock locks the window if there is a passphrase, and else does instead.
func (u *UI) tryLock(instead func()) {
	if u.cfg.Lock.Asks == nil || u.Locked() {
		return
	}
	u.pump.Work(func(context.Context) func() {
		asks, err := u.cfg.Lock.Asks()
		return func() {
			switch {
			case err != nil:
				u.log.Error("lock", "error", err)
			case asks:
				u.shut()
			default:
				instead()
			}
		}
	})
}

// protected is the settings' screen where it says that the lock needs a passphrase.
type protected interface{ NeedPassphrase() }

func (u *UI) needPassphrase() {
	u.ShowSettings()
	if s, ok := u.host.screen.(protected); ok {
		s.NeedPassphrase()
	}
}

// shut hides everything at once.
func (u *UI) shut() {
	if u.Locked() {
		return
	}
	c := u.cfg.Window.Canvas()
	u.conv.saveDraft()
	u.SetActive(false)
	u.tips.Hide()
	c.Unfocus()
	u.lock.hidden = append([]fyne.CanvasObject{}, c.Overlays().List()...)
	removeAll(c.Overlays())
	u.lock.screen = u.cfg.Lock.Screen(u.open)
	u.lock.rune, u.lock.key = c.OnTypedRune(), c.OnTypedKey()
	c.SetOnTypedRune(nil)
	c.SetOnTypedKey(nil)
	u.cfg.Window.SetContent(u.lock.screen.Object())
	u.lock.screen.Focus()
	u.alerts.clear(u.notifier)
	u.showUnread()
}

// removeAll takes away every dialog, the uppermost first.
func removeAll(overlays fyne.OverlayStack) {
	for top := overlays.Top(); top != nil; top = overlays.Top() {
		overlays.Remove(top)
	}
}

// open shows everything again.
func (u *UI) open() {
	if !u.Locked() {
		return
	}
	l, c := u.lock, u.cfg.Window.Canvas()
	u.lock = lock{after: l.after, touched: u.wall(), watched: l.watched}
	removeAll(c.Overlays()) // the lock's own
	u.cfg.Window.SetContent(u.content)
	c.SetOnTypedRune(l.rune)
	c.SetOnTypedKey(l.key)
	for _, o := range l.hidden {
		if o.Visible() {
			c.Overlays().Add(o)
		}
	}
	u.SetActive(true)
	u.refresh()
	if u.host.screen == nil {
		u.conv.focus()
	}
	if s, ok := u.host.screen.(shower); ok {
		s.Show()
	}
	for _, f := range l.waits {
		f()
	}
	if u.cfg.Lock.Opened != nil {
		u.cfg.Lock.Opened()
	}
}

// openly lets what comes of a screen's work wait for the end of the lock: it may
// open a dialog.
func (u *UI) openly(carry func(work func(context.Context) func())) func(work func(context.Context) func()) {
	return func(work func(context.Context) func()) {
		carry(func(ctx context.Context) func() {
			show := work(ctx)
			if show == nil {
				return nil
			}
			return func() { u.WhenOpen(show) }
		})
	}
}

// wall is the time of day: it goes on while the computer sleeps.
func (u *UI) wall() time.Time { return u.now().Round(0) }

// touch notes that somebody is there.
func (u *UI) touch() { u.lock.touched = u.wall() }

// followLock takes over the setting, and watches as long as there is one.
func (u *UI) followLock() {
	n, err := strconv.Atoi(u.settings[core.SettingLockAfter])
	if err != nil {
		n = 0
	}
	after := time.Duration(n) * time.Minute
	if after != u.lock.after {
		u.lock.after = after
		u.touch()
	}
	if after > 0 && !u.lock.watched {
		u.lock.watched = true
		u.pump.Later(idleEvery, u.watch)
	}
}

// watch locks the window when nobody has done anything for long enough.
func (u *UI) watch() {
	u.lock.watched = false
	if u.lock.after == 0 {
		return
	}
	if !u.Locked() && u.wall().Sub(u.lock.touched) >= u.lock.after {
		u.tryLock(func() {})
	}
	u.followLock()
}

// sensor lies below everything and learns that the mouse moves: Fyne asks each
// object below the pointer for its cursor.
type sensor struct {
	widget.BaseWidget
	touched func()
}

var _ desktop.Cursorable = (*sensor)(nil)

func newSensor(touched func()) *sensor {
	s := &sensor{touched: touched}
	s.ExtendBaseWidget(s)
	return s
}

// Cursor implements desktop.Cursorable.
func (s *sensor) Cursor() desktop.Cursor {
	s.touched()
	return desktop.DefaultCursor
}

// CreateRenderer implements fyne.Widget.
func (s *sensor) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(canvas.NewRectangle(color.Transparent))
}
