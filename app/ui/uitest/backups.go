package uitest

import (
	"context"
	"errors"

	"github.com/kuvert-im/kuvert/app/core"
)

// Backups is what the client knows of backups; a test sets it before the screens ask.
type Backups struct {
	Status  core.BackupStatus
	Size    core.BackupSize
	Report  core.BackupReport
	Setup   core.BackupSetup   // as SetBackup was last given it
	Options core.BackupOptions // as Backup or Move was last given them
	Err     error              // of whatever writes
}

// BackupSize implements core.Backups.
func (b *Backups) BackupSize(context.Context) (core.BackupSize, error) { return b.Size, nil }

// Backup implements core.Backups.
func (b *Backups) Backup(ctx context.Context, o core.BackupOptions) (core.BackupReport, error) {
	b.Options = o
	return b.Report, errors.Join(b.Err, ctx.Err())
}

// BackupNow implements core.Backups.
func (b *Backups) BackupNow(ctx context.Context) (core.BackupReport, error) {
	return b.Report, errors.Join(b.Err, ctx.Err())
}

// BackupStatus implements core.Backups.
func (b *Backups) BackupStatus(context.Context) (core.BackupStatus, error) { return b.Status, nil }

// SetBackup implements core.Backups.
func (b *Backups) SetBackup(_ context.Context, s core.BackupSetup) error {
	if b.Err == nil {
		b.Setup = s
	}
	return b.Err
}

// Move implements core.Backups.
func (b *Backups) Move(_ context.Context, o core.BackupOptions) (core.BackupReport, error) {
	b.Options = o
	return b.Report, b.Err
}
