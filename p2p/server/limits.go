package server

import (
	"math"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/x/rate"

	"github.com/kuvert-im/kuvert/p2p/mailbox"
)

// Limits are those that tests reach or raise.
type Limits struct {
	// Strangers and StrangersPerAddr are how many connections are kept of machines
	// that did not prove the access token, in all and of one address (an IPv4
	// address or an IPv6 /64). Over the limit the one that was idle longest goes:
	// to leave a blob takes milliseconds.
	Strangers, StrangersPerAddr int
	// Idle is how long a stranger's connection is kept on which neither the mailbox
	// nor the relay is used.
	Idle time.Duration
	// ConnsPerAddr, ConnRate and ConnBurst are how many connections one address may
	// hold, open a second, and open at once: an office behind one NAT is one address,
	// and after a power cut all its computers come back together.
	ConnsPerAddr int
	ConnRate     float64
	ConnBurst    int
}

// DefaultLimits are those of a node for an office or a family.
func DefaultLimits() Limits {
	return Limits{
		Strangers: 256, StrangersPerAddr: 32, Idle: 30 * time.Second,
		ConnsPerAddr: 512, ConnRate: 32, ConnBurst: 512,
	}
}

// The limits of the relay. The library's own (two minutes and 128 KiB a circuit, 8
// reservations of one address) are meant for strangers' relays; this one carries the
// conversations of its members when nothing else does.
const (
	// circuitTime and circuitBytes end a circuit, in each direction; whoever talks
	// on opens another one.
	circuitTime  = 2 * time.Hour
	circuitBytes = 1 << 30
	// maxReservations is how many members can be reached over the relay at once,
	// from one address as well: an office behind one NAT.
	maxReservations = 1024
	// maxCircuits is how many circuits one machine may have in each role.
	maxCircuits = 64
	// strangerCircuits is how many a stranger may have: one for each member it
	// talks with, and some that are about to end.
	strangerCircuits = 8
	// relayBuffer is copied at once, in bytes; a circuit has two such buffers.
	relayBuffer = 16 << 10
	// reservationTime is how long a reservation holds without being renewed.
	reservationTime = time.Hour
)

// The resource manager's limits of the whole host. Each is the point where a flood
// stops costing more; honest use is far below.
const (
	systemConns   = 2048
	systemStreams = 16384
	// systemMemory in bytes is of windows that connections and streams may fill, and
	// hardly ever do (a stream over TCP counts 256 KiB from its beginning); what a flood
	// really takes is measured by a test. Requests are refused beyond three fifths of
	// it: all strangers together, at peerMemory each, must stay below.
	systemMemory = 4 << 30
	systemFDs    = 1536
	// Connections that shake hands cost the most: a flood's are kept waiting.
	transientConn = 96
	transientFDs  = 48 // TCP that has not shaken hands; QUIC keeps room beside it
	peerConns     = 8
	peerStreams   = 2 * maxCircuits
	peerMemory    = 6 << 20
	relayStreams  = 2 * maxReservations // of all circuits, in each direction
	mailStreams   = 4096
	mailPerPeer   = 16
	// strangerStreams is how many streams of the mailbox a stranger's connection may
	// have: each costs some 40 KiB, and leaving a blob takes one.
	strangerStreams = 2
)

const (
	// sweepEvery is how often idle strangers are looked for.
	sweepEvery = 5 * time.Second
	// drainPatience bounds how long requests of the mailbox may take to end when
	// the server stops.
	drainPatience = 5 * time.Second
	// linger is how long the last answers may take on their way: the end of a QUIC
	// connection drops what has not arrived.
	linger = 300 * time.Millisecond
)

func relayResources() relay.Resources {
	rc := relay.DefaultResources()
	rc.Limit = &relay.RelayLimit{Duration: circuitTime, Data: circuitBytes}
	rc.ReservationTTL = reservationTime
	rc.MaxReservations, rc.MaxReservationsPerIP, rc.MaxReservationsPerASN = maxReservations, maxReservations, maxReservations
	rc.MaxCircuits, rc.BufferSize = maxCircuits, relayBuffer
	return rc
}

func resourceManager(l Limits) (network.ResourceManager, error) {
	base := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&base)
	perAddr := func(bits int) []rcmgr.ConnLimitPerSubnet {
		return []rcmgr.ConnLimitPerSubnet{{PrefixLength: bits, ConnCount: l.ConnsPerAddr}}
	}
	perSecond := func(bits int) []rate.SubnetLimit {
		return []rate.SubnetLimit{{PrefixLength: bits, Limit: rate.Limit{RPS: l.ConnRate, Burst: l.ConnBurst}}}
	}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(partialLimits().Build(base.AutoScale())),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(perAddr(ipv4Bits), perAddr(ipv6Bits)),
		// Loopback is no exception: it may be a port that was forwarded.
		rcmgr.WithNetworkPrefixLimit([]rcmgr.NetworkPrefixLimit{}, []rcmgr.NetworkPrefixLimit{}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: perSecond(ipv4Bits), IPv6SubnetLimits: perSecond(ipv6Bits), GracePeriod: time.Minute,
		}}))
}

func partialLimits() rcmgr.PartialLimitConfig {
	c := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			Conns: systemConns, ConnsInbound: systemConns, ConnsOutbound: systemConns,
			Streams: systemStreams, StreamsInbound: systemStreams, StreamsOutbound: systemStreams,
			Memory: systemMemory, FD: systemFDs,
		},
		Transient: rcmgr.ResourceLimits{
			Conns: transientConn, ConnsInbound: transientConn, ConnsOutbound: transientConn, FD: transientFDs,
		},
		PeerDefault: rcmgr.ResourceLimits{
			Conns: peerConns, ConnsInbound: peerConns, ConnsOutbound: peerConns, FD: peerConns,
			Streams: peerStreams, StreamsInbound: peerStreams, StreamsOutbound: peerStreams, Memory: peerMemory,
		},
	}
	mail, mailOne := streams(mailStreams), streams(mailPerPeer)
	circuits, circuitsOne := streams(relayStreams), streams(2*maxCircuits)
	c.Protocol = map[protocolID]rcmgr.ResourceLimits{mailbox.ID: mail, proto.ProtoIDv2Hop: circuits, proto.ProtoIDv2Stop: circuits}
	c.ProtocolPeer = map[protocolID]rcmgr.ResourceLimits{mailbox.ID: mailOne, proto.ProtoIDv2Hop: circuitsOne, proto.ProtoIDv2Stop: circuitsOne}
	c.Service = map[string]rcmgr.ResourceLimits{mailbox.Service: mail, relay.ServiceName: circuits}
	c.ServicePeer = map[string]rcmgr.ResourceLimits{mailbox.Service: mailOne, relay.ServiceName: circuitsOne}
	return c
}

// streams are limits of n streams in each direction; memory is bounded elsewhere.
func streams(n int) rcmgr.ResourceLimits {
	v := rcmgr.LimitVal(min(n, math.MaxInt32))
	return rcmgr.ResourceLimits{Streams: 2 * v, StreamsInbound: v, StreamsOutbound: v, Memory: systemMemory}
}
