package bundle

import (
	"context"
	"errors"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/internal/hosttest"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

func TestFetch(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		own  []byte
		err  error
		want error // of the server
	}{
		"a bundle": {own: []byte("bundle")},
		"longest":  {own: make([]byte, MaxBundle)},
		"too long": {own: make([]byte, MaxBundle+1), want: wire.ErrTooLarge},
		"none":     {want: ErrNone},
		"failure":  {err: broken, want: broken},
	} {
		d, l := hosttest.Pair(t)
		served := hosttest.Handle(l, ID, func(s network.Stream) (struct{}, error) {
			return struct{}{}, Serve(t.Context(), s, func(context.Context) ([]byte, error) { return c.own, c.err })
		})
		got, err := Fetch(t.Context(), hosttest.Stream(t, d, l, ID))
		if r := <-served; !errors.Is(r.Err, c.want) {
			t.Errorf("%s: server: %v", name, r.Err)
		}
		if (c.want == nil) != (err == nil) || (err == nil && string(got) != string(c.own)) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}
