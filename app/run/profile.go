package run

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gofrs/flock"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/crypto/vault"
	"github.com/kuvert-im/kuvert/storage/sqlite"
)

// What lies in a profile's folder.
const (
	databaseFile = "kuvert.db"
	mailFile     = "mailbox.db" // of others, if this machine keeps it
	filesDir     = "files"      // sealed files of messages
	lockFile     = "lock"
	logFile      = "kuvert.log"
)

// DefaultDir is where the operating system wants an application's data of this
// user on this machine: never a folder that roams to other machines, since a
// profile must run in one place alone.
func DefaultDir() (string, error) {
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) && runtime.GOOS != "windows" && runtime.GOOS != "darwin" {
		return filepath.Join(d, "kuvert"), nil
	}
	if runtime.GOOS == "windows" {
		d, err := os.UserCacheDir() // %LocalAppData%
		if err != nil {
			return "", fmt.Errorf("run: data folder: %w", err)
		}
		return filepath.Join(d, "Kuvert"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("run: data folder: %w", err)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "Kuvert"), nil
	}
	return filepath.Join(home, ".local", "share", "kuvert"), nil
}

func resolve(dir string) (string, error) {
	if dir == "" {
		return DefaultDir()
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("run: profile folder: %w", err)
	}
	return abs, nil
}

// Exists reports whether there is a profile in dir, without opening it.
func Exists(dir string) (bool, error) {
	dir, err := resolve(dir)
	if err != nil {
		return false, err
	}
	for _, name := range []string{vaultFile, vaultCopy} {
		if there, err := exists(filepath.Join(dir, name)); there || err != nil {
			return there, err
		}
	}
	// A database without a vault is damage, unless it is being made.
	making, err := exists(filepath.Join(dir, vaultMaking))
	if making || err != nil {
		return false, err
	}
	return exists(filepath.Join(dir, databaseFile))
}

// Create makes a profile in dir ("" is DefaultDir), and the folder if it is
// missing. chat.ErrProfileExists leaves an existing one alone. Until it is made
// completely there is none. Errors about its protection: chat.ErrNoKeyring,
// chat.ErrPassphraseNeeded (this login has another profile), chat.ErrPassphraseShort,
// chat.ErrKeyFile.
func Create(ctx context.Context, dir string, p core.NewProfile, how Protection) error {
	return makeProfile(ctx, dir, how, func(_ string, st coreStore) error { return core.Create(ctx, st, p) })
}

// makeProfile makes a profile of what fill puts into its empty database.
func makeProfile(ctx context.Context, dir string, how Protection, fill func(dir string, st coreStore) error) (err error) {
	dir, err = resolve(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return explain(fmt.Errorf("run: profile folder: %w", err))
	}
	f, err := take(dir)
	if exists, _ := Exists(dir); exists && errors.Is(err, chat.ErrProfileBusy) {
		return chat.ErrProfileExists
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.release()) }()
	if exists, err := Exists(dir); exists || err != nil {
		return errors.Join(chat.ErrProfileExists, err)
	}
	v, key, err := newVault(ctx, dir, how)
	if err != nil {
		return err
	}
	defer key.Wipe()
	if err := f.create(ctx, v, key, fill); err != nil {
		if v.Has(vault.Keyring) {
			_ = keyringDelete(ctx, v.ID())
		}
		return err
	}
	f.remember(v)
	return nil
}

// create makes the files of a profile. It exists from the moment on when its vault
// has its name; what an earlier attempt left is removed.
func (f *folder) create(ctx context.Context, v *vault.Vault, key vault.Key, fill func(dir string, st coreStore) error) error {
	making := filepath.Join(f.dir, vaultMaking)
	if there, err := exists(making); err != nil {
		return err
	} else if there {
		if err := f.unmake(); err != nil {
			return err
		}
	}
	b, err := v.Marshal()
	if err != nil {
		return vaultError(err)
	}
	if err := replaceFile(making, b); err != nil {
		return err
	}
	store, err := openStore(ctx, f.dir, &key, f.log)
	if err != nil {
		return err
	}
	if err := errors.Join(fill(f.dir, coreStore{store}), store.Close()); err != nil {
		return errors.Join(err, f.unmake()) // a restore may have filled the disk
	}
	if err := rename(making, filepath.Join(f.dir, vaultFile)); err != nil {
		return explain(fmt.Errorf("run: profile: %w", err))
	}
	return replaceFile(filepath.Join(f.dir, vaultCopy), b)
}

// unmake removes what belongs to a profile that was not made completely.
func (f *folder) unmake() error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(f.dir, databaseFile+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return explain(fmt.Errorf("run: unfinished profile: %w", err))
		}
	}
	if err := os.RemoveAll(filepath.Join(f.dir, filesDir)); err != nil {
		return explain(fmt.Errorf("run: unfinished profile: %w", err))
	}
	return nil
}

// unlock opens the vault and mends it where it was damaged.
func (f *folder) unlock(ctx context.Context, u Unlock) (vault.Key, error) {
	v, whole, err := readVault(f.dir)
	if err != nil {
		return vault.Key{}, err
	}
	key, err := unlock(ctx, v, u)
	if err != nil {
		return vault.Key{}, err
	}
	if !whole {
		f.log.Warn("vault or its copy was damaged or missing")
		if err := mendVault(ctx, f.dir); err != nil {
			f.log.Error("vault was not mended", "err", err)
		}
	}
	f.remember(v)
	return key, nil
}

// remember keeps the profile in the list of this login's, where one can be kept.
// Key files are for machines where nobody logs in.
func (f *folder) remember(v *vault.Vault) {
	if !v.Has(vault.Passphrase) && !v.Has(vault.Keyring) {
		return
	}
	if err := rememberProfile(f.dir); err != nil {
		f.log.Warn("profile is not in the list of profiles", "err", err)
	}
}

// folder is a profile's folder while this process has it.
type folder struct {
	dir  string
	lock *flock.Flock
	file *logWriter
	log  *slog.Logger
}

// take locks a profile's folder. chat.ErrProfileBusy if another process has it.
func take(dir string) (*folder, error) {
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, explain(fmt.Errorf("run: lock of the profile: %w", err))
	}
	if !locked {
		return nil, errors.Join(chat.ErrProfileBusy, lock.Close())
	}
	file, err := openLog(filepath.Join(dir, logFile))
	if err != nil {
		return nil, errors.Join(explain(err), lock.Close())
	}
	return &folder{dir: dir, lock: lock, file: file, log: newLog(file)}, nil
}

// release gives the folder back: the log closes last.
func (f *folder) release() error {
	return errors.Join(f.lock.Close(), f.file.Close())
}

// openStore opens the database, and makes it if it is missing. The store keeps it
// for this user alone.
func openStore(ctx context.Context, dir string, key *vault.Key, log *slog.Logger) (*sqlite.Store, error) {
	store, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, databaseFile), Key: (*[vault.KeySize]byte)(key), Log: log})
	if err != nil {
		return nil, storeError(err)
	}
	return store, nil
}

// openDatabase opens the database that belongs to a vault. A new one must not take
// the place of one that is lost.
func (f *folder) openDatabase(ctx context.Context, key *vault.Key) (*sqlite.Store, error) {
	info, err := os.Stat(filepath.Join(f.dir, databaseFile))
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		return nil, fmt.Errorf("run: database is missing: %w", chat.ErrCorrupt)
	case err != nil:
		return nil, explain(fmt.Errorf("run: database: %w", err))
	}
	store, err := openStore(ctx, f.dir, key, f.log)
	if errors.Is(err, chat.ErrWrongPassphrase) {
		return nil, fmt.Errorf("run: %w: it is of another database", chat.ErrVault)
	}
	return store, err
}
