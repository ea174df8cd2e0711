package notify

import (
	"context"
	"html"
	"log/slog"
	"slices"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"github.com/godbus/dbus/v5"

	"github.com/kuvert-im/kuvert/app/chat"
)

const (
	busName  = "org.freedesktop.Notifications"
	busPath  = "/org/freedesktop/Notifications"
	callWait = 2 * time.Second        // for an answer of the notification daemon
	trayWait = 200 * time.Millisecond // for an answer about the tray: somebody waits for it
	// maxBody is how much of a message a notification shows, in runes.
	maxBody = 240
	// backlog is how many notifications wait for a slow daemon; more are dropped,
	// for the next one says the same.
	backlog = 16
)

// Config is what a notifier needs.
type Config struct {
	App fyne.App
	// Title and Body are the constant words for systems that get no others.
	Title, Body string
	// OpenLabel names the button of a notification.
	OpenLabel string
	Icon      string // a name or path known to the desktop; may be empty
	// Open is called from a goroutine of the notifier when a notification was
	// pressed.
	Open func(chat.PersonID)
	Log  *slog.Logger
}

// bus shows notifications through D-Bus.
type bus struct {
	cfg    Config
	jobs   chan func()
	cancel context.CancelFunc
	wg     sync.WaitGroup

	// Owned by the goroutine of run.
	conn   *dbus.Conn
	markup bool
	shown  map[uint32]chat.PersonID

	// The daemon's two methods; tests have a daemon of their own.
	notify func(replaces uint32, title, body string) (id uint32, err error)
	close  func(id uint32)
}

// New returns the notifier for this system; it never fails, but does nothing
// without a session bus. It connects in the background.
func New(cfg Config) Notifier {
	ctx, cancel := context.WithCancel(context.Background())
	b := &bus{cfg: cfg, jobs: make(chan func(), backlog), cancel: cancel, shown: map[uint32]chat.PersonID{}}
	b.notify, b.close = b.callNotify, b.callClose
	b.wg.Go(func() { b.run(ctx) })
	return b
}

func (b *bus) object() dbus.BusObject { return b.conn.Object(busName, busPath) }

// run connects, does the jobs and listens to what is pressed until the notifier is
// closed.
func (b *bus) run(ctx context.Context) {
	conn, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		b.cfg.Log.Info("no session bus: no notifications", "error", err)
		return
	}
	b.conn = conn
	defer func() { _ = conn.Close() }()
	signals := make(chan *dbus.Signal, backlog)
	conn.Signal(signals)
	if err := conn.AddMatchSignalContext(ctx, dbus.WithMatchObjectPath(busPath), dbus.WithMatchInterface(busName)); err != nil {
		b.cfg.Log.Info("notifications cannot be pressed", "error", err)
	}
	b.learn(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-b.jobs:
			job()
		case s, ok := <-signals:
			if !ok {
				signals = nil // the bus is gone
				continue
			}
			b.signal(s)
		}
	}
}

// learn asks whether the daemon reads markup, so that text is escaped for it.
func (b *bus) learn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	var caps []string
	if err := b.object().CallWithContext(ctx, busName+".GetCapabilities", 0).Store(&caps); err == nil {
		b.markup = slices.Contains(caps, "body-markup")
	}
}

func (b *bus) signal(s *dbus.Signal) {
	if len(s.Body) < 1 {
		return
	}
	id, ok := s.Body[0].(uint32)
	person, ours := b.shown[id]
	if !ok || !ours {
		return
	}
	switch s.Name {
	case busName + ".ActionInvoked":
		b.cfg.Open(person)
	case busName + ".NotificationClosed":
		delete(b.shown, id)
	}
}

func (b *bus) do(job func()) {
	select {
	case b.jobs <- job:
	default:
	}
}

// Show implements Notifier.
func (b *bus) Show(n Note) { b.do(func() { b.show(n) }) }

func (b *bus) show(n Note) {
	replaces := uint32(0)
	for id, p := range b.shown {
		if p == n.Person {
			replaces = id
		}
	}
	body := n.Body
	if r := []rune(body); len(r) > maxBody {
		body = string(r[:maxBody]) + "…"
	}
	if b.markup {
		body = html.EscapeString(body)
	}
	id, err := b.notify(replaces, n.Title, body)
	if err != nil {
		b.cfg.Log.Info("notification was not shown", "error", err)
		return
	}
	delete(b.shown, replaces)
	b.shown[id] = n.Person
}

func (b *bus) callNotify(replaces uint32, title, body string) (id uint32, err error) {
	hints := map[string]dbus.Variant{
		"category":      dbus.MakeVariant("im.received"),
		"desktop-entry": dbus.MakeVariant(b.cfg.Icon),
	}
	ctx, cancel := context.WithTimeout(context.Background(), callWait)
	defer cancel()
	call := b.object().CallWithContext(ctx, busName+".Notify", 0, "Kuvert", replaces, b.cfg.Icon, title, body,
		[]string{"default", b.cfg.OpenLabel}, hints, int32(-1))
	return id, call.Store(&id)
}

func (b *bus) callClose(id uint32) {
	b.object().Call(busName+".CloseNotification", dbus.FlagNoReplyExpected, id)
}

// Clear implements Notifier.
func (b *bus) Clear() {
	b.do(func() {
		for id := range b.shown {
			b.close(id)
		}
		clear(b.shown)
	})
}

// Close implements Notifier.
func (b *bus) Close() {
	b.cancel()
	b.wg.Wait()
}

// trayPresent asks whether something shows tray icons.
func trayPresent() bool {
	conn, err := dbus.SessionBus()
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), trayWait)
	defer cancel()
	var v dbus.Variant
	err = conn.Object("org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher").CallWithContext(ctx,
		"org.freedesktop.DBus.Properties.Get", 0, "org.kde.StatusNotifierWatcher", "IsStatusNotifierHostRegistered").Store(&v)
	registered, ok := v.Value().(bool)
	return err == nil && ok && registered
}
