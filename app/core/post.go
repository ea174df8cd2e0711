package core

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/mailbox"
)

// Limits of sending through a mailbox.
const (
	// mailAgain is when what a mailbox took is put there once more, if nobody has
	// acknowledged it: the mailbox may have lost it.
	mailAgain = 24 * time.Hour
	// mailBackoffMost is the longest wait for a mailbox that cannot be reached.
	mailBackoffMost = 2 * time.Minute
	// slotEvery is how often the status is left in a queue at most, slotKeep when
	// an unchanged one is left again: nodes keep what they hold for 30 days.
	slotEvery = time.Hour
	slotKeep  = 7 * 24 * time.Hour
	// postGrace is how long after the start nothing goes to mailboxes.
	postGrace = 3 * time.Second
	// postTime bounds putting one batch into one mailbox.
	postTime = 60 * time.Second
)

// postWaiting opens a lane for everybody for whom something waits.
func (c *Core) postWaiting(ctx context.Context) error {
	people, err := read(ctx, c, ReadTx.OutboxPeople)
	for _, id := range people {
		c.lanes.wake(id)
	}
	return err
}

// postStart lets mail wait a moment after the start: whoever is near is connected
// by then.
func (c *Core) postStart(ctx context.Context) error {
	t := time.NewTimer(postGrace)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-t.C:
	}
	if err := c.postWaiting(ctx); err != nil && ctx.Err() == nil {
		c.log.Warn("outbox not looked at", "err", err)
	}
	return nil
}

// postLocked opens the lane of somebody who is not connected: it sends through their
// mailboxes and ends when everything is there.
func (ls *lanes) postLocked(person chat.PersonID, ack bool) {
	if ls.ctx == nil || ls.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(ls.ctx)
	l := &lane{core: ls.core, person: person, mail: true, ack: ack, cancel: cancel, wakeup: make(chan struct{}, 1), greeted: make(chan struct{})}
	ls.open[person] = l
	ls.wg.Go(func() {
		defer cancel()
		l.runMail(ctx)
	})
}

// retire ends a lane that has nothing to do, unless it was woken meanwhile.
func (ls *lanes) retire(l *lane) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.mu.Lock()
	busy := l.ack || l.afresh || len(l.wakeup) > 0
	l.mu.Unlock()
	if busy {
		return false
	}
	if ls.open[l.person] == l {
		delete(ls.open, l.person)
	}
	return true
}

// retryMail lets every lane to a mailbox try again at once.
func (ls *lanes) retryMail() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.open {
		if l.mail {
			l.begin("")
		}
	}
}

// mailTrouble tells why a person's mailbox does not take their mail now.
func (ls *lanes) mailTrouble(person chat.PersonID) (Why, time.Time) {
	l := ls.get(person)
	if l == nil || !l.mail {
		return WhyNone, time.Time{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why, l.nextTry
}

// runMail sends through mailboxes until there is nothing left to send.
func (l *lane) runMail(ctx context.Context) {
	l.resendIn(mailAgain)
	for ctx.Err() == nil {
		select {
		case <-l.wakeup:
		default:
		}
		ways, err := read(ctx, l.core, func(tx ReadTx) ([]chat.Queue, error) { return l.core.mailWays(tx, l.person) })
		if len(ways) == 0 && err == nil {
			l.forgetAck()
			if l.core.lanes.retire(l) {
				return
			}
			continue
		}
		more := false
		if err == nil {
			l.leaveStatus(ctx, ways)
			more, err = l.round(ctx)
		}
		switch {
		case err != nil:
			l.mailSetback(err)
			l.wait(ctx)
		case more:
		case time.Now().Before(l.hold):
			l.wait(ctx)
		case l.core.lanes.retire(l):
			return
		}
	}
}

// forgetAck drops the wish to send an acknowledgement: there is no way for it, and
// the next status carries it.
func (l *lane) forgetAck() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ack, l.afresh = false, false
}

// mailSetback puts the next attempt off and keeps the reason, to be told.
func (l *lane) mailSetback(err error) {
	l.setbacks++
	wait := min(backoffFirst<<min(l.setbacks-1, 10), mailBackoffMost)
	l.hold = time.Now().Add(wait)
	l.mu.Lock()
	l.why, l.nextTry = WhyMailboxAway, l.core.now().Add(wait)
	if errors.Is(err, chat.ErrQuota) {
		l.why = WhyMailboxFull
	}
	l.mu.Unlock()
	if l.setbacks == 1 {
		l.core.log.Info("mailbox did not take it", "err", err)
	}
	l.core.bus.Publish(event.Event{Kind: event.NetworkChanged})
}

// unmailed leaves out what a mailbox has taken as it is.
func unmailed(items []chat.OutboxItem, now time.Time) []chat.OutboxItem {
	var out []chat.OutboxItem
	for _, it := range items {
		if needsSeal(it, now) || now.Sub(it.MailedAt).Abs() >= mailAgain {
			out = append(out, it)
		}
	}
	return out
}

// post puts frames into the person's mailboxes and records what was taken. There
// may be one frame more than items: the acknowledgement.
func (l *lane) post(ctx context.Context, t *turn, items []chat.OutboxItem, frames [][]byte) (all bool, err error) {
	ways, err := read(ctx, l.core, func(tx ReadTx) ([]chat.Queue, error) { return l.core.mailWays(tx, l.person) })
	if err != nil {
		return false, err
	}
	best, holder := 0, HostKey{}
	var errs []error
	for _, q := range ways {
		taken, err := l.put(ctx, q, frames)
		errs = append(errs, err)
		if taken > best {
			best, holder = taken, q.Host
		}
	}
	t.ack = t.ack && best < len(frames)
	mailed := items[:min(best, len(items))]
	if best == len(frames) {
		errs = nil // one that has it is enough; the others get it with mailAgain
		l.setbacks = 0
		l.mu.Lock()
		l.why, l.nextTry = WhyNone, time.Time{}
		l.mu.Unlock()
	}
	l.moved(mailed)
	if len(mailed) > 0 {
		l.core.files.mail(l.person, mailed, holder)
		errs = append(errs, l.core.update(ctx, func(s *step) error {
			s.publish(event.Event{Kind: event.NetworkChanged})
			return s.mailed(mailed, holder)
		}))
	}
	return best == len(frames), errors.Join(errs...)
}

// put seals frames for one queue and puts them there.
func (l *lane) put(ctx context.Context, q chat.Queue, frames [][]byte) (taken int, err error) {
	blobs := make([][]byte, len(frames))
	for i, f := range frames {
		if blobs[i], err = mailbox.Seal(q.Key, mailbox.KindFrame, f); err != nil {
			return 0, err
		}
	}
	n, err := read(ctx, l.core, func(tx ReadTx) (Node, error) { return nodeOf(tx, q) })
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, postTime)
	defer cancel()
	taken, err = l.core.net.PutMail(ctx, n, q.SendID, q.SendCap, blobs)
	if errors.Is(err, chat.ErrNotFound) && q.Mine { // the node has lost it
		if err := l.core.net.MakeQueue(ctx, n, idsOf(q), q.Until); err != nil {
			return 0, err
		}
		return l.core.net.PutMail(ctx, n, q.SendID, q.SendCap, blobs)
	}
	return taken, err
}

// mailed records that a mailbox holds items.
func (s *step) mailed(items []chat.OutboxItem, holder HostKey) error {
	var sent []chat.MessageID
	for _, put := range items {
		it, err := s.OutboxItem(put.Message)
		if errors.Is(err, chat.ErrNotFound) {
			continue // acknowledged in the meantime
		}
		if err != nil {
			return err
		}
		if it.Number != put.Number || it.Session != put.Session {
			continue // sealed anew in the meantime
		}
		it.MailedAt, it.MailedTo, it.NextAt = s.env.Now, holder, time.Time{}
		if it.SentAt.IsZero() {
			it.SentAt = s.env.Now
		}
		if err := s.PutOutbox(it); err != nil {
			return err
		}
		sent = append(sent, it.Message)
	}
	return s.raise(sent, chat.Sent)
}

// leaveStatus leaves the status in each queue where it is missing or has changed:
// should this person have been put back to an older copy, they learn it there.
func (l *lane) leaveStatus(ctx context.Context, ways []chat.Queue) {
	now := l.core.now()
	for _, q := range ways {
		if age := now.Sub(q.SlotAt).Abs(); age < slotEvery {
			continue
		}
		if err := l.leaveStatusAt(ctx, q, now); err != nil && ctx.Err() == nil {
			l.core.log.Info("status not left", "err", err)
		}
	}
}

func (l *lane) leaveStatusAt(ctx context.Context, q chat.Queue, now time.Time) error {
	var n Node
	raw, err := read(ctx, l.core, func(tx ReadTx) ([]byte, error) {
		env, p, err := l.core.peerEnv(tx, l.person)
		if err != nil {
			return nil, err
		}
		if n, err = nodeOf(tx, q); err != nil {
			return nil, err
		}
		if _, known := p.Active(); !known {
			return nil, nil // nothing to tell yet
		}
		return p.MailStatus(env)
	})
	if err != nil || raw == nil {
		return err
	}
	hash := sha256.Sum256(raw)
	if hash == q.SlotHash && now.Sub(q.SlotAt).Abs() < slotKeep {
		return nil
	}
	blob, err := mailbox.Seal(q.Key, mailbox.KindStatus, raw)
	if err != nil {
		return err
	}
	pctx, cancel := context.WithTimeout(ctx, postTime)
	defer cancel()
	if err := l.core.net.PutSlot(pctx, n, q.SendID, q.SendCap, blob); err != nil {
		return err
	}
	return l.core.update(ctx, func(s *step) error {
		now, err := s.Queues(l.person)
		if err != nil {
			return err
		}
		for _, have := range now {
			if have.ID == q.ID {
				have.SlotAt, have.SlotHash = s.env.Now, hash
				_, err = s.PutQueue(have)
			}
		}
		return err
	})
}
