package uitest

import (
	"context"

	"github.com/kuvert-im/kuvert/app/core"
)

// Backups is what the client knows of backups; a test sets it before the screens ask.
type Backups struct {
	Status core.BackupStatus
	Size   core.BackupSize
	Report core.BackupReport
	Setup  core.BackupSetup // as SetBackup was last given it
	Err    error            // of whatever writes
}

// BackupSize implements core.Backups.
func (b *Backups) BackupSize(context.Context) (core.BackupSize, error) { return b.Size, nil }

// Backup implements core.Backups.
func (b *Backups) Backup(context.Context, core.BackupOptions) (core.BackupReport, error) {
	return b.Report, b.Err
}

// BackupNow implements core.Backups.
func (b *Backups) BackupNow(context.Context) (core.BackupReport, error) { return b.Report, b.Err }

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
func (b *Backups) Move(context.Context, core.BackupOptions) (core.BackupReport, error) {
	return b.Report, b.Err
}
