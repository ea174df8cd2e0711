package rights

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/protect"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

const thomas = "Thomas Weiß"

type world struct {
	t      *testing.T
	client *uitest.Client
	cfg    Config
	dir    string
	opened []string
}

func open(t *testing.T, language string, w, h float32) *world {
	x := &world{t: t, client: uitest.Office(0), dir: t.TempDir()}
	x.client.Held, x.client.Log = uitest.SampleHoldings(), uitest.SampleLog()
	x.cfg = Config{
		Env:        uitest.Env(t, x.client, language, w, h),
		Protection: func(context.Context) (protect.State, error) { return protect.State{Keyring: true}, nil },
		Open:       func(path string) error { x.opened = append(x.opened, path); return nil },
		Save: func(name string, data []byte) (string, error) {
			path := filepath.Join(x.dir, name)
			return path, os.WriteFile(path, data, 0o600)
		},
		Folder: func(name string) (string, error) { return filepath.Join(x.dir, name), nil },
	}
	x.cfg.Window.SetContent(parts.Column(0))
	return x
}

func (x *world) page() *Screen {
	s := New(x.cfg)
	x.cfg.Window.SetContent(s.Object())
	s.Show()
	return s
}

func (x *world) who() Subject { return Subject{ID: uitest.Person(thomas), Name: thomas} }

func (x *world) says(text string) {
	x.t.Helper()
	if !uitest.Says(x.cfg.Window, text) {
		x.t.Errorf("does not say %q but %q", text, uitest.Texts(x.cfg.Window))
	}
}

func (x *world) saysNot(text string) {
	x.t.Helper()
	if uitest.Says(x.cfg.Window, text) {
		x.t.Errorf("says %q", text)
	}
}

func (x *world) press(text string) { x.t.Helper(); uitest.Press(x.t, x.cfg.Window, text) }

// files are the names of what lies in the folder for downloads.
func (x *world) files() (names []string) {
	x.t.Helper()
	err := filepath.WalkDir(x.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(path, x.dir+string(filepath.Separator)))
		}
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return names
}

// TestTable: what is kept is shown with its number and since when, as far as that is
// known; what there is nothing of is not.
func TestTable(t *testing.T) {
	x := open(t, "de", 800, 600)
	x.page()
	for _, s := range []string{"Nachrichten und Hinweise", "12.345", "21.04.2025", "Kontakte", "24 Stunden."} {
		x.says(s)
	}
	x.saysNot("Kontaktanfragen")
	x.client.Change(func(c *uitest.Client) { c.Held = nil })
	x.page()
	x.says("Noch nichts.")
}

// TestKindsHaveWords: whatever the core counts, in both languages.
func TestKindsHaveWords(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		open(t, language, 100, 100)
		for _, h := range uitest.SampleHoldings() {
			for _, key := range []string{"gdpr.kept." + h.Kind, "gdpr.kept." + h.Kind + ".how"} {
				if parts.T(key) == key {
					t.Errorf("%s: no words for %s", language, key)
				}
			}
		}
	}
}

func TestExport(t *testing.T) {
	for _, everybody := range []bool{true, false} {
		x := open(t, "de", 800, 600)
		x.page()
		if everybody {
			x.press("Alles ausgeben…")
		} else {
			who := x.who()
			AskExport(x.cfg, &who)
			x.says("Daten von Thomas Weiß ausgeben?")
		}
		if len(x.files()) != 0 {
			t.Fatal("written before the question was answered")
		}
		x.press("Ausgeben")
		x.says("Ausgegeben und geprüft")
		dir := filepath.Join(x.dir, "Kuvert-Auskunft 2025-11-24")
		if !everybody {
			dir = filepath.Join(x.dir, "Kuvert-Auskunft Thomas Weiß 2025-11-24")
		}
		x.says(dir)
		data, err := os.ReadFile(filepath.Join(dir, "data.json"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), "noch einmal an und frage nach einem anderen Termin") || strings.Contains(string(data), "Kündigungsfrist") != everybody {
			t.Errorf("everybody %v: holds the wrong messages", everybody)
		}
		x.press("Ordner öffnen")
		if !slices.Equal(x.opened, []string{dir}) {
			t.Errorf("opened %q", x.opened)
		}
		x.press("Schließen")
		x.saysNot("Ausgegeben und geprüft")
	}
}

// TestExportFails: half of an answer is none.
func TestExportFails(t *testing.T) {
	x := open(t, "de", 800, 600)
	x.client.Fail["ErasureLog"] = errors.New("odd") // asked for last
	who := x.who()
	AskExport(x.cfg, &who)
	x.press("Ausgeben")
	x.says("Nicht ausgegeben")
	if left := x.files(); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

// TestExportCancelled: cancelling is possible all the time, and leaves nothing.
func TestExportCancelled(t *testing.T) {
	x := open(t, "de", 800, 600)
	var later uitest.Later
	x.cfg.Work = later.Work
	who := x.who()
	AskExport(x.cfg, &who)
	x.press("Ausgeben")
	x.says("Wird ausgegeben …")
	x.press("Abbrechen")
	later.Run()
	x.saysNot("Wird ausgegeben …")
	if left, err := os.ReadDir(x.dir); err != nil || len(left) != 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}

// TestProgress: however many messages there are, one look at a time is on its way.
func TestProgress(t *testing.T) {
	x := open(t, "de", 800, 600)
	var later uitest.Later
	x.cfg.Work = later.Work
	e := &exporting{cfg: x.cfg, bar: widget.NewProgressBar(), count: parts.Muted("")}
	for i := range int64(1000) {
		e.progress(i+1, 1500)
	}
	if later.Waiting() != 1 {
		t.Errorf("%d looks are queued", later.Waiting())
	}
	later.Run()
	if e.count.Text() != "1.000 von 1.500 Nachrichten und Hinweisen" || e.bar.Value < 0.66 || e.bar.Value > 0.67 {
		t.Errorf("says %q, bar at %f", e.count.Text(), e.bar.Value)
	}
}

// TestErase: nothing goes before the question is answered; the reason is noted.
func TestErase(t *testing.T) {
	for choice, reason := range []core.ErasureReason{core.ErasedByChoice, core.ErasedOnRequest} {
		x := open(t, "de", 800, 700)
		done := 0
		ask := func() { AskErase(x.cfg, x.who(), func() { done++ }) }
		ask()
		x.says("Thomas Weiß löschen?")
		x.press("Abbrechen")
		if done != 0 || len(x.client.Called()) != 0 {
			t.Fatalf("calls %q", x.client.Called())
		}
		ask()
		uitest.All(x.cfg.Window, func(o fyne.CanvasObject, _ fyne.Position) {
			if c, ok := o.(*parts.Choice); ok && strings.HasPrefix(c.AccessibilityLabel(), []string{"Eigene", "Die Person"}[choice]) {
				test.Tap(c)
			}
		})
		x.press("Endgültig löschen")
		if want := []string{"Erase " + thomas + " " + string(reason)}; done != 1 || !slices.Equal(x.client.Called(), want) {
			t.Errorf("done %d, calls %q, want %q", done, x.client.Called(), want)
		}
		x.says("Thomas Weiß ist gelöscht")
		x.press("Schließen")
		if n := len(x.cfg.Window.Canvas().Overlays().List()); n != 0 {
			t.Errorf("%d dialogs are left", n)
		}
	}
}

// TestEraseSaysWhatItDoes: the sentence names the person and how much goes.
func TestEraseSaysWhatItDoes(t *testing.T) {
	x := open(t, "de", 800, 700)
	AskErase(x.cfg, x.who(), func() {})
	all := strings.Join(uitest.Texts(x.cfg.Window), " ")
	for _, s := range []string{"Sie löschen Thomas Weiß", "Nachrichten und Hinweise", "behält die eigenen Kopien", "Sicherungen", "Löschprotokoll"} {
		if !strings.Contains(all, s) {
			t.Errorf("%q is missing in %q", s, all)
		}
	}
	if strings.Contains(all, "no value") || strings.Contains(all, "{{") {
		t.Errorf("not filled in: %q", all)
	}
}

func TestEraseFails(t *testing.T) {
	x := open(t, "de", 800, 700)
	x.client.Fail["Erase"] = chat.ErrDiskFull
	AskErase(x.cfg, x.who(), func() { t.Error("done") })
	x.press("Endgültig löschen")
	x.says("Nicht gelöscht")
	x.says(parts.T("screens.code.diskfull"))
	x.client.Fail["PersonRecord"] = chat.ErrNotFound
	AskErase(x.cfg, x.who(), nil)
	x.says(parts.T("screens.contact.gone"))
}

func TestErasedSays(t *testing.T) {
	open(t, "de", 100, 100)
	got := erased(core.Erased{Messages: 1, Files: 2, Queues: 1, Entry: core.ErasureEntry{Number: 7}})
	for _, s := range []string{"1 Nachricht oder Hinweis", "2 Dateien", "Eintrag 7", "Briefkästen", "Reste"} {
		if !strings.Contains(got, s) {
			t.Errorf("%q is missing in %q", s, got)
		}
	}
}

func TestDocuments(t *testing.T) {
	x := open(t, "de", 800, 600)
	s := x.page()
	test.Tap(s.documents.buttons[0])
	s.documents.lang.SetSelected("English")
	test.Tap(s.documents.buttons[4])
	want := []string{"Merkblatt für einen verlorenen Computer (en).pdf", "Verzeichnis von Verarbeitungstätigkeiten (de).pdf"}
	if got := x.files(); !slices.Equal(got, want) {
		t.Errorf("saved %q", got)
	}
	for _, n := range want {
		if b, err := os.ReadFile(filepath.Join(x.dir, n)); err != nil || !strings.HasPrefix(string(b), "%PDF-") {
			t.Errorf("%s: %v", n, err)
		}
	}
	x.press("Öffnen")
	if !slices.Equal(x.opened, []string{filepath.Join(x.dir, want[0])}) {
		t.Errorf("opened %q", x.opened)
	}
	x.press("Alle speichern")
	if got := x.files(); len(got) != 2+10 {
		t.Errorf("saved %q", got)
	}
	x.press("Alle speichern") // the folder is taken by now
	if got := s.documents.say.Text(); got != parts.T("screens.add.save.failed") {
		t.Errorf("says %q", got)
	}
}

// TestDocumentsSayWhatOpens: the documents are filled with how the profile opens.
func TestDocumentsSayWhatOpens(t *testing.T) {
	x := open(t, "de", 800, 600)
	x.cfg.Protection = func(context.Context) (protect.State, error) { return protect.State{Passphrase: true, Sheet: true}, nil }
	f, err := gather(t.Context(), x.cfg)
	if err != nil || !f.Passphrase || !f.Sheet || f.Keyring || f.KeyFile {
		t.Errorf("%+v, %v", f, err)
	}
	x.cfg.Protection = func(context.Context) (protect.State, error) { return protect.State{}, errors.New("odd") }
	s := x.page()
	test.Tap(s.documents.buttons[0])
	if len(x.files()) != 0 || s.documents.say.Text() != parts.T("screens.code.unknown") {
		t.Errorf("saved %q, says %q", x.files(), s.documents.say.Text())
	}
}

func TestLog(t *testing.T) {
	x := open(t, "de", 800, 600)
	s := x.page()
	x.says(parts.T("rights.log.valid"))
	x.says("Kontaktanfrage gelöscht, auf Verlangen der Person (Art. 17 DSGVO)")
	x.press("Als PDF speichern")
	if got := x.files(); !slices.Equal(got, []string{"Kuvert-Löschprotokoll 2025-11-24.pdf"}) {
		t.Errorf("saved %q", got)
	}
	x.client.Change(func(c *uitest.Client) { c.Log.Entries = c.Log.Entries[1:] })
	s.Changed([]event.Event{{Kind: event.ContactChanged}})
	x.says(parts.T("rights.log.changed"))
	x.saysNot(parts.T("rights.log.valid"))
	x.client.Change(func(c *uitest.Client) { c.Log = core.ErasureLog{} })
	s.Show()
	x.says(parts.T("rights.log.none"))
	if !s.log.save.Disabled() {
		t.Error("an empty log can be saved")
	}
	x.client.Fail["ErasureLog"] = errors.New("odd")
	s.Show()
	x.says(parts.T("rights.log.unreadable"))
	x.saysNot(parts.T("rights.log.none"))
}

// TestLongLog: the page stays short.
func TestLongLog(t *testing.T) {
	x := open(t, "de", 800, 600)
	for len(x.client.Log.Entries) < logShown+5 {
		x.client.Log.Entries = append(x.client.Log.Entries, x.client.Log.Entries[0])
	}
	s := x.page()
	if n := len(s.log.list.Objects); n != logShown+1 {
		t.Errorf("%d lines", n)
	}
	x.says("und 5 ältere Einträge")
}

func TestFits(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		for _, size := range []fyne.Size{{Width: 1100, Height: 720}, {Width: 680, Height: 400}, {Width: 380, Height: 400}} {
			x := open(t, language, size.Width, size.Height)
			s := x.page()
			test.Tap(s.documents.buttons[0])
			uitest.Overflow(t, x.cfg.Window)
			uitest.Reachable(t, x.cfg.Window)
			who := Subject{ID: uitest.Person(thomas), Name: "Aylin Yılmaz-Hohenstein – Einkauf und Logistik"}
			AskErase(x.cfg, who, func() {})
			x.inside()
			AskExport(x.cfg, &who)
			x.inside()
			x.press(parts.T("rights.export.do"))
			x.inside()
		}
	}
}

// inside: the uppermost dialog lies within the window, with all its buttons.
func (x *world) inside() {
	x.t.Helper()
	uitest.Overflow(x.t, x.cfg.Window)
	size := x.cfg.Window.Canvas().Size()
	dialog := false // what is drawn after the page
	uitest.All(x.cfg.Window, func(o fyne.CanvasObject, at fyne.Position) {
		if _, ok := o.(*widget.PopUp); ok {
			dialog = true
		}
		if b, ok := o.(*parts.Button); ok && dialog && (at.Y < 0 || at.Y+b.Size().Height > size.Height) {
			x.t.Errorf("%v: the button %q lies at %.0f to %.0f", size, b.Text, at.Y, at.Y+b.Size().Height)
		}
	})
}

// TestPictures compares with pictures that somebody looked at.
func TestPictures(t *testing.T) {
	for _, p := range []struct {
		name, language, theme string
		size                  fyne.Size
		erase                 bool
	}{
		{"rights-light-de", "de", theme.Light, fyne.NewSize(760, 720), false},
		{"rights-dark-en", "en", theme.Dark, fyne.NewSize(608, 400), false},
		{"erase-dark-de", "de", theme.Dark, fyne.NewSize(760, 720), true},
		{"erase-small-en", "en", theme.Light, fyne.NewSize(680, 400), true},
	} {
		t.Run(p.name, func(t *testing.T) {
			x := open(t, p.language, p.size.Width, p.size.Height)
			x.page()
			fyne.CurrentApp().Settings().SetTheme(theme.New(p.theme))
			if p.erase {
				AskErase(x.cfg, x.who(), nil)
			}
			uitest.Settle(x.cfg.Window)
			test.AssertRendersToImage(t, p.name+".png", x.cfg.Window.Canvas())
		})
	}
}
