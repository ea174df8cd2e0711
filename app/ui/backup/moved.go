package backup

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

const (
	cardWidth = 520
	margin    = 20
)

// Moved is the screen of a profile that has moved to another computer: that it has,
// and how to go on there. Its methods belong to the UI thread.
type Moved struct {
	cfg    Config
	status core.BackupStatus
	read   func()
	form   *Move // while the file is being written once more

	root *fyne.Container
	quit *parts.Button
}

// NewMoved makes the screen; read shows the messages.
func NewMoved(cfg Config, status core.BackupStatus, read func()) *Moved {
	m := &Moved{cfg: cfg, status: status, read: read, root: container.NewStack()}
	m.card()
	return m
}

// Object is what to show.
func (m *Moved) Object() fyne.CanvasObject { return m.root }

// Focus puts the keyboard where the screen wants it.
func (m *Moved) Focus() {
	if m.form == nil {
		m.cfg.Window.Canvas().Focus(m.quit)
	} else {
		m.form.Focus()
	}
}

// SetStatus takes over what is known now.
func (m *Moved) SetStatus(st core.BackupStatus) {
	changed := m.status.MovedTo != st.MovedTo || !m.status.MovedAt.Equal(st.MovedAt)
	m.status = st
	if changed && m.form == nil {
		m.card()
	}
}

// Changed is called with what happened in the core.
func (m *Moved) Changed(events []event.Event) {
	if m.form != nil {
		m.form.Changed(events)
	}
}

func (m *Moved) set(o fyne.CanvasObject) {
	m.root.Objects = []fyne.CanvasObject{parts.Ground(theme.ColorNameBackground, 0, ""), o}
	m.root.Refresh()
}

func (m *Moved) card() {
	st := m.status
	m.form = nil
	m.quit = parts.Primary(parts.T("screens.fail.quit"), m.cfg.Quit)
	when := parts.T("backup.moved.text")
	if !st.MovedAt.IsZero() {
		when = parts.T("backup.moved.when", parts.With("When", parts.Moment(st.MovedAt, m.cfg.Now()))) + " " + when
	}
	all := []fyne.CanvasObject{
		parts.Beside(10, parts.Mark(icons.Colored(icons.ShieldCheck, theme.ColorNameSuccess)), parts.Title(parts.T("backup.moved.title")), nil),
		parts.Body(when), parts.Space(2), parts.Label(parts.T("backup.moved.on")),
		steps("backup.moved.one", "backup.moved.two", "backup.moved.three"),
	}
	if st.MovedTo != "" {
		all = append(all, parts.Column(2, parts.Muted(parts.T("backup.moved.file")), parts.Body(st.MovedTo)))
	}
	again := parts.Quiet(parts.T("backup.again.open"), m.writeAgain)
	read := parts.NewButton(parts.T("backup.moved.read"), m.read)
	all = append(all, parts.Line(), parts.Muted(parts.T("backup.moved.keep")), parts.Answers(again, read, m.quit))
	card := parts.Card(parts.Column(12, all...), 24)
	m.set(container.NewVScroll(parts.Pad(parts.Middle(cardWidth, card), margin, margin, margin, margin)))
}

func (m *Moved) writeAgain() {
	back := func() {
		m.card()
		m.Focus()
	}
	cfg := m.cfg
	cfg.Back = back
	m.form = newMoveAgain(cfg, back)
	m.set(m.form.Object())
	m.form.Focus()
}
