package core

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/invite"
)

// Limits of nodes.
const (
	// maxNodes is how many nodes of one's own a person may use.
	maxNodes = 8
	// maxUseNodes is at how many a contact's mail is kept: more would only cost.
	maxUseNodes = 3
)

// secretKeep is the secret from which the access tokens of those follow whose
// mail this computer keeps.
const secretKeep = "keep_mail"

// Nodes implements Nodes.
func (c *Core) Nodes(ctx context.Context) ([]NodeInfo, error) {
	var out []NodeInfo
	return out, c.view(ctx, func(tx ReadTx) error {
		all, err := tx.Nodes()
		if err != nil {
			return err
		}
		set, err := settingsFrom(tx)
		if err != nil {
			return err
		}
		for _, n := range all {
			out = append(out, c.nodeInfo(tx, n, set[SettingNetwork] == NetworkLAN))
		}
		return nil
	})
}

func (c *Core) nodeInfo(tx ReadTx, n chat.Node, lanOnly bool) NodeInfo {
	st := c.net.NodeState(n.Host)
	info := NodeInfo{
		ID: hex.EncodeToString(n.Host[:]), Addrs: []string{}, Keeper: n.Keeper, Relay: st.Reserved,
		Used: st.Used, Quota: st.Quota, AddedAt: n.AddedAt, State: nodeStanding(n, st, lanOnly),
	}
	for _, a := range n.Addrs {
		if hp := hostPort(a); !slices.Contains(info.Addrs, hp) {
			info.Addrs = append(info.Addrs, hp)
		}
	}
	if ct, err := tx.Contact(n.Keeper); err == nil {
		info.KeeperName = ct.Name
	}
	return info
}

func nodeStanding(n chat.Node, st NodeState, lanOnly bool) NodeStanding {
	switch {
	case lanOnly && outside(n.Addrs):
		return NodeOutside
	case errors.Is(st.Err, chat.ErrRefused):
		return NodeRefused
	case st.Connected && st.Quota > 0 && st.Used >= st.Quota:
		return NodeFull
	case st.Connected:
		return NodeConnected
	case st.Err != nil:
		return NodeUnreachable
	}
	return NodeConnecting
}

// outside tells whether there are addresses and none belongs to the local network.
func outside(addrs []string) bool {
	return len(addrs) > 0 && !slices.ContainsFunc(addrs, func(a string) bool {
		ap, _, ok := parseMultiaddr(a)
		ip := ap.Addr()
		return ok && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast())
	})
}

// AddNode implements Nodes.
func (c *Core) AddNode(ctx context.Context, text string) (NodeInfo, error) {
	link, err := invite.ParseNodeLink(text)
	switch {
	case errors.Is(err, invite.ErrVersion):
		return NodeInfo{}, fmt.Errorf("%w: %w", chat.ErrInvitationVersion, err)
	case err != nil:
		return NodeInfo{}, fmt.Errorf("%w: %w", chat.ErrNodeLink, err)
	}
	n := chat.Node{Host: link.Host, Token: link.Token, Relay: link.Relay}
	for _, a := range link.Addrs {
		n.Addrs = append(n.Addrs, multiaddr(a.At, isQUIC(a.Proto)))
	}
	var info NodeInfo
	err = c.update(ctx, func(s *step) error {
		all, err := s.Nodes()
		if err != nil {
			return err
		}
		if len(all) >= maxNodes {
			return fmt.Errorf("core: %d nodes: %w", maxNodes, chat.ErrTooLong)
		}
		n.AddedAt = s.env.Now
		set, err := settingsFrom(s)
		if err != nil {
			return err
		}
		info = c.nodeInfo(s, n, set[SettingNetwork] == NetworkLAN)
		s.nodesChanged()
		return s.PutNode(n)
	})
	return info, err
}

// RemoveNode implements Nodes.
func (c *Core) RemoveNode(ctx context.Context, id string) error {
	var host HostKey
	if n, err := hex.Decode(host[:], []byte(strings.TrimSpace(id))); err != nil || n != len(host) {
		return chat.ErrNotFound
	}
	return c.update(ctx, func(s *step) error {
		all, err := s.Nodes()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(n chat.Node) bool { return n.Host == host }) {
			return chat.ErrNotFound
		}
		return s.forgetNode(host)
	})
}

// forgetNode stops using a node: its queues go, too.
func (s *step) forgetNode(host HostKey) error {
	queues, err := s.AllQueues()
	if err != nil {
		return err
	}
	for _, q := range queues {
		if q.Mine && q.Host == host {
			if err := s.DeleteQueue(q.ID); err != nil {
				return err
			}
		}
	}
	s.nodesChanged()
	return s.DeleteNode(host)
}

// nodesChanged lets everybody concerned know, after the commit.
func (s *step) nodesChanged() {
	s.publish(event.Event{Kind: event.NodeChanged})
	s.then(func() {
		if err := s.core.useNodes(context.Background()); err != nil {
			s.core.log.Warn("nodes not used", "err", err)
		}
		s.core.reachChanged()
		s.core.mail.changed()
	})
}

// useNodes hands the nodes to the transport.
func (c *Core) useNodes(ctx context.Context) error {
	all, err := read(ctx, c, ReadTx.Nodes)
	if err != nil {
		return err
	}
	var nodes []Node
	for _, n := range all {
		nodes = append(nodes, transportNode(n))
	}
	c.net.UseNodes(nodes)
	return nil
}

func transportNode(n chat.Node) Node {
	return Node{Host: n.Host, Addrs: n.Addrs, Token: n.Token, Relay: n.Relay}
}

// usableNodes are the nodes at which a person's mail is kept: one's own first.
func usableNodes(tx ReadTx, person chat.PersonID) ([]chat.Node, error) {
	all, err := tx.Nodes()
	if err != nil {
		return nil, err
	}
	set, err := settingsFrom(tx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(n chat.Node) bool {
		return !n.Keeper.IsZero() && n.Keeper == person || set[SettingNetwork] == NetworkLAN && outside(n.Addrs)
	})
	slices.SortStableFunc(all, func(a, b chat.Node) int {
		switch {
		case a.Keeper.IsZero() == b.Keeper.IsZero():
			return 0
		case a.Keeper.IsZero():
			return -1
		}
		return 1
	})
	return all[:min(len(all), maxUseNodes)], nil
}

// NodeChanged implements TransportHandler.
func (c *Core) NodeChanged(host HostKey) {
	c.bus.Publish(event.Event{Kind: event.NodeChanged})
	c.mail.retry(host)
	c.lanes.retryMail()
}

// KeptMail implements Insight.
func (c *Core) KeptMail(ctx context.Context) (KeptMail, error) {
	tokens, err := read(ctx, c, c.keepTokens)
	if err != nil || len(tokens) == 0 {
		return KeptMail{}, err
	}
	kept, err := c.net.MailKept(ctx)
	return KeptMail{On: true, People: len(tokens), Blobs: kept.Blobs, Bytes: kept.Bytes}, err
}

// keepMail makes this computer keep the mail of its contacts, or ends that.
func (c *Core) keepMail(ctx context.Context) error {
	set, err := c.Settings(ctx)
	if err != nil {
		return err
	}
	var tokens [][32]byte
	if set[SettingKeepMail] == "true" {
		err := c.update(ctx, func(s *step) error {
			if _, err := s.Secret(secretKeep); !errors.Is(err, chat.ErrNotFound) {
				return err
			}
			key := make([]byte, 32)
			_, _ = rand.Read(key) // crypto/rand.Read never fails
			return s.PutSecret(secretKeep, key)
		})
		if err != nil {
			return err
		}
		if tokens, err = read(ctx, c, c.keepTokens); err != nil {
			return err
		}
	}
	return c.net.KeepMail(ctx, tokens)
}

// keepMailAgain follows a change of the contacts.
func (c *Core) keepMailAgain() {
	if err := c.keepMail(context.Background()); err != nil {
		c.log.Warn("mail is not kept", "err", err)
	}
}

// keepTokens are the access tokens of those whose mail is kept here, none while
// that is switched off.
func (c *Core) keepTokens(tx ReadTx) ([][32]byte, error) {
	contacts, err := tx.Contacts()
	if err != nil {
		return nil, err
	}
	var out [][32]byte
	for _, ct := range contacts {
		token, err := keepToken(tx, ct.ID)
		if err != nil {
			return nil, err
		}
		if token != ([32]byte{}) && !ct.Blocked {
			out = append(out, token)
		}
	}
	return out, nil
}

// keepToken is the access token with which a person's mail is kept here, zero
// while that is switched off.
func keepToken(tx ReadTx, person chat.PersonID) (token [32]byte, err error) {
	set, err := settingsFrom(tx)
	if err != nil || set[SettingKeepMail] != "true" {
		return token, err
	}
	key, err := tx.Secret(secretKeep)
	if errors.Is(err, chat.ErrNotFound) {
		return token, nil
	}
	if err != nil {
		return token, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(person[:])
	return [32]byte(mac.Sum(nil)), nil
}

// learnKeeper uses a contact's computer as a node while it keeps mail.
func (s *step) learnKeeper(person chat.PersonID, host HostKey, addrs []string, token [32]byte) error {
	all, err := s.Nodes()
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.Keeper == person && (token == [32]byte{} || n.Host != host) {
			if err := s.forgetNode(n.Host); err != nil {
				return err
			}
		}
	}
	if token == ([32]byte{}) {
		return nil
	}
	n := chat.Node{Host: host, Addrs: addrs, Token: token, Keeper: person, AddedAt: s.env.Now}
	if i := slices.IndexFunc(all, func(o chat.Node) bool { return o.Host == host }); i >= 0 {
		if all[i].Keeper != person {
			return nil // a node of one's own, or another contact's: theirs stands
		}
		n.AddedAt = all[i].AddedAt
		if all[i].Token == token && slices.Equal(all[i].Addrs, addrs) {
			return nil
		}
	}
	s.nodesChanged()
	return s.PutNode(n)
}
