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
	deliverTime = 30 * time.Second // for one batch to be answered, beside its way
	slowest     = 512              // bytes a second: the slowest link that is waited for
	fetchTime   = 15 * time.Second // for a bundle
	fetchFirst  = 10 * time.Second // between two fetches of a bundle; doubles
	fetchMost   = time.Minute
	// sentAfter is how long it waits to be noted that the other machine has taken
	// something: mostly its owner's acknowledgement comes first, and then there is
	// nothing to note. sentMost is how much waits so at most.
	sentAfter = 20 * time.Millisecond
	sentMost  = 1024
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
	if l := ls.open[person]; l != nil && !l.mail {
		l.setRef(ref)
		return
	} else if l != nil {
		l.cancel() // there is a better way than through mailboxes now
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

// wake lets a person's lane look for something to send. Without a connection
// their mailboxes are tried.
func (ls *lanes) wake(person chat.PersonID) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.open[person]; l != nil {
		l.wake()
	} else {
		ls.postLocked(person, false)
	}
}

// greet tells a lane that the other side's status was taken in.
func (ls *lanes) greet(person chat.PersonID) {
	if l := ls.get(person); l != nil {
		l.greetOnce.Do(func() { close(l.greeted) })
		l.wake()
	}
}

// rewind makes a lane send again whatever is unacknowledged, at once.
func (ls *lanes) rewind(person chat.PersonID) {
	if l := ls.get(person); l != nil {
		l.begin("")
	}
}

// sendAck makes a lane send the person's newest pure acknowledgement.
func (ls *lanes) sendAck(person chat.PersonID) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.open[person]; l != nil {
		l.keepAck()
		l.wake()
	} else {
		ls.postLocked(person, true)
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
	mail   bool // through the person's mailboxes: they are not connected
	cancel context.CancelFunc
	wakeup chan struct{}

	greetOnce sync.Once
	greeted   chan struct{}

	mu     sync.Mutex
	ref    string // whom the connection is with; see Transport
	cursor int64  // items up to here were handed over on this connection
	ack    bool   // the newest pure acknowledgement is to be sent
	afresh bool   // something changed: what was held back goes at once
	why    Why    // with mail: why the mailboxes do not take it
	// nextTry is when they are tried again, by the clock.
	nextTry time.Time

	// Owned by run. These are times of the process's own clock, so that a change
	// of the computer's puts nothing off.
	hold      time.Time // before, nothing but acknowledgements goes out
	setbacks  int       // attempts in a row that did not get everything through
	resend    time.Duration
	resendAt  time.Time
	nextFetch time.Time
	fetchWait time.Duration
	sent      []chat.OutboxItem // taken by the other machine, to be noted at sentAt
	sentAt    time.Time
}

func (l *lane) wake() {
	select {
	case l.wakeup <- struct{}{}:
	default:
	}
}

func (l *lane) setRef(ref string) { l.begin(ref) }

// begin makes the lane start over, on another connection if ref is not "".
func (l *lane) begin(ref string) {
	l.mu.Lock()
	if ref != "" {
		l.ref = ref
	}
	l.cursor = 0
	l.afresh = true
	l.mu.Unlock()
	l.wake()
}

func (l *lane) run(ctx context.Context) {
	l.awaitStatus(ctx)
	l.resendIn(resendFirst)
	l.tend(ctx)
	for ctx.Err() == nil {
		more, err := l.round(ctx)
		if err != nil && ctx.Err() == nil {
			l.core.log.Info("sending interrupted", "err", err)
			l.setback()
		}
		if !more || err != nil {
			l.wait(ctx)
		}
		l.noteSent(ctx, false)
	}
	l.noteSent(context.WithoutCancel(ctx), true)
}

// setback puts the next attempt off, the longer the more there were in a row.
func (l *lane) setback() {
	l.setbacks++
	l.hold = time.Now().Add(backoff(l.setbacks))
}

func (l *lane) resendIn(d time.Duration) { l.resend, l.resendAt = d, time.Now().Add(d) }

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

// wait sleeps until woken, or until something is due.
func (l *lane) wait(ctx context.Context) {
	now := time.Now()
	at := l.resendAt
	if l.hold.After(now) && l.hold.Before(at) {
		at = l.hold
	}
	if len(l.sent) > 0 && l.sentAt.Before(at) {
		at = l.sentAt
	}
	t := time.NewTimer(at.Sub(now))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-l.wakeup:
	case <-t.C:
	}
	if time.Now().Before(l.resendAt) {
		return
	}
	l.resendIn(min(2*l.resend, resendMost))
	l.mu.Lock()
	l.cursor = 0
	l.mu.Unlock()
}

// turn is what one round begins with.
type turn struct {
	ref    string
	cursor int64
	ack    bool
	held   bool // nothing but the acknowledgement may go
}

func (l *lane) nextTurn() turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.afresh {
		l.afresh, l.hold, l.setbacks = false, time.Time{}, 0
	}
	t := turn{ref: l.ref, cursor: l.cursor, ack: l.ack, held: time.Now().Before(l.hold)}
	l.ack = false
	if to := l.person.String(); !l.mail && t.ref != to && !l.core.net.Connected(t.ref) && l.core.net.Connected(to) {
		t.ref = to // the connection has had its new name for longer than this lane knows
	}
	return t
}

// keepAck puts an acknowledgement back that did not get through.
func (l *lane) keepAck() {
	l.mu.Lock()
	l.ack = true
	l.mu.Unlock()
}

// round hands one batch over and reports whether there may be more.
func (l *lane) round(ctx context.Context) (more bool, err error) {
	t := l.nextTurn()
	if t.ack {
		defer func() {
			if t.ack {
				l.keepAck()
			}
		}()
	}
	b, more, err := l.batch(ctx, t)
	if err != nil || b.again {
		return b.again && err == nil, err
	}
	if errors.Is(b.wait, session.ErrNoSession) {
		if fetched, err := l.fetch(ctx, t.ref); fetched || err != nil {
			return fetched, err
		}
	}
	return l.send(ctx, &t, b.items, more && b.wait == nil)
}

// send hands sealed items over, in the way this lane has, and reports whether
// there may be more.
func (l *lane) send(ctx context.Context, t *turn, items []chat.OutboxItem, more bool) (bool, error) {
	out, handOver := items, l.deliver
	if l.mail {
		out, handOver = unmailed(items, l.core.now()), l.post
	}
	frames, stale, err := l.frames(ctx, out, t.ack)
	if err != nil {
		return false, err
	}
	if stale {
		return true, l.core.update(ctx, func(s *step) error { return s.unseal(l.person) })
	}
	if t.ack = t.ack && len(frames) > len(out); len(frames) == 0 {
		l.moved(items)
		return more && len(items) > 0, nil
	}
	all, err := handOver(ctx, t, out, frames)
	return all && more, err
}

// batch reads and seals what goes out next.
func (l *lane) batch(ctx context.Context, t turn) (b batch, more bool, err error) {
	if t.held {
		return batch{}, false, nil
	}
	items, err := read(ctx, l.core, func(tx ReadTx) ([]chat.OutboxItem, error) {
		return tx.Outbox(l.person, t.cursor, laneBatch)
	})
	if err != nil {
		return batch{}, false, err
	}
	b, err = l.sealed(ctx, items)
	return b, len(items) == laneBatch, err
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

// deliver hands frames over, records the answers and reports whether everything
// was taken. There may be one frame more than items: the acknowledgement.
func (l *lane) deliver(ctx context.Context, t *turn, items []chat.OutboxItem, frames [][]byte) (all bool, err error) {
	dctx, cancel := context.WithTimeout(ctx, patience(frames))
	defer cancel()
	answers, sendErr := l.core.net.Deliver(dctx, t.ref, frames)
	if len(answers) > len(items) {
		if t.ack = answers[len(items)] == AnswerBusy; t.ack {
			l.setback()
		}
	}
	answers = answers[:min(len(answers), len(items))]
	n := taken(answers)
	l.moved(items[:n])
	if n < len(answers) {
		l.setback()
	}
	if n > 0 && len(l.sent) == 0 {
		l.sentAt = time.Now().Add(sentAfter)
	}
	for _, it := range items[:n] {
		it.Payload, it.Inner = nil, nil // they may be large, and are not needed any more
		l.sent = append(l.sent, it)
	}
	if n == len(answers) {
		return n == len(items) && sendErr == nil, sendErr
	}
	err = l.core.update(ctx, func(s *step) error {
		s.publish(event.Event{Kind: event.NetworkChanged})
		return s.answered(l.person, items[n:len(answers)], answers[n:])
	})
	return false, errors.Join(sendErr, err)
}

// noteSent records what the other machine took and nobody has acknowledged since,
// once it is time, or at once.
func (l *lane) noteSent(ctx context.Context, now bool) {
	if len(l.sent) == 0 || !now && len(l.sent) < sentMost && time.Now().Before(l.sentAt) {
		return
	}
	items := l.sent
	l.sent = nil
	left, err := read(ctx, l.core, func(tx ReadTx) (left []chat.OutboxItem, err error) {
		for _, it := range items {
			switch _, err := tx.OutboxItem(it.Message); {
			case err == nil:
				left = append(left, it)
			case !errors.Is(err, chat.ErrNotFound):
				return nil, err
			}
		}
		return left, nil
	})
	if err == nil && len(left) > 0 {
		err = l.core.update(ctx, func(s *step) error {
			s.publish(event.Event{Kind: event.NetworkChanged})
			return s.answered(l.person, left, make([]byte, len(left))) // zeros: AnswerCommitted
		})
	}
	if err != nil {
		l.core.log.Info("not noted what was taken", "err", err) // it is sent once more, and known there
	}
}

// patience is how long frames may take to be answered on the slowest link.
func patience(frames [][]byte) time.Duration {
	size := 0
	for _, f := range frames {
		size += len(f)
	}
	return deliverTime + time.Duration(size)*time.Second/slowest
}

// taken counts the answers before the first one that asks for another attempt:
// what comes later must not overtake it.
func taken(answers []byte) int {
	for i, a := range answers {
		if a != AnswerCommitted && a != AnswerDuplicate {
			return i
		}
	}
	return len(answers)
}

// moved notes that items were handed over.
func (l *lane) moved(items []chat.OutboxItem) {
	if len(items) == 0 {
		return
	}
	l.setbacks = 0
	for _, it := range items {
		if it.SentAt.IsZero() && l.resend > resendFirst {
			l.resendIn(resendFirst) // it has not been acknowledged yet
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := items[len(items)-1].ID; l.cursor < last && !l.afresh {
		l.cursor = last
	}
}

// fetch gets the person's bundle, without which no session can begin.
func (l *lane) fetch(ctx context.Context, ref string) (more bool, err error) {
	now := time.Now()
	if now.Before(l.nextFetch) {
		l.hold = l.nextFetch
		return false, nil
	}
	l.fetchWait = min(max(2*l.fetchWait, fetchFirst), fetchMost)
	l.nextFetch = now.Add(l.fetchWait)
	fctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	raw, err := l.bundle(fctx, ref)
	if err != nil {
		return false, err
	}
	err = l.core.update(ctx, func(s *step) error { return s.learnFetched(l.person, raw) })
	return err == nil, err
}

// bundle gets the person's bundle from them, or where they left it.
func (l *lane) bundle(ctx context.Context, ref string) ([]byte, error) {
	if l.mail {
		return l.core.readMailedBundle(ctx, l.person)
	}
	return l.core.net.FetchBundle(ctx, ref)
}
