package files

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

// drivePaths are the drives besides the one that Windows is on.
func drivePaths() []string {
	mask, err := windows.GetLogicalDrives()
	if err != nil {
		return nil
	}
	var out []string
	for i := range 26 {
		root := string(rune('A'+i)) + `:\`
		if mask&(1<<i) == 0 || strings.EqualFold(root[:2], os.Getenv("SystemDrive")) {
			continue
		}
		name, err := windows.UTF16PtrFromString(root)
		if err != nil {
			continue
		}
		switch windows.GetDriveType(name) {
		case windows.DRIVE_FIXED, windows.DRIVE_REMOVABLE, windows.DRIVE_REMOTE:
			out = append(out, root)
		}
	}
	return out
}

// SameDrive reports whether two folders lie on one drive.
func SameDrive(a, b string) bool {
	return strings.EqualFold(filepath.VolumeName(a), filepath.VolumeName(b))
}
