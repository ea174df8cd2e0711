package sqlite

import (
	"errors"
	"fmt"
	"io/fs"

	modernc "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

// Errors beside those of app/chat.
var (
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store is closed")
	// ErrTxDone: a transaction was used after its function had returned.
	ErrTxDone = errors.New("transaction has ended")
	// ErrReadOnly: the profile's folder or database cannot be written.
	ErrReadOnly = errors.New("profile folder cannot be written")
	// ErrIO: the disk did not read or write as it should.
	ErrIO = errors.New("disk error")
	// ErrStopped: an earlier I/O error or damage ended all writing. It comes
	// together with that error.
	ErrStopped = errors.New("store has stopped writing")
	// ErrRange: a number is beyond what can be stored.
	ErrRange = errors.New("number is out of range")
	// ErrDuplicate: a message has an outbox item already.
	ErrDuplicate = errors.New("stored already")
)

// sentinels translates SQLite's primary result codes.
var sentinels = map[int]error{
	sqlite3.SQLITE_FULL:     chat.ErrDiskFull,
	sqlite3.SQLITE_CORRUPT:  chat.ErrCorrupt,
	sqlite3.SQLITE_NOTADB:   chat.ErrCorrupt,
	sqlite3.SQLITE_BUSY:     chat.ErrProfileBusy,
	sqlite3.SQLITE_LOCKED:   chat.ErrProfileBusy,
	sqlite3.SQLITE_READONLY: ErrReadOnly,
	sqlite3.SQLITE_PERM:     ErrReadOnly,
	sqlite3.SQLITE_IOERR:    ErrIO,
}

// classify adds the sentinel a caller can decide on to an error of the driver.
func classify(err error) error {
	var se *modernc.Error
	if !errors.As(err, &se) {
		return err
	}
	if se.Code() == sqlite3.SQLITE_IOERR_SHMSIZE {
		// The wal-index could not grow: there is no space for it.
		return fmt.Errorf("sqlite: %w: %w", chat.ErrDiskFull, err)
	}
	if se.Code() == sqlite3.SQLITE_IOERR_DATA {
		// A page or a record of the WAL does not open under the key.
		return fmt.Errorf("sqlite: %w: %w", chat.ErrCorrupt, err)
	}
	if s, ok := sentinels[se.Code()&0xff]; ok {
		return fmt.Errorf("sqlite: %w: %w", s, err)
	}
	return fmt.Errorf("sqlite: %w", err)
}

// fileSentinels translates the encrypted file's errors.
var fileSentinels = []struct{ of, to error }{
	{cryptvfs.ErrWrongKey, chat.ErrWrongPassphrase},
	{cryptvfs.ErrNotEncrypted, chat.ErrCorrupt},
	{cryptvfs.ErrDamaged, chat.ErrCorrupt},
	{cryptvfs.ErrNewerFormat, chat.ErrNewerSchema},
	{cryptvfs.ErrLocked, chat.ErrProfileBusy},
	{cryptvfs.ErrFull, chat.ErrDiskFull},
	{fs.ErrPermission, ErrReadOnly},
}

// classifyFile adds the sentinel to an error of the encrypted file or of the
// system below it.
func classifyFile(err error) error {
	for _, s := range fileSentinels {
		if errors.Is(err, s.of) {
			return fmt.Errorf("sqlite: %w: %w", s.to, err)
		}
	}
	if isReadOnly(err) {
		return fmt.Errorf("sqlite: %w: %w", ErrReadOnly, err)
	}
	return fmt.Errorf("sqlite: database: %w", err)
}

// stops reports whether err means that nothing more may be written.
func stops(err error) bool {
	return errors.Is(err, ErrIO) || errors.Is(err, chat.ErrCorrupt)
}
