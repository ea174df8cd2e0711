package run

import (
	"context"
	"errors"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/vault"
)

// keyringProbe is asked for where only the answer matters: nothing has that name.
const keyringProbe = "probe"

// Ways says in which ways the profile in dir may be opened. Other than Locked it
// asks no keyring and returns at once: of Lock it fills the ways and Others alone.
// Errors as of Locked.
func Ways(dir string) (Lock, error) {
	dir, err := resolve(dir)
	if err != nil {
		return Lock{}, err
	}
	v, _, err := readVault(dir)
	if err != nil {
		return Lock{}, err
	}
	l := Lock{Passphrase: v.Has(vault.Passphrase), Keyring: v.Has(vault.Keyring), KeyFile: v.Has(vault.KeyFile), Sheet: v.Has(vault.Sheet)}
	l.Others, _ = otherProfiles(dir)
	return l, nil
}

// KeyringWorks reports whether the system's keyring may open a profile in dir, be
// there one yet or not: nil, chat.ErrPassphraseNeeded if this login has other
// profiles, chat.ErrNoKeyring if there is no keyring or it does not answer. It
// changes nothing; a keyring that is locked may still refuse to keep a secret.
func KeyringWorks(ctx context.Context, dir string) error {
	dir, err := resolve(dir)
	if err != nil {
		return err
	}
	switch others, err := otherProfiles(dir); {
	case err != nil:
		return err
	case others:
		return chat.ErrPassphraseNeeded
	}
	if _, err := keyringGet(ctx, keyringProbe); err != nil && !errors.Is(err, chat.ErrKeyringEmpty) {
		return err
	}
	return nil
}

// VerifySheet reports whether text is the key of the emergency sheet of the profile
// in dir: nil, chat.ErrSheetMistyped, chat.ErrWrongPassphrase.
func VerifySheet(dir, text string) error {
	dir, err := resolve(dir)
	if err != nil {
		return err
	}
	v, _, err := readVault(dir)
	if err != nil {
		return err
	}
	key, err := trySheet(v, text)
	key.Wipe()
	return err
}

// SheetFits reports whether text is complete and without a typing error, as the
// checksum of a sheet's key says; not whether it opens anything.
func SheetFits(text string) bool {
	k, err := vault.ParseSheetKey(text)
	clear(k[:])
	return err == nil
}
