//go:build !windows

package run

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// private reports whether nobody else may read or change a file of that mode.
func private(m fs.FileMode) bool { return m.Perm()&0o077 == 0 }

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // a folder of the profile
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
