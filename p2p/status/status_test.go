package status

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/internal/hosttest"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

func TestBothSidesGetTheOthers(t *testing.T) {
	for _, c := range []struct{ mine, theirs []byte }{
		{[]byte("mine"), []byte("theirs")}, {nil, nil}, {make([]byte, MaxStatus), make([]byte, MaxStatus)},
	} {
		d, l := hosttest.Pair(t)
		served := hosttest.Handle(l, ID, func(s network.Stream) (got []byte, err error) {
			err = Serve(t.Context(), s, func(b []byte) error { got = b; return nil }, func() ([]byte, error) { return c.theirs, nil })
			return got, err
		})
		got, err := Exchange(t.Context(), hosttest.Stream(t, d, l, ID), c.mine)
		if err != nil || !bytes.Equal(got, c.theirs) {
			t.Errorf("dialer got %d bytes, %v", len(got), err)
		}
		if r := <-served; r.Err != nil || !bytes.Equal(r.Value, c.mine) {
			t.Errorf("listener got %d bytes, %v", len(r.Value), r.Err)
		}
	}
}

func TestAbsurdStatusIsRefused(t *testing.T) {
	d, l := hosttest.Pair(t)
	served := hosttest.Handle(l, ID, func(s network.Stream) (struct{}, error) {
		return struct{}{}, Serve(t.Context(), s,
			func([]byte) error { t.Error("it was handed on"); return nil },
			func() ([]byte, error) { return []byte("secret"), nil })
	})
	s := hosttest.Stream(t, d, l, ID)
	if _, err := s.Write([]byte("\xff\xff\xff\xff")); err != nil {
		t.Fatal(err)
	}
	if r := <-served; !errors.Is(r.Err, wire.ErrTooLarge) {
		t.Errorf("theirs: %v", r.Err)
	}
	if b, err := io.ReadAll(s); err == nil || len(b) > 0 {
		t.Errorf("answered %q, %v", b, err)
	}
	if _, err := Exchange(t.Context(), hosttest.Stream(t, d, l, ID), make([]byte, MaxStatus+1)); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("own: %v", err)
	}
}
