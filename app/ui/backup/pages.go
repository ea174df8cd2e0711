package backup

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Setup is the page that sets the automatic backup up, or changes it.
type Setup struct {
	*form
	had core.BackupStatus
}

// NewSetup makes the page; had is what is set up.
func NewSetup(cfg Config, had core.BackupStatus) *Setup {
	s := &Setup{had: had}
	yes := "backup.setup.do"
	if had.On {
		yes = "screens.save"
	}
	s.form = newForm(cfg, "backup.setup", yes, s.save)
	if had.On {
		s.path = had.Folder
		s.other = parts.NewSwitch(parts.T("backup.passphrase.other"), parts.T("backup.passphrase.other.text"), s.askOther)
		s.fields.Hide()
		if had.Files {
			s.what.SetSelected(1)
		}
		s.showPath()
	} else {
		s.what.SetSelected(1)
	}
	s.arrange(parts.Body(parts.T("backup.setup.text")), s.place(), s.content(), s.secret(), s.say, parts.Answers(s.no, s.yes))
	return s
}

func (s *Setup) askOther(on bool) {
	s.fields.Hide()
	if on {
		s.fields.Show()
	}
	s.relayout()
	if on {
		s.cfg.Window.Canvas().Focus(s.pair.First())
	}
}

func (s *Setup) save() {
	if s.busy {
		return
	}
	passphrase, wrong := s.answers()
	if wrong != "" {
		s.wrong(wrong)
		return
	}
	setup := core.BackupSetup{Folder: s.path, Files: s.what.Selected() == 1, Passphrase: passphrase}
	s.hold(true)
	s.cfg.Order(func(ctx context.Context) func() {
		err := s.cfg.Client.SetBackup(ctx, setup)
		return func() {
			s.hold(false)
			if err != nil {
				s.wrong(Sentence(err))
				return
			}
			s.cfg.Desk.tone, s.cfg.Desk.says = parts.ToneGood, parts.T("backup.setup.done")
			s.cfg.Back()
		}
	})
}

// Once is the page that saves a single backup.
type Once struct{ *form }

// NewOnce makes the page.
func NewOnce(cfg Config) *Once {
	o := &Once{}
	o.form = newForm(cfg, "backup.once", "backup.once.do", o.save)
	o.name = dated("backup.once.file", cfg.Now())
	o.what.SetSelected(1)
	o.arrange(parts.Body(parts.T("backup.once.text")), o.place(), o.content(), o.secret(), o.say, parts.Answers(o.no, o.yes))
	return o
}

func (o *Once) save() {
	if o.busy {
		return
	}
	passphrase, wrong := o.answers()
	if wrong != "" {
		o.wrong(wrong)
		return
	}
	if o.cfg.Desk.Busy() {
		o.wrong(parts.T("backup.busy"))
		return
	}
	client, path := o.cfg.Client, o.path
	with := o.what.Selected() == 1
	o.cfg.Desk.run(func(ctx context.Context) (core.BackupReport, error) {
		return client.Backup(ctx, core.BackupOptions{Path: path, Passphrase: passphrase, Files: with})
	}, o.cfg.Desk.written)
	o.cfg.Back()
}

// Move is the page that leads a profile to another computer, in two steps: what will
// happen, and where to write. What comes after is the screen of a profile that has
// moved.
type Move struct {
	*form
	again    bool // it has moved, and the file is written once more
	explains fyne.CanvasObject
	asks     fyne.CanvasObject
	progress *Progress
	decide   fyne.CanvasObject // the two buttons
	moved    func()            // the file is there; nil for nobody
}

// NewMove makes the page at its first step.
func NewMove(cfg Config) *Move {
	m := newMove(cfg, "backup.move", "backup.move.do")
	next := parts.Primary(parts.T("screens.next"), m.next)
	m.explains = parts.Column(12, parts.Body(parts.T("backup.move.text")),
		steps("backup.move.one", "backup.move.two", "backup.move.three"),
		parts.Muted(parts.T("backup.move.before")), parts.Answers(parts.Quiet(parts.T("screens.cancel"), cfg.Back), next))
	m.asks.Hide()
	m.arrange(m.explains, m.asks)
	return m
}

// newMoveAgain makes the page of a profile that has moved: the file may be lost.
func newMoveAgain(cfg Config, done func()) *Move {
	m := newMove(cfg, "backup.again", "backup.again.do")
	m.again, m.moved, m.explains = true, done, parts.Body(parts.T("backup.again.text"))
	m.arrange(parts.Title(parts.T("backup.again")), m.explains, m.asks)
	return m
}

func newMove(cfg Config, title, yes string) *Move {
	m := &Move{}
	m.form = newForm(cfg, title, yes, m.write)
	m.name = dated("backup.move.file", cfg.Now())
	m.progress = NewProgress(m.cfg.Desk.Stop)
	m.progress.Show(false)
	m.decide = parts.Answers(m.no, m.yes)
	m.asks = parts.Column(12, m.place(), m.secret(), m.say, m.progress.Object(), m.decide)
	return m
}

// steps are numbered sentences.
func steps(keys ...string) fyne.CanvasObject {
	var all []fyne.CanvasObject
	for i, k := range keys {
		number := parts.Label(parts.T("backup.number", parts.With("N", i+1)))
		all = append(all, container.New(hanging{}, number, parts.Body(parts.T(k))))
	}
	return parts.Column(parts.Gap, all...)
}

// hanging puts a number before the first line of a text.
type hanging struct{}

const numberWidth = 26

// MinSize implements fyne.Layout.
func (hanging) MinSize(o []fyne.CanvasObject) fyne.Size {
	return o[1].MinSize().AddWidthHeight(numberWidth, 0)
}

// Layout implements fyne.Layout.
func (hanging) Layout(o []fyne.CanvasObject, s fyne.Size) {
	o[0].Resize(fyne.NewSize(numberWidth, o[0].MinSize().Height))
	o[1].Move(fyne.NewPos(numberWidth, 0))
	o[1].Resize(fyne.NewSize(max(0, s.Width-numberWidth), s.Height))
}

// Focus puts the keyboard where the page begins.
func (m *Move) Focus() {
	if m.asks.Visible() {
		m.form.Focus()
	}
}

func (m *Move) next() {
	m.explains.Hide()
	m.asks.Show()
	m.relayout()
	m.root.ScrollToTop()
	m.form.Focus()
}

// Changed follows how far the writing is.
func (m *Move) Changed(events []event.Event) {
	if !m.busy || !touched(events) {
		return
	}
	m.cfg.Work(func(ctx context.Context) func() {
		st, err := m.cfg.Client.BackupStatus(ctx)
		return func() {
			if err == nil && m.busy && st.Running {
				m.progress.Set(st.Percent)
			}
		}
	})
}

func (m *Move) write() {
	if m.busy {
		return
	}
	passphrase, wrong := m.answers()
	if wrong != "" {
		m.wrong(wrong)
		return
	}
	if m.cfg.Desk.Busy() {
		m.wrong(parts.T("backup.busy"))
		return
	}
	client, path := m.cfg.Client, m.path
	m.say.Clear()
	m.hold(true)
	m.progress.Set(0)
	m.progress.Show(true)
	m.decide.Hide()
	m.relayout()
	m.root.ScrollToBottom()
	m.cfg.Desk.run(func(ctx context.Context) (core.BackupReport, error) {
		return client.Move(ctx, core.BackupOptions{Path: path, Passphrase: passphrase, Files: true})
	}, m.written)
}

func (m *Move) written(_ core.BackupReport, err error) {
	m.hold(false)
	m.progress.Show(false)
	m.decide.Show()
	switch {
	case err == nil && m.moved != nil:
		m.moved()
	case err == nil: // the screen of a profile that has moved comes by itself
	case m.again:
		m.wrong(Sentence(err))
	default:
		m.wrong(parts.T("backup.move.failed", parts.With("Why", Sentence(err))))
	}
}
