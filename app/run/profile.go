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
	"github.com/kuvert-im/kuvert/storage/sqlite"
)

// What lies in a profile's folder.
const (
	databaseFile = "kuvert.db"
	mailFile     = "mailbox.db" // of others, if this machine keeps it
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
	switch _, err := os.Stat(filepath.Join(dir, databaseFile)); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, explain(fmt.Errorf("run: profile: %w", err))
	}
}

// Create makes a profile in dir ("" is DefaultDir), and the folder if it is
// missing. chat.ErrProfileExists leaves an existing one alone.
func Create(ctx context.Context, dir string, p core.NewProfile) (err error) {
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
	store, err := openStore(ctx, dir, f.log)
	if err != nil {
		return err
	}
	return errors.Join(core.Create(ctx, coreStore{store}, p), store.Close())
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
	return &folder{dir: dir, lock: lock, file: file, log: slog.New(slog.NewTextHandler(file, nil))}, nil
}

// release gives the folder back: the log closes last.
func (f *folder) release() error {
	return errors.Join(f.lock.Close(), f.file.Close())
}

// openStore opens the database. A new one is for this user alone; SQLite gives
// its WAL the same mode.
func openStore(ctx context.Context, dir string, log *slog.Logger) (*sqlite.Store, error) {
	path := filepath.Join(dir, databaseFile)
	db, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, explain(fmt.Errorf("run: database: %w", err))
	}
	if err := db.Close(); err != nil {
		return nil, explain(fmt.Errorf("run: database: %w", err))
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Path: path, Log: log})
	if err != nil {
		return nil, storeError(err)
	}
	return store, nil
}
