package discovery

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

func key(t testing.TB) (k [32]byte) {
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	copy(k[:], pub)
	return k
}

func TestAnnouncementRoundTrip(t *testing.T) {
	k := key(t)
	for _, ask := range []bool{true, false} {
		b := marshal(k, 4242, ask)
		if len(b) != packetSize {
			t.Errorf("%d bytes", len(b))
		}
		info, gotAsk, err := parse(b, netip.MustParseAddr("192.168.1.7"))
		if err != nil || gotAsk != ask {
			t.Fatalf("ask %v, %v", gotAsk, err)
		}
		if id, _ := idOf(k[:]); info.ID != id {
			t.Errorf("peer ID %s", info.ID)
		}
		want := []string{"/ip4/192.168.1.7/udp/4242/quic-v1", "/ip4/192.168.1.7/tcp/4242"}
		for i, a := range info.Addrs {
			if a.String() != want[i] {
				t.Errorf("address %s", a)
			}
		}
	}
}

// The announcement is a key and a port: nothing in it can name a person.
func TestAnnouncementHoldsNothingElse(t *testing.T) {
	k := key(t)
	b := string(marshal(k, 4242, true))
	rest := strings.Replace(strings.Replace(b, string(k[:]), "", 1), magic, "", 1)
	if rest != "\x01\x10\x92" {
		t.Errorf("besides magic and key: %x", rest)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(marshal([32]byte{1}, 1, true))
	f.Add([]byte(magic))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		info, _, err := parse(b, netip.MustParseAddr("10.0.0.1"))
		if err == nil && (len(b) != packetSize || len(info.Addrs) != 2 || info.ID.Validate() != nil) {
			t.Fatalf("%x became %v", b, info)
		}
	})
}

func TestParseRefuses(t *testing.T) {
	good := marshal(key(t), 4242, true)
	from := netip.MustParseAddr("10.0.0.1")
	for name, b := range map[string][]byte{
		"short":         good[:len(good)-1],
		"long":          append(slices.Clone(good), 0),
		"other magic":   append([]byte("KVT\x02"), good[4:]...),
		"port 0":        append(slices.Clone(good[:len(good)-2]), 0, 0),
		"empty":         nil,
		"somebody else": []byte("M-SEARCH * HTTP/1.1\r\nHOST: 239.25.1.2:1"),
	} {
		if _, _, err := parse(b, from); !errors.Is(err, errPacket) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := parse(good, netip.MustParseAddr("fe80::1")); err == nil {
		t.Error("an announcement over IPv6, which we do not send, was taken")
	}
}

func TestBroadcastAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"192.168.7.1/24": "192.168.7.255", "10.1.2.3/8": "10.255.255.255", "172.16.5.4/20": "172.16.15.255",
		"127.0.0.1/8": "127.255.255.255", "169.254.1.2/16": "169.254.255.255",
		"10.0.0.1/31": "", "10.0.0.1/32": "", "8.8.8.8/24": "", "100.64.0.1/10": "", "fd00::1/64": "",
	} {
		ip, n, err := net.ParseCIDR(in)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := broadcastOf(&net.IPNet{IP: ip, Mask: n.Mask})
		if ok != (want != "") || (ok && got.String() != want) {
			t.Errorf("%s: %v, %v", in, got, ok)
		}
	}
}

func TestOnlyThisNetworkIsReported(t *testing.T) {
	s := New(Config{Host: newHost(t)})
	for addr, want := range map[string]bool{
		"/ip4/192.168.1.1/tcp/1": true, "/ip6/fe80::1/tcp/1": true, "/ip4/8.8.8.8/tcp/1": false,
		"/ip4/100.64.0.1/tcp/1": false, "/dns4/example.org/tcp/1": false, "/ip6/2001:db8::1/tcp/1": false,
	} {
		if got := s.near(ma.StringCast(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}

func newHost(t testing.TB) host.Host {
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// sightings collects what a service finds.
type sightings struct {
	mu   sync.Mutex
	seen map[peer.ID][]ma.Multiaddr
}

func (s *sightings) found(info peer.AddrInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[info.ID] = info.Addrs
}

func (s *sightings) of(id peer.ID) []ma.Multiaddr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[id]
}

// announcer runs a service on loopback.
func announcer(t *testing.T, port, broadcast int) (*Service, *sightings) {
	t.Helper()
	h := newHost(t)
	pub, err := h.ID().ExtractPublicKey()
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := pub.Raw()
	s := New(Config{
		Host: h, HostKey: [32]byte(raw), Loopback: true, NoMDNS: true, BroadcastPort: broadcast,
		Port: func() int { return port }, Addrs: func() []ma.Multiaddr { return nil }, Logger: slog.New(slog.DiscardHandler),
	})
	got := &sightings{seen: map[peer.ID][]ma.Multiaddr{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx, got.found) }()
	t.Cleanup(func() { cancel(); <-done })
	return s, got
}

func freePort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// Three profiles on one machine share the port of the broadcast; the third comes
// later and is still found at once, because it asks.
func TestProfilesOnOneMachineFindEachOther(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux broadcasts on its loopback interface")
	}
	port := freePort(t)
	a, seenByA := announcer(t, 1111, port)
	b, seenByB := announcer(t, 2222, port)
	await(t, func() bool { return seenByA.of(b.self) != nil && seenByB.of(a.self) != nil })
	c, seenByC := announcer(t, 3333, port)
	await(t, func() bool {
		return seenByA.of(c.self) != nil && seenByB.of(c.self) != nil && seenByC.of(a.self) != nil && seenByC.of(b.self) != nil
	})
	if got := seenByC.of(a.self)[0].String(); got != "/ip4/127.0.0.1/udp/1111/quic-v1" {
		t.Errorf("address %s", got)
	}
	if seenByA.of(a.self) != nil {
		t.Error("it found itself")
	}
}

// A port that is taken by a program that does not share it costs the broadcast,
// for a while, and nothing else.
func TestTakenBroadcastPortIsTriedAgain(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux broadcasts on its loopback interface")
	}
	c, err := net.ListenPacket("udp4", ":0") // does not share
	if err != nil {
		t.Fatal(err)
	}
	port := c.LocalAddr().(*net.UDPAddr).Port
	a, seenByA := announcer(t, 1, port)
	b, seenByB := announcer(t, 2, port)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		a.Restart()
		b.Restart()
		return seenByA.of(b.self) != nil && seenByB.of(a.self) != nil
	})
}

func await(t *testing.T, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited too long")
		}
	}
}
