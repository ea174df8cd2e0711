package transfer

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/internal/hosttest"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

// memory is a file in memory.
type memory struct {
	*bytes.Reader
	hashes []byte
	open   *atomic.Int32
}

func (m memory) Hashes() io.ReaderAt { return bytes.NewReader(m.hashes) }
func (m memory) Close() error        { m.open.Add(-1); return nil }

type world struct {
	t      *testing.T
	d, l   host.Host
	file   []byte
	hashes []byte
	open   atomic.Int32
	opens  atomic.Int32
	refuse error
	served <-chan hosttest.Result[struct{}]
}

var fileID = [32]byte{1, 2, 3}

func newWorld(t *testing.T, size int) *world {
	w := &world{t: t, file: make([]byte, size)}
	_, _ = rand.Read(w.file)
	for i := 0; i < size; i += BlockSize {
		h := sha256.Sum256(w.file[i:min(size, i+BlockSize)])
		w.hashes = append(w.hashes, h[:]...)
	}
	w.d, w.l = hosttest.Pair(t)
	w.served = hosttest.Handle(w.l, ID, func(s network.Stream) (struct{}, error) {
		return struct{}{}, Giver{Open: func(_ context.Context, id [32]byte) (Source, error) {
			if w.refuse != nil {
				return nil, w.refuse
			}
			if id != fileID {
				return nil, errors.New("whatever")
			}
			w.open.Add(1)
			w.opens.Add(1)
			return memory{bytes.NewReader(w.file), w.hashes, &w.open}, nil
		}}.Serve(t.Context(), s)
	})
	return w
}

func (w *world) fetch(ctx context.Context, id [32]byte, next func() Want, take func(Want, int64, []byte) error) error {
	s := hosttest.Stream(w.t, w.d, w.l, ID)
	err := Fetch(ctx, s, id, int64(len(w.file)), 1, next, take)
	wire.Close(s, err)
	return err
}

// inOrder asks for everything from the first to the last.
func inOrder(hashes bool, count, step int64) func() Want {
	at := int64(0)
	return func() Want {
		n := min(step, count-at)
		at += n
		return Want{hashes, at - n, n}
	}
}

func TestAllBlocksAndHashesCome(t *testing.T) {
	for _, size := range []int{1, BlockSize, BlockSize + 1, 3*MaxBlocks*BlockSize + 77} {
		w := newWorld(t, size)
		blocks := int64((size + BlockSize - 1) / BlockSize)
		var got, hashes []byte
		err := w.fetch(t.Context(), fileID, inOrder(false, blocks, MaxBlocks), func(_ Want, i int64, b []byte) error {
			if int64(len(got)) != i*BlockSize {
				t.Errorf("block %d after %d bytes", i, len(got))
			}
			got = append(got, b...)
			return nil
		})
		if err != nil || !bytes.Equal(got, w.file) {
			t.Errorf("%d bytes: %d came, %v", size, len(got), err)
		}
		err = w.fetch(t.Context(), fileID, inOrder(true, blocks, MaxHashes), func(wt Want, _ int64, b []byte) error {
			hashes = append(hashes, b...)
			return nil
		})
		if err != nil || !bytes.Equal(hashes, w.hashes) {
			t.Errorf("%d bytes: hashes: %v", size, err)
		}
		for range 2 {
			if r := <-w.served; r.Err != nil {
				t.Errorf("served: %v", r.Err)
			}
		}
		if w.open.Load() != 0 || w.opens.Load() != 2 {
			t.Errorf("%d files stay open, opened %d times", w.open.Load(), w.opens.Load())
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, 100)
	none := func(Want, int64, []byte) error { t.Error("something came"); return nil }
	if err := w.fetch(t.Context(), [32]byte{9}, inOrder(false, 1, 1), none); !errors.Is(err, ErrNotFound) {
		t.Errorf("another file: %v", err)
	}
	w.refuse = ErrBusy
	if err := w.fetch(t.Context(), fileID, inOrder(false, 1, 1), none); !errors.Is(err, ErrBusy) {
		t.Errorf("busy: %v", err)
	}
	if err := w.fetch(t.Context(), fileID, inOrder(false, 2, 2), none); !errors.Is(err, ErrMalformed) {
		t.Errorf("beyond the end: %v", err)
	}
}

// A taker that fails, a full disk say, ends the transfer with its own error.
func TestTakersErrorEndsIt(t *testing.T) {
	w := newWorld(t, 20*MaxBlocks*BlockSize)
	full := errors.New("disk is full")
	n := 0
	err := w.fetch(t.Context(), fileID, inOrder(false, 20*MaxBlocks, MaxBlocks), func(Want, int64, []byte) error {
		if n++; n == 5 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || n != 5 {
		t.Errorf("%v after %d", err, n)
	}
	if r := <-w.served; r.Err == nil {
		t.Error("the giver did not notice")
	}
}

func TestContextEndsIt(t *testing.T) {
	w := newWorld(t, 20*MaxBlocks*BlockSize)
	ctx, cancel := context.WithCancel(t.Context())
	err := w.fetch(ctx, fileID, inOrder(false, 20*MaxBlocks, MaxBlocks), func(Want, int64, []byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// At most Ahead questions are on their way: what is lost by an end is bounded.
func TestNoMoreIsAskedThanIsTaken(t *testing.T) {
	w := newWorld(t, 40*MaxBlocks*BlockSize)
	gate := make(chan struct{})
	asked, next := atomic.Int64{}, inOrder(false, 40*MaxBlocks, MaxBlocks)
	done := make(chan error, 1)
	go func() {
		done <- w.fetch(t.Context(), fileID, func() Want { asked.Add(1); return next() }, func(Want, int64, []byte) error { <-gate; return nil })
	}()
	time.Sleep(300 * time.Millisecond)
	if n := asked.Load(); n > Ahead+1 {
		t.Errorf("%d questions while nothing is taken", n)
	}
	close(gate)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestHostileQuestionsResetTheStream(t *testing.T) {
	good := Want{First: 0, Count: 1}.append(nil, fileID)
	for name, raw := range map[string][]byte{
		"absurd length":  {0xff, 0xff, 0xff, 0xff},
		"no length":      {0, 0, 0, 0},
		"unknown kind":   append([]byte{0, 0, 0, questionLen, 9}, good[5:]...),
		"no blocks":      Want{First: 0, Count: 0}.append(nil, fileID),
		"too many":       Want{First: 0, Count: MaxBlocks + 1}.append(nil, fileID),
		"beyond the end": Want{First: 100, Count: 1}.append(nil, fileID),
		"overflow":       Want{First: 1<<32 - 1, Count: 1<<32 - 1}.append(nil, fileID),
		"cut":            good[:20],
	} {
		w := newWorld(t, 100*BlockSize)
		s := hosttest.Stream(t, w.d, w.l, ID)
		if _, err := s.Write(raw); err != nil {
			t.Fatal(err)
		}
		_ = s.CloseWrite()
		if r := <-w.served; r.Err == nil {
			t.Errorf("%s: no error", name)
		}
		if got, err := io.ReadAll(s); err == nil || len(got) > 0 {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if w.open.Load() != 0 {
			t.Errorf("%s: a file stays open", name)
		}
	}
}

// A giver that answers what nobody knows.
func TestHostileAnswers(t *testing.T) {
	for name, raw := range map[string][]byte{"unknown": {7}, "cut": {0, 1, 2}, "nothing": nil} {
		d, l := hosttest.Pair(t)
		_ = hosttest.Handle(l, ID, func(s network.Stream) (struct{}, error) {
			_, _ = io.ReadFull(s, make([]byte, 4+questionLen))
			_, err := s.Write(raw)
			return struct{}{}, err
		})
		s := hosttest.Stream(t, d, l, ID)
		err := Fetch(t.Context(), s, fileID, 100, 2, inOrder(false, 1, 1), func(Want, int64, []byte) error { t.Error("taken"); return nil })
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
