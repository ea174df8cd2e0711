//go:build unix

package sqlite

import (
	"errors"
	"syscall"
)

// canNotSync reports whether this file system does not sync folders at all.
func canNotSync(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP)
}

// isReadOnly reports whether the file system is mounted read-only.
func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
