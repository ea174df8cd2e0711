package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"

	"github.com/kuvert-im/kuvert/p2p/bundle"
	"github.com/kuvert-im/kuvert/p2p/deliver"
	"github.com/kuvert-im/kuvert/p2p/hello"
	"github.com/kuvert-im/kuvert/p2p/pair"
	"github.com/kuvert-im/kuvert/p2p/status"
	"github.com/kuvert-im/kuvert/p2p/transfer"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

// errStranger refuses what only a recognised machine may ask.
var errStranger = errors.New("node: not recognised")

func (n *Node) serveAll(h host.Host) {
	n.serve(h, hello.ID, n.serveHello)
	n.serve(h, deliver.ID, n.serveDeliver)
	n.serve(h, status.ID, n.serveStatus)
	n.serve(h, bundle.ID, n.serveBundle)
	n.serve(h, pair.ID, n.servePair)
	n.serve(h, transfer.ID, n.serveTransfer)
	n.serve(h, autonatv2.DialBackProtocol, n.serveDialBack)
}

// serve sets the handler of a protocol. A stream whose handler fails is reset.
func (n *Node) serve(h host.Host, id protocol.ID, f func(context.Context, *link, network.Stream) error) {
	h.SetStreamHandler(id, func(s network.Stream) {
		n.mu.Lock()
		l := n.links[s.Conn().RemotePeer()]
		n.mu.Unlock()
		if l == nil || !n.begin() {
			_ = s.Reset()
			return
		}
		defer n.wg.Done()
		n.doubtDirect(l, s.Conn())
		err := f(n.ctx, l, s)
		wire.Close(s, err)
		if err != nil && n.ctx.Err() == nil {
			n.log.Debug("stream ended", "protocol", string(id), "error", err)
		}
	})
}

func (n *Node) serveHello(ctx context.Context, l *link, s network.Stream) error {
	if !n.known(l) && n.hellos.Count(l.from) >= helloCeiling*n.cfg.Limits.UnknownHellos {
		n.closeLater(l)
		return ErrBusy
	}
	keys, err := n.helloKeys(ctx)
	if err != nil {
		return err
	}
	n.alive(s.Conn())
	ref, err := hello.Serve(ctx, s, keys, func(ref string) error { return n.recognise(ctx, l, ref) })
	if ref == "" && !n.hellos.Allow(l.from) && !n.known(l) {
		n.closeLater(l)
	}
	return err
}

// helloCeiling is at how many times the limit an address's hellos are not even
// looked at any more; below it somebody recognised still gets through from the
// same address.
const helloCeiling = 16

// closeLater closes a link without recognition from outside its stream.
func (n *Node) closeLater(l *link) {
	n.spawn(func(context.Context) {
		if !n.known(l) {
			n.closePeer(l.id)
		}
	})
}

func (n *Node) serveDeliver(ctx context.Context, l *link, s network.Stream) error {
	return deliver.Receiver{
		Known: func() bool { return n.known(l) },
		Heard: func() { n.alive(s.Conn()) },
		Take: func(ctx context.Context, frames [][]byte) []byte {
			ref := n.refOf(ctx, l)
			if ref == "" && !n.frames.Allow(l.from) {
				return bytes.Repeat([]byte{answerBusy}, len(frames))
			}
			return n.h.Frames(ctx, ref, l.key, frames)
		},
	}.Serve(ctx, s)
}

func (n *Node) serveStatus(ctx context.Context, l *link, s network.Stream) error {
	ref := n.refOf(ctx, l)
	if ref == "" {
		return errStranger
	}
	ctx, cancel := context.WithTimeout(ctx, status.Patience)
	defer cancel()
	n.alive(s.Conn())
	return status.Serve(ctx, s,
		func(theirs []byte) error { return n.onStatus(ctx, ref, theirs) },
		func() ([]byte, error) { return n.h.Status(ctx, ref) })
}

func (n *Node) serveBundle(ctx context.Context, l *link, s network.Stream) error {
	ref := n.refOf(ctx, l)
	if ref == "" {
		return errStranger
	}
	ctx, cancel := context.WithTimeout(ctx, bundle.Patience)
	defer cancel()
	return bundle.Serve(ctx, s, func(ctx context.Context) ([]byte, error) { return n.h.Bundle(ctx, ref) })
}

func (n *Node) servePair(ctx context.Context, l *link, s network.Stream) error {
	return pair.Server{
		Allow: func(p pair.Purpose) bool {
			if p == pair.Pairing {
				return n.pairs.Allow(l.from)
			}
			return n.names.Allow(l.from)
		},
		Name: func() string { return n.nameFor(ctx, l) },
		Told: func(name string) { n.toldName(l, name) },
		Accept: func(ctx context.Context, p *pair.Stream) error {
			release, err := n.beginPairing(l)
			if err != nil {
				return err
			}
			defer release()
			if err := n.h.PairAccepted(ctx, l.key, p); err != nil {
				return fmt.Errorf("node: pairing: %w", err)
			}
			return nil
		},
	}.Serve(ctx, s)
}

// beginPairing counts a pairing and keeps its link.
func (n *Node) beginPairing(l *link) (release func(), err error) {
	n.mu.Lock()
	if n.pairings >= maxPairings {
		n.mu.Unlock()
		return nil, ErrBusy
	}
	n.pairings++
	n.mu.Unlock()
	unhold := n.hold(l)
	return func() {
		unhold()
		n.mu.Lock()
		n.pairings--
		n.mu.Unlock()
	}, nil
}
