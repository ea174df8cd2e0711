package requests

import (
	"errors"
	"slices"
	"testing"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

func world(t *testing.T, names ...string) (*uitest.Client, *List, fyne.Window) {
	c := uitest.New("Sabine")
	for _, n := range names {
		c.Strange = append(c.Strange, chat.Request{ID: uitest.Person(n), Name: n, ReceivedAt: uitest.Now})
	}
	env := uitest.Env(t, c, "de", 680, 400)
	l := New(env)
	env.Window.SetContent(l.Object())
	l.Load()
	return c, l, env.Window
}

func TestAnswer(t *testing.T) {
	for button, call := range map[string]string{"Annehmen": "AnswerRequest true", "Ablehnen": "AnswerRequest false"} {
		c, l, w := world(t, "Jörg")
		var accepted []chat.PersonID
		l.OnAccepted = func(id chat.PersonID) { accepted = append(accepted, id) }
		uitest.Press(t, w, button)
		if !slices.Contains(c.Called(), call) {
			t.Errorf("%s: calls %q", button, c.Called())
		}
		if l.Object().Visible() {
			t.Errorf("%s: the list is still there", button)
		}
		if (button == "Annehmen") != (len(accepted) == 1) {
			t.Errorf("%s: accepted %v", button, accepted)
		}
	}
}

func TestNoneTakesNoRoom(t *testing.T) {
	_, l, _ := world(t)
	if l.Object().Visible() {
		t.Error("an empty list is shown")
	}
}

func TestAnswerFails(t *testing.T) {
	c, l, w := world(t, "Jörg", "Anna")
	c.Fail["AnswerRequest"] = errors.New("odd")
	uitest.Press(t, w, "Annehmen")
	if !uitest.Says(w, "Jörg") || l.say.Text() != parts.T("screens.code.unknown") {
		t.Errorf("says %q", l.say.Text())
	}
	uitest.Overflow(t, w)
	uitest.Reachable(t, w)
}
