package run

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"unicode/utf8"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/vault"
)

const (
	// MinPassphrase is the least length of a passphrase in characters, MaxPassphrase
	// the greatest in bytes.
	MinPassphrase = 8
	MaxPassphrase = 1024

	// keyFileEnv names a key file for tests, and for machines where nobody sits and
	// no flag can be given. It counts only where nothing else was said.
	keyFileEnv = "KUVERT_KEY_FILE"
)

// Unlock is what opens a profile. One of its fields is enough; with none of them
// the key file of KUVERT_KEY_FILE is tried, then the system's keyring.
type Unlock struct {
	Passphrase string
	KeyFile    string // path of a file that this user alone may read
	Sheet      string // the key of the emergency sheet as typed, or its QR code's text
}

// LogValue and String keep the secrets out of logs and texts.
func (Unlock) String() string { return "[unlock]" }

// GoString keeps the secrets out of formatted text.
func (Unlock) GoString() string { return "[unlock]" }

// Protection says how a new profile may be opened. With the zero value that is
// the system's keyring, or the key file of KUVERT_KEY_FILE.
type Protection struct {
	Passphrase string
	KeyFile    string // made if it is missing
	// Keyring opens the profile without a question, besides the passphrase. It is
	// implied where there is neither passphrase nor key file.
	Keyring bool
}

// String keeps the passphrase out of texts.
func (Protection) String() string { return "[protection]" }

// GoString keeps the passphrase out of formatted text.
func (Protection) GoString() string { return "[protection]" }

// Lock says how a profile is protected.
type Lock struct {
	// The ways in which it may be opened.
	Passphrase, Keyring, KeyFile, Sheet bool
	// Ask says that something has to be asked for: the passphrase if there is one,
	// else the key of the emergency sheet.
	Ask bool
	// Why says why the keyring did not open the profile, if it should have:
	// chat.ErrNoKeyring (it may answer later), chat.ErrKeyringEmpty.
	Why error
	// Others says that this login has other profiles.
	Others bool
}

// protected reads the ways in which the profile in dir may be opened.
func protected(dir string) (Lock, *vault.Vault, error) {
	dir, err := resolve(dir)
	if err != nil {
		return Lock{}, nil, err
	}
	v, _, err := readVault(dir)
	if err != nil {
		return Lock{}, nil, err
	}
	l := Lock{Passphrase: v.Has(vault.Passphrase), Keyring: v.Has(vault.Keyring), KeyFile: v.Has(vault.KeyFile), Sheet: v.Has(vault.Sheet)}
	l.Others, err = otherProfiles(dir)
	l.Others = l.Others || err != nil // a list that cannot be read may hold some
	return l, v, nil
}

// Locked says what the profile in dir needs to be opened, and asks the keyring for
// that if it is one of the ways. Errors: chat.ErrNoProfile, chat.ErrVault,
// chat.ErrNewerSchema, chat.ErrReadOnly.
func Locked(ctx context.Context, dir string) (Lock, error) {
	l, v, err := protected(dir)
	if err != nil {
		return Lock{}, err
	}
	key, err := unlock(ctx, v, Unlock{})
	key.Wipe()
	l.Ask = err != nil
	if errors.Is(err, chat.ErrNoKeyring) || errors.Is(err, chat.ErrKeyringEmpty) {
		l.Why = err
	}
	return l, nil
}

// keyringAllowed: one profile of a login may be opened by its keyring.
func keyringAllowed(dir string) error {
	others, err := otherProfiles(dir)
	if err == nil && others {
		return chat.ErrPassphraseNeeded
	}
	return err
}

// VerifyPassphrase reports whether that is the passphrase of the profile in dir,
// whether or not somebody runs it: nil, or chat.ErrWrongPassphrase. Either answer
// takes the time that a try costs.
func VerifyPassphrase(ctx context.Context, dir, passphrase string) error {
	_, v, err := protected(dir)
	if err != nil {
		return err
	}
	key, err := tryPassphrase(ctx, v, passphrase)
	key.Wipe()
	return err
}

// SetPassphrase gives the profile in dir another passphrase, or its first one; the
// database stays as it is. "" takes the passphrase away, if the profile can be
// opened in another way that is no emergency sheet and this login has no other
// profiles (else chat.ErrPassphraseNeeded). old is any way to open it, also the
// sheet's key of somebody who forgot the passphrase. It works whether or not
// somebody runs the profile.
//
// Other errors: chat.ErrPassphraseShort, chat.ErrLocked, chat.ErrWrongPassphrase,
// and those of Locked.
func SetPassphrase(ctx context.Context, dir string, old Unlock, passphrase string) error {
	if passphrase != "" && !passphraseFits(passphrase) {
		return chat.ErrPassphraseShort
	}
	return changeVault(ctx, dir, old, func(dir string, v *vault.Vault, key vault.Key) (*vault.Vault, error) {
		if passphrase != "" {
			return withPassphrase(ctx, v, key, passphrase)
		}
		if err := keyringAllowed(dir); err != nil {
			return nil, err
		}
		return v.Without(vault.Passphrase), nil
	})
}

// SetKeyring lets the system's keyring open the profile in dir without a question,
// or ends that. A profile must keep another way (else chat.ErrPassphraseNeeded),
// and the keyring opens no profile of a login that has several (likewise).
//
// Other errors: chat.ErrNoKeyring, and those of SetPassphrase.
func SetKeyring(ctx context.Context, dir string, old Unlock, on bool) error {
	var id string
	err := changeVault(ctx, dir, old, func(dir string, v *vault.Vault, key vault.Key) (*vault.Vault, error) {
		id = v.ID()
		if !on {
			return v.Without(vault.Keyring), nil
		}
		if err := keyringAllowed(dir); err != nil {
			return nil, err
		}
		return withKeyring(ctx, v, key)
	})
	if err == nil && !on {
		// What is left there opens nothing any more.
		_ = keyringDelete(ctx, id)
	}
	return err
}

// Emergency is what is printed on an emergency sheet. Whoever has it and the
// computer opens the profile.
type Emergency struct {
	Key []string // groups of four characters, to be typed
	QR  string   // the text of the QR code
}

// String keeps the key out of texts.
func (Emergency) String() string { return "[emergency]" }

// GoString keeps the key out of formatted text.
func (Emergency) GoString() string { return "[emergency]" }

// AddEmergency makes the key of an emergency sheet for the profile in dir; an
// earlier sheet opens it no more. Errors as of SetPassphrase.
func AddEmergency(ctx context.Context, dir string, old Unlock) (Emergency, error) {
	k, err := vault.NewSheetKey(rand.Reader)
	if err != nil {
		return Emergency{}, fmt.Errorf("run: emergency sheet: %w", err)
	}
	defer clear(k[:])
	err = changeVault(ctx, dir, old, func(_ string, v *vault.Vault, key vault.Key) (*vault.Vault, error) {
		return v.WithSecret(rand.Reader, key, vault.Sheet, k[:])
	})
	if err != nil {
		return Emergency{}, err
	}
	return Emergency{Key: k.Groups(), QR: k.QR()}, nil
}

// OpenEmergency opens a profile by the key of its emergency sheet and gives it a
// new passphrase, in place of the forgotten one. The sheet stays valid. Errors:
// chat.ErrSheetMistyped, chat.ErrWrongPassphrase, those of SetPassphrase and Open.
func OpenEmergency(ctx context.Context, o Options, sheet, passphrase string) (*Instance, error) {
	if passphrase == "" {
		return nil, chat.ErrPassphraseShort
	}
	if err := SetPassphrase(ctx, o.Dir, Unlock{Sheet: sheet}, passphrase); err != nil {
		return nil, err
	}
	o.Unlock = Unlock{Passphrase: passphrase}
	return Open(ctx, o)
}

func passphraseFits(p string) bool {
	return utf8.ValidString(p) && utf8.RuneCountInString(p) >= MinPassphrase && len(p) <= MaxPassphrase
}

// unlock finds the database key.
func unlock(ctx context.Context, v *vault.Vault, u Unlock) (vault.Key, error) {
	switch {
	case u.Sheet != "":
		return trySheet(v, u.Sheet)
	case u.Passphrase != "":
		return tryPassphrase(ctx, v, u.Passphrase)
	case u.KeyFile != "":
		return tryKeyFile(v, u.KeyFile)
	}
	if path := os.Getenv(keyFileEnv); path != "" && v.Has(vault.KeyFile) {
		return tryKeyFile(v, path)
	}
	if !v.Has(vault.Keyring) {
		return vault.Key{}, chat.ErrLocked
	}
	key, err := tryKeyring(ctx, v)
	if err != nil {
		return vault.Key{}, fmt.Errorf("%w: %w", chat.ErrLocked, err)
	}
	return key, nil
}

func trySheet(v *vault.Vault, text string) (vault.Key, error) {
	k, err := vault.ParseSheetKey(text)
	if err != nil {
		return vault.Key{}, fmt.Errorf("%w: %w", chat.ErrSheetMistyped, err)
	}
	defer clear(k[:])
	key, err := v.OpenSecret(vault.Sheet, k[:])
	return key, vaultError(err)
}

func tryKeyFile(v *vault.Vault, path string) (vault.Key, error) {
	secret, err := readKeyFile(path)
	if err != nil {
		return vault.Key{}, err
	}
	defer clear(secret)
	key, err := v.OpenSecret(vault.KeyFile, secret)
	return key, vaultError(err)
}

func tryKeyring(ctx context.Context, v *vault.Vault) (vault.Key, error) {
	secret, err := keyringGet(ctx, v.ID())
	if err != nil {
		return vault.Key{}, err
	}
	defer clear(secret)
	key, err := v.OpenSecret(vault.Keyring, secret)
	if errors.Is(err, vault.ErrWrong) { // an entry of another time
		return vault.Key{}, fmt.Errorf("%w: %w", chat.ErrKeyringEmpty, err)
	}
	return key, vaultError(err)
}

// stretching lets one passphrase be tried at a time: each takes up to a gigabyte.
var stretching = make(chan struct{}, 1)

// stretch runs do, which tries a passphrase, and gives its memory back.
func stretch(ctx context.Context, do func() error) error {
	select {
	case stretching <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("run: passphrase: %w", ctx.Err())
	}
	defer func() {
		debug.FreeOSMemory()
		<-stretching
	}()
	return do()
}

func tryPassphrase(ctx context.Context, v *vault.Vault, passphrase string) (key vault.Key, err error) {
	if len(passphrase) > MaxPassphrase || !v.Has(vault.Passphrase) {
		return vault.Key{}, chat.ErrWrongPassphrase
	}
	err = stretch(ctx, func() (err error) {
		key, err = v.OpenPassphrase(passphrase)
		return vaultError(err)
	})
	return key, err
}

func withPassphrase(ctx context.Context, v *vault.Vault, key vault.Key, passphrase string) (out *vault.Vault, err error) {
	err = stretch(ctx, func() (err error) {
		out, err = v.WithPassphrase(rand.Reader, key, passphrase, chooseCost())
		return err
	})
	return out, err
}

// chooseCost measures what a try may cost on this machine.
var chooseCost = func() vault.Cost { return vault.Choose(vault.Measure) }

// withKeyring puts a new secret into the keyring and makes sure that it is there.
// An entry that opens the vault stays: a crash must not leave a new one beside a
// vault that knows the old one.
func withKeyring(ctx context.Context, v *vault.Vault, key vault.Key) (*vault.Vault, error) {
	if v.Has(vault.Keyring) {
		again, err := tryKeyring(ctx, v)
		again.Wipe()
		if err == nil {
			return v, nil
		}
	}
	secret := random(vault.SecretSize)
	defer clear(secret)
	if err := keyringSet(ctx, v.ID(), secret); err != nil {
		return nil, err
	}
	out, err := v.WithSecret(rand.Reader, key, vault.Keyring, secret)
	if err != nil {
		return nil, fmt.Errorf("run: keyring: %w", err)
	}
	again, err := tryKeyring(ctx, out)
	again.Wipe()
	return out, err
}

// newVault makes the vault of a new profile in dir.
func newVault(ctx context.Context, dir string, how Protection) (v *vault.Vault, key vault.Key, err error) {
	how, err = how.settle(dir)
	if err != nil {
		return nil, key, err
	}
	v, key, err = vault.New(rand.Reader)
	if err != nil {
		return nil, key, fmt.Errorf("run: new vault: %w", err)
	}
	if how.Passphrase != "" {
		if v, err = withPassphrase(ctx, v, key, how.Passphrase); err != nil {
			return nil, key, err
		}
	}
	if how.KeyFile != "" {
		if v, err = withKeyFile(v, key, how.KeyFile); err != nil {
			return nil, key, err
		}
	}
	if how.Keyring {
		v, err = withKeyring(ctx, v, key)
	}
	return v, key, err
}

// settle decides what was left open, and refuses what would not protect.
func (p Protection) settle(dir string) (Protection, error) {
	if p == (Protection{}) {
		p.KeyFile = os.Getenv(keyFileEnv)
	}
	p.Keyring = p.Keyring || p == (Protection{})
	if p.Passphrase != "" && !passphraseFits(p.Passphrase) {
		return p, chat.ErrPassphraseShort
	}
	if p.Keyring {
		return p, keyringAllowed(dir)
	}
	return p, nil
}

func withKeyFile(v *vault.Vault, key vault.Key, path string) (*vault.Vault, error) {
	secret, err := makeKeyFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	return v.WithSecret(rand.Reader, key, vault.KeyFile, secret)
}

// vaultError gives the vault's errors the sentinels of the domain.
func vaultError(err error) error {
	switch {
	case errors.Is(err, vault.ErrWrong):
		return fmt.Errorf("%w: %w", chat.ErrWrongPassphrase, err)
	case errors.Is(err, vault.ErrVersion):
		return fmt.Errorf("%w: %w", chat.ErrNewerSchema, err)
	case errors.Is(err, vault.ErrMalformed):
		return fmt.Errorf("%w: %w", chat.ErrVault, err)
	case errors.Is(err, vault.ErrNoWay):
		return fmt.Errorf("%w: %w", chat.ErrPassphraseNeeded, err)
	default:
		return err
	}
}
