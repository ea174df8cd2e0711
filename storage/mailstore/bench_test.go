package mailstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

// The mailbox that BenchmarkMillion measures.
const (
	millionQueues = 10_000
	millionBlobs  = 100 // in each
	millionSize   = 700 // bytes of each
	millionLists  = 5_000
	// millionPutters callers put without a pause, as many machines at once would.
	millionPutters = 8
)

// BenchmarkMillion lists queues of a mailbox with a million blobs while others put
// into it, and opens it again.
func BenchmarkMillion(b *testing.B) {
	if testing.Short() {
		b.Skip("takes a minute and a gigabyte of disk")
	}
	path := filepath.Join(b.TempDir(), "mail.db")
	start := time.Now()
	fillMillion(b, path)
	b.Logf("filled in %v, %d MB, peak resident %d MB", time.Since(start).Round(time.Second), fileSize(b, path)>>20, residentKiB("VmHWM")>>10)
	for b.Loop() {
		measureMillion(b, path)
	}
}

func measureMillion(b *testing.B, path string) {
	start := time.Now()
	s := openAt(b, path, Options{})
	opened := time.Since(start)
	ctx, stop := context.WithCancel(b.Context())
	var puts atomic.Int64
	var putters sync.WaitGroup
	for range millionPutters {
		putters.Go(func() { keepPutting(ctx, b, s, &puts) })
	}
	begun := time.Now()
	times := make([]time.Duration, millionLists)
	for i := range times {
		rid, rcap := recvOf(rand.IntN(millionQueues))
		start := time.Now()
		places, _, err := s.List(ctx, rid, rcap, 0, 256, 1<<20)
		times[i] = time.Since(start)
		if err != nil || len(places) < millionBlobs {
			b.Fatalf("%d blobs, %v", len(places), err)
		}
	}
	rate := float64(puts.Load()) / time.Since(begun).Seconds()
	resident := residentKiB("VmRSS")
	stop()
	putters.Wait()
	must(b, s.Close())
	slices.Sort(times)
	b.ReportMetric(opened.Seconds()*1e3, "open-ms")
	b.ReportMetric(times[len(times)/2].Seconds()*1e3, "list-p50-ms")
	b.ReportMetric(times[len(times)*99/100].Seconds()*1e3, "list-p99-ms")
	b.ReportMetric(times[len(times)-1].Seconds()*1e3, "list-max-ms")
	b.ReportMetric(rate, "puts/s")
	b.ReportMetric(float64(resident)/1024, "resident-MB")
}

func keepPutting(ctx context.Context, b *testing.B, s *Store, puts *atomic.Int64) {
	for i := 0; ctx.Err() == nil; i++ {
		sid, scap := sendOf(rand.IntN(millionQueues))
		if _, _, _, err := s.Put(ctx, sid, scap, [][]byte{randomBlob()}); err != nil && ctx.Err() == nil {
			b.Error(err)
			return
		}
		puts.Add(1)
	}
}

func randomBlob() []byte {
	blob := make([]byte, millionSize)
	for i := 0; i < 32; i += 8 {
		binary.LittleEndian.PutUint64(blob[i:], rand.Uint64())
	}
	return blob
}

// fillMillion makes the queues through the store's own statements, many to a commit.
func fillMillion(b *testing.B, path string) {
	s := openAt(b, path, Options{})
	must(b, s.Allow(b.Context(), map[[32]byte]int64{id32('t', 1): 0}))
	one := account(b, s, 1)
	for n := range millionQueues {
		if n%100 != 0 {
			continue
		}
		must(b, s.update(b.Context(), func(tx *statements) error {
			for i := n; i < n+100; i++ {
				if err := fillQueue(s, tx, one, i); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	must(b, s.Close())
}

func fillQueue(s *Store, tx *statements, one int64, n int) error {
	rid, rcap := recvOf(n)
	sid, scap := sendOf(n)
	if err := s.insert(tx, identity{one, rid[:], hashOf(rcap), sid[:], hashOf(scap)}, time.Time{}); err != nil {
		return err
	}
	q, err := s.find(tx, key{sid, scap, sending})
	if err != nil {
		return err
	}
	for range millionBlobs {
		blob := randomBlob()
		if _, err := s.add(tx, q, blob, sha256.Sum256(blob)); err != nil {
			return err
		}
	}
	return q.save(tx)
}

func fileSize(b *testing.B, path string) int64 {
	fi, err := os.Stat(path)
	must(b, err)
	return fi.Size()
}

// residentKiB reads a line of this process's status; 0 where there is none.
func residentKiB(name string) (kib int) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			kib, _ = strconv.Atoi(string(bytes.Fields(rest)[0]))
		}
	}
	return kib
}

// BenchmarkPut puts one blob a call: alone, and from many callers who share commits.
func BenchmarkPut(b *testing.B) {
	for _, c := range []struct {
		callers int
		key     *cryptvfs.Key
	}{{1, nil}, {64, nil}, {1, &testKey}, {64, &testKey}} {
		callers := c.callers
		b.Run(fmt.Sprintf("callers=%d/encrypted=%v", callers, c.key != nil), func(b *testing.B) {
			s, one, _ := newStore(b, Options{Blobs: 1 << 30, QueueBytes: 1 << 40, Key: c.key})
			for n := range callers {
				must(b, makeQueue(s, one, n, time.Time{}))
			}
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for n := range callers {
				sid, scap := sendOf(n)
				wg.Go(func() {
					for next.Add(1) <= int64(b.N) {
						if _, _, _, err := s.Put(b.Context(), sid, scap, [][]byte{randomBlob()}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
