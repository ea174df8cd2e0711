package node

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	ma "github.com/multiformats/go-multiaddr"
)

// Where routers are asked to open a port: UPnP's group, which stands for PCP and
// NAT-PMP at the default gateway, too.
const (
	ssdpGroup = "239.255.255.250"
	ssdpPort  = "1900"
)

// routerAgain is the least pause between two searches for a router.
const routerAgain = time.Minute

// A router asks the router, by UPnP, PCP or NAT-PMP, to open this machine's port:
// only while it is allowed, that is in Internet mode, and again when the network
// changed and none was found. libp2p keeps the mapping alive; a router forgets it
// within a minute.
type router struct {
	never bool   // switched off for good
	asked func() // told before packets are sent

	mu    sync.Mutex
	net   network.Network
	yes   bool
	since time.Time
	inner basichost.NATManager
}

var _ basichost.NATManager = (*router)(nil)

// attach is libp2p's constructor; nothing is sent before allow.
func (r *router) attach(net network.Network) basichost.NATManager {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.net = net
	return r
}

// allow lets the router be asked, or takes back what it did.
func (r *router) allow(yes bool) {
	r.mu.Lock()
	r.yes = yes && !r.never
	if r.yes {
		r.mu.Unlock()
		r.changed()
		return
	}
	inner := r.inner
	r.inner = nil
	r.mu.Unlock()
	closeLater(inner)
}

// changed looks for a router again if none is known.
func (r *router) changed() {
	r.mu.Lock()
	if !r.yes || r.net == nil || (r.inner != nil && (r.inner.HasDiscoveredNAT() || time.Since(r.since) < routerAgain)) {
		r.mu.Unlock()
		return
	}
	old := r.inner
	r.mu.Unlock()
	closeLater(old)
	r.asked()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.yes && r.inner == old {
		r.inner, r.since = basichost.NewNATManager(r.net), time.Now()
	}
}

// closeLater closes without waiting for the router's answer.
func closeLater(m basichost.NATManager) {
	if m != nil {
		go func() { _ = m.Close() }()
	}
}

// manager returns what talks with the router, or nil.
func (r *router) manager() basichost.NATManager {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inner
}

// GetMapping implements basichost.NATManager.
func (r *router) GetMapping(m ma.Multiaddr) ma.Multiaddr {
	if inner := r.manager(); inner != nil {
		return inner.GetMapping(m)
	}
	return nil
}

// HasDiscoveredNAT implements basichost.NATManager.
func (r *router) HasDiscoveredNAT() bool {
	inner := r.manager()
	return inner != nil && inner.HasDiscoveredNAT()
}

// Close implements basichost.NATManager.
func (r *router) Close() error {
	r.mu.Lock()
	inner := r.inner
	r.yes, r.inner = false, nil
	r.mu.Unlock()
	if inner == nil {
		return nil
	}
	return inner.Close()
}
