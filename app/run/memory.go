package run

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What Frugal sets: the heap may grow by a quarter between two collections, and
// beyond frugalLimit bytes in all the collector works harder before it lets the
// process grow.
const (
	frugalPercent = 25
	frugalLimit   = 40 << 20
)

// What Restful does: the heap may grow by half between two collections, and every
// restEvery, if more than restMuch bytes were allocated meanwhile, everything
// unused goes back. Looking through a window's heap takes some 10 ms.
const (
	restfulPercent = 50
	restEvery      = 5 * time.Second
	restMuch       = 1 << 20
)

// Frugal keeps the memory of a program small that runs without a window for
// months: it collects garbage earlier, for a few per cent more processor time.
func Frugal() {
	debug.SetGCPercent(frugalPercent)
	debug.SetMemoryLimit(frugalLimit)
}

// Restful gives back to the operating system what starting, or opening a
// conversation, needed for a moment; Go by itself keeps it for minutes. It
// returns when ctx ends.
func Restful(ctx context.Context) {
	debug.SetGCPercent(restfulPercent)
	tick := time.NewTicker(restEvery)
	defer tick.Stop()
	last := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			last = rest(last)
		}
	}
}

// rest gives back what is unused if much was allocated since the process had
// allocated last bytes in all; it returns how many that are now.
func rest(last uint64) uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	now := s[0].Value.Uint64()
	if now-last < restMuch {
		return last
	}
	debug.FreeOSMemory()
	return now
}
