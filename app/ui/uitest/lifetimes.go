package uitest

import (
	"context"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
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
	return c.do(ctx, "DeleteMessage", func() error {
		for conv, all := range c.Msgs {
			c.Msgs[conv] = slices.DeleteFunc(all, func(m chat.Message) bool { return m.ID == id })
		}
		return nil
	})
}

// ClearConversation implements core.Lifetimes.
func (c *Client) ClearConversation(ctx context.Context, id chat.ConversationID) error {
	return c.do(ctx, "ClearConversation", func() error {
		delete(c.Msgs, id)
		return nil
	})
}
