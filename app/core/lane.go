package core

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// Limits of a lane.
const (
	laneBatch   = 64               // items sealed in one transaction and handed over at a time
	statusWait  = 3 * time.Second  // for the other side's status before the first item goes out
	resendFirst = 20 * time.Second // without an acknowledgement, on a live connection
	resendMost  = 5 * time.Minute
	deliverTime = 30 * time.Second // for one batch to be answered
	fetchTime   = 15 * time.Second // for a bundle
	fetchFirst  = 10 * time.Second // between two fetches of a bundle; doubles
	fetchMost   = 10 * time.Minute
)

// lanes are the people who are connected, each with the goroutine that sends to
// them, and what is known about everybody's outbox.
type lanes struct {
	core *Core

	mu      sync.Mutex
	ctx     context.Context // Run's; nil before and after
	wg      sync.WaitGroup
	open    map[chat.PersonID]*lane
	backlog map[chat.PersonID]bool // may something unsealed wait? missing: not known
}

func (ls *lanes) init(c *Core) {
	ls.core = c
	ls.open = map[chat.PersonID]*lane{}
	ls.backlog = map[chat.PersonID]bool{}
}

func (ls *lanes) start(ctx context.Context) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.ctx = ctx
}

// stop waits for every lane; their contexts have ended with Run's.
func (ls *lanes) stop() {
	ls.mu.Lock()
	ls.ctx = nil
	ls.mu.Unlock()
	ls.wg.Wait()
}

// enter opens a person's lane over the connection named ref, or tells an open
// one that there is a new connection. greeted says that there is nothing to learn
// from the other side's status: the two have only just met.
func (ls *lanes) enter(person chat.PersonID, ref string, greeted bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.ctx == nil || ls.ctx.Err() != nil {
		return
	}
	if l := ls.open[person]; l != nil {
		l.setRef(ref)
		return
	}
	ctx, cancel := context.WithCancel(ls.ctx)
	l := &lane{core: ls.core, person: person, ref: ref, cancel: cancel, wakeup: make(chan struct{}, 1), greeted: make(chan struct{})}
	if greeted {
		l.greetOnce.Do(func() { close(l.greeted) })
	}
	ls.open[person] = l
	ls.wg.Go(func() {
		defer cancel()
		l.run(ctx)
	})
}

// leave closes a person's lane.
func (ls *lanes) leave(person chat.PersonID) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.open[person]; l != nil {
		l.cancel()
		delete(ls.open, person)
	}
}

// running returns the context of Run, nil if it is not running.
func (ls *lanes) running() context.Context {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.ctx
}

// goRun runs f in a goroutine that Run waits for. f must end with Run's context.
func (ls *lanes) goRun(f func()) { ls.wg.Go(f) }

func (ls *lanes) get(person chat.PersonID) *lane {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.open[person]
}

func (ls *lanes) wake(person chat.PersonID) {
	if l := ls.get(person); l != nil {
		l.wake()
	}
}

// greet tells a lane that the other side's status was taken in.
func (ls *lanes) greet(person chat.PersonID) {
	if l := ls.get(person); l != nil {
		l.greetOnce.Do(func() { close(l.greeted) })
		l.wake()
	}
}

// rewind makes a lane send again whatever is unacknowledged.
func (ls *lanes) rewind(person chat.PersonID) {
	if l := ls.get(person); l != nil {
		l.mu.Lock()
		l.cursor = 0
		l.mu.Unlock()
		l.wake()
	}
}

// sendAck makes a lane send the person's newest pure acknowledgement.
func (ls *lanes) sendAck(person chat.PersonID) {
	if l := ls.get(person); l != nil {
		l.mu.Lock()
		l.ack = true
		l.mu.Unlock()
		l.wake()
	}
}

// sealsAhead reports whether a new payload may be sealed at once: nothing
// unsealed waits before it. It is called inside transactions only, which the
// store runs one after the other.
func (s *step) sealsAhead(person chat.PersonID) (bool, error) {
	ls := &s.core.lanes
	ls.mu.Lock()
	waits, known := ls.backlog[person]
	ls.mu.Unlock()
	if known {
		return !waits, nil
	}
	items, err := s.Outbox(person, 0, chat.MaxPage)
	if err != nil {
		return false, err
	}
	waits = len(items) == chat.MaxPage
	for _, it := range items {
		waits = waits || it.Inner == nil
	}
	ls.setBacklog(person, waits)
	return !waits, nil
}

func (ls *lanes) setBacklog(person chat.PersonID, waits bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.backlog[person] = waits
}

// lane sends to one connected person: one batch at a time, in order.
type lane struct {
	core   *Core
	person chat.PersonID
	cancel context.CancelFunc
	wakeup chan struct{}

	greetOnce sync.Once
	greeted   chan struct{}

	mu     sync.Mutex
	ref    string // whom the connection is with; see Transport
	cursor int64  // items up to here were handed over on this connection
	ack    bool   // the newest pure acknowledgement is to be sent

	// Owned by run.
	resend    time.Duration
	due       time.Time // of the first item that is held back; zero: none
	nextFetch time.Time
	fetchWait time.Duration
}

func (l *lane) wake() {
	select {
	case l.wakeup <- struct{}{}:
	default:
	}
}

func (l *lane) setRef(ref string) {
	l.mu.Lock()
	l.ref = ref
	l.cursor = 0
	l.mu.Unlock()
	l.wake()
}

func (l *lane) run(ctx context.Context) {
	l.awaitStatus(ctx)
	l.resend = resendFirst
	l.tend(ctx)
	for ctx.Err() == nil {
		more, err := l.round(ctx)
		if err != nil && ctx.Err() == nil {
			l.core.log.Info("sending interrupted", "err", err)
		}
		if more && err == nil {
			continue
		}
		l.wait(ctx)
	}
}

// awaitStatus waits until the other side's status has told what it holds, so
// that nothing is sent twice needlessly.
func (l *lane) awaitStatus(ctx context.Context) {
	t := time.NewTimer(statusWait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-l.greeted:
	case <-t.C:
	}
}

// tend does the session's upkeep when a connection begins.
func (l *lane) tend(ctx context.Context) {
	err := l.core.update(ctx, func(s *step) error {
		p, err := s.peer(l.person)
		if err != nil {
			return err
		}
		_, err = s.ready(l.person, p)
		return err
	})
	if err != nil && ctx.Err() == nil {
		l.core.log.Info("session upkeep failed", "err", err)
	}
}

// wait sleeps until woken, or until something is due again.
func (l *lane) wait(ctx context.Context) {
	d := l.resend
	if until := l.due.Sub(l.core.now()); !l.due.IsZero() && until < d {
		d = max(until, 0)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-l.wakeup:
	case <-t.C:
		if d == l.resend {
			l.resend = min(2*l.resend, resendMost)
		}
		l.mu.Lock()
		l.cursor = 0
		l.mu.Unlock()
	}
}

// round hands one batch over and reports whether there may be more.
func (l *lane) round(ctx context.Context) (more bool, err error) {
	l.mu.Lock()
	cursor, withAck, ref := l.cursor, l.ack, l.ref
	l.ack = false
	l.mu.Unlock()
	if to := l.person.String(); ref != to && !l.core.net.Connected(ref) && l.core.net.Connected(to) {
		ref = to // the connection has had its new name for longer than this lane knows
	}
	items, err := read(ctx, l.core, func(tx ReadTx) ([]chat.OutboxItem, error) {
		return tx.Outbox(l.person, cursor, laneBatch)
	})
	if err != nil {
		return false, err
	}
	more = len(items) == laneBatch
	items = l.dueItems(items)
	b, err := l.sealed(ctx, items)
	switch {
	case err != nil:
		return false, err
	case b.again:
		return true, nil
	case errors.Is(b.wait, session.ErrNoSession):
		if fetched, err := l.fetch(ctx, ref); fetched || err != nil {
			return fetched, err
		}
	}
	frames, stale, err := l.frames(ctx, b.items, withAck)
	if err != nil {
		return false, err
	}
	if stale {
		return true, l.core.update(ctx, func(s *step) error { return s.unseal(l.person) })
	}
	if len(frames) == 0 {
		return false, nil
	}
	return more && b.wait == nil, l.deliver(ctx, ref, b.items, frames)
}

// dueItems cuts a batch at the first item whose next attempt lies ahead, and
// remembers when that is: what is sent later must not overtake it.
func (l *lane) dueItems(items []chat.OutboxItem) []chat.OutboxItem {
	now := l.core.now()
	l.due = time.Time{}
	for i, it := range items {
		if it.NextAt.After(now) {
			l.due = it.NextAt
			return items[:i]
		}
	}
	return items
}

// batch is what sealing made of some items.
type batch struct {
	items []chat.OutboxItem // sealed, in order
	wait  error             // why the rest is not: ErrWindow, ErrNoSession, ErrLimited
	again bool              // the session was replaced: begin again
}

func needsSeal(it chat.OutboxItem, now time.Time) bool {
	return it.Inner == nil || session.Expired(it.SealedAt, now)
}

// sealed seals what is not, in order.
func (l *lane) sealed(ctx context.Context, items []chat.OutboxItem) (batch, error) {
	now := l.core.now()
	first := len(items)
	for i, it := range items {
		if needsSeal(it, now) {
			first = i
			break
		}
	}
	b := batch{items: items[:first]}
	if first == len(items) {
		return b, nil
	}
	err := l.core.update(ctx, func(s *step) error {
		b = batch{items: items[:first:first]}
		return s.sealRest(l.person, &b, items[first:])
	})
	return b, err
}

// sealRest seals items onto a batch as far as the session allows.
func (s *step) sealRest(person chat.PersonID, b *batch, rest []chat.OutboxItem) error {
	p, err := s.peer(person)
	if err != nil {
		return err
	}
	eff, err := s.ready(person, p)
	if err != nil || eff.Unseal {
		b.again = true
		return err
	}
	for _, old := range rest {
		it, err := s.OutboxItem(old.Message)
		if errors.Is(err, chat.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if needsSeal(it, s.env.Now) {
			err := s.seal(p, &it)
			if isWait(err) {
				b.wait = err
				s.core.lanes.setBacklog(person, true)
				return nil
			}
			if err != nil {
				return err
			}
			if err := s.PutOutbox(it); err != nil {
				return err
			}
		}
		b.items = append(b.items, it)
	}
	more, err := s.Outbox(person, rest[len(rest)-1].ID, 1)
	s.core.lanes.setBacklog(person, len(more) > 0)
	return err
}

// frames makes the bytes for the wire. The session's state was committed before.
// stale says that the items have to be sealed anew first.
func (l *lane) frames(ctx context.Context, items []chat.OutboxItem, withAck bool) (out [][]byte, stale bool, err error) {
	err = l.core.view(ctx, func(tx ReadTx) error {
		env, p, err := l.core.peerEnv(tx, l.person)
		if err != nil {
			return err
		}
		for _, it := range items {
			f, err := p.Frame(env, sealedOf(it))
			if errors.Is(err, session.ErrStale) {
				stale = true
				return nil
			}
			if err != nil {
				return err
			}
			out = append(out, f)
		}
		ack, ok := p.LastAck()
		if !ok || !withAck {
			return nil
		}
		f, err := p.Frame(env, ack)
		if err == nil {
			out = append(out, f)
		}
		return nil // without it: the next payload acknowledges, too
	})
	return out, stale, err
}

// deliver hands frames over and records the answers. There may be one frame
// more than items: the acknowledgement.
func (l *lane) deliver(ctx context.Context, ref string, items []chat.OutboxItem, frames [][]byte) error {
	dctx, cancel := context.WithTimeout(ctx, deliverTime)
	defer cancel()
	answers, sendErr := l.core.net.Deliver(dctx, ref, frames)
	n := min(len(answers), len(items))
	if n == 0 {
		return sendErr
	}
	l.mu.Lock()
	if l.cursor < items[n-1].ID {
		l.cursor = items[n-1].ID
	}
	l.mu.Unlock()
	err := l.core.update(ctx, func(s *step) error {
		s.publish(event.Event{Kind: event.NetworkChanged})
		return s.answered(l.person, items[:n], answers[:n])
	})
	return errors.Join(sendErr, err)
}

// fetch gets the person's bundle, without which no session can begin.
func (l *lane) fetch(ctx context.Context, ref string) (more bool, err error) {
	now := l.core.now()
	if now.Before(l.nextFetch) {
		l.due = l.nextFetch
		return false, nil
	}
	l.fetchWait = min(max(2*l.fetchWait, fetchFirst), fetchMost)
	l.nextFetch = now.Add(l.fetchWait)
	fctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	raw, err := l.core.net.FetchBundle(fctx, ref)
	if err != nil {
		return false, err
	}
	err = l.core.update(ctx, func(s *step) error { return s.learnFetched(l.person, raw) })
	return err == nil, err
}
