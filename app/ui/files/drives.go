package files

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Drives are the drives that are not the computer's own: USB disks and network
// drives, by name. It asks them, which may take a while with one that does not answer.
func Drives() []Place {
	var out []Place
	for _, path := range drivePaths() {
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			out = append(out, Place{Name: driveName(path), Path: path})
		}
	}
	slices.SortFunc(out, func(a, b Place) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return out
}

// driveName is what a drive is called: its folder's name, or of a network drive of
// the desktop's the share and the machine.
func driveName(path string) string {
	base := filepath.Base(path)
	_, rest, ok := strings.Cut(base, ":")
	if !ok || !strings.Contains(rest, "=") {
		if base == string(filepath.Separator) {
			return path
		}
		return base
	}
	parts := map[string]string{}
	for _, pair := range strings.Split(rest, ",") {
		k, v, _ := strings.Cut(pair, "=")
		parts[k] = v
	}
	switch share, host := parts["share"], parts["server"]+parts["host"]; {
	case share != "" && host != "":
		return share + " (" + host + ")"
	case host != "":
		return host
	}
	return base
}
