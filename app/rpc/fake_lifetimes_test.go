package rpc

import (
	"context"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

func (f *fakeCore) SetTimer(ctx context.Context, id chat.ConversationID, life time.Duration) error {
	return f.note(ctx, "SetTimer", id, life)
}

func (f *fakeCore) DeleteMessage(ctx context.Context, id chat.MessageID) error {
	return f.note(ctx, "DeleteMessage", id)
}

func (f *fakeCore) ClearConversation(ctx context.Context, id chat.ConversationID) error {
	return f.note(ctx, "ClearConversation", id)
}
