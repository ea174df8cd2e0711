package rpc

import (
	"context"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// Erase implements core.Rights.
func (c *Client) Erase(ctx context.Context, id chat.PersonID, reason core.ErasureReason) (core.Erased, error) {
	return ask[core.Erased](ctx, c, "Erase", id, reason)
}

// ErasureLog implements core.Rights.
func (c *Client) ErasureLog(ctx context.Context) (core.ErasureLog, error) {
	return ask[core.ErasureLog](ctx, c, "ErasureLog")
}

// PersonRecord implements core.Rights.
func (c *Client) PersonRecord(ctx context.Context, id chat.PersonID) (core.PersonRecord, error) {
	return ask[core.PersonRecord](ctx, c, "PersonRecord", id)
}

// Holdings implements core.Rights.
func (c *Client) Holdings(ctx context.Context) ([]chat.Holding, error) {
	return ask[[]chat.Holding](ctx, c, "Holdings")
}
