// Package invite makes and reads invitations: the text in a QR code or a link and
// the .kuvert file (docs/protocol/invitations.md); and the access links of nodes.
//
// An invitation says who invites, carries a secret that only inviter and guest
// know, pins the inviter's bundle by its hash, and hints at where to reach them.
// It promises that a code has at most [MaxTextLen] characters, one spelling of its
// bytes, and that a bundle belongs to it only if the hash says so.
package invite

import (
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

const (
	// Scheme starts the text of every invitation.
	Scheme = "KUVERT:"
	// Life is how long an invitation is good unless somebody chose otherwise.
	Life = 7 * 24 * time.Hour

	// MaxHintsLen bounds the reachability hints, in bytes.
	MaxHintsLen = 92
	// MaxLen bounds a code, in bytes: beyond 200 its QR code no longer scans well.
	MaxLen = fixedLen + MaxHintsLen
	// MaxTextLen bounds its text, in characters.
	MaxTextLen = len(Scheme) + (MaxLen*8+4)/5
	// maxInput bounds what [Parse] and [ParseNodeLink] look at, white space included.
	maxInput = 4096

	fixedLen = 1 + 32 + 16 + 32 + 4
	version  = 1
)

var (
	// ErrMalformed: not an invitation, or a damaged one.
	ErrMalformed = errors.New("invite: malformed")
	// ErrVersion: an invitation of a later version, or with flags we do not know.
	ErrVersion = errors.New("invite: unknown version")
	// ErrOtherBundle: the bundle is not the one the code names.
	ErrOtherBundle = errors.New("invite: the bundle does not belong to the code")
)

// Secret is what inviter and guest share (invite_auth).
type Secret [16]byte

// NewSecret draws a secret from rand.
func NewSecret(rand io.Reader) (s Secret, err error) {
	if _, err := io.ReadFull(rand, s[:]); err != nil {
		return Secret{}, fmt.Errorf("invite: draw secret: %w", err)
	}
	return s, nil
}

// ID names the invitation inside a handshake without giving away its secret.
func (s Secret) ID() [16]byte { return [16]byte(canon.KDF(s[:], nil, "invite-id", nil, 16)) }

// HelloKey takes the place of a contact's static key when guest and inviter meet
// before their handshake.
func (s Secret) HelloKey() [32]byte { return [32]byte(canon.KDF(s[:], nil, "invite-hello", nil, 32)) }

// LogValue keeps the secret out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// String keeps the secret out of formatted text.
func (Secret) String() string { return "[secret]" }

// GoString keeps the secret out of formatted text.
func (Secret) GoString() string { return "[secret]" }

// Code is what an invitation's text says.
type Code struct {
	From       identity.ID
	Auth       Secret
	BundleHash [32]byte
	Expiry     time.Time // to the second, at most the year 2106
	Hints      []Hint
}

var text32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// Marshal returns the code's bytes. Hints beyond [MaxHintsLen] are an error: see
// [FitHints].
func (c Code) Marshal() ([]byte, error) {
	secs := c.Expiry.Unix()
	if secs <= 0 || secs > 1<<32-1 {
		return nil, fmt.Errorf("%w: expiry", ErrMalformed)
	}
	out := append([]byte{version}, c.From[:]...)
	out = append(out, c.Auth[:]...)
	out = append(out, c.BundleHash[:]...)
	out = binary.BigEndian.AppendUint32(out, uint32(secs))
	out, err := appendHints(out, c.Hints)
	if err != nil {
		return nil, err
	}
	if len(out) > MaxLen {
		return nil, fmt.Errorf("%w: hints over %d bytes", ErrMalformed, MaxHintsLen)
	}
	return out, nil
}

// Text returns the invitation as upper-case text, which QR codes pack tightly.
func (c Code) Text() (string, error) {
	b, err := c.Marshal()
	if err != nil {
		return "", err
	}
	return Scheme + text32.EncodeToString(b), nil
}

// String is [Code.Text] of a code that was parsed or checked before; it is empty
// for one that cannot be written.
func (c Code) String() string {
	text, err := c.Text()
	if err != nil {
		return ""
	}
	return text
}

// LogValue keeps the secret out of logs.
func (Code) LogValue() slog.Value { return slog.StringValue("[invitation]") }

// GoString keeps the secret out of formatted text.
func (Code) GoString() string { return "[invitation]" }

// Parse reads an invitation from text: in any case, and with white space and
// invisible break characters anywhere, as mail programs put them in. It does not
// look at the clock: an expired invitation parses. The errors are [ErrMalformed],
// [ErrVersion] and identity.ErrBadKey.
func Parse(text string) (Code, error) {
	raw, err := decodeText(Scheme, text)
	if err != nil {
		return Code{}, err
	}
	return Unmarshal(raw)
}

// decodeText returns the bytes of a text with the given scheme.
func decodeText(scheme, text string) ([]byte, error) {
	if len(text) > maxInput {
		return nil, fmt.Errorf("%w: too long", ErrMalformed)
	}
	text, ok := strings.CutPrefix(normal(text), scheme)
	if !ok {
		return nil, fmt.Errorf("%w: does not start with %s", ErrMalformed, scheme)
	}
	raw, err := text32.DecodeString(text)
	if err != nil || text32.EncodeToString(raw) != text {
		return nil, fmt.Errorf("%w: not base32", ErrMalformed)
	}
	return raw, nil
}

// normal is the text as it was written, whatever it went through since.
func normal(text string) string { return strings.ToUpper(strings.Map(dropBlanks, text)) }

// dropBlanks removes white space, zero-width spaces, soft hyphens and byte order
// marks.
func dropBlanks(r rune) rune {
	switch {
	case unicode.IsSpace(r), r == '\u200b', r == '\u00ad', r == '\ufeff', r == '\u2060':
		return -1
	}
	return r
}

// Unmarshal reads the bytes of a code.
func Unmarshal(raw []byte) (Code, error) {
	if len(raw) == 0 || len(raw) > MaxLen {
		return Code{}, fmt.Errorf("%w: length", ErrMalformed)
	}
	if raw[0] != version {
		return Code{}, ErrVersion
	}
	if len(raw) < fixedLen {
		return Code{}, fmt.Errorf("%w: cut short", ErrMalformed)
	}
	c := Code{
		From: identity.ID(raw[1:33]), Auth: Secret(raw[33:49]), BundleHash: [32]byte(raw[49:81]),
		Expiry: time.Unix(int64(binary.BigEndian.Uint32(raw[81:85])), 0).UTC(),
	}
	if err := c.From.Valid(); err != nil {
		return Code{}, fmt.Errorf("invite: %w", err)
	}
	if c.Expiry.Unix() == 0 {
		return Code{}, fmt.Errorf("%w: expiry", ErrMalformed)
	}
	var err error
	c.Hints, err = parseHints(raw[fixedLen:])
	return c, err
}

// Expired reports whether the invitation can no longer be taken.
func (c Code) Expired(now time.Time) bool { return now.After(c.Expiry) }

// CheckBundle reads the bundle that came with the code or was fetched for it. The
// hash authenticates all of it, the post-quantum keys included.
func (c Code) CheckBundle(raw []byte) (prekey.Bundle, error) {
	if prekey.HashBundle(raw) != c.BundleHash {
		return prekey.Bundle{}, ErrOtherBundle
	}
	b, err := prekey.ParseBundle(raw)
	if err != nil {
		return prekey.Bundle{}, fmt.Errorf("invite: %w", err)
	}
	if b.Identity.ID != c.From || c.Expiry.After(b.Expiry) {
		return prekey.Bundle{}, ErrOtherBundle
	}
	return b, nil
}
