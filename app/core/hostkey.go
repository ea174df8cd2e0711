package core

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/envelope"
)

// The life of this machine's host key (docs/protocol, keys). A running
// transport keeps the one it started with, so it changes at a start.
const (
	hostKeyLife = 30 * 24 * time.Hour
	// hostKeyMost is its life if there are open invitations, which name it.
	hostKeyMost = 60 * 24 * time.Hour
	// reachEvery is how often contacts are told at most where this machine is.
	reachEvery = time.Minute
)

// Further secrets of the profile.
const (
	secretHostNext  = "host_next"  // 32-byte seed of the host key to come
	secretHostSince = "host_since" // 8 bytes: since when the present one is used, unix ms
	secretReachTold = "reach_told" // SHA-256 of what contacts were told last
)

// hostKeyOf is the public half of a stored host key; zero if there is none.
func hostKeyOf(tx ReadTx, name string) (key HostKey, err error) {
	seed, err := tx.Secret(name)
	if errors.Is(err, chat.ErrNotFound) {
		return key, nil
	}
	if err != nil || len(seed) != ed25519.SeedSize {
		return key, errors.Join(err, chat.ErrCorrupt)
	}
	copy(key[:], ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)) //nolint:forcetypeassert // documented
	return key, nil
}

// hostSince is since when the present host key is used, zero if that is not known.
func hostSince(tx ReadTx) (time.Time, error) {
	b, err := tx.Secret(secretHostSince)
	if errors.Is(err, chat.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil || len(b) != 8 {
		return time.Time{}, errors.Join(err, chat.ErrCorrupt)
	}
	return timeMs(int64(binary.BigEndian.Uint64(b))), nil //nolint:gosec // written by putHostSince
}

func putHostSince(tx Tx, now time.Time) error {
	ms := uint64(max(now.UnixMilli(), 0)) //nolint:gosec // not negative
	return tx.PutSecret(secretHostSince, binary.BigEndian.AppendUint64(nil, ms))
}

// turnHostKey takes the next host key into use if the present one has been used
// for long enough. Contacts know the next one already.
func turnHostKey(ctx context.Context, st Store, now time.Time) error {
	due := false
	err := st.View(ctx, func(tx ReadTx) (err error) {
		due, err = hostKeyDue(tx, now)
		return err
	})
	if err != nil || !due {
		return err
	}
	return st.Update(ctx, func(tx Tx) error {
		next, err := tx.Secret(secretHostNext)
		if err != nil {
			return err
		}
		return errors.Join(tx.PutSecret(secretHost, next), tx.DeleteSecret(secretHostNext), putHostSince(tx, now))
	})
}

func hostKeyDue(tx ReadTx, now time.Time) (bool, error) {
	since, err := hostSince(tx)
	if err != nil || since.IsZero() || now.Sub(since) < hostKeyLife {
		return false, err
	}
	next, err := hostKeyOf(tx, secretHostNext)
	if err != nil || next == (HostKey{}) {
		return false, err
	}
	if set, err := settingsFrom(tx); err != nil || set[SettingKeepMail] == "true" {
		return false, err // others find their mail by this key
	}
	if now.Sub(since) >= hostKeyMost {
		return true, nil
	}
	all, err := tx.Invitations()
	return len(openInvitations(all, now)) == 0, err
}

// keepHostKeys sees to it that the next host key is there, long before it is
// used, so that whoever is away for weeks knows it, too.
func (s *step) keepHostKeys() error {
	s.then(s.core.reachChanged)
	since, err := hostSince(s)
	if err != nil {
		return err
	}
	if since.IsZero() || since.After(s.env.Now) {
		if err := putHostSince(s, s.env.Now); err != nil {
			return err
		}
	}
	next, err := hostKeyOf(s, secretHostNext)
	if err != nil || next != (HostKey{}) {
		return err
	}
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(s.env.Rand, seed); err != nil {
		return fmt.Errorf("core: draw a host key: %w", err)
	}
	return s.PutSecret(secretHostNext, seed)
}

// reach says where this machine is reached now and under which key next, nil
// without a network.
func (c *Core) reach(tx ReadTx) (*envelope.ReachBody, error) {
	key := c.net.HostKey()
	if key == (HostKey{}) {
		return nil, nil //nolint:nilnil // no network is an ordinary answer
	}
	next, err := hostKeyOf(tx, secretHostNext)
	if err != nil {
		return nil, err
	}
	r := &envelope.ReachBody{HostKey: key, Next: next}
	for _, a := range c.net.Addrs() {
		if b, ok := packAddr(a); ok && len(r.Addrs) < envelope.MaxAddrs {
			r.Addrs = append(r.Addrs, b)
		}
	}
	return r, nil
}

// reachChanged makes reachLoop look.
func (c *Core) reachChanged() {
	select {
	case c.reachKick <- struct{}{}:
	default:
	}
}

// reachLoop tells contacts when this machine is reached elsewhere than before, or
// under another key.
func (c *Core) reachLoop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.reachKick:
		}
		told, err := c.tellReach(ctx)
		if err != nil && ctx.Err() == nil {
			c.log.Warn("contacts not told of new addresses", "err", err)
		}
		if !told && err == nil {
			continue
		}
		t := time.NewTimer(reachEvery)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

// tellReach queues what reach says for every contact, if it is news. Addresses of
// a computer without a network are none.
func (c *Core) tellReach(ctx context.Context) (news bool, err error) {
	if !c.net.State().Online {
		return false, nil
	}
	news, err = read(ctx, c, func(tx ReadTx) (bool, error) {
		_, news, err := c.reachNews(tx)
		return news, err
	})
	if err != nil || !news {
		return false, err
	}
	return true, c.update(ctx, func(s *step) error {
		sum, news, err := c.reachNews(s)
		if err != nil || !news {
			return err
		}
		contacts, err := s.Contacts()
		if err != nil {
			return err
		}
		for _, ct := range contacts {
			if ct.Blocked {
				continue
			}
			if err := s.queueReach(ct.ID); err != nil {
				return err
			}
		}
		return s.PutSecret(secretReachTold, sum)
	})
}

// reachNews returns the hash of what contacts are told, without regard to the order
// of addresses, and whether it differs from what they were told last.
func (c *Core) reachNews(tx ReadTx) (sum []byte, news bool, err error) {
	r, err := c.reach(tx)
	if err != nil || r == nil || len(r.Addrs) == 0 {
		return nil, false, err
	}
	slices.SortFunc(r.Addrs, slices.Compare)
	nodes, err := usableNodes(tx, chat.PersonID{})
	if err != nil {
		return nil, false, err
	}
	for _, n := range nodes {
		r.Nodes = append(r.Nodes, reachNode(n))
	}
	if r.Keep, err = keepToken(tx, chat.PersonID{}); err != nil {
		return nil, false, err
	}
	sorted, err := r.Encode()
	if err != nil {
		return nil, false, err
	}
	hash := sha256.Sum256(sorted)
	told, err := tx.Secret(secretReachTold)
	if errors.Is(err, chat.ErrNotFound) {
		err = nil
	}
	return hash[:], !slices.Equal(told, hash[:]), err
}

// reachFor says what reach does and what is for one person alone: the queues for
// their mail. nil without a network.
func (s *step) reachFor(person chat.PersonID) (*envelope.ReachBody, error) {
	r, err := s.core.reach(s)
	if err != nil || r == nil {
		return nil, err
	}
	return r, s.addMail(person, r)
}

// queueReach queues where this machine is for a person, in the place of what was
// queued before. It stays unsealed until the person is there: a machine that
// moves about must not use up the session's numbers for somebody who is away.
func (s *step) queueReach(person chat.PersonID) error {
	r, err := s.reachFor(person)
	if err != nil || r == nil || len(r.Addrs) == 0 {
		return err
	}
	body, err := r.Encode()
	if err != nil {
		return err
	}
	if err := s.giveUpOlder(person, envelope.TypeReach); err != nil {
		return err
	}
	it, err := newItem(person, chat.NewMessageID(), unsealed{
		Type: envelope.TypeReach, Conversation: chat.DirectConversation(s.me(), person),
		Sent: s.env.Now.UnixMilli(), Body: body,
	}, s.env.Now)
	if err != nil {
		return err
	}
	s.core.lanes.setBacklog(person, true)
	s.wake(person)
	_, err = s.AddOutbox(it)
	return err
}

// keepReach stores where a person's machine says it can be reached, now and under
// its next key. One that names no addresses keeps those that are known.
func (s *step) keepReach(person chat.PersonID, r *envelope.ReachBody) error {
	if r == nil || r.HostKey == ([32]byte{}) {
		return nil
	}
	var addrs []string
	for _, a := range r.Addrs {
		if text, ok := addrText(a); ok {
			addrs = append(addrs, text)
		}
	}
	if len(addrs) == 0 {
		known, err := s.Hosts(person)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(known, func(h chat.Host) bool { return h.HostKey == r.HostKey }); i >= 0 {
			addrs = known[i].Addrs
		}
	}
	for _, key := range []HostKey{r.HostKey, r.Next} {
		if key == (HostKey{}) {
			continue
		}
		if err := s.PutHost(chat.Host{Contact: person, HostKey: key, Addrs: addrs, SeenAt: s.env.Now}); err != nil {
			return err
		}
	}
	s.then(func() { s.core.followPerson(person) })
	if err := s.learnKeeper(person, r.HostKey, addrs, r.Keep); err != nil {
		return err
	}
	return s.keepMailWays(person, r)
}
