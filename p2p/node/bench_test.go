package node

import (
	"bufio"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// The size of a small sealed message, in bytes.
const benchFrame = 800

// benchPair returns two nodes connected over one transport.
func benchPair(b *testing.B, transport string) (alice, bob *person) {
	b.Helper()
	alice, bob = newPerson(b, "alice"), newPerson(b, "bob")
	alice.cfg.Logger, bob.cfg.Logger = nil, nil
	befriend(alice, bob)
	answers := make([]byte, 1<<16)
	bob.onFrames = func(_ string, frames [][]byte) []byte { return answers[:len(frames)] }
	alice.start()
	bob.start()
	addrs := slices.DeleteFunc(bob.n.Addrs(), func(a string) bool { return !strings.Contains(a, transport) })
	alice.n.Follow("bob", map[HostKey][]string{bob.n.HostKey(): addrs}, nil)
	waitFor(b, "connected", func() bool { return alice.n.Connected("bob") })
	return alice, bob
}

// percentiles reports p50 and p99 of a round trip.
func percentiles(b *testing.B, d []time.Duration) {
	slices.Sort(d)
	b.ReportMetric(float64(d[len(d)/2].Nanoseconds())/1e3, "µs-p50")
	b.ReportMetric(float64(d[len(d)*99/100].Nanoseconds())/1e3, "µs-p99")
	b.ReportMetric(float64(d[len(d)-1].Nanoseconds())/1e3, "µs-max")
}

func measure(b *testing.B, f func() error) {
	b.Helper()
	var d []time.Duration
	for b.Loop() {
		begin := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		d = append(d, time.Since(begin))
	}
	percentiles(b, d)
}

// BenchmarkRoundTrip is one frame and its answer, without a commit, beside the
// same bytes on a bare libp2p stream and a bare TCP connection.
func BenchmarkRoundTrip(b *testing.B) {
	frame := make([]byte, benchFrame)
	for name, transport := range map[string]string{"QUIC": "/udp/", "TCP": "/tcp/"} {
		b.Run("kuvert/"+name, func(b *testing.B) {
			alice, _ := benchPair(b, transport)
			measure(b, func() error { _, err := alice.n.Deliver(b.Context(), "bob", [][]byte{frame}); return err })
		})
		b.Run("libp2p/"+name, func(b *testing.B) {
			s := benchStream(b, transport, answerFrames)
			measure(b, func() error { return askOnce(s, frame) })
		})
	}
	b.Run("rawTCP", func(b *testing.B) {
		c := rawTCP(b)
		measure(b, func() error { return askOnce(c, frame) })
	})
}

// BenchmarkPipelined is frames a second with a window of them on their way, as a
// long delivery has.
func BenchmarkPipelined(b *testing.B) {
	const batch = 4096
	frames := make([][]byte, batch)
	for i := range frames {
		frames[i] = make([]byte, benchFrame)
	}
	rate := func(b *testing.B, f func() error) {
		b.SetBytes(batch * benchFrame)
		for b.Loop() {
			if err := f(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "frames/s")
	}
	for name, transport := range map[string]string{"QUIC": "/udp/", "TCP": "/tcp/"} {
		b.Run("kuvert/"+name, func(b *testing.B) {
			alice, _ := benchPair(b, transport)
			rate(b, func() error { _, err := alice.n.Deliver(b.Context(), "bob", frames); return err })
		})
		b.Run("libp2p/"+name, func(b *testing.B) {
			s := benchStream(b, transport, answerFrames)
			rate(b, func() error { return askMany(s, frames) })
		})
	}
	b.Run("rawTCP", func(b *testing.B) {
		c := rawTCP(b)
		rate(b, func() error { return askMany(c, frames) })
	})
}

// answerFrames answers each frame with one byte, flushing when nothing waits.
func answerFrames(s io.ReadWriter) {
	r, w := bufio.NewReaderSize(s, 64<<10), bufio.NewWriter(s)
	for {
		if _, err := wire.ReadFrame(r, wire.MaxFrame, nil); err != nil {
			return
		}
		_ = w.WriteByte(0)
		if r.Buffered() == 0 {
			_ = w.Flush()
		}
	}
}

func askOnce(s io.ReadWriter, frame []byte) error {
	if err := wire.WriteFrame(s, frame, wire.MaxFrame); err != nil {
		return err
	}
	_, err := io.ReadFull(s, make([]byte, 1))
	return err
}

func askMany(s io.ReadWriter, frames [][]byte) error {
	done := make(chan error, 1)
	go func() {
		w := bufio.NewWriterSize(s, 64<<10)
		for _, f := range frames {
			if err := wire.BufferFrame(w, f); err != nil {
				done <- err
				return
			}
		}
		done <- w.Flush()
	}()
	if _, err := io.ReadFull(s, make([]byte, len(frames))); err != nil {
		return err
	}
	return <-done
}

// benchStream opens a stream between two bare libp2p hosts.
func benchStream(b *testing.B, transport string, serve func(io.ReadWriter)) network.Stream {
	b.Helper()
	listener := bareListener(b)
	listener.SetStreamHandler("/bench/1", func(s network.Stream) { serve(s) })
	dialer := bare(b)
	info := peer.AddrInfo{ID: listener.ID()}
	for _, a := range listener.Addrs() {
		if strings.Contains(a.String(), transport) {
			info.Addrs = append(info.Addrs, a)
		}
	}
	if err := dialer.Connect(b.Context(), info); err != nil {
		b.Fatal(err)
	}
	s, err := dialer.NewStream(b.Context(), listener.ID(), "/bench/1")
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func rawTCP(b *testing.B) net.Conn {
	b.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		if c, err := l.Accept(); err == nil {
			answerFrames(c)
		}
	}()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}

var listenLoopback = libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0")
