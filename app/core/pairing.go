package core

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/pairing"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// Limits of pairing.
const (
	pairTime     = 5 * time.Minute  // for two people to compare six digits
	pairStepTime = 30 * time.Second // for the other side's app to answer
	maxPairs     = 8                // under way at once
	maxEnded     = 16               // that ended and are still listed
	endedFor     = time.Minute      // for which they are
	maxNearby    = 500              // visible machines that are remembered
)

// comparePrefix marks the pairings that follow from an answered invitation: the
// contact exists, the digits are those of the session.
const comparePrefix = "contact:"

// pairs are the visible machines and the pairings under way. None of it is
// stored: whoever quits in between begins again.
type pairs struct {
	mu     sync.Mutex
	nearby map[HostKey]string
	byID   map[string]*pairUp
	ended  []*pairUp // those of byID that are over, oldest first
	gate   pairGate
}

func (ps *pairs) init() {
	ps.nearby = map[HostKey]string{}
	ps.byID = map[string]*pairUp{}
}

func (ps *pairs) closeAll() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, u := range ps.byID {
		u.cancel()
	}
}

// pairUp is one pairing. Its fields are guarded by pairs.mu.
type pairUp struct {
	Pairing
	host    HostKey
	cancel  context.CancelFunc
	decided chan bool // this person's answer, once
	shown   bool      // the digits were: the other side revealed what it had committed to
}

// met is what a pairing leads to if both people say that the digits are equal.
type met struct {
	person chat.PersonID
	name   string
	peer   *session.Peer
	digits string
	// Of the side that was asked: the hash of the envelope it opened. Of the side
	// that asked: its start payload, to be repeated until it is acknowledged.
	opened *[32]byte
	start  *chat.OutboxItem
}

// Visible implements TransportHandler.
func (c *Core) Visible(host HostKey, name string) {
	c.pairs.mu.Lock()
	if _, known := c.pairs.nearby[host]; checkName(name) != nil {
		delete(c.pairs.nearby, host) // gone, or nothing to show
	} else if known || len(c.pairs.nearby) < maxNearby {
		c.pairs.nearby[host] = name
	}
	c.pairs.mu.Unlock()
	c.bus.Publish(event.Event{Kind: event.NearbyChanged})
}

// Nearby implements Pairings.
func (c *Core) Nearby(ctx context.Context) ([]Nearby, error) {
	known := map[HostKey]bool{}
	err := c.view(ctx, func(tx ReadTx) error {
		contacts, err := tx.Contacts()
		if err != nil {
			return err
		}
		for _, ct := range contacts {
			hosts, err := tx.Hosts(ct.ID)
			if err != nil {
				return err
			}
			for _, h := range hosts {
				known[h.HostKey] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.pairs.mu.Lock()
	defer c.pairs.mu.Unlock()
	out := []Nearby{}
	for host, name := range c.pairs.nearby {
		if !known[host] {
			out = append(out, Nearby{ID: hex.EncodeToString(host[:]), Name: name})
		}
	}
	slices.SortFunc(out, func(a, b Nearby) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// Pair implements Pairings.
func (c *Core) Pair(_ context.Context, nearby string) (Pairing, error) {
	var host HostKey
	if n, err := hex.Decode(host[:], []byte(nearby)); err != nil || n != len(host) {
		return Pairing{}, chat.ErrNotFound
	}
	c.pairs.mu.Lock()
	name, ok := c.pairs.nearby[host]
	c.pairs.mu.Unlock()
	if !ok {
		return Pairing{}, chat.ErrNotFound
	}
	ctx, u, err := c.beginPair(host, name, false)
	if err != nil {
		return Pairing{}, err
	}
	c.lanes.goRun(func() { c.endPair(u, c.askPair(ctx, u)) })
	return c.pairSnapshot(u), nil
}

// beginPair registers a pairing; the returned context ends with it.
func (c *Core) beginPair(host HostKey, name string, incoming bool) (context.Context, *pairUp, error) {
	run := c.lanes.running()
	if run == nil {
		return nil, nil, chat.ErrUnreachable
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // crypto/rand.Read never fails
	u := &pairUp{host: host, decided: make(chan bool, 1)}
	u.Pairing = Pairing{ID: hex.EncodeToString(id[:]), Name: name, Incoming: incoming, State: PairingWaiting}
	c.pairs.mu.Lock()
	defer c.pairs.mu.Unlock()
	busy := 0
	for _, o := range c.pairs.byID {
		if o.State == PairingWaiting || o.State == PairingCompare {
			busy++
		}
		if o.host == host && (o.State == PairingWaiting || o.State == PairingCompare) {
			return nil, nil, fmt.Errorf("core: pairing with this machine is under way: %w", chat.ErrRefused)
		}
	}
	if busy >= maxPairs {
		return nil, nil, fmt.Errorf("core: too many pairings: %w", chat.ErrRefused)
	}
	if incoming && !c.pairs.gate.admit(time.Now()) {
		return nil, nil, fmt.Errorf("core: too many pairings, or too many that were not revealed: %w", chat.ErrRefused)
	}
	ctx, cancel := context.WithTimeout(run, pairTime)
	u.cancel = cancel
	c.pairs.byID[u.ID] = u
	c.bus.Publish(event.Event{Kind: event.PairingChanged})
	return ctx, u, nil
}

func (c *Core) pairSnapshot(u *pairUp) Pairing {
	c.pairs.mu.Lock()
	defer c.pairs.mu.Unlock()
	return u.Pairing
}

func (c *Core) setPair(u *pairUp, fn func(*Pairing)) {
	c.pairs.mu.Lock()
	fn(&u.Pairing)
	c.pairs.mu.Unlock()
	c.bus.Publish(event.Event{Kind: event.PairingChanged})
}

// endPair records how a pairing ended; it stays listed for a while, so that the
// screens can say so.
func (c *Core) endPair(u *pairUp, err error) {
	u.cancel()
	c.setPair(u, func(p *Pairing) {
		switch {
		case err == nil:
			p.State = PairingDone
		case errors.Is(err, chat.ErrRefused):
			p.State = PairingRejected
		default:
			p.State = PairingFailed
		}
	})
	if err != nil {
		c.log.Info("pairing ended", "err", err)
	}
	c.pairs.keepEnded(u)
	time.AfterFunc(endedFor, func() {
		c.pairs.forget(u)
		c.bus.Publish(event.Event{Kind: event.PairingChanged})
	})
}

// keepEnded counts a pairing that is over; of too many the oldest go.
func (ps *pairs) keepEnded(u *pairUp) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if u.Incoming && !u.shown {
		ps.gate.unrevealed(time.Now())
	}
	ps.ended = append(ps.ended, u)
	for len(ps.ended) > maxEnded {
		delete(ps.byID, ps.ended[0].ID)
		ps.ended = ps.ended[1:]
	}
}

func (ps *pairs) forget(u *pairUp) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	delete(ps.byID, u.ID)
	ps.ended = slices.DeleteFunc(ps.ended, func(o *pairUp) bool { return o == u })
}

// askPair is the side that clicked.
func (c *Core) askPair(ctx context.Context, u *pairUp) error {
	st, err := c.net.PairDial(ctx, u.host)
	if err != nil {
		return fmt.Errorf("%w: %w", chat.ErrUnreachable, err)
	}
	defer func() { _ = st.Close() }()
	me, err := c.Whoami(ctx)
	if err != nil {
		return err
	}
	offer, err := exchange(ctx, st, pairing.Request{Version: pairing.Version, Name: me.Name}, pairing.DecodeOffer)
	if err != nil {
		return err
	}
	m, frame, err := c.firstFlight(ctx, offer)
	if err != nil {
		return err
	}
	nonce, err := exchange(ctx, st, pairing.CommitTo(frame), pairing.DecodeNonce)
	if err != nil {
		return err
	}
	if err := sendPair(ctx, st, pairing.Reveal{Frame: frame}); err != nil {
		return err
	}
	if m.digits, err = c.digits(ctx, m.peer, nonce.Value[:]); err != nil {
		return err
	}
	return c.compare(ctx, u, st, m)
}

// firstFlight builds the complete handshake to somebody who made an offer.
// Nothing of it is stored before both people have compared the digits.
func (c *Core) firstFlight(ctx context.Context, offer pairing.Offer) (met, []byte, error) {
	if checkName(offer.Name) != nil {
		return met{}, nil, chat.ErrBadName
	}
	env, err := c.envNow(ctx)
	if err != nil {
		return met{}, nil, err
	}
	p, err := session.PeerOf(env, offer.Bundle)
	if err != nil {
		return met{}, nil, fmt.Errorf("core: keys of the other side: %w", err)
	}
	if err := p.Start(env, nil); err != nil {
		return met{}, nil, err
	}
	m := met{person: chat.PersonID(p.ID()), name: offer.Name, peer: p}
	me := chat.PersonID(env.Self.ID())
	if m.person == me {
		return met{}, nil, chat.ErrRefused
	}
	reach, err := read(ctx, c, c.reach)
	if err != nil {
		return met{}, nil, err
	}
	body, err := envelope.StartBody{Name: c.ownName(ctx), Reach: reach}.Encode()
	if err != nil {
		return met{}, nil, err
	}
	it, err := newItem(m.person, chat.NewMessageID(), unsealed{
		Type: envelope.TypeStart, Conversation: chat.DirectConversation(me, m.person), Sent: env.Now.UnixMilli(), Body: body,
	}, env.Now)
	if err != nil {
		return met{}, nil, err
	}
	if err := sealItem(env, p, &it); err != nil {
		return met{}, nil, err
	}
	m.start = &it
	frame, err := p.Frame(env, sealedOf(it))
	return m, frame, err
}

// PairAccepted implements TransportHandler: the side that is asked.
func (c *Core) PairAccepted(ctx context.Context, host HostKey, st PairStream) error {
	if set, err := c.Settings(ctx); err != nil || set[SettingVisible] != "true" {
		return errors.Join(err, chat.ErrRefused)
	}
	req, err := receivePair(ctx, st, pairing.DecodeRequest)
	if err != nil {
		return err
	}
	if checkName(req.Name) != nil {
		return chat.ErrBadName
	}
	pctx, u, err := c.beginPair(host, req.Name, true)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, u.cancel)
	defer stop()
	err = c.answerPair(pctx, u, st)
	c.endPair(u, err)
	return err
}

func (c *Core) answerPair(ctx context.Context, u *pairUp, st PairStream) error {
	env, err := c.envNow(ctx)
	if err != nil {
		return err
	}
	offer := pairing.Offer{Bundle: env.Self.Bundle(), Name: c.ownName(ctx)}
	commit, err := exchange(ctx, st, offer, pairing.DecodeCommit)
	if err != nil {
		return err
	}
	nonce, err := pairing.NewNonce(c.rand)
	if err != nil {
		return err
	}
	reveal, err := exchange(ctx, st, nonce, pairing.DecodeReveal)
	if err != nil {
		return err
	}
	if err := commit.Check(reveal); err != nil {
		return fmt.Errorf("core: the other side changed its mind: %w", err)
	}
	m, err := c.revealed(ctx, reveal.Frame)
	if err != nil {
		return err
	}
	if m.digits, err = c.digits(ctx, m.peer, nonce.Value[:]); err != nil {
		return err
	}
	c.setPair(u, func(p *Pairing) {
		p.Name, u.shown = m.name, true
		c.pairs.gate.revealed()
	})
	return c.compare(ctx, u, st, m)
}

// revealed opens the handshake that the other side had committed itself to.
func (c *Core) revealed(ctx context.Context, frame []byte) (met, error) {
	env, err := c.envNow(ctx)
	if err != nil {
		return met{}, err
	}
	hs, err := session.OpenHandshake(env, frame, func([8]byte) (session.Invitation, bool) { return session.Invitation{}, false })
	if err != nil {
		return met{}, err
	}
	p := session.NewPeer(hs.From())
	o, err := p.Accept(env, hs)
	if err != nil {
		return met{}, err
	}
	body, err := envelope.DecodeStart(o.Payload.Body)
	if err != nil || o.Payload.Type != envelope.TypeStart || checkName(body.Name) != nil {
		return met{}, errInvalid
	}
	return met{person: chat.PersonID(hs.From()), name: body.Name, peer: p, opened: &o.InnerHash}, nil
}

func (c *Core) digits(ctx context.Context, p *session.Peer, nonce []byte) (string, error) {
	env, err := c.envNow(ctx)
	if err != nil {
		return "", err
	}
	d, ok := p.SAS(env, nonce)
	if !ok {
		return "", session.ErrNoSession
	}
	return d, nil
}

// compare shows the digits, waits for both people's answers and, if both agree,
// makes the contact.
func (c *Core) compare(ctx context.Context, u *pairUp, st PairStream, m met) error {
	if ct, err := c.Contact(ctx, m.person); err == nil && ct.Blocked {
		return chat.ErrBlocked // nobody asks about somebody blocked
	}
	c.setPair(u, func(p *Pairing) { p.Contact, p.Digits, p.State = m.person, m.digits, PairingCompare })
	theirs := make(chan error, 1)
	go func() { theirs <- theirDecision(ctx, st) }()
	mine, other := u.decided, theirs
	for mine != nil || other != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case same := <-mine:
			mine = nil
			if err := sendPair(ctx, st, pairing.Decision{Same: same}); err != nil {
				return err
			}
			if !same {
				return chat.ErrRefused
			}
		case err := <-other:
			other = nil
			if err != nil {
				return err
			}
		}
	}
	return c.befriend(ctx, u.host, m)
}

func theirDecision(ctx context.Context, st PairStream) error {
	raw, err := st.Receive(ctx)
	if err != nil {
		return err
	}
	d, err := pairing.DecodeDecision(raw)
	if err != nil {
		return err
	}
	if !d.Same {
		return chat.ErrRefused
	}
	return nil
}

// befriend stores what a pairing led to.
func (c *Core) befriend(ctx context.Context, host HostKey, m met) error {
	return c.update(ctx, func(s *step) error {
		in := inbox{step: s, host: host}
		in.becomeContact(m.person)
		ct, err := s.Contact(m.person)
		switch {
		case err == nil && !ct.Pending: // known already: the digits verify them
			ct.Verified = true
			s.contactChanged(m.person)
			return errors.Join(s.PutContact(ct), s.dropDigits(m.person), s.notice(m.person, chat.NoticeVerified))
		case errors.Is(err, chat.ErrNotFound):
			ct = chat.Contact{ID: m.person, AddedAt: s.env.Now}
		case err != nil:
			return err
		}
		s.setPeer(m.person, m.peer)
		if err := errors.Join(s.dropDigits(m.person), s.endJoining(m.person)); err != nil {
			return err
		}
		ct.GivenName, ct.Verified, ct.Pending = m.name, true, false
		if err := s.newContact(ct, chat.NoticeConnected); err != nil {
			return err
		}
		if err := s.PutHost(chat.Host{Contact: m.person, HostKey: host, SeenAt: s.env.Now}); err != nil {
			return err
		}
		if m.start != nil {
			_, err := s.AddOutbox(*m.start)
			s.wake(m.person)
			return err
		}
		if err := s.PutSeen(*m.opened, m.person, s.env.Now, true); err != nil {
			return err
		}
		return s.queueStart(m.person)
	})
}

// endJoining ends the wait for the answer to a person's invitation: the two have
// met by other means, and what waits goes by the session that came of it.
func (s *step) endJoining(person chat.PersonID) error {
	j, err := joiningOf(s, person)
	if errors.Is(err, chat.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.then(func() { s.core.net.Unfollow(inviteRef(j.ID)) })
	return errors.Join(s.DeleteJoining(j.ID), s.dropDigits(person), s.giveUpOlder(person, envelope.TypeStart), s.unseal(person))
}

// Pairings implements Client.
func (c *Core) Pairings(ctx context.Context) ([]Pairing, error) {
	out := []Pairing{}
	c.pairs.mu.Lock()
	for _, u := range c.pairs.byID {
		out = append(out, u.Pairing)
	}
	c.pairs.mu.Unlock()
	slices.SortFunc(out, func(a, b Pairing) int { return cmp.Compare(a.ID, b.ID) })
	more, err := c.comparisons(ctx)
	return append(out, more...), err
}

// comparisons lists the new contacts whose digits were not compared yet and can
// be: both numbers that go into them are known.
func (c *Core) comparisons(ctx context.Context) ([]Pairing, error) {
	return read(ctx, c, func(tx ReadTx) ([]Pairing, error) {
		self, err := c.selfFrom(tx)
		if err != nil {
			return nil, err
		}
		env := session.Env{Self: self, Now: c.now(), Rand: c.rand}
		contacts, err := tx.Contacts()
		if err != nil {
			return nil, err
		}
		var out []Pairing
		for _, ct := range contacts {
			d, known, err := digitsOf(tx, ct.ID)
			if err != nil {
				return nil, err
			}
			if !known || ct.Blocked || ct.Pending || d.expired(env.Now) {
				continue
			}
			p, err := peerFrom(tx, ct.ID)
			if err != nil {
				return nil, err
			}
			if digits := d.digits(env, p); digits != "" {
				out = append(out, Pairing{
					ID: comparePrefix + ct.ID.String(), Contact: ct.ID, Name: ct.Name,
					Digits: digits, Invitation: true, State: PairingCompare,
				})
			}
		}
		return out, nil
	})
}

// Confirm implements Client.
func (c *Core) Confirm(ctx context.Context, id string, same bool) error {
	if text, ok := strings.CutPrefix(id, comparePrefix); ok {
		var person chat.PersonID
		if err := person.UnmarshalText([]byte(text)); err != nil {
			return chat.ErrNotFound
		}
		if same {
			return c.Verify(ctx, person)
		}
		return c.SetBlocked(ctx, person, true)
	}
	c.pairs.mu.Lock()
	defer c.pairs.mu.Unlock()
	u := c.pairs.byID[id]
	if u == nil {
		return chat.ErrNotFound
	}
	if !same && u.State == PairingWaiting {
		u.cancel()
		return nil
	}
	if u.State != PairingCompare {
		return chat.ErrNotFound
	}
	select {
	case u.decided <- same:
	default: // answered already
	}
	return nil
}

func (c *Core) envNow(ctx context.Context) (session.Env, error) {
	self, err := c.loadSelf(ctx)
	return session.Env{Self: self, Now: c.now(), Rand: c.rand}, err
}

func (c *Core) ownName(ctx context.Context) string {
	set, err := c.Settings(ctx)
	if err != nil {
		return ""
	}
	return set[SettingName]
}

// pairMessage is a message of the pairing protocol.
type pairMessage interface{ Encode() ([]byte, error) }

// exchange sends a message and waits for the answer.
func exchange[T any](ctx context.Context, st PairStream, out pairMessage, decode func([]byte) (T, error)) (T, error) {
	if err := sendPair(ctx, st, out); err != nil {
		var none T
		return none, err
	}
	return receivePair(ctx, st, decode)
}

func sendPair(ctx context.Context, st PairStream, out pairMessage) error {
	raw, err := out.Encode()
	if err != nil {
		return err
	}
	return st.Send(ctx, raw)
}

func receivePair[T any](ctx context.Context, st PairStream, decode func([]byte) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, pairStepTime)
	defer cancel()
	raw, err := st.Receive(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return decode(raw)
}
