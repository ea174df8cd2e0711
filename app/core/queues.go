package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/crypto/mailbox"
)

// firstContactKeep is how long a first-contact queue stays open after its
// invitation expired.
const firstContactKeep = 30 * 24 * time.Hour

// addMail adds to what a person is told of this machine: the nodes at which it
// fetches mail, the queues for what this person sends, a queue they may fetch
// from if they have named none of their own, and whether their mail is kept here.
func (s *step) addMail(person chat.PersonID, r *envelope.ReachBody) error {
	nodes, err := usableNodes(s, person)
	if err != nil {
		return err
	}
	have, err := s.Queues(person)
	if err != nil {
		return err
	}
	host := !slices.ContainsFunc(have, func(q chat.Queue) bool { return q.Out && !q.Mine && q.Invite == [16]byte{} })
	for i, n := range nodes {
		r.Nodes = append(r.Nodes, reachNode(n))
		in, err := s.ownQueue(have, person, n, false)
		if err != nil {
			return err
		}
		r.Mail = append(r.Mail, envelope.ReachMail{Node: uint8(i), SendID: in.SendID, SendCap: in.SendCap, Key: in.Key}) //nolint:gosec // at most maxUseNodes
		if !host || !n.Keeper.IsZero() {
			continue
		}
		out, err := s.ownQueue(have, person, n, true)
		if err != nil {
			return err
		}
		r.Inbox = append(r.Inbox, envelope.ReachInbox{Node: uint8(i), RecvID: out.RecvID, RecvCap: out.RecvCap, Key: out.Key}) //nolint:gosec // as above
	}
	r.Keep, err = keepToken(s, person)
	return err
}

func reachNode(n chat.Node) envelope.ReachNode {
	out := envelope.ReachNode{Host: n.Host, Relay: n.Relay}
	for _, a := range n.Addrs {
		if b, ok := packAddr(a); ok && len(out.Addrs) < envelope.MaxAddrs {
			out.Addrs = append(out.Addrs, b)
		}
	}
	return out
}

// ownQueue finds the queue for a person at a node, or draws one: the node is told
// of it later.
func (s *step) ownQueue(have []chat.Queue, person chat.PersonID, n chat.Node, out bool) (chat.Queue, error) {
	for _, q := range have {
		if q.Mine && q.Out == out && q.Host == n.Host && q.Invite == ([16]byte{}) {
			return q, nil
		}
	}
	m, err := mailbox.New(s.env.Rand)
	if err != nil {
		return chat.Queue{}, fmt.Errorf("core: draw a queue: %w", err)
	}
	q := chat.Queue{Contact: person, Out: out, Mine: true, Host: n.Host, Addrs: n.Addrs, Relay: n.Relay}
	setKeys(&q, m)
	q.ID, err = s.PutQueue(q)
	s.then(s.core.mail.changed)
	return q, err
}

func setKeys(q *chat.Queue, m mailbox.Queue) {
	q.RecvID, q.RecvCap, q.SendID, q.SendCap, q.Key = m.RecvID, m.RecvCap, m.SendID, m.SendCap, m.Key
}

func idsOf(q chat.Queue) QueueIDs {
	return QueueIDs{RecvID: q.RecvID, RecvCap: q.RecvCap, SendID: q.SendID, SendCap: q.SendCap}
}

// keepMailWays takes in the queues that a person told of, in the place of those
// they told of before.
func (s *step) keepMailWays(person chat.PersonID, r *envelope.ReachBody) error {
	told := toldQueues(person, r)
	have, err := s.Queues(person)
	if err != nil {
		return err
	}
	for _, old := range have {
		if old.Mine || old.Invite != ([16]byte{}) {
			continue
		}
		i := slices.IndexFunc(told, func(q chat.Queue) bool {
			return q.Out == old.Out && q.Host == old.Host && idsOf(q) == idsOf(old) && q.Key == old.Key
		})
		if i < 0 {
			if err := s.DeleteQueue(old.ID); err != nil {
				return err
			}
			continue
		}
		told[i].ID, told[i].SlotAt, told[i].SlotHash = old.ID, old.SlotAt, old.SlotHash
	}
	for _, q := range told {
		if _, err := s.PutQueue(q); err != nil {
			return err
		}
	}
	s.then(s.core.mail.changed)
	s.wake(person)
	return nil
}

func toldQueues(person chat.PersonID, r *envelope.ReachBody) (out []chat.Queue) {
	at := func(node uint8, q chat.Queue) {
		n := r.Nodes[node] // checked by the decoder
		q.Contact, q.Host, q.Relay = person, n.Host, n.Relay
		for _, a := range n.Addrs {
			if text, ok := addrText(a); ok {
				q.Addrs = append(q.Addrs, text)
			}
		}
		out = append(out, q)
	}
	for _, m := range r.Mail {
		at(m.Node, chat.Queue{Out: true, SendID: m.SendID, SendCap: m.SendCap, Key: m.Key})
	}
	for _, m := range r.Inbox {
		at(m.Node, chat.Queue{RecvID: m.RecvID, RecvCap: m.RecvCap, Key: m.Key})
	}
	return out
}

// openFirstContact draws the two queues at which inviter and guest may meet
// without being up at the same time.
func (s *step) openFirstContact(inv chat.Invitation, secret invite.Secret, n chat.Node) error {
	f := mailbox.Derive(secret)
	if err := f.Complete(s.env.Rand); err != nil {
		return fmt.Errorf("core: first contact: %w", err)
	}
	return s.putFirstContact(chat.Queue{
		Invite: inv.ID, Mine: true, Host: n.Host, Addrs: n.Addrs, Relay: n.Relay, Until: inv.ExpiresAt.Add(firstContactKeep),
	}, f, false)
}

// joinFirstContact notes the two queues at which an inviter may be met.
func (s *step) joinFirstContact(person chat.PersonID, code invite.Code) error {
	f := mailbox.Derive(code.Auth)
	for _, h := range code.Hints[min(1, len(code.Hints)):] {
		err := s.putFirstContact(chat.Queue{
			Contact: person, Invite: code.Auth.ID(), Host: h.HostKey, Addrs: hintAddrs(h), Relay: true,
			Until: code.Expiry.Add(firstContactKeep),
		}, f, true)
		if err != nil {
			return err
		}
	}
	return nil
}

// putFirstContact stores both queues of a first contact; guest says on whose side.
func (s *step) putFirstContact(q chat.Queue, f mailbox.FirstContact, guest bool) error {
	for _, toInviter := range []bool{true, false} {
		q.Out = toInviter == guest
		if toInviter {
			setKeys(&q, f.ToInviter)
		} else {
			setKeys(&q, f.ToGuest)
		}
		if _, err := s.PutQueue(q); err != nil {
			return err
		}
	}
	s.then(s.core.mail.changed)
	return nil
}

func hintAddrs(h invite.Hint) []string {
	addrs := []string{}
	for _, a := range h.Addrs {
		addrs = append(addrs, multiaddr(a.At, isQUIC(a.Proto)))
	}
	return addrs
}

// adoptQueues gives an invitation's queues to the one who answered it.
func (s *step) adoptQueues(id [16]byte, person chat.PersonID) error {
	return s.changeQueues(id, func(q *chat.Queue) { q.Contact = person })
}

// closeQueues closes an invitation's queues.
func (s *step) closeQueues(id [16]byte) error {
	return s.changeQueues(id, func(q *chat.Queue) { q.Until = s.env.Now })
}

func (s *step) changeQueues(id [16]byte, change func(*chat.Queue)) error {
	open, err := s.Queues(chat.PersonID{})
	if err != nil {
		return err
	}
	for _, q := range open {
		if q.Invite != id {
			continue
		}
		change(&q)
		if _, err := s.PutQueue(q); err != nil {
			return err
		}
		s.then(s.core.mail.changed)
	}
	return nil
}

// mailWays are the queues into which a person's mail is put now: those they told
// of, else the invitation's, else those they were told of.
func (c *Core) mailWays(tx ReadTx, person chat.PersonID) ([]chat.Queue, error) {
	all, err := tx.Queues(person)
	if err != nil {
		return nil, err
	}
	now := c.now()
	var best []chat.Queue
	rank := 0
	for _, q := range all {
		if !q.Out || over(q, now) || q.Mine && q.MadeAt.IsZero() {
			continue
		}
		switch r := wayRank(q); {
		case r > rank:
			best, rank = []chat.Queue{q}, r
		case r == rank:
			best = append(best, q)
		}
	}
	return best, nil
}

// wayRank says how good a queue is. Those of one's own rank alike: somebody who has
// only answered the invitation does not know of the later one yet.
func wayRank(q chat.Queue) int {
	switch {
	case q.Mine:
		return 1
	case q.Invite != [16]byte{}:
		return 2
	}
	return 3
}

func over(q chat.Queue, now time.Time) bool { return !q.Until.IsZero() && !now.Before(q.Until) }

// nodeOf is the node of a queue as the transport needs it: with the access token
// if it is one of this person's.
func nodeOf(tx ReadTx, q chat.Queue) (Node, error) {
	all, err := tx.Nodes()
	if err != nil {
		return Node{}, err
	}
	for _, n := range all {
		if n.Host == q.Host {
			return transportNode(n), nil
		}
	}
	return Node{Host: q.Host, Addrs: q.Addrs, Relay: q.Relay}, nil
}

// viaOf are the nodes through which a person's machines may be reached: theirs and
// one's own.
func viaOf(tx ReadTx, person chat.PersonID) ([]Node, error) {
	all, err := tx.Queues(person)
	if err != nil {
		return nil, err
	}
	var out []Node
	for _, q := range all {
		if q.Relay && !slices.ContainsFunc(out, func(n Node) bool { return n.Host == q.Host }) {
			n, err := nodeOf(tx, q)
			if err != nil {
				return nil, err
			}
			out = append(out, n)
		}
	}
	return out, nil
}

// readMailedBundle fetches the bundle that an inviter left at a node.
func (c *Core) readMailedBundle(ctx context.Context, person chat.PersonID) ([]byte, error) {
	var code invite.Code
	var nodes []Node
	err := c.view(ctx, func(tx ReadTx) error {
		j, err := joiningOf(tx, person)
		if err != nil {
			return err
		}
		if code, err = codeOf(j); err != nil {
			return err
		}
		nodes, err = viaOf(tx, person)
		return err
	})
	if err != nil {
		return nil, err
	}
	f := mailbox.Derive(code.Auth)
	errs := []error{chat.ErrUnreachable}
	for _, n := range nodes {
		blob, err := c.net.ReadBundle(ctx, n, f.BundleID)
		if err == nil {
			var kind byte
			var raw []byte
			if kind, raw, err = mailbox.Open(f.BundleKey, blob); err == nil && kind == mailbox.KindBundle {
				return raw, nil
			}
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
