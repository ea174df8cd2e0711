package pair

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/internal/hosttest"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

type table struct {
	d, l   host.Host
	name   string
	told   []string
	refuse bool
	served <-chan hosttest.Result[struct{}]
}

func newTable(t *testing.T, name string) *table {
	d, l := hosttest.Pair(t)
	tb := &table{d: d, l: l, name: name}
	tb.served = hosttest.Handle(l, ID, func(s network.Stream) (struct{}, error) {
		return struct{}{}, Server{
			Allow: func(Purpose) bool { return !tb.refuse },
			Name:  func() string { return tb.name },
			Told:  func(n string) { tb.told = append(tb.told, n) },
			Accept: func(ctx context.Context, p *Stream) error {
				for {
					msg, err := p.Receive(ctx)
					if err != nil {
						return nil //nolint:nilerr // the other side is done
					}
					if err := p.Send(ctx, msg); err != nil {
						return err
					}
				}
			},
		}.Serve(t.Context(), s)
	})
	return tb
}

func (tb *table) stream(t *testing.T) network.Stream { return hosttest.Stream(t, tb.d, tb.l, ID) }

func TestNamesAreAskedAndTold(t *testing.T) {
	tb := newTable(t, "Zoë")
	for _, want := range []string{"Zoë", "", strings.Repeat("x", MaxName)} {
		tb.name = want
		if got, err := Ask(t.Context(), tb.stream(t)); err != nil || got != want {
			t.Errorf("asked: %q, %v", got, err)
		}
		if err := Tell(t.Context(), tb.stream(t), want); err != nil {
			t.Error(err)
		}
		if tb.told[len(tb.told)-1] != want {
			t.Errorf("told: %q", tb.told)
		}
	}
	if err := Tell(t.Context(), tb.stream(t), strings.Repeat("x", MaxName+1)); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("a name too long: %v", err)
	}
}

func TestPairingCarriesMessagesBothWays(t *testing.T) {
	tb := newTable(t, "Zoë")
	p, err := Dial(tb.stream(t))
	if err != nil {
		t.Fatal(err)
	}
	closed := 0
	p.OnClose(func() { closed++ })
	for _, want := range []string{"commitment", strings.Repeat("x", MaxMessage)} {
		if err := p.Send(t.Context(), []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Receive(t.Context()); err != nil || string(got) != want {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	if err := p.Send(t.Context(), make([]byte, MaxMessage+1)); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("a message too long: %v", err)
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil || closed != 1 {
		t.Errorf("closed %d times, %v", closed, err)
	}
}

func TestReceiveEndsWithItsContext(t *testing.T) {
	tb := newTable(t, "Zoë")
	p, err := Dial(tb.stream(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Receive(ctx); err == nil {
		t.Error("a message came from nobody")
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		visible, first string
		refuse         bool
		want           error
	}{
		"pairing while hidden": {"", "\x03", false, ErrHidden},
		"unknown purpose":      {"Zoë", "\x04", false, ErrPurpose},
		"name too long":        {"Zoë", "\x02\x81", false, wire.ErrTooLarge},
		"name cut short":       {"Zoë", "\x02\x05ab", false, io.ErrUnexpectedEOF},
		"nothing":              {"Zoë", "", false, io.EOF},
		"too many":             {"Zoë", "\x01", true, ErrTooMany},
	} {
		tb := newTable(t, c.visible)
		tb.refuse = c.refuse
		s := tb.stream(t)
		if _, err := s.Write([]byte(c.first)); err != nil {
			t.Fatal(err)
		}
		_ = s.CloseWrite()
		if r := <-tb.served; !errors.Is(r.Err, c.want) {
			t.Errorf("%s: %v", name, r.Err)
		}
		if b, err := io.ReadAll(s); err == nil || len(b) > 0 {
			t.Errorf("%s: answered %q, %v", name, b, err)
		}
		if len(tb.told) > 0 {
			t.Errorf("%s: told %q", name, tb.told)
		}
	}
}
