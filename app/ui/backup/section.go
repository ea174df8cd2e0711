package backup

import (
	"context"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Section is the part of the settings about backups. Its methods belong to the UI
// thread.
type Section struct {
	cfg    SectionConfig
	status core.BackupStatus
	newest parts.Newest

	none     *parts.Say  // there is no automatic backup
	how      *parts.Text // where to, and with what
	when     *parts.Text // the last one and the next
	trouble  *parts.Say
	progress *Progress
	say      *parts.Say
	setup    *parts.Button
	now      *parts.Button
	change   *parts.Button
	off      *parts.Button
	once     *parts.Button
	single   *parts.Text // when the last single one was saved
	move     *parts.Button
	start    *fyne.Container // the button that sets it up
	acts     *fyne.Container // those for what is set up
}

// SectionConfig is what the section is given.
type SectionConfig struct {
	Config
	// Open shows a page over the settings.
	Open func(Page)
	// Relayout is called when the section may have become higher.
	Relayout func()
}

// NewSection makes the section. Show fills it.
func NewSection(cfg SectionConfig) *Section {
	s := &Section{
		cfg: cfg, none: parts.NewSay(), how: parts.Body(""), when: parts.Muted(""), trouble: parts.NewSay(), say: parts.NewSay(), single: parts.Muted(""),
	}
	s.progress = NewProgress(cfg.Desk.Stop)
	s.setup = parts.Primary(parts.T("backup.setup"), s.openSetup)
	s.now = parts.NewButtonWithIcon(parts.T("backup.now"), icons.New(icons.Save), s.writeNow)
	s.change = parts.NewButton(parts.T("backup.change"), s.openSetup)
	s.off = parts.NewButton(parts.T("backup.off"), s.askOff)
	s.once = parts.NewButtonWithIcon(parts.T("backup.once.open"), icons.New(icons.File), func() { cfg.Open(NewOnce(cfg.Config)) })
	s.move = parts.NewButtonWithIcon(parts.T("backup.move.open"), icons.New(icons.Disk), func() { cfg.Open(NewMove(cfg.Config)) })
	s.start, s.acts = parts.Row(0, s.setup), parts.Row(parts.Gap, s.now, s.change, s.off)
	for _, o := range []fyne.CanvasObject{s.how, s.when, s.acts, s.single} {
		o.Hide()
	}
	s.progress.Show(false)
	s.setup.Disable() // until it is known how it stands
	return s
}

// Objects is what the section consists of.
func (s *Section) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{
		parts.Muted(parts.T("backup.text")), s.none, s.how, s.when, s.trouble, s.progress.Object(), s.say,
		s.start, s.acts,
		parts.Line(),
		parts.Label(parts.T("backup.once")), parts.Muted(parts.T("backup.once.short")), s.single, parts.Row(0, s.once),
		parts.Line(),
		parts.Label(parts.T("backup.move")), parts.Muted(parts.T("backup.move.short")), parts.Row(0, s.move),
	}
}

// Show is called each time the settings come to the front.
func (s *Section) Show() {
	s.cfg.Desk.changed = s.load
	s.say.Clear()
	s.load()
}

// Hide is called when the settings are left: what comes of a backup is said when they
// are opened again.
func (s *Section) Hide() { s.cfg.Desk.changed = nil }

// Changed is called with what happened in the core.
func (s *Section) Changed(events []event.Event) {
	if touched(events) {
		s.load()
	}
}

// touched reports whether events are about backups.
func touched(events []event.Event) bool {
	for _, e := range events {
		if e.Kind == event.BackupChanged {
			return true
		}
	}
	return false
}

func (s *Section) load() {
	fresh := s.newest.Ask()
	s.cfg.Work(func(ctx context.Context) func() {
		st, err := s.cfg.Client.BackupStatus(ctx)
		return func() {
			switch {
			case !fresh():
			case err != nil:
				s.say.Set(parts.ToneError, parts.T("backup.unknown"))
				s.cfg.Relayout()
			default:
				s.show(st)
			}
		}
	})
}

func (s *Section) show(st core.BackupStatus) {
	s.status = st
	for _, o := range []fyne.CanvasObject{s.how, s.when, s.acts} {
		if st.On {
			o.Show()
		} else {
			o.Hide()
		}
	}
	s.start.Hidden = st.On
	s.none.Clear()
	if !st.On {
		s.none.Set(parts.ToneWarning, parts.T("backup.none"))
	}
	s.how.SetText(parts.T(map[bool]string{true: "backup.how.with", false: "backup.how.without"}[st.Files], parts.With("Folder", st.Folder)))
	s.when.SetText(s.times())
	s.trouble.Clear()
	if key := troubles[st.Trouble]; key != "" && st.On && !st.Running {
		tone := parts.ToneError
		if st.Trouble == core.BackupNoFolder {
			tone = parts.ToneWarning // it waits
		}
		s.trouble.Set(tone, parts.T(key, parts.With("Folder", st.Folder)))
	}
	s.single.Hidden = st.Once.IsZero()
	s.single.SetText(parts.T("backup.once.last", parts.With("When", parts.Moment(st.Once, s.cfg.Now()))))
	s.showWork()
	s.cfg.Relayout()
}

// times says when the last backup was written and when the next one will be.
func (s *Section) times() string {
	st, now := s.status, s.cfg.Now()
	last, next := parts.T("backup.last.none"), parts.T("backup.next.soon")
	if !st.Last.IsZero() {
		last = parts.T("backup.last", parts.With("When", parts.Moment(st.Last, now), "Size", parts.Bytes(st.Size)))
	}
	if st.Next.After(now) {
		next = parts.T("backup.next", parts.With("When", soon(st.Next, now)))
	}
	if st.Trouble != core.BackupFine && !st.Next.After(now) {
		return last
	}
	return last + " " + next
}

// showWork shows what is being written, and what came of the last one.
func (s *Section) showWork() {
	running := s.status.Running || s.cfg.Desk.Busy()
	s.progress.Show(running)
	s.progress.Set(s.status.Percent)
	s.progress.CanStop(s.cfg.Desk.Busy())
	parts.Enable(!running, s.setup, s.now, s.change, s.off, s.once, s.move)
	if d := s.cfg.Desk; d.says != "" {
		s.say.Set(d.tone, d.says)
		d.says = ""
	}
	if running {
		s.say.Clear()
	}
}

func (s *Section) openSetup() { s.cfg.Open(NewSetup(s.cfg.Config, s.status)) }

func (s *Section) writeNow() {
	d := s.cfg.Desk
	s.say.Clear()
	d.run(s.cfg.Client.BackupNow, func(r core.BackupReport, err error) {
		if err == nil || core.BackupTroubleOf(err) == core.BackupFailed {
			d.written(r, err) // of the others the state of the automatic backup tells
		}
	})
}

func (s *Section) askOff() {
	parts.Ask(s.cfg.Window, parts.T("backup.off.title"), parts.T("backup.off.text"), parts.T("screens.cancel"), parts.T("backup.off"), true, func() {
		s.cfg.Order(func(ctx context.Context) func() {
			err := s.cfg.Client.SetBackup(ctx, core.BackupSetup{})
			return func() {
				if err != nil {
					s.cfg.Desk.tone, s.cfg.Desk.says = parts.ToneError, Sentence(err)
				}
				s.load()
			}
		})
	})
}
