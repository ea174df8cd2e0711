package uitest

import (
	"context"
	"slices"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
)

// Rights is what the client says about people's rights over their data.
type Rights struct {
	Log  core.ErasureLog
	Held []chat.Holding
}

// Erase implements core.Rights.
func (c *Client) Erase(ctx context.Context, id chat.PersonID, reason core.ErasureReason) (out core.Erased, err error) {
	conv := chat.DirectConversation(c.Me.ID, id)
	err = c.do(ctx, "Erase", func() error {
		p, err := c.person(id)
		if err != nil {
			return err
		}
		out = core.Erased{Messages: int64(len(c.Msgs[conv])), Scrubbed: true}
		out.Entry = core.ErasureEntry{Number: int64(len(c.Log.Entries)) + 1, At: Now, Kind: "contact", Reason: reason}
		c.Log.Entries = append(c.Log.Entries, out.Entry)
		c.People = slices.DeleteFunc(c.People, func(q chat.Contact) bool { return q.ID == p.ID })
		c.Convs = slices.DeleteFunc(c.Convs, func(v chat.Conversation) bool { return v.Contact == id })
		delete(c.Msgs, conv)
		return nil
	}, c.nameOf(id), reason)
	if err == nil {
		c.bus.Publish(event.Event{Kind: event.ContactChanged, Contact: id}, event.Event{Kind: event.ConversationChanged, Conversation: conv})
	}
	return out, err
}

// ErasureLog implements core.Rights.
func (c *Client) ErasureLog(ctx context.Context) (l core.ErasureLog, err error) {
	err = c.do(ctx, "ErasureLog", func() error {
		l = c.Log
		l.Entries = slices.Clone(l.Entries)
		return nil
	})
	return l, err
}

// PersonRecord implements core.Rights.
func (c *Client) PersonRecord(ctx context.Context, id chat.PersonID) (r core.PersonRecord, err error) {
	conv := chat.DirectConversation(c.Me.ID, id)
	err = c.do(ctx, "PersonRecord", func() error {
		p, err := c.person(id)
		if err != nil {
			return err
		}
		contact := *p
		r = core.PersonRecord{Contact: &contact, Conversation: conv, Messages: int64(len(c.Msgs[conv]))}
		return nil
	})
	return r, err
}

// Holdings implements core.Rights.
func (c *Client) Holdings(ctx context.Context) (out []chat.Holding, err error) {
	err = c.do(ctx, "Holdings", func() error { out = slices.Clone(c.Held); return nil })
	return out, err
}
