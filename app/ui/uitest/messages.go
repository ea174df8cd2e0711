package uitest

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
)

func (c *Client) conv(id chat.ConversationID) (*chat.Conversation, error) {
	i := slices.IndexFunc(c.Convs, func(v chat.Conversation) bool { return v.ID == id })
	if i < 0 {
		return nil, chat.ErrNotFound
	}
	return &c.Convs[i], nil
}

// Conversations implements core.Conversations.
func (c *Client) Conversations(ctx context.Context) (out []chat.Conversation, err error) {
	err = c.do(ctx, "Conversations", func() error {
		out = slices.Clone(c.Convs)
		slices.SortStableFunc(out, func(a, b chat.Conversation) int { return b.LastAt.Compare(a.LastAt) })
		return nil
	})
	return out, err
}

// Conversation implements core.Conversations.
func (c *Client) Conversation(ctx context.Context, id chat.ConversationID) (out chat.Conversation, err error) {
	err = c.do(ctx, "Conversation", func() error {
		v, err := c.conv(id)
		if err == nil {
			out = *v
		}
		return err
	})
	return out, err
}

// Messages implements core.Conversations.
func (c *Client) Messages(ctx context.Context, q chat.MessageQuery) (out []chat.Message, err error) {
	err = c.do(ctx, "Messages", func() error { out = page(c.Msgs[q.Conversation], q); return nil })
	return out, err
}

func page(all []chat.Message, q chat.MessageQuery) []chat.Message {
	limit := min(max(q.Limit, 0), chat.MaxPage)
	if limit == 0 {
		limit = chat.DefaultPage
	}
	var out []chat.Message
	for _, m := range all {
		at := chat.Position{Seq: m.Seq, ID: m.ID}
		if (q.TextOnly && m.Kind != chat.KindText) || (q.After != nil && !before(*q.After, at)) || (q.Before != nil && !before(at, *q.Before)) {
			continue
		}
		out = append(out, m)
	}
	if q.After != nil && q.Before == nil {
		return out[:min(limit, len(out))]
	}
	return out[max(0, len(out)-limit):]
}

func before(a, b chat.Position) bool {
	return a.Seq < b.Seq || (a.Seq == b.Seq && slices.Compare(a.ID[:], b.ID[:]) < 0)
}

// Message implements core.Conversations.
func (c *Client) Message(ctx context.Context, id chat.MessageID) (out chat.Message, err error) {
	err = c.do(ctx, "Message", func() error {
		for _, list := range c.Msgs {
			for _, m := range list {
				if m.ID == id {
					out = m
					return nil
				}
			}
		}
		return chat.ErrNotFound
	})
	return out, err
}

// Send implements core.Conversations.
func (c *Client) Send(ctx context.Context, id chat.ConversationID, out core.Outgoing) (mid chat.MessageID, err error) {
	err = c.do(ctx, "Send", func() error {
		v, err := c.conv(id)
		if err != nil {
			return err
		}
		if out.Text == "" && len(out.Files) == 0 {
			return chat.ErrEmpty
		}
		if len(out.Text) > chat.MaxTextSize {
			return chat.ErrTooLong
		}
		mid = c.append(v, chat.Message{
			Sender: c.Me.ID, Kind: chat.KindText, Text: out.Text, ReplyTo: out.ReplyTo, State: chat.Queued,
			Attachments: sent(out.Files),
		})
		v.Draft = ""
		return nil
	}, call(out)...)
	if err == nil {
		c.bus.Publish(
			event.Event{Kind: event.MessageAdded, Conversation: id, Message: mid},
			event.Event{Kind: event.ConversationChanged, Conversation: id},
		)
	}
	return mid, err
}

// call is what a call of Send is written down as.
func call(out core.Outgoing) []any {
	args := []any{out.Text}
	for _, f := range out.Files {
		args = append(args, filepath.Base(f))
	}
	return args
}

func sent(paths []string) (out []chat.Attachment) {
	for _, p := range paths {
		out = append(out, chat.Attachment{Name: filepath.Base(p), Size: 1, State: chat.FileHere})
	}
	return out
}

// append adds a message to a conversation and returns its id.
func (c *Client) append(v *chat.Conversation, m chat.Message) chat.MessageID {
	list := c.Msgs[v.ID]
	n := uint64(len(list) + 1)
	if m.ID.IsZero() {
		m.ID = chat.MessageID{byte(n >> 8), byte(n), v.ID[0], v.ID[1], 1}
	}
	m.Conversation = v.ID
	if m.Seq == 0 {
		m.Seq = n
	}
	if m.SentAt.IsZero() {
		m.SentAt = Now
	}
	c.Msgs[v.ID] = append(list, m)
	v.Last, v.LastAt = &m, m.SentAt
	if m.State == chat.Received && m.Seq > v.ReadSeq {
		v.Unread++
	}
	return m.ID
}

// AddConversation adds a contact with a conversation and returns its id.
func (c *Client) AddConversation(p chat.Contact, messages ...chat.Message) chat.ConversationID {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := chat.DirectConversation(c.Me.ID, p.ID)
	c.People = append(c.People, p)
	c.Convs = append(c.Convs, chat.Conversation{ID: id, Contact: p.ID, LastAt: p.AddedAt})
	for _, m := range messages {
		c.append(&c.Convs[len(c.Convs)-1], m)
	}
	return id
}

// Arrive adds a message to a conversation, as if it came in, and publishes it.
func (c *Client) Arrive(id chat.ConversationID, m chat.Message) chat.MessageID {
	c.mu.Lock()
	v, err := c.conv(id)
	if err != nil {
		c.mu.Unlock()
		panic("uitest: no such conversation")
	}
	mid := c.append(v, m)
	c.mu.Unlock()
	c.bus.Publish(
		event.Event{Kind: event.MessageAdded, Conversation: id, Message: mid},
		event.Event{Kind: event.ConversationChanged, Conversation: id},
	)
	return mid
}

// Resend implements core.Conversations.
func (c *Client) Resend(ctx context.Context, id chat.MessageID) error {
	var conv chat.ConversationID
	err := c.do(ctx, "Resend", func() error {
		for v, list := range c.Msgs {
			for i := range list {
				if list[i].ID == id {
					list[i].State, conv = chat.Queued, v
					return nil
				}
			}
		}
		return chat.ErrNotFound
	}, id)
	if err == nil {
		c.bus.Publish(event.Event{Kind: event.MessageChanged, Conversation: conv, Message: id})
	}
	return err
}

// MarkRead implements core.Conversations.
func (c *Client) MarkRead(ctx context.Context, id chat.ConversationID, seq uint64) error {
	err := c.do(ctx, "MarkRead", func() error {
		v, err := c.conv(id)
		if err != nil {
			return err
		}
		v.ReadSeq = max(v.ReadSeq, seq)
		v.Unread = 0
		for _, m := range c.Msgs[id] {
			if m.State == chat.Received && m.Seq > v.ReadSeq {
				v.Unread++
			}
		}
		return nil
	}, seq)
	if err == nil {
		c.bus.Publish(event.Event{Kind: event.ConversationChanged, Conversation: id})
	}
	return err
}

// SaveDraft implements core.Conversations.
func (c *Client) SaveDraft(ctx context.Context, id chat.ConversationID, text string) error {
	return c.do(ctx, "SaveDraft", func() error {
		v, err := c.conv(id)
		if err == nil {
			v.Draft = text
		}
		return err
	}, text)
}

// Delivery implements core.Conversations.
func (c *Client) Delivery(ctx context.Context, id chat.MessageID) (d core.Delivery, err error) {
	err = c.do(ctx, "Delivery", func() error {
		way, ok := c.Ways[id]
		if !ok {
			return chat.ErrNotFound
		}
		d = way
		return nil
	})
	return d, err
}
