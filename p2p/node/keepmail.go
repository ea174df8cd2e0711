package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/mailbox"
)

// MailStore is where a machine that keeps mail for others keeps it;
// storage/mailstore implements it.
type MailStore interface {
	mailbox.Store
	// Allow replaces the valid tokens and their quotas in bytes, 0 for the default.
	Allow(ctx context.Context, tokens map[[32]byte]int64) error
	io.Closer
}

// errNoMailStore says that this node was given no place for mail.
var errNoMailStore = errors.New("node: no place to keep mail")

// A keeper is the mailbox on this machine.
type keeper struct {
	busy turn // held while it is changed

	// Guarded by Node.mu.
	store  MailStore       // opened at the first use, closed at the end of Run
	server *mailbox.Server // of store
	on     bool            // it serves
}

// KeepMail makes this machine a mailbox for the holders of the tokens, each with a
// quota of its own, or ends that (none). Stored mail stays. It carries no
// connections: that is for stations.
func (n *Node) KeepMail(ctx context.Context, tokens [][32]byte) error {
	n.keep.busy.Lock()
	defer n.keep.busy.Unlock()
	n.mu.Lock()
	store := n.keep.store
	n.mu.Unlock()
	if store == nil && len(tokens) == 0 {
		return nil
	}
	if store == nil {
		var err error
		if store, err = n.openMail(ctx); err != nil {
			return err
		}
	}
	allowed := make(map[[32]byte]int64, len(tokens))
	for _, t := range tokens {
		allowed[t] = 0
	}
	if err := store.Allow(ctx, allowed); err != nil {
		return fmt.Errorf("node: keep mail: %w", err)
	}
	n.mu.Lock()
	n.keep.on = len(tokens) > 0
	n.mu.Unlock()
	n.serveMail()
	return nil
}

func (n *Node) openMail(ctx context.Context) (MailStore, error) {
	if n.cfg.OpenMail == nil {
		return nil, errNoMailStore
	}
	store, err := n.cfg.OpenMail(ctx)
	if err != nil {
		return nil, fmt.Errorf("node: keep mail: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.keep.store, n.keep.server = store, mailbox.NewServer(store, mailbox.DefaultLimits())
	return store, nil
}

// serveMail sets or removes the protocol's handler, once the node is up.
func (n *Node) serveMail() {
	n.mu.Lock()
	h, server, on := n.host, n.keep.server, n.keep.on
	n.mu.Unlock()
	switch {
	case h == nil:
	case on:
		n.serve(h, mailbox.ID, func(ctx context.Context, _ *link, s network.Stream) error { return server.Serve(ctx, s) })
	default:
		h.RemoveStreamHandler(mailbox.ID)
		n.endMail(h)
	}
}

// endMail ends what others do at the mailbox.
func (n *Node) endMail(h host.Host) {
	for _, c := range h.Network().Conns() {
		for _, s := range c.GetStreams() {
			if s.Protocol() == mailbox.ID && s.Stat().Direction == network.DirInbound {
				_ = s.Reset()
			}
		}
	}
}

// MailKept tells what this machine keeps; nothing before KeepMail was first called
// with a token.
func (n *Node) MailKept(ctx context.Context) (mailbox.Kept, error) {
	n.mu.Lock()
	server := n.keep.server
	n.mu.Unlock()
	if server == nil {
		return mailbox.Kept{}, nil
	}
	k, err := server.Kept(ctx)
	if err != nil {
		return k, fmt.Errorf("node: mail kept: %w", err)
	}
	return k, nil
}

// closeMail closes the store at the end of Run.
func (n *Node) closeMail() error {
	n.mu.Lock()
	store := n.keep.store
	n.keep.store, n.keep.server, n.keep.on = nil, nil, false
	n.mu.Unlock()
	if store == nil {
		return nil
	}
	if err := store.Close(); err != nil {
		return fmt.Errorf("node: close mail: %w", err)
	}
	return nil
}

// usesMailLocked tells whether a machine uses the mailbox on this one: it has proven
// a token, or has a stream open, which does not stay idle for long.
func (n *Node) usesMailLocked(l *link) bool {
	if !n.keep.on {
		return false
	}
	if n.keep.server.Authorised(l.id) {
		return true
	}
	for c := range l.conns {
		for _, s := range c.GetStreams() {
			if s.Protocol() == mailbox.ID && s.Stat().Direction == network.DirInbound && time.Since(s.Stat().Opened) < mailGrace {
				return true
			}
		}
	}
	return false
}

// mailGrace is for how long the stream of somebody without a token keeps a
// connection that nothing else keeps.
const mailGrace = 10 * time.Minute
