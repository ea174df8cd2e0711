package vault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/kuvert-im/kuvert/crypto/canon"
)

// SheetKeySize is the length of a sheet's key in bytes: 160 bits, so that nothing
// has to be stretched.
const SheetKeySize = 20

const (
	// SheetPrefix is how the text in the sheet's QR code begins.
	SheetPrefix = "KUVERT-NOTFALL:"

	// alphabet is Crockford's base32: no I, L, O, U.
	alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	keyChars = SheetKeySize * 8 / 5
	sumChars = 4 // 20 bits
	group    = 4
	// maxSheetText bounds what ParseSheetKey looks at, in bytes.
	maxSheetText = 256
)

// ErrMistyped says that a text is no sheet's key: a character is wrong, missing or
// too much.
var ErrMistyped = errors.New("vault: not a key of an emergency sheet")

// SheetKey is the secret on an emergency sheet.
type SheetKey [SheetKeySize]byte

// NewSheetKey draws one.
func NewSheetKey(rand io.Reader) (SheetKey, error) {
	var k SheetKey
	return k, draw(rand, k[:])
}

// LogValue keeps the key out of logs.
func (SheetKey) LogValue() slog.Value { return slog.StringValue("[sheet]") }

// String keeps the key out of formatted text; see Groups.
func (SheetKey) String() string { return "[sheet]" }

// GoString keeps the key out of formatted text.
func (SheetKey) GoString() string { return "[sheet]" }

// Groups is the key as it is printed and typed: nine groups of four characters,
// the last of which is a checksum.
func (k SheetKey) Groups() []string {
	text := base32(k[:], keyChars) + sheetSum(k)
	var out []string
	for ; text != ""; text = text[group:] {
		out = append(out, text[:group])
	}
	return out
}

// QR is the text for the QR code.
func (k SheetKey) QR() string { return SheetPrefix + strings.Join(k.Groups(), "") }

func sheetSum(k SheetKey) string {
	sum := canon.Hash("vault sheet sum", k[:])
	return base32(sum[:], sumChars)
}

// base32 writes the first n times 5 bits of b.
func base32(b []byte, n int) string {
	out := make([]byte, n)
	for i := range out {
		var two [2]byte
		copy(two[:], b[i*5/8:])
		out[i] = alphabet[binary.BigEndian.Uint16(two[:])>>(11-i*5%8)&31]
	}
	return string(out)
}

// ParseSheetKey reads what somebody typed from a sheet, or what its QR code says:
// in either case of letters, with any blanks and dashes, O for 0, I and L for 1.
// ErrMistyped if it is no key.
func ParseSheetKey(text string) (SheetKey, error) {
	if len(text) > maxSheetText {
		return SheetKey{}, fmt.Errorf("%w: %d bytes", ErrMistyped, len(text))
	}
	chars, err := typed(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(text)), SheetPrefix))
	if err != nil {
		return SheetKey{}, err
	}
	if len(chars) != keyChars+sumChars {
		return SheetKey{}, fmt.Errorf("%w: %d characters", ErrMistyped, len(chars))
	}
	var k SheetKey
	for i, c := range chars[:keyChars] {
		k.put(i, strings.IndexRune(alphabet, c))
	}
	if chars[keyChars:] != sheetSum(k) {
		return SheetKey{}, ErrMistyped
	}
	return k, nil
}

// typed is a text in the characters of the alphabet alone.
func typed(text string) (string, error) {
	var out strings.Builder
	for _, r := range text {
		if strings.ContainsRune(" -–\t\r\n", r) {
			continue
		}
		if r = alike(r); !strings.ContainsRune(alphabet, r) {
			return "", ErrMistyped
		}
		out.WriteRune(r)
	}
	return out.String(), nil
}

// put sets the n-th five bits of the key.
func (k *SheetKey) put(n, v int) {
	wide := uint16(v) << (11 - n*5%8) //nolint:gosec // v is below 32
	k[n*5/8] |= byte(wide >> 8)
	if n*5/8+1 < len(k) {
		k[n*5/8+1] |= byte(wide) //nolint:gosec // the lower half
	}
}

// alike is the character of the alphabet that r was meant to be.
func alike(r rune) rune {
	switch r {
	case 'O':
		return '0'
	case 'I', 'L':
		return '1'
	default:
		return r
	}
}
