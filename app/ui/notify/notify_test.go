package notify

import (
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
)

// TestFallback: where a notification becomes a command line, it says the same
// constant words whatever it is told.
func TestFallback(t *testing.T) {
	a := test.NewTempApp(t)
	n := newFallback(a, "Kuvert", "Neue Nachricht")
	test.AssertNotificationSent(t, fyne.NewNotification("Kuvert", "Neue Nachricht"), func() {
		n.Show(Note{Title: "$(calc)", Body: "`calc`"})
	})
	n.Clear()
	n.Close()
}

func TestTray(t *testing.T) {
	if NewTray(test.NewTempApp(t), nil, nil, nil) != nil {
		t.Error("an app that can have no tray has one")
	}
}
