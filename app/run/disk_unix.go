//go:build !windows

package run

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// diskFree is how many bytes this user may still write where a folder lies.
func diskFree(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("run: free space: %w", err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:gosec,unconvert // the types differ between systems
}
