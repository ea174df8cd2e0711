package node

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/p2p/host/observedaddrs"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

// userAgent and protocolVersion are what identify tells everybody: no version,
// no platform.
const (
	userAgent       = "kuvert"
	protocolVersion = "kuvert/1"
)

// portTries is how many ports are tried before giving up.
const portTries = 16

var errNoPort = errors.New("node: no port to listen on")

// quietQUIC keeps quic-go from printing advice for administrators (the size of
// socket buffers) to the standard error of a desktop program.
const quietQUIC = "QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING"

// init sets what libp2p has as variables: one station may be all there is to tell
// our address, and a relay that stalls must not hold anybody up for a minute.
func init() {
	observedaddrs.ActivationThresh = 1
	circuit.ReserveTimeout, circuit.DialTimeout = stationPatience, dialPatience
}

// newHost makes a host that does not listen yet. tell chooses the addresses to tell
// others.
func newHost(cfg Config, g *gater, r *router, tell func([]ma.Multiaddr) []ma.Multiaddr) (host.Host, error) {
	if err := os.Setenv(quietQUIC, "true"); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(cfg.HostKey)
	if err != nil {
		return nil, fmt.Errorf("node: host key: %w", err)
	}
	rm, err := resourceManager(*cfg.Limits)
	if err != nil {
		return nil, fmt.Errorf("node: resource manager: %w", err)
	}
	opts := []libp2p.Option{
		libp2p.Identity(key), libp2p.NoListenAddrs, libp2p.ResourceManager(rm),
		libp2p.ConnectionManager(connmgr.NullConnMgr{}), libp2p.ConnectionGater(g),
		libp2p.MultiaddrResolver(noResolver{}),
		libp2p.Security(tls.ID, tls.New), libp2p.Security(noise.ID, noise.New),
		libp2p.DisableMetrics(), libp2p.EnableRelay(), libp2p.SwarmOpts(swarm.WithDialRanker(rankDials)),
		libp2p.UserAgent(userAgent), libp2p.ProtocolVersion(protocolVersion),
		// Machines that are switched off are dialled again and again: that is no
		// sign of a network without UDP.
		libp2p.UDPBlackHoleSuccessCounter(nil), libp2p.IPv6BlackHoleSuccessCounter(nil),
	}
	if cfg.Underlay != nil {
		opts = append(opts, libp2p.DisableIdentifyAddressDiscovery())
		opts = append(opts, cfg.Underlay.Options...)
	} else {
		opts = append(opts, libp2p.Transport(quic.NewTransport), libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
			libp2p.NATManager(r.attach), libp2p.AddrsFactory(tell))
	}
	h, err := libp2p.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("node: host: %w", err)
	}
	return h, nil
}

// listen starts listening: on the configured port, else on a free one. It
// returns the port and whether the configured one was taken.
func listen(h host.Host, cfg Config) (port int, taken bool, err error) {
	if cfg.Underlay != nil {
		return listenUnderlay(h, cfg.Underlay.Listen)
	}
	port = cfg.Port
	for range portTries {
		if port == 0 {
			if port, err = freePort(cfg.Loopback); err != nil {
				return 0, taken, err
			}
		}
		if err = listenOn(h, port, cfg.Loopback); err == nil {
			return port, taken, nil
		}
		taken = taken || port == cfg.Port
		port = 0
	}
	return 0, taken, fmt.Errorf("%w: %w", errNoPort, err)
}

func listenUnderlay(h host.Host, addrs []ma.Multiaddr) (int, bool, error) {
	if err := h.Network().Listen(addrs...); err != nil {
		return 0, false, fmt.Errorf("node: listen: %w", err)
	}
	for _, a := range addrs {
		if v, err := a.ValueForProtocol(ma.P_UDP); err == nil {
			p, _ := strconv.Atoi(v)
			return p, false, nil
		}
	}
	return 0, false, nil
}

// listenOn listens on one port with both transports. IPv6 may be missing.
func listenOn(h host.Host, port int, loopback bool) error {
	if err := probePort(port, loopback); err != nil {
		return err
	}
	four, six := "0.0.0.0", "::"
	if loopback {
		four, six = "127.0.0.1", "::1"
	}
	must := multiaddrs("ip4", four, port)
	if err := listenAll(h, must); err != nil {
		return err
	}
	if err := listenAll(h, multiaddrs("ip6", six, port)); err != nil {
		return nil //nolint:nilerr // a machine without IPv6 is reached by IPv4
	}
	return nil
}

func listenAll(h host.Host, addrs []ma.Multiaddr) error {
	for i, a := range addrs {
		if err := h.Network().Listen(a); err != nil {
			if c, ok := h.Network().(interface{ ListenClose(...ma.Multiaddr) }); ok {
				c.ListenClose(addrs[:i]...)
			}
			return fmt.Errorf("node: listen: %w", err)
		}
	}
	return nil
}

// multiaddrs returns the two transports' addresses of an IP address and port.
func multiaddrs(family, ip string, port int) []ma.Multiaddr {
	return []ma.Multiaddr{
		ma.StringCast(fmt.Sprintf("/%s/%s/udp/%d/quic-v1", family, ip, port)),
		ma.StringCast(fmt.Sprintf("/%s/%s/tcp/%d", family, ip, port)),
	}
}

// probePort tells whether nobody holds a port. Some systems let two sockets share
// one without an error; a plain socket finds out.
func probePort(port int, loopback bool) error {
	addr := net.JoinHostPort(bindIP(loopback), strconv.Itoa(port))
	l, err := net.Listen("tcp4", addr) //nolint:noctx // returns at once
	if err != nil {
		return fmt.Errorf("node: port: %w", err)
	}
	defer l.Close()                          //nolint:errcheck // nothing was accepted
	u, err := net.ListenPacket("udp4", addr) //nolint:noctx // returns at once
	if err != nil {
		return fmt.Errorf("node: port: %w", err)
	}
	return u.Close()
}

func freePort(loopback bool) (int, error) {
	l, err := net.Listen("tcp4", net.JoinHostPort(bindIP(loopback), "0")) //nolint:noctx // returns at once
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errNoPort, err)
	}
	defer l.Close() //nolint:errcheck // nothing was accepted
	return l.Addr().(*net.TCPAddr).Port, nil
}

func bindIP(loopback bool) string {
	if loopback {
		return "127.0.0.1"
	}
	return ""
}
