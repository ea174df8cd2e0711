package ui

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2/test"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
)

// These tests run the real pump. Fyne's test driver runs what is shown at once, on
// the goroutine that hands it over.

func startPump(t *testing.T) (*Pump, context.CancelFunc) {
	test.NewTempApp(t)
	ctx, cancel := context.WithCancel(context.Background())
	p := NewPump(ctx)
	t.Cleanup(func() {
		cancel()
		p.Wait()
	})
	return p, cancel
}

// await waits for a channel; a test that hangs here failed.
func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("it never comes")
		panic("unreachable")
	}
}

// TestLanesKeepOrder: what is asked and told happens one after the other, in its
// order.
func TestLanesKeepOrder(t *testing.T) {
	p, _ := startPump(t)
	for _, lane := range []func(func(context.Context) func()){p.Ask, p.Tell} {
		var mu sync.Mutex
		var got []int
		done := make(chan struct{})
		for i := range 500 {
			lane(func(context.Context) func() {
				mu.Lock()
				got = append(got, i)
				mu.Unlock()
				if i == 499 {
					close(done)
				}
				return nil
			})
		}
		await(t, done)
		if !slices.IsSorted(got) || len(got) != 500 {
			t.Fatalf("%d jobs, sorted: %v", len(got), slices.IsSorted(got))
		}
	}
}

// TestWorkDoesNotBlock: slow work holds up neither its caller nor the lanes.
func TestWorkDoesNotBlock(t *testing.T) {
	p, _ := startPump(t)
	release, shown, told := make(chan struct{}), make(chan struct{}), make(chan struct{})
	p.Work(func(context.Context) func() {
		<-release
		return func() { close(shown) }
	})
	p.Tell(func(context.Context) func() { close(told); return nil })
	await(t, told)
	close(release)
	await(t, shown)
}

func TestLater(t *testing.T) {
	p, _ := startPump(t)
	stopped := make(chan struct{}, 1)
	stop := p.Later(time.Millisecond, func() { stopped <- struct{}{} })
	stop()
	stop()
	ran := make(chan struct{})
	p.Later(5*time.Millisecond, func() { close(ran) })
	await(t, ran)
	if len(stopped) > 0 {
		t.Error("it ran although it was stopped")
	}
}

func TestDrain(t *testing.T) {
	p, _ := startPump(t)
	done := false
	p.Tell(func(context.Context) func() { done = true; return nil })
	p.Drain(30 * time.Second)
	if !done {
		t.Error("the last order was left behind")
	}
	block := make(chan struct{})
	defer close(block)
	p.Tell(func(context.Context) func() { <-block; return nil })
	p.Drain(time.Millisecond) // must return
}

// feed is a core's events that break off when told.
type feed struct {
	mu    sync.Mutex
	fails int // subscriptions that fail before one succeeds
	bus   event.Bus
	subs  chan *feedSub
}

type feedSub struct {
	core.Subscription
	broken chan struct{}
}

func (s *feedSub) Next(ctx context.Context) ([]event.Event, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.broken:
			cancel()
		case <-ctx.Done():
		}
	}()
	return s.Subscription.Next(ctx)
}

func (f *feed) Subscribe(context.Context) (core.Subscription, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails > 0 {
		f.fails--
		return nil, errors.New("no core")
	}
	s := &feedSub{f.bus.Subscribe(), make(chan struct{})}
	f.subs <- s
	return s, nil
}

// TestFollow: a snapshot first, then the changes; after a break another snapshot;
// and the next events only after the last ones are on the screen.
func TestFollow(t *testing.T) {
	p, _ := startPump(t)
	f := &feed{fails: 1, subs: make(chan *feedSub, 4)}
	type look struct {
		events []event.Event
		shown  chan struct{}
	}
	looks := make(chan look)
	p.follow(f, slog.New(slog.DiscardHandler), func(ctx context.Context, events []event.Event) func() {
		shown := make(chan struct{})
		select {
		case looks <- look{events, shown}:
		case <-ctx.Done():
			return nil
		}
		return func() {
			select {
			case <-shown:
			case <-ctx.Done():
			}
		}
	})
	first := await(t, looks)
	if first.events != nil {
		t.Fatalf("changes before a snapshot: %v", first.events)
	}
	sub := await(t, f.subs)
	for _, k := range []event.Kind{event.NetworkChanged, event.SettingsChanged, event.NetworkChanged} {
		f.bus.Publish(event.Event{Kind: k})
		select { // time for a fault to show; what is right does not depend on it
		case <-looks:
			t.Fatal("more before the last is on the screen")
		case <-time.After(3 * calm):
		}
	}
	close(first.shown)
	second := await(t, looks)
	if len(second.events) != 2 {
		t.Errorf("%d events of three that are two", len(second.events))
	}
	close(second.shown)
	close(sub.broken)
	third := await(t, looks)
	if third.events != nil {
		t.Errorf("no snapshot after a break: %v", third.events)
	}
	close(third.shown)
	await(t, f.subs)
}

// TestPumpEnds: with its context everything ends, also what waits.
func TestPumpEnds(t *testing.T) {
	test.NewTempApp(t)
	ctx, cancel := context.WithCancel(context.Background())
	p := NewPump(ctx)
	p.Later(time.Hour, func() { t.Error("it ran") })
	f := &feed{subs: make(chan *feedSub, 4)}
	p.follow(f, slog.New(slog.DiscardHandler), func(context.Context, []event.Event) func() { return nil })
	await(t, f.subs)
	ended := make(chan struct{})
	p.atEnd(func() { close(ended) })
	cancel()
	p.Wait()
	await(t, ended)
	p.Show(func() { t.Error("shown after the end") })
}
