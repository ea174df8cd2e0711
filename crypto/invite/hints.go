package invite

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Proto says how an address is dialled. The values are on the wire.
type Proto byte

// The protocols of version 1.
const (
	QUIC4 Proto = 1 // QUIC over IPv4
	TCP4  Proto = 2 // TCP with TLS over IPv4
	QUIC6 Proto = 3 // QUIC over IPv6
	TCP6  Proto = 4 // TCP with TLS over IPv6

	// nextHost is not a protocol: it starts the hint for a further host.
	nextHost = 5

	keyLen = 32
)

// Addr is one address of a host.
type Addr struct {
	Proto Proto
	At    netip.AddrPort
}

// Hint says where a host may be reached. The first hint is the inviter's own
// machine. Each further one (92 bytes have room for one) is a node: through it the
// inviter is reached, if it relays, and at it lie the first-contact queues and the
// bundle of the invitation (package mailbox). A node's host key never changes.
type Hint struct {
	HostKey [32]byte // Ed25519, authenticates the host on the network
	Addrs   []Addr
}

// is4 reports whether the protocol's addresses have four bytes.
func (p Proto) is4() bool { return p == QUIC4 || p == TCP4 }

func (p Proto) valid() bool { return p >= QUIC4 && p <= TCP6 }

// len is the size of the address on the wire: type, address, port.
func (p Proto) len() int {
	if p.is4() {
		return 1 + 4 + 2
	}
	return 1 + 16 + 2
}

// valid: the address is of the protocol's family, not mapped, without a zone, and
// has a port.
func (a Addr) valid() bool {
	ip := a.At.Addr()
	return a.Proto.valid() && ip.Is4() == a.Proto.is4() && !ip.Is4In6() && ip.IsValid() &&
		ip.Zone() == "" && !ip.IsUnspecified() && !ip.IsMulticast() && a.At.Port() != 0
}

// FitHints returns as many hints as fit into a code, in their order: what is
// invalid, given twice or too much is left out. Put the best addresses first. Each
// node gets room for one address before anything else, because without it nobody
// outside finds it, whereas the own machine is found through the node as well.
func FitHints(all []Hint) (out []Hint) {
	room := MaxHintsLen
	for i, h := range all {
		need := keyLen
		if i > 0 {
			need++
		}
		if room < need || h.HostKey == ([32]byte{}) {
			break
		}
		room -= need
		out = append(out, Hint{HostKey: h.HostKey})
	}
	reserved := make([]int, len(out)) // bytes for the first address of each node
	for i, h := range all[:len(out)] {
		if fitting, _ := fitAddrs(h.Addrs, room); i > 0 && len(fitting) > 0 {
			reserved[i] = fitting[0].Proto.len()
			room -= reserved[i]
		}
	}
	for i, h := range all[:len(out)] {
		out[i].Addrs, room = fitAddrs(h.Addrs, room+reserved[i])
	}
	return out
}

func fitAddrs(all []Addr, room int) (out []Addr, left int) {
	seen := map[Addr]bool{}
	for _, a := range all {
		if !a.valid() || seen[a] || a.Proto.len() > room {
			continue
		}
		seen[a] = true
		room -= a.Proto.len()
		out = append(out, a)
	}
	return out, room
}

func appendHints(out []byte, hints []Hint) ([]byte, error) {
	for i, h := range hints {
		if i > 0 {
			out = append(out, nextHost)
		}
		var err error
		if out, err = appendAddrs(append(out, h.HostKey[:]...), h.Addrs); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func appendAddrs(out []byte, addrs []Addr) ([]byte, error) {
	for _, a := range addrs {
		if !a.valid() {
			return nil, fmt.Errorf("%w: address", ErrMalformed)
		}
		out = append(out, byte(a.Proto))
		out = append(out, a.At.Addr().AsSlice()...)
		out = binary.BigEndian.AppendUint16(out, a.At.Port())
	}
	return out, nil
}

// parseHints reads a host key, then entries of a type byte and an address or, for
// nextHost, a further host's key.
func parseHints(b []byte) ([]Hint, error) {
	if len(b) == 0 {
		return nil, nil
	}
	hints, b, err := parseHost(nil, b)
	for err == nil && len(b) > 0 {
		if b[0] == nextHost {
			hints, b, err = parseHost(hints, b[1:])
			continue
		}
		last := &hints[len(hints)-1]
		last.Addrs, b, err = parseAddr(last.Addrs, b)
	}
	if err != nil {
		return nil, err
	}
	return hints, nil
}

func parseHost(hints []Hint, b []byte) ([]Hint, []byte, error) {
	if len(b) < keyLen {
		return nil, nil, fmt.Errorf("%w: host key", ErrMalformed)
	}
	return append(hints, Hint{HostKey: [32]byte(b[:keyLen])}), b[keyLen:], nil
}

func parseAddr(addrs []Addr, b []byte) ([]Addr, []byte, error) {
	proto := Proto(b[0])
	if !proto.valid() || len(b) < proto.len() {
		return nil, nil, fmt.Errorf("%w: address", ErrMalformed)
	}
	n := proto.len()
	ip, _ := netip.AddrFromSlice(b[1 : n-2])
	a := Addr{proto, netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[n-2:n]))}
	if !a.valid() {
		return nil, nil, fmt.Errorf("%w: address", ErrMalformed)
	}
	return append(addrs, a), b[n:], nil
}
