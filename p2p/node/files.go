package node

import (
	"context"
	"fmt"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"

	"github.com/kuvert-im/kuvert/p2p/transfer"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

// FetchFile asks a recognised, connected ref for parts of a sealed file of size
// bytes; see transfer.Fetch. ErrNotConnected if there is no such ref.
func (n *Node) FetchFile(ctx context.Context, ref string, id [32]byte, size int64, takers int, next func() transfer.Want, take func(w transfer.Want, i int64, data []byte) error) error {
	l := n.linkTo(ref)
	if l == nil {
		return ErrNotConnected
	}
	s, err := n.openFast(ctx, l.id, transfer.ID)
	if err != nil {
		return err
	}
	conn := s.Conn()
	err = transfer.Fetch(ctx, s, id, size, takers, next, func(w transfer.Want, i int64, data []byte) error {
		n.alive(conn)
		return take(w, i, data)
	})
	wire.Close(s, err)
	if err != nil {
		return fmt.Errorf("node: fetch file: %w", err)
	}
	return nil
}

// openFast is open on the connection that carries most: TCP in the own network, if
// there is one besides others.
func (n *Node) openFast(ctx context.Context, id peer.ID, proto protocol.ID) (network.Stream, error) {
	for _, c := range n.host.Network().ConnsToPeer(id) {
		if !nearTCP(c.RemoteMultiaddr()) || relayed(c) {
			continue
		}
		if s, err := openOn(ctx, c, proto); err == nil {
			return s, nil
		}
	}
	return n.open(ctx, id, proto)
}

// openOn opens a stream on a certain connection, which the host does not offer.
func openOn(ctx context.Context, c network.Conn, proto protocol.ID) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, wire.Patience)
	defer cancel()
	s, err := c.NewStream(ctx)
	if err != nil {
		return nil, fmt.Errorf("node: open %s: %w", proto, err)
	}
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	if err := s.SetProtocol(proto); err != nil {
		_ = s.Reset()
		return nil, fmt.Errorf("node: open %s: %w", proto, err)
	}
	if err := multistream.SelectProtoOrFail(proto, s); err != nil {
		_ = s.Reset()
		return nil, fmt.Errorf("node: open %s: %w", proto, err)
	}
	return s, nil
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
