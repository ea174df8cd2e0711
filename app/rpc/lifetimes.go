package rpc

import (
	"context"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// SetTimer implements core.Lifetimes.
func (c *Client) SetTimer(ctx context.Context, conversation chat.ConversationID, life time.Duration) error {
	return tell(ctx, c, "SetTimer", conversation, life)
}

// DeleteMessage implements core.Lifetimes.
func (c *Client) DeleteMessage(ctx context.Context, id chat.MessageID) error {
	return tell(ctx, c, "DeleteMessage", id)
}

// ClearConversation implements core.Lifetimes.
func (c *Client) ClearConversation(ctx context.Context, conversation chat.ConversationID) error {
	return tell(ctx, c, "ClearConversation", conversation)
}
