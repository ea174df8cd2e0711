package invite

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/kuvert-im/kuvert/crypto/prekey"
)

const (
	// MaxFileSize bounds a .kuvert file, in bytes.
	MaxFileSize = 16 << 10
	// FileExtension is how such a file's name ends.
	FileExtension = ".kuvert"
	// fileColumns is the width of the lines of base64.
	fileColumns = 64
)

// File returns a .kuvert file: the invitation's text on the first line, so that
// whoever opens it in an editor sees what to paste, then the bundle in base64.
func (c Code) File(bundle []byte) []byte {
	var out strings.Builder
	out.WriteString(c.String() + "\n")
	text := base64.StdEncoding.EncodeToString(bundle)
	for len(text) > 0 {
		n := min(fileColumns, len(text))
		out.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	return []byte(out.String())
}

// ParseFile reads a .kuvert file with any kind of line ends and checks that the
// bundle belongs to the code.
func ParseFile(file []byte) (Code, []byte, error) {
	if len(file) > MaxFileSize || !utf8.Valid(file) {
		return Code{}, nil, fmt.Errorf("%w: not an invitation file", ErrMalformed)
	}
	text := strings.TrimPrefix(string(file), "\ufeff")
	first, rest, ok := strings.Cut(strings.ReplaceAll(text, "\r", "\n"), "\n")
	if !ok {
		return Code{}, nil, fmt.Errorf("%w: no bundle in the file", ErrMalformed)
	}
	code, err := Parse(first)
	if err != nil {
		return Code{}, nil, err
	}
	bundle, err := base64.StdEncoding.Strict().DecodeString(strings.Map(dropBlanks, rest))
	if err != nil || len(bundle) > prekey.MaxBundleSize {
		return Code{}, nil, fmt.Errorf("%w: bundle in the file", ErrMalformed)
	}
	if _, err := code.CheckBundle(bundle); err != nil {
		return Code{}, nil, err
	}
	return code, bundle, nil
}
