package uitest

import (
	"context"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
)

// SetTimer implements core.Lifetimes.
func (c *Client) SetTimer(ctx context.Context, id chat.ConversationID, life time.Duration) error {
	return c.do(ctx, "SetTimer", func() error {
		for i := range c.Convs {
			if c.Convs[i].ID == id {
				c.Convs[i].Timer = life
				return nil
			}
		}
		return chat.ErrNotFound
	})
}

// DeleteMessage implements core.Lifetimes.
func (c *Client) DeleteMessage(ctx context.Context, id chat.MessageID) error {
	var in chat.ConversationID
	err := c.do(ctx, "DeleteMessage", func() error {
		for conv, all := range c.Msgs {
			left := slices.DeleteFunc(slices.Clone(all), func(m chat.Message) bool { return m.ID == id })
			if len(left) < len(all) {
				in, c.Msgs[conv] = conv, left
				c.lastOf(conv)
				return nil
			}
		}
		return chat.ErrNotFound
	}, id)
	c.gone(err, in)
	return err
}

// ClearConversation implements core.Lifetimes.
func (c *Client) ClearConversation(ctx context.Context, id chat.ConversationID) error {
	err := c.do(ctx, "ClearConversation", func() error {
		v, err := c.conv(id)
		if err != nil {
			return err
		}
		v.Draft = ""
		delete(c.Msgs, id)
		c.lastOf(id)
		return nil
	}, id)
	c.gone(err, id)
	return err
}

// lastOf brings what the list shows of a conversation up to date.
func (c *Client) lastOf(id chat.ConversationID) {
	v, err := c.conv(id)
	if err != nil {
		return
	}
	v.Last, v.Unread = nil, 0
	if all := c.Msgs[id]; len(all) > 0 {
		last := all[len(all)-1]
		v.Last = &last
	}
}

// gone publishes what the core does when messages went.
func (c *Client) gone(err error, id chat.ConversationID) {
	if err == nil {
		c.bus.Publish(event.Event{Kind: event.MessageChanged, Conversation: id}, event.Event{Kind: event.ConversationChanged, Conversation: id})
	}
}
