// Package hosttest gives protocol tests two bare libp2p hosts that are connected
// over loopback.
package hosttest

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// Pair returns two connected hosts that end with the test.
func Pair(t testing.TB) (dialer, listener host.Host) {
	t.Helper()
	dialer, listener = newHost(t), newHost(t)
	err := dialer.Connect(t.Context(), peer.AddrInfo{ID: listener.ID(), Addrs: listener.Addrs()})
	if err != nil {
		t.Fatal(err)
	}
	return dialer, listener
}

func newHost(t testing.TB) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.Transport(tcp.NewTCPTransport), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.DisableMetrics(), libp2p.DisableRelay())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// Stream opens a stream from one host to the other.
func Stream(t testing.TB, from, to host.Host, id protocol.ID) network.Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := from.NewStream(ctx, to.ID(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Result is what a handler made of a stream.
type Result[T any] struct {
	Value T
	Err   error
}

// Handle serves a protocol and hands on what becomes of each stream. A stream
// whose handler fails is reset.
func Handle[T any](h host.Host, id protocol.ID, f func(network.Stream) (T, error)) <-chan Result[T] {
	results := make(chan Result[T], 16)
	h.SetStreamHandler(id, func(s network.Stream) {
		v, err := f(s)
		if err != nil {
			_ = s.Reset()
		} else {
			_ = s.Close()
		}
		results <- Result[T]{v, err}
	})
	return results
}
