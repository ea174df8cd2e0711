package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestParseRanges(t *testing.T) {
	for text, want := range map[string]string{
		"192.168.3.7": "192.168.3.7/32", "192.168.3.9/24": "192.168.3.0/24", " 10.1.0.0/22 ": "10.1.0.0/22", "": "",
	} {
		got, err := ParseRanges([]string{text})
		if err != nil || (want == "" && len(got) != 0) || (want != "" && (len(got) != 1 || got[0].String() != want)) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"office", "192.168.3", "192.168.3.0/33", "10.0.0.0/8", "fd00::1", "224.0.0.1", "0.0.0.0", "192.168.3.1:80", "example.org"} {
		if _, err := ParseRanges([]string{"10.0.0.1", text}); !errors.Is(err, ErrRange) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseRanges([]string{"10.0.0.0/23", "10.0.2.0/23"}); err != nil {
		t.Errorf("%d addresses: %v", MaxTries, err)
	}
	if _, err := ParseRanges([]string{"10.0.0.0/22", "10.9.9.9"}); !errors.Is(err, ErrRange) {
		t.Errorf("one address too many: %v", err)
	}
}

// inboxConn takes what is sent and notes to whom.
type inboxConn struct {
	net.PacketConn
	mu sync.Mutex
	to []netip.Addr
}

func (c *inboxConn) WriteTo(_ []byte, a net.Addr) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.to = append(c.to, a.(*net.UDPAddr).AddrPort().Addr().Unmap())
	return 0, nil
}

func TestEachMachineOfARangeIsAskedWhereItIsAllowed(t *testing.T) {
	var places []string
	s := New(Config{
		Host: newHost(t), Port: func() int { return 1 }, BroadcastPort: 9,
		Allowed:  func(a netip.Addr) bool { return a.IsPrivate() },
		Searched: func(place string) { places = append(places, place) },
	})
	pc := &inboxConn{}
	for _, p := range []string{"192.168.3.0/29", "192.168.4.4/32", "8.8.8.0/30"} {
		s.tryRange(t.Context(), pc, nil, netip.MustParsePrefix(p))
	}
	if len(pc.to) != 7 || pc.to[0].String() != "192.168.3.1" || pc.to[5].String() != "192.168.3.6" || pc.to[6].String() != "192.168.4.4" {
		t.Errorf("asked: %v", pc.to)
	}
	if !slices.Equal(places, []string{"192.168.3.0/29", "192.168.4.4"}) {
		t.Errorf("told: %q", places)
	}
	s.Try([]netip.Prefix{netip.MustParsePrefix("8.8.8.0/30"), netip.MustParsePrefix("192.168.3.0/29")})
	if s.isTried(netip.MustParseAddr("8.8.8.1")) || !s.isTried(netip.MustParseAddr("192.168.3.1")) {
		t.Error("the wrong answers would be taken")
	}
}

func TestTryingIsPaced(t *testing.T) {
	s := New(Config{Host: newHost(t), Port: func() int { return 1 }})
	pc := &inboxConn{}
	ctx, cancel := context.WithTimeout(t.Context(), 5*tryPause/2)
	defer cancel()
	s.tryRange(ctx, pc, nil, netip.MustParsePrefix("10.0.0.0/22"))
	if n := len(pc.to); n < tryBurst || n > 4*tryBurst {
		t.Errorf("%d packets in %v", n, 5*tryPause/2)
	}
}

// Machines that hear no broadcast of each other find each other by an address.
func TestFoundByAnAddressTried(t *testing.T) {
	const port = 24139
	one, seen := announcer(t, 1, port)
	lc := net.ListenConfig{Control: shareAddress}
	pc, err := lc.ListenPacket(t.Context(), "udp4", "127.0.0.9:24139")
	if err != nil {
		t.Skip(err)
	}
	defer pc.Close() //nolint:errcheck // a test
	_ = seen
	one.Try([]netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")})
	buf := make([]byte, 100)
	if err := pc.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, _, err := pc.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	if _, ask, err := parse(buf[:n], netip.MustParseAddr("127.0.0.1")); err != nil || !ask {
		t.Errorf("ask %v, %v", ask, err)
	}
}
