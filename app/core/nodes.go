package core

import (
	"context"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Nodes implements Nodes.
func (c *Core) Nodes(context.Context) ([]NodeInfo, error) { return nil, nil }

// AddNode implements Nodes.
func (c *Core) AddNode(context.Context, string) (NodeInfo, error) {
	return NodeInfo{}, chat.ErrUnsupported
}

// RemoveNode implements Nodes.
func (c *Core) RemoveNode(context.Context, string) error { return chat.ErrUnsupported }

// KeptMail implements Insight.
func (c *Core) KeptMail(context.Context) (KeptMail, error) { return KeptMail{}, nil }

// NodeChanged implements TransportHandler.
func (c *Core) NodeChanged(HostKey) {}
