package ui

import (
	"errors"
	"slices"
	"testing"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// bubbles are the messages on screen, in their order.
func (x *world) bubbles() (out []widgets.Item) {
	for _, it := range x.u.conv.history.Items() {
		if it.Key.Kind == widgets.ItemBubble {
			out = append(out, it)
		}
	}
	return out
}

// choose does what an entry of a message's menu does.
func (x *world) choose(it widgets.Item, label string) {
	x.t.Helper()
	for _, entry := range x.u.conv.menuItems(it) {
		if entry.Label == label {
			entry.Action()
			x.pump.run()
			return
		}
	}
	x.t.Fatalf("the menu has no %q", label)
}

func (x *world) answer(text string) {
	x.t.Helper()
	uitest.Press(x.t, x.w, text)
	x.pump.run()
}

// TestDelete: a message goes only after the question, and then from the screen.
func TestDelete(t *testing.T) {
	x := open(t, setup{}).talk(thomas)
	all := x.bubbles()
	last := all[len(all)-1]
	x.choose(last, word("conversation.menu.delete"))
	x.mustSay("Nachricht löschen?")
	x.answer("Abbrechen")
	if x.called("DeleteMessage " + last.Key.ID.String()) {
		t.Fatal("deleted although the question was answered with no")
	}
	x.choose(last, word("conversation.menu.delete"))
	x.answer("Hier löschen")
	if !x.called("DeleteMessage "+last.Key.ID.String()) || len(x.bubbles()) != len(all)-1 {
		t.Errorf("%d of %d messages are left; calls %q", len(x.bubbles()), len(all), x.c.Called())
	}
	if r := x.u.side.list.Rows(); slices.ContainsFunc(r, func(r widgets.Row) bool { return r.Preview == last.Text }) {
		t.Error("the list still shows it")
	}
}

// TestDeleteSaysWhere: the question says truthfully what becomes of the other copy.
func TestDeleteSaysWhere(t *testing.T) {
	me, other := uitest.Person("a"), uitest.Person("b")
	for want, m := range map[string]chat.Message{
		"conversation.delete.theirs":  {Sender: other, State: chat.Received},
		"conversation.delete.waiting": {Sender: me, State: chat.Queued},
		"conversation.delete.sent":    {Sender: me, State: chat.Sent},
		"conversation.delete.failed":  {Sender: me, State: chat.Failed},
		"conversation.delete.own":     {Sender: me, State: chat.Read},
	} {
		if got := deleteSentence(m, me); got != want {
			t.Errorf("%s: says %s", want, got)
		}
	}
}

// TestDeleteByKey: Delete asks about the message under the cursor, which goes on to
// the next one, so that several can be deleted one after the other.
func TestDeleteByKey(t *testing.T) {
	x := open(t, setup{}).talk(thomas)
	before := x.bubbles()
	x.w.Canvas().Focus(x.u.conv.history)
	x.press(fyne.KeyUp)
	x.press(fyne.KeyDelete)
	x.answer("Hier löschen")
	x.press(fyne.KeyDelete)
	x.answer("Hier löschen")
	after := x.bubbles()
	if len(after) != len(before)-2 || after[len(after)-1].Key == before[len(before)-1].Key {
		t.Errorf("%d messages before, %d after", len(before), len(after))
	}
}

func TestDeleteFails(t *testing.T) {
	for err, says := range map[error]string{errors.New("odd"): word("error.delete"), chat.ErrNotFound: ""} {
		x := open(t, setup{}).talk(thomas)
		x.c.Change(func(c *uitest.Client) { c.Fail["DeleteMessage"] = err })
		x.choose(x.bubbles()[0], word("conversation.menu.delete"))
		x.answer("Hier löschen")
		if got := x.u.conv.trouble.Text(); got != says {
			t.Errorf("%v: says %q", err, got)
		}
	}
}

// TestCleared: what was being written goes with the rest, and is not stored again.
func TestCleared(t *testing.T) {
	x := open(t, setup{}).talk(thomas)
	x.typed("noch nicht fertig")
	if err := x.c.ClearConversation(t.Context(), x.conv(thomas)); err != nil {
		t.Fatal(err)
	}
	x.u.Cleared(uitest.Person(thomas))
	x.pump.run()
	x.pump.pass(draftPause)
	if len(x.bubbles()) != 0 || x.u.conv.composer.Text != "" || x.called("SaveDraft noch nicht fertig") {
		t.Errorf("%d messages, %q being written, calls %q", len(x.bubbles()), x.u.conv.composer.Text, x.c.Called())
	}
	x.mustSay(word("conversation.empty"))
}

// TestErased: a person who was erased is gone from the list and from the pane, and
// nothing of them is stored again.
func TestErased(t *testing.T) {
	x := open(t, setup{}).talk(thomas)
	x.typed("halb")
	if _, err := x.c.Erase(t.Context(), uitest.Person(thomas), core.ErasedByChoice); err != nil {
		t.Fatal(err)
	}
	x.pump.run()
	x.pump.pass(draftPause)
	if slices.Contains(names(x.u.side.list.Rows()), thomas) || !x.u.current.IsZero() {
		t.Error("still there")
	}
	if x.called("SaveDraft halb") {
		t.Error("a draft was stored of somebody erased")
	}
	x.mustSay(word("main.choose.title"))
}
