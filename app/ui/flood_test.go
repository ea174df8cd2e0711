package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

// TestComposerWhileThousandsArrive types and sends between the pages of a flood:
// what is typed stays, and what is sent goes at once, in its order.
func TestComposerWhileThousandsArrive(t *testing.T) {
	x := open(t, setup{}).talk(sabine)
	for i := range 20 {
		x.c.Flood(sabine, 500)
		x.typed(fmt.Sprint("Antwort ", i))
		x.pump.run()
		if got := x.u.conv.composer.Text; got != fmt.Sprint("Antwort ", i) {
			t.Fatalf("the composer holds %q", got)
		}
		x.c.Flood(sabine, 10) // and what comes between is not waited for
		x.press(fyne.KeyReturn)
		if !x.called(fmt.Sprint("Send Antwort ", i)) {
			t.Fatalf("answer %d was not sent", i)
		}
	}
	var sent []string
	for _, call := range x.c.Called() {
		if text, ok := strings.CutPrefix(call, "Send Antwort "); ok {
			sent = append(sent, text)
		}
	}
	for i, text := range sent {
		if text != fmt.Sprint(i) {
			t.Fatalf("sent %q", sent)
		}
	}
}

// TestOneNotificationForManyRequests is a crowd of strangers who knock again and
// again.
func TestOneNotificationForManyRequests(t *testing.T) {
	x := open(t, setup{})
	x.u.SetActive(false)
	for i := range 100 {
		x.c.Change(func(c *uitest.Client) {
			c.Strange = append(c.Strange, chat.Request{ID: uitest.Person(fmt.Sprint("X", i)), Name: "Volk"})
		}, event.Event{Kind: event.RequestChanged})
		x.pump.run()
	}
	if n := len(x.notes.shown); n != 1 {
		t.Errorf("%d notifications at once", n)
	}
	x.pump.pass(time.Minute)
	if n := len(x.notes.shown); n > 2 {
		t.Errorf("%d notifications for a crowd", n)
	}
}
