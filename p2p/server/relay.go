package server

import (
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

type protocolID = protocol.ID

// access says who may use the relay (relay.ACLFilter).
type access struct {
	host       host.Host
	authorised func(peer.ID) bool
}

// AllowReserve implements relay.ACLFilter: members can be reached over the relay.
func (a access) AllowReserve(p peer.ID, _ ma.Multiaddr) bool { return a.authorised(p) }

// AllowConnect implements relay.ACLFilter: anybody may reach them, strangers within
// strangerCircuits.
func (a access) AllowConnect(src peer.ID, _ ma.Multiaddr, _ peer.ID) bool {
	if a.authorised(src) {
		return true
	}
	n := 0
	for _, c := range a.host.Network().ConnsToPeer(src) {
		n += circuits(c)
	}
	return n <= strangerCircuits // the one that asks is counted
}

// circuits counts a connection's streams that are, or ask for, a circuit.
func circuits(c network.Conn) (n int) {
	for _, s := range c.GetStreams() {
		if s.Protocol() == proto.ProtoIDv2Hop {
			n++
		}
	}
	return n
}

// reachable is which of the host's addresses are told with a reservation: all but
// loopback, which is told if it is all there is.
func (s *Server) reachable(a ma.Multiaddr) bool {
	return s.cfg.Listen.Addr().IsLoopback() || !wire.AddrOf(a).IsLoopback()
}

// tracer counts what the relay does.
type tracer struct{ reservations, circuits, bytes atomic.Int64 }

var _ relay.MetricsTracer = (*tracer)(nil)

func (t *tracer) RelayStatus(bool)                    {}
func (t *tracer) ConnectionOpened()                   { t.circuits.Add(1) }
func (t *tracer) ConnectionClosed(time.Duration)      { t.circuits.Add(-1) }
func (t *tracer) ConnectionRequestHandled(pb.Status)  {}
func (t *tracer) ReservationRequestHandled(pb.Status) {}
func (t *tracer) ReservationClosed(n int)             { t.reservations.Add(int64(-n)) }
func (t *tracer) BytesTransferred(n int)              { t.bytes.Add(int64(n)) }
func (t *tracer) ReservationAllowed(renewed bool) {
	if !renewed {
		t.reservations.Add(1)
	}
}
