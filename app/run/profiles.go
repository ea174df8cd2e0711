package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// profilesSuffix makes the name of the list of profiles of the default folder's. It
// holds the folder of each profile that a passphrase or the keyring opens, one a
// line: a keyring opens to whoever uses this login, so that it is enough for one
// profile alone.
const profilesSuffix = "-profiles"

// maxProfiles bounds the list in bytes. What is beyond is not looked at.
const maxProfiles = 64 << 10

func profilesPath() (path, home string, err error) {
	home, err = DefaultDir()
	return home + profilesSuffix, home, err
}

// otherProfiles reports whether this login has a profile in another folder than dir.
// Folders where there is none any more do not count.
func otherProfiles(dir string) (bool, error) {
	path, home, err := profilesPath()
	if err != nil {
		return false, err
	}
	listed, err := listProfiles(path)
	if err != nil {
		return false, err
	}
	for _, other := range append(listed, home) {
		if other == dir || sameFolder(other, dir) {
			continue
		}
		if there, err := exists(filepath.Join(other, vaultFile)); there && err == nil {
			return true, nil
		}
	}
	return false, nil
}

func listProfiles(path string) ([]string, error) {
	b, err := readBounded(path, maxProfiles)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("run: list of profiles: %w", explain(err))
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimRight(line, "\r\n"); filepath.IsAbs(line) {
			out = append(out, line)
		}
	}
	return out, nil
}

// sameFolder: a folder may have two paths.
func sameFolder(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// rememberProfile writes dir into the list unless it is there.
func rememberProfile(dir string) error {
	path, _, err := profilesPath()
	if err != nil {
		return err
	}
	listed, err := listProfiles(path)
	if err != nil || slices.Contains(listed, dir) || strings.ContainsAny(dir, "\r\n") {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("run: list of profiles: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // beside the default folder
	if err != nil {
		return fmt.Errorf("run: list of profiles: %w", err)
	}
	_, err = f.WriteString(dir + "\n")
	return errors.Join(err, f.Close())
}
