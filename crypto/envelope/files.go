package envelope

import (
	"fmt"
	"unicode/utf8"
)

// Limits of what a message says of its files.
const (
	MaxFiles     = 16
	MaxFileName  = 255      // bytes
	MaxMediaType = 128      // bytes
	MaxThumbnail = 16 << 10 // bytes; all of a message share MaxBody
	maxIdentity  = 256      // bytes; an age hybrid identity has 80
)

// File is one file of a message: what opens it, what it must be, and what its
// sender says of it. The name is text to show, never a path.
type File struct {
	Identity  string   // age identity, opens the sealed file
	Sealed    int64    // size of the sealed file
	Size      int64    // size of the content
	Hash      [32]byte // SHA-256 of the content
	Manifest  [32]byte // see crypto/attachment
	Name      string
	MediaType string
	Thumbnail []byte // JPEG or PNG; empty: none
}

type wireFile struct {
	Identity  string   `cbor:"1,keyasint"`
	Sealed    int64    `cbor:"2,keyasint"`
	Size      int64    `cbor:"3,keyasint"`
	Hash      [32]byte `cbor:"4,keyasint"`
	Manifest  [32]byte `cbor:"5,keyasint"`
	Name      string   `cbor:"6,keyasint"`
	MediaType string   `cbor:"7,keyasint"`
	Thumbnail []byte   `cbor:"8,keyasint,omitempty"`
}

// wireFiles checks the files of a message that is to be sent.
func wireFiles(files []File) ([]wireFile, error) {
	if err := checkFiles(files); err != nil || len(files) == 0 {
		return nil, err
	}
	out := make([]wireFile, len(files))
	for i, f := range files {
		out[i] = wireFile(f)
	}
	return out, nil
}

// filesOf is the reverse, for one that came in.
func filesOf(wire []wireFile) ([]File, error) {
	if len(wire) == 0 {
		return nil, nil
	}
	out := make([]File, len(wire))
	for i, f := range wire {
		out[i] = File(f)
	}
	return out, checkFiles(out)
}

func checkFiles(files []File) error {
	if len(files) > MaxFiles {
		return fmt.Errorf("%w: %d files", ErrTooLarge, len(files))
	}
	for _, f := range files {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}

func (f File) check() error {
	switch {
	case len(f.Identity) > maxIdentity || len(f.Name) > MaxFileName || len(f.MediaType) > MaxMediaType || len(f.Thumbnail) > MaxThumbnail:
		return fmt.Errorf("%w: what is said of a file", ErrTooLarge)
	case f.Identity == "" || f.Name == "" || f.Sealed < 1 || f.Size < 0 || f.Size > f.Sealed || f.Manifest == [32]byte{}:
		return fmt.Errorf("%w: file", ErrMalformed)
	case !utf8.ValidString(f.Identity) || !utf8.ValidString(f.Name) || !utf8.ValidString(f.MediaType):
		return fmt.Errorf("%w: text of a file is not UTF-8", ErrMalformed)
	}
	return nil
}
