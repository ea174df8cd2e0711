package settings

import (
	"bytes"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/test"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

// TestMailboxStates: each state has its word, and whatever can be mended says how.
func TestMailboxStates(t *testing.T) {
	w := show(t)
	w.mustSay("Noch kein Briefkasten eingetragen.")
	w.client.Change(func(c *uitest.Client) { c.Stations = uitest.Mailboxes() }, event.Event{Kind: event.NodeChanged})
	w.screen.Changed([]event.Event{{Kind: event.NodeChanged}})
	for _, want := range []string{
		"Eigener Briefkasten · 192.168.1.5", "Verbunden · 12 MB von 1 GB belegt", "Vermittelt auch Verbindungen.",
		"Eigener Briefkasten · 2001:db8::5", "Wird gesucht …",
		"Computer von Sabine Krüger", "Nicht erreichbar · 400 KB von 100 MB belegt",
		"Zugang ungültig", parts.T("screens.mailbox.refused.text"),
		"Nicht in diesem Netzwerk · 3 MB von 1 GB belegt",
		"Voll · 1 GB von 1 GB belegt",
	} {
		w.mustSay(want)
	}
	if uitest.Says(w.env.Window, "Noch kein Briefkasten eingetragen.") {
		t.Error("says that there is none")
	}
}

func (w *world) mustSay(text string) {
	w.t.Helper()
	if !uitest.Says(w.env.Window, text) {
		w.t.Errorf("does not say %q; says %q", text, uitest.Texts(w.env.Window))
	}
}

func codePicture(t *testing.T, code string) []byte {
	t.Helper()
	img, err := qr.Encode(code, 400)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestAddMailbox takes the same access link in by every way there is.
func TestAddMailbox(t *testing.T) {
	link := uitest.SampleNodeLink()
	for name, way := range map[string]func(w *world){
		"pasted": func(w *world) {
			uitest.Press(w.t, w.env.Window, "Briefkasten hinzufügen")
			w.screen.mail.form.Entry.SetText(link)
			uitest.Press(w.t, w.env.Window, "Hinzufügen")
		},
		"clipboard": func(w *world) {
			w.clipboard = codePicture(w.t, link)
			uitest.Press(w.t, w.env.Window, "Briefkasten hinzufügen")
			uitest.Press(w.t, w.env.Window, "Bild einfügen")
		},
		"dropped": func(w *world) {
			path := filepath.Join(w.t.TempDir(), "x.png")
			if err := os.WriteFile(path, codePicture(w.t, link), 0o600); err != nil {
				w.t.Fatal(err)
			}
			w.screen.Dropped([]fyne.URI{storage.NewFileURI(path)})
		},
		"from another screen": func(w *world) { w.screen.OfferMailbox(link) },
	} {
		t.Run(name, func(t *testing.T) {
			w := show(t)
			w.t = t
			way(w)
			if w.screen.mail.say.Text() != parts.T("screens.mailbox.added") || len(w.client.Stations) != 1 {
				t.Errorf("says %q, has %+v", w.screen.mail.form.Say.Text(), w.client.Stations)
			}
			w.mustSay("Eigener Briefkasten · 192.168.1.5")
			if w.screen.mail.how.Visible() || !w.screen.mail.add.Visible() {
				t.Error("still asks for the link")
			}
		})
	}
}

// TestWrongMailbox: each wrong thing has a sentence about mailboxes, and an
// invitation leads to where it belongs.
func TestWrongMailbox(t *testing.T) {
	for text, key := range map[string]string{
		"":                    "screens.code.empty",
		"guten Tag":           "screens.mailbox.code.malformed",
		"https://example.com": "screens.mailbox.code.web",
	} {
		w := show(t)
		w.screen.mail.open()
		w.screen.mail.form.Offer(text)
		if got := w.screen.mail.form.Say.Text(); got != parts.T(key) {
			t.Errorf("%q: says %q", text, got)
		}
	}
	for err, key := range map[error]string{
		chat.ErrInvitationVersion: "screens.mailbox.code.version", chat.ErrTooLong: "screens.mailbox.code.many",
		chat.ErrDiskFull: "screens.code.diskfull", errors.New("odd"): "screens.code.unknown",
	} {
		w := show(t)
		w.client.Fail["AddNode"] = err
		w.screen.OfferMailbox(uitest.SampleNodeLink())
		if got := w.screen.mail.form.Say.Text(); got != parts.T(key) {
			t.Errorf("%v: says %q", err, got)
		}
	}
	w := show(t)
	w.screen.mail.open()
	w.screen.mail.form.Offer(uitest.SampleCode(3))
	if got := w.screen.mail.form.Say.Text(); got != parts.T("screens.mailbox.invitation") || slices.Contains(w.client.Called(), "AddNode 0") {
		t.Errorf("an invitation: says %q, calls %q", got, w.client.Called())
	}
	uitest.Press(t, w.env.Window, "Einladung annehmen")
	if !slices.Equal(w.invitations, []string{uitest.SampleCode(3)}) {
		t.Errorf("led on with %q", w.invitations)
	}
}

// TestRemoveMailbox: it says what happens, and does it only when told to.
func TestRemoveMailbox(t *testing.T) {
	w := show(t)
	w.client.Change(func(c *uitest.Client) { c.Stations = uitest.Mailboxes()[2:3] })
	w.screen.load()
	uitest.Press(t, w.env.Window, "Entfernen")
	w.mustSay(parts.T("screens.mailbox.remove.theirs", parts.With("Name", "Computer von Sabine Krüger")))
	uitest.Press(t, w.env.Window, "Abbrechen")
	w.calls()
	uitest.Press(t, w.env.Window, "Entfernen")
	uitest.Press(t, w.env.Window, "Entfernen")
	w.calls("RemoveNode 03")
	w.mustSay("Noch kein Briefkasten eingetragen.")
	w.client.Change(func(c *uitest.Client) {
		c.Stations, c.Fail["RemoveNode"] = uitest.Mailboxes()[:1], chat.ErrDiskFull
	})
	w.screen.load()
	uitest.Press(t, w.env.Window, "Entfernen")
	uitest.Press(t, w.env.Window, "Entfernen")
	if got := w.screen.mail.say.Text(); got != parts.T("screens.code.diskfull") {
		t.Errorf("says %q", got)
	}
}

// TestKeepMail: what this computer keeps stands under the switch, while it is on.
func TestKeepMail(t *testing.T) {
	w := show(t)
	if w.screen.mail.kept.Visible() {
		t.Error("says what it keeps while it keeps nothing")
	}
	for _, c := range []struct {
		kept core.KeptMail
		want string
	}{
		{core.KeptMail{}, parts.T("screens.mailbox.kept.nobody")},
		{core.KeptMail{On: true}, parts.T("screens.mailbox.kept.nobody")},
		{core.KeptMail{On: true, People: 1}, "Für 1 Person · zurzeit liegt nichts bereit"},
		{core.KeptMail{On: true, People: 5, Blobs: 12, Bytes: 340_000}, "Für 5 Personen · 12 Nachrichten liegen bereit (340 KB)"},
		{core.KeptMail{On: true, People: 5, Blobs: 1, Bytes: 900}, "Für 5 Personen · 1 Nachricht liegt bereit (900 B)"},
	} {
		w.client.Change(func(k *uitest.Client) { k.Kept, k.Values[core.SettingKeepMail] = c.kept, "true" })
		w.screen.Changed([]event.Event{{Kind: event.NodeChanged}})
		w.mustSay(c.want)
	}
	test.Tap(w.screen.checks[core.SettingKeepMail])
	w.calls("SetSetting keep_mail false")
	if w.screen.mail.kept.Visible() {
		t.Error("still says what it keeps")
	}
}

// TestTryAddresses: what is wrong is named, what is right is stored as typed.
func TestTryAddresses(t *testing.T) {
	w := show(t)
	for list, wrong := range map[string]string{
		"192.168.3":                        "192.168.3",
		"192.168.3.0/24, büro":             "büro",
		"192.168.3.0/33":                   "192.168.3.0/33",
		"192.168.3.1-192.168.3.9":          "192.168.3.1-192.168.3.9",
		"fe80::1%eth0":                     "fe80::1%eth0",
		"10.0.0.0/22 192.168.3.7 10.1.1.1": "many",
		"2001:db8::/32":                    "2001:db8::/32", // nobody looks there
		"192.168.3.7, fd00::7":             "fd00::7",
	} {
		w.screen.try.SetText(list)
		w.screen.saveTry()
		want := parts.T("screens.settings.try.bad", parts.With("Word", wrong))
		if wrong == "many" {
			want = parts.T("screens.settings.try.many", parts.With("Most", core.MaxTryAddrs))
		}
		if got := w.screen.trySay.Text(); got != want {
			t.Errorf("%q: says %q", list, got)
		}
	}
	w.calls()
	w.screen.try.SetText(" 192.168.3.0/24, 10.0.0.7 ")
	w.screen.saveTry()
	w.calls("SetSetting try_addresses 192.168.3.0/24, 10.0.0.7")
	if w.screen.trySay.Text() != parts.T("screens.settings.try.saved") || !w.screen.trySave.Disabled() {
		t.Errorf("says %q", w.screen.trySay.Text())
	}
	w.screen.try.SetText("")
	w.screen.saveTry()
	w.calls("SetSetting try_addresses 192.168.3.0/24, 10.0.0.7", "SetSetting try_addresses")
}

// TestPages: the buttons lead to the pages.
func TestPages(t *testing.T) {
	w := show(t)
	uitest.Press(t, w.env.Window, "Verbindung prüfen")
	uitest.Press(t, w.env.Window, "Wer weiß was")
	if !slices.Equal(w.pages, []string{"doctor", "contacted"}) {
		t.Errorf("opened %q", w.pages)
	}
}

// TestPicture compares the section with a picture that somebody looked at.
func TestPicture(t *testing.T) {
	for _, c := range []struct{ name, language, theme string }{{"mailboxes-light-de", "de", theme.Light}, {"mailboxes-dark-en", "en", theme.Dark}} {
		t.Run(c.name, func(t *testing.T) {
			w := showIn(t, c.language, 900, 900)
			fyne.CurrentApp().Settings().SetTheme(theme.New(c.theme))
			w.client.Change(func(k *uitest.Client) {
				k.Stations, k.Values[core.SettingKeepMail] = uitest.Mailboxes(), "true"
				k.Kept = core.KeptMail{On: true, People: 5, Blobs: 12, Bytes: 340_000}
			})
			w.open()
			w.screen.Reveal(SectionMailbox)
			w.env.Window.Canvas().Unfocus()
			test.AssertRendersToImage(t, c.name+".png", w.env.Window.Canvas())
		})
	}
}
