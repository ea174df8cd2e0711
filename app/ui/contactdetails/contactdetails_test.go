package contactdetails

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
	"github.com/kuvert-im/kuvert/assets/translations"
)

type world struct {
	t      *testing.T
	client *uitest.Client
	env    parts.Env
	pane   *Pane
	id     chat.PersonID
}

func show(t *testing.T, change func(*chat.Contact)) *world {
	c := uitest.Contact("Thomas Weiß")
	if change != nil {
		change(&c)
	}
	w := &world{t: t, client: uitest.New("Sabine"), id: c.ID}
	w.client.People = []chat.Contact{c}
	w.env = uitest.Env(t, w.client, "de", 1100, 720)
	w.pane = New(Config{Env: w.env, Contact: c.ID})
	w.env.Window.SetContent(w.pane.Object())
	return w
}

func (w *world) sees(text string) {
	w.t.Helper()
	if !uitest.Says(w.env.Window, text) {
		w.t.Errorf("does not say %q but %q", text, uitest.Texts(w.env.Window))
	}
}

func (w *world) press(text string) { w.t.Helper(); uitest.Press(w.t, w.env.Window, text) }

func (w *world) calls() []string { return w.client.Called() }

// event tells the pane what the real core tells after a change.
func (w *world) event() {
	w.pane.Changed([]event.Event{{Kind: event.ContactChanged, Contact: w.id}})
}

// TestStatus says no more than what is known.
func TestStatus(t *testing.T) {
	for want, change := range map[string]func(*chat.Contact){
		"Online":                           func(c *chat.Contact) { c.Online = true },
		"Zuletzt gesehen heute um 09:38":   nil,
		"Noch nie gesehen":                 func(c *chat.Contact) { c.LastSeen = time.Time{} },
		"Einladung noch nicht beantwortet": func(c *chat.Contact) { c.Pending = true },
		"Blockiert":                        func(c *chat.Contact) { c.Blocked, c.Online = true, true },
	} {
		show(t, change).sees(want)
	}
}

// TestUnnamed: who was invited and has not answered yet has not said a name.
func TestUnnamed(t *testing.T) {
	w := show(t, func(c *chat.Contact) { c.Name, c.GivenName, c.Pending = "", "", true })
	w.sees("Neuer Kontakt")
	w.press("Name ändern")
	if w.pane.entry.Text != "" {
		t.Errorf("offers %q as a name", w.pane.entry.Text)
	}
	w.pane.entry.SetText("Clara")
	w.press("Speichern")
	w.sees("Clara")
}

// TestVerify: one click marks nobody as verified; the question has to be answered.
func TestVerify(t *testing.T) {
	w := show(t, nil)
	w.sees("Noch nicht verifiziert")
	w.sees("05961")
	w.press("Nummern sind gleich")
	w.press("Abbrechen")
	if len(w.calls()) != 0 {
		t.Fatalf("calls %q", w.calls())
	}
	w.press("Nummern sind gleich")
	w.press("Ja, verglichen")
	if !slices.Equal(w.calls(), []string{"Verify Thomas Weiß"}) {
		t.Errorf("calls %q", w.calls())
	}
	w.sees("Verifiziert")
	if uitest.Says(w.env.Window, "Nummern sind gleich") {
		t.Error("asks once more")
	}
}

func TestBlock(t *testing.T) {
	w := show(t, nil)
	w.press("Blockieren")
	w.press("Abbrechen")
	if len(w.calls()) != 0 {
		t.Fatalf("calls %q", w.calls())
	}
	w.press("Blockieren")
	w.press("Blockieren")
	w.sees("Blockiert")
	w.press("Blockierung aufheben")
	if !slices.Equal(w.calls(), []string{"SetBlocked true", "SetBlocked false"}) {
		t.Errorf("calls %q", w.calls())
	}
}

func TestRename(t *testing.T) {
	for typed, want := range map[string]string{
		" Thomas (Lager) ": "Rename Thomas (Lager)",
		"":                 "Rename",
		"Thomas Weiß":      "Rename", // their own name is no alias
	} {
		w := show(t, func(c *chat.Contact) { c.Alias, c.Name = "Tom", "Tom" })
		w.sees("Nennt sich selbst Thomas Weiß")
		w.press("Name ändern")
		w.pane.entry.SetText(typed)
		w.press("Speichern")
		if !slices.Equal(w.calls(), []string{want}) {
			t.Errorf("%q: calls %q", typed, w.calls())
		}
		if w.pane.editing {
			t.Errorf("%q: still asks", typed)
		}
	}
}

// TestRenameKeepsWhatIsTyped: neither a refusal nor a change from elsewhere takes
// the field away.
func TestRenameKeepsWhatIsTyped(t *testing.T) {
	w := show(t, nil)
	w.press("Name ändern")
	w.pane.entry.SetText(strings.Repeat("x", 200))
	w.press("Speichern")
	if w.pane.say.Text() != parts.T("screens.contact.name.bad") || !w.pane.editing {
		t.Errorf("says %q, editing %v", w.pane.say.Text(), w.pane.editing)
	}
	w.client.Change(func(c *uitest.Client) { c.People[0].Online = true })
	w.event()
	if len(w.pane.entry.Text) != 200 {
		t.Error("what was typed is gone")
	}
	w.press("Abbrechen")
	w.sees("Thomas Weiß")
	w.sees("Online")
}

func TestFollowsTheCore(t *testing.T) {
	w := show(t, nil)
	w.client.Change(func(c *uitest.Client) { c.People[0].Verified = true })
	w.pane.Changed([]event.Event{{Kind: event.ContactChanged, Contact: uitest.Person("Anna")}})
	w.sees("Noch nicht verifiziert")
	w.event()
	w.sees("Verifiziert")
	w.client.Change(func(c *uitest.Client) { c.People = nil })
	w.event()
	w.sees("Diesen Kontakt gibt es nicht mehr.")
}

func TestFails(t *testing.T) {
	w := show(t, nil)
	w.client.Fail["SetBlocked"] = errors.New("odd")
	w.press("Blockieren")
	w.press("Blockieren")
	if w.pane.say.Text() != parts.T("screens.code.unknown") {
		t.Errorf("says %q", w.pane.say.Text())
	}
	w.client.Fail["Safety"] = errors.New("odd")
	w.pane.load()
	w.sees("Die Sicherheitsnummer ist noch nicht verfügbar.")
	if uitest.Says(w.env.Window, "Nummern sind gleich") {
		t.Error("asks to confirm a number that is not there")
	}
}

func TestNumber(t *testing.T) {
	digits := "059612784510772630948821044537192067015833649528710641398720"
	for _, in := range []string{digits, "05961 27845 10772 63094 88210 44537 19206 70158 33649 52871 06413 98720"} {
		if g := Groups(in); len(g) != 12 || g[0] != "05961" || g[11] != "98720" {
			t.Errorf("%q: %q", in, g)
		}
		if got := Lines(in); got != "05961 27845 10772 63094\n88210 44537 19206 70158\n33649 52871 06413 98720" {
			t.Errorf("%q: %q", in, got)
		}
	}
	w := show(t, nil)
	w.press("Nummer kopieren")
	if got := fyne.CurrentApp().Clipboard().Content(); got != Lines(digits) {
		t.Errorf("copied %q", got)
	}
}

func TestFits(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		for _, width := range []float32{1100, 680, 320} {
			w := show(t, func(c *chat.Contact) {
				c.Name = "Aylin Yılmaz-Hohenstein – Einkauf und Logistik"
				c.Alias = c.Name
			})
			if err := translations.Register(language); err != nil {
				t.Fatal(err)
			}
			w.env.Window.Resize(fyne.NewSize(width, 400))
			w.pane.build()
			uitest.Overflow(t, w.env.Window)
			uitest.Reachable(t, w.env.Window)
			w.pane.edit(true)
			uitest.Overflow(t, w.env.Window)
			uitest.Reachable(t, w.env.Window)
		}
	}
}

// TestLateAnswer: an answer that was overtaken shows nothing.
func TestLateAnswer(t *testing.T) {
	w := show(t, nil)
	var held []func()
	w.pane.cfg.Work = func(work func(ctx context.Context) func()) { held = append(held, work(t.Context())) }
	w.event()
	w.client.Change(func(c *uitest.Client) { c.People[0].Verified = true })
	w.event()
	held[1]()
	held[0]()
	w.sees("Verifiziert")
}

// TestClear: the history goes only after the question; the window is told.
func TestClear(t *testing.T) {
	w := show(t, nil)
	if uitest.Says(w.env.Window, "Verlauf leeren…") {
		t.Error("a history to clear without a conversation")
	}
	w.client.Convs = []chat.Conversation{{ID: chat.ConversationID{1}, Contact: w.id}}
	cleared := 0
	w.pane.cfg.Cleared = func() { cleared++ }
	w.event()
	w.press("Verlauf leeren…")
	w.press("Abbrechen")
	if len(w.calls()) != 0 || cleared != 0 {
		t.Fatalf("calls %q", w.calls())
	}
	w.press("Verlauf leeren…")
	w.press("Verlauf leeren")
	if want := []string{"ClearConversation " + (chat.ConversationID{1}).String()}; !slices.Equal(w.calls(), want) || cleared != 1 {
		t.Errorf("calls %q, cleared %d", w.calls(), cleared)
	}
	w.sees("Der Verlauf ist leer.")
	w.client.Fail["ClearConversation"] = errors.New("odd")
	w.press("Verlauf leeren…")
	w.press("Verlauf leeren")
	if cleared != 1 || w.pane.say.Text() != parts.T("screens.code.unknown") {
		t.Errorf("cleared %d, says %q", cleared, w.pane.say.Text())
	}
}

// TestRights: both dialogs are about this person; the window learns that they are gone.
func TestRights(t *testing.T) {
	w := show(t, nil)
	erased := 0
	w.pane.cfg.Erased = func() { erased++ }
	w.press("Alle Daten dieser Person ausgeben…")
	w.sees("Daten von Thomas Weiß ausgeben?")
	w.press("Abbrechen")
	w.press("Person mit allen Spuren löschen…")
	w.sees("Thomas Weiß löschen?")
	w.press("Endgültig löschen")
	if !slices.Equal(w.calls(), []string{"Erase Thomas Weiß own_decision"}) || erased != 1 {
		t.Errorf("calls %q, erased %d", w.calls(), erased)
	}
}
