package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

// Limits of a store.
const (
	// readers is the number of connections for View: a screen, the deliverer and
	// a script may read at the same time.
	readers = 3
	// checkLimit in bytes is the size up to which Open checks the whole database.
	// Beyond it Open sees to the head, the schema and the length alone and leaves
	// the rest to Check, so that a large profile opens at once too.
	checkLimit = 16 << 20
)

// applicationID marks a file as ours ("KUVE").
const applicationID = 0x4b555645

// Config says where the database is and what opens it.
type Config struct {
	// Path is the absolute path of the database file. Its folder must exist; the
	// file is made if it is missing.
	Path string
	// Key is the database's key. It is not kept: the caller may overwrite it after
	// Open.
	Key *cryptvfs.Key
	// Log takes what is worth knowing; nil discards it.
	Log *slog.Logger
}

// Open opens the database, makes it if there is none, and brings an older schema
// up to date. The caller sees to it that no other process has the profile open.
//
// Errors: chat.ErrWrongPassphrase (another key), chat.ErrNewerSchema,
// chat.ErrCorrupt (also for what is not a database of ours), chat.ErrDiskFull,
// chat.ErrProfileBusy, ErrReadOnly, ErrIO, and fs.ErrNotExist if the folder is
// missing. The file is then as it was.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	return open(ctx, cfg, schema)
}

func open(ctx context.Context, cfg Config, steps []migration) (_ *Store, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if !filepath.IsAbs(cfg.Path) {
		return nil, fmt.Errorf("sqlite: path is not absolute: %w", fs.ErrInvalid)
	}
	if cfg.Key == nil {
		return nil, fmt.Errorf("sqlite: no key: %w", fs.ErrInvalid)
	}
	if err := checkPlace(cfg.Path); err != nil {
		return nil, err
	}
	db, err := cryptvfs.Open(cfg.Path, cfg.Key)
	if err != nil {
		return nil, classifyFile(err)
	}
	cfg.Key = nil
	defer func() {
		if err != nil {
			err = joinCleanup(err, db.Close())
		}
	}()
	version, err := inspect(ctx, cfg, db, len(steps))
	if err != nil {
		return nil, err
	}
	return prepare(ctx, cfg, db, version, steps)
}

// joinCleanup is err, with what went wrong while cleaning up after it.
func joinCleanup(err, cleanup error) error {
	if cleanup == nil {
		return err
	}
	return fmt.Errorf("%w; then: %w", err, cleanup)
}

// tighten takes the file from everybody else. WAL and wal-index take their mode
// from it. Some file systems know no modes.
func tighten(cfg Config) {
	if err := os.Chmod(cfg.Path, 0o600); err != nil {
		cfg.Log.Warn("database may be readable for others", "err", reason(err))
	}
}

// reason is an error without its path, which may hold a person's name.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func prepare(ctx context.Context, cfg Config, db *cryptvfs.Database, version int, steps []migration) (*Store, error) {
	writer, err := connect(ctx, dsn(db, accessWrite))
	if err != nil {
		return nil, err
	}
	err = migrate(ctx, cfg, db, writer, version, steps)
	if err == nil {
		var s *Store
		if s, err = newStore(ctx, cfg, db, writer); err == nil {
			return s, nil
		}
	}
	return nil, joinCleanup(err, writer.close())
}

// inspect looks at the database before anything can change it, and returns the
// version of its schema; 0 if there is none yet.
func inspect(ctx context.Context, cfg Config, db *cryptvfs.Database, newest int) (version int, err error) {
	tighten(cfg)
	if err := probeDir(filepath.Dir(cfg.Path)); err != nil {
		return 0, err
	}
	c, err := connect(ctx, dsn(db, accessInspect))
	if err != nil {
		return 0, err
	}
	version, err = inspectSchema(c, newest)
	if err == nil {
		err = checkAtOpen(ctx, c, cfg, db)
	}
	if cerr := c.close(); err == nil {
		err = cerr
	}
	return version, err
}

// checkPlace looks whether a database may be at path.
func checkPlace(path string) error {
	if fi, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("sqlite: folder of the database: %w", err)
	} else if !fi.IsDir() {
		return fmt.Errorf("sqlite: folder of the database is a file: %w", fs.ErrNotExist)
	}
	switch fi, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("sqlite: database: %w", err)
	case !fi.Mode().IsRegular():
		return fmt.Errorf("sqlite: database is not a file: %w", chat.ErrCorrupt)
	default:
		return nil
	}
}

func inspectSchema(c *conn, newest int) (version int, err error) {
	app, err := c.int("PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	tables, err := c.int("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return 0, err
	}
	v, err := c.int("PRAGMA user_version")
	switch {
	case err != nil:
		return 0, err
	case app == 0 && v == 0 && tables == 0:
		return 0, nil // made, but not yet filled
	case app != applicationID || v < 1 || tables == 0:
		return 0, fmt.Errorf("sqlite: not a database of Kuvert: %w", chat.ErrCorrupt)
	case v > int64(newest):
		return 0, fmt.Errorf("sqlite: schema %d, known are up to %d: %w", v, newest, chat.ErrNewerSchema)
	}
	return int(v), nil
}

// checkAtOpen checks a database as far as that is quick.
func checkAtOpen(ctx context.Context, c *conn, cfg Config, db *cryptvfs.Database) error {
	fi, err := os.Stat(cfg.Path)
	if err != nil {
		return fmt.Errorf("sqlite: database: %w", err)
	}
	if fi.Size() > checkLimit {
		return nil
	}
	if err := db.Verify(ctx); err != nil {
		return classifyFile(err)
	}
	return check(c, "PRAGMA quick_check(1)")
}

// check fails with chat.ErrCorrupt if tables and indexes do not fit together.
func check(c *conn, pragma string) error {
	var found string
	if _, err := c.one(func(r *row) { found = r.text() }, pragma); err != nil {
		return err
	}
	if found != "ok" {
		found = strings.ReplaceAll(found, "\n", " ")
		return fmt.Errorf("sqlite: check found %q: %w", found, chat.ErrCorrupt)
	}
	return nil
}

// probeDir looks whether files can be made in a folder: the WAL is made only with
// the first write. A full disk is no reason not to open.
func probeDir(dir string) error {
	f, err := os.CreateTemp(dir, ".kuvert-probe-*")
	switch {
	case err == nil:
		err = errors.Join(f.Close(), os.Remove(f.Name()))
	case !errors.Is(err, fs.ErrPermission) && !isReadOnly(err):
		return nil
	}
	if err != nil {
		return classifyFile(err)
	}
	return nil
}

// syncDir makes a new name in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the profile's own folder
	if err != nil {
		return fmt.Errorf("sqlite: folder of the database: %w", err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil && !canNotSync(err) {
		return fmt.Errorf("sqlite: folder of the database: %w: %w", ErrIO, err)
	}
	return nil
}
