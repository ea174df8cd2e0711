package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	libp2pnet "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	_ "modernc.org/sqlite" // the driver of the plain SQLite beside

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
)

// echoProfile, if set, makes this program the other side of the benchmarks: it
// runs that profile and answers each message that begins with "ping".
const echoProfile = "KUVERT_TEST_ECHO"

func echo(profile string) int {
	inst, err := run.Open(context.Background(), run.Options{Dir: profile, Listen: "127.0.0.1:0", NoDiscovery: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx := context.Background()
	sub, err := inst.Client().Subscribe(ctx)
	if err != nil {
		return 1
	}
	go func() {
		for {
			events, err := sub.Next(ctx)
			if err != nil {
				return
			}
			for _, ev := range events {
				if ev.Kind == "message_added" {
					answer(ctx, inst.Client(), ev.Message)
				}
			}
		}
	}()
	if err := inst.Run(ctx, func() { fmt.Println("{}") }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func answer(ctx context.Context, c core.Client, id chat.MessageID) {
	m, err := c.Message(ctx, id)
	switch {
	case err != nil || m.State != chat.Received:
	case strings.HasPrefix(m.Text, "ping"):
		_, _ = c.Send(ctx, m.Conversation, core.Outgoing{Text: "pong"})
	case m.Text == floodText:
		flood(ctx, c, m.Conversation)
	}
}

// bench is a running alice here and an echoing bob in another process.
func bench(b *testing.B) (alice core.Client, to chat.ConversationID) {
	b.Helper()
	dir, env := testEnv(b)
	one, two := pairUp(b, dir, env)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(env, echoProfile+"="+two.profile)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })

	inst, err := run.Open(b.Context(), run.Options{Dir: one.profile, Listen: "127.0.0.1:0", NoDiscovery: true})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = inst.Run(ctx, nil) }()
	b.Cleanup(func() { cancel(); <-ended })
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		list, err := inst.Client().Contacts(b.Context())
		if err == nil && len(list) == 1 && list[0].Online {
			return inst.Client(), one.to
		}
		if time.Now().After(end) {
			b.Fatal("the two never met")
		}
	}
}

// BenchmarkEcho measures a message to another process and its answer back, each
// durable on both sides before it is shown.
func BenchmarkEcho(b *testing.B) {
	alice, to := bench(b)
	sub, err := alice.Subscribe(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer sub.Close()
	measure(b, 1, func() {
		if _, err := alice.Send(b.Context(), to, core.Outgoing{Text: pingText}); err != nil {
			b.Fatal(err)
		}
		awaitAnswer(b, alice, sub)
	})
}

// pingText is what the other side of the benchmarks answers.
const pingText = "ping, a message of about a hundred bytes, as people write them to each other all day long, more or less"

func awaitAnswer(b *testing.B, c core.Client, sub core.Subscription) {
	b.Helper()
	for {
		events, err := sub.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for _, ev := range events {
			if ev.Kind != "message_added" {
				continue
			}
			if m, err := c.Message(b.Context(), ev.Message); err == nil && m.State == chat.Received {
				return
			}
		}
	}
}

// BenchmarkShown measures a message from the moment somebody sends it until the
// other one's process can show it, durable on both sides: the echo of it is halved,
// as two processes share no clock. Beside it, in the same run, what it is made of:
// a round trip of libp2p with the same bytes, and a durable commit of SQLite.
func BenchmarkShown(b *testing.B) {
	b.Run("message", func(b *testing.B) {
		alice, to := bench(b)
		sub, err := alice.Subscribe(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		defer sub.Close()
		measure(b, 2, func() {
			if _, err := alice.Send(b.Context(), to, core.Outgoing{Text: pingText}); err != nil {
				b.Fatal(err)
			}
			awaitAnswer(b, alice, sub)
		})
	})
	b.Run("libp2p round trip", func(b *testing.B) {
		s := rawStream(b)
		frame := make([]byte, 1024)
		measure(b, 1, func() {
			if _, err := s.Write(frame); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(s, frame); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("SQLite commit", func(b *testing.B) {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "raw.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close() //nolint:errcheck // a benchmark
		db.SetMaxOpenConns(1)
		if _, err := db.ExecContext(b.Context(), "CREATE TABLE t (b BLOB)"); err != nil {
			b.Fatal(err)
		}
		row := make([]byte, 1024)
		measure(b, 1, func() {
			if _, err := db.ExecContext(b.Context(), "INSERT INTO t VALUES (?)", row); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// measure runs f again and again and reports the percentiles of its time, divided
// by parts.
func measure(b *testing.B, parts int, f func()) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		f()
		took = append(took, time.Since(start)/time.Duration(parts))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// rawStream is a stream of plain libp2p over QUIC to a host that echoes.
func rawStream(b *testing.B) libp2pnet.Stream {
	b.Helper()
	hosts := make([]host.Host, 2)
	for i := range hosts {
		h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1"), libp2p.DisableMetrics())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = h.Close() })
		hosts[i] = h
	}
	hosts[1].SetStreamHandler("/echo", func(s libp2pnet.Stream) { _, _ = io.Copy(s, s) })
	if err := hosts[0].Connect(b.Context(), peer.AddrInfo{ID: hosts[1].ID(), Addrs: hosts[1].Addrs()}); err != nil {
		b.Fatal(err)
	}
	s, err := hosts[0].NewStream(b.Context(), hosts[1].ID(), "/echo")
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkPipelined measures messages from one process to another, many under
// way, until each is acknowledged by the recipient, durable on both sides.
func BenchmarkPipelined(b *testing.B) {
	alice, to := bench(b)
	const total, writers = 10000, 64
	for b.Loop() {
		start := time.Now()
		var wg sync.WaitGroup
		var last [writers]chat.MessageID
		for w := range writers {
			wg.Go(func() {
				for i := w; i < total; i += writers {
					id, err := alice.Send(b.Context(), to, core.Outgoing{Text: fmt.Sprintf("message %d of some forty bytes in length", i)})
					if err != nil {
						b.Error(err)
						return
					}
					last[w] = id
				}
			})
		}
		wg.Wait()
		for _, id := range last { // asking for all of them would be what is measured
			for !delivered(b, alice, id) {
				time.Sleep(2 * time.Millisecond)
			}
		}
		for !allDelivered(b, alice, to, total) {
			time.Sleep(20 * time.Millisecond)
		}
		b.ReportMetric(total/time.Since(start).Seconds(), "messages/s")
	}
}

func delivered(b *testing.B, c core.Client, id chat.MessageID) bool {
	b.Helper()
	m, err := c.Message(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	return m.State != chat.Queued && m.State != chat.Sent
}

// allDelivered looks at the newest messages first: the last ones to arrive.
func allDelivered(b *testing.B, c core.Client, to chat.ConversationID, n int) bool {
	b.Helper()
	var before *chat.Position
	for seen := 0; seen < n; {
		list, err := c.Messages(b.Context(), chat.MessageQuery{Conversation: to, Before: before, Limit: chat.MaxPage, TextOnly: true})
		if err != nil {
			b.Fatal(err)
		}
		if len(list) == 0 {
			return true
		}
		for _, m := range list {
			if m.State == chat.Queued || m.State == chat.Sent {
				return false
			}
		}
		before = &chat.Position{Seq: list[0].Seq, ID: list[0].ID}
		seen += len(list)
	}
	return true
}

// BenchmarkServe measures how long kuvertd serve takes until it is ready, and
// its memory a while later.
func BenchmarkServe(b *testing.B) {
	dir, env := testEnv(b)
	profile := filepath.Join(dir, "alice")
	runKuvertd(b, env, profile, nil, "init", "--name", "Alice")
	var took []time.Duration
	var pss float64
	for b.Loop() {
		start := time.Now()
		d, err := startDaemon(profile, env)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.wait(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
		time.Sleep(time.Second) // past the start
		pss = proportionalSize(d.cmd.Process.Pid)
		if err := d.end(); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "ready-ms")
	b.ReportMetric(pss, "PSS-MB")
}

// proportionalSize is a process's PSS in megabytes, 0 where it is not told.
func proportionalSize(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for _, line := range bytes.Split(text, []byte("\n")) {
		var kb float64
		if _, err := fmt.Sscanf(string(line), "Pss: %f kB", &kb); err == nil {
			return kb / 1024
		}
	}
	return 0
}
