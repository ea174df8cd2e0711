package run

import (
	"context"
	"errors"
	"fmt"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/storage/sqlite"
)

// coreStore is a *sqlite.Store as the core wants it: the two know the same
// domain, but not each other.
type coreStore struct{ *sqlite.Store }

var (
	_ core.Store  = coreStore{}
	_ core.Tx     = (*sqlite.Tx)(nil)
	_ core.ReadTx = (*sqlite.ReadTx)(nil)
)

func (s coreStore) Update(ctx context.Context, fn func(core.Tx) error) error {
	return storeError(s.Store.Update(ctx, func(tx *sqlite.Tx) error { return fn(tx) }))
}

func (s coreStore) View(ctx context.Context, fn func(core.ReadTx) error) error {
	return storeError(s.Store.View(ctx, func(tx *sqlite.ReadTx) error { return fn(tx) }))
}

// storeError gives the store's own errors the sentinels of the domain.
func storeError(err error) error {
	switch {
	case errors.Is(err, sqlite.ErrReadOnly):
		return fmt.Errorf("%w: %w", chat.ErrReadOnly, err)
	case errors.Is(err, sqlite.ErrIO):
		return fmt.Errorf("%w: %w", chat.ErrDisk, err)
	default:
		return explain(err)
	}
}
