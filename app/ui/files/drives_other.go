//go:build !windows

package files

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// drivePatterns are where systems put drives that are plugged in or connected.
func drivePatterns() []string {
	return []string{
		"/media/*", "/media/*/*", "/run/media/*/*", "/mnt/*", "/Volumes/*",
		"/run/user/" + strconv.Itoa(os.Getuid()) + "/gvfs/*",
	}
}

// drivePaths are the folders there that are another device than the one above them.
func drivePaths() []string {
	var out []string
	for _, pattern := range drivePatterns() {
		found, _ := filepath.Glob(pattern) // the patterns are right
		for _, path := range found {
			if d, ok := device(path); ok && !sameDevice(filepath.Dir(path), d) {
				out = append(out, path)
			}
		}
	}
	return out
}

func device(path string) (uint64, bool) {
	st, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return uint64(sys.Dev), true //nolint:gosec,unconvert,nolintlint // of another type on macOS
}

func sameDevice(path string, d uint64) bool {
	other, ok := device(path)
	return ok && other == d
}

// SameDrive reports whether two folders lie on one drive.
func SameDrive(a, b string) bool {
	d, ok := device(a)
	return ok && sameDevice(b, d)
}
