package ui

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// downloads makes a home with a folder for downloads.
func downloads(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	dir := filepath.Join(home, "Downloads")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// photo is a JPEG of a size in one colour.
func photo(t *testing.T, w, h int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = 0xC0
	}
	img.SetRGBA(w/2, h/2, color.RGBA{R: 0xFF, A: 0xFF})
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sends makes a message with files come in.
func (x *world) sends(name, text string, all ...core.FileInfo) chat.MessageID {
	m := chat.Message{Sender: uitest.Person(name), Kind: chat.KindText, Text: text, State: chat.Received, SentAt: x.u.now(), ReceivedAt: x.u.now()}
	for _, info := range all {
		m.Attachments = append(m.Attachments, info.File)
	}
	id := x.c.Arrive(x.conv(name), m)
	x.c.Change(func(k *uitest.Client) {
		for i, info := range all {
			k.Infos[uitest.FileKey{Message: id, Place: i}] = info
		}
	})
	x.pump.run()
	return id
}

// nextID is the id that the next message of a conversation will have.
func (x *world) nextID(name string) chat.MessageID {
	v := x.conv(name)
	n := len(x.c.Msgs[v]) + 1
	return chat.MessageID{byte(n >> 8), byte(n), v[0], v[1], 1}
}

// file is a file in a state.
func file(name string, s chat.FileState) core.FileInfo {
	return core.FileInfo{File: chat.Attachment{Name: name, Size: 1_200_000, State: s}, Total: 1_200_000}
}

// changes gives a file another state, as the core would tell it.
func (x *world) changes(name string, id chat.MessageID, place int, info core.FileInfo) {
	x.c.Change(func(k *uitest.Client) {
		k.Infos[uitest.FileKey{Message: id, Place: place}] = info
		for i := range k.Msgs[x.conv(name)] {
			if m := &k.Msgs[x.conv(name)][i]; m.ID == id {
				m.Attachments = append([]chat.Attachment(nil), m.Attachments...)
				m.Attachments[place] = info.File
			}
		}
	}, event.Event{Kind: event.FileChanged, Conversation: x.conv(name), Message: id})
	x.pump.run()
}

// choose presses what a bubble offers for a file.
func (x *world) pressFile(id chat.MessageID, place int, label string) {
	x.t.Helper()
	for _, it := range x.u.conv.history.Items() {
		if it.Key.ID != id || it.Files == nil {
			continue
		}
		for _, a := range (*it.Files)[place].Actions {
			if a.Label == label {
				x.u.conv.history.OnFile(it, place, a.Do)
				x.pump.run()
				return
			}
		}
		x.t.Fatalf("file %d offers %+v, not %q", place, (*it.Files)[place].Actions, label)
	}
	x.t.Fatal("no such message")
}

func (x *world) saysPart(part string) bool {
	return strings.Contains(strings.Join(uitest.Texts(x.w), "\n"), part)
}

// TestFilesOfAMessage: a message names its files honestly, says how it stands with
// each in words, and fetches, stops and saves them.
func TestFilesOfAMessage(t *testing.T) {
	dir := downloads(t)
	x := open(t, setup{}).talk(elli)
	id := x.sends(elli, "",
		file("Plan\u202efdp.exe", chat.FileHere), file("a.pdf", chat.FileOffered), file("b.pdf", chat.FileWaiting),
		file("c.pdf", chat.FileDamaged), file("d.pdf", chat.FilePaused), file("e.pdf", chat.FileMissing), file("f.pdf", chat.FileRemoved))
	for _, want := range []string{
		"Plan\uFFFDfdp.exe", "1,2 MB", "1,2 MB · noch nicht geholt", "wird geholt, sobald",
		"nicht die angekündigte Datei", "angehalten", "beim Absender nicht mehr vorhanden", "von diesem Computer entfernt",
	} {
		if !x.saysPart(want) {
			// a long state goes over two lines
			if !strings.Contains(strings.Join(uitest.Texts(x.w), " "), want) {
				t.Errorf("%q is not said: %q", want, uitest.Texts(x.w))
			}
		}
	}
	if x.saysPart("\u202e") {
		t.Error("a mark turns the name around")
	}
	x.pressFile(id, 1, "Holen")
	x.pressFile(id, 2, "Anhalten")
	x.pressFile(id, 3, "Noch einmal holen")
	x.pressFile(id, 4, "Fortsetzen")
	for _, want := range []string{"FetchFile " + id.String() + " 1", "PauseFile " + id.String() + " 2", "FetchFile " + id.String() + " 3", "FetchFile " + id.String() + " 4"} {
		if !x.called(want) {
			t.Errorf("no %s in %q", want, x.c.Called())
		}
	}
	x.u.conv.fileDo(id, 0, fileSave)
	x.pump.run()
	if !x.called(`SaveFile ` + id.String() + ` 0 "` + filepath.Join(dir, "Plan_fdp.exe") + `"`) {
		t.Errorf("saved elsewhere: %q", x.c.Called())
	}
	if got := x.u.conv.trouble.Text(); got != "Gespeichert: „Plan_fdp.exe“ im Ordner "+dir {
		t.Errorf("says %q", got)
	}
}

// TestFileProgress: while a file comes in, the bubble says how far it is by what the
// core tells, and nothing asks in between.
func TestFileProgress(t *testing.T) {
	x := open(t, setup{}).talk(elli)
	info := core.FileInfo{File: chat.Attachment{Name: "Film.mp4", Size: 40_000_000, State: chat.FileWaiting}, Total: 40_000_000}
	id := x.sends(elli, "Schau mal", info)
	x.mustSay("Film.mp4")
	info.Got, info.Active, info.Speed, info.Remaining = 12_000_000, true, 3_100_000, 9600*time.Millisecond
	x.changes(elli, id, 0, info)
	x.mustSay("12 von 40 MB · 3,1 MB/s · noch 10 s")
	card := func() widgets.FileCard {
		items := x.u.conv.history.Items()
		return (*items[len(items)-1].Files)[0]
	}
	if part := card().Part; part != 0.3 {
		t.Errorf("the bar is at %v", part)
	}
	later := len(x.pump.later)
	asked := x.c.Asked("File")
	x.pump.pass(5 * time.Second)
	if n := x.c.Asked("File"); n != asked || len(x.pump.later) > later {
		t.Errorf("asked %d times while nothing happened", n-asked)
	}
	x.pressFile(id, 0, "Anhalten")
	info.Active, info.File.State = false, chat.FilePaused
	x.changes(elli, id, 0, info)
	x.mustSay("12 von 40 MB · angehalten")
	x.pressFile(id, 0, "Fortsetzen")
	info.File.State, info.Got = chat.FileHere, info.Total
	x.changes(elli, id, 0, info)
	x.mustSay("40 MB")
	if card().Part >= 0 {
		t.Error("a whole file has a bar")
	}
}

// TestSameBubble: what did not change of a message's files is not laid out again.
func TestSameBubble(t *testing.T) {
	x := open(t, setup{}).talk(elli)
	x.sends(elli, "", file("a.pdf", chat.FileHere))
	before := x.u.conv.history.Items()
	x.u.conv.show()
	after := x.u.conv.history.Items()
	if before[len(before)-1] != after[len(after)-1] {
		t.Error("the bubble is another one")
	}
}

// TestThumbnail: a picture's thumbnail is loaded once it is on screen, once, and
// cut to the bubble's shape.
func TestThumbnail(t *testing.T) {
	x := open(t, setup{}).talk(elli)
	info := file("Foto.jpg", chat.FileHere)
	info.File.Thumbnail = true
	x.c.Change(func(k *uitest.Client) {
		k.Pictures[uitest.FileKey{Message: x.nextID(elli)}] = photo(t, 320, 240)
	})
	x.sends(elli, "", info)
	var img *canvas.Image
	uitest.All(x.w, func(o fyne.CanvasObject, _ fyne.Position) {
		if i, ok := o.(*canvas.Image); ok && i.Image != nil && i.Resource == nil {
			img = i
		}
	})
	if img == nil {
		t.Fatal("no thumbnail")
	}
	if s := img.Size(); s != fyne.NewSize(widgets.PictureWidth, widgets.PictureHeight) {
		t.Errorf("it is %v", s)
	}
	if b := img.Image.Bounds(); b.Dx()*2 != b.Dy()*3 {
		t.Errorf("cut to %v", b)
	}
	x.mustNotSay("Foto.jpg") // the picture says it
	x.u.conv.show()
	x.pump.run()
	if n := x.c.Asked("FilePicture"); n != 1 {
		t.Errorf("asked for %d times", n)
	}
}

// TestThumbsAreBounded: the ones that were not on screen for longest go first.
func TestThumbsAreBounded(t *testing.T) {
	var s thumbs
	img := image.NewGray(image.Rect(0, 0, 1, 1))
	for i := range maxThumbs {
		s.put(fileKey{place: i}, img)
	}
	s.find(fileKey{place: 0})
	s.put(fileKey{place: maxThumbs}, img)
	if _, known := s.find(fileKey{place: 1}); known || len(s.got) != maxThumbs || len(s.order) != maxThumbs {
		t.Errorf("%d are kept", len(s.got))
	}
	if got, _ := s.find(fileKey{place: 0}); got == nil {
		t.Error("one that was shown is gone")
	}
}

// TestOpenAsksFirst: a file is opened only after a question with its real name; what
// can run something never is.
func TestOpenAsksFirst(t *testing.T) {
	dir := downloads(t)
	x := open(t, setup{}).talk(elli)
	var opened []string
	x.u.cfg.OpenFile = func(path string) error { opened = append(opened, path); return nil }
	id := x.sends(elli, "", file("Angebot.pdf", chat.FileHere), file("Rechnung.pdf.exe", chat.FileHere), file("ohne", chat.FileHere))
	x.pressFile(id, 0, "Öffnen")
	if len(opened) > 0 || x.c.Asked("SaveFile") > 0 {
		t.Fatal("opened without a question")
	}
	if !x.saysPart("Öffnen Sie Dateien nur, wenn Sie sie") || !x.saysPart("„Angebot.pdf“ (PDF-Dokument,") {
		t.Errorf("asks %q", uitest.Texts(x.w))
	}
	uitest.Press(t, x.w, "Öffnen")
	x.pump.run()
	if len(opened) != 1 || opened[0] != filepath.Join(dir, "Angebot.pdf") {
		t.Errorf("opened %q", opened)
	}
	for place, name := range map[int]string{1: "Rechnung.pdf.exe", 2: "ohne"} {
		x.pressFile(id, place, "Öffnen")
		x.mustSay("Diese Datei öffnet Kuvert nicht")
		if !x.saysPart(name) {
			t.Errorf("does not name %s", name)
		}
		uitest.Press(t, x.w, "Abbrechen")
		x.pump.run()
	}
	if len(opened) != 1 || x.c.Asked("SaveFile") != 1 {
		t.Errorf("opened %q", opened)
	}
}

// TestFilePreview: the list says what a message without a text holds.
func TestFilePreview(t *testing.T) {
	x := open(t, setup{})
	picture, plan := file("a.jpg", chat.FileHere), file("Plan.pdf", chat.FileHere)
	picture.File.Thumbnail = true
	for _, c := range []struct {
		text  string
		files []core.FileInfo
		want  string
	}{
		{"", []core.FileInfo{picture}, "Foto"},
		{"", []core.FileInfo{picture, picture}, "2 Fotos"},
		{"", []core.FileInfo{plan}, "Plan.pdf"},
		{"", []core.FileInfo{plan, picture}, "2 Dateien"},
		{"Hier", []core.FileInfo{plan}, "Hier"},
	} {
		x.sends(elli, c.text, c.files...)
		row := x.u.side.list.Rows()[0]
		if row.Preview != c.want || row.Icon == "" {
			t.Errorf("%q with %d files: %q, icon %q", c.text, len(c.files), row.Preview, row.Icon)
		}
	}
	x.arrives(elli, "Danke")
	if row := x.u.side.list.Rows()[0]; row.Icon != "" {
		t.Error("a text has an icon")
	}
}
