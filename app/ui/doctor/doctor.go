// Package doctor is the page that looks at everything delivery depends on, says in
// plain words what it found and what to do, and copies a report of that.
package doctor

import (
	"context"
	"errors"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/assets/translations/words"
)

const maxWidth = 640

// Config is what the page is given.
type Config struct {
	parts.Env
	Version string // stands in the report
}

// Screen is the page. Its methods belong to the UI thread.
type Screen struct {
	cfg    Config
	checks []core.Check
	cancel context.CancelFunc // of the look that is under way, nil if none is
	runs   int                // counts the looks: an old one's answer is not shown

	root        *container.Scroll
	say         *parts.Say
	list        *fyne.Container
	again, stop *parts.Button
	copy        *parts.Button
}

// New builds the page. Show starts to look.
func New(cfg Config) *Screen {
	s := &Screen{cfg: cfg, say: parts.NewSay(), list: parts.Column(0)}
	s.again = parts.Primary(parts.T("screens.doctor.again"), s.look)
	s.stop = parts.NewButton(parts.T("screens.cancel"), s.end)
	s.copy = parts.NewButtonWithIcon(parts.T("screens.doctor.copy"), icons.New(icons.Copy), s.copyReport)
	s.again.Hide()
	s.copy.Disable()
	all := parts.Column(16,
		parts.Muted(parts.T("screens.doctor.text")), s.say,
		parts.Answers(s.copy, s.stop, s.again), s.list,
	)
	s.root = container.NewVScroll(parts.Pad(parts.AtMost(maxWidth, all), parts.Edge, parts.Edge, parts.Edge, parts.Edge))
	return s
}

// Title names the page.
func (s *Screen) Title() string { return parts.T("screens.doctor.title") }

// Object is what to show.
func (s *Screen) Object() fyne.CanvasObject { return s.root }

// Show is called each time the page comes to the front.
func (s *Screen) Show() { s.look() }

// Hide is called when the page is left.
func (s *Screen) Hide() { s.end() }

// Changed is called with what happened in the core: the page shows what it found
// when it looked.
func (s *Screen) Changed([]event.Event) {}

// look starts to look, unless a look is under way.
func (s *Screen) look() {
	if s.cancel != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.runs++
	run := s.runs
	s.say.Busy(parts.T("screens.doctor.busy"))
	s.buttons()
	s.cfg.Work(func(window context.Context) func() {
		defer cancel()
		stop := context.AfterFunc(window, cancel)
		defer stop()
		checks, err := s.cfg.Client.Diagnose(ctx)
		return func() {
			if run == s.runs && s.cancel != nil {
				s.cancel = nil
				s.done(checks, err)
			}
		}
	})
}

// end stops looking; what was found before stays.
func (s *Screen) end() {
	if s.cancel == nil {
		return
	}
	s.cancel()
	s.cancel = nil
	s.runs++
	s.done(s.checks, context.Canceled)
}

func (s *Screen) done(checks []core.Check, err error) {
	switch {
	case errors.Is(err, context.Canceled):
		s.say.Set(parts.ToneInfo, parts.T("screens.doctor.stopped"))
	case err != nil:
		s.say.Set(parts.ToneError, parts.T("screens.code.unknown"))
	default:
		s.checks = checks
		s.say.Set(summary(checks))
	}
	s.show()
	s.buttons()
}

func (s *Screen) buttons() {
	s.again.Hidden, s.stop.Hidden = s.cancel != nil, s.cancel == nil
	if s.cancel == nil && len(s.checks) > 0 {
		s.copy.Enable()
	} else {
		s.copy.Disable()
	}
	s.root.Content.Refresh()
}

// summary says how many problems there are.
func summary(checks []core.Check) (parts.Tone, string) {
	var bad, notes int
	for _, c := range checks {
		switch c.Level {
		case core.LevelBad:
			bad++
		case core.LevelNote:
			notes++
		case core.LevelOK:
		}
	}
	switch {
	case bad > 0:
		return parts.ToneError, parts.N("screens.doctor.bad", bad)
	case notes > 0:
		return parts.ToneInfo, parts.N("screens.doctor.notes", notes)
	}
	return parts.ToneGood, parts.T("screens.doctor.good")
}

// levels are shown by icons of different shapes as well as by colour; a word says
// it, too.
var levels = map[core.Level]struct {
	icon  icons.Name
	color fyne.ThemeColorName
}{
	core.LevelOK:   {icons.Check, theme.ColorNameSuccess},
	core.LevelNote: {icons.Info, theme.ColorNamePrimary},
	core.LevelBad:  {icons.Alert, theme.ColorNameError},
}

func (s *Screen) show() {
	rows := make([]fyne.CanvasObject, 0, 2*len(s.checks))
	for i, c := range s.checks {
		if i > 0 {
			rows = append(rows, parts.Line())
		}
		rows = append(rows, row(c))
	}
	s.list.Objects = nil
	if len(rows) > 0 {
		s.list.Objects = []fyne.CanvasObject{parts.Card(parts.Column(0, rows...), 4)}
	}
	s.root.Content.Refresh()
}

// row is one finding.
func row(c core.Check) fyne.CanvasObject {
	f := Words(c)
	look := levels[c.Level]
	text := parts.Column(2, parts.Label(f.Title+" · "+f.Level), parts.Body(f.Found))
	if f.Advice != "" {
		text.Add(parts.Muted(f.Advice))
	}
	return parts.Pad(parts.Beside(12, parts.Mark(icons.Colored(look.icon, look.color)), text, nil), 12, 12, 12, 12)
}

// Finding is a check in words.
type Finding struct {
	Title  string // what was looked at
	Level  string // how grave it is
	Found  string
	Advice string // what to do; "" if nothing
}

// Words says a check in the language that is spoken.
func Words(c core.Check) Finding {
	key := "doctor." + c.Check + "." + c.Code
	data := make(map[string]any, len(c.Params))
	for k, v := range c.Params {
		data[k] = v
	}
	f := Finding{
		Title: parts.T("doctor." + c.Check + ".title"), Level: parts.T("doctor.level." + string(c.Level)),
		Found: parts.T(key, data),
	}
	if advice := key + ".advice"; words.Text(words.German, advice, nil) != "" { // there is some
		f.Advice = parts.T(advice, data)
	}
	return f
}

// Report is the findings as text, line by line as on the screen.
func Report(version string, checks []core.Check) string {
	var b strings.Builder
	b.WriteString(parts.T("screens.doctor.report", parts.With("Version", version)) + "\n\n")
	for _, c := range checks {
		f := Words(c)
		b.WriteString(f.Title + " · " + f.Level + "\n  " + f.Found + "\n")
		if f.Advice != "" {
			b.WriteString("  " + f.Advice + "\n")
		}
	}
	return b.String()
}

func (s *Screen) copyReport() {
	fyne.CurrentApp().Clipboard().SetContent(Report(s.cfg.Version, s.checks))
	s.say.Set(parts.ToneGood, parts.T("screens.doctor.copied"))
}
