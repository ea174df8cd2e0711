package run

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/kuvert-im/kuvert/crypto/vault"
	"github.com/kuvert-im/kuvert/storage/sqlite"
)

// Salvaged is a message that was read from a damaged profile, SalvageReport what the
// salvage came to.
type (
	Salvaged      = sqlite.Salvaged
	SalvageReport = sqlite.SalvageReport
)

// Salvage reads every message that can still be read from a damaged profile and
// hands each on. It opens the vault as Open does and changes nothing in the
// database. chat.ErrProfileBusy while Kuvert runs with the profile; other errors as
// of Open.
func Salvage(ctx context.Context, dir string, u Unlock, fn func(Salvaged) error) (report SalvageReport, err error) {
	if dir, err = resolve(dir); err != nil {
		return report, err
	}
	v, _, err := readVault(dir)
	if err != nil {
		return report, err
	}
	f, err := take(dir)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, f.release()) }()
	key, err := unlock(ctx, v, u)
	if err != nil {
		return report, err
	}
	defer key.Wipe()
	report, err = sqlite.Salvage(ctx, filepath.Join(dir, databaseFile), (*[vault.KeySize]byte)(&key), fn)
	return report, storeError(err)
}
