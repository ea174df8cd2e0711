package p2ptest_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/deliver"
	"github.com/kuvert-im/kuvert/p2p/hello"
	"github.com/kuvert-im/kuvert/p2p/node"
	"github.com/kuvert-im/kuvert/p2p/p2ptest"
	"github.com/kuvert-im/kuvert/p2p/pair"
)

// mallory is a bare host that attacks alice.
type mallory struct {
	t     *testing.T
	h     host.Host
	alice peer.AddrInfo
}

func newMallory(t *testing.T, net *p2ptest.Network, alice *person) *mallory {
	t.Helper()
	m := &mallory{t: t, h: net.Machine("mallory").Host(t)}
	key, err := crypto.UnmarshalEd25519PrivateKey(alice.key)
	if err != nil {
		t.Fatal(err)
	}
	if m.alice.ID, err = peer.IDFromPrivateKey(key); err != nil {
		t.Fatal(err)
	}
	for _, a := range alice.n.Addrs() {
		m.alice.Addrs = append(m.alice.Addrs, ma.StringCast(a))
	}
	m.connect()
	return m
}

func (m *mallory) connect() {
	m.t.Helper()
	if err := m.h.Connect(m.t.Context(), m.alice); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mallory) stream(id protocol.ID) network.Stream {
	m.t.Helper()
	s, err := m.h.NewStream(m.t.Context(), m.alice.ID, id)
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// silent is what held sends to say nothing at all.
const silent = ""

// held returns how long alice keeps a stream on which this much was sent, and
// every two seconds one byte more unless it is silent.
func (m *mallory) held(id protocol.ID, first string) time.Duration {
	m.t.Helper()
	s := m.stream(id)
	begin := time.Now()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, s)
	}()
	_, _ = s.Write([]byte(first))
	for {
		select {
		case <-ended:
			return time.Since(begin)
		case <-time.After(2 * time.Second):
			if first != silent {
				_, _ = s.Write([]byte{0})
			}
		}
	}
}

// attacked runs a test in which mallory, a stranger, is connected with alice.
func attacked(t *testing.T, f func(t *testing.T, m *mallory, alice, bob *person)) {
	t.Helper()
	world(t, func(t *testing.T, net *p2ptest.Network, alice, bob *person) {
		met(alice, bob)
		f(t, newMallory(t, net, alice), alice, bob)
		// Whatever was tried, honest people are still served.
		if a, err := bob.n.Deliver(t.Context(), "alice", [][]byte{[]byte("still there")}); err != nil || len(a) != 1 {
			t.Errorf("an honest frame: %v, %v", a, err)
		}
	})
}

// Whoever sends a byte now and then only to hold a stream loses it in time.
func TestSlowSendersLoseTheirStream(t *testing.T) {
	attacked(t, func(t *testing.T, m *mallory, _, _ *person) {
		for _, c := range []struct {
			name  string
			id    protocol.ID
			first string
			limit time.Duration
		}{
			{"hello without a nonce", hello.ID, "", 11 * time.Second},
			{"hello without tokens", hello.ID, "0123456789abcdef\x00\x00\x01\x00", 11 * time.Second},
			{"idle deliver", deliver.ID, silent, 11 * time.Second},
			{"idle deliver behind a frame", deliver.ID, "\x00\x00\x00\x01a", 11 * time.Second},
			{"half a length", deliver.ID, "\x00\x00", 11 * time.Second},
			{"half a frame", deliver.ID, "\x00\x01\x00\x00abc", 11 * time.Second},
			{"pair without purpose", pair.ID, "", 11 * time.Second},
			{"half a name", pair.ID, "\x02\x20a", 11 * time.Second},
		} {
			_ = m.h.Network().ClosePeer(m.alice.ID) // or its grace ends first
			m.connect()
			if d := m.held(c.id, c.first); d > c.limit+2*time.Second {
				t.Errorf("%s: held for %v", c.name, d)
			}
		}
	})
}

func TestConnectionsWithoutRecognitionEnd(t *testing.T) {
	attacked(t, func(t *testing.T, m *mallory, _, _ *person) {
		begin := time.Now()
		for m.h.Network().Connectedness(m.alice.ID) == network.Connected {
			if time.Since(begin) > 40*time.Second {
				t.Fatal("still connected after 40 s")
			}
			time.Sleep(time.Second)
		}
	})
}

func TestAStrangersFramesAreCounted(t *testing.T) {
	attacked(t, func(t *testing.T, m *mallory, alice, _ *person) {
		s := m.stream(deliver.ID)
		answers := make([]byte, 30)
		for i := range answers {
			if _, err := s.Write([]byte("\x00\x00\x00\x03abc")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(s, answers[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		limit := node.DefaultLimits().UnknownFrames
		if slices.Contains(answers[:limit], 3) || bytes.Count(answers[limit:], []byte{3}) != 30-limit {
			t.Errorf("answers: %v", answers)
		}
		alice.mu.Lock()
		defer alice.mu.Unlock()
		if n := len(alice.frames); n != 1 { // three bytes are always the same frame
			t.Errorf("%d frames got through", n)
		}
		if alice.frames[0] != ":abc" {
			t.Errorf("a stranger's frame came as %q", alice.frames[0])
		}
	})
}

func TestAStrangersHellosAreCounted(t *testing.T) {
	attacked(t, func(t *testing.T, m *mallory, _, _ *person) {
		refused := 0
		for range 12 {
			m.connect()
			s := m.stream(hello.ID)
			if _, err := hello.Dial(t.Context(), s, nil, ""); err == nil {
				t.Fatal("mallory was recognised")
			}
			_ = s.Reset()
			time.Sleep(100 * time.Millisecond)
			if m.h.Network().Connectedness(m.alice.ID) != network.Connected {
				refused++
			}
		}
		if want := 12 - node.DefaultLimits().UnknownHellos; refused != want {
			t.Errorf("%d of 12 hellos cost the connection, want %d", refused, want)
		}
	})
}

// Only somebody recognised is told a status or given a bundle, and a hidden person
// neither tells a name nor pairs.
func TestAStrangerIsToldNothing(t *testing.T) {
	attacked(t, func(t *testing.T, m *mallory, alice, _ *person) {
		for _, id := range []protocol.ID{"/kuvert/status/1", "/kuvert/bundle/1"} {
			s := m.stream(id)
			_, _ = s.Write([]byte{0, 0, 0, 0})
			_ = s.CloseWrite()
			if b, err := io.ReadAll(s); err == nil || len(b) > 0 {
				t.Errorf("%s: got %q, %v", id, b, err)
			}
		}
		if name, err := pair.Ask(t.Context(), m.stream(pair.ID)); err != nil || name != "" {
			t.Errorf("name %q, %v", name, err)
		}
		p, err := pair.Dial(m.stream(pair.ID))
		if err != nil {
			t.Fatal(err)
		}
		if msg, err := p.Receive(t.Context()); err == nil {
			t.Errorf("pairing: %q", msg)
		}
		alice.n.Show("Alice")
		if name, err := pair.Ask(t.Context(), m.stream(pair.ID)); err != nil || name != "Alice" {
			t.Errorf("visible name %q, %v", name, err)
		}
	})
}

func TestUnknownProtocolsAndVersionsAreRefused(t *testing.T) {
	attacked(t, func(t *testing.T, m *mallory, _, _ *person) {
		for _, id := range []protocol.ID{"/kuvert/deliver/2", "/kuvert/nothing/1", "/ipfs/kad/1.0.0", "/libp2p/circuit/relay/0.2.0/hop"} {
			if s, err := m.h.NewStream(t.Context(), m.alice.ID, id); err == nil {
				t.Errorf("%s is served: %v", id, s.Protocol())
			}
		}
	})
}

func TestStreamFloodIsBounded(t *testing.T) {
	attacked(t, func(t *testing.T, m *mallory, _, _ *person) {
		var open []network.Stream
		for range 300 {
			s, err := m.h.NewStream(t.Context(), m.alice.ID, deliver.ID)
			if err != nil {
				break
			}
			_, _ = s.Write([]byte("\x00\x01\x00\x00"))
			open = append(open, s)
		}
		time.Sleep(time.Second)
		alive := 0
		for _, s := range open {
			_ = s.SetReadDeadline(time.Now().Add(time.Millisecond))
			var timeout interface{ Timeout() bool }
			if _, err := s.Read(make([]byte, 1)); err != nil && errors.As(err, &timeout) && timeout.Timeout() {
				alive++
			}
		}
		if alive > 64 {
			t.Errorf("%d streams of one stranger are held", alive)
		}
	})
}

// A peer on a link of 1 kB/s is served, and does not hold up the others.
func TestASlowPeerIsServedAndOthersAreNotHeldUp(t *testing.T) {
	world(t, func(t *testing.T, net *p2ptest.Network, alice, bob *person) {
		met(alice, bob)
		key := [32]byte{9}
		alice.keys["slow"] = key
		m := newMallory(t, net, alice)
		if _, err := hello.Dial(t.Context(), m.stream(hello.ID), hello.Keys{"alice": key}, "alice"); err != nil {
			t.Fatal(err)
		}
		s := m.stream(deliver.ID)
		frame := append([]byte{0, 0, 0x80, 0}, make([]byte, 32<<10)...)
		for chunk := range slices.Chunk(frame, 1000) {
			if _, err := s.Write(chunk); err != nil {
				t.Fatalf("the stream was ended: %v", err)
			}
			time.Sleep(time.Second)
			if a, err := bob.n.Deliver(t.Context(), "alice", [][]byte{chunk[:4]}); err != nil || len(a) != 1 {
				t.Fatalf("bob: %v, %v", a, err)
			}
		}
		answer := make([]byte, 1)
		if _, err := io.ReadFull(s, answer); err != nil || answer[0] != 0 {
			t.Errorf("answer %v, %v", answer, err)
		}
	})
}
