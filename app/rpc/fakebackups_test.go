package rpc

import (
	"context"

	"github.com/kuvert-im/kuvert/app/core"
)

func (f *fakeCore) BackupSize(ctx context.Context) (core.BackupSize, error) {
	return reply[core.BackupSize](f, ctx, "BackupSize")
}

func (f *fakeCore) Backup(ctx context.Context, o core.BackupOptions) (core.BackupReport, error) {
	return reply[core.BackupReport](f, ctx, "Backup", o)
}

func (f *fakeCore) BackupNow(ctx context.Context) (core.BackupReport, error) {
	return reply[core.BackupReport](f, ctx, "BackupNow")
}

func (f *fakeCore) BackupStatus(ctx context.Context) (core.BackupStatus, error) {
	return reply[core.BackupStatus](f, ctx, "BackupStatus")
}

func (f *fakeCore) SetBackup(ctx context.Context, s core.BackupSetup) error {
	return f.note(ctx, "SetBackup", s)
}

func (f *fakeCore) Move(ctx context.Context, o core.BackupOptions) (core.BackupReport, error) {
	return reply[core.BackupReport](f, ctx, "Move", o)
}
