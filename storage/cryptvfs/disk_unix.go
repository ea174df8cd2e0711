//go:build unix

package cryptvfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// lock uses flock: unlike fcntl's locks it belongs to this descriptor and is not
// lost when something else in the process opens and closes the file.
func (f systemFile) lock() error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = raw.Control(func(fd uintptr) {
		lockErr = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB)
	})
	if errors.Is(lockErr, unix.EWOULDBLOCK) {
		return fmt.Errorf("cryptvfs: %w", ErrLocked)
	}
	return errors.Join(err, lockErr)
}

// isFull reports whether there is no space left, or none of this user's share.
func isFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// canNotSync reports whether this file system does not sync folders at all.
func canNotSync(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP)
}
