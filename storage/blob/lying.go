package blob

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Lying is a whole file as it lies in the folder, for whoever has no key of the
// names: reading what a damaged profile still holds.
type Lying struct {
	Path   string
	Hashes string // path of its manifest; it may be missing
	Size   int64  // in bytes
}

// List returns the whole files of a folder and changes nothing; none if there is no
// such folder.
func List(dir string) ([]Lying, error) {
	all, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failed("list", err)
	}
	var out []Lying
	for _, e := range all {
		name, whole := strings.CutSuffix(e.Name(), wholeSuffix)
		fi, err := e.Info()
		if !whole || err != nil || !fi.Mode().IsRegular() {
			continue
		}
		out = append(out, Lying{Path: filepath.Join(dir, e.Name()), Hashes: filepath.Join(dir, name+hashesSuffix), Size: fi.Size()})
	}
	return out, nil
}
