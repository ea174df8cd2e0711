package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/attachment"
	"github.com/kuvert-im/kuvert/storage/blob"
)

// SalvagedFile is what became of one file of a salvaged message.
type SalvagedFile struct {
	Name string `json:"name"` // as it was sent
	// File is its name among the salvaged ones, "" if it could not be read.
	File string `json:"file,omitempty"`
	Why  Loss   `json:"why,omitempty"`
}

// Loss says why a file was not salvaged.
type Loss string

// The reasons.
const (
	LossNone    Loss = ""
	LossAbsent  Loss = "not_here" // it was never, or is no more, on this computer
	LossGone    Loss = "lost"     // it should be there and is not, or not even its manifest is whole
	LossDamaged Loss = "damaged"  // it is there, and not whole
)

// fileSalvage writes the files of salvaged messages into a folder, which is made for
// the first of them. It finds sealed files by what they are: the key of their names
// may lie on a damaged page.
type fileSalvage struct {
	ctx context.Context //nolint:containedctx // of one salvage
	out string

	byManifest map[[32]byte]blob.Lying
	bySize     map[int64][]blob.Lying // for those whose manifest is damaged or missing
	taken      map[string]bool        // names, in lower case
}

func newFileSalvage(ctx context.Context, dir, out string) (*fileSalvage, error) {
	f := &fileSalvage{ctx: ctx, out: out, byManifest: map[[32]byte]blob.Lying{}, bySize: map[int64][]blob.Lying{}, taken: map[string]bool{}}
	all, err := blob.List(dir)
	for _, l := range all {
		if m, ok := manifestOf(l); ok {
			f.byManifest[m] = l
		}
		f.bySize[l.Size] = append(f.bySize[l.Size], l)
	}
	return f, err
}

// manifestOf reads which file a sealed one says it is.
func manifestOf(l blob.Lying) (sum [32]byte, ok bool) {
	h, err := os.Open(l.Hashes) //nolint:gosec // in the profile
	if err != nil {
		return sum, false
	}
	defer h.Close() //nolint:errcheck // only read
	m := attachment.NewManifest()
	n, err := io.Copy(m, io.LimitReader(h, attachment.Blocks(l.Size)*blob.HashSize+1))
	return m.Finish(l.Size), err == nil && n == attachment.Blocks(l.Size)*blob.HashSize
}

// salvage writes one file. An error means that nothing more can be written.
func (f *fileSalvage) salvage(file chat.File) (s SalvagedFile, err error) {
	s = SalvagedFile{Name: file.Name, Why: LossGone}
	candidates, sure := f.candidates(file)
	if sure {
		s.Why = LossDamaged
	}
	var name string
	for i := 0; i < len(candidates) && name == ""; i++ {
		if name, err = f.write(file, candidates[i]); err != nil {
			return s, err
		}
	}
	switch {
	case name != "":
		s.File, s.Why = name, LossNone
	case file.State != chat.FileHere && file.State != chat.FileDamaged:
		s.Why = LossAbsent
	}
	return s, nil
}

// maxGuesses bounds how many sealed files are tried for one whose manifest is lost:
// most of one size are other messages'.
const maxGuesses = 1000

// candidates are the sealed files that may be this one; sure: the only one is.
func (f *fileSalvage) candidates(file chat.File) (list []blob.Lying, sure bool) {
	if l, ok := f.byManifest[file.Manifest]; ok {
		return []blob.Lying{l}, true
	}
	same := f.bySize[file.Sealed]
	return same[:min(len(same), maxGuesses)], false
}

// write opens one into the folder; "" if it is damaged, or another one.
func (f *fileSalvage) write(file chat.File, l blob.Lying) (name string, err error) {
	src, err := os.Open(l.Path)
	if err != nil {
		return "", nil //nolint:nilerr // the disk does not read it: as good as damaged
	}
	defer src.Close() //nolint:errcheck // only read
	if err := os.MkdirAll(f.out, 0o700); err != nil {
		return "", salvageError(err)
	}
	name = f.free(chat.HarmlessFileName(file.Name))
	path := filepath.Join(f.out, name)
	dst, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the person chose it
	if err != nil {
		return "", salvageError(err)
	}
	sealed := attachment.File{Identity: file.Identity, Sealed: file.Sealed, Size: file.Size, Hash: file.SHA256, Manifest: file.Manifest}
	to := &goesOn{ctx: f.ctx, w: dst}
	err = errors.Join(sealed.Copy(to, src), dst.Close())
	if err == nil {
		f.taken[strings.ToLower(name)] = true
		return name, nil
	}
	return "", errors.Join(salvageError(to.err), os.Remove(path))
}

// free is a name that no salvaged file has yet, on systems too that do not tell
// capitals apart.
func (f *fileSalvage) free(name string) string {
	ext := filepath.Ext(name)
	stem, free := strings.TrimSuffix(name, ext), name
	for i := 2; f.taken[strings.ToLower(free)]; i++ {
		free = fmt.Sprintf("%s (%d)%s", stem, i, ext)
	}
	return free
}

// goesOn remembers why it could not be written to: that is no fault of the file.
type goesOn struct {
	ctx context.Context //nolint:containedctx // of one salvage
	w   io.Writer
	err error
}

func (g *goesOn) Write(p []byte) (n int, err error) {
	if err = g.ctx.Err(); err == nil {
		n, err = g.w.Write(p)
	}
	g.err = err
	return n, err
}

// salvageError drops the path from an error of writing, and tells a full disk.
func salvageError(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if isDiskFull(err) {
		return fmt.Errorf("%w: %w", chat.ErrDiskFull, err)
	}
	return fmt.Errorf("%w: %w", chat.ErrFileAccess, err)
}
