package vault

import (
	"bytes"
	"crypto/hmac"
	"fmt"
	"strings"

	"github.com/kuvert-im/kuvert/crypto/canon"
)

const (
	// MaxFileSize bounds a vault file in bytes; one with all kinds has 700.
	MaxFileSize = 4 << 10

	// A file is a line that says what it is, a checksum, and the vault. The checksum
	// stays where it is in every version.
	magic   = "kuvert vault "
	version = "1"
	line    = magic + version + "\n"
	sumSize = 32
	// maxVersion bounds the digits of a version.
	maxVersion = 4
)

// body is the vault in deterministic CBOR.
type body struct {
	ID    [idSize]byte `cbor:"1,keyasint"`
	Check [32]byte     `cbor:"2,keyasint"`
	Wraps []wrap       `cbor:"3,keyasint"`
}

// Marshal returns the vault's file. ErrNoWay if nobody could open it but with an
// emergency sheet.
func (v *Vault) Marshal() ([]byte, error) {
	if len(v.Without(Sheet).wraps) == 0 {
		return nil, ErrNoWay
	}
	b, err := canon.Marshal(body{ID: v.id, Check: v.check, Wraps: v.wraps})
	if err != nil {
		return nil, err
	}
	sum := sumOf(line, b)
	return append(append([]byte(line), sum[:]...), b...), nil
}

// sumOf finds damage. It keeps nobody from writing another file: that is what the
// wraps authenticate themselves for.
func sumOf(head string, b []byte) [sumSize]byte {
	return canon.Hash("vault file", []byte(head), b)
}

// Parse reads a vault's file. Errors: ErrMalformed, ErrVersion.
func Parse(file []byte) (*Vault, error) {
	head, b, err := split(file)
	if err != nil {
		return nil, err
	}
	if head != line {
		return nil, fmt.Errorf("%w: %q", ErrVersion, strings.TrimSpace(head))
	}
	var d body
	if err := canon.UnmarshalMax(b, &d, MaxFileSize); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(d.Wraps) == 0 || len(d.Wraps) > int(maxKind) {
		return nil, fmt.Errorf("%w: %d wraps", ErrMalformed, len(d.Wraps))
	}
	var last Kind
	for _, w := range d.Wraps {
		if w.Kind <= last || w.Kind > maxKind {
			return nil, fmt.Errorf("%w: kind %d after %d", ErrMalformed, w.Kind, last)
		}
		if err := w.valid(); err != nil {
			return nil, err
		}
		last = w.Kind
	}
	return &Vault{id: d.ID, check: d.Check, wraps: d.Wraps}, nil
}

// split bounds a file and checks its sum.
func split(file []byte) (head string, b []byte, err error) {
	if len(file) > MaxFileSize {
		return "", nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(file))
	}
	n := bytes.IndexByte(file, '\n') + 1
	if n <= len(magic)+1 || n > len(magic)+maxVersion+1 || !bytes.HasPrefix(file, []byte(magic)) || len(file) < n+sumSize {
		return "", nil, fmt.Errorf("%w: not a vault", ErrMalformed)
	}
	head, b = string(file[:n]), file[n+sumSize:]
	if sum := sumOf(head, b); !hmac.Equal(sum[:], file[n:n+sumSize]) {
		return "", nil, fmt.Errorf("%w: checksum", ErrMalformed)
	}
	return head, b, nil
}

func (w wrap) valid() error {
	if len(w.Box) != boxSize {
		return fmt.Errorf("%w: box of %d bytes", ErrMalformed, len(w.Box))
	}
	if (w.Kind == Passphrase) != (w.Cost != nil) {
		return fmt.Errorf("%w: cost of kind %d", ErrMalformed, w.Kind)
	}
	if w.Cost == nil {
		return nil
	}
	return w.Cost.check()
}
