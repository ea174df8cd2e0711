package node

import (
	"maps"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// trafficAgain is how long the same traffic is not reported again, maxTraffic how
// much of it is remembered for that.
const (
	trafficAgain = time.Minute
	maxTraffic   = 4096
)

// A contacted says which machine was contacted, and why.
type contacted struct {
	kind Traffic
	ref  string
	host HostKey
	addr string
}

// traffic keeps what was reported in the last minute.
type traffic struct {
	mu   sync.Mutex
	told map[contacted]time.Time
}

// fresh tells whether something is to be reported, and notes that it is. With a
// full table strangers are not reported: a flood of them must not hide the rest.
func (t *traffic) fresh(c contacted, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.told[c]; ok && now.Sub(at) < trafficAgain {
		return false
	}
	if len(t.told) >= maxTraffic {
		for k, at := range t.told {
			if now.Sub(at) >= trafficAgain {
				delete(t.told, k)
			}
		}
	}
	if len(t.told) >= maxTraffic {
		if c.kind == TrafficStranger {
			return false
		}
		clear(t.told)
	}
	t.told[c] = now
	return true
}

// report tells the handler of a contact, the same one at most once a minute. It
// must not be called with mu held.
func (n *Node) report(c contacted) {
	if n.traffic.fresh(c, time.Now()) {
		n.h.Traffic(c.kind, c.ref, c.host, c.addr)
	}
}

// dialled reports a dial that is about to begin.
func (n *Node) dialled(p peer.ID, m ma.Multiaddr) {
	c := n.whoIs(p)
	c.addr = placeOf(m, network.DirOutbound)
	n.report(c)
}

// came reports that a machine has dialled us. One that nobody knows is reported
// when it has gone: it may be recognised yet.
func (n *Node) came(p peer.ID, m ma.Multiaddr) {
	c := n.whoIs(p)
	if c.kind == TrafficStranger {
		return
	}
	c.addr = placeOf(m, network.DirInbound)
	n.report(c)
}

// reportMet reports as whom a machine was recognised: it may have been nobody's so
// far.
func (n *Node) reportMet(l *link, ref string) {
	n.mu.Lock()
	conns := maps.Clone(l.conns)
	n.mu.Unlock()
	for c := range conns {
		n.report(contacted{kind: kindOf(ref), ref: ref, host: l.key, addr: placeOf(c.RemoteMultiaddr(), c.Stat().Direction)})
	}
}

// placeOf returns IP:port of an address; the IP alone of somebody who came by
// itself, since the port is a chance one; "" behind a relay, which is reported by
// itself.
func placeOf(m ma.Multiaddr, dir network.Direction) string {
	if _, ok := relayOf(m); ok {
		return ""
	}
	if dir == network.DirInbound {
		return wire.AddrOf(m).String()
	}
	_, text, err := manet.DialArgs(m)
	if err != nil {
		return ""
	}
	return text
}

// invitePrefix begins the refs of open invitations.
const invitePrefix = "invite:"

// kindOf tells why the machine of a ref is contacted.
func kindOf(ref string) Traffic {
	if strings.HasPrefix(ref, invitePrefix) {
		return TrafficInvite
	}
	return TrafficPerson
}

// whoIs tells why a machine would be contacted.
func (n *Node) whoIs(p peer.ID) contacted {
	key, _ := keyOf(p)
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.stations[p]
	if s != nil && s.own {
		return contacted{kind: TrafficStation, host: key}
	}
	if ref := n.refLocked(p); ref != "" {
		return contacted{kind: kindOf(ref), ref: ref, host: key}
	}
	if s != nil {
		return contacted{kind: TrafficTheirs, host: key}
	}
	return contacted{kind: TrafficStranger, host: key}
}

// refLocked returns as whom a machine was recognised or is followed, the least
// ref if there are several.
func (n *Node) refLocked(p peer.ID) (least string) {
	take := func(ref string) {
		if least == "" || ref < least {
			least = ref
		}
	}
	if l := n.links[p]; l != nil {
		for _, ref := range l.refs {
			take(ref)
		}
	}
	if least != "" {
		return least
	}
	for ref, t := range n.targets {
		if _, ok := t.hosts[p]; ok {
			take(ref)
		}
	}
	return least
}

// searched reports that everybody at a place was asked to answer.
func (n *Node) searched(place string) {
	n.report(contacted{kind: TrafficSearch, addr: place})
}

// askedRouter reports that the router is asked to open a port.
func (n *Node) askedRouter() {
	n.report(contacted{kind: TrafficRouter, addr: net.JoinHostPort(ssdpGroup, ssdpPort)})
}
