package node

import (
	"math"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"

	"github.com/kuvert-im/kuvert/p2p/bundle"
	"github.com/kuvert-im/kuvert/p2p/deliver"
	"github.com/kuvert-im/kuvert/p2p/hello"
	"github.com/kuvert-im/kuvert/p2p/mailbox"
	"github.com/kuvert-im/kuvert/p2p/pair"
	"github.com/kuvert-im/kuvert/p2p/status"
	"github.com/kuvert-im/kuvert/p2p/transfer"
)

// Limits are those that count what strangers do, so that a test on one address
// can raise or reach them.
type Limits struct {
	// UnknownHellos is how many hellos a minute one address may run without being
	// recognised; recognised ones do not count.
	UnknownHellos int
	// UnknownFrames is how many frames a minute are taken from one address's
	// machines that were not recognised: each costs a handshake's key operations.
	UnknownFrames int
	// Pairings is how many pairings a minute one address may open.
	Pairings int
	// Names is how many questions for a visible name, and names told, a minute
	// are answered of one address.
	Names int
	// UnknownConns and UnknownConnsPerAddr are how many connections without
	// recognition are kept, in all and of one address. Over the limit the oldest
	// goes: an honest hello takes milliseconds.
	UnknownConns, UnknownConnsPerAddr int
	// ConnsPerAddr, ConnRate and ConnBurst are how many connections one IPv4
	// address or IPv6 /64 may hold, open per second, and open at once: an office
	// behind one NAT, or a terminal server, is one address.
	ConnsPerAddr int
	ConnRate     float64
	ConnBurst    int
	// Grace is how long a connection may stay without recognition.
	Grace time.Duration
}

// DefaultLimits are those of a desktop.
func DefaultLimits() Limits {
	return Limits{
		UnknownHellos: 4, UnknownFrames: 10, Pairings: 10, Names: 240,
		UnknownConns: 128, UnknownConnsPerAddr: 16,
		ConnsPerAddr: 128, ConnRate: 16, ConnBurst: 128,
		Grace: 30 * time.Second,
	}
}

// Limits that no test needs to change.
const (
	// minute is the window of all limits "a minute".
	minute = time.Minute
	// maxHosts and maxAddrs bound what is tried for one ref and one machine.
	maxHosts = 8
	maxAddrs = 16
	// maxReported bounds the addresses told to Recognised, which are stored.
	maxReported = 8
	// maxDials is how many machines are dialled at once.
	maxDials = 16
	// maxProbes is how many machines unknown so far are looked at at once, and
	// maxProbeRate how many a minute: a flood of false announcements costs no more.
	maxProbes    = 4
	maxProbeRate = 120
	// maxSightings bounds the table of machines seen nearby.
	maxSightings = 1024
	// maxVisible bounds how many visible machines are known.
	maxVisible = 256
	// maxPairings is how many pairings are open at once.
	maxPairings = 4

	// dialPatience is how long all addresses of a machine may take.
	dialPatience = 15 * time.Second
	// redialMin and redialMax bound the backoff of a ref that is followed.
	redialMin = time.Second
	redialMax = time.Minute
	// unknownWait is the least wait after a machine did not recognise us: it
	// counts those hellos.
	unknownWait = 20 * time.Second
	// politeness is how long the machine with the higher key lets the other one
	// dial first, so that two do not connect twice.
	politeness = 700 * time.Millisecond
)

// Times of probes and pings.
const (
	// probeAgain is after how long a machine that is still announced is asked
	// again whether it is somebody's, askAgain whether it is still visible.
	probeAgain = 10 * time.Minute
	askAgain   = time.Minute
	// probeRetry is the pause after a probe that failed, maxMissed how many fail
	// before a machine is taken to be gone until it announces itself again.
	probeRetry = 3 * time.Second
	maxMissed  = 3
	// watchEvery is how often interfaces and clocks are looked at: it takes 0.1 ms.
	watchEvery = time.Second
	// sleptAfter is how far the clocks must be apart, or a tick late, to be taken
	// for sleep.
	sleptAfter = 10 * time.Second
	// A link that was quiet for pingActive with a conversation open, or else for
	// pingIdle and up to pingSpread more, is pinged.
	pingActive = 5 * time.Second
	pingIdle   = 15 * time.Second
	pingSpread = 5 * time.Second
	// pingPatience is how long an answer may take on a slow link, checkPatience
	// with a conversation open, changePatience after the network changed, and
	// besidePatience beside a connection that the other side has just opened: to
	// close one for nothing costs a handshake, to wait for a dead one a message.
	pingPatience   = 10 * time.Second
	checkPatience  = 4 * time.Second
	changePatience = 1200 * time.Millisecond
	besidePatience = 1200 * time.Millisecond
	// answerOverdue is after how long without an answer to a frame the connection
	// is pinged: the answer takes a commit, the ping does not.
	answerOverdue = 3 * time.Second
	// spareAfter is how long a second connection with a machine may be unused.
	spareAfter = 5 * time.Second
	// callPatience bounds short calls of the handler.
	callPatience = 10 * time.Second
	// stopPatience bounds how long Run waits for handlers at its end.
	stopPatience = 10 * time.Second
)

// The resource manager's limits of the whole node. Each is the point where a
// flood stops costing more; honest use is far below.
const (
	systemConns   = 1024
	systemStreams = 8192
	systemMemory  = 256 << 20
	systemFDs     = 768
	transientConn = 512
	transientFDs  = 256 // TCP that has not shaken hands; QUIC keeps room beside it
	peerConns     = 8
	peerStreams   = 256 // a relay carries many connections, each as a stream
	peerMemory    = 16 << 20
)

func resourceManager(l Limits) (network.ResourceManager, error) {
	base := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&base)
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(partialLimits().Build(base.AutoScale())),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: l.ConnsPerAddr}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 64, ConnCount: l.ConnsPerAddr}}),
		// Loopback is no exception: another user of this computer may be hostile.
		rcmgr.WithNetworkPrefixLimit([]rcmgr.NetworkPrefixLimit{}, []rcmgr.NetworkPrefixLimit{}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: rate.Limit{RPS: l.ConnRate, Burst: l.ConnBurst}}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 64, Limit: rate.Limit{RPS: l.ConnRate, Burst: l.ConnBurst}}},
				GracePeriod:      minute,
			},
		}))
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
		Protocol: map[protocol.ID]rcmgr.ResourceLimits{}, ProtocolPeer: map[protocol.ID]rcmgr.ResourceLimits{},
		Service: map[string]rcmgr.ResourceLimits{}, ServicePeer: map[string]rcmgr.ResourceLimits{},
	}
	for _, p := range []struct {
		id      protocol.ID
		service string
		peer    int // streams of one peer in each direction
	}{
		{hello.ID, hello.Service, 4},
		{deliver.ID, deliver.Service, 8},
		{status.ID, status.Service, 4},
		{bundle.ID, bundle.Service, 2},
		{pair.ID, pair.Service, 4},
		{mailbox.ID, mailbox.Service, 16},
		{transfer.ID, transfer.Service, 8},
	} {
		all := streams(systemStreams, systemMemory)
		c.Protocol[p.id], c.Service[p.service] = all, all
		one := streams(p.peer, peerMemory)
		c.ProtocolPeer[p.id], c.ServicePeer[p.service] = one, one
	}
	return c
}

func streams(n int, memory int64) rcmgr.ResourceLimits {
	v := rcmgr.LimitVal(min(n, math.MaxInt32))
	return rcmgr.ResourceLimits{Streams: 2 * v, StreamsInbound: v, StreamsOutbound: v, Memory: rcmgr.LimitVal64(memory)}
}
