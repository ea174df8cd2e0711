package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	ma "github.com/multiformats/go-multiaddr"
)

// ServiceName is what machines announce and look for by mDNS.
const ServiceName = "_kuvert._udp"

// maxAnnounced bounds the addresses in an announcement, so that it fits into one
// packet, and maxTaken those that are taken from somebody else's.
const (
	maxAnnounced = 6
	maxTaken     = 16
)

// mdnsGroup is where mDNS asks everybody in this network.
const mdnsGroup = "224.0.0.251:5353"

var errNoMulticast = errors.New("discovery: no interface with multicast")

// keepMDNS runs mDNS, and again after each restart and failure.
func (s *Service) keepMDNS(ctx context.Context, found func(peer.AddrInfo)) {
	for ctx.Err() == nil {
		err := s.runMDNS(ctx, found)
		s.setMulticast(err == nil)
		if err != nil {
			s.cfg.Logger.Debug("mDNS is not available", "error", err)
			wait(ctx, retryEvery, s.restartMDNS)
		}
	}
}

// runMDNS announces and looks until ctx ends or a restart is asked for.
func (s *Service) runMDNS(ctx context.Context, found func(peer.AddrInfo)) error {
	if !multicastUp() {
		return errNoMulticast
	}
	m := mdns.NewMdnsService(&facade{Host: s.cfg.Host, addrs: s.announced}, ServiceName, notifee(found))
	if err := m.Start(); err != nil {
		_ = m.Close()
		return fmt.Errorf("discovery: mDNS: %w", err)
	}
	s.setMulticast(true)
	s.searched(mdnsGroup)
	select {
	case <-ctx.Done():
	case <-s.restartMDNS:
	}
	if err := m.Close(); err != nil {
		return fmt.Errorf("discovery: mDNS: %w", err)
	}
	return nil
}

func multicastUp() bool {
	ifs, err := net.Interfaces()
	if err != nil {
		return false
	}
	const want = net.FlagUp | net.FlagMulticast
	for _, i := range ifs {
		if i.Flags&(want|net.FlagLoopback) == want {
			return true
		}
	}
	return false
}

// announced returns the addresses of this network to announce.
func (s *Service) announced() []ma.Multiaddr {
	addrs := ma.FilterAddrs(s.cfg.Addrs(), s.near)
	return addrs[:min(len(addrs), maxAnnounced)]
}

// notifee hands on what mDNS finds.
type notifee func(peer.AddrInfo)

func (f notifee) HandlePeerFound(info peer.AddrInfo) {
	info.Addrs = info.Addrs[:min(len(info.Addrs), maxTaken)]
	f(info)
}

// facade is the host as mDNS sees it: with our addresses, which are fresh and few,
// in place of those that the host remembers for a while.
type facade struct {
	host.Host
	addrs func() []ma.Multiaddr
}

func (f *facade) Network() network.Network {
	return &facadeNetwork{Network: f.Host.Network(), addrs: f.addrs}
}

type facadeNetwork struct {
	network.Network
	addrs func() []ma.Multiaddr
}

func (f *facadeNetwork) InterfaceListenAddresses() ([]ma.Multiaddr, error) {
	addrs := f.addrs()
	if len(addrs) == 0 {
		return nil, errNoMulticast
	}
	return addrs, nil
}
