package ui

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
)

const (
	// calm is the least time between two looks at the events: more often than 30
	// times a second nobody sees a difference, and a backlog costs less.
	calm = 33 * time.Millisecond
	// retryFirst and retryMost bound the wait before subscribing again.
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
)

// carrier is what the window needs of a pump. Tests have one that carries nothing
// away, so that they see what comes of a deed at once.
type carrier interface {
	Show(f func())
	Work(work func(ctx context.Context) (show func()))
	Ask(work func(ctx context.Context) (show func()))
	Tell(work func(ctx context.Context) (show func()))
	Later(d time.Duration, f func()) (stop func())
	Drain(d time.Duration)
	// atEnd calls f when the pump ends.
	atEnd(f func())
	follow(client core.Events, log *slog.Logger, load func(ctx context.Context, events []event.Event) (show func()))
}

var _ carrier = (*Pump)(nil)

// Pump carries work away from the UI thread and its results back. It is the only
// place that does. Its goroutines end with the context it was made with; Wait
// waits for them.
type Pump struct {
	ctx context.Context
	wg  sync.WaitGroup
	// ask is for questions to the core, tell for orders (send, draft, read); each
	// runs one at a time in its order, so that nothing overtakes what it builds on.
	ask, tell lane
}

// NewPump starts a pump that ends with ctx.
func NewPump(ctx context.Context) *Pump {
	p := &Pump{ctx: ctx}
	p.ask.wake, p.tell.wake = make(chan struct{}, 1), make(chan struct{}, 1)
	p.wg.Go(func() { p.ask.run(ctx) })
	p.wg.Go(func() { p.tell.run(ctx) })
	return p
}

// Wait waits for everything that the pump runs; its context must have ended.
func (p *Pump) Wait() { p.wg.Wait() }

// Show runs f on the UI thread, soon.
func (p *Pump) Show(f func()) {
	if p.ctx.Err() == nil {
		fyne.Do(f)
	}
}

// Work runs work away from the UI thread, beside other work, and what it returns,
// if not nil, on the UI thread. It never blocks.
func (p *Pump) Work(work func(ctx context.Context) (show func())) {
	p.wg.Go(func() { p.finish(work(p.ctx)) })
}

// Ask runs work like Work, but after everything asked before.
func (p *Pump) Ask(work func(ctx context.Context) (show func())) {
	p.ask.add(func() { p.finish(work(p.ctx)) })
}

// Tell runs work like Work, but after everything told before.
func (p *Pump) Tell(work func(ctx context.Context) (show func())) {
	p.tell.add(func() { p.finish(work(p.ctx)) })
}

func (p *Pump) finish(show func()) {
	if show != nil {
		p.Show(show)
	}
}

// Later runs f on the UI thread after d unless stop is called before.
func (p *Pump) Later(d time.Duration, f func()) (stop func()) {
	stopped := make(chan struct{})
	var once sync.Once
	stop = func() { once.Do(func() { close(stopped) }) }
	t := time.NewTimer(d)
	p.wg.Go(func() {
		defer t.Stop()
		select {
		case <-p.ctx.Done():
		case <-stopped:
		case <-t.C:
			p.Show(func() {
				select {
				case <-stopped:
				default:
					f()
				}
			})
		}
	})
	return stop
}

func (p *Pump) atEnd(f func()) { context.AfterFunc(p.ctx, f) }

// Drain waits until everything told so far is done, but at most for d. Call it
// before the pump's context ends, so that the last draft is stored.
func (p *Pump) Drain(d time.Duration) {
	done := make(chan struct{})
	p.tell.add(func() { close(done) })
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	case <-p.ctx.Done():
	}
}

// lane runs jobs one after the other. Adding never blocks.
type lane struct {
	wake chan struct{}

	mu   sync.Mutex
	jobs []func()
}

func (l *lane) add(job func()) {
	l.mu.Lock()
	l.jobs = append(l.jobs, job)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *lane) take() []func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	jobs := l.jobs
	l.jobs = nil
	return jobs
}

func (l *lane) run(ctx context.Context) {
	for ctx.Err() == nil {
		for _, job := range l.take() {
			job()
		}
		select {
		case <-ctx.Done():
		case <-l.wake:
		}
	}
}

// follow subscribes to the core's events until the pump's end. load is called in
// the lane of questions: first with nil (take a snapshot), then with what
// happened; the next events are taken when the screen has shown the last ones.
func (p *Pump) follow(client core.Events, log *slog.Logger, load func(ctx context.Context, events []event.Event) (show func())) {
	p.wg.Go(func() {
		for wait := retryFirst; p.ctx.Err() == nil; wait = min(2*wait, retryMost) {
			sub, err := client.Subscribe(p.ctx)
			if err == nil {
				wait = retryFirst
				err = p.drain(sub, load)
				sub.Close()
			}
			if p.ctx.Err() == nil {
				log.Warn("events broke off", "error", err)
				sleep(p.ctx, wait)
			}
		}
	})
}

func (p *Pump) drain(sub core.Subscription, load func(context.Context, []event.Event) func()) error {
	p.load(nil, load)
	for {
		events, err := sub.Next(p.ctx)
		if err != nil {
			return err
		}
		p.load(events, load)
		sleep(p.ctx, calm)
	}
}

// load runs one look and waits until it is on the screen.
func (p *Pump) load(events []event.Event, load func(context.Context, []event.Event) func()) {
	done := make(chan struct{})
	p.ask.add(func() {
		defer close(done)
		if show := load(p.ctx, events); show != nil && p.ctx.Err() == nil {
			fyne.DoAndWait(show)
		}
	})
	select {
	case <-done:
	case <-p.ctx.Done():
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
