package run

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/kuvert-im/kuvert/crypto/vault"
	"github.com/kuvert-im/kuvert/storage/sqlite"
)

// Salvaged is a message that was read from a damaged profile, with what became of its
// files.
type Salvaged struct {
	sqlite.Salvaged
	Files []SalvagedFile
}

// SalvageReport is what the salvage came to.
type SalvageReport = sqlite.SalvageReport

// Salvage reads every message that can still be read from a damaged profile, writes
// its files into the folder out, unencrypted and under harmless names, and hands each
// message on. It opens the vault as Open does and changes nothing in the profile.
// chat.ErrProfileBusy while Kuvert runs with the profile, chat.ErrFileAccess if out
// cannot be written; other errors as of Open.
func Salvage(ctx context.Context, dir string, u Unlock, out string, fn func(Salvaged) error) (report SalvageReport, err error) {
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
	files, err := newFileSalvage(ctx, filepath.Join(dir, filesDir), out)
	if err != nil {
		return report, explain(err)
	}
	report, err = sqlite.Salvage(ctx, filepath.Join(dir, databaseFile), (*[vault.KeySize]byte)(&key), func(m sqlite.Salvaged) error {
		s := Salvaged{Salvaged: m}
		for _, one := range m.Files {
			f, err := files.salvage(one)
			if err != nil {
				return err
			}
			s.Files = append(s.Files, f)
		}
		return fn(s)
	})
	return report, storeError(err)
}
