package core

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/crypto/prekey"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// Limits of invitations.
const (
	inviteLife     = 7 * 24 * time.Hour
	inviteLifeMost = 30 * 24 * time.Hour
	inviteKeep     = 30 * 24 * time.Hour // after expiry: keys may still be asked for
	maxOpenInvites = 50
)

// Invite implements Invitations.
func (c *Core) Invite(ctx context.Context, life time.Duration) (IssuedInvitation, error) {
	if life == 0 {
		life = inviteLife
	}
	if life < 0 || life > inviteLifeMost {
		return IssuedInvitation{}, fmt.Errorf("core: invitation for %s: %w", life, chat.ErrUnsupported)
	}
	var out IssuedInvitation
	err := c.update(ctx, func(s *step) error {
		all, err := s.Invitations()
		if err != nil {
			return err
		}
		if len(openInvitations(all, s.env.Now)) >= maxOpenInvites {
			return fmt.Errorf("core: %d open invitations: %w", maxOpenInvites, chat.ErrTooLong)
		}
		inv, err := s.issue(life)
		if err != nil {
			return err
		}
		s.publish(event.Event{Kind: event.InvitationChanged})
		s.then(c.keys.forget)
		out = issued(inv)
		return s.PutInvitation(inv)
	})
	return out, err
}

func (s *step) issue(life time.Duration) (chat.Invitation, error) {
	inv := chat.Invitation{CreatedAt: s.env.Now, ExpiresAt: s.env.Now.Add(life).Truncate(time.Second)}
	node, err := meetingNode(s)
	if err != nil {
		return inv, err
	}
	var secret invite.Secret
	err = s.changeSelf(func(self *session.Self) error {
		made, err := self.Invite(s.env.Rand, s.env.Now, inv.ExpiresAt, s.core.inviteHints(node))
		if err != nil {
			return err
		}
		secret = made.Code.Auth
		inv.ID, inv.Code, inv.Bundle, inv.Keys = made.Code.Auth.ID(), made.Code.String(), made.Bundle, made.Keys
		for i, h := range made.Hints {
			inv.Hints[i] = hex.EncodeToString(h[:])
		}
		return nil
	})
	if err != nil || node == nil {
		return inv, err
	}
	return inv, s.openFirstContact(inv, secret, *node)
}

// meetingNode is the node at which a guest may leave an answer, nil if there is
// none.
func meetingNode(tx ReadTx) (*chat.Node, error) {
	nodes, err := usableNodes(tx, chat.PersonID{})
	if err != nil || len(nodes) == 0 {
		return nil, err
	}
	return &nodes[0], nil
}

// inviteHints says where a guest finds this machine: at addresses that others
// can reach, or, on a computer without a network, at its own.
func (c *Core) inviteHints(node *chat.Node) []invite.Hint {
	var near, all []invite.Addr
	for _, text := range c.net.Addrs() {
		ap, quic, ok := parseMultiaddr(text)
		if !ok {
			continue
		}
		a := invite.Addr{Proto: protoOf(ap.Addr(), quic), At: ap}
		all = append(all, a)
		if !ap.Addr().IsLoopback() && !ap.Addr().IsLinkLocalUnicast() {
			near = append(near, a)
		}
	}
	if len(near) == 0 {
		near = all
	}
	if node == nil {
		return invite.FitHints([]invite.Hint{{HostKey: c.net.HostKey(), Addrs: near}})
	}
	// There is room for few: one address of this machine, then the node's.
	at := invite.Hint{HostKey: node.Host}
	for _, text := range node.Addrs {
		if ap, quic, ok := parseMultiaddr(text); ok {
			at.Addrs = append(at.Addrs, invite.Addr{Proto: protoOf(ap.Addr(), quic), At: ap})
		}
	}
	return invite.FitHints([]invite.Hint{{HostKey: c.net.HostKey(), Addrs: near[:min(len(near), 1)]}, at})
}

func issued(inv chat.Invitation) IssuedInvitation {
	out := IssuedInvitation{ID: hex.EncodeToString(inv.ID[:]), Code: inv.Code, ExpiresAt: inv.ExpiresAt}
	if code, err := invite.Parse(inv.Code); err == nil {
		out.File = code.File(inv.Bundle)
	}
	return out
}

func openInvitations(all []chat.Invitation, now time.Time) []chat.Invitation {
	var open []chat.Invitation
	for _, inv := range all {
		if inv.UsedBy.IsZero() && !inv.Revoked && now.Before(inv.ExpiresAt) {
			open = append(open, inv)
		}
	}
	return open
}

// Issued implements Invitations.
func (c *Core) Issued(ctx context.Context) ([]IssuedInvitation, error) {
	all, err := read(ctx, c, ReadTx.Invitations)
	if err != nil {
		return nil, err
	}
	out := []IssuedInvitation{}
	for _, inv := range openInvitations(all, c.now()) {
		out = append(out, issued(inv))
	}
	return out, nil
}

// Revoke implements Invitations.
func (c *Core) Revoke(ctx context.Context, id string) error {
	var key [16]byte
	if n, err := hex.Decode(key[:], []byte(id)); err != nil || n != len(key) {
		return chat.ErrNotFound
	}
	return c.update(ctx, func(s *step) error {
		inv, err := s.Invitation(key)
		if err != nil {
			return err
		}
		inv.Revoked = true
		inv.Keys = nil
		s.publish(event.Event{Kind: event.InvitationChanged})
		s.then(c.keys.forget)
		return errors.Join(s.PutInvitation(inv), s.closeQueues(inv.ID))
	})
}

// parseCode reads an invitation from a link or from a file's content; bundle is
// nil for a link.
func parseCode(text string) (code invite.Code, bundle []byte, err error) {
	code, err = invite.Parse(text)
	if errors.Is(err, invite.ErrMalformed) {
		code, bundle, err = invite.ParseFile([]byte(text))
	}
	switch {
	case errors.Is(err, invite.ErrVersion):
		return code, nil, fmt.Errorf("%w: %w", chat.ErrInvitationVersion, err)
	case err != nil:
		return code, nil, fmt.Errorf("%w: %w", chat.ErrInvitationMalformed, err)
	}
	return code, bundle, nil
}

// Inspect implements Invitations.
func (c *Core) Inspect(ctx context.Context, text string) (InvitationInfo, error) {
	code, _, err := parseCode(text)
	if err != nil {
		return InvitationInfo{}, err
	}
	info := InvitationInfo{From: chat.PersonID(code.From), ExpiresAt: code.Expiry}
	return info, c.view(ctx, func(tx ReadTx) error { return c.checkCode(tx, code) })
}

// checkCode says whether an invitation can be accepted now.
func (c *Core) checkCode(tx ReadTx, code invite.Code) error {
	self, err := c.selfFrom(tx)
	if err != nil {
		return err
	}
	if code.From == self.ID() {
		return chat.ErrInvitationOwn
	}
	if !c.now().Before(code.Expiry) {
		return chat.ErrInvitationExpired
	}
	ct, err := tx.Contact(chat.PersonID(code.From))
	if errors.Is(err, chat.ErrNotFound) {
		return nil
	}
	if err == nil && !ct.Pending {
		return chat.ErrAlreadyContact
	}
	return err
}

// Accept implements Invitations.
func (c *Core) Accept(ctx context.Context, text string, scanned bool) (Accepted, error) {
	code, bundle, err := parseCode(text)
	if err != nil {
		return Accepted{}, err
	}
	person := chat.PersonID(code.From)
	err = c.update(ctx, func(s *step) error {
		if err := c.checkCode(s, code); err != nil {
			return err
		}
		return s.join(code, bundle, scanned)
	})
	if err != nil {
		return Accepted{}, err
	}
	return Accepted{Contact: person, Verified: scanned}, nil
}

// join makes the inviter a pending contact and begins to look for them.
func (s *step) join(code invite.Code, bundle []byte, scanned bool) error {
	person := chat.PersonID(code.From)
	id := code.Auth.ID()
	if old, err := joiningOf(s, person); err == nil && old.ID != id {
		s.then(func() { s.core.net.Unfollow(inviteRef(old.ID)) })
		if err := s.DeleteJoining(old.ID); err != nil {
			return err
		}
	}
	if err := s.PutJoining(chat.Joining{ID: id, Contact: person, Code: code.String(), StartedAt: s.env.Now}); err != nil {
		return err
	}
	ct, err := s.Contact(person)
	if errors.Is(err, chat.ErrNotFound) {
		ct, err = chat.Contact{ID: person, AddedAt: s.env.Now}, nil
	}
	if err != nil {
		return err
	}
	ct.Pending, ct.Blocked, ct.Verified = true, false, ct.Verified || scanned
	if err := s.newContact(ct, ""); err != nil {
		return err
	}
	if err := s.joinFirstContact(person, code); err != nil {
		return err
	}
	if bundle != nil {
		if err := s.learnFetched(person, bundle); err != nil {
			return err
		}
	}
	s.then(func() {
		s.core.keys.forget()
		s.core.followInvitation(code)
	})
	return s.queueStart(person)
}

// codeOf is the invitation that is being answered.
func codeOf(j chat.Joining) (invite.Code, error) {
	code, err := invite.Parse(j.Code)
	if err != nil {
		return code, fmt.Errorf("core: stored invitation: %w: %w", chat.ErrCorrupt, err)
	}
	return code, nil
}

// learnFetched takes in a bundle that was asked for. The first one of an inviter
// must be the one whose hash the invitation names; later ones are held to the
// identity that it named.
func (s *step) learnFetched(person chat.PersonID, raw []byte) error {
	p, err := s.peer(person)
	if err != nil {
		return err
	}
	_, begun := p.Active()
	j, err := joiningOf(s, person)
	switch {
	case err == nil && !begun:
		code, err := codeOf(j)
		if err != nil {
			return err
		}
		if prekey.HashBundle(raw) != code.BundleHash {
			return fmt.Errorf("core: the inviter's keys are not those of the invitation: %w", chat.ErrRefused)
		}
	case err != nil && !errors.Is(err, chat.ErrNotFound):
		return err
	}
	q := p.Clone()
	if err := q.LearnBundle(s.env, raw, true); err != nil {
		return fmt.Errorf("core: keys of a contact: %w", err)
	}
	s.setPeer(person, q)
	s.wake(person)
	return nil
}
