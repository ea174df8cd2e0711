package firststart

import (
	"errors"
	"testing"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
	"github.com/kuvert-im/kuvert/assets/translations"
)

// toBackup goes to the question for the backup and answers it.
func (w *world) toBackup() {
	w.press("Ich habe eine Sicherung")
	w.press("Wählen")
	w.screen.restore.field.Entry.SetText(passphrase)
}

// TestRestore goes through with a backup: no name and no network are asked for, and
// nobody is made who is new.
func TestRestore(t *testing.T) {
	w := open(t, nil)
	w.press("Ich habe eine Sicherung")
	w.press("Weiter")
	w.sees("Wählen Sie zuerst die Sicherung.")
	w.press("Wählen")
	w.sees("alles.age")
	w.press("Weiter")
	w.sees("Geben Sie die Passphrase der Sicherung ein.")
	w.screen.restore.field.Entry.SetText(passphrase)
	w.press("Weiter")
	w.sees("Die Sicherung ist gut. Sie wurde heute um 08:41 geschrieben. Kuvert verschlüsselt alles, was es hier speichert. Was soll den Schlüssel dazu schützen?")
	w.press("Zurückholen")
	w.sees("Willkommen zurück, Sabine Krüger")
	for _, came := range []string{"14 Kontakte", "3201 Nachrichten", "eine Datei"} {
		w.sees(came)
	}
	w.press("Weiter")
	w.sees("Notfallblatt")
	w.press("Später, in den Einstellungen")
	if len(w.created) != 0 || len(w.restored) != 1 || len(w.done) != 1 || w.done[0] {
		t.Errorf("created %d, restored %d, done %v", len(w.created), len(w.restored), w.done)
	}
}

// TestRestoreFails: each way leads back to the question for the backup with a
// sentence, and a second try works.
func TestRestoreFails(t *testing.T) {
	for err, says := range map[error]string{
		chat.ErrBackupPassphrase: "Diese Passphrase öffnet die Sicherung nicht. Gemeint ist die Passphrase, die Sie für die Sicherung gewählt haben. Achten Sie auf Groß- und Kleinschreibung.",
		chat.ErrBackupDamaged:    "Diese Sicherung ist beschädigt oder unvollständig. Kopieren Sie sie noch einmal vom ursprünglichen Datenträger, oder nehmen Sie eine andere.",
		chat.ErrNotBackup:        "Das ist keine Sicherung von Kuvert. Ihr Name endet auf „.age“; bei der automatischen Sicherung nehmen Sie den ganzen Ordner.",
		chat.ErrBackupVersion:    "Diese Sicherung stammt von einer neueren Version von Kuvert. Installieren Sie hier diese Version oder eine neuere.",
		chat.ErrBackupPart:       "In diesem Ordner fehlt ein Teil der Sicherung. Legen Sie alle Dateien mit „kuvert-“ am Anfang in einen Ordner, auch die älteren, und ändern Sie keine Namen. Fehlt ein Teil für immer, öffnen Sie die letzte Datei vor der Lücke: Was danach kam, fehlt dann.",
		chat.ErrDiskFull:         "Die Festplatte ist voll. Geben Sie etwas Platz frei, und versuchen Sie es noch einmal.",
		errors.New("odd"):        "Das hat nicht geklappt. Versuchen Sie es noch einmal. Bleibt es dabei, nehmen Sie einen anderen Datenträger.",
	} {
		w := open(t, nil)
		w.toBackup()
		w.look = err
		w.press("Weiter")
		if w.screen.step != stepBackup || w.screen.say.Text() != says {
			t.Errorf("%v: step %d, says %q", err, w.screen.step, w.screen.say.Text())
		}
		w.look, w.lost = nil, err
		w.press("Weiter")
		w.press("Zurückholen")
		if w.screen.step != stepBackup || w.screen.say.Text() != says {
			t.Errorf("%v while it is read: step %d, says %q", err, w.screen.step, w.screen.say.Text())
		}
		w.lost = nil
		w.press("Weiter")
		w.press("Zurückholen")
		if w.screen.step != stepRestored {
			t.Errorf("%v: no second try", err)
		}
	}
}

// TestRestoreCanceled: the person can end it; nothing is made.
func TestRestoreCanceled(t *testing.T) {
	var later uitest.Later
	w := open(t, later.Work)
	w.toBackup()
	w.press("Weiter")
	later.Run()
	w.press("Zurückholen")
	w.sees("Ihre Sicherung wird gelesen")
	w.press("Abbrechen")
	later.Run()
	w.sees("Abgebrochen. Die Sicherung ist unverändert, und auf diesem Computer ist nichts davon zurückgeblieben.")
	if len(w.restored) != 0 || w.screen.step != stepBackup {
		t.Errorf("restored %d, step %d", len(w.restored), w.screen.step)
	}
}

// TestRestoreChangesMind: who goes back to the beginning is new again.
func TestRestoreChangesMind(t *testing.T) {
	w := open(t, nil)
	w.press("Ich habe eine Sicherung")
	w.sees("Schritt 2 von 5")
	w.press("Zurück")
	w.press("Einrichten")
	w.sees("Schritt 2 von 6")
	if w.screen.restore.on {
		t.Error("still restores")
	}
}

// TestRestoreFits: TestFits for who has a backup.
func TestRestoreFits(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		for _, size := range []fyne.Size{{Width: 1100, Height: 720}, {Width: 680, Height: 400}} {
			w := open(t, nil)
			if err := translations.Register(language); err != nil {
				t.Fatal(err)
			}
			w.env.Window.Resize(size)
			w.screen.restore.on, w.screen.restore.cancel = true, func() {}
			for _, step := range []int{stepBackup, stepProtect, stepRestoring, stepRestored, stepSheet} {
				w.screen.goTo(step)
				uitest.Overflow(t, w.env.Window)
				uitest.Reachable(t, w.env.Window)
			}
		}
	}
}
