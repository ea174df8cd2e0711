package chat

import "errors"

// Errors about backups that a caller decides on.
var (
	ErrBackupPassphrase = errors.New("passphrase does not open the backup")
	ErrBackupDamaged    = errors.New("backup is damaged or incomplete")
	ErrBackupVersion    = errors.New("backup was written by a newer version")
	ErrNotBackup        = errors.New("not a backup of Kuvert")
	ErrBackupPart       = errors.New("an earlier part of the backup is missing")
	ErrBackupFolder     = errors.New("folder for backups is not there")
	ErrBackupRunning    = errors.New("a backup is being made already")
	ErrMoved            = errors.New("profile has moved to another computer")
)

// StoredMessage is a message with what only the store and a backup of it know.
type StoredMessage struct {
	// Num grows with every message that is stored; no number comes twice.
	Num int64
	Message
	Unread bool
}
