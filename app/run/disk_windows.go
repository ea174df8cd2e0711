package run

import (
	"fmt"

	"golang.org/x/sys/windows"
)

// diskFree is how many bytes this user may still write where a folder lies.
func diskFree(dir string) (int64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, fmt.Errorf("run: free space: %w", err)
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, fmt.Errorf("run: free space: %w", err)
	}
	return int64(min(free, 1<<62)), nil //nolint:gosec // bounded
}
