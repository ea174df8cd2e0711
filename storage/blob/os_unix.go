//go:build unix

package blob

import (
	"errors"
	"os"
	"syscall"
)

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// syncDir makes new names in a folder durable; some file systems do so by
// themselves and refuse.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the profile's own folder
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // only read
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
