package node

import (
	"context"
	"fmt"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/transfer"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

// FetchFile asks a recognised, connected ref for parts of a sealed file of size
// bytes; see transfer.Fetch. ErrNotConnected if there is no such ref.
func (n *Node) FetchFile(ctx context.Context, ref string, id [32]byte, size int64, next func() transfer.Want, take func(w transfer.Want, i int64, data []byte) error) error {
	l := n.linkTo(ref)
	if l == nil {
		return ErrNotConnected
	}
	s, err := n.open(ctx, l.id, transfer.ID)
	if err != nil {
		return err
	}
	conn := s.Conn()
	err = transfer.Fetch(ctx, s, id, size, next, func(w transfer.Want, i int64, data []byte) error {
		n.alive(conn)
		return take(w, i, data)
	})
	wire.Close(s, err)
	if err != nil {
		return fmt.Errorf("node: fetch file: %w", err)
	}
	return nil
}

func (n *Node) serveTransfer(ctx context.Context, l *link, s network.Stream) error {
	ref := n.refOf(ctx, l)
	if ref == "" {
		return errStranger
	}
	return transfer.Giver{
		Open: func(ctx context.Context, id [32]byte) (transfer.Source, error) {
			ctx, cancel := context.WithTimeout(ctx, callPatience)
			defer cancel()
			return n.h.GiveFile(ctx, ref, id)
		},
		Heard: func() { n.alive(s.Conn()) },
	}.Serve(ctx, s)
}
