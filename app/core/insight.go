package core

import (
	"context"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Contacted implements Insight.
func (c *Core) Contacted(context.Context) ([]Contacted, error) { return nil, nil }

// Traffic implements TransportHandler.
func (c *Core) Traffic(chat.ContactKind, string, HostKey, string) {}
