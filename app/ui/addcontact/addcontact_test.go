package addcontact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
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
	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/app/ui/codes"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
	"github.com/kuvert-im/kuvert/assets/translations"
)

type world struct {
	t         *testing.T
	client    *uitest.Client
	env       parts.Env
	screen    *Screen
	opened    []chat.PersonID
	saved     map[string][]byte
	saveErr   error
	clipboard []byte
	clipErr   error
	picked    string
	now       time.Time
}

func newWorld(t *testing.T, change ...func(*world)) *world {
	w := &world{t: t, client: uitest.New("Sabine"), saved: map[string][]byte{}, now: uitest.Now}
	w.env = uitest.Env(t, w.client, "de", 1100, 720)
	w.env.Now = func() time.Time { return w.now }
	for _, f := range change {
		f(w)
	}
	w.screen = New(Config{
		Env:              w.env,
		Open:             func(id chat.PersonID) { w.opened = append(w.opened, id) },
		ClipboardPicture: func(context.Context) ([]byte, error) { return w.clipboard, w.clipErr },
		SaveFile: func(name string, data []byte) (string, error) {
			w.saved[name] = data
			return "/home/sabine/" + name, w.saveErr
		},
		PickFile: func(chosen func(string)) { chosen(w.picked) },
	})
	w.env.Window.SetContent(w.screen.Object())
	w.screen.Show()
	return w
}

func (w *world) press(text string) { w.t.Helper(); uitest.Press(w.t, w.env.Window, text) }

func (w *world) says(want string) {
	w.t.Helper()
	if got := w.screen.theirs.form.Say.Text(); got != want {
		w.t.Errorf("says %q, want %q", got, want)
	}
}

func (w *world) paste(text string) {
	w.screen.theirs.form.Entry.SetText(text)
	w.press("Hinzufügen")
}

// picture is a code as a PNG file's content.
func picture(t *testing.T, code string) []byte {
	t.Helper()
	img, err := qr.Encode(code, 400)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func (w *world) file(name string, data []byte) string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) accepted() int {
	n := 0
	for _, c := range w.client.Called() {
		if strings.HasPrefix(c, "Accept") {
			n++
			if c != "Accept false" {
				w.t.Errorf("%s: nothing here comes from a live camera", c)
			}
		}
	}
	return n
}

var thomas = uitest.Contact("Thomas Weiß")

// TestWaysIn takes the same invitation in by every way there is.
func TestWaysIn(t *testing.T) {
	code := uitest.SampleCode(5)
	ways := map[string]func(w *world){
		"pasted text":       func(w *world) { w.paste(code) },
		"pasted with Enter": func(w *world) { w.screen.theirs.form.Entry.SetText(code); enter(w) },
		"pasted lower case": func(w *world) { w.paste("  " + strings.ToLower(code) + "\n") },
		"picture file":      func(w *world) { w.picked = w.file("x.png", picture(t, code)); w.press("Bild oder Datei öffnen") },
		"picture, no ending": func(w *world) {
			w.picked = w.file("photo", picture(t, code))
			w.press("Bild oder Datei öffnen")
		},
		"kuvert file": func(w *world) { w.picked = w.file("x.kuvert", []byte(code)); w.press("Bild oder Datei öffnen") },
		"clipboard":   func(w *world) { w.clipboard = picture(t, code); w.press("Bild einfügen") },
		"pasted picture": func(w *world) {
			w.clipboard = picture(t, code)
			w.screen.theirs.form.Entry.TypedShortcut(&fyne.ShortcutPaste{Clipboard: test.NewClipboard()})
		},
		"dropped picture": func(w *world) {
			w.screen.Dropped([]fyne.URI{storage.NewFileURI(w.file("Bild mit Leerzeichen ä.png", picture(t, code)))})
		},
		"dropped kuvert file": func(w *world) { w.screen.Dropped([]fyne.URI{storage.NewFileURI(w.file("x.kuvert", []byte(code)))}) },
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.t = t
			w.client.Codes[code] = thomas
			way(w)
			w.says("Hinzugefügt. Sie können sofort schreiben; Ihre Nachrichten gehen hinaus, sobald die andere Seite erreichbar ist.")
			if w.accepted() != 1 || len(w.client.People) != 1 || w.client.People[0].Verified {
				t.Errorf("accepted %d times, contacts %+v", w.accepted(), w.client.People)
			}
			w.press("Unterhaltung öffnen")
			if !slices.Equal(w.opened, []chat.PersonID{thomas.ID}) {
				t.Errorf("opened %v", w.opened)
			}
		})
	}
}

func enter(w *world) { w.screen.theirs.form.Entry.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn}) }

// TestEachErrorHasItsSentence: whatever the core says of a code, the person gets
// a sentence of its own.
func TestEachErrorHasItsSentence(t *testing.T) {
	heard := map[string]error{}
	for _, err := range []error{
		chat.ErrInvitationExpired, chat.ErrInvitationUsed, chat.ErrInvitationOwn, chat.ErrInvitationVersion,
		chat.ErrInvitationMalformed, chat.ErrAlreadyContact, chat.ErrBlocked, chat.ErrDiskFull,
		chat.ErrUnreachable, chat.ErrRefused, errors.New("odd"),
	} {
		w := newWorld(t)
		w.client.Fail["Accept"] = fmt.Errorf("core: %w", err)
		w.paste(uitest.SampleCode(5))
		got := w.screen.theirs.form.Say.Text()
		if got == "" || strings.HasPrefix(got, "screens.") {
			t.Errorf("%v: says %q", err, got)
		}
		if other := heard[got]; other != nil {
			t.Errorf("%v and %v sound the same: %q", err, other, got)
		}
		heard[got] = err
		if w.screen.theirs.form.Entry.Text == "" {
			t.Errorf("%v: what was pasted is gone, so that it cannot be mended", err)
		}
	}
}

// TestWrongThings: what is no invitation never reaches the core, and each kind has
// its own sentence.
func TestWrongThings(t *testing.T) {
	cases := map[string]struct {
		way  func(w *world)
		says string
	}{
		"nothing":      {func(w *world) { w.paste("  ") }, "screens.code.empty"},
		"web link":     {func(w *world) { w.paste("https://example.com/kuvert") }, "screens.code.web.text"},
		"huge text":    {func(w *world) { w.paste("KUVERT:" + strings.Repeat("A", 70<<10)) }, "screens.code.malformed"},
		"web code":     {func(w *world) { w.clipboard = picture(t, "HTTPS://EXAMPLE.COM"); w.press("Bild einfügen") }, "screens.code.web"},
		"mailbox link": {func(w *world) { w.paste("kuvert-node:ABCDEF234567") }, "screens.code.mailbox"},
		"mailbox code": {func(w *world) { w.clipboard = picture(t, "KUVERT-NODE:ABCDEF234567"); w.press("Bild einfügen") }, "screens.code.mailbox"},
		"foreign code": {func(w *world) { w.clipboard = picture(t, "WIFI:S:OFFICE"); w.press("Bild einfügen") }, "screens.code.foreign"},
		"no code":      {func(w *world) { w.clipboard = pngOf(t, 300, 200); w.press("Bild einfügen") }, "screens.code.none"},
		"text file":    {func(w *world) { w.drop(w.file("x.txt", []byte("hello"))) }, "screens.code.picture"},
		"empty file":   {func(w *world) { w.drop(w.file("x.png", nil)) }, "screens.code.picture"},
		"broken picture": {func(w *world) {
			w.drop(w.file("x.png", picture(t, uitest.SampleCode(1))[:200]))
		}, "screens.code.picture"},
		"huge file":       {func(w *world) { w.drop(w.huge()) }, "screens.code.large"},
		"folder":          {func(w *world) { w.drop(w.t.TempDir()) }, "screens.code.picture"},
		"missing file":    {func(w *world) { w.drop("/nowhere/x.png") }, "screens.code.unreadable"},
		"web address":     {func(w *world) { w.screen.Dropped([]fyne.URI{uri(t, "https://example.com/x.png")}) }, "screens.code.unreadable"},
		"two files":       {func(w *world) { w.screen.Dropped([]fyne.URI{uri(t, "file:///a"), uri(t, "file:///b")}) }, "screens.code.onefile"},
		"no clipboard":    {func(w *world) { w.clipErr = codes.ErrNoClipboard; w.press("Bild einfügen") }, "screens.code.clipboard.none"},
		"empty clipboard": {func(w *world) { w.clipErr = codes.ErrClipboardEmpty; w.press("Bild einfügen") }, "screens.code.clipboard.empty"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.t = t
			c.way(w)
			w.says(parts.T(c.says))
			if w.accepted() != 0 {
				t.Error("it reached the core")
			}
			if w.screen.theirs.form.Busy() || w.screen.theirs.form.Buttons[0].Disabled() {
				t.Error("the screen takes nothing more")
			}
		})
	}
}

func (w *world) drop(path string) {
	w.screen.Dropped([]fyne.URI{storage.NewFileURI(path)})
}

// huge makes a file that is larger than any picture that is read, without writing
// its content.
func (w *world) huge() string {
	path := w.file("x.png", picture(w.t, uitest.SampleCode(1)))
	if err := os.Truncate(path, qr.MaxFile+1); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func uri(t *testing.T, s string) fyne.URI {
	u, err := storage.ParseURI(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func pngOf(t *testing.T, w, h int) []byte {
	var buf bytes.Buffer
	if err := png.Encode(&buf, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestCancel: reading can be stopped, and says nothing then.
func TestCancel(t *testing.T) {
	var later uitest.Later
	w := newWorld(t, func(w *world) { w.env.Work = later.Work })
	later.Run()
	w.clipboard = picture(t, uitest.SampleCode(5))
	w.press("Bild einfügen")
	w.says("Das Bild wird gelesen …")
	if !w.screen.theirs.form.Buttons[0].Disabled() {
		t.Error("a second one could be started")
	}
	w.screen.theirs.form.Entry.SetText(uitest.SampleCode(5))
	enter(w)
	if later.Waiting() != 1 {
		t.Errorf("%d are on their way", later.Waiting())
	}
	w.press("Abbrechen")
	later.Run()
	w.says("")
	if w.accepted() != 0 {
		t.Error("it was accepted all the same")
	}
}

// TestMyCode: a code is kept while it is shown, and another one is made once it
// was given to somebody, was used, or has expired.
func TestMyCode(t *testing.T) {
	w := newWorld(t)
	first := w.screen.mine.inv.Code
	again := func(why string, want bool) {
		t.Helper()
		before := w.screen.mine.inv.Code
		w.screen.Hide()
		w.screen.Show()
		if got := w.screen.mine.inv.Code != before; got != want {
			t.Errorf("%s: a new code %v, want %v", why, got, want)
		}
	}
	again("only shown", false)
	w.press("Link kopieren")
	if got := fyne.CurrentApp().Clipboard().Content(); got != first {
		t.Errorf("copied %q", got)
	}
	again("copied", true)
	w.press("Bild speichern")
	again("picture saved", true)
	w.press("Als Datei speichern")
	again("file saved", true)
	w.now = w.now.Add(8 * 24 * time.Hour)
	again("expired", true)
	w.now = uitest.Now
	used := w.screen.mine.inv
	if err := w.client.Revoke(t.Context(), used.ID); err != nil {
		t.Fatal(err)
	}
	w.screen.Changed([]event.Event{{Kind: event.InvitationChanged}})
	if w.screen.mine.inv.Code == used.Code {
		t.Error("a used code is still shown")
	}
}

func TestSavedPictureIsReadable(t *testing.T) {
	w := newWorld(t)
	w.press("Bild speichern")
	got, err := qr.Decode(t.Context(), w.saved["Kuvert-Einladung.png"])
	if err != nil || got != w.screen.mine.inv.Code {
		t.Errorf("the picture says %q, %v", got, err)
	}
	if got := w.screen.mine.say.Text(); got != "Gespeichert: /home/sabine/Kuvert-Einladung.png" {
		t.Errorf("says %q", got)
	}
	w.press("Als Datei speichern")
	if !bytes.Equal(w.saved["Kuvert-Einladung.kuvert"], w.screen.mine.inv.File) {
		t.Error("the file is another one")
	}
	w.saveErr = errors.New("no room")
	w.press("Bild speichern")
	if got := w.screen.mine.say.Text(); got != parts.T("screens.add.save.failed") {
		t.Errorf("says %q", got)
	}
}

func TestInviteFails(t *testing.T) {
	w := newWorld(t, func(w *world) { w.client.Fail["Invite"] = chat.ErrDiskFull })
	if got := w.screen.mine.say.Text(); !strings.Contains(got, "Die Festplatte ist voll.") {
		t.Errorf("says %q", got)
	}
	if !uitest.Button(t, w.env.Window, "Link kopieren").Disabled() {
		t.Error("nothing can be copied, but the button says so")
	}
	delete(w.client.Fail, "Invite")
	w.press("Neuer Code")
	if w.screen.mine.inv.Code == "" || w.screen.mine.say.Text() != "" {
		t.Errorf("no second try: %q", w.screen.mine.say.Text())
	}
}

func TestRemaining(t *testing.T) {
	uitest.Env(t, uitest.New("x"), "de", 100, 100)
	for d, want := range map[time.Duration]string{
		7 * 24 * time.Hour:           "Noch 7 Tage gültig",
		6*24*time.Hour + time.Minute: "Noch 7 Tage gültig",
		48 * time.Hour:               "Noch 48 Stunden gültig",
		121 * time.Minute:            "Noch 3 Stunden gültig",
		2 * time.Hour:                "Noch 120 Minuten gültig",
		61 * time.Second:             "Noch 2 Minuten gültig",
		time.Second:                  "Noch 1 Minute gültig",
		0:                            "Abgelaufen",
		-time.Hour:                   "Abgelaufen",
	} {
		if got := Remaining(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

// TestVisible: the switch is stored, shows what is stored, and goes back if it
// could not be.
func TestVisible(t *testing.T) {
	w := newWorld(t)
	test.Tap(w.screen.near.visible)
	if w.client.Values[core.SettingVisible] != "true" {
		t.Error("not stored")
	}
	w.client.Fail["SetSetting"] = errors.New("odd")
	test.Tap(w.screen.near.visible)
	if !w.screen.near.visible.On() || w.screen.near.say.Text() != parts.T("screens.settings.failed") {
		t.Errorf("shows %v and says %q", w.screen.near.visible.On(), w.screen.near.say.Text())
	}
}

// TestPair: a click on a visible name leads to the digits, and yes makes it done.
func TestPair(t *testing.T) {
	w := newWorld(t)
	if !uitest.Says(w.env.Window, parts.T("screens.add.nearby.none")) {
		t.Error("does not say that nobody is there")
	}
	w.client.Change(func(c *uitest.Client) { c.Around = []core.Nearby{{ID: "n1", Name: "Thomas Weiß"}} })
	w.screen.Changed([]event.Event{{Kind: event.NearbyChanged}})
	w.press("Verbinden")
	if !uitest.Says(w.env.Window, "Warten auf Thomas Weiß …") {
		t.Errorf("says %q", uitest.Texts(w.env.Window))
	}
	w.client.Change(func(c *uitest.Client) {
		c.Compares[0].Digits, c.Compares[0].State = "482913", core.PairingCompare
	})
	w.screen.Changed([]event.Event{{Kind: event.PairingChanged}})
	if !uitest.Says(w.env.Window, "482 913") {
		t.Errorf("says %q", uitest.Texts(w.env.Window))
	}
	w.press("Ja, dieselben")
	if calls := w.client.Called(); !slices.Contains(calls, "Confirm pair-n1 true") {
		t.Errorf("calls %q", calls)
	}
	w.press("Schließen")
	if n := len(w.env.Window.Canvas().Overlays().List()); n != 0 {
		t.Errorf("%d dialogs are left", n)
	}
}

// TestWaitingForMe: comparisons and requests that others began stand on the screen.
func TestWaitingForMe(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.client.Compares = []core.Pairing{
			{ID: "p1", Name: "Petra", Digits: "123456", Incoming: true, State: core.PairingCompare},
			{ID: "p2", Name: "Anna", Digits: "654321", Invitation: true, State: core.PairingCompare},
			{ID: "p3", Name: "Vorbei", State: core.PairingDone},
		}
		w.client.Strange = []chat.Request{{ID: uitest.Person("Jörg"), Name: "Jörg", ReceivedAt: uitest.Now}}
	})
	for _, want := range []string{"Petra möchte sich mit Ihnen verbinden.", "Anna hat Ihre Einladung angenommen.", "Jörg", "Anfrage vom 24.11.2025"} {
		if !uitest.Says(w.env.Window, want) {
			t.Errorf("does not say %q", want)
		}
	}
	if uitest.Says(w.env.Window, "Vorbei") {
		t.Error("shows what is over")
	}
	w.press("Annehmen")
	if !slices.Equal(w.opened, []chat.PersonID{uitest.Person("Jörg")}) {
		t.Errorf("opened %v", w.opened)
	}
}

// TestFits: in both languages, at both sizes, with long names and every line of
// trouble shown, no word is cut off, and the keyboard reaches everything.
func TestFits(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		for _, size := range []fyne.Size{{Width: 1100, Height: 720}, {Width: 680, Height: 400}, {Width: 779, Height: 720}, {Width: 607, Height: 344}} {
			w := newWorld(t, func(w *world) {
				if err := translations.Register(language); err != nil {
					t.Fatal(err)
				}
				long := "Aylin Yılmaz-Hohenstein – Einkauf und Logistik, Niederlassung Süd"
				w.env.Window.Resize(size)
				w.client.Around = []core.Nearby{{ID: "n1", Name: long}}
				w.client.Compares = []core.Pairing{{ID: "p1", Name: long, Digits: "123456", Incoming: true, State: core.PairingCompare}}
				w.client.Strange = []chat.Request{{ID: uitest.Person(long), Name: long, ReceivedAt: uitest.Now}}
			})
			w.screen.mine.say.Set(parts.ToneError, parts.T("screens.add.save.failed"))
			w.screen.theirs.form.Say.Set(parts.ToneError, parts.T("screens.code.clipboard.none"))
			w.env.Window.Resize(size)
			uitest.Overflow(t, w.env.Window)
			uitest.Reachable(t, w.env.Window)
		}
	}
}
