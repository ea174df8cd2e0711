package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// floodText makes the other side of the benchmarks send floodCount messages.
const (
	floodText  = "flood"
	floodCount = 10000
)

func flood(ctx context.Context, c core.Client, to chat.ConversationID) {
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < floodCount; i += 64 {
				_, _ = c.Send(ctx, to, core.Outgoing{Text: fmt.Sprint("flood ", i)})
			}
		})
	}
	wg.Wait()
}

// BenchmarkSendDuringFlood measures sending a message while 10,000 arrive from
// another process, beside sending one while nothing does, in the same run.
func BenchmarkSendDuringFlood(b *testing.B) {
	alice, to := bench(b)
	send := func(text string) time.Duration {
		start := time.Now()
		if _, err := alice.Send(b.Context(), to, core.Outgoing{Text: text}); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	sample := func(on func() bool) (took []time.Duration) {
		for on() {
			took = append(took, send("meanwhile"))
			time.Sleep(10 * time.Millisecond)
		}
		slices.Sort(took)
		return took
	}
	for b.Loop() {
		before := arrived(b, alice, to)
		n := 0
		quiet := sample(func() bool { n++; return n <= 100 })
		send(floodText)
		for arrived(b, alice, to) == before {
			time.Sleep(time.Millisecond)
		}
		begin := time.Now()
		busy := sample(func() bool { return arrived(b, alice, to) < before+floodCount })
		b.ReportMetric(floodCount/time.Since(begin).Seconds(), "arrivals/s")
		for name, took := range map[string][]time.Duration{"quiet": quiet, "busy": busy} {
			b.ReportMetric(took[len(took)/2].Seconds()*1000, name+"-p50-ms")
			b.ReportMetric(took[len(took)*99/100].Seconds()*1000, name+"-p99-ms")
		}
		b.ReportMetric(busy[len(busy)/2].Seconds()/quiet[len(quiet)/2].Seconds(), "busy/quiet")
	}
}

// arrived counts what came: nobody reads it meanwhile.
func arrived(b *testing.B, c core.Client, in chat.ConversationID) int {
	b.Helper()
	conv, err := c.Conversation(b.Context(), in)
	if err != nil {
		b.Fatal(err)
	}
	return conv.Unread
}
