// Package vault keeps the one key of a profile's database: a small file with the
// key, encrypted once for each way in which it may be opened. docs/vault-format.md
// describes the bytes and what a thief can try.
//
// It promises:
//
//   - The database key is random and never changes: another passphrase, another
//     keyring or another emergency sheet is another wrap of the same key.
//   - Each wrap is bound to its vault, its kind and its parameters; there is at
//     most one of a kind, so that a new passphrase ends the old one.
//   - Parse bounds a file and the cost that it may ask for before anything is
//     computed; damage is told apart from a wrong passphrase.
//   - It is pure: no I/O, no randomness of its own. A Vault never changes; each
//     change returns another one.
package vault

import (
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/kuvert-im/kuvert/crypto/canon"
)

const (
	// KeySize is the length of the database key in bytes.
	KeySize = 32
	// SecretSize is the length in bytes of what a keyring or a key file holds.
	SecretSize = 32

	idSize    = 16
	saltSize  = 16
	nonceSize = chacha20poly1305.NonceSizeX
	boxSize   = KeySize + chacha20poly1305.Overhead
)

// Kind is a way to open a vault. The values are in the file.
type Kind uint64

// The kinds of wraps.
const (
	Keyring    Kind = 1 // by a secret in the operating system's keyring
	Passphrase Kind = 2 // by a passphrase that somebody remembers
	Sheet      Kind = 3 // by the key on the emergency sheet
	KeyFile    Kind = 4 // by a secret in a file
)

// maxKind is the last of the kinds, and as many wraps a vault may have.
const maxKind = KeyFile

// labels keep the wrapping keys of the kinds apart.
var labels = map[Kind]string{
	Keyring: "vault keyring", Passphrase: "vault passphrase", Sheet: "vault sheet", KeyFile: "vault key file",
}

var (
	// ErrMalformed says that a file is damaged, or no vault, or asks for a cost
	// beyond the limits.
	ErrMalformed = errors.New("vault: malformed")
	// ErrVersion says that a newer version wrote the file.
	ErrVersion = errors.New("vault: of a newer version")
	// ErrWrong says that a passphrase or secret does not open the vault, or that it
	// has no wrap of that kind.
	ErrWrong = errors.New("vault: this does not open it")
	// ErrNoWay says that a vault would have no wrap that anybody could open.
	ErrNoWay = errors.New("vault: no way to open it")
)

// Key is the key of a database.
type Key [KeySize]byte

// Wipe overwrites the key. Copies that others made of it stay.
func (k *Key) Wipe() { clear(k[:]) }

// Mail is the key of the mail that this machine keeps for others. It is derived, and
// nothing of the database's key follows from it.
func (k *Key) Mail() Key {
	return Key(canon.KDF(k[:], nil, "vault mail", nil, KeySize))
}

// LogValue keeps the key out of logs.
func (Key) LogValue() slog.Value { return slog.StringValue("[key]") }

// String keeps the key out of formatted text.
func (Key) String() string { return "[key]" }

// GoString keeps the key out of formatted text.
func (Key) GoString() string { return "[key]" }

// Vault is what a vault file says. It holds no secret that is not encrypted.
type Vault struct {
	id    [idSize]byte
	check [32]byte // of the database key, so that no wrap of another one comes in
	wraps []wrap   // by kind
}

// wrap is the database key, encrypted for one way.
type wrap struct {
	Kind  Kind            `cbor:"1,keyasint"`
	Salt  [saltSize]byte  `cbor:"2,keyasint"`
	Cost  *Cost           `cbor:"3,keyasint,omitempty"` // of a passphrase
	Nonce [nonceSize]byte `cbor:"4,keyasint"`
	Box   []byte          `cbor:"5,keyasint,omitempty"` // missing while the rest is authenticated
}

// New draws a vault and its database key from rand. It has no wrap yet.
func New(rand io.Reader) (*Vault, Key, error) {
	var v Vault
	var key Key
	if err := draw(rand, v.id[:], key[:]); err != nil {
		return nil, Key{}, err
	}
	v.check = checkOf(key, v.id)
	return &v, key, nil
}

func draw(rand io.Reader, parts ...[]byte) error {
	for _, p := range parts {
		if _, err := io.ReadFull(rand, p); err != nil {
			return fmt.Errorf("vault: draw: %w", err)
		}
	}
	return nil
}

// checkOf says nothing of the key, which is random.
func checkOf(key Key, id [idSize]byte) [32]byte {
	return canon.MAC(key[:], "vault check", id[:])
}

// ID names the vault: 32 hexadecimal digits, random, no secret. A copied folder
// has the same, a folder that was moved keeps it.
func (v *Vault) ID() string { return hex.EncodeToString(v.id[:]) }

// Has reports whether there is a wrap of that kind.
func (v *Vault) Has(k Kind) bool { return v.find(k) != nil }

// Cost is what the passphrase's wrap asks for; false if there is none.
func (v *Vault) Cost() (Cost, bool) {
	w := v.find(Passphrase)
	if w == nil {
		return Cost{}, false
	}
	return *w.Cost, true
}

func (v *Vault) find(k Kind) *wrap {
	for i := range v.wraps {
		if v.wraps[i].Kind == k {
			return &v.wraps[i]
		}
	}
	return nil
}

// WithPassphrase returns the vault with its key wrapped by that passphrase instead
// of an earlier one. It takes as long as one try: see Cost. ErrWrong if key is not
// this vault's.
func (v *Vault) WithPassphrase(rand io.Reader, key Key, passphrase string, cost Cost) (*Vault, error) {
	if err := cost.check(); err != nil {
		return nil, err
	}
	return v.with(rand, key, wrap{Kind: Passphrase, Cost: &cost}, []byte(normal(passphrase)))
}

// WithSecret returns the vault with its key wrapped by a random secret of
// SecretSize bytes (SheetKey: of its own size), instead of an earlier one of that
// kind. ErrWrong if key is not this vault's.
func (v *Vault) WithSecret(rand io.Reader, key Key, k Kind, secret []byte) (*Vault, error) {
	if k == Passphrase || labels[k] == "" || len(secret) != sizeOf(k) {
		return nil, fmt.Errorf("%w: secret of %d bytes for kind %d", ErrMalformed, len(secret), k)
	}
	return v.with(rand, key, wrap{Kind: k}, secret)
}

func sizeOf(k Kind) int {
	if k == Sheet {
		return SheetKeySize
	}
	return SecretSize
}

func (v *Vault) with(rand io.Reader, key Key, w wrap, secret []byte) (*Vault, error) {
	if !v.isKey(key) {
		return nil, fmt.Errorf("%w: another vault's key", ErrWrong)
	}
	if err := draw(rand, w.Salt[:], w.Nonce[:]); err != nil {
		return nil, err
	}
	ad, err := v.additional(w)
	if err != nil {
		return nil, err
	}
	kek := v.wrappingKey(w, secret)
	defer clear(kek)
	aead, err := chacha20poly1305.NewX(kek)
	if err != nil {
		return nil, fmt.Errorf("vault: seal: %w", err)
	}
	w.Box = aead.Seal(nil, w.Nonce[:], key[:], ad)
	out := v.Without(w.Kind)
	out.wraps = append(out.wraps, w)
	slices.SortFunc(out.wraps, func(a, b wrap) int { return int(a.Kind) - int(b.Kind) }) //nolint:gosec // kinds are below 5
	return out, nil
}

func (v *Vault) isKey(key Key) bool {
	check := checkOf(key, v.id)
	return hmac.Equal(check[:], v.check[:])
}

// Without returns the vault without the wrap of that kind.
func (v *Vault) Without(k Kind) *Vault {
	out := &Vault{id: v.id, check: v.check}
	for _, w := range v.wraps {
		if w.Kind != k {
			out.wraps = append(out.wraps, w)
		}
	}
	return out
}

// OpenPassphrase returns the database key. ErrWrong after the whole cost of a try
// if this is not the passphrase.
func (v *Vault) OpenPassphrase(passphrase string) (Key, error) {
	return v.open(Passphrase, []byte(normal(passphrase)))
}

// OpenSecret returns the database key. ErrWrong if this is not the secret.
func (v *Vault) OpenSecret(k Kind, secret []byte) (Key, error) {
	if k == Passphrase {
		return Key{}, ErrWrong
	}
	return v.open(k, secret)
}

func (v *Vault) open(k Kind, secret []byte) (Key, error) {
	w := v.find(k)
	if w == nil {
		return Key{}, fmt.Errorf("%w: no wrap of kind %d", ErrWrong, k)
	}
	ad, err := v.additional(*w)
	if err != nil {
		return Key{}, err
	}
	kek := v.wrappingKey(*w, secret)
	defer clear(kek)
	aead, err := chacha20poly1305.NewX(kek)
	if err != nil {
		return Key{}, fmt.Errorf("vault: open: %w", err)
	}
	plain, err := aead.Open(nil, w.Nonce[:], w.Box, ad)
	if err != nil {
		return Key{}, ErrWrong
	}
	defer clear(plain)
	key := Key(plain)
	if !v.isKey(key) {
		return Key{}, fmt.Errorf("%w: its wraps differ", ErrMalformed)
	}
	return key, nil
}

// wrappingKey is what encrypts the database key in w.
func (v *Vault) wrappingKey(w wrap, secret []byte) []byte {
	if w.Kind == Passphrase {
		secret = w.Cost.stretch(secret, w.Salt[:])
		defer clear(secret)
	}
	return canon.KDF(secret, w.Salt[:], labels[w.Kind], [][]byte{v.id[:]}, chacha20poly1305.KeySize)
}

// additional is what a wrap authenticates beside the key: everything but the box.
func (v *Vault) additional(w wrap) ([]byte, error) {
	w.Box = nil
	head, err := canon.Marshal(w)
	if err != nil {
		return nil, err
	}
	return canon.Frame("vault wrap", v.id[:], v.check[:], head), nil
}
