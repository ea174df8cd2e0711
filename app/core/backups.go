package core

import (
	"context"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Backups is about keeping everything of this profile safe somewhere else.
type Backups interface {
	// BackupSize tells what a backup would hold, before one is made.
	BackupSize(ctx context.Context) (BackupSize, error)
	// Backup writes all of the profile into one age file that the passphrase opens,
	// while it is in use, and reads it back. A file of that name is replaced once the
	// new one is whole. It takes about a minute for a million messages. Errors:
	// chat.ErrPassphraseShort, chat.ErrBackupFolder, chat.ErrBackupRunning,
	// chat.ErrDiskFull, chat.ErrMoved, and the system's.
	Backup(ctx context.Context, o BackupOptions) (BackupReport, error)
	// BackupNow adds to the automatic backup. Errors as of Backup;
	// chat.ErrNotFound if none is set up.
	BackupNow(ctx context.Context) (BackupReport, error)
	// BackupStatus tells how it stands with the automatic backup.
	BackupStatus(ctx context.Context) (BackupStatus, error)
	// SetBackup sets the automatic backup up: the folder, an absolute path, its
	// passphrase ("" keeps the one there is), and whether it holds files. An empty
	// folder ends it; what it has written stays.
	SetBackup(ctx context.Context, s BackupSetup) error
	// Move makes a backup with everything, for another computer, and seals this
	// profile: it can be read and sends and receives nothing any more. If the backup
	// fails, nothing has changed. A profile that has moved writes its backup once more:
	// the file may have been lost on the way. Errors as of Backup but chat.ErrMoved.
	Move(ctx context.Context, o BackupOptions) (BackupReport, error)
}

// BackupSize is what a backup would hold.
type BackupSize struct {
	Messages  int64 `json:"messages"`
	Files     int   `json:"files"`
	FileBytes int64 `json:"file_bytes"` // what they add to the backup
}

// BackupOptions say what to write where.
type BackupOptions struct {
	Path       string `json:"path"` // absolute
	Passphrase string `json:"passphrase"`
	Files      bool   `json:"files"` // with the files of the messages
}

// String keeps the passphrase out of texts.
func (BackupOptions) String() string { return "[backup options]" }

// GoString keeps the passphrase out of formatted text.
func (BackupOptions) GoString() string { return "[backup options]" }

// BackupReport is what was written.
type BackupReport struct {
	Path          string    `json:"path"`
	MadeAt        time.Time `json:"made_at"`
	Full          bool      `json:"full"` // false: what is new since the one before
	Size          int64     `json:"size"` // bytes
	Contacts      int64     `json:"contacts"`
	Conversations int64     `json:"conversations"`
	Messages      int64     `json:"messages"`
	Waiting       int64     `json:"waiting"` // not yet acknowledged by their recipients
	Files         int64     `json:"files"`
}

// BackupSetup is the automatic backup as this person wants it.
type BackupSetup struct {
	Folder     string `json:"folder"`
	Files      bool   `json:"files"`
	Passphrase string `json:"passphrase"`
}

// String keeps the passphrase out of texts.
func (BackupSetup) String() string { return "[backup setup]" }

// GoString keeps the passphrase out of formatted text.
func (BackupSetup) GoString() string { return "[backup setup]" }

// BackupStatus is how it stands with the automatic backup.
type BackupStatus struct {
	On     bool      `json:"on"`
	Folder string    `json:"folder"`
	Files  bool      `json:"files"`
	Last   time.Time `json:"last"` // the last one that was verified; zero: none yet
	Size   int64     `json:"size"` // of that file, bytes
	Next   time.Time `json:"next"` // zero: as soon as it can be
	Once   time.Time `json:"once"` // the last one that Backup wrote; zero: none yet
	// Running says that one is being written now, Percent how far it is, its being read
	// back included; Trouble why the last attempt came to nothing.
	Running bool          `json:"running"`
	Percent int           `json:"percent"`
	Trouble BackupTrouble `json:"trouble"`
	// Overdue says that there was none for BackupWarn, or that none was ever set up
	// though there is something to lose.
	Overdue bool `json:"overdue"`
	// Moved says that this profile has moved to another computer, and is sealed.
	// MovedAt is when, MovedTo the file that was written for that; both may be unknown.
	Moved   bool      `json:"moved"`
	MovedAt time.Time `json:"moved_at"`
	MovedTo string    `json:"moved_to"`
}

// BackupTrouble is why no backup could be made. The screens translate it.
type BackupTrouble string

// The troubles.
const (
	BackupFine       BackupTrouble = ""
	BackupNoFolder   BackupTrouble = "no_folder"   // not there: a USB disk, a network drive; it waits
	BackupDiskFull   BackupTrouble = "disk_full"   // there
	BackupNotAllowed BackupTrouble = "not_allowed" // may not write there
	BackupFailed     BackupTrouble = "failed"      // the log says more
)

// The keys of the automatic backup's settings. SetBackup alone changes them.
const (
	SettingBackupFolder = "backup_folder"
	SettingBackupFiles  = "backup_attachments" // bool
)

// The automatic backup's times.
const (
	BackupEvery = 24 * time.Hour
	// BackupWarn is after how long without one a person is warned.
	BackupWarn = 7 * 24 * time.Hour
	// backupFull is for how long increments follow a full backup.
	backupFull = 30 * 24 * time.Hour
	// backupKeep is for how long a chain is kept after its last file.
	backupKeep = 61 * 24 * time.Hour
	// backupLook is how often is looked whether one is due, and whether a folder that
	// was not there is there now.
	backupLook = 10 * time.Minute
	// backupFirst is how long after the start the first look is.
	backupFirst = 2 * time.Minute
	// maxIncrements bounds a chain.
	maxIncrements = 99
)

// MinBackupPassphrase is the least length of a backup's passphrase in characters:
// whoever finds the file can try as often as they like.
const MinBackupPassphrase = 8

// BackupReads is what a backup reads of the store besides ReadTx.
type BackupReads interface {
	// LastMessage is the number of the message stored last.
	LastMessage() (int64, error)
	// StoredMessages are messages with after < number <= last, in the order in which
	// they were stored, without their files.
	StoredMessages(after, last int64, limit int) ([]chat.StoredMessage, error)
	// Deleted are ids of deleted messages, in their order, from after one on.
	Deleted(after chat.MessageID, limit int) ([]chat.MessageID, error)
	// HeldFiles counts the sealed files that are here.
	HeldFiles() (count int, bytes int64, err error)
}

// BackupWrites is what a restore writes.
type BackupWrites interface {
	// RestoreMessages stores messages as they were; of those that are there only
	// state and unread change. Those of no conversation, and those that were deleted,
	// are passed over.
	RestoreMessages(all []chat.StoredMessage) (added int, err error)
	// RestoreConversation sets read mark and time, and counts the messages; no new one
	// will stand before lastPlace.
	RestoreConversation(c chat.Conversation, lastPlace uint64) error
	// PutDeleted notes messages as deleted: they stay away when they come again.
	PutDeleted(ids []chat.MessageID) error
}
