package doctor

import (
	"errors"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

func open(t *testing.T, c *uitest.Client, language string, w, h float32, work ...func(*parts.Env)) (*Screen, parts.Env) {
	env := uitest.Env(t, c, language, w, h)
	for _, f := range work {
		f(&env)
	}
	s := New(Config{Env: env, Version: "1.2.3"})
	env.Window.SetContent(s.Object())
	s.Show()
	return s, env
}

// TestWords: every finding of the core has a title and a sentence in both
// languages, filled in, and every bad one says what to do.
func TestWords(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		uitest.Env(t, uitest.New("x"), language, 100, 100)
		for _, check := range core.Checks {
			for _, code := range check.Codes {
				f := Words(uitest.Finding(check.Name, code, core.LevelBad))
				if strings.HasPrefix(f.Title, "doctor.") || strings.HasPrefix(f.Found, "doctor.") || f.Title == "" || f.Found == "" {
					t.Errorf("%s: %s.%s: %+v", language, check.Name, code, f)
				}
				for _, text := range []string{f.Found, f.Advice} {
					if strings.Contains(text, "{{") || strings.Contains(text, "<no value>") {
						t.Errorf("%s: %s.%s is not filled in: %q", language, check.Name, code, text)
					}
				}
			}
		}
	}
}

// TestLevels: each level has a word and an icon of its own.
func TestLevels(t *testing.T) {
	uitest.Env(t, uitest.New("x"), "de", 100, 100)
	words, shapes := map[string]bool{}, map[any]bool{}
	for level, look := range levels {
		words[parts.T("doctor.level."+string(level))], shapes[look.icon] = true, true
	}
	if len(words) != 3 || len(shapes) != 3 {
		t.Errorf("words %v, icons %v", words, shapes)
	}
}

func TestReport(t *testing.T) {
	c := uitest.New("Anna")
	c.Findings = uitest.Healthy()
	s, env := open(t, c, "de", 800, 600)
	if got := s.say.Text(); got != "Ein Fehler gefunden. Unten steht, was hilft." {
		t.Errorf("says %q", got)
	}
	uitest.Press(t, env.Window, "Bericht kopieren")
	report := fyne.CurrentApp().Clipboard().Content()
	if !strings.HasPrefix(report, "Kuvert 1.2.3: Verbindung prüfen\n") {
		t.Errorf("report %q", report)
	}
	for _, f := range c.Findings {
		w := Words(f)
		for _, text := range []string{w.Found, w.Advice} {
			if !strings.Contains(report, text) || text != "" && !uitest.Says(env.Window, text) {
				t.Errorf("%s: %q is not in the report and on the screen", f.Check, text)
			}
		}
	}
	if s.say.Text() != parts.T("screens.doctor.copied") {
		t.Errorf("says %q", s.say.Text())
	}
}

func TestSummary(t *testing.T) {
	uitest.Env(t, uitest.New("x"), "de", 100, 100)
	ok, note, bad := core.Check{Level: core.LevelOK}, core.Check{Level: core.LevelNote}, core.Check{Level: core.LevelBad}
	for _, c := range []struct {
		checks []core.Check
		tone   parts.Tone
		text   string
	}{
		{[]core.Check{ok, ok}, parts.ToneGood, "Alles in Ordnung."},
		{[]core.Check{ok, note}, parts.ToneInfo, "Es funktioniert. Ein Hinweis steht unten."},
		{[]core.Check{note, note}, parts.ToneInfo, "Es funktioniert. 2 Hinweise stehen unten."},
		{[]core.Check{bad, note, bad}, parts.ToneError, "2 Fehler gefunden. Unten steht, was hilft."},
	} {
		if tone, text := summary(c.checks); tone != c.tone || text != c.text {
			t.Errorf("%v %q, want %v %q", tone, text, c.tone, c.text)
		}
	}
}

// TestProgress: a look shows that it works, can be stopped, and is not started
// twice; what a stopped one finds is not shown.
func TestProgress(t *testing.T) {
	var later uitest.Later
	c := uitest.New("Anna")
	c.Findings = uitest.Healthy()
	s, env := open(t, c, "de", 800, 600, func(e *parts.Env) { e.Work = later.Work })
	if s.say.Text() != parts.T("screens.doctor.busy") || !uitest.Button(t, env.Window, "Bericht kopieren").Disabled() {
		t.Errorf("says %q", s.say.Text())
	}
	s.look()
	if later.Waiting() != 1 {
		t.Errorf("%d looks", later.Waiting())
	}
	uitest.Press(t, env.Window, "Abbrechen")
	later.Run()
	if s.say.Text() != parts.T("screens.doctor.stopped") || len(s.checks) != 0 {
		t.Errorf("says %q", s.say.Text())
	}
	uitest.Press(t, env.Window, "Noch einmal prüfen")
	later.Run()
	if len(s.checks) != len(c.Findings) {
		t.Error("shows nothing")
	}
	uitest.Press(t, env.Window, "Noch einmal prüfen")
	s.Hide()
	later.Run()
	if len(s.checks) != len(c.Findings) || s.cancel != nil {
		t.Error("what was found before is gone")
	}
}

func TestFails(t *testing.T) {
	c := uitest.New("Anna")
	c.Fail["Diagnose"] = errors.New("odd")
	s, env := open(t, c, "de", 800, 600)
	if s.say.Text() != parts.T("screens.code.unknown") {
		t.Errorf("says %q", s.say.Text())
	}
	delete(c.Fail, "Diagnose")
	uitest.Press(t, env.Window, "Noch einmal prüfen")
	if s.say.Text() != "Alles in Ordnung." {
		t.Errorf("says %q", s.say.Text())
	}
}

// everything is every finding there is, each with its most serious look.
func everything() []core.Check {
	var out []core.Check
	for _, check := range core.Checks {
		for _, code := range check.Codes {
			out = append(out, uitest.Finding(check.Name, code, core.LevelBad))
		}
	}
	return out
}

func TestFits(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		for _, size := range []fyne.Size{{Width: 1100, Height: 720}, {Width: 720, Height: 480}, {Width: 380, Height: 400}} {
			c := uitest.New("Anna")
			c.Findings = everything()
			_, env := open(t, c, language, size.Width, size.Height)
			uitest.Overflow(t, env.Window)
			uitest.Reachable(t, env.Window)
		}
	}
}

// TestPicture compares the page with pictures that somebody looked at.
func TestPicture(t *testing.T) {
	for _, p := range []struct {
		name, language, theme string
		size                  fyne.Size
	}{
		{"doctor-light-de", "de", theme.Light, fyne.NewSize(780, 1150)},
		{"doctor-dark-en", "en", theme.Dark, fyne.NewSize(608, 420)},
	} {
		t.Run(p.name, func(t *testing.T) {
			c := uitest.New("Anna")
			c.Findings = uitest.Healthy()
			_, env := open(t, c, p.language, p.size.Width, p.size.Height)
			fyne.CurrentApp().Settings().SetTheme(theme.New(p.theme))
			uitest.Settle(env.Window)
			test.AssertRendersToImage(t, p.name+".png", env.Window.Canvas())
		})
	}
}
