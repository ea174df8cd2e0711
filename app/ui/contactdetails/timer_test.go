package contactdetails

import (
	"slices"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

// TestTimer: how long messages stay is shown and changed; without a conversation
// there is nothing to set.
func TestTimer(t *testing.T) {
	w := show(t, nil)
	if slices.Contains(uitest.Texts(w.env.Window), "Nachrichten verschwinden") {
		t.Error("a timer without a conversation")
	}
	conv := chat.ConversationID{1}
	w.client.Convs = []chat.Conversation{{ID: conv, Contact: w.id, Timer: 7 * 24 * time.Hour}}
	w.event()
	w.sees("Nachrichten verschwinden")
	choose := selectIn(w.pane.body)
	if choose == nil || choose.Selected != "Nach 7 Tagen" || len(choose.Options) != len(chat.Lives()) {
		t.Fatalf("shows %+v", choose)
	}
	uitest.Snapshot(t, w.env.Window, "timer-de")
	choose.SetSelected("Nach 1 Stunde")
	if got := w.client.Convs[0].Timer; got != time.Hour {
		t.Errorf("timer is %s", got)
	}
	if got := selectIn(w.pane.body).Selected; got != "Nach 1 Stunde" {
		t.Errorf("shows %q", got)
	}
}

func selectIn(o fyne.CanvasObject) *widget.Select {
	switch o := o.(type) {
	case *widget.Select:
		return o
	case *fyne.Container:
		for _, in := range o.Objects {
			if s := selectIn(in); s != nil {
				return s
			}
		}
	}
	return nil
}
