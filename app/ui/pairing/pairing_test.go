package pairing

import (
	"errors"
	"slices"
	"testing"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

var changed = []event.Event{{Kind: event.PairingChanged}}

type world struct {
	t      *testing.T
	client *uitest.Client
	env    parts.Env
	dialog *Dialog
	closed int
}

func show(t *testing.T, p core.Pairing, language string, size fyne.Size) *world {
	w := &world{t: t, client: uitest.New("Sabine")}
	p.ID, p.Name = "p1", "Thomas Weiß"
	w.client.Compares = []core.Pairing{p}
	w.env = uitest.Env(t, w.client, language, size.Width, size.Height)
	w.env.Window.SetContent(parts.Body("unten"))
	w.dialog = Show(w.env, p)
	w.dialog.OnClosed = func() { w.closed++ }
	return w
}

var small, large = fyne.NewSize(680, 400), fyne.NewSize(1100, 720)

func (w *world) sees(text string) {
	w.t.Helper()
	if !uitest.Says(w.env.Window, text) {
		w.t.Errorf("does not say %q but %q", text, uitest.Texts(w.env.Window))
	}
}

func (w *world) press(text string) { w.t.Helper(); uitest.Press(w.t, w.env.Window, text) }

func (w *world) called(call string) bool { return slices.Contains(w.client.Called(), call) }

// TestEnds: each way a comparison can end is said, and can be closed.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		p    core.Pairing
		says string
	}{
		{core.Pairing{State: core.PairingDone, Digits: "1"}, "Bestätigt auch Thomas Weiß, können Sie einander schreiben."},
		{core.Pairing{State: core.PairingDone, Digits: "1", Invitation: true}, "Thomas Weiß ist jetzt verifiziert."},
		{core.Pairing{State: core.PairingRejected}, "Eine Seite hat abgelehnt. Es wurde nichts gespeichert."},
		{core.Pairing{State: core.PairingRejected, Invitation: true}, "Der Kontakt ist blockiert. Schicken Sie eine neue Einladung auf einem sicheren Weg."},
		{core.Pairing{State: core.PairingFailed}, "Die andere Seite ist nicht mehr erreichbar, oder es hat zu lange gedauert. Versuchen Sie es noch einmal."},
	} {
		w := show(t, c.p, "de", large)
		w.sees(c.says)
		w.press("Schließen")
		if !w.dialog.Closed() || w.closed != 1 || len(w.client.Called()) != 0 {
			t.Errorf("%+v: closed %v, calls %q", c.p, w.dialog.Closed(), w.client.Called())
		}
	}
}

// TestBothConfirmed: the dialog does not go on waiting for somebody who answered.
func TestBothConfirmed(t *testing.T) {
	const waits, joined = "Bestätigt auch Thomas Weiß, können Sie einander schreiben.", "Sie und Thomas Weiß haben beide bestätigt und können einander jetzt schreiben."
	contact := chat.Contact{ID: uitest.Person("Thomas Weiß"), Name: "Thomas Weiß"}
	for _, first := range []bool{false, true} {
		w := show(t, core.Pairing{State: core.PairingCompare, Digits: "004711", Contact: contact.ID}, "de", large)
		meet := func() { w.client.Change(func(c *uitest.Client) { c.People = append(c.People, contact) }) }
		if first {
			meet()
		}
		w.press("Ja, dieselben")
		if !first {
			w.sees(waits)
			meet()
			w.dialog.Changed([]event.Event{{Kind: event.ContactChanged}})
		}
		w.sees(joined)
	}
}

// TestFollowsTheCore: what happens on the other side shows at once.
func TestFollowsTheCore(t *testing.T) {
	w := show(t, core.Pairing{State: core.PairingWaiting}, "de", large)
	w.sees("Warten auf Thomas Weiß …")
	w.client.Change(func(c *uitest.Client) { c.Compares[0].Digits, c.Compares[0].State = "004711", core.PairingCompare })
	w.dialog.Changed(changed)
	w.sees("004 711")
	w.client.Change(func(c *uitest.Client) { c.Compares[0].State = core.PairingRejected })
	w.dialog.Changed(changed)
	w.sees("Eine Seite hat abgelehnt. Es wurde nichts gespeichert.")
	w.client.Change(func(c *uitest.Client) { c.Compares = nil })
	w.dialog.Changed(changed)
	w.sees("Eine Seite hat abgelehnt. Es wurde nichts gespeichert.")
}

// TestVanished: a comparison that the core no longer knows has failed.
func TestVanished(t *testing.T) {
	w := show(t, core.Pairing{State: core.PairingCompare, Digits: "123456"}, "de", large)
	w.client.Change(func(c *uitest.Client) { c.Compares = nil })
	w.dialog.Changed([]event.Event{{Kind: event.NearbyChanged}})
	w.sees("123 456")
	w.dialog.Changed(changed)
	w.sees("Verbindung abgebrochen")
}

// TestYes and its counterpart: only an answer that was given reaches the core.
func TestYes(t *testing.T) {
	w := show(t, core.Pairing{State: core.PairingCompare, Digits: "123456", Incoming: true}, "de", large)
	w.sees("Thomas Weiß möchte sich mit Ihnen verbinden.")
	if f := w.env.Window.Canvas().Focused(); f != nil {
		t.Errorf("%T has the focus: a stray Enter would answer", f)
	}
	w.press("Ja, dieselben")
	if !w.called("Confirm p1 true") {
		t.Errorf("calls %q", w.client.Called())
	}
	w.sees("Von Ihnen bestätigt")
}

func TestNo(t *testing.T) {
	for _, c := range []struct {
		invitation bool
		do, says   string
	}{
		{false, "Verbindung beenden", "Eine Seite hat abgelehnt. Es wurde nichts gespeichert."},
		{true, "Kontakt blockieren", "Der Kontakt ist blockiert. Schicken Sie eine neue Einladung auf einem sicheren Weg."},
	} {
		w := show(t, core.Pairing{State: core.PairingCompare, Digits: "123456", Invitation: c.invitation}, "de", large)
		w.press("Nein, andere")
		if len(w.client.Called()) != 0 {
			t.Error("one click ends it")
		}
		w.press("Zurück")
		w.sees("123 456")
		w.press("Nein, andere")
		w.press(c.do)
		if !w.called("Confirm p1 false") {
			t.Errorf("calls %q", w.client.Called())
		}
		w.sees(c.says)
	}
}

// TestLater: closing answers nothing, whether by button or by key.
func TestLater(t *testing.T) {
	for _, by := range []func(w *world){
		func(w *world) { w.press("Später") },
		func(w *world) { w.env.Window.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyEscape}) },
	} {
		w := show(t, core.Pairing{State: core.PairingCompare, Digits: "123456"}, "de", large)
		by(w)
		if !w.dialog.Closed() || w.closed != 1 || len(w.client.Called()) != 0 {
			t.Errorf("closed %v (%d), calls %q", w.dialog.Closed(), w.closed, w.client.Called())
		}
	}
}

// TestGiveUp: to stop waiting tells the other side.
func TestGiveUp(t *testing.T) {
	w := show(t, core.Pairing{State: core.PairingWaiting}, "de", large)
	w.press("Abbrechen")
	if !w.dialog.Closed() || !w.called("Confirm p1 false") {
		t.Errorf("closed %v, calls %q", w.dialog.Closed(), w.client.Called())
	}
}

func TestAnswerFails(t *testing.T) {
	w := show(t, core.Pairing{State: core.PairingCompare, Digits: "123456"}, "de", large)
	w.client.Fail["Confirm"] = errors.New("odd")
	w.press("Ja, dieselben")
	if uitest.Says(w.env.Window, "Von Ihnen bestätigt") || w.dialog.say.Text() == "" {
		t.Errorf("says %q", w.dialog.say.Text())
	}
	delete(w.client.Fail, "Confirm")
	w.press("Ja, dieselben")
	w.sees("Von Ihnen bestätigt")
}

// TestOnceOnly: two clicks are one answer.
func TestOnceOnly(t *testing.T) {
	var later uitest.Later
	w := show(t, core.Pairing{State: core.PairingCompare, Digits: "123456"}, "de", large)
	w.dialog.env.Work = later.Work
	w.press("Ja, dieselben")
	w.press("Ja, dieselben")
	if later.Waiting() != 1 {
		t.Errorf("%d answers are on their way", later.Waiting())
	}
	later.Run()
	w.sees("Von Ihnen bestätigt")
}

func TestGrouped(t *testing.T) {
	for in, want := range map[string]string{"123456": "123 456", "": "", "12345": "12345"} {
		if got := Grouped(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestFits(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		for _, size := range []fyne.Size{small, large} {
			for _, p := range []core.Pairing{
				{State: core.PairingWaiting},
				{State: core.PairingCompare, Digits: "482913", Incoming: true},
				{State: core.PairingCompare, Digits: "482913", Invitation: true},
				{State: core.PairingDone, Digits: "482913"},
				{State: core.PairingRejected, Invitation: true},
				{State: core.PairingFailed},
			} {
				w := show(t, p, language, size)
				uitest.Overflow(t, w.env.Window)
				uitest.Reachable(t, w.env.Window)
				w.dialog.doubt = true
				w.dialog.show()
				uitest.Overflow(t, w.env.Window)
			}
		}
	}
}
