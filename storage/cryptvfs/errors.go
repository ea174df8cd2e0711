package cryptvfs

import "errors"

// Errors of Open, Check, Verify, Copy and Close.
var (
	// ErrWrongKey: the database was made with another key.
	ErrWrongKey = errors.New("wrong key for this database")
	// ErrNotEncrypted: the file is not a database of this format.
	ErrNotEncrypted = errors.New("not an encrypted database")
	// ErrNewerFormat: a later version of the format, which this one cannot read.
	ErrNewerFormat = errors.New("database is of a newer format")
	// ErrDamaged: the file or its WAL is not what was written.
	ErrDamaged = errors.New("database is damaged")
	// ErrLocked: another process, or another Open, has the database.
	ErrLocked = errors.New("database is in use")
	// ErrFull: no space is left on the disk.
	ErrFull = errors.New("disk is full")
	// ErrInUse: a connection is still open.
	ErrInUse = errors.New("connections are still open")
	// ErrWALNotEmpty: Copy needs a WAL that was folded into the database.
	ErrWALNotEmpty = errors.New("WAL is not empty")
)
