package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/internal/hosttest"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

// inbox takes frames and remembers the batches.
type inbox struct {
	mu      sync.Mutex
	frames  []string
	batches []int
	bytes   []int
	gate    chan struct{} // if set, each batch waits for one
	answer  func(frames [][]byte) []byte
}

func (b *inbox) take(_ context.Context, frames [][]byte) []byte {
	if b.gate != nil {
		<-b.gate
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	size := 0
	for _, f := range frames {
		b.frames = append(b.frames, string(f))
		size += len(f)
	}
	b.batches = append(b.batches, len(frames))
	b.bytes = append(b.bytes, size)
	if b.answer != nil {
		return b.answer(frames)
	}
	return make([]byte, len(frames))
}

type table struct {
	d, l   host.Host
	box    *inbox
	known  bool
	served <-chan hosttest.Result[struct{}]
	sender *Sender
	opened int
}

func newTable(t testing.TB, box *inbox, known bool) *table {
	d, l := hosttest.Pair(t)
	tb := &table{d: d, l: l, box: box, known: known}
	tb.served = hosttest.Handle(l, ID, func(s network.Stream) (struct{}, error) {
		return struct{}{}, Receiver{Take: box.take, Known: func() bool { return tb.known }}.Serve(t.Context(), s)
	})
	tb.sender = NewSender(func(ctx context.Context) (network.Stream, error) {
		tb.opened++
		return d.NewStream(ctx, l.ID(), ID)
	})
	return tb
}

func numbered(n, size int) [][]byte {
	frames := make([][]byte, n)
	for i := range frames {
		frames[i] = make([]byte, max(size, 8))
		copy(frames[i], fmt.Sprintf("%08d", i))
	}
	return frames
}

func TestAnswersComeInOrder(t *testing.T) {
	tb := newTable(t, &inbox{answer: func(frames [][]byte) []byte {
		var a []byte
		for _, f := range frames {
			a = append(a, f[7]%5)
		}
		return a
	}}, true)
	frames := numbered(1000, 0)
	answers, err := tb.sender.Deliver(t.Context(), frames)
	if err != nil || len(answers) != len(frames) {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	for i, a := range answers {
		if a != frames[i][7]%5 || tb.box.frames[i] != string(frames[i]) {
			t.Fatalf("frame %d: answer %d, arrived as %q", i, a, tb.box.frames[i])
		}
	}
	if tb.opened != 1 {
		t.Errorf("%d streams", tb.opened)
	}
}

// What arrives while a batch is being committed becomes the next batch, up to the
// window, whatever a sender that knows no window sends.
func TestFramesThatWaitBecomeOneBatch(t *testing.T) {
	for name, c := range map[string]struct{ count, size int }{"small": {400, 8}, "large": {40, MaxFrame}} {
		t.Run(name, func(t *testing.T) {
			box := &inbox{gate: make(chan struct{}, c.count)}
			tb := newTable(t, box, true)
			s := hosttest.Stream(t, tb.d, tb.l, ID)
			var raw []byte
			for _, f := range numbered(c.count, c.size) {
				raw = wire.AppendFrame(raw, f)
			}
			go func() { _, _ = s.Write(raw) }()
			for range c.count {
				box.gate <- struct{}{}
				time.Sleep(time.Millisecond) // lets frames gather: more of them only make the test sharper
			}
			if _, err := io.ReadFull(s, make([]byte, c.count)); err != nil {
				t.Fatal(err)
			}
			box.mu.Lock()
			defer box.mu.Unlock()
			if n := slices.Max(box.batches); n > Window || (c.size == 8 && n < 2) {
				t.Errorf("the largest batch has %d frames", n)
			}
			if n := slices.Max(box.bytes); n > WindowBytes {
				t.Errorf("the largest batch has %d bytes", n)
			}
		})
	}
}

func TestFillKeepsToTheWindow(t *testing.T) {
	small, large := numbered(100, 0), numbered(100, MaxFrame)
	for name, c := range map[string]struct {
		frames             [][]byte
		sent, ans, flight  int
		wantNext, wantByte int
	}{
		"all small":       {small, 0, 0, 0, Window, Window * 8},
		"window moves":    {small, 64, 10, 54 * 8, 74, 80},
		"bytes":           {large, 0, 0, 0, WindowBytes / MaxFrame, WindowBytes},
		"full of bytes":   {large, 8, 0, WindowBytes, 8, 0},
		"one always goes": {large, 8, 8, WindowBytes, 9, MaxFrame},
	} {
		next, bytes := fill(c.frames, c.sent, c.ans, c.flight)
		if next != c.wantNext || bytes != c.wantByte {
			t.Errorf("%s: %d, %d", name, next, bytes)
		}
	}
}

func TestLongestFrameArrives(t *testing.T) {
	tb := newTable(t, &inbox{}, true)
	if a, err := tb.sender.Deliver(t.Context(), numbered(1, MaxFrame)); err != nil || len(a) != 1 {
		t.Errorf("%v, %v", a, err)
	}
	for name, c := range map[string]struct {
		frame []byte
		want  error
	}{"longer": {make([]byte, MaxFrame+1), wire.ErrTooLarge}, "empty": {nil, wire.ErrEmpty}} {
		if _, err := tb.sender.Deliver(t.Context(), [][]byte{{1}, c.frame}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(tb.box.frames) != 1 {
		t.Errorf("%d frames arrived", len(tb.box.frames))
	}
}

// A handler that could not commit everything ends the stream behind what it did.
func TestShortAnswerEndsTheStream(t *testing.T) {
	tb := newTable(t, &inbox{answer: func([][]byte) []byte { return []byte{0} }}, true)
	frames := numbered(64, 0)
	answers, err := tb.sender.Deliver(t.Context(), frames)
	if !errors.Is(err, ErrBroken) || len(answers) == len(frames) {
		t.Errorf("%d answers, %v", len(answers), err)
	}
}

func TestStreamIsKeptAndReplacedWhenItDied(t *testing.T) {
	tb := newTable(t, &inbox{}, true)
	for range 3 {
		if _, err := tb.sender.Deliver(t.Context(), numbered(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if tb.opened != 1 {
		t.Errorf("%d streams for three deliveries", tb.opened)
	}
	for _, s := range tb.l.Network().ConnsToPeer(tb.d.ID())[0].GetStreams() {
		_ = s.Reset() // the other side drops it while nothing is sent
	}
	if a, err := tb.sender.Deliver(t.Context(), numbered(2, 0)); err != nil || len(a) != 2 {
		t.Errorf("after the stream died: %v, %v", a, err)
	}
	if tb.opened != 2 {
		t.Errorf("%d streams", tb.opened)
	}
}

func TestContextEndsADelivery(t *testing.T) {
	box := &inbox{gate: make(chan struct{})}
	tb := newTable(t, box, true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := tb.sender.Deliver(ctx, numbered(3, 0))
		done <- err
	}()
	box.gate <- struct{}{} // the first batch is with the handler
	cancel()
	if err := <-done; err == nil {
		t.Error("no error")
	}
	close(box.gate)
	if a, err := tb.sender.Deliver(t.Context(), numbered(1, 0)); err != nil || len(a) != 1 {
		t.Errorf("the next delivery: %v, %v", a, err)
	}
}

func TestHostileFramesResetTheStream(t *testing.T) {
	for name, bytes := range map[string]string{
		"absurd length": "\xff\xff\xff\xff",
		"zero length":   "\x00\x00\x00\x00",
		"one too long":  "\x00\x02\x00\x01",
	} {
		box := &inbox{}
		tb := newTable(t, box, true)
		s := hosttest.Stream(t, tb.d, tb.l, ID)
		if _, err := s.Write([]byte(bytes)); err != nil {
			t.Fatal(err)
		}
		if r := <-tb.served; r.Err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := io.ReadAll(s); err == nil {
			t.Errorf("%s: the stream was not reset", name)
		}
		if len(box.frames) != 0 {
			t.Errorf("%s: %d frames were handed on", name, len(box.frames))
		}
	}
}

// A frame that is cut short is not handed on; what came before it is answered.
func TestTruncatedFrameIsDropped(t *testing.T) {
	box := &inbox{}
	tb := newTable(t, box, true)
	s := hosttest.Stream(t, tb.d, tb.l, ID)
	if _, err := s.Write([]byte("\x00\x00\x00\x02ab\x00\x00\x00\x09abc")); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if r := <-tb.served; !errors.Is(r.Err, io.ErrUnexpectedEOF) {
		t.Errorf("error: %v", r.Err)
	}
	if !slices.Equal(box.frames, []string{"ab"}) {
		t.Errorf("handed on: %q", box.frames)
	}
}

// A stranger may have one frame with the handler and one that waits.
func TestStrangersFramesAreNotGathered(t *testing.T) {
	box := &inbox{}
	tb := newTable(t, box, false)
	if _, err := tb.sender.Deliver(t.Context(), numbered(50, 0)); err != nil {
		t.Fatal(err)
	}
	if n := slices.Max(box.batches); n != 1 {
		t.Errorf("a batch of %d frames from a stranger", n)
	}
}
