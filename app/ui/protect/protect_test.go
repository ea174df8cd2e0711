package protect_test

import (
	"context"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/test"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/protect"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
	"github.com/kuvert-im/kuvert/app/ui/uitest/guards"
	"github.com/kuvert-im/kuvert/assets/translations"
)

const secret = "Apfel Fenster Donau Kreide"

// gate is a locked profile with its screen.
type gate struct {
	t      *testing.T
	env    parts.Env
	guard  *guards.Guard
	screen *protect.Unlocking
	tries  []string
	fail   error // of what Unlock does besides the passphrase
	opened int
	quits  int
	other  error
}

func locked(t *testing.T, change func(c *protect.UnlockConfig)) *gate {
	g := &gate{t: t, env: uitest.Env(t, uitest.New(""), "de", 1100, 720), guard: &guards.Guard{Passphrase: secret}}
	c := protect.UnlockConfig{
		Window: g.env.Window, Work: g.env.Work, State: protect.State{Passphrase: true, Sheet: true}, Sheet: g.guard,
		Unlock: func(ctx context.Context, p string) error {
			g.tries = append(g.tries, p)
			return errors.Join(g.fail, g.guard.Verify(ctx, p))
		},
		Open: func() { g.opened++ }, Other: func(err error) { g.other = err }, Quit: func() { g.quits++ },
	}
	if change != nil {
		change(&c)
	}
	g.screen = protect.NewUnlocking(c)
	g.env.Window.SetContent(g.screen.Object())
	g.screen.Focus()
	return g
}

func (g *gate) press(text string) { g.t.Helper(); uitest.Press(g.t, g.env.Window, text) }

func (g *gate) sees(text string) {
	g.t.Helper()
	if !uitest.Says(g.env.Window, text) {
		g.t.Errorf("the window does not say %q but %q", text, uitest.Texts(g.env.Window))
	}
}

// types replaces what stands in the field with the keyboard.
func (g *gate) types(text string) {
	g.t.Helper()
	e, ok := g.env.Window.Canvas().Focused().(*protect.Entry)
	if !ok {
		g.t.Fatalf("the keyboard is on %T", g.env.Window.Canvas().Focused())
	}
	e.TypedShortcut(&fyne.ShortcutSelectAll{})
	test.Type(e, text)
}

func (g *gate) key(name fyne.KeyName) {
	g.env.Window.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: name})
}

const wrong = "Diese Passphrase stimmt nicht. Achten Sie auf Groß- und Kleinschreibung, und versuchen Sie es noch einmal."

// TestUnlock: a wrong passphrase is said, a right one opens, both with the keyboard
// alone.
func TestUnlock(t *testing.T) {
	g := locked(t, nil)
	g.key(fyne.KeyReturn)
	g.sees("Geben Sie die Passphrase ein.")
	g.types("falsch")
	g.key(fyne.KeyReturn)
	g.sees(wrong)
	g.types(secret)
	if uitest.Says(g.env.Window, wrong) || uitest.Says(g.env.Window, secret) {
		t.Errorf("the window says %q", uitest.Texts(g.env.Window))
	}
	g.press("Anzeigen")
	g.sees(secret)
	g.press("Öffnen")
	if g.opened != 1 || len(g.tries) != 2 {
		t.Errorf("opened %d after %d tries", g.opened, len(g.tries))
	}
	g.press("Beenden")
	if g.quits != 1 {
		t.Error("no way to quit")
	}
}

// TestSlow: while the key is derived the screen says so, and nothing can be pressed
// a second time.
func TestSlow(t *testing.T) {
	var later uitest.Later
	g := locked(t, func(c *protect.UnlockConfig) { c.Work = later.Work })
	g.types(secret)
	g.key(fyne.KeyReturn)
	g.key(fyne.KeyReturn)
	g.sees("Die Passphrase wird geprüft …")
	if later.Waiting() != 1 || !uitest.Button(t, g.env.Window, "Öffnen").Disabled() || !uitest.Button(t, g.env.Window, "Mit dem Notfallblatt öffnen").Disabled() {
		t.Errorf("%d under way", later.Waiting())
	}
	later.Run()
	if g.opened != 1 {
		t.Error("not opened")
	}
}

// TestOtherFault leads away from the question: the passphrase is not what is wrong.
func TestOtherFault(t *testing.T) {
	g := locked(t, nil)
	g.fail = chat.ErrDiskFull
	g.types(secret)
	g.key(fyne.KeyReturn)
	if !errors.Is(g.other, chat.ErrDiskFull) {
		t.Errorf("other: %v", g.other)
	}
}

// TestSheet opens by a sheet: typed with a mistake, of another profile, right.
func TestSheet(t *testing.T) {
	g := locked(t, nil)
	g.press("Mit dem Notfallblatt öffnen")
	for typed, says := range map[string]string{
		"0123 4567":                "Noch 28 Zeichen.",
		"0123 u":                   "„U“ kommt auf keinem Notfallblatt vor. Vergleichen Sie diese Stelle mit dem Blatt.",
		guards.SheetKey + "Z":      "Ein Zeichen zu viel.",
		guards.SheetKey[:43] + "X": "Mindestens ein Zeichen stimmt nicht. Vergleichen Sie jede Gruppe mit dem Blatt.",
	} {
		g.types(typed)
		g.sees(says)
		if !uitest.Button(t, g.env.Window, "Weiter").Disabled() {
			t.Errorf("%q leads on", typed)
		}
	}
	g.types(strings.Repeat("Z", 36))
	g.key(fyne.KeyReturn)
	g.sees("Dieses Blatt öffnet dieses Profil nicht. Es gehört zu einem anderen, oder Sie haben später ein neueres gemacht.")
	g.types(strings.ToLower(guards.SheetKey))
	g.sees("Vollständig und ohne Tippfehler.")
	g.key(fyne.KeyReturn)
	g.sees("Eine neue Passphrase")
	g.types("neue Wörter für hier")
	g.key(fyne.KeyReturn)
	g.types("neue Wörter für dort")
	g.key(fyne.KeyReturn)
	g.sees("Die beiden Eingaben sind verschieden. Tippen Sie die zweite noch einmal.")
	g.types("neue Wörter für hier")
	g.key(fyne.KeyReturn)
	g.types("neue Wörter für hier")
	g.press("Öffnen")
	if g.guard.Passphrase != "neue Wörter für hier" || g.opened != 1 {
		t.Errorf("opened %d", g.opened)
	}
}

// TestSheetPicture reads the key from a picture that is dragged into the window.
func TestSheetPicture(t *testing.T) {
	g := locked(t, nil)
	g.press("Mit dem Notfallblatt öffnen")
	drop := func(text string) {
		m, err := qr.NewMatrix(text)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "Foto.png")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(png.Encode(f, m.Image(8)), f.Close()); err != nil {
			t.Fatal(err)
		}
		g.screen.Dropped([]fyne.URI{storage.NewFileURI(path)})
	}
	drop("HTTPS://EXAMPLE.ORG/")
	g.sees("Dieser QR-Code ist kein Notfallblatt. Nehmen Sie ein Foto des Codes auf dem Blatt.")
	drop("KUVERT-NOTFALL:" + strings.ReplaceAll(guards.SheetKey, " ", ""))
	g.sees("Vollständig und ohne Tippfehler.")
	g.press("Weiter")
	g.sees("Eine neue Passphrase")
}

// TestKeyring: what the keyring does not open is said, with what to do.
func TestKeyring(t *testing.T) {
	only := func(why error, sheet bool) func(c *protect.UnlockConfig) {
		return func(c *protect.UnlockConfig) {
			c.State, c.Why = protect.State{Keyring: true, Sheet: sheet}, why
		}
	}
	g := locked(t, only(chat.ErrNoKeyring, true))
	g.sees("Der Schlüsselbund dieses Computers fehlt, ist gesperrt oder antwortet nicht. Melden Sie sich neu an, oder entsperren Sie ihn, und versuchen Sie es dann noch einmal.")
	g.guard.Fail = chat.ErrNoKeyring
	g.press("Erneut versuchen")
	g.sees("Er hat das Profil noch immer nicht geöffnet.")
	g.guard.Fail, g.guard.Passphrase = nil, ""
	g.press("Erneut versuchen")
	if g.opened != 1 {
		t.Error("not opened")
	}
	g = locked(t, only(chat.ErrKeyringEmpty, true))
	g.press("Mit dem Notfallblatt öffnen")
	g = locked(t, only(chat.ErrKeyringEmpty, false))
	g.sees("Ohne Notfallblatt hilft nur eine ältere Fassung des Schlüsselbunds, zum Beispiel aus einer Sicherung des Computers. Ihre Daten sind noch da; löschen Sie nichts.")
	g = locked(t, func(c *protect.UnlockConfig) { c.State.Keyring, c.Why = true, chat.ErrNoKeyring })
	g.sees("Der Schlüsselbund dieses Computers fehlt, ist gesperrt oder antwortet nicht.")
	g.types(secret)
	g.key(fyne.KeyReturn)
	if g.opened != 1 {
		t.Error("the passphrase does not open beside a keyring that does not answer")
	}
}

// TestFits: every question in both languages and sizes, no word cut off, with the
// keyboard everywhere.
func TestFits(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		for _, size := range []fyne.Size{{Width: 1100, Height: 720}, {Width: 680, Height: 400}} {
			for _, state := range []protect.State{{Passphrase: true}, {Passphrase: true, Sheet: true}, {Keyring: true}, {Keyring: true, Sheet: true}} {
				for _, running := range []bool{false, true} {
					g := locked(t, func(c *protect.UnlockConfig) {
						if err := translations.Register(language); err != nil {
							t.Fatal(err)
						}
						c.State, c.Running, c.Why = state, running, chat.ErrKeyringEmpty
						c.Window.Resize(size)
					})
					fits(t, g.env.Window)
					if !state.Sheet {
						continue
					}
					g.press(parts.T("protect.sheet.open"))
					fits(t, g.env.Window)
					g.types(guards.SheetKey)
					g.key(fyne.KeyReturn)
					fits(t, g.env.Window)
				}
			}
		}
	}
}

func fits(t *testing.T, w fyne.Window) {
	t.Helper()
	uitest.Overflow(t, w)
	uitest.Reachable(t, w)
}

// TestPictures compares the screens with pictures that somebody looked at.
func TestPictures(t *testing.T) {
	for _, c := range []struct {
		name, language, theme string
		then                  func(g *gate)
	}{
		{"unlock-light-de", "de", theme.Light, func(g *gate) { g.types("falsch"); g.key(fyne.KeyReturn) }},
		{"sheet-dark-en", "en", theme.Dark, func(g *gate) {
			g.press(parts.T("protect.sheet.open"))
			g.types(guards.SheetKey[:29])
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := locked(t, func(k *protect.UnlockConfig) {
				if err := translations.Register(c.language); err != nil {
					t.Fatal(err)
				}
				fyne.CurrentApp().Settings().SetTheme(theme.New(c.theme))
				k.Window.Resize(fyne.NewSize(720, 480))
			})
			c.then(g)
			g.env.Window.Canvas().Unfocus()
			test.AssertRendersToImage(t, c.name+".png", g.env.Window.Canvas())
		})
	}
}

// TestCopyNothing: a hidden passphrase does not get into the clipboard.
func TestCopyNothing(t *testing.T) {
	g := locked(t, nil)
	g.types(secret)
	clip := fyne.CurrentApp().Clipboard()
	clip.SetContent("before")
	e, ok := g.env.Window.Canvas().Focused().(*protect.Entry)
	if !ok {
		t.Fatal("no field")
	}
	e.TypedShortcut(&fyne.ShortcutSelectAll{})
	e.TypedShortcut(&fyne.ShortcutCopy{Clipboard: clip})
	e.TypedShortcut(&fyne.ShortcutCut{Clipboard: clip})
	if clip.Content() != "before" {
		t.Error("the passphrase is in the clipboard")
	}
}
