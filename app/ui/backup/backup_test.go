package backup

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/protect"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

const secret = "Kreide Lampe Regen Boot"

type world struct {
	t       *testing.T
	client  *uitest.Client
	env     parts.Env
	cfg     Config
	section *Section
	page    Page
	picks   string
	quits   int
}

func show(t *testing.T, language string, size fyne.Size, work func(func(context.Context) func())) *world {
	w := &world{t: t, client: uitest.New("Sabine"), picks: "/media/usb/"}
	w.env = uitest.Env(t, w.client, language, size.Width, size.Height)
	if work != nil {
		w.env.Work = work
	}
	w.client.Size = core.BackupSize{Messages: 100_000, Files: 3, FileBytes: 340_000_000}
	w.cfg = Config{Env: w.env, Desk: NewDesk(w.env), Back: w.back, Quit: func() { w.quits++ }, Pick: func(name string, chosen func(string)) { chosen(w.picks + name) }}
	w.section = NewSection(SectionConfig{Config: w.cfg, Open: w.open, Relayout: func() {}})
	w.back()
	return w
}

func german(t *testing.T) *world { return show(t, "de", fyne.NewSize(1100, 720), nil) }

func (w *world) open(p Page) {
	w.page = p
	w.env.Window.SetContent(p.Object())
}

func (w *world) back() {
	w.page = nil
	w.env.Window.SetContent(container.NewVScroll(parts.AtMost(560, parts.Column(12, w.section.Objects()...))))
	w.section.Show()
}

func (w *world) press(text string) { w.t.Helper(); uitest.Press(w.t, w.env.Window, text) }

func (w *world) sees(text string) {
	w.t.Helper()
	if !strings.Contains(strings.Join(uitest.Texts(w.env.Window), "\n"), text) {
		w.t.Errorf("the window does not say %q but %q", text, uitest.Texts(w.env.Window))
	}
}

func (w *world) status(st core.BackupStatus) {
	w.client.Status = st
	w.section.Changed([]event.Event{{Kind: event.BackupChanged}})
}

func on() core.BackupStatus {
	return core.BackupStatus{On: true, Folder: "/media/usb", Files: true, Last: uitest.Now.Add(-time.Hour), Size: 1_200_000, Next: uitest.Now.Add(23 * time.Hour)}
}

// TestPassphraseLimit: the fields ask for what the core takes.
func TestPassphraseLimit(t *testing.T) {
	if protect.MinLength != core.MinBackupPassphrase {
		t.Errorf("%d, want %d", protect.MinLength, core.MinBackupPassphrase)
	}
}

// TestStates: how it stands is said in sentences, and each trouble with what to do.
func TestStates(t *testing.T) {
	w := german(t)
	w.sees("Es gibt keine automatische Sicherung.")
	w.status(on())
	w.sees("Jeden Tag von selbst, mit Dateien, nach /media/usb")
	w.sees("Zuletzt heute um 08:41 (1,2 MB). Die nächste morgen um 08:41.")
	for trouble, says := range map[core.BackupTrouble]string{
		core.BackupNoFolder:   "Der Ordner /media/usb ist gerade nicht da.",
		core.BackupDiskFull:   "Auf dem Datenträger der Sicherung ist kein Platz mehr.",
		core.BackupNotAllowed: "Kuvert darf in den Ordner /media/usb nicht schreiben.",
		core.BackupFailed:     "Die letzte Sicherung ist nicht gelungen.",
	} {
		st := on()
		st.Trouble, st.Next = trouble, time.Time{}
		w.status(st)
		w.sees(says)
		if uitest.Says(w.env.Window, w.section.times()) && strings.Contains(w.section.times(), "gleich") {
			t.Errorf("%s: promises the next one at once", trouble)
		}
	}
	st := on()
	st.Running, st.Percent = true, 34
	w.status(st)
	w.sees("Die Sicherung wird geschrieben und geprüft … 34 %")
	if !w.section.now.Disabled() {
		t.Error("a second one can be begun")
	}
}

// TestSetup: nothing is set up before all is there, and the passphrase stays unless
// another one is wanted.
func TestSetup(t *testing.T) {
	w := german(t)
	w.press("Automatisch sichern")
	w.sees("Auch Bilder und Dateien aus den Nachrichten, etwa 348 MB")
	w.sees("Ohne diese Passphrase kann niemand die Sicherung lesen, auch Sie nicht und auch wir nicht.")
	w.press("Einschalten")
	w.sees("Wählen Sie zuerst, wohin Kuvert schreiben soll.")
	w.press("Wählen")
	w.press("Einschalten")
	w.sees("Geben Sie die Passphrase ein.")
	w.page.(*Setup).pair.Set(secret)
	w.client.Err = chat.ErrBackupFolder
	w.press("Einschalten")
	w.sees("Der Ordner ist nicht da.")
	if w.client.Setup != (core.BackupSetup{}) {
		t.Fatalf("set up: %v", w.client.Setup)
	}
	w.client.Err = nil
	w.press("Einschalten")
	if want := (core.BackupSetup{Folder: "/media/usb/", Files: true, Passphrase: secret}); w.client.Setup != want {
		t.Errorf("set up with folder %q, files %v, passphrase %v", w.client.Setup.Folder, w.client.Setup.Files, w.client.Setup.Passphrase == secret)
	}
	w.sees("Gespeichert. Die erste Sicherung beginnt von selbst.")
	w.status(on())
	w.press("Ändern")
	w.press("Speichern")
	if w.client.Setup.Passphrase != "" || w.client.Setup.Folder != "/media/usb" {
		t.Error("the passphrase was changed without being asked for")
	}
	w.press("Ausschalten")
	w.press("Ausschalten") // in the question
	if w.client.Setup != (core.BackupSetup{}) {
		t.Error("it is not switched off")
	}
}

// TestOnce: a single backup is written while the settings are shown, can be ended,
// and what came of it is said.
func TestOnce(t *testing.T) {
	var later uitest.Later
	w := show(t, "de", fyne.NewSize(1100, 720), later.Work)
	begin := func() {
		later.Run()
		w.press("Sicherung speichern unter …")
		w.press("Wählen")
		w.page.(*Once).pair.Set(secret)
		w.press("Sichern")
	}
	begin()
	if w.page != nil || !w.cfg.Desk.Busy() {
		t.Fatal("it does not go on behind the settings")
	}
	w.client.Report = core.BackupReport{Path: "/media/usb/x.age", Size: 3_000_000}
	later.Run()
	w.sees("Gesichert und geprüft: /media/usb/x.age (3 MB)")
	if w.client.Options.Path != "/media/usb/Kuvert-Sicherung-2025-11-24.age" || !w.client.Options.Files || w.client.Options.Passphrase != secret {
		t.Errorf("asked for %q, files %v", w.client.Options.Path, w.client.Options.Files)
	}
	begin()
	w.section.load()
	w.cfg.Desk.Stop()
	later.Run()
	w.sees("Abgebrochen. Was vorher da war, ist unverändert.")
	for err, says := range map[error]string{
		chat.ErrDiskFull: "Auf dem Datenträger ist kein Platz mehr.", chat.ErrReadOnly: "Kuvert darf in diesen Ordner nicht schreiben.",
		chat.ErrBackupFolder: "Der Ordner ist nicht da.", errors.New("odd"): "Das hat nicht geklappt.",
	} {
		w.client.Err = err
		begin()
		later.Run()
		w.sees(says)
	}
}

// TestMove: first what will happen, then where to; a failure says that nothing has.
func TestMove(t *testing.T) {
	w := german(t)
	w.press("Umziehen")
	w.sees("Danach hört Kuvert auf diesem Computer auf zu senden und zu empfangen.")
	w.press("Weiter")
	w.press("Wählen")
	w.page.(*Move).pair.Set(secret)
	w.client.Err = chat.ErrDiskFull
	w.press("Schreiben und hier aufhören")
	w.sees("Umgezogen sind Sie nicht: Kuvert sendet und empfängt hier weiter.")
	w.client.Err = nil
	w.press("Schreiben und hier aufhören")
	if w.client.Options.Path != "/media/usb/Kuvert-Umzug-2025-11-24.age" || !w.client.Options.Files {
		t.Errorf("asked for %q, files %v", w.client.Options.Path, w.client.Options.Files)
	}
}

// TestMoved: the screen says when and how to go on, and writes the file once more.
func TestMoved(t *testing.T) {
	w := german(t)
	read := 0
	st := core.BackupStatus{Moved: true, MovedAt: uitest.Now.Add(-24 * time.Hour), MovedTo: "/media/usb/umzug.age"}
	m := NewMoved(w.cfg, st, func() { read++ })
	w.env.Window.SetContent(m.Object())
	w.sees("Umgezogen gestern um 09:41.")
	w.sees("/media/usb/umzug.age")
	w.press("Nachrichten lesen")
	w.press("Beenden")
	if read != 1 || w.quits != 1 {
		t.Errorf("read %d, quit %d", read, w.quits)
	}
	w.press("Datei noch einmal schreiben")
	w.press("Wählen")
	m.form.pair.Set(secret)
	w.press("Schreiben")
	if w.client.Options.Path == "" {
		t.Error("nothing was written")
	}
	w.sees("Dieses Profil ist umgezogen")
}

// TestFits: every page, in both languages and at both sizes, without a word that is
// cut off, and with the keyboard everywhere.
func TestFits(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		for name, size := range map[string]fyne.Size{"large": fyne.NewSize(779, 664), "small": fyne.NewSize(607, 344)} {
			w := show(t, language, size, nil)
			check := func(what string) {
				uitest.Overflow(t, w.env.Window)
				uitest.Reachable(t, w.env.Window)
				uitest.Snapshot(t, w.env.Window, what+"-"+name+"-"+language)
			}
			check("off")
			st := on()
			st.Running, st.Percent, st.Once = true, 34, uitest.Now
			w.status(st)
			check("running")
			st.Running, st.Trouble = false, core.BackupNoFolder
			w.status(st)
			check("trouble")
			setup, move := NewSetup(w.cfg, st), NewMove(w.cfg)
			for what, p := range map[string]Page{"setup": NewSetup(w.cfg, core.BackupStatus{}), "change": setup, "once": NewOnce(w.cfg), "move": move} {
				w.open(p)
				check(what)
			}
			w.open(move)
			move.next()
			check("move2")
			st.Moved, st.MovedAt, st.MovedTo = true, uitest.Now, "/media/usb/Kuvert-Umzug-2025-11-24.age"
			m := NewMoved(w.cfg, st, func() {})
			w.env.Window.SetContent(m.Object())
			check("moved")
			m.writeAgain()
			check("again")
		}
	}
}
