package backup

import (
	"context"
	"errors"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

var sentences = []struct {
	err error
	key string
}{
	{chat.ErrBackupPassphrase, "backup.wrong.passphrase"},
	{chat.ErrBackupPart, "backup.wrong.part"},
	{chat.ErrBackupDamaged, "backup.wrong.damaged"},
	{chat.ErrBackupVersion, "backup.wrong.version"},
	{chat.ErrNotBackup, "backup.wrong.not"},
	{chat.ErrBackupRunning, "backup.busy"},
	{chat.ErrPassphraseShort, "protect.hint.short"},
	{chat.ErrDiskFull, "backup.failed.full"},
	{chat.ErrReadOnly, "backup.failed.readonly"},
	{chat.ErrBackupFolder, "backup.failed.folder"},
	{chat.ErrMoved, "backup.moved.no"},
	{context.Canceled, "backup.canceled"},
}

// Sentence says why nothing was written or restored, and what to do.
func Sentence(err error) string {
	for _, s := range sentences {
		if errors.Is(err, s.err) {
			return parts.T(s.key, parts.With("N", core.MinBackupPassphrase))
		}
	}
	return parts.T("backup.failed")
}

// troubles say why the automatic backup was not written, by their keys.
var troubles = map[core.BackupTrouble]string{
	core.BackupNoFolder:   "backup.trouble.folder",
	core.BackupDiskFull:   "backup.trouble.full",
	core.BackupNotAllowed: "backup.trouble.readonly",
	core.BackupFailed:     "backup.trouble.failed",
}

// soon is a time to come, said by its distance from now.
func soon(t, now time.Time) string {
	clock := parts.With("Time", t.Local().Format("15:04"))
	y, m, d := now.Local().Date()
	switch tomorrow := time.Date(y, m, d+1, 0, 0, 0, 0, time.Local); {
	case t.Before(tomorrow) || !t.Before(tomorrow.AddDate(0, 0, 1)):
		return parts.Moment(t, now)
	default:
		return parts.T("backup.tomorrow", clock)
	}
}

// bytesOfNothing and bytesOfMessage are what a backup without files takes:
// docs/backup-format.md has the measurement.
const (
	bytesOfNothing = 10_000
	bytesOfMessage = 80
)

// sizeWithout is about how large a backup without files is, in bytes.
func sizeWithout(s core.BackupSize) int64 { return bytesOfNothing + bytesOfMessage*s.Messages }

// sizeWith is about how large one with files is.
func sizeWith(s core.BackupSize) int64 { return sizeWithout(s) + s.FileBytes }
