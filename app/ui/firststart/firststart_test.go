package firststart

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
	"github.com/kuvert-im/kuvert/assets/translations"
)

type world struct {
	t       *testing.T
	env     parts.Env
	screen  *Screen
	created []Answers
	fail    error
	done    []bool
	keyring error // what it answers
	sheets  []string
	saved   []string
	printed int

	look     error // of a look at the backup, and of a restore
	lost     error
	restored []string // passphrases of the profiles made of one
}

const passphrase = "Apfel Fenster Donau Kreide"

func open(t *testing.T, work func(func(ctx context.Context) func())) *world {
	w := &world{t: t, env: uitest.Env(t, uitest.New(""), "de", 1100, 720)}
	if work == nil {
		work = uitest.Inline
	}
	w.screen = Open(Config{
		Window: w.env.Window, Work: work, Language: "de",
		SetLanguage: func(l string) {
			if err := translations.Register(l); err != nil {
				t.Error(err)
			}
		},
		Create: func(_ context.Context, a Answers) error {
			w.created = append(w.created, a)
			return w.fail
		},
		Keyring: func(context.Context) error { return w.keyring },
		Sheet: func(_ context.Context, a Answers) ([]byte, error) {
			w.sheets = append(w.sheets, a.Passphrase)
			return []byte("%PDF"), nil
		},
		OpenPDF: func([]byte) error { w.printed++; return nil },
		SavePDF: func(name string, _ []byte) (string, error) {
			w.saved = append(w.saved, name)
			return "/home/x/" + name, nil
		},
		PickBackup: func(chosen func(string)) { chosen("/media/usb/alles.age") }, Show: func(f func()) { f() },
		Now: func() time.Time { return uitest.Now },
		Look: func(_ context.Context, src core.RestoreSource) (core.BackupSeen, error) {
			return core.BackupSeen{MadeAt: uitest.Now.Add(-time.Hour), Parts: 1}, w.look
		},
		Restore: func(ctx context.Context, src core.RestoreSource, a Answers) (core.Restored, error) {
			src.Progress(34)
			if err := errors.Join(w.lost, ctx.Err()); err != nil {
				return core.Restored{}, err
			}
			w.restored = append(w.restored, a.Passphrase)
			return core.Restored{Name: "Sabine Krüger", MadeAt: uitest.Now.Add(-time.Hour), Contacts: 14, Messages: 3201, Files: 1}, nil
		},
		Done: func(_ Answers, add bool) { w.done = append(w.done, add) },
	})
	return w
}

func (w *world) press(text string) { w.t.Helper(); uitest.Press(w.t, w.env.Window, text) }

func (w *world) sees(text string) {
	w.t.Helper()
	if !uitest.Says(w.env.Window, text) {
		w.t.Errorf("the window does not say %q but %q", text, uitest.Texts(w.env.Window))
	}
}

// TestThrough goes through all six steps.
func TestThrough(t *testing.T) {
	w := open(t, nil)
	w.sees("Willkommen bei Kuvert")
	w.press("Einrichten")
	w.sees("Schritt 2 von 6")
	test.Type(w.env.Window.Canvas().Focused(), "  Sabine Krüger ")
	w.press("Weiter")
	w.sees("Nur in diesem Netzwerk")
	w.press("Weiter")
	w.sees("Ihre Daten auf diesem Computer")
	if len(w.created) != 0 {
		t.Fatal("a profile was made before the person was through")
	}
	w.sees("Ohne Passphrase: Dieser Computer merkt sich den Schlüssel")
	w.press("Profil anlegen")
	w.sees("Notfallblatt")
	w.press("Als PDF speichern")
	w.press("Öffnen und drucken")
	if len(w.sheets) != 1 || len(w.saved) != 1 || w.saved[0] != "Kuvert-Notfallblatt.pdf" || w.printed != 1 {
		t.Errorf("sheets %q, saved %q, printed %d", w.sheets, w.saved, w.printed)
	}
	w.press("Weiter")
	w.sees("Ihr erster Kontakt")
	if want := (Answers{Name: "Sabine Krüger", Language: "de", LANOnly: true}); len(w.created) != 1 || w.created[0] != want {
		t.Errorf("created %+v, want %+v", w.created, want)
	}
	w.press("Kontakt hinzufügen")
	w.press("Später")
	if len(w.done) != 2 || !w.done[0] || w.done[1] {
		t.Errorf("done: %v", w.done)
	}
}

// TestByKeyboard goes through with keys alone.
func TestByKeyboard(t *testing.T) {
	w := open(t, nil)
	c := w.env.Window.Canvas()
	key := func(n fyne.KeyName) { c.Focused().TypedKey(&fyne.KeyEvent{Name: n}) }
	key(fyne.KeyReturn)
	test.Type(c.Focused(), "Jörg")
	key(fyne.KeyReturn)
	for {
		if _, ok := c.Focused().(*parts.Choice); ok {
			break
		}
		test.FocusNext(c)
	}
	key(fyne.KeyDown)
	for {
		if b, ok := c.Focused().(*parts.Button); ok && b.Text == "Weiter" {
			break
		}
		test.FocusNext(c)
	}
	key(fyne.KeyReturn)
	key(fyne.KeyReturn)
	for {
		if b, ok := c.Focused().(*parts.Button); ok && b.Text == "Später, in den Einstellungen" {
			break
		}
		test.FocusNext(c)
	}
	key(fyne.KeySpace)
	if want := (Answers{Name: "Jörg", Language: "de"}); len(w.created) != 1 || w.created[0] != want {
		t.Fatalf("created %+v, want %+v", w.created, want)
	}
	key(fyne.KeySpace)
	if len(w.done) != 1 || !w.done[0] {
		t.Errorf("done: %v", w.done)
	}
}

func TestBadNames(t *testing.T) {
	for name, sentence := range map[string]string{
		"":                      "Bitte geben Sie einen Namen ein.",
		"   ":                   "Bitte geben Sie einen Namen ein.",
		strings.Repeat("ä", 65): "Der Name ist zu lang. Bitte kürzen Sie ihn.",
		"a\u0007b":              "Der Name enthält Zeichen, die sich nicht anzeigen lassen. Bitte entfernen Sie sie.",
		"a\xffb":                "Der Name enthält Zeichen, die sich nicht anzeigen lassen. Bitte entfernen Sie sie.",
	} {
		w := open(t, nil)
		w.press("Einrichten")
		w.screen.name.SetText(name)
		w.press("Weiter")
		if w.screen.step != stepName || w.screen.say.Text() != sentence {
			t.Errorf("%q: step %d, says %q", name, w.screen.step, w.screen.say.Text())
		}
		w.screen.name.SetText("Sabine")
		if w.screen.say.Text() != "" {
			t.Error("the sentence stays while the name is being mended")
		}
	}
}

// TestLanguage: the card speaks the new language at once, and keeps the name.
func TestLanguage(t *testing.T) {
	w := open(t, nil)
	w.press("Einrichten")
	w.screen.name.SetText("Sabine")
	var sel *widget.Select
	uitest.All(w.env.Window, func(o fyne.CanvasObject, _ fyne.Position) {
		if s, ok := o.(*widget.Select); ok {
			sel = s
		}
	})
	sel.SetSelected("English")
	w.sees("What is your name?")
	w.sees("Sabine")
	if w.screen.Answers().Language != "en" {
		t.Errorf("answers %+v", w.screen.Answers())
	}
}

func TestCreateFails(t *testing.T) {
	for _, c := range []struct {
		err  error
		says string
	}{
		{chat.ErrDiskFull, "Die Festplatte ist voll. Geben Sie etwas Platz frei, und versuchen Sie es noch einmal."},
		{chat.ErrProfileBusy, "Kuvert läuft schon mit diesem Profil. Schließen Sie das andere Fenster, und versuchen Sie es noch einmal."},
		{errors.New("odd"), "Kuvert konnte Ihr Profil nicht anlegen. Prüfen Sie, ob auf der Festplatte Platz ist und ob Sie in Ihrem Benutzerordner schreiben dürfen."},
	} {
		w := open(t, nil)
		w.fail = c.err
		w.screen.answers.Name = "Sabine"
		w.screen.goTo(stepProtect)
		w.press("Profil anlegen")
		if w.screen.step != stepProtect || w.screen.say.Text() != c.says {
			t.Errorf("%v: step %d, says %q", c.err, w.screen.step, w.screen.say.Text())
		}
		w.fail = nil
		w.press("Profil anlegen")
		if w.screen.step != stepSheet {
			t.Errorf("%v: no second try", c.err)
		}
	}
}

// TestCreateOnce: a second click while the profile is being made makes no second
// one, and there is no way back meanwhile.
func TestCreateOnce(t *testing.T) {
	var later uitest.Later
	w := open(t, later.Work)
	w.screen.answers.Name = "Sabine"
	w.screen.goTo(stepProtect)
	w.sees("Kuvert sieht nach, was dieser Computer kann …")
	later.Run()
	w.press("Profil anlegen")
	w.screen.create()
	if !w.screen.back.Disabled() || later.Waiting() != 1 {
		t.Errorf("back disabled %v, %d wait", w.screen.back.Disabled(), later.Waiting())
	}
	w.sees("Ihre Schlüssel werden erzeugt …")
	later.Run()
	if len(w.created) != 1 || w.screen.step != stepSheet {
		t.Errorf("created %d times, step %d", len(w.created), w.screen.step)
	}
}

// TestFits: every step, in both languages and at both sizes, without a word that
// is cut off, and with the keyboard everywhere.
func TestFits(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		for _, size := range []fyne.Size{{Width: 1100, Height: 720}, {Width: 680, Height: 400}} {
			w := open(t, nil)
			if err := translations.Register(language); err != nil {
				t.Fatal(err)
			}
			w.env.Window.Resize(size)
			for _, unfit := range []error{nil, chat.ErrNoKeyring, chat.ErrPassphraseNeeded} {
				w.screen.keyring.told(unfit)
				for step := range steps {
					w.screen.answers.Name = "Sabine Krüger"
					w.screen.goTo(step)
					uitest.Overflow(t, w.env.Window)
					uitest.Reachable(t, w.env.Window)
				}
			}
		}
	}
}

// TestPassphrase: where no keyring can open the profile, the step says why and asks
// for a passphrase, twice; it is not shown unless the person wants it.
func TestPassphrase(t *testing.T) {
	for err, says := range map[error]string{
		chat.ErrNoKeyring:        "Der Schlüsselbund dieses Computers fehlt, ist gesperrt oder antwortet nicht. Wählen Sie deshalb eine Passphrase. Kuvert fragt bei jedem Start nach ihr.",
		chat.ErrPassphraseNeeded: "Auf diesem Computer gibt es unter Ihrer Anmeldung schon ein Kuvert-Profil. Jedes braucht seine eigene Passphrase. Wählen Sie deshalb eine Passphrase. Kuvert fragt bei jedem Start nach ihr.",
	} {
		w := open(t, nil)
		w.keyring = err
		w.screen.answers.Name = "Sabine"
		w.screen.goTo(stepProtect)
		w.sees(says)
		c := w.env.Window.Canvas()
		for _, try := range [][2]string{
			{"", "Geben Sie die Passphrase ein."},
			{"kurz", "Zu kurz: Nehmen Sie mindestens 8 Zeichen."},
			{passphrase, "Geben Sie die neue Passphrase auch im zweiten Feld ein."},
		} {
			w.screen.pair.Clear()
			c.Focus(w.screen.pair.First())
			test.Type(c.Focused(), try[0])
			w.press("Profil anlegen")
			if got := w.screen.say.Text(); got != try[1] || len(w.created) > 0 {
				t.Errorf("%q: says %q", try[0], got)
			}
		}
		w.sees("Sehr gut.")
		if uitest.Says(w.env.Window, passphrase) {
			t.Error("the passphrase can be read")
		}
		w.press("Anzeigen")
		w.sees(passphrase)
		w.screen.pair.Set(passphrase)
		w.press("Profil anlegen")
		if len(w.created) != 1 || w.created[0].Passphrase != passphrase || w.screen.step != stepSheet {
			t.Fatalf("created %d, step %d", len(w.created), w.screen.step)
		}
		w.press("Als PDF speichern")
		if len(w.sheets) != 1 || w.sheets[0] != passphrase {
			t.Errorf("%d sheets", len(w.sheets))
		}
	}
}

// TestPassphraseWithKeyring: who chooses a passphrase gets one, and who goes back to
// the keyring gets none.
func TestPassphraseWithKeyring(t *testing.T) {
	w := open(t, nil)
	w.screen.answers.Name = "Sabine"
	w.screen.goTo(stepProtect)
	choose := func(i int) {
		n := 0
		uitest.All(w.env.Window, func(o fyne.CanvasObject, _ fyne.Position) {
			if c, ok := o.(*parts.Choice); ok {
				if n == i {
					c.Tapped(nil)
				}
				n++
			}
		})
	}
	choose(1)
	w.screen.pair.Set(passphrase)
	choose(0)
	w.press("Profil anlegen")
	if len(w.created) != 1 || w.created[0].Passphrase != "" {
		t.Errorf("created %d with a passphrase", len(w.created))
	}
	w.screen.goTo(stepProtect)
	choose(1)
	w.screen.pair.Set(passphrase)
	w.press("Profil anlegen")
	if len(w.created) != 2 || w.created[1].Passphrase != passphrase {
		t.Errorf("created %d", len(w.created))
	}
}
