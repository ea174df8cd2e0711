package settings

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/protect"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

const secret = "Apfel Fenster Donau Kreide"

func protected(t *testing.T, is protect.State) *world {
	w := show(t)
	w.guard.Is = is
	if is.Passphrase {
		w.guard.Passphrase = secret
	}
	w.screen.Show()
	return w
}

func (w *world) press(text string) { w.t.Helper(); uitest.Press(w.t, w.env.Window, text) }

func (w *world) sees(text string) {
	w.t.Helper()
	if !uitest.Says(w.env.Window, text) {
		w.t.Errorf("the window does not say %q", text)
	}
}

func (w *world) types(text string) {
	w.t.Helper()
	f := w.env.Window.Canvas().Focused()
	if f == nil {
		w.t.Fatal("the keyboard is nowhere")
	}
	test.Type(f, text)
	f.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
}

// TestProtectionSaid: each way to be protected is said, and the lock only offered
// where there is something to ask for.
func TestProtectionSaid(t *testing.T) {
	for _, c := range []struct {
		is   protect.State
		says string
		lock bool
	}{
		{protect.State{Keyring: true}, "Der Schlüsselbund dieses Computers öffnet Ihr Profil ohne Frage. Wer sich an diesem Computer als Sie anmeldet, kann Ihre Nachrichten lesen.", false},
		{protect.State{Passphrase: true}, "Beim Start fragt Kuvert nach Ihrer Passphrase.", true},
		{protect.State{Passphrase: true, Keyring: true}, "Der Schlüsselbund dieses Computers öffnet Ihr Profil beim Start ohne Frage. Die Passphrase brauchen Sie für die Sperre.", true},
		{protect.State{KeyFile: true}, "Eine Schlüsseldatei öffnet Ihr Profil.", false},
		{protect.State{Passphrase: true, Unfit: chat.ErrNoKeyring}, "Entfernen können Sie die Passphrase nicht: Dieser Computer hat keinen Schlüsselbund, der den Schlüssel aufbewahrt.", true},
		{protect.State{Passphrase: true, Unfit: chat.ErrPassphraseNeeded}, "Entfernen können Sie die Passphrase nicht: Unter Ihrer Anmeldung gibt es noch ein Kuvert-Profil.", true},
	} {
		w := protected(t, c.is)
		w.sees(c.says)
		if w.screen.protection.lock.Disabled() == c.lock || w.screen.protection.after.sel.Disabled() == c.lock {
			t.Errorf("%+v: the lock is offered: %v", c.is, !c.lock)
		}
		uitest.Overflow(t, w.env.Window)
	}
}

func TestPassphraseSetChangedRemoved(t *testing.T) {
	w := protected(t, protect.State{Keyring: true})
	w.press("Passphrase festlegen")
	w.types(secret)
	w.types(secret)
	w.sees("Die Passphrase gilt ab sofort.")
	w.press("Passphrase ändern")
	w.types("falsch")
	w.types(secret + "!")
	w.types(secret + "!")
	w.sees("Diese Passphrase stimmt nicht. Achten Sie auf Groß- und Kleinschreibung, und versuchen Sie es noch einmal.")
	if w.guard.Passphrase != secret {
		t.Fatal("a wrong passphrase changed it")
	}
	w.press("Abbrechen")
	w.press("Passphrase entfernen")
	w.types(secret)
	w.sees("Die Passphrase ist entfernt.")
	if w.guard.Is.Passphrase || !w.guard.Is.Keyring {
		t.Errorf("%+v", w.guard.Is)
	}
}

// TestAskAtStart: the switch goes over only when the passphrase was right.
func TestAskAtStart(t *testing.T) {
	w := protected(t, protect.State{Passphrase: true})
	ask := w.screen.protection.ask
	ask.Tapped(nil)
	if !ask.On() {
		t.Error("went over without a question")
	}
	w.types(secret)
	if ask.On() || !w.guard.Is.Keyring {
		t.Errorf("on %v, %+v", ask.On(), w.guard.Is)
	}
}

// TestSheetAsksFirst: with a passphrase nobody makes a sheet without it.
func TestSheetAsksFirst(t *testing.T) {
	w := protected(t, protect.State{Passphrase: true})
	w.press("Notfallblatt machen")
	w.types("falsch")
	if w.guard.Sheets != 0 {
		t.Fatal("a sheet for a wrong passphrase")
	}
	w.press("Abbrechen")
	w.press("Notfallblatt machen")
	w.types(secret)
	w.press("Öffnen und drucken")
	w.sees("Geöffnet. Drucken Sie das Blatt aus; Kuvert löscht die Datei beim Beenden.")
	w.press("Schließen")
	if w.guard.Sheets != 1 || w.screen.protection.missing.Text() != "" {
		t.Errorf("%d sheets; says %q", w.guard.Sheets, w.screen.protection.missing.Text())
	}
}

func TestLockSettings(t *testing.T) {
	w := protected(t, protect.State{Passphrase: true})
	w.screen.protection.after.sel.SetSelected("Nach 15 Minuten")
	if got := w.stored(core.SettingLockAfter); got != "15" {
		t.Errorf("stored %q", got)
	}
	w.press("Jetzt sperren")
	if w.locks != 1 {
		t.Error("not locked")
	}
	w = protected(t, protect.State{Keyring: true})
	w.screen.NeedPassphrase()
	if got := w.screen.protection.needs.Text(); !strings.Contains(got, "braucht eine Passphrase") {
		t.Errorf("says %q", got)
	}
}

// TestProtectionPictures compares the section with pictures that somebody looked at.
func TestProtectionPictures(t *testing.T) {
	for _, c := range []struct {
		name, language, theme string
		is                    protect.State
	}{
		{"protection-light-de", "de", theme.Light, protect.State{Passphrase: true}},
		{"protection-dark-en", "en", theme.Dark, protect.State{Keyring: true, Sheet: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := showIn(t, c.language, 760, 620)
			fyne.CurrentApp().Settings().SetTheme(theme.New(c.theme))
			w.guard.Is = c.is
			w.screen.Show()
			w.screen.Reveal(SectionProtection)
			w.env.Window.Canvas().Unfocus()
			test.AssertRendersToImage(t, c.name+".png", w.env.Window.Canvas())
		})
	}
}
