package uitest

import (
	"context"
	_ "embed"
	"encoding/json"
	"slices"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
)

//go:embed erasures.json
var erasures []byte

// SampleLog is a deletion log of three entries as the core signs it.
func SampleLog() (l core.ErasureLog) {
	if err := json.Unmarshal(erasures, &l); err != nil {
		panic(err) // built in
	}
	return l
}

// SampleHoldings is what a small office keeps.
func SampleHoldings() []chat.Holding {
	since := Now.AddDate(0, -7, -3)
	return []chat.Holding{
		{Kind: "contacts", Count: 8, Oldest: since, Newest: Now},
		{Kind: "requests"},
		{Kind: "conversations", Count: 8, Oldest: since, Newest: Now},
		{Kind: "messages", Count: 12345, Oldest: since, Newest: Now},
		{Kind: "drafts", Count: 1},
		{Kind: "files", Count: 214},
		{Kind: "outbox", Count: 1, Oldest: Now.AddDate(0, 0, -1)},
		{Kind: "seen", Count: 4096, Oldest: since},
		{Kind: "hosts", Count: 9, Oldest: since},
		{Kind: "queues", Count: 16},
		{Kind: "nodes", Count: 1, Oldest: since},
		{Kind: "invitations", Count: 2, Oldest: Now.AddDate(0, 0, -9)},
		{Kind: "contacted", Count: 11, Oldest: Now.AddDate(0, 0, -1)},
	}
}

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
