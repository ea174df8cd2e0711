package cryptvfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
)

// lock takes a byte far beyond any content: Windows lets nobody else read or write
// what is locked, and backups are to read the file.
func (f systemFile) lock() error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = raw.Control(func(fd uintptr) {
		at := windows.Overlapped{OffsetHigh: 1 << 30}
		const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
		lockErr = windows.LockFileEx(windows.Handle(fd), flags, 0, 1, 0, &at)
	})
	if errors.Is(lockErr, windows.ERROR_LOCK_VIOLATION) || errors.Is(lockErr, windows.ERROR_IO_PENDING) {
		return fmt.Errorf("cryptvfs: %w", ErrLocked)
	}
	return errors.Join(err, lockErr)
}

// isFull reports whether there is no space left, or none of this user's share.
func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

// canNotSync: Windows keeps names durable by itself and refuses to sync folders.
func canNotSync(error) bool { return true }
