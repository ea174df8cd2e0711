package core

import "context"

// Diagnose implements Insight.
func (c *Core) Diagnose(context.Context) ([]Check, error) { return nil, nil }
