package contacted

import (
	"errors"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

func open(t *testing.T, c *uitest.Client, language string, w, h float32) (*Screen, parts.Env) {
	env := uitest.Env(t, c, language, w, h)
	s := New(env)
	env.Window.SetContent(s.Object())
	s.Show()
	return s, env
}

// TestKinds: each kind that the core knows has its place, a title and both
// sentences in both languages.
func TestKinds(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		uitest.Env(t, uitest.New("x"), language, 100, 100)
		if len(kinds) != len(core.ContactedKinds) {
			t.Errorf("%d kinds of %d", len(kinds), len(core.ContactedKinds))
		}
		for _, k := range core.ContactedKinds {
			for _, key := range []string{kindTitles[k], "contacted." + k + ".why", "contacted." + k + ".learns"} {
				if got := parts.T(key); got == key || got == "" {
					t.Errorf("%s: no text for %q of %s", language, key, k)
				}
			}
		}
	}
}

func TestEmpty(t *testing.T) {
	_, env := open(t, uitest.New("Anna"), "de", 800, 600)
	for _, want := range []string{parts.T("screens.contacted.none"), parts.T("screens.contacted.text")} {
		if !uitest.Says(env.Window, want) {
			t.Errorf("does not say %q", want)
		}
	}
}

func TestGroups(t *testing.T) {
	c := uitest.New("Anna")
	c.Machines = []core.Contacted{
		{Kind: "stranger", Addr: "192.168.1.77:5000", First: uitest.Now.Add(-time.Hour), Last: uitest.Now.Add(-time.Hour), Count: 1},
		{Kind: "person", Name: "Sabine", Addr: "192.168.1.3:47821", First: uitest.Now.Add(-26 * time.Hour), Last: uitest.Now.Add(-time.Minute), Count: 12},
	}
	s, env := open(t, c, "de", 800, 600)
	for _, want := range []string{
		"Computer Ihrer Kontakte (1 Adresse)", "Sabine", "192.168.1.3:47821 · 12-mal, zuerst gestern um 07:41, zuletzt heute um 09:40",
		"Unbekannte Computer (1 Adresse)", "192.168.1.77:5000", "heute um 08:41",
	} {
		if !uitest.Says(env.Window, want) {
			t.Errorf("does not say %q; says %q", want, uitest.Texts(env.Window))
		}
	}
	if len(s.lines) != 4 || s.lines[0].kind != "person" {
		t.Errorf("lines %+v", s.lines)
	}
	c.Change(func(c *uitest.Client) { c.Machines = nil })
	s.Changed([]event.Event{{Kind: event.NetworkChanged}})
	if len(s.lines) != 0 || !s.none.Visible() {
		t.Error("shows what is gone")
	}
}

func TestFails(t *testing.T) {
	c := uitest.New("Anna")
	c.Fail["Contacted"] = errors.New("odd")
	s, _ := open(t, c, "de", 800, 600)
	if s.say.Text() != parts.T("screens.code.unknown") {
		t.Errorf("says %q", s.say.Text())
	}
}

// TestMany: of 500 machines only what is on screen is built, and scrolling to the
// end shows the last one.
func TestMany(t *testing.T) {
	c := uitest.New("Anna")
	c.Machines = uitest.Contacts24h(500)
	s, env := open(t, c, "de", 800, 600)
	if n := len(uitest.Texts(env.Window)); n > 150 {
		t.Errorf("%d texts for one screen", n)
	}
	start := time.Now()
	for y := range 200 {
		s.list.ScrollToOffset(float32(y) * 100)
	}
	t.Logf("a step of scrolling takes %v", time.Since(start)/200)
	s.list.ScrollToBottom()
	last := s.lines[len(s.lines)-1].machine.Addr
	if !uitest.Says(env.Window, last) {
		t.Errorf("the end does not show %s", last)
	}
}

func TestFits(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		for _, size := range []fyne.Size{{Width: 1100, Height: 720}, {Width: 720, Height: 480}, {Width: 380, Height: 400}} {
			c := uitest.New("Anna")
			c.Machines = uitest.Contacts24h(30)
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
		{"contacted-light-de", "de", theme.Light, fyne.NewSize(780, 660)},
		{"contacted-dark-en", "en", theme.Dark, fyne.NewSize(608, 420)},
	} {
		t.Run(p.name, func(t *testing.T) {
			c := uitest.New("Anna")
			c.Machines = uitest.Contacts24h(25)
			s, env := open(t, c, p.language, p.size.Width, p.size.Height)
			fyne.CurrentApp().Settings().SetTheme(theme.New(p.theme))
			uitest.Settle(env.Window)
			s.list.Refresh()
			test.AssertRendersToImage(t, p.name+".png", env.Window.Canvas())
		})
	}
}
