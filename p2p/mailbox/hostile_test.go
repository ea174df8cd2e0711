package mailbox

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/internal/hosttest"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

// liar is a client of a server that answers each request with the same bytes.
func liar(t *testing.T, answer []byte) *Client {
	t.Helper()
	at, to := hosttest.Pair(t)
	to.SetStreamHandler(ID, func(s network.Stream) {
		r := bufio.NewReader(s)
		for {
			if _, err := wire.ReadFrame(r, maxRequest, nil); err != nil {
				_ = s.Reset()
				return
			}
			if _, err := s.Write(answer); err != nil {
				return
			}
		}
	})
	c := NewClient(func(ctx context.Context) (network.Stream, error) { return at.NewStream(ctx, to.ID(), ID) })
	t.Cleanup(c.Close)
	return c
}

func TestHostileLists(t *testing.T) {
	entry := func(place uint64, n int) []byte { return appendEntry(nil, place, make([]byte, n)) }
	many := bytes.Buffer{}
	for i := range MaxPage + 1 {
		many.Write(entry(uint64(i+1), 1))
	}
	for name, answer := range map[string][]byte{
		"absurd length":    {0xff, 0xff, 0xff, 0xff, 0},
		"a byte too long":  append([]byte{0, 0x10, 0, 2}, make([]byte, 1<<20+2)...),
		"nothing":          {0, 0, 0, 0},
		"unknown code":     frameOf(77),
		"refusal and more": frameOf(AnswerRefused, 1),
		"not ascending":    frameOf(0, slices.Concat(entry(9, 5), entry(9, 5))...),
		"asked for before": frameOf(0, entry(3, 5)...),
		"too many":         frameOf(0, many.Bytes()...),
		"cut entry":        frameOf(0, entry(9, 5)[:8]...),
		"empty blob":       frameOf(0, entry(9, 0)...),
		"long blob":        frameOf(0, entry(9, MaxBlob+1)...),
	} {
		var before, after runtime.MemStats
		c := liar(t, answer)
		runtime.ReadMemStats(&before)
		list, err := c.ListMail(t.Context(), [24]byte{}, [32]byte{}, 3)
		runtime.ReadMemStats(&after)
		if err == nil || list != nil {
			t.Errorf("%s: %d blobs, %v", name, len(list), err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 20<<20 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
}

func TestHostileAnswers(t *testing.T) {
	ctx := t.Context()
	c := liar(t, frameOf(AnswerDone, 1))
	if _, err := c.Auth(ctx, token(1)); !errors.Is(err, ErrAnswer) {
		t.Errorf("usage: %v", err)
	}
	if taken, err := c.PutMail(ctx, [24]byte{}, [32]byte{}, [][]byte{{1}, {2}}); taken != 0 || !errors.Is(err, ErrAnswer) {
		t.Errorf("put: %d, %v", taken, err)
	}
	if err := c.WatchMail(ctx, make([]QueueIDs, 1), func(int) { t.Error("arrived") }); !errors.Is(err, ErrAnswer) {
		t.Errorf("watch: %v", err)
	}
	c = liar(t, frameOf(AnswerDone, 0, 1))
	if err := c.WatchMail(ctx, make([]QueueIDs, 1), func(int) { t.Error("arrived") }); !errors.Is(err, ErrAnswer) {
		t.Errorf("watch, another queue: %v", err)
	}
	c = liar(t, frameOf(AnswerDone))
	if _, err := c.ReadBundle(ctx, [24]byte{}); !errors.Is(err, ErrAnswer) {
		t.Errorf("empty page: %v", err)
	}
	c = liar(t, frameOf(AnswerDone, appendUsage(nil, Usage{Used: -1})...))
	if _, err := c.Usage(ctx); !errors.Is(err, ErrAnswer) {
		t.Errorf("negative: %v", err)
	}
	c = liar(t, bytes.Repeat(frameOf(AnswerDone), 3))
	if taken, err := c.PutMail(ctx, [24]byte{}, [32]byte{}, [][]byte{{1}, {2}}); taken != 2 && err == nil {
		t.Errorf("three answers: %d, %v", taken, err)
	}
}

// TestAPipelineThatIsRefused in its middle: only what came before counts.
func TestAPipelineThatIsRefused(t *testing.T) {
	at, to := hosttest.Pair(t)
	to.SetStreamHandler(ID, func(s network.Stream) {
		r := bufio.NewReader(s)
		for i := 0; ; i++ {
			if _, err := wire.ReadFrame(r, maxRequest, nil); err != nil {
				_ = s.Reset()
				return
			}
			code := AnswerDone
			if i == 5 {
				code = AnswerQuota
			}
			if _, err := s.Write(frameOf(code)); err != nil {
				return
			}
		}
	})
	opened := 0
	c := NewClient(func(ctx context.Context) (network.Stream, error) {
		opened++
		return at.NewStream(ctx, to.ID(), ID)
	})
	var blobs [][]byte
	for i := range 200 {
		blobs = append(blobs, []byte{byte(i)})
	}
	if taken, err := c.PutMail(t.Context(), [24]byte{}, [32]byte{}, blobs); taken != 5 || !errors.Is(err, ErrQuota) {
		t.Errorf("%d, %v", taken, err)
	}
	if taken, err := c.PutMail(t.Context(), [24]byte{}, [32]byte{}, blobs[5:]); taken != 195 || err != nil || opened != 1 {
		t.Errorf("%d, %v, %d streams", taken, err, opened)
	}
}

// TestASilentServer: the caller's context ends the wait.
func TestASilentServer(t *testing.T) {
	at, to := hosttest.Pair(t)
	to.SetStreamHandler(ID, func(s network.Stream) {
		<-t.Context().Done()
		_ = s.Reset()
	})
	c := NewClient(func(ctx context.Context) (network.Stream, error) { return at.NewStream(ctx, to.ID(), ID) })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.ListMail(ctx, [24]byte{}, [32]byte{}, 0); err == nil {
		t.Error("answered")
	}
}
