package ui

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/notify"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
	"github.com/kuvert-im/kuvert/assets/translations"
)

// still is a pump on one thread whose time stands still until it is told to pass.
type still struct {
	jobs   []func(context.Context) func()
	later  []*alarm
	passed time.Duration
	sub    core.Subscription
	load   func(context.Context, []event.Event) func()
	client core.Events
}

type alarm struct {
	at time.Duration
	f  func()
}

func (s *still) Show(f func()) { f() }

func (s *still) Work(work func(context.Context) func()) { s.jobs = append(s.jobs, work) }
func (s *still) Ask(work func(context.Context) func())  { s.Work(work) }
func (s *still) Tell(work func(context.Context) func()) { s.Work(work) }
func (s *still) Drain(time.Duration)                    { s.run() }
func (s *still) atEnd(func())                           {}

func (s *still) Later(d time.Duration, f func()) func() {
	m := &alarm{s.passed + d, f}
	s.later = append(s.later, m)
	return func() { m.f = nil }
}

func (s *still) follow(client core.Events, _ *slog.Logger, load func(context.Context, []event.Event) func()) {
	s.client, s.load = client, load
	s.subscribe()
}

func (s *still) subscribe() {
	sub, err := s.client.Subscribe(context.Background())
	if err != nil {
		panic(err)
	}
	s.sub = sub
	s.Ask(func(ctx context.Context) func() { return s.load(ctx, nil) })
}

// run does everything that waits and shows what came of it.
func (s *still) run() {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		for len(s.jobs) > 0 {
			job := s.jobs[0]
			s.jobs = s.jobs[1:]
			uitest.Inline(job)
		}
		if s.sub == nil {
			return
		}
		events, err := s.sub.Next(over)
		if err != nil {
			return
		}
		s.Ask(func(ctx context.Context) func() { return s.load(ctx, events) })
	}
}

// pass lets time pass, step by step.
func (s *still) pass(d time.Duration) {
	end := s.passed + d
	for {
		i := -1
		for k, m := range s.later {
			if m.f != nil && m.at <= end && (i < 0 || m.at < s.later[i].at) {
				i = k
			}
		}
		if i < 0 {
			break
		}
		m := s.later[i]
		s.later = slices.Delete(s.later, i, i+1)
		s.passed = m.at
		m.f()
		s.run()
	}
	s.passed = end
}

// notes collects notifications.
type notes struct {
	shown   []notify.Note
	cleared int
	open    func(chat.PersonID)
}

func (n *notes) Show(note notify.Note) { n.shown = append(n.shown, note) }
func (n *notes) Clear()                { n.cleared++ }
func (n *notes) Close()                {}

// trayIcon is a tray that is there or not.
type trayIcon struct{ present, unread bool }

func (t *trayIcon) Present() bool     { return t.present }
func (t *trayIcon) SetUnread(on bool) { t.unread = on }

// plainScreen is a screen that remembers what happened to it.
type plainScreen struct {
	title   string
	object  fyne.CanvasObject
	changed int
	shown   bool
	hidden  bool
	dropped int

	revealed string
}

func (s *plainScreen) Title() string             { return s.title }
func (s *plainScreen) Object() fyne.CanvasObject { return s.object }
func (s *plainScreen) Changed([]event.Event)     { s.changed++ }
func (s *plainScreen) Show()                     { s.shown = true }
func (s *plainScreen) Hide()                     { s.hidden = true }
func (s *plainScreen) Reveal(section string)     { s.revealed = section }
func (s *plainScreen) Dropped(i []fyne.URI)      { s.dropped += len(i) }

// world is a window with all around it.
type world struct {
	t      testing.TB
	c      *uitest.Client
	u      *UI
	w      fyne.Window
	pump   *still
	notes  *notes
	tray   *trayIcon
	screen *plainScreen
	quits  int
}

type setup struct {
	client   *uitest.Client
	language string
	theme    string
	size     fyne.Size
}

func open(t testing.TB, s setup) *world {
	t.Helper()
	a := test.NewTempApp(t)
	a.Settings().SetTheme(theme.New(cond(s.theme, theme.Light)))
	if err := translations.Register(cond(s.language, "de")); err != nil {
		t.Fatal(err)
	}
	x := &world{t: t, c: s.client, pump: &still{}, notes: &notes{}, tray: &trayIcon{}}
	if x.c == nil {
		x.c = uitest.Office(0)
	}
	x.w = a.NewWindow("test")
	t.Cleanup(x.w.Close)
	screen := func(title string) Screen {
		x.screen = &plainScreen{title: title, object: container.NewCenter(widget.NewLabel(title))}
		return x.screen
	}
	x.u = newUI(Config{
		Client: x.c, Window: x.w, Now: func() time.Time { return uitest.Now.Add(x.pump.passed) }, Quit: func() { x.quits++ },
		Screens: Screens{
			AddContact: func(parts.Env) Screen { return screen("add") },
			Settings:   func(parts.Env) Screen { return screen("settings") },
			Doctor:     func(parts.Env) Screen { return screen("doctor") },
			Contacted:  func(parts.Env) Screen { return screen("contacted") },
			Rights:     func(parts.Env) Screen { return screen("rights") },
			Contact:    func(parts.Env, chat.PersonID) Screen { return screen("contact") },
		},
		Notifier: func(open func(chat.PersonID)) notify.Notifier { x.notes.open = open; return x.notes },
		Tray:     func(*fyne.Menu) notify.Tray { return x.tray },
	}, x.pump)
	if s.size.Width > 0 {
		x.w.Resize(s.size)
	}
	x.u.Start()
	x.pump.run()
	return x
}

func cond(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// talk opens a conversation.
func (x *world) talk(name string) *world {
	x.u.ShowConversation(uitest.Person(name))
	x.pump.run()
	return x
}

// conv is the id of the conversation with somebody.
func (x *world) conv(name string) chat.ConversationID {
	return chat.DirectConversation(x.c.Me.ID, uitest.Person(name))
}

// arrives makes a message come in.
func (x *world) arrives(name, text string) chat.MessageID {
	id := x.c.Arrive(x.conv(name), chat.Message{Sender: uitest.Person(name), Kind: chat.KindText, Text: text, State: chat.Received, SentAt: x.u.now(), ReceivedAt: x.u.now()})
	x.pump.run()
	return id
}

func (x *world) says(text string) bool { return uitest.Says(x.w, text) }

func (x *world) mustSay(text string) {
	x.t.Helper()
	if !x.says(text) {
		x.t.Errorf("the window does not say %q; it says %q", text, uitest.Texts(x.w))
	}
}

func (x *world) mustNotSay(text string) {
	x.t.Helper()
	if x.says(text) {
		x.t.Errorf("the window says %q", text)
	}
}

// called reports whether a method was called with these words.
func (x *world) called(call string) bool { return slices.Contains(x.c.Called(), call) }

func (x *world) press(name fyne.KeyName) {
	if f := x.w.Canvas().Focused(); f != nil {
		f.TypedKey(&fyne.KeyEvent{Name: name})
	} else if on := x.w.Canvas().OnTypedKey(); on != nil {
		on(&fyne.KeyEvent{Name: name})
	}
	x.pump.run()
}

func (x *world) typed(text string) {
	x.w.Canvas().Focus(x.u.conv.composer)
	test.Type(x.u.conv.composer, text)
	x.pump.run()
}
