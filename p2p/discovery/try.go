package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Limits of the addresses that are tried besides the own networks.
const (
	// MaxTries is how many addresses all ranges may hold.
	MaxTries = 1024
	// tryBurst and tryPause pace the announcements to them: 1,024 take 3 s.
	tryBurst = 32
	tryPause = 100 * time.Millisecond
)

// ErrRange says that an entry is no IPv4 address and no range of them, or that there
// are too many addresses.
var ErrRange = errors.New("discovery: not an address or a range like 192.168.3.0/24")

// ParseRanges reads addresses like 192.168.3.7 and ranges like 192.168.3.0/24, at
// most MaxTries addresses in all. Errors wrap ErrRange and name the entry.
func ParseRanges(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	count := 0
	for _, text := range list {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		p, err := parseRange(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %q", ErrRange, text)
		}
		if p.Bits() < 32-10 {
			return nil, fmt.Errorf("%w: %q has more than %d addresses", ErrRange, text, MaxTries)
		}
		if count += 1 << (32 - p.Bits()); count > MaxTries {
			return nil, fmt.Errorf("%w: more than %d addresses from %q on", ErrRange, MaxTries, text)
		}
		out = append(out, p)
	}
	return out, nil
}

func parseRange(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return p, err
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if !p.Addr().Is4() || p.Addr().IsUnspecified() || p.Addr().IsMulticast() {
		return p, ErrRange
	}
	return p.Masked(), nil
}

// Try replaces the ranges where machines are looked for besides the own networks.
func (s *Service) Try(ranges []netip.Prefix) {
	s.mu.Lock()
	s.tries = ranges
	s.mu.Unlock()
	wake(s.restartTry)
}

func (s *Service) tried() []netip.Prefix {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

// isTried tells whether an address is in one of the ranges.
func (s *Service) isTried(a netip.Addr) bool {
	for _, p := range s.tried() {
		if p.Contains(a) {
			return s.allowed(a)
		}
	}
	return false
}

// allowed tells whether packets may be sent to an address outside this network.
func (s *Service) allowed(a netip.Addr) bool { return s.cfg.Allowed == nil || s.cfg.Allowed(a) }

// tryLoop announces this machine to the ranges at the start, now and then and after
// a restart.
func (s *Service) tryLoop(ctx context.Context, pc net.PacketConn) {
	for ctx.Err() == nil {
		packet := marshal(s.cfg.HostKey, s.cfg.Port(), true)
		for _, p := range s.tried() {
			s.tryRange(ctx, pc, packet, p)
		}
		wait(ctx, announceEvery, s.restartTry)
	}
}

// tryRange sends a packet to each machine of a range, a few at a time.
func (s *Service) tryRange(ctx context.Context, pc net.PacketConn, packet []byte, p netip.Prefix) {
	if s.allowed(p.Addr()) {
		s.searched(rangeText(p))
	}
	sent := 0
	for a := p.Addr(); p.Contains(a); a = a.Next() {
		if !s.allowed(a) || edge(p, a) {
			continue
		}
		s.send(pc, packet, a)
		if sent++; sent%tryBurst == 0 {
			wait(ctx, tryPause, nil)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// edge tells whether an address is the network's own or its broadcast address.
func edge(p netip.Prefix, a netip.Addr) bool {
	return p.Bits() < 31 && (a == p.Addr() || !p.Contains(a.Next()))
}

func rangeText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// answerTry answers a machine in another network that asked us: it does not hear our
// broadcast.
func (s *Service) answerTry(pc net.PacketConn, to netip.Addr) {
	s.send(pc, marshal(s.cfg.HostKey, s.cfg.Port(), false), to)
}

// onLink tells whether an address is in a network of this machine's.
func onLink(a netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, own := range addrs {
		if n, ok := own.(*net.IPNet); ok && n.Contains(a.AsSlice()) {
			return true
		}
	}
	return false
}
