package server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"

	"github.com/kuvert-im/kuvert/p2p/mailbox"
	"github.com/kuvert-im/kuvert/p2p/server"
)

func TestOnlyMembersReserveButAnybodyReachesThem(t *testing.T) {
	n := newNode(t, nil)
	anna, stranger := n.member(), n.visit()
	r, err := client.Reserve(t.Context(), anna, n.info())
	if err != nil {
		t.Fatal(err)
	}
	if r.LimitDuration != 2*time.Hour || r.LimitData != 1<<30 {
		t.Errorf("a circuit of %v and %d bytes", r.LimitDuration, r.LimitData)
	}
	if len(r.Addrs) == 0 {
		t.Error("no address is told with the reservation")
	}
	if _, err := client.Reserve(t.Context(), stranger, n.info()); err == nil {
		t.Error("a stranger got a reservation")
	}
	anna.SetStreamHandler("/echo", func(s network.Stream) { _, _ = io.Copy(s, s); _ = s.Close() })
	ctx := network.WithAllowLimitedConn(t.Context(), "test")
	if err := stranger.Connect(ctx, n.via(anna.ID())); err != nil {
		t.Fatal(err)
	}
	// More than what libp2p lets through a relay by default.
	text := make([]byte, 1<<20)
	_, _ = rand.Read(text)
	s, err := stranger.NewStream(ctx, anna.ID(), "/echo")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = s.Write(text); _ = s.CloseWrite() }()
	if back, err := io.ReadAll(s); err != nil || !bytes.Equal(back, text) {
		t.Errorf("%d bytes came back, %v", len(back), err)
	}
	m, err := n.Metrics(t.Context())
	if err != nil || m.Reservations != 1 || m.Circuits != 1 || m.Relayed < 2<<20 || m.Connections != 2 || m.Strangers != 1 {
		t.Errorf("metrics: %+v, %v", m, err)
	}
	if err := anna.Connect(ctx, n.via(n.visit().ID())); err == nil {
		t.Error("somebody without a reservation was reached")
	}
}

func TestAStrangersCircuitsAreBounded(t *testing.T) {
	n := newNode(t, nil)
	stranger := n.visit()
	open := 0
	for range 10 {
		m := n.member()
		if _, err := client.Reserve(t.Context(), m, n.info()); err != nil {
			t.Fatal(err)
		}
		if stranger.Connect(t.Context(), n.via(m.ID())) == nil {
			open++
		}
	}
	if open != 8 {
		t.Errorf("%d circuits", open)
	}
}

func TestWithoutRelay(t *testing.T) {
	n := newNode(t, func(c *server.Config) { c.NoRelay = true })
	anna := n.visit()
	u, err := anna.mail().Auth(t.Context(), token)
	if err != nil || u.Relay {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := client.Reserve(t.Context(), anna, n.info()); err == nil {
		t.Error("a reservation without a relay")
	}
}

func TestIdleStrangersAreClosedAndMembersAreNot(t *testing.T) {
	n := newNode(t, func(c *server.Config) { c.Limits.Idle = 500 * time.Millisecond })
	anna, stranger, reader := n.member(), n.visit(), n.visit()
	if err := anna.mail().PublishBundle(t.Context(), [24]byte{}, []byte("page"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Reserve(t.Context(), anna, n.info()); err != nil {
		t.Fatal(err)
	}
	caller := n.visit()
	if err := caller.Connect(t.Context(), n.via(anna.ID())); err != nil {
		t.Fatal(err)
	}
	mail := reader.mail()
	n.within("the stranger is gone", func() bool {
		if _, err := mail.ReadBundle(t.Context(), [24]byte{}); err != nil {
			t.Fatal(err)
		}
		return !stranger.connected()
	})
	time.Sleep(time.Second)
	if !anna.connected() || !reader.connected() || !caller.connected() {
		t.Error("somebody who uses the node was closed")
	}
	if m, err := n.Metrics(t.Context()); err != nil || m.Closed != 1 {
		t.Errorf("metrics: %+v, %v", m, err)
	}
}

func TestStrangersOfAnAddressAreBounded(t *testing.T) {
	n := newNode(t, func(c *server.Config) { c.Limits.StrangersPerAddr = 4 })
	anna := n.member()
	busy := n.visit()
	if _, err := busy.mail().ReadBundle(t.Context(), [24]byte{}); !errors.Is(err, mailbox.ErrNotFound) {
		t.Fatal(err) // its stream stays open
	}
	for range 12 {
		n.visit()
	}
	n.within("four are left", func() bool {
		m, err := n.Metrics(t.Context())
		return err == nil && m.Strangers == 4 && m.Connections == 5 && m.Closed == 9
	})
	if !anna.connected() || !busy.connected() {
		t.Error("the member or a busy stranger had to go")
	}
}

func TestStopsAfterWhatIsUnderWay(t *testing.T) {
	n := newNode(t, nil)
	n.shelf.slow = make(chan struct{})
	anna := n.member()
	put := make(chan error, 1)
	mail := anna.mail()
	if _, err := mail.Auth(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	go func() { put <- mail.PublishBundle(t.Context(), [24]byte{1}, []byte("page"), time.Time{}) }()
	time.Sleep(200 * time.Millisecond)
	ended := make(chan error, 1)
	go func() { ended <- n.end() }()
	time.Sleep(200 * time.Millisecond)
	select {
	case err := <-ended:
		t.Fatalf("it ended in the middle of a request: %v", err)
	default:
	}
	if _, err := anna.mail().Auth(t.Context(), token); err == nil {
		t.Error("a new stream was served while it stops")
	}
	close(n.shelf.slow)
	if err := <-put; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	begin := time.Now()
	if err := <-ended; err != nil || time.Since(begin) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

func TestListenErrors(t *testing.T) {
	n := newNode(t, nil)
	cfg := server.Config{HostKey: newKey(t), Mail: mailbox.NewServer(&shelf{}, mailbox.DefaultLimits())}
	taken := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), n.Port())
	for at, want := range map[netip.AddrPort]error{
		taken: server.ErrPortTaken,
		netip.AddrPortFrom(netip.IPv4Unspecified(), n.Port()): server.ErrPortTaken,
		netip.AddrPortFrom(netip.IPv6Unspecified(), n.Port()): server.ErrPortTaken,
		netip.MustParseAddrPort("192.0.2.1:4040"):             server.ErrListen,
	} {
		cfg.Listen = at
		if s, err := server.Open(cfg); !errors.Is(err, want) {
			t.Errorf("%v: %v, %v", at, s, err)
		}
	}
	u, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	cfg.Listen = u.LocalAddr().(*net.UDPAddr).AddrPort()
	if _, err := server.Open(cfg); !errors.Is(err, server.ErrPortTaken) {
		t.Errorf("UDP alone is taken: %v", err)
	}
}

func TestBothFamiliesOnOnePort(t *testing.T) {
	n := newNode(t, func(c *server.Config) { c.Listen = netip.MustParseAddrPort("[::]:0") })
	for _, ip := range []string{"127.0.0.1", "::1"} {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", netip.AddrPortFrom(netip.MustParseAddr(ip), n.Port()).String())
		if err != nil {
			t.Error(err)
			continue
		}
		c.Close()
	}
}

func TestAnnouncedAddressesComeFirst(t *testing.T) {
	out := netip.MustParseAddrPort("203.0.113.5:4040")
	n := newNode(t, func(c *server.Config) { c.Announce = []netip.AddrPort{out} })
	if a := n.Addrs(); len(a) == 0 || a[0] != out {
		t.Errorf("addresses: %v", a)
	}
	if m := n.Multiaddrs(); len(m) < 2 || m[0].String() != "/ip4/203.0.113.5/udp/4040/quic-v1" || m[1].String() != "/ip4/203.0.113.5/tcp/4040" {
		t.Errorf("multiaddrs: %v", m)
	}
}

// Whoever reads the metrics learns counts and nothing else.
func TestMetricsHoldNumbersAlone(t *testing.T) {
	n := newNode(t, nil)
	n.member()
	m, err := n.Metrics(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if _, err := m.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		name, number, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || !strings.HasPrefix(name, "kuvert_") || strings.Trim(number, "0123456789") != "" {
			t.Errorf("line %q", line)
		}
	}
}
