package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// Network implements Profiles.
func (c *Core) Network(ctx context.Context) (Network, error) {
	n, err := read(ctx, c, func(tx ReadTx) (Network, error) {
		set, err := settingsFrom(tx)
		if err != nil {
			return Network{}, err
		}
		waiting, err := tx.OutboxCount()
		return Network{Mode: set[SettingNetwork], Waiting: waiting}, err
	})
	if err != nil {
		return n, err
	}
	st := c.net.State()
	n.Online, n.Port = st.Online, st.Port
	for _, a := range c.net.Addrs() {
		if hp := hostPort(a); !slices.Contains(n.Addrs, hp) {
			n.Addrs = append(n.Addrs, hp)
		}
	}
	switch {
	case c.trouble.now() != "":
		n.Trouble = c.trouble.now()
	case c.full():
		n.Trouble = TroubleDiskFull
	case !st.Online:
		n.Trouble = TroubleNoNetwork
	case st.PortTaken:
		n.Trouble = TroublePort
	case st.NoMulticast:
		n.Trouble = TroubleMulticast
	}
	return n, nil
}

// applyNetworkSettings makes the transport follow the settings.
func (c *Core) applyNetworkSettings(ctx context.Context) error {
	set, err := c.Settings(ctx)
	if err != nil {
		return err
	}
	c.net.Restrict(set[SettingNetwork] == NetworkLAN)
	name := ""
	if set[SettingVisible] == "true" {
		name = set[SettingName]
	}
	c.net.Show(name)
	if err := c.net.TryAddrs(tryAddrs(set[SettingTryAddrs])); err != nil {
		c.log.Warn("further networks not searched", "err", err)
	}
	c.bus.Publish(event.Event{Kind: event.NetworkChanged})
	return nil
}

// followAll hands the whole address book to the transport.
func (c *Core) followAll(ctx context.Context) error {
	var people []chat.PersonID
	var codes []invite.Code
	err := c.view(ctx, func(tx ReadTx) error {
		contacts, err := tx.Contacts()
		if err != nil {
			return err
		}
		for _, ct := range contacts {
			if !ct.Blocked {
				people = append(people, ct.ID)
			}
		}
		joinings, err := tx.Joinings()
		if err != nil {
			return err
		}
		for _, j := range joinings {
			code, err := codeOf(j)
			if err != nil {
				return err
			}
			if slices.Contains(people, j.Contact) {
				codes = append(codes, code)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range people {
		c.followPerson(id)
	}
	for _, code := range codes {
		c.followInvitation(code)
	}
	return nil
}

// followHosts is how many of a person's machines are followed, the newest ones:
// the present key, the next one and what came before them.
const followHosts = 4

// followPerson hands a person's machines to the transport, or takes them back if
// the person is blocked now.
func (c *Core) followPerson(id chat.PersonID) {
	blocked := false
	var via []Node
	hosts, err := read(context.Background(), c, func(tx ReadTx) ([]chat.Host, error) {
		ct, err := tx.Contact(id)
		blocked = ct.Blocked
		if err != nil {
			return nil, err
		}
		if via, err = viaOf(tx, id); err != nil {
			return nil, err
		}
		return tx.Hosts(id)
	})
	switch {
	case err != nil:
		c.log.Warn("address book not read", "err", err)
	case blocked:
		c.net.Unfollow(id.String())
	default:
		book := map[HostKey][]string{}
		for _, h := range hosts[:min(len(hosts), followHosts)] {
			book[h.HostKey] = h.Addrs
		}
		c.net.Follow(id.String(), book, via)
	}
}

func (c *Core) followInvitation(code invite.Code) {
	book := map[HostKey][]string{}
	var via []Node
	for i, h := range code.Hints {
		if i == 0 {
			book[h.HostKey] = hintAddrs(h)
			continue
		}
		via = append(via, Node{Host: h.HostKey, Addrs: hintAddrs(h), Relay: true})
	}
	c.net.Follow(inviteRef(code.Auth.ID()), book, via)
}

// keyCache holds the recognition keys by ref. They cost a key agreement each and
// change only with the contacts and invitations.
type keyCache struct {
	mu   sync.Mutex
	keys map[string][32]byte
}

func (k *keyCache) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = nil
}

// HelloKeys implements TransportHandler.
func (c *Core) HelloKeys(ctx context.Context) (map[string][32]byte, error) {
	c.keys.mu.Lock()
	defer c.keys.mu.Unlock()
	if c.keys.keys != nil {
		return c.keys.keys, nil
	}
	keys, err := read(ctx, c, c.helloKeys)
	if err == nil {
		c.keys.keys = keys
	}
	return keys, err
}

func (c *Core) helloKeys(tx ReadTx) (map[string][32]byte, error) {
	keys := map[string][32]byte{}
	self, err := c.selfFrom(tx)
	if err != nil {
		return nil, err
	}
	contacts, err := tx.Contacts()
	if err != nil {
		return nil, err
	}
	env := session.Env{Self: self, Now: c.now(), Rand: c.rand}
	for _, ct := range contacts {
		if ct.Blocked {
			continue
		}
		p, err := peerFrom(tx, ct.ID)
		if err != nil {
			return nil, err
		}
		if key, err := p.Kpair(env); err == nil {
			keys[ct.ID.String()] = key // without their keys yet, an invitation's has to do
		}
	}
	return keys, addInviteKeys(tx, keys, contacts, c.now())
}

// addInviteKeys adds the keys of invitations in both directions. A used one
// stays until it expires: its guest may not know yet that they got through.
func addInviteKeys(tx ReadTx, keys map[string][32]byte, contacts []chat.Contact, now time.Time) error {
	mine, err := tx.Invitations()
	if err != nil {
		return err
	}
	joinings, err := tx.Joinings()
	if err != nil {
		return err
	}
	blocked := map[chat.PersonID]bool{}
	for _, ct := range contacts {
		blocked[ct.ID] = ct.Blocked
	}
	var codes []string
	for _, inv := range mine {
		if !inv.Revoked && now.Before(inv.ExpiresAt) && !blocked[inv.UsedBy] {
			codes = append(codes, inv.Code)
		}
	}
	for _, j := range joinings {
		if !blocked[j.Contact] {
			codes = append(codes, j.Code)
		}
	}
	for _, text := range codes {
		code, err := invite.Parse(text)
		if err != nil {
			return fmt.Errorf("core: stored invitation: %w: %w", chat.ErrCorrupt, err)
		}
		keys[inviteRef(code.Auth.ID())] = code.Auth.HelloKey()
	}
	return nil
}

// Recognised implements TransportHandler.
func (c *Core) Recognised(ctx context.Context, ref string, host HostKey, addrs []string) {
	person, err := read(ctx, c, func(tx ReadTx) (chat.PersonID, error) { return c.welcome(tx, ref) })
	if errors.Is(err, chat.ErrNotFound) {
		return // an open invitation's guest: nobody known yet
	}
	if err == nil {
		err = c.update(ctx, func(s *step) error { return s.sawPerson(person, host, addrs) })
	}
	if err != nil {
		c.log.Warn("connection not recorded", "err", err)
	}
	if !person.IsZero() {
		c.lanes.enter(person, ref, isInviteRef(ref))
	}
}

// sawPerson records that a person is connected, and where.
func (s *step) sawPerson(person chat.PersonID, host HostKey, addrs []string) error {
	ct, err := s.Contact(person)
	if err != nil {
		return err
	}
	ct.LastSeen = s.env.Now
	s.contactChanged(person)
	s.publish(event.Event{Kind: event.NetworkChanged})
	if err := s.PutContact(ct); err != nil {
		return err
	}
	return s.PutHost(chat.Host{Contact: person, HostKey: host, Addrs: addrs, SeenAt: s.env.Now})
}

// connectedAs returns the name of a connection with a person, "" if there is none.
func (c *Core) connectedAs(person chat.PersonID, ref string) string {
	for _, name := range []string{person.String(), ref} {
		if c.net.Connected(name) {
			return name
		}
	}
	return ""
}

// Lost implements TransportHandler.
func (c *Core) Lost(ref string) {
	person, err := read(context.Background(), c, func(tx ReadTx) (chat.PersonID, error) { return c.personOf(tx, ref) })
	if err != nil || c.connectedAs(person, ref) != "" {
		return
	}
	c.lanes.leave(person)
	if again := c.connectedAs(person, ref); again != "" {
		c.lanes.enter(person, again, false) // they came back between the two looks
		return
	}
	c.lanes.wake(person) // what is left goes to their mailboxes
	c.bus.Publish(event.Event{Kind: event.ContactChanged, Contact: person}, event.Event{Kind: event.NetworkChanged})
}

// Status implements TransportHandler.
func (c *Core) Status(ctx context.Context, ref string) ([]byte, error) {
	return read(ctx, c, func(tx ReadTx) ([]byte, error) {
		person, err := c.welcome(tx, ref)
		if isInviteRef(ref) && errors.Is(err, chat.ErrNotFound) {
			return nil, nil // a guest of whom nothing is known yet
		}
		if err != nil {
			return nil, err
		}
		env, p, err := c.peerEnv(tx, person)
		if err != nil {
			return nil, err
		}
		if _, begun := p.Active(); isInviteRef(ref) && !begun {
			return nil, nil
		}
		return p.Status(env)
	})
}

// OnStatus implements TransportHandler: it compares what both sides hold and
// heals what differs.
func (c *Core) OnStatus(ctx context.Context, ref string, status []byte) error {
	var person chat.PersonID
	fetch := false
	err := c.update(ctx, func(s *step) (err error) {
		if person, err = c.welcome(s, ref); err != nil {
			return err
		}
		fetch, err = s.takeStatus(person, status)
		return err
	})
	if err != nil {
		return err
	}
	if fetch {
		c.fetchBundle(ctx, person, ref)
	}
	c.lanes.greet(person)
	c.files.wake()
	return nil
}

func (s *step) takeStatus(person chat.PersonID, status []byte) (fetch bool, err error) {
	p, err := s.peer(person)
	if err != nil {
		return false, err
	}
	q := p.Clone()
	r, err := q.OnStatus(s.env, status, true)
	if err != nil {
		return false, fmt.Errorf("core: status: %w", err)
	}
	s.setPeer(person, q)
	if err := s.acknowledged(person, r.Acked); err != nil {
		return false, err
	}
	if r.SelfRolledBack {
		if err := s.rolledBack(person, r.CounterAbove); err != nil {
			return false, err
		}
	}
	if q, err = s.peer(person); err != nil {
		return false, err
	}
	eff, err := s.ready(person, q)
	return r.FetchBundle || eff.FetchBundle, err
}

// fetchBundle refreshes a contact's bundle after their status named a newer one.
func (c *Core) fetchBundle(ctx context.Context, person chat.PersonID, ref string) {
	raw, err := c.net.FetchBundle(ctx, ref)
	if err == nil {
		err = c.update(ctx, func(s *step) error {
			if err := s.learnFetched(person, raw); err != nil {
				return err
			}
			p, err := s.peer(person)
			if err != nil {
				return err
			}
			_, err = s.ready(person, p)
			return err
		})
	}
	if err != nil && ctx.Err() == nil {
		c.log.Info("bundle not fetched", "err", err)
	}
}

// Bundle implements TransportHandler: a contact gets the present bundle, a guest
// the invitation's.
func (c *Core) Bundle(ctx context.Context, ref string) ([]byte, error) {
	return read(ctx, c, func(tx ReadTx) ([]byte, error) {
		_, err := c.welcome(tx, ref)
		if isInviteRef(ref) && !errors.Is(err, errUnwelcome) {
			return invitationBundle(tx, ref)
		}
		if err != nil {
			return nil, err
		}
		self, err := c.selfFrom(tx)
		if err != nil {
			return nil, err
		}
		return self.Bundle(), nil
	})
}

func invitationBundle(tx ReadTx, ref string) ([]byte, error) {
	all, err := tx.Invitations()
	if err != nil {
		return nil, err
	}
	for _, inv := range all {
		if inviteRef(inv.ID) == ref && !inv.Revoked {
			return inv.Bundle, nil
		}
	}
	return nil, chat.ErrNotFound
}

// NetworkChanged implements TransportHandler.
func (c *Core) NetworkChanged() {
	c.bus.Publish(event.Event{Kind: event.NetworkChanged})
	c.reachChanged()
	c.mail.retryAll()
	c.lanes.retryMail()
}
