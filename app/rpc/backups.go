package rpc

import (
	"context"

	"github.com/kuvert-im/kuvert/app/core"
)

// BackupSize implements core.Backups.
func (c *Client) BackupSize(ctx context.Context) (core.BackupSize, error) {
	return ask[core.BackupSize](ctx, c, "BackupSize")
}

// Backup implements core.Backups.
func (c *Client) Backup(ctx context.Context, o core.BackupOptions) (core.BackupReport, error) {
	return ask[core.BackupReport](ctx, c, "Backup", o)
}

// BackupNow implements core.Backups.
func (c *Client) BackupNow(ctx context.Context) (core.BackupReport, error) {
	return ask[core.BackupReport](ctx, c, "BackupNow")
}

// BackupStatus implements core.Backups.
func (c *Client) BackupStatus(ctx context.Context) (core.BackupStatus, error) {
	return ask[core.BackupStatus](ctx, c, "BackupStatus")
}

// SetBackup implements core.Backups.
func (c *Client) SetBackup(ctx context.Context, s core.BackupSetup) error {
	return tell(ctx, c, "SetBackup", s)
}

// Move implements core.Backups.
func (c *Client) Move(ctx context.Context, o core.BackupOptions) (core.BackupReport, error) {
	return ask[core.BackupReport](ctx, c, "Move", o)
}
