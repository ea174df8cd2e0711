package files

import (
	"path/filepath"
	"slices"
	"testing"

	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

// TestOpens: what can run something is never opened, however its name is dressed up.
func TestOpens(t *testing.T) {
	for name, want := range map[string]bool{
		"Angebot.pdf": true, "Foto.JPG": true, "Brief.docx": true, "Unterlagen.zip": true, "x.tar.gz": true,
		"setup.exe": false, "SETUP.EXE": false, "a.bat": false, "a.sh": false, "a.js": false, "a.desktop": false, "a.lnk": false,
		"Rechnung.pdf.exe": false, "Rechnung.exe.": false, "Rechnung.exe ": false, "ohne": false,
		"Brief.docm": false, "Seite.html": false, "Bild.svg": false, "x.ps1": false, "a.AppImage": false, "a.iso": false,
		"a.exe:b.pdf": true, "Plan\u202efdp.exe": false,
	} {
		if got := Opens(chat.SaveFileName(name)); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	for name, want := range map[string]string{"a.PDF": "pdf", "a.jpeg": "picture", "a.exe": "program", "a.xyz": "other", "a": "other"} {
		if got := Kind(name); got != want {
			t.Errorf("%q is %q", name, got)
		}
	}
}

// TestPickMany marks files over several folders, up to the limit.
func TestPickMany(t *testing.T) {
	dir := home(t)
	write(t, filepath.Join(dir, "Downloads", "a.pdf"), 0)
	write(t, filepath.Join(dir, "Downloads", "b.txt"), 1)
	write(t, filepath.Join(dir, "c.bin"), 2)
	e := uitest.Env(t, uitest.New("A"), "de", 900, 600)
	e.Window.SetContent(widget.NewLabel(""))
	var got []string
	p := PickMany(e, 2, func(paths []string) { got = paths })
	if n := names(p); !slices.Equal(n, []string{"a.pdf", "b.txt"}) {
		t.Fatalf("lists %q", n)
	}
	p.choose(0)
	p.choose(1)
	p.choose(1) // takes the mark away
	p.enter(dir)
	p.choose(slices.Index(names(p), "c.bin"))
	if p.open.Text != "2 Dateien auswählen" {
		t.Errorf("the button says %q", p.open.Text)
	}
	p.enter(filepath.Join(dir, "Downloads"))
	p.choose(1)
	if p.say.Text() != "Mehr als 2 Dateien gehen nicht auf einmal." {
		t.Errorf("says %q", p.say.Text())
	}
	p.take()
	if want := []string{filepath.Join(dir, "Downloads", "a.pdf"), filepath.Join(dir, "c.bin")}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestSaveAs asks before it replaces something, and takes no name with a folder in it.
func TestSaveAs(t *testing.T) {
	dir := home(t)
	write(t, filepath.Join(dir, "Downloads", "Plan.pdf"), 0)
	e := uitest.Env(t, uitest.New("A"), "de", 900, 600)
	e.Window.SetContent(widget.NewLabel(""))
	var got []string
	SaveAs(e, "Plan.pdf", func(path string) { got = append(got, path) })
	uitest.Press(t, e.Window, "Speichern")
	if len(got) > 0 || !uitest.Says(e.Window, "Datei ersetzen?") {
		t.Fatalf("replaced without a question: %q", got)
	}
	uitest.Press(t, e.Window, "Ersetzen")
	p := SaveAs(e, "Plan.pdf", func(path string) { got = append(got, path) })
	for _, bad := range []string{"", "  ", "../x.pdf", "a/b.pdf"} {
		if p.name.SetText(bad); !p.open.Disabled() {
			t.Errorf("takes %q", bad)
		}
	}
	p.name.SetText("Neu.pdf")
	uitest.Press(t, e.Window, "Speichern")
	if want := []string{filepath.Join(dir, "Downloads", "Plan.pdf"), filepath.Join(dir, "Downloads", "Neu.pdf")}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
