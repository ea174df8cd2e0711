//go:build !windows

package files

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// folder is one of the person's own folders: the desktop's choice, else the usual
// name.
func folder(home, xdg, usual string) string {
	if d := xdgDir(home, xdg); d != "" {
		return d
	}
	return filepath.Join(home, usual)
}

// xdgDir reads a folder from the desktop's own list (xdg-user-dirs), "" if it is
// not there.
func xdgDir(home, name string) string {
	config := os.Getenv("XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(home, ".config")
	}
	f, err := os.Open(filepath.Join(config, "user-dirs.dirs"))
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // it was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		value, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "XDG_"+name+"_DIR=")
		if !ok {
			continue
		}
		path := strings.ReplaceAll(strings.Trim(value, `"`), "$HOME", home)
		if filepath.IsAbs(path) {
			return filepath.Clean(path)
		}
	}
	return ""
}
