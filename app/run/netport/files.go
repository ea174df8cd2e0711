package netport

import (
	"context"
	"errors"
	"fmt"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/p2p/transfer"
)

// FetchFile implements core.Transport.
func (t *Transport) FetchFile(ctx context.Context, ref string, id chat.FileID, size int64, takers int, next func() core.FileWant, take func(core.FileWant, int64, []byte) error) error {
	err := t.Node.FetchFile(ctx, ref, id, size, takers,
		func() transfer.Want { return transfer.Want(next()) },
		func(w transfer.Want, i int64, data []byte) error { return take(core.FileWant(w), i, data) })
	switch {
	case errors.Is(err, transfer.ErrNotFound):
		return fmt.Errorf("%w: %w", chat.ErrNotFound, err)
	case errors.Is(err, transfer.ErrBusy):
		return fmt.Errorf("%w: %w", chat.ErrUnreachable, err)
	}
	return networkError(err)
}

// GiveFile implements node.Handler.
func (h *handler) GiveFile(ctx context.Context, ref string, id [32]byte) (transfer.Source, error) {
	f, err := h.TransportHandler.GiveFile(ctx, ref, id)
	if errors.Is(err, chat.ErrUnreachable) {
		err = transfer.ErrBusy
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}
