package run

import (
	"context"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/storage/sqlite"
	"github.com/kuvert-im/kuvert/storage/sqlite/madeup"
)

// BenchmarkBackupMillion backs a million messages in 200 conversations up and
// restores them; with -short it is a twentieth. Run it with -benchtime 1x.
func BenchmarkBackupMillion(b *testing.B) {
	count := 1_000_000
	if testing.Short() {
		count /= 20
	}
	ctx := b.Context()
	dir := b.TempDir()
	from := openBench(b, filepath.Join(dir, "from.db"))
	if err := core.Create(ctx, from, core.NewProfile{Name: "Alice"}); err != nil {
		b.Fatal(err)
	}
	fillBench(b, from, count)
	c, err := core.New(core.Config{Store: from}) //nolint:contextcheck // it only reads who this is
	if err != nil {
		b.Fatal(err)
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(frugalLimit))
	defer debug.SetGCPercent(debug.SetGCPercent(frugalPercent))
	o := core.BackupOptions{Path: filepath.Join(dir, "million.age"), Passphrase: "correct horse battery"}
	for b.Loop() {
		heap := watchHeap()
		began := time.Now()
		r, err := c.Backup(ctx, o)
		if err != nil || r.Messages != int64(count) {
			b.Fatalf("%+v %v", r, err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/backup")
		b.ReportMetric(float64(r.Size)/1e6, "MB/file")
		b.ReportMetric(float64(heap())/1e6, "MB/backup-heap")
		to := openBench(b, filepath.Join(b.TempDir(), "to.db"))
		heap = watchHeap()
		began = time.Now()
		got, err := core.Restore(ctx, to, nil, core.RestoreSource{Path: o.Path, Passphrase: o.Passphrase})
		if err != nil || got.Messages != int64(count) {
			b.Fatalf("%+v %v", got, err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/restore")
		b.ReportMetric(float64(heap())/1e6, "MB/restore-heap")
	}
}

func openBench(b testing.TB, path string) coreStore {
	b.Helper()
	s, err := sqlite.Open(context.Background(), sqlite.Config{Path: path, Key: &[32]byte{7}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return coreStore{s}
}

func fillBench(b testing.TB, st coreStore, count int) {
	b.Helper()
	h := madeup.History{Conversations: 200}
	err := st.Update(b.Context(), func(tx core.Tx) error {
		for n := range h.Conversations {
			if err := tx.PutConversation(h.ConversationID(n), h.Contact(n), time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	for at := 0; err == nil && at < count; at += 5000 {
		var page []chat.StoredMessage
		for i := at; i < min(at+5000, count); i++ {
			page = append(page, chat.StoredMessage{Message: h.Message(i)})
		}
		err = st.Update(b.Context(), func(tx core.Tx) error {
			_, err := tx.RestoreMessages(page)
			return err
		})
	}
	if err != nil {
		b.Fatal(err)
	}
}

// watchHeap returns a function that ends the watch and says how large the heap was
// at most, scrypt's moment included.
func watchHeap() func() uint64 {
	var most atomic.Uint64
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(50 * time.Millisecond)
		defer t.Stop()
		var m runtime.MemStats
		for {
			select {
			case <-end:
				return
			case <-t.C:
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), m.HeapAlloc))
			}
		}
	}()
	return func() uint64 {
		close(end)
		<-ended
		return most.Load()
	}
}
