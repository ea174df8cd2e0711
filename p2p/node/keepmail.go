package node

import (
	"context"

	"github.com/kuvert-im/kuvert/p2p/mailbox"
)

// KeepMail makes this machine a mailbox for the holders of the tokens.
func (n *Node) KeepMail(context.Context, [][32]byte) error { return nil }

// MailKept tells what this machine keeps.
func (n *Node) MailKept(context.Context) (mailbox.Kept, error) { return mailbox.Kept{}, nil }
