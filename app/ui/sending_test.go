package ui

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/test"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// writes makes files with some content and returns their paths.
func writes(t *testing.T, names ...string) []string {
	t.Helper()
	dir := t.TempDir()
	var out []string
	for _, n := range names {
		path := filepath.Join(dir, n)
		if err := os.WriteFile(path, []byte("Inhalt"), 0o600); err != nil {
			t.Fatal(err)
		}
		out = append(out, path)
	}
	return out
}

func (x *world) drops(paths ...string) {
	var items []fyne.URI
	for _, p := range paths {
		items = append(items, storage.NewFileURI(p))
	}
	x.u.dropped(fyne.NewPos(10, 10), items)
	x.pump.run()
}

func (x *world) sent() (out []string) {
	for _, c := range x.c.Called() {
		if strings.HasPrefix(c, "Send ") || c == "Send" {
			out = append(out, c)
		}
	}
	return out
}

// TestDropAsksFirst: what is dropped is shown, with what was written, and sent only
// by the button.
func TestDropAsksFirst(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.typed("Wie besprochen")
	paths := writes(t, "Plan.pdf", "Liste.txt", "Falsch.txt")
	x.drops(paths[0], paths[1])
	x.drops(paths[2], paths[0]) // the second adds, what is there already is not added again
	if len(x.sent()) > 0 {
		t.Fatal("sent by dropping")
	}
	x.mustSay("3 Dateien senden?")
	for _, name := range []string{"Plan.pdf", "Liste.txt", "Falsch.txt"} {
		x.mustSay(name)
	}
	x.removeFromSheet("Falsch.txt")
	x.mustSay("2 Dateien senden?")
	uitest.Press(t, x.w, "Senden")
	x.pump.run()
	if got := x.sent(); !slices.Equal(got, []string{"Send Wie besprochen Plan.pdf Liste.txt"}) {
		t.Fatalf("sent %q", got)
	}
	if x.u.conv.composer.Text != "" {
		t.Errorf("the composer holds %q", x.u.conv.composer.Text)
	}
	x.mustSay("Plan.pdf")
	x.mustSay("Wie besprochen")
	if v := x.u.convs[uitest.Person(sabine)]; v.Draft != "" {
		t.Errorf("the draft is %q", v.Draft)
	}
}

// removeFromSheet presses the cross beside a file of the open sheet.
func (x *world) removeFromSheet(name string) {
	x.t.Helper()
	row := float32(-1)
	uitest.All(x.w, func(o fyne.CanvasObject, at fyne.Position) {
		if l, ok := o.(*parts.Text); ok && l.Text() == name {
			row = at.Y
		}
	})
	var cross *parts.Button
	uitest.All(x.w, func(o fyne.CanvasObject, at fyne.Position) {
		if b, ok := o.(*parts.Button); ok && b.Icon != nil && b.Text == "" && at.Y > row-40 && at.Y < row+30 {
			cross = b
		}
	})
	if row < 0 || cross == nil {
		x.t.Fatalf("no cross beside %s", name)
	}
	test.Tap(cross)
	x.pump.run()
}

// TestCancelledSheet gives the text back and sends nothing.
func TestCancelledSheet(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.typed("Hallo")
	x.drops(writes(t, "Plan.pdf")...)
	x.press(fyne.KeyEscape)
	x.mustNotSay("1 Datei senden?")
	if len(x.sent()) > 0 || x.u.conv.composer.Text != "Hallo" {
		t.Errorf("sent %q, the composer holds %q", x.sent(), x.u.conv.composer.Text)
	}
}

// TestRefusedFiles: what cannot be sent is not in the sheet, and it says why.
func TestRefusedFiles(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	dir := t.TempDir()
	empty, large, folder := filepath.Join(dir, "leer.txt"), filepath.Join(dir, "riesig.iso"), filepath.Join(dir, "Ordner")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, chat.MaxFileSize+1); err != nil { // a hole: takes no room
		t.Skip("no files with holes here")
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	x.drops(empty, large, folder, filepath.Join(dir, "weg.pdf"))
	for _, want := range []string{"„leer.txt“ ist leer.", "„riesig.iso“ ist zu groß.", "„Ordner“ ist ein Ordner.", "„weg.pdf“ lässt sich nicht lesen."} {
		if !x.saysPart(want) {
			t.Errorf("%q is not said: %q", want, uitest.Texts(x.w))
		}
	}
	if !uitest.Button(t, x.w, "Senden").Disabled() {
		t.Error("nothing can be sent")
	}
	var many []string
	for i := range chat.MaxFiles + 2 {
		many = append(many, string(rune('a'+i))+".txt")
	}
	x.drops(writes(t, many...)...)
	if !x.saysPart("Mehr als 16 Dateien gehen nicht auf einmal. 2 Dateien sind nicht dabei.") {
		t.Errorf("too many: %q", uitest.Texts(x.w))
	}
	x.mustSay("16 Dateien senden?")
}

// TestDropElsewhere: without a conversation, on a screen that takes files itself, or
// with a dialog open, a drop opens no sheet.
func TestDropElsewhere(t *testing.T) {
	path := writes(t, "Plan.pdf")[0]
	x := open(t, setup{})
	x.drops(path)
	x.mustNotSay("1 Datei senden?")
	x.talk(sabine)
	x.u.ShowAddContact()
	x.drops(path)
	if x.screen.dropped != 1 {
		t.Error("the screen did not get it")
	}
	x.mustNotSay("1 Datei senden?")
	x.u.closeScreen()
	parts.Ask(x.w, "?", "?", "nein", "ja", false, func() {})
	x.drops(path)
	x.mustNotSay("1 Datei senden?")
}

// TestAttachButton: the button leads to the picker, and that to the sheet.
func TestAttachButton(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	paths := writes(t, "Plan.pdf")
	x.u.conv.sending.pick = func(_ parts.Env, limit int, chosen func([]string)) {
		if limit != chat.MaxFiles {
			t.Errorf("at most %d", limit)
		}
		chosen(paths)
	}
	test.Tap(x.iconButton("Dateien anhängen"))
	x.pump.run()
	x.mustSay("1 Datei senden?")
	if len(x.sent()) > 0 {
		t.Error("sent already")
	}
}

// TestPaste: a picture and copied files lead to the sheet, text is text.
func TestPaste(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	x := open(t, setup{}).talk(sabine)
	clip := fyne.CurrentApp().Clipboard()
	paste := func(text string) {
		clip.SetContent(text)
		x.u.conv.composer.TypedShortcut(&fyne.ShortcutPaste{Clipboard: clip})
		x.pump.run()
	}
	paste("Guten Tag")
	paste("\n/nicht/da.pdf")
	if got := x.u.conv.composer.Text; got != "Guten Tag\n/nicht/da.pdf" {
		t.Fatalf("the composer holds %q", got)
	}
	path := writes(t, "Plan mit Lücke.pdf")[0]
	for _, text := range []string{path, storage.NewFileURI(path).String(), "x-special/nautilus-clipboard\ncopy\n" + storage.NewFileURI(path).String() + "\n"} {
		paste(text)
		x.mustSay("Plan mit Lücke.pdf")
		x.press(fyne.KeyEscape)
	}
	x.u.conv.composer.Set("")
	paste(path)
	uitest.Press(t, x.w, "Als Text einfügen")
	x.pump.run()
	if got := x.u.conv.composer.Text; got != path {
		t.Errorf("as text: %q", got)
	}
	x.u.conv.composer.Set("")
	x.u.conv.sending.clipboard = func(context.Context) ([]byte, error) { return photo(t, 64, 48), nil }
	paste("")
	x.mustSay("1 Datei senden?")
	kept, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "*", "Bild 2025-11-24 09.41.*.png"))
	if len(kept) != 1 {
		t.Fatalf("kept in %q", kept)
	}
	uitest.Press(t, x.w, "Senden")
	x.pump.run()
	if _, err := os.Stat(kept[0]); err == nil {
		t.Error("the pasted picture stays on the disk")
	}
	x.u.conv.sending.clipboard = func(context.Context) ([]byte, error) { return nil, files.ErrClipboardEmpty }
	paste("")
	if got := x.u.conv.trouble.Text(); !strings.HasPrefix(got, "In der Zwischenablage ist weder Text noch ein Bild.") {
		t.Errorf("says %q", got)
	}
}

// TestSendFilesFails: text and files come back, with a sentence.
func TestSendFilesFails(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.typed("Hallo")
	x.drops(writes(t, "Foto.jpg")...)
	x.c.Change(func(k *uitest.Client) { k.Fail["Send"] = chat.ErrPhotoData })
	uitest.Press(t, x.w, "Senden")
	x.pump.run()
	x.mustSay("1 Datei senden?")
	if !x.saysPart("lassen sich Ort und Zeit der Aufnahme nicht entfernen") {
		t.Errorf("says %q", uitest.Texts(x.w))
	}
	x.c.Change(func(k *uitest.Client) { delete(k.Fail, "Send") })
	uitest.Press(t, x.w, "Senden")
	x.pump.run()
	if got := x.sent(); len(got) == 0 || got[len(got)-1] != "Send Hallo Foto.jpg" {
		t.Errorf("sent %q", got)
	}
}

// TestSealing: it is shown how far a large file is, and it can be given up; a small
// one passes without a word. The text is the draft until then.
func TestSealing(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	tell := event.Event{Kind: event.FileChanged, Conversation: x.conv(sabine)}
	x.c.Change(func(k *uitest.Client) {
		k.Seals = []core.Sealing{{Conversation: x.conv(sabine), Name: "klein.txt", Size: 1000}}
	}, tell)
	x.pump.run()
	if got := x.u.conv.sealing.Text(); got != "" {
		t.Errorf("says %q", got)
	}
	asked := x.c.Asked("Messages")
	x.c.Change(func(k *uitest.Client) {
		k.Seals = []core.Sealing{{Conversation: x.conv(thomas), Name: "andere.mp4", Size: 1 << 30}, {Conversation: x.conv(sabine), Name: "Film.mp4", Done: 50_000_000, Size: 200_000_000}}
	}, tell)
	x.pump.run()
	if got := x.u.conv.sealing.Text(); got != "„Film.mp4“ wird verschlüsselt: 50 von 200 MB" {
		t.Errorf("says %q", got)
	}
	if n := x.c.Asked("Messages"); n != asked {
		t.Error("the messages are loaded anew for it")
	}
	x.pump.pass(time.Minute)
	x.c.Change(func(k *uitest.Client) { k.Seals = nil }, tell)
	x.pump.run()
	if x.u.conv.sealing.Text() != "" {
		t.Error("it is still said")
	}
}

// TestGiveUpSending: the text comes back.
func TestGiveUpSending(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	x.u.conv.sendFiles(uitest.Person(sabine), writes(t, "Film.mp4"), "Schau mal")
	if len(x.u.conv.sending.under) != 1 {
		t.Fatal("nothing is under way")
	}
	x.u.conv.stopSealing()
	x.pump.run()
	if len(x.sent()) > 0 {
		t.Error("sent all the same")
	}
	if got := x.u.conv.composer.Text; got != "Schau mal" {
		t.Errorf("the composer holds %q", got)
	}
	if x.c.Asked("SaveDraft") == 0 {
		t.Error("the text was not kept as a draft meanwhile")
	}
}

// iconButton finds a button by its tooltip.
func (x *world) iconButton(label string) *widgets.IconButton {
	x.t.Helper()
	var found *widgets.IconButton
	uitest.All(x.w, func(o fyne.CanvasObject, _ fyne.Position) {
		if b, ok := o.(*widgets.IconButton); ok && b.AccessibilityLabel() == label {
			found = b
		}
	})
	if found == nil {
		x.t.Fatalf("no button %q", label)
	}
	return found
}
