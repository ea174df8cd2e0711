package ui

import (
	"context"
	"errors"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// deleteItem is the entry of a message's menu that deletes it.
func (c *conversation) deleteItem(it widgets.Item) []*fyne.MenuItem {
	return []*fyne.MenuItem{
		fyne.NewMenuItemSeparator(),
		fyne.NewMenuItem(t("conversation.menu.delete"), func() { c.askDelete(it) }),
	}
}

// askDelete asks before a message goes, and says where it goes from and where it
// does not.
func (c *conversation) askDelete(it widgets.Item) {
	m, ok := c.message(it.Key.ID)
	if !ok {
		return
	}
	parts.Ask(c.u.cfg.Window, t("conversation.delete.title"), t(deleteSentence(m, c.u.me.ID), "Name", c.u.contacts[c.id].Name),
		parts.T("screens.cancel"), t("conversation.delete.yes"), true, func() { c.delete(m.ID) })
}

// deleteSentence says what becomes of the other side's copy.
func deleteSentence(m chat.Message, me chat.PersonID) string {
	switch {
	case m.Sender != me:
		return "conversation.delete.theirs"
	case m.State == chat.Queued:
		return "conversation.delete.waiting"
	case m.State == chat.Sent:
		return "conversation.delete.sent"
	case m.State == chat.Failed:
		return "conversation.delete.failed"
	}
	return "conversation.delete.own"
}

func (c *conversation) delete(id chat.MessageID) {
	person := c.id
	c.u.pump.Tell(func(ctx context.Context) func() {
		err := c.u.cfg.Client.DeleteMessage(ctx, id)
		if err != nil && !errors.Is(err, chat.ErrNotFound) { // else it went by itself meanwhile
			return func() { c.failed(person, err, "error.delete") }
		}
		return nil
	})
}

// Cleared is to be called when the conversation with a person was cleared from
// outside the window's pane: what is being written there went with it.
func (u *UI) Cleared(id chat.PersonID) {
	if v, ok := u.convs[id]; ok {
		v.Draft = ""
		u.convs[id] = v
	}
	if id != u.current {
		return
	}
	c := u.conv
	c.stopSaving()
	c.dirty = false
	c.composer.Set("")
	c.say("")
}
