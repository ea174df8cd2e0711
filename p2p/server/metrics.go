package server

import (
	"context"
	"fmt"
	"io"

	"github.com/libp2p/go-libp2p/core/network"
)

// Metrics are counts and nothing else: no address, no key, no queue.
type Metrics struct {
	Connections int    // open now
	Strangers   int    // of those, of machines that did not prove the access token
	Closed      uint64 // connections of strangers that were idle or too many
	// Reservations is how many members can be reached over the relay now, Circuits
	// how many connections it carries, Relayed how many bytes it has carried.
	Reservations, Circuits, Relayed int64
	Queues, Blobs                   int
	Bytes                           int64 // of blobs
	Memory                          int64 // bytes reserved by connections and streams
}

// Metrics takes a snapshot.
func (s *Server) Metrics(ctx context.Context) (Metrics, error) {
	kept, err := s.cfg.Mail.Kept(ctx)
	if err != nil {
		return Metrics{}, fmt.Errorf("server: metrics: %w", err)
	}
	m := Metrics{
		Connections:  len(s.host.Network().Conns()),
		Reservations: s.count.reservations.Load(), Circuits: s.count.circuits.Load(), Relayed: s.count.bytes.Load(),
		Queues: kept.Queues, Blobs: kept.Blobs, Bytes: kept.Bytes,
	}
	m.Strangers, m.Closed = s.guard.strangers()
	_ = s.host.Network().ResourceManager().ViewSystem(func(r network.ResourceScope) error {
		m.Memory = r.Stat().Memory
		return nil
	})
	return m, nil
}

// WriteTo writes one "name value" a line, as Prometheus and people read it.
func (m Metrics) WriteTo(w io.Writer) (int64, error) {
	n, err := fmt.Fprintf(w, `kuvert_connections %d
kuvert_connections_strangers %d
kuvert_connections_closed_total %d
kuvert_relay_reservations %d
kuvert_relay_circuits %d
kuvert_relay_bytes_total %d
kuvert_mailbox_queues %d
kuvert_mailbox_blobs %d
kuvert_mailbox_bytes %d
kuvert_reserved_bytes %d
`, m.Connections, m.Strangers, m.Closed, m.Reservations, m.Circuits, m.Relayed, m.Queues, m.Blobs, m.Bytes, m.Memory)
	return int64(n), err
}
