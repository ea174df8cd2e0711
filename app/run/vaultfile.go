package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/vault"
)

// The vault's files in a profile's folder.
const (
	vaultFile = "vault"
	// vaultCopy has the same bytes: without the vault the whole database is lost, and
	// a disk loses single blocks.
	vaultCopy = "vault.copy"
	// vaultMaking is the vault of a profile that is being made. Whatever lies beside
	// it and not beside vaultFile was never used.
	vaultMaking = "vault.making"
	vaultLock   = "vault.lock"

	// vaultRetry is how often a change looks whether another one has ended.
	vaultRetry = 20 * time.Millisecond
)

// exists reports whether there is a file.
func exists(path string) (bool, error) {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, explain(fmt.Errorf("run: profile: %w", err))
	}
}

// readVault reads the vault, or its copy if the vault is damaged or missing. whole
// says that both are there and alike. Errors: chat.ErrNoProfile, chat.ErrVault,
// chat.ErrNewerSchema, chat.ErrReadOnly.
func readVault(dir string) (v *vault.Vault, whole bool, err error) {
	switch exists, err := Exists(dir); {
	case err != nil:
		return nil, false, err
	case !exists:
		return nil, false, chat.ErrNoProfile
	}
	v, first, err := readVaultFile(filepath.Join(dir, vaultFile))
	if err != nil && !errors.Is(err, chat.ErrVault) {
		return nil, false, err
	}
	second, copied, cerr := readVaultFile(filepath.Join(dir, vaultCopy))
	switch {
	case err == nil:
		return v, cerr == nil && bytes.Equal(first, copied), nil
	case cerr == nil:
		return second, false, nil
	default:
		return nil, false, err
	}
}

func readVaultFile(path string) (*vault.Vault, []byte, error) {
	b, err := readBounded(path, vault.MaxFileSize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("%w: %w", chat.ErrVault, err)
	case err != nil:
		return nil, nil, explain(err)
	}
	v, err := vault.Parse(b)
	return v, b, vaultError(err)
}

// readBounded reads a file, and of one that is larger a byte more than the limit.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // a file of the profile, or one that its owner named
	if err != nil {
		return nil, fmt.Errorf("run: read: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("run: read: %w", err)
	}
	return b, nil
}

// changeVault opens the vault of a profile, lets change make another one of it and
// puts that in its place.
func changeVault(ctx context.Context, dir string, u Unlock, change func(dir string, v *vault.Vault, key vault.Key) (*vault.Vault, error)) (err error) {
	dir, err = resolve(dir)
	if err != nil {
		return err
	}
	return withVaultLock(ctx, dir, func() error {
		v, _, err := readVault(dir)
		if err != nil {
			return err
		}
		key, err := unlock(ctx, v, u)
		if err != nil {
			return err
		}
		defer key.Wipe()
		next, err := change(dir, v, key)
		if err != nil {
			return vaultError(err)
		}
		return writeVault(dir, next)
	})
}

// withVaultLock keeps other processes from changing the vault meanwhile.
func withVaultLock(ctx context.Context, dir string, do func() error) (err error) {
	lock := flock.New(filepath.Join(dir, vaultLock), flock.SetPermissions(0o600))
	if there, err := Exists(dir); err == nil && !there {
		return chat.ErrNoProfile // and nothing is made
	}
	if _, err := lock.TryLockContext(ctx, vaultRetry); err != nil {
		return explain(fmt.Errorf("run: lock of the vault: %w", err))
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	return do()
}

// writeVault replaces the vault and its copy. At any moment there is a whole vault,
// the old or the new one, and never an old copy beside a new vault: that would open
// by a passphrase that was taken away.
func writeVault(dir string, v *vault.Vault) error {
	b, err := v.Marshal()
	if err != nil {
		return vaultError(err)
	}
	second := filepath.Join(dir, vaultCopy)
	current, err := os.ReadFile(filepath.Join(dir, vaultFile)) //nolint:gosec // a file of the profile
	if _, bad := vault.Parse(current); err == nil && bad == nil {
		if err := os.Remove(second); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return explain(fmt.Errorf("run: vault: %w", err))
		}
	}
	if err := replaceFile(filepath.Join(dir, vaultFile), b); err != nil {
		return err
	}
	return replaceFile(second, b)
}

// mendVault writes the vault anew if it or its copy is damaged or missing.
func mendVault(ctx context.Context, dir string) error {
	return withVaultLock(ctx, dir, func() error {
		v, whole, err := readVault(dir)
		if err != nil || whole {
			return err
		}
		return writeVault(dir, v)
	})
}

// rename is os.Rename, or what a test puts in its place.
var rename = os.Rename

// replaceFile writes a file for this user alone in one step: after a crash there is
// the old file or the new one, and the old one goes only when the new one is on the
// disk.
func replaceFile(path string, b []byte) error {
	fresh := path + ".new"
	err := writeSynced(fresh, b)
	if err == nil {
		err = rename(fresh, path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return explain(fmt.Errorf("run: write: %w", err))
	}
	return nil
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // a file of the profile
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
