package mailstore

import (
	"errors"
	"fmt"

	modernc "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Denied is an error that a client is told: its number is the protocol's answer
// (p2p/mailbox). Nothing was changed.
type Denied byte

// What a client is denied.
const (
	// ErrRefused: the token is not valid, or a known id was given another content.
	ErrRefused Denied = 1
	// ErrFull: the queue or its account's quota is full.
	ErrFull Denied = 2
	// ErrNotFound: there is no such queue or page, or the capability does not fit.
	ErrNotFound Denied = 3
)

// Answer is the protocol's answer.
func (d Denied) Answer() byte { return byte(d) }

func (d Denied) Error() string {
	switch d {
	case ErrRefused:
		return "mailstore: refused"
	case ErrFull:
		return "mailstore: full"
	default:
		return "mailstore: not found"
	}
}

// Errors that no client is told.
var (
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("mailstore: closed")
	// ErrIO: the disk did not read or write as it should.
	ErrIO = errors.New("mailstore: disk error")
	// ErrStopped: an earlier I/O error or damage ended all writing. It comes with
	// that error.
	ErrStopped = errors.New("mailstore: writing has stopped")
)

// sentinels translates SQLite's primary result codes.
var sentinels = map[int]error{
	sqlite3.SQLITE_FULL:     chat.ErrDiskFull,
	sqlite3.SQLITE_CORRUPT:  chat.ErrCorrupt,
	sqlite3.SQLITE_NOTADB:   chat.ErrCorrupt,
	sqlite3.SQLITE_BUSY:     chat.ErrProfileBusy,
	sqlite3.SQLITE_LOCKED:   chat.ErrProfileBusy,
	sqlite3.SQLITE_READONLY: chat.ErrReadOnly,
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
		return fmt.Errorf("mailstore: %w: %w", chat.ErrDiskFull, err)
	}
	if se.Code() == sqlite3.SQLITE_IOERR_DATA {
		// A page or a record of the WAL does not open under the key.
		return fmt.Errorf("mailstore: %w: %w", chat.ErrCorrupt, err)
	}
	if s, ok := sentinels[se.Code()&0xff]; ok {
		return fmt.Errorf("mailstore: %w: %w", s, err)
	}
	return fmt.Errorf("mailstore: %w", err)
}

// stops reports whether err means that nothing more may be written.
func stops(err error) bool { return errors.Is(err, ErrIO) || errors.Is(err, chat.ErrCorrupt) }
