package core

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/kuvert-im/kuvert/crypto/invite"
)

func TestAddressesThereAndBack(t *testing.T) {
	for _, text := range []string{
		"/ip4/192.168.1.7/udp/4001/quic-v1", "/ip4/127.0.0.1/tcp/1", "/ip6/fd00::1/udp/65535/quic-v1", "/ip6/2001:db8::2/tcp/443",
	} {
		b, ok := packAddr(text)
		if !ok {
			t.Errorf("%s: not packed", text)
			continue
		}
		if back, ok := addrText(b); !ok || back != text {
			t.Errorf("%s came back as %s", text, back)
		}
	}
}

func TestPackedForm(t *testing.T) {
	b, ok := packAddr("/ip4/192.168.1.7/udp/4001/quic-v1")
	if want := []byte{byte(invite.QUIC4), 192, 168, 1, 7, 0x0f, 0xa1}; !ok || !bytes.Equal(b, want) {
		t.Errorf("%x, want %x", b, want)
	}
}

func TestAddressesOfOtherForms(t *testing.T) {
	for _, text := range []string{
		"", "/", "//////", "192.168.1.7:4001", "/ip4/192.168.1.7/udp/4001", "/ip4/192.168.1.7/tcp/4001/quic-v1",
		"/ip4/192.168.1.7/udp/4001/quic-v1/p2p/x", "/ip4/192.168.1.7/udp/0/quic-v1", "/ip4/192.168.1.7/tcp/65536",
		"/ip4/192.168.1.7/tcp/-1", "/ip4/fd00::1/tcp/1", "/ip6/192.168.1.7/tcp/1", "/ip6/fe80::1%eth0/tcp/1",
		"/dns4/example.org/tcp/443", "/ip4/1.2.3.4/tcp/80/p2p-circuit", "x/ip4/1.2.3.4/tcp/80",
	} {
		if b, ok := packAddr(text); ok {
			t.Errorf("%q was packed as %x", text, b)
		}
		if _, _, ok := parseMultiaddr(text); ok {
			t.Errorf("%q was read", text)
		}
	}
}

func TestPackedAddressesOfOtherForms(t *testing.T) {
	good, _ := packAddr("/ip4/192.168.1.7/tcp/4001")
	six, _ := packAddr("/ip6/fd00::1/tcp/4001")
	noPort := append(bytes.Clone(good[:5]), 0, 0)
	otherKind := append([]byte{99}, good[1:]...)
	kindOfSix := append([]byte{six[0]}, good[1:]...)
	for _, b := range [][]byte{nil, {1}, good[:6], append(bytes.Clone(good), 0), noPort, otherKind, kindOfSix, make([]byte, 128)} {
		if text, ok := addrText(b); ok {
			t.Errorf("%x was read as %s", b, text)
		}
	}
}

func TestHostPort(t *testing.T) {
	for in, want := range map[string]string{
		"/ip4/10.0.0.1/udp/4001/quic-v1": "10.0.0.1:4001", "/ip6/fd00::1/tcp/1": "[fd00::1]:1", "something": "something",
	} {
		if got := hostPort(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// What a contact sends as an address is read without a panic, and what is read is
// one that packs to the same bytes.
func FuzzAddrText(f *testing.F) {
	good, _ := packAddr("/ip4/192.168.1.7/tcp/4001")
	f.Add(good)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		text, ok := addrText(b)
		if !ok {
			return
		}
		ap, _, ok := parseMultiaddr(text)
		if !ok || ap.Port() == 0 || ap.Addr() == (netip.Addr{}) {
			t.Fatalf("%x gave %q", b, text)
		}
		if again, ok := packAddr(text); !ok || !bytes.Equal(again, b) {
			t.Fatalf("%x gave %q gave %x", b, text, again)
		}
	})
}
