package core

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/kuvert-im/kuvert/crypto/invite"
)

// The packed form of an address, in invitations and reach payloads: a kind byte
// (crypto/invite), 4 or 16 bytes of IP address, 2 bytes of port, big-endian.

// packAddr packs a multiaddr text of one of the two forms this protocol uses:
// /ip4|ip6/ADDR/udp/PORT/quic-v1 and /ip4|ip6/ADDR/tcp/PORT.
func packAddr(text string) ([]byte, bool) {
	ap, quic, ok := parseMultiaddr(text)
	if !ok {
		return nil, false
	}
	b := append([]byte{byte(protoOf(ap.Addr(), quic))}, ap.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(b, ap.Port()), true
}

// addrText is the multiaddr text of a packed address.
func addrText(b []byte) (string, bool) {
	if len(b) != 1+4+2 && len(b) != 1+16+2 {
		return "", false
	}
	ip, _ := netip.AddrFromSlice(b[1 : len(b)-2])
	port := binary.BigEndian.Uint16(b[len(b)-2:])
	for _, quic := range []bool{true, false} {
		if b[0] == byte(protoOf(ip, quic)) && port != 0 {
			return multiaddr(netip.AddrPortFrom(ip, port), quic), true
		}
	}
	return "", false
}

func protoOf(ip netip.Addr, quic bool) invite.Proto {
	switch {
	case ip.Is4() && quic:
		return invite.QUIC4
	case ip.Is4():
		return invite.TCP4
	case quic:
		return invite.QUIC6
	}
	return invite.TCP6
}

func isQUIC(p invite.Proto) bool { return p == invite.QUIC4 || p == invite.QUIC6 }

func multiaddr(ap netip.AddrPort, quic bool) string {
	version := "ip4"
	if ap.Addr().Is6() {
		version = "ip6"
	}
	if quic {
		return fmt.Sprintf("/%s/%s/udp/%d/quic-v1", version, ap.Addr(), ap.Port())
	}
	return fmt.Sprintf("/%s/%s/tcp/%d", version, ap.Addr(), ap.Port())
}

func parseMultiaddr(text string) (ap netip.AddrPort, quic, ok bool) {
	f := strings.Split(text, "/")
	if len(f) < 5 || f[0] != "" || f[1] != "ip4" && f[1] != "ip6" {
		return ap, false, false
	}
	quic = f[3] == "udp" && len(f) == 6 && f[5] == "quic-v1"
	if !quic && (f[3] != "tcp" || len(f) != 5) {
		return ap, false, false
	}
	ip, err := netip.ParseAddr(f[2])
	port, perr := strconv.ParseUint(f[4], 10, 16)
	if err != nil || perr != nil || port == 0 || ip.Is4() != (f[1] == "ip4") || ip.Zone() != "" {
		return ap, false, false
	}
	return netip.AddrPortFrom(ip, uint16(port)), quic, true
}

// hostPort is an address as IP:port, for people.
func hostPort(text string) string {
	if ap, _, ok := parseMultiaddr(text); ok {
		return ap.String()
	}
	return text
}
