package backup

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Suffix is how backups end.
const Suffix = ".age"

// Part is a file in a folder of automatic backups, as its name tells. What counts is
// the header inside.
type Part struct {
	Path   string
	Chain  string // the first 12 characters of the chain's id
	Number int
	Day    string // 20261123
}

const chainShown = 12

var partName = regexp.MustCompile(`^kuvert-([0-9]{8})-([0-9a-f]{12})-([0-9]{3})\.age$`)

// Name is what a file of a chain is called: its day, its chain and its place. In a
// folder, files of one day and chain stand in their order.
func Name(day time.Time, chain string, number int) string {
	return fmt.Sprintf("kuvert-%s-%s-%03d%s", day.Format("20060102"), chain[:min(len(chain), chainShown)], number, Suffix)
}

// parsePart reads a name.
func parsePart(path string) (Part, bool) {
	m := partName.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return Part{}, false
	}
	n, _ := strconv.Atoi(m[3]) // three digits
	return Part{Path: path, Day: m[1], Chain: m[2], Number: n}, true
}

// List returns the files of automatic backups in a folder, by chain and place.
func List(dir string) ([]Part, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", chat.ErrBackupFolder, err)
	}
	if err != nil {
		return nil, fmt.Errorf("backup: folder: %w", err)
	}
	var all []Part
	for _, e := range entries {
		if p, ok := parsePart(filepath.Join(dir, e.Name())); ok && e.Type().IsRegular() {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Part) int {
		if a.Chain != b.Chain {
			if a.Chain < b.Chain {
				return -1
			}
			return 1
		}
		return a.Number - b.Number
	})
	return all, nil
}

// Parts returns the files that a restore has to read, in their order. path is a
// single backup; or a file of an automatic one, which needs those of its chain
// before it; or a folder of them, of which the newest chain is meant.
// chat.ErrBackupPart if one of that is missing.
func Parts(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if info.IsDir() {
		return newest(path)
	}
	p, ok := parsePart(path)
	if !ok || p.Number == 0 {
		return []string{path}, nil
	}
	all, err := List(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	chain := unbroken(all, p.Chain)
	if len(chain) <= p.Number {
		return nil, fmt.Errorf("backup: number %d: %w", len(chain), chat.ErrBackupPart)
	}
	return chain[:p.Number+1], nil
}

// unbroken returns the files of a chain up to the first that is missing.
func unbroken(all []Part, chain string) (paths []string) {
	for _, p := range all {
		if p.Chain == chain && p.Number == len(paths) {
			paths = append(paths, p.Path)
		}
	}
	return paths
}

// newest returns the files of the chain that was written to last, all of them: an
// earlier state must not come back without a word.
func newest(dir string) ([]string, error) {
	all, err := List(dir)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, chat.ErrNotBackup
	}
	best := slices.MaxFunc(all, func(a, b Part) int {
		return cmp.Or(strings.Compare(a.Day, b.Day), written(a.Path).Compare(written(b.Path)))
	})
	last := best.Number
	for _, p := range all {
		if p.Chain == best.Chain {
			last = max(last, p.Number)
		}
	}
	paths := unbroken(all, best.Chain)
	if len(paths) <= last {
		return nil, fmt.Errorf("backup: number %d: %w", len(paths), chat.ErrBackupPart)
	}
	return paths, nil
}

// written is when a file was last written, to decide between those of one day; zero
// if that is not known.
func written(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Remove deletes all files of a chain in a folder and what an attempt left there.
func Remove(dir, chain string) error {
	all, err := List(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range all {
		if p.Chain == chain[:min(len(chain), chainShown)] {
			errs = append(errs, os.Remove(p.Path))
		}
	}
	return errors.Join(errs...)
}

// ChainOf returns the files of a chain in a folder, up to the first that is missing.
func ChainOf(dir, chain string) ([]string, error) {
	all, err := List(dir)
	return unbroken(all, chain[:min(len(chain), chainShown)]), err
}
