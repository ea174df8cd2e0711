// Package files is how the screens open and save files: a picker in the window's
// own look that shows the newest first, for what somebody opens here has usually
// just arrived, and saving into the person's own folder for downloads.
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// Place is a folder that people know by a name.
type Place struct {
	Key  string // of its name in the translations; "" of a drive
	Name string // of a drive
	Path string
}

// Places lists the person's own folders, as far as there are any.
func Places() []Place {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	all := []Place{
		{Key: "screens.files.downloads", Path: folder(home, "DOWNLOAD", "Downloads")},
		{Key: "screens.files.pictures", Path: folder(home, "PICTURES", "Pictures")},
		{Key: "screens.files.desktop", Path: folder(home, "DESKTOP", "Desktop")},
		{Key: "screens.files.documents", Path: folder(home, "DOCUMENTS", "Documents")},
		{Key: "screens.files.home", Path: home},
	}
	var out []Place
	for _, p := range all {
		if st, err := os.Stat(p.Path); err == nil && st.IsDir() && (p.Path != home || p.Key == "screens.files.home") {
			out = append(out, p)
		}
	}
	return out
}

// maxNames is how many names Save tries before it gives up.
const maxNames = 1000

// Save writes data into the person's folder for downloads, or into their home
// folder, under name or, if that is taken, "name (2)" and so on. It overwrites
// nothing and returns the path.
func Save(name string, data []byte) (string, error) {
	dir, err := saveDir()
	if err != nil {
		return "", fmt.Errorf("files: %w", err)
	}
	return saveIn(dir, name, data)
}

// FreePath is a path among what this person downloads, or in their home folder, that
// no file has yet. Its file's name is name, or name with a number.
func FreePath(name string) (string, error) {
	dir, err := saveDir()
	if err != nil {
		return "", fmt.Errorf("files: %w", err)
	}
	for path := range pathsFor(dir, name) {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
	}
	return "", fmt.Errorf("files: no name is free: %w", fs.ErrExist)
}

func saveDir() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	if d := folder(home, "DOWNLOAD", "Downloads"); d != home {
		if st, err := os.Stat(d); err == nil && st.IsDir() {
			return d, nil
		}
	}
	return home, nil
}

// pathsFor yields the paths to try in a folder: name, then name with a number.
func pathsFor(dir, name string) iter.Seq[string] {
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	return func(yield func(string) bool) {
		for i := 1; i <= maxNames; i++ {
			if i > 1 {
				name = fmt.Sprintf("%s (%d)%s", stem, i, ext)
			}
			if !yield(filepath.Join(dir, name)) {
				return
			}
		}
	}
}

func saveIn(dir, name string, data []byte) (string, error) {
	for path := range pathsFor(dir, name) {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("files: save: %w", err)
		}
		_, err = f.Write(data)
		if err = errors.Join(err, f.Close()); err != nil {
			return "", fmt.Errorf("files: save: %w", errors.Join(err, os.Remove(path)))
		}
		return path, nil
	}
	return "", fmt.Errorf("files: %d names are taken: %w", maxNames, fs.ErrExist)
}
