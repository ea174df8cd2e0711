package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/mailbox"
)

// Limits of fetching from mailboxes.
const (
	// fetchBackoffMost is the longest wait for a node that cannot be reached.
	fetchBackoffMost = time.Minute
	// steady is how long a watch must have lasted for the node to count as well.
	steady = 30 * time.Second
	// roomsEvery is when the queues are looked at without a reason: some are over.
	roomsEvery = time.Hour
	// restFirst and restMost bound the pause from the second page on that brings
	// nothing new: whoever fills a queue with rubbish, or a node that gives the same
	// again and again, costs a page for each pause.
	restFirst = time.Second
	restMost  = 15 * time.Second
)

// mail fetches from the mailboxes: a room for each node at which there are queues.
type mail struct {
	core *Core
	kick chan struct{}

	mu    sync.Mutex
	rooms map[HostKey]*room
}

func (m *mail) init(c *Core) {
	m.core, m.kick, m.rooms = c, make(chan struct{}, 1), map[HostKey]*room{}
}

// changed makes run look at the queues again.
func (m *mail) changed() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// retry lets a node's room try again at once.
func (m *mail) retry(host HostKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.rooms[host]; r != nil {
		r.again()
	}
}

// retryAll lets every room try again at once.
func (m *mail) retryAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rooms {
		r.again()
	}
}

// run keeps a room open for each node until ctx ends.
func (m *mail) run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	t := time.NewTicker(roomsEvery)
	defer t.Stop()
	for {
		if err := m.arrange(ctx, &wg); err != nil && ctx.Err() == nil {
			m.core.log.Warn("mailboxes not looked at", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.kick:
		case <-t.C:
		}
	}
}

// arrange opens, changes and closes rooms as the queues want it.
func (m *mail) arrange(ctx context.Context, wg *sync.WaitGroup) error {
	wanted, err := read(ctx, m.core, m.core.wantedRooms)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for host, old := range m.rooms {
		if w, ok := wanted[host]; !ok || !old.same(w) {
			old.cancel()
			delete(m.rooms, host)
		}
	}
	for host, r := range wanted {
		if m.rooms[host] != nil {
			continue
		}
		rctx, cancel := context.WithCancel(ctx)
		r.core, r.cancel, r.wake, r.arrived = m.core, cancel, make(chan struct{}, 1), make(chan struct{}, 1)
		m.rooms[host] = r
		wg.Go(func() {
			defer cancel()
			r.run(rctx)
		})
	}
	return nil
}

// wantedRooms groups the queues that matter by their nodes.
func (c *Core) wantedRooms(tx ReadTx) (map[HostKey]*room, error) {
	queues, err := tx.AllQueues()
	if err != nil {
		return nil, err
	}
	contacts, err := tx.Contacts()
	if err != nil {
		return nil, err
	}
	blocked := map[chat.PersonID]bool{}
	for _, ct := range contacts {
		blocked[ct.ID] = ct.Blocked
	}
	rooms := map[HostKey]*room{}
	for _, q := range queues {
		if blocked[q.Contact] || q.Out && !q.Mine {
			continue
		}
		r := rooms[q.Host]
		if r == nil {
			n, err := nodeOf(tx, q)
			if err != nil {
				return nil, err
			}
			r = &room{node: n, looks: map[int]look{}}
			rooms[q.Host] = r
		}
		r.queues = append(r.queues, q)
	}
	return rooms, nil
}

// room is what this side has at one node: queues to fetch from, and queues that
// the node has still to be told of.
type room struct {
	core   *Core
	node   Node
	queues []chat.Queue
	cancel context.CancelFunc
	wake   chan struct{}

	mu      sync.Mutex
	looks   map[int]look // of queues
	arrived chan struct{}
}

// look is how far a queue was looked through.
type look struct {
	due   bool      // something may be there
	again bool      // something came during the page: once more from the start
	after uint64    // the place of the last blob seen
	poor  int       // pages in a row that brought nothing new
	at    time.Time // no page before
}

func (r *room) again() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// same reports whether a room has the same node and queues.
func (r *room) same(o *room) bool {
	return r.node.Token == o.node.Token && slices.Equal(r.node.Addrs, o.node.Addrs) &&
		slices.EqualFunc(r.queues, o.queues, func(a, b chat.Queue) bool {
			return a.ID == b.ID && a.Contact == b.Contact && a.MadeAt.Equal(b.MadeAt) && a.Until.Equal(b.Until)
		})
}

// run serves the room until ctx ends, again and again.
func (r *room) run(ctx context.Context) {
	for fails := 0; ctx.Err() == nil; {
		begun := time.Now()
		err := r.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		if fails++; time.Since(begun) > steady {
			fails = 1
		}
		if fails == 1 {
			r.core.log.Info("mailbox lost", "err", err)
		}
		t := time.NewTimer(min(backoff(fails), fetchBackoffMost))
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-r.wake:
			fails = 0
		}
		t.Stop()
	}
}

// serve tells the node of new queues, then fetches whatever arrives.
func (r *room) serve(ctx context.Context) error {
	if err := r.make(ctx); err != nil {
		return err
	}
	var ins []int
	for i, q := range r.queues {
		if !q.Out && !over(q, r.core.now()) {
			ins = append(ins, i)
		}
	}
	r.afresh()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.work(ctx) })
	g.Go(func() error { return r.watch(ctx, ins) })
	return g.Wait()
}

// afresh lets every queue be looked through from its start: the node may have been
// put back to an older copy of itself.
func (r *room) afresh() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for at, l := range r.looks {
		l.after = 0
		r.looks[at] = l
	}
}

// make tells the node of queues that it does not know, and to drop those that are
// over.
func (r *room) make(ctx context.Context) error {
	var made, gone []chat.Queue
	err := func() error {
		for _, q := range r.queues {
			switch {
			case !q.Mine:
			case over(q, r.core.now()):
				err := r.core.net.DropQueue(ctx, r.node, q.RecvID, q.RecvCap)
				if err != nil && !errors.Is(err, chat.ErrNotFound) {
					return err
				}
				gone = append(gone, q)
			case q.MadeAt.IsZero():
				if err := r.makeOne(ctx, q); err != nil {
					return err
				}
				made = append(made, q)
			}
		}
		return nil
	}()
	if len(made)+len(gone) == 0 {
		return err
	}
	return errors.Join(err, r.core.update(ctx, func(s *step) error { return s.queuesMade(made, gone) }))
}

// queuesMade notes what a node knows now.
func (s *step) queuesMade(made, gone []chat.Queue) error {
	for _, q := range gone {
		if err := s.DeleteQueue(q.ID); err != nil {
			return err
		}
	}
	all, err := s.AllQueues()
	if err != nil {
		return err
	}
	for _, q := range all {
		if !slices.ContainsFunc(made, func(m chat.Queue) bool { return m.ID == q.ID }) {
			continue
		}
		q.MadeAt = s.env.Now
		if _, err := s.PutQueue(q); err != nil {
			return err
		}
		if q.Out && !q.Contact.IsZero() {
			s.wake(q.Contact)
		}
	}
	s.then(s.core.mail.changed)
	return nil
}

// makeOne makes a queue; with an invitation's, its bundle is left beside it.
func (r *room) makeOne(ctx context.Context, q chat.Queue) error {
	if err := r.core.net.MakeQueue(ctx, r.node, idsOf(q), q.Until); err != nil {
		return err
	}
	if q.Invite == ([16]byte{}) || q.Out {
		return nil
	}
	inv, err := read(ctx, r.core, func(tx ReadTx) (chat.Invitation, error) { return tx.Invitation(q.Invite) })
	if errors.Is(err, chat.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	code, _, err := parseCode(inv.Code)
	if err != nil {
		return err
	}
	f := mailbox.Derive(code.Auth)
	blob, err := mailbox.Seal(f.BundleKey, mailbox.KindBundle, inv.Bundle)
	if err != nil {
		return fmt.Errorf("core: bundle of an invitation: %w", err)
	}
	return r.core.net.PublishBundle(ctx, r.node, f.BundleID, blob, q.Until)
}

// watch notes which queues hold something.
func (r *room) watch(ctx context.Context, ins []int) error {
	ids := make([]QueueIDs, len(ins))
	for i, at := range ins {
		ids[i] = idsOf(r.queues[at])
	}
	return r.core.net.WatchMail(ctx, r.node, ids, func(i int) {
		if i < 0 || i >= len(ins) {
			return
		}
		r.mu.Lock()
		l := r.looks[ins[i]]
		l.due, l.again = true, true
		r.looks[ins[i]] = l
		r.mu.Unlock()
		select {
		case r.arrived <- struct{}{}:
		default:
		}
	})
}

// work fetches from the queues that hold something, a page from each in turn: a
// queue that is never empty holds up none of the others.
func (r *room) work(ctx context.Context) error {
	t := time.NewTimer(0)
	defer t.Stop()
	for turn := 0; ; {
		at, l, wait := r.next(turn)
		if wait > 0 {
			t.Reset(wait)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-r.arrived:
			case <-t.C:
			}
			continue
		}
		turn = at + 1
		end, err := r.fetch(ctx, r.queues[at], &l)
		if err != nil {
			return err
		}
		r.looked(at, l, end)
	}
}

// next takes the first queue, counted from turn, that may be looked into; without
// one it tells how long to wait.
func (r *room) next(turn int) (at int, l look, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait = roomsEvery
	now := time.Now()
	for i := range r.queues {
		at = (turn + i) % len(r.queues)
		l := r.looks[at]
		switch {
		case !l.due:
		case l.at.After(now):
			wait = min(wait, l.at.Sub(now))
		default:
			l.again = false
			r.looks[at] = l
			return at, l, 0
		}
	}
	return 0, look{}, wait
}

// looked notes how far a queue was looked through.
func (r *room) looked(at int, l look, end bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.again = r.looks[at].again
	if end {
		l.due, l.after = l.again, 0
	}
	r.looks[at] = l
}

// turned notes what a page brought.
func (l *look) turned(news bool, now time.Time) {
	if news || now.Sub(l.at) > restMost {
		l.poor = 0
	}
	if l.at = now; news {
		return
	}
	if l.poor++; l.poor > 1 {
		l.at = now.Add(min(restFirst<<min(l.poor-2, 10), restMost))
	}
}

// fetch takes in a page of what a queue holds, and deletes what was taken in.
func (r *room) fetch(ctx context.Context, q chat.Queue, l *look) (end bool, err error) {
	blobs, err := r.core.net.ListMail(ctx, r.node, q.RecvID, q.RecvCap, l.after)
	if errors.Is(err, chat.ErrNotFound) {
		return true, r.remake(ctx, q)
	}
	if err != nil || len(blobs) == 0 {
		return true, err
	}
	l.after = blobs[len(blobs)-1].Place
	done, news, err := r.core.takeMail(ctx, q, blobs)
	if err != nil {
		return false, err
	}
	l.turned(news, time.Now())
	if len(done) == 0 {
		return false, nil
	}
	return false, r.core.net.DeleteMail(ctx, r.node, q.RecvID, q.RecvCap, done)
}

// remake tells a node anew of a queue that it has lost. One that somebody else made
// is theirs to make.
func (r *room) remake(ctx context.Context, q chat.Queue) error {
	if !q.Mine {
		return nil
	}
	if err := r.makeOne(ctx, q); err != nil {
		return err
	}
	return fmt.Errorf("core: a queue was made anew: %w", chat.ErrNotFound)
}

// takeMail takes in blobs of one queue in one transaction and returns the places
// of those that may be deleted: all but those that have to wait. What cannot be
// opened comes again from its sender's outbox, sealed anew. news says whether
// anything was new.
func (c *Core) takeMail(ctx context.Context, q chat.Queue, blobs []MailBlob) (done []uint64, news bool, err error) {
	ref := q.Contact.String()
	if q.Contact.IsZero() {
		ref = inviteRef(q.Invite)
	}
	answers := make([]byte, len(blobs))
	err = c.update(ctx, func(s *step) error {
		in := inbox{step: s, ref: ref, mailed: true}
		for i, b := range blobs {
			a, err := in.takeBlob(q, b.Blob)
			if err != nil {
				return err
			}
			answers[i] = a
		}
		return in.finish()
	})
	if err != nil {
		return nil, false, err
	}
	for i, a := range answers {
		news = news || a == AnswerCommitted
		if a != AnswerBusy {
			done = append(done, blobs[i].Place)
		}
	}
	return done, news, nil
}

// takeBlob takes in one blob of a queue.
func (in *inbox) takeBlob(q chat.Queue, blob []byte) (answer byte, err error) {
	kind, content, err := mailbox.Open(q.Key, blob)
	switch {
	case err != nil:
		return in.refuse("malformed blob", err), nil
	case kind == mailbox.KindFrame:
		return in.take(content)
	case kind == mailbox.KindBlock && !q.Contact.IsZero():
		return in.takeMailBlock(q.Contact, content)
	case kind == mailbox.KindStatus && !q.Contact.IsZero():
		return AnswerDuplicate, in.takeMailStatus(q.Contact, content) // it may be an old one again
	}
	return in.refuse("blob of an unknown kind", nil), nil
}

// takeMailStatus learns from a status that a contact left in a mailbox. It may be
// an old one that somebody put back.
func (in *inbox) takeMailStatus(person chat.PersonID, raw []byte) error {
	p, err := in.peer(person)
	if err != nil {
		return err
	}
	q := p.Clone()
	r, err := q.OnMailStatus(in.env, raw)
	if err != nil {
		in.refuse("status", err)
		return nil
	}
	in.setPeer(person, q)
	if err := in.acknowledged(person, r.Acked); err != nil {
		return err
	}
	if r.SelfRolledBack {
		if err := in.rolledBack(person, r.CounterAbove); err != nil {
			return err
		}
	}
	mark(&in.heal, person)
	return nil
}
