package rpc

import (
	"context"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

func (f *fakeCore) Erase(ctx context.Context, id chat.PersonID, reason core.ErasureReason) (core.Erased, error) {
	return reply[core.Erased](f, ctx, "Erase", id, reason)
}

func (f *fakeCore) ErasureLog(ctx context.Context) (core.ErasureLog, error) {
	return reply[core.ErasureLog](f, ctx, "ErasureLog")
}

func (f *fakeCore) PersonRecord(ctx context.Context, id chat.PersonID) (core.PersonRecord, error) {
	return reply[core.PersonRecord](f, ctx, "PersonRecord", id)
}

func (f *fakeCore) Holdings(ctx context.Context) ([]chat.Holding, error) {
	return reply[[]chat.Holding](f, ctx, "Holdings")
}
