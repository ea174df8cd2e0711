package discovery

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// BroadcastPort is the UDP port of our own broadcast. Several profiles on one
// machine share it.
const BroadcastPort = 24037

// An announcement is magic | flags | host key | port.
const (
	magic      = "KVT\x01"
	flagAsk    = 1 // a machine that just came: please announce yourself
	packetSize = len(magic) + 1 + 32 + 2
)

// Times and limits of announcements.
const (
	// announceEvery is the pause between announcements; a new machine also asks.
	announceEvery = 30 * time.Second
	// answerWithin spreads the answers of an office to a newcomer, answerAgain
	// keeps them few.
	answerWithin = 400 * time.Millisecond
	answerAgain  = time.Second
	// perSource is how many announcements a minute of one address are looked at:
	// a terminal server has many people on one.
	perSource = 240
	// maxAsked bounds how many who asked are answered together.
	maxAsked = 64
	// maxTargets bounds how many interfaces' networks are announced to.
	maxTargets = 32
)

// opening are the pauses between the first announcements: packets get lost, and
// interfaces take a moment to come up.
var opening = []time.Duration{0, time.Second, 2 * time.Second}

var errPacket = errors.New("discovery: not an announcement")

// keepBroadcast runs the broadcast, and again after each failure.
func (s *Service) keepBroadcast(ctx context.Context, found func(peer.AddrInfo)) {
	for ctx.Err() == nil {
		if err := s.runBroadcast(ctx, found); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Debug("broadcast is not available", "error", err)
			wait(ctx, retryEvery, s.restartCast)
		}
	}
}

// runBroadcast announces and listens until ctx ends or the socket fails.
func (s *Service) runBroadcast(ctx context.Context, found func(peer.AddrInfo)) error {
	lc := net.ListenConfig{Control: shareAddress}
	pc, err := lc.ListenPacket(ctx, "udp4", fmt.Sprintf(":%d", s.cfg.BroadcastPort))
	if err != nil {
		return fmt.Errorf("discovery: broadcast: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = pc.Close() })()
	ctx, cancel := context.WithCancel(ctx)
	asked := make(chan netip.Addr, maxAsked)
	var wg sync.WaitGroup
	wg.Go(func() { s.announceLoop(ctx, pc, asked) })
	wg.Go(func() { s.tryLoop(ctx, pc) })
	err = s.listen(pc, found, asked)
	cancel()
	_ = pc.Close()
	wg.Wait()
	return err
}

// announceLoop announces this machine at the start, now and then, when asked and
// after a restart.
func (s *Service) announceLoop(ctx context.Context, pc net.PacketConn, asked <-chan netip.Addr) {
	next := opening
	for {
		pause := announceEvery - announceEvery/4 + rand.N(announceEvery/2) //nolint:gosec // a jitter
		ask := len(next) > 0
		if ask {
			pause, next = next[0], next[1:]
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-s.restartCast:
			next = opening
		case from := <-asked:
			s.answer(ctx, pc, from, asked)
		case <-t.C:
			s.announce(pc, ask)
		}
		t.Stop()
	}
}

// answer answers those who asked: all in this network at once, each in another one
// by itself.
func (s *Service) answer(ctx context.Context, pc net.PacketConn, from netip.Addr, asked <-chan netip.Addr) {
	wait(ctx, rand.N(answerWithin), nil) //nolint:gosec // a jitter
	here := false
	for more := true; more; {
		if onLink(from) {
			here = true
		} else {
			s.answerTry(pc, from)
		}
		select {
		case from = <-asked:
		default:
			more = false
		}
	}
	if here {
		s.announce(pc, false)
	}
	wait(ctx, answerAgain, nil)
}

// announce sends an announcement into the network of each interface. One that
// fails must not keep the others from it.
func (s *Service) announce(pc net.PacketConn, ask bool) {
	packet := marshal(s.cfg.HostKey, s.cfg.Port(), ask)
	to, err := s.targets()
	if err != nil {
		s.cfg.Logger.Debug("interfaces could not be read", "error", err)
	}
	for _, a := range to {
		if !a.IsLoopback() { // that reaches nobody else
			s.searched(netip.AddrPortFrom(a, uint16(s.cfg.BroadcastPort)).String())
		}
		s.send(pc, packet, a)
	}
}

func (s *Service) send(pc net.PacketConn, packet []byte, to netip.Addr) {
	dst := net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, uint16(s.cfg.BroadcastPort)))
	if _, err := pc.WriteTo(packet, dst); err != nil {
		s.cfg.Logger.Debug("announcement was not sent", "error", err)
	}
}

// targets returns the broadcast addresses of this machine's networks.
func (s *Service) targets() ([]netip.Addr, error) {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("discovery: interfaces: %w", err)
	}
	var out []netip.Addr
	for _, i := range ifs {
		loopback := i.Flags&net.FlagLoopback != 0
		if i.Flags&net.FlagUp == 0 || (!loopback && (s.cfg.Loopback || i.Flags&net.FlagBroadcast == 0)) {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went away meanwhile
		}
		for _, a := range addrs {
			if b, ok := broadcastOf(a); ok && len(out) < maxTargets {
				out = append(out, b)
			}
		}
	}
	return out, nil
}

// broadcastOf returns the broadcast address of a private IPv4 network.
func broadcastOf(a net.Addr) (netip.Addr, bool) {
	n, ok := a.(*net.IPNet)
	if !ok {
		return netip.Addr{}, false
	}
	ip, mask := n.IP.To4(), n.Mask
	ones, bits := mask.Size()
	if ip == nil || bits != 32 || ones > 30 {
		return netip.Addr{}, false
	}
	own, _ := netip.AddrFromSlice(ip)
	if !private(own) {
		return netip.Addr{}, false
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(ip)|^binary.BigEndian.Uint32(mask))
	return netip.AddrFrom4(b), true
}

// listen reports what announces itself until the socket closes.
func (s *Service) listen(pc net.PacketConn, found func(peer.AddrInfo), asked chan<- netip.Addr) error {
	limit := wire.NewLimiter(perSource, time.Minute)
	buf := make([]byte, packetSize+1)
	for {
		n, src, err := pc.ReadFrom(buf)
		if err != nil {
			return fmt.Errorf("discovery: broadcast: %w", err)
		}
		from := sourceOf(src)
		if !limit.Allow(from) {
			continue
		}
		info, ask, err := parse(buf[:n], from)
		if err != nil || info.ID == s.self {
			continue
		}
		found(info)
		if ask && s.near(info.Addrs[0]) {
			select {
			case asked <- from:
			default:
			}
		}
	}
}

func sourceOf(a net.Addr) netip.Addr {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	return u.AddrPort().Addr().Unmap()
}

func marshal(key [32]byte, port int, ask bool) []byte {
	b := append(make([]byte, 0, packetSize), magic...)
	flags := byte(0)
	if ask {
		flags |= flagAsk
	}
	b = append(b, flags)
	b = append(b, key[:]...)
	return binary.BigEndian.AppendUint16(b, uint16(port))
}

// parse reads an announcement. Where it came from is where the machine is: an
// announcement cannot name somebody else's address.
func parse(b []byte, from netip.Addr) (info peer.AddrInfo, ask bool, err error) {
	if len(b) != packetSize || string(b[:len(magic)]) != magic || !from.Is4() {
		return info, false, errPacket
	}
	flags, key, port := b[len(magic)], b[len(magic)+1:len(magic)+33], binary.BigEndian.Uint16(b[packetSize-2:])
	if port == 0 {
		return info, false, errPacket
	}
	if info.ID, err = idOf(key); err != nil {
		return info, false, fmt.Errorf("%w: %w", errPacket, err)
	}
	for _, f := range []string{"/ip4/%s/udp/%d/quic-v1", "/ip4/%s/tcp/%d"} {
		info.Addrs = append(info.Addrs, ma.StringCast(fmt.Sprintf(f, from, port)))
	}
	return info, flags&flagAsk != 0, nil
}
