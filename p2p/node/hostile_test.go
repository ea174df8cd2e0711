package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/deliver"
)

// bare starts a libp2p host that does not listen.
func bare(t testing.TB, opts ...libp2p.Option) host.Host {
	t.Helper()
	return newBare(t, append(opts, libp2p.NoListenAddrs)...)
}

func bareListener(t testing.TB) host.Host { t.Helper(); return newBare(t, listenLoopback) }

func newBare(t testing.TB, opts ...libp2p.Option) host.Host {
	t.Helper()
	h, err := libp2p.New(append(opts, libp2p.DisableMetrics(),
		libp2p.Transport(quic.NewTransport), libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func (p *person) info(filter string) peer.AddrInfo {
	info := peer.AddrInfo{ID: p.id()}
	for _, a := range p.n.Addrs() {
		if strings.Contains(a, filter) {
			info.Addrs = append(info.Addrs, ma.StringCast(a))
		}
	}
	return info
}

func TestOtherKeysThanEd25519AreRefused(t *testing.T) {
	alice := newPerson(t, "alice").start()
	for kind, name := range map[int]string{crypto.RSA: "RSA", crypto.ECDSA: "ECDSA", crypto.Secp256k1: "secp256k1"} {
		key, _, err := crypto.GenerateKeyPairWithReader(kind, 2048, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for _, transport := range []string{"/udp/", "/tcp/"} {
			h := bare(t, libp2p.Identity(key))
			// The dialer may think it is connected until it hears of the refusal.
			_ = h.Connect(t.Context(), alice.info(transport))
			s, err := h.NewStream(network.WithNoDial(t.Context(), ""), alice.id(), deliver.ID)
			if err == nil {
				_, err = io.ReadAll(s)
			}
			if err == nil {
				t.Errorf("%s over %s: a stream was served", name, transport)
			}
			if len(alice.n.allLinks()) != 0 {
				t.Errorf("%s over %s: alice holds a link", name, transport)
			}
		}
	}
}

// Somebody else at the address that was told: no connection, and nobody is told of
// one.
func TestWrongKeyForAnAddressIsNoConnection(t *testing.T) {
	alice, bob, eve := newPerson(t, "alice"), newPerson(t, "bob"), newPerson(t, "eve")
	befriend(alice, bob)
	eve.keys["alice"] = alice.keys["bob"] // even with bob's stolen hello key
	alice.start()
	eve.start()
	host, err := New(bob.cfg)
	if err != nil {
		t.Fatal(err)
	}
	alice.n.Follow("bob", map[HostKey][]string{host.HostKey(): eve.n.Addrs()}, nil)
	alice.n.mu.Lock()
	target := alice.n.targets["bob"]
	alice.n.mu.Unlock()
	waitFor(t, "alice tried twice", func() bool {
		alice.n.mu.Lock()
		defer alice.n.mu.Unlock()
		return target.wait > redialMin
	})
	if len(alice.saw()) != 0 || len(eve.saw()) != 0 {
		t.Errorf("recognised: %q, %q", alice.saw(), eve.saw())
	}
}

// 1,000 connections of a flood, half of them never shaking hands, cost a bounded
// amount, and somebody honest at another address still comes through.
func TestConnectionFloodIsBounded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the flood needs the addresses 127.0.0.2 and up, which only Linux has by itself")
	}
	alice, bob := newPerson(t, "alice"), newPerson(t, "bob")
	limits := DefaultLimits()
	alice.cfg.Limits = &limits
	befriend(alice, bob)
	alice.start()
	bob.start()
	halfOpen := floodTCP(t, alice.n.State().Port, 700)
	strangers := floodHosts(t, alice, 60)
	bob.follow(alice)
	waitFor(t, "bob comes through", func() bool { return bob.n.Connected("alice") })
	if a, err := bob.n.Deliver(t.Context(), "alice", [][]byte{[]byte("x")}); err != nil || len(a) != 1 {
		t.Errorf("%v, %v", a, err)
	}
	if n := len(alice.n.host.Network().Conns()); n > limits.UnknownConns+peerConns {
		t.Errorf("%d connections are kept (%d half open, %d strangers)", n, halfOpen, strangers)
	}
	err := alice.n.host.Network().ResourceManager().ViewTransient(func(s network.ResourceScope) error {
		if c := s.Stat().NumConnsInbound; c > transientConn {
			t.Errorf("%d half-open connections are held", c)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// floodTCP opens connections from several addresses and says nothing on them.
func floodTCP(t *testing.T, port, count int) (open int) {
	t.Helper()
	for i := range count {
		d := net.Dialer{Timeout: time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(2+i%4))}}
		c, err := d.DialContext(t.Context(), "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = c.Close() })
		open++
	}
	return open
}

// floodHosts connects whole hosts and lets them ask for streams.
func floodHosts(t *testing.T, alice *person, count int) (connected int) {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range count {
		h := bare(t)
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if h.Connect(ctx, alice.info("/udp/")) == nil {
				mu.Lock()
				connected++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return connected
}

// Over the limit of one address, the oldest unrecognised connection goes.
func TestUnrecognisedConnectionsOfOneAddressAreFew(t *testing.T) {
	alice, bob := newPerson(t, "alice"), newPerson(t, "bob")
	l := *loose()
	l.UnknownConnsPerAddr = 3
	l.Grace = time.Hour
	alice.cfg.Limits = &l
	befriend(alice, bob)
	alice.start()
	bob.start()
	bob.follow(alice)
	waitFor(t, "bob is known", func() bool { return alice.n.Connected("bob") })
	first := bare(t)
	if err := first.Connect(t.Context(), alice.info("/udp/")); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := bare(t).Connect(t.Context(), alice.info("/udp/")); err != nil {
			t.Log(err)
		}
	}
	waitFor(t, "few are left", func() bool { return len(alice.n.allLinks()) <= 1+l.UnknownConnsPerAddr })
	waitFor(t, "the first one went", func() bool { return first.Network().Connectedness(alice.id()) != network.Connected })
	if !alice.n.Connected("bob") {
		t.Error("somebody recognised went")
	}
}

// Absurd frames from a stranger end the stream, are not handed on and reserve
// nothing.
func TestAbsurdFramesOverTheRealTransports(t *testing.T) {
	alice := newPerson(t, "alice").start()
	for _, transport := range []string{"/udp/", "/tcp/"} {
		for _, frame := range []string{"\xff\xff\xff\xff", "\x00\x00\x00\x00", "\x00\x02\x00\x01"} {
			h := bare(t)
			if err := h.Connect(t.Context(), alice.info(transport)); err != nil {
				t.Fatal(err)
			}
			s, err := h.NewStream(t.Context(), alice.id(), deliver.ID)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Write([]byte(frame)); err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(s); err == nil || len(b) != 0 {
				t.Errorf("%s %x: answered %x, %v", transport, frame, b, err)
			}
		}
	}
	if len(alice.took()) != 0 {
		t.Error("a frame was handed on")
	}
}

func TestLongNamesAreCutAtACharacter(t *testing.T) {
	for in, want := range map[string]int{"Zoë": 4, strings.Repeat("ü", 100): 128, strings.Repeat("x", 127) + "ü": 127, "a\xffb": 2, "": 0} {
		if got := cut(in); len(got) != want || !bytes.HasPrefix([]byte(strings.ToValidUTF8(in, "")), []byte(got)) {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// However many machines announce themselves, the table and the probes are bounded.
func TestAnnouncementFloodIsBounded(t *testing.T) {
	alice := newPerson(t, "alice").start()
	for range 3 * maxSightings {
		var key HostKey
		_, pub, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := pub.Raw()
		copy(key[:], raw)
		id, err := peerID(key)
		if err != nil {
			t.Fatal(err)
		}
		alice.n.found(peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{ma.StringCast("/ip4/127.0.0.1/udp/9/quic-v1")}})
	}
	alice.n.mu.Lock()
	defer alice.n.mu.Unlock()
	if len(alice.n.sights) > maxSightings || alice.n.probes > maxProbes || alice.n.probed > maxProbeRate {
		t.Errorf("%d sightings, %d probes at once, %d a minute", len(alice.n.sights), alice.n.probes, alice.n.probed)
	}
}

// Nobody can make machines dial a victim elsewhere by announcing its address.
func TestAnnouncedAddressesElsewhereAreDropped(t *testing.T) {
	alice := newPerson(t, "alice").start()
	id, err := peerID(HostKey{3})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"/ip4/8.8.8.8/udp/53/quic-v1", "/dns4/example.org/tcp/1", "/ip4/100.64.1.1/tcp/1", "/ip4/10.0.0.1/tcp/1" + relay} {
		alice.n.found(peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{ma.StringCast(a)}})
	}
	alice.n.mu.Lock()
	defer alice.n.mu.Unlock()
	if len(alice.n.sights) != 0 {
		t.Error("a machine elsewhere was taken in")
	}
}
