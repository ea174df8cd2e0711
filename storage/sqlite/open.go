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

// Config says where the database is.
type Config struct {
	// Path is the absolute path of the database file. Its folder must exist; the
	// file is made if it is missing.
	Path string
	// VFS names a registered SQLite VFS, "" the operating system's. An encrypting
	// VFS comes in here.
	VFS string
	// Log takes what is worth knowing; nil discards it.
	Log *slog.Logger
}

// Open opens the database, makes it if there is none, and brings an older schema
// up to date. The caller sees to it that no other process has the profile open.
//
// Errors: chat.ErrNewerSchema, chat.ErrCorrupt (also for what is not a database of
// ours), chat.ErrDiskFull, chat.ErrProfileBusy, ErrReadOnly, ErrIO, and
// fs.ErrNotExist if the folder is missing. The file is then as it was.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	return open(ctx, cfg, schema)
}

func open(ctx context.Context, cfg Config, steps []migration) (*Store, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if !filepath.IsAbs(cfg.Path) {
		return nil, fmt.Errorf("sqlite: path is not absolute: %w", fs.ErrInvalid)
	}
	version, err := inspect(ctx, cfg, len(steps))
	if err != nil {
		return nil, err
	}
	if err := create(cfg.Path); err != nil {
		return nil, explain(cfg, err)
	}
	writer, err := connect(ctx, cfg.dsn(accessWrite))
	if err != nil {
		return nil, explain(cfg, err)
	}
	s, err := prepare(ctx, cfg, writer, version, steps)
	if err != nil {
		_ = writer.close()
		return nil, err
	}
	return s, nil
}

// create makes an empty file that nobody else can read, unless there is one: SQLite
// would let everybody read it. It fails where the file cannot be written: SQLite
// would open it for reading only, without a word.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the profile's own database
	if err != nil {
		return err
	}
	return f.Close()
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

func prepare(ctx context.Context, cfg Config, writer *conn, version int, steps []migration) (*Store, error) {
	if err := migrate(ctx, cfg, writer, version, steps); err != nil {
		return nil, err
	}
	return newStore(ctx, cfg, writer)
}

// inspect looks at the file before anything can change it, and returns the
// version of its schema; 0 if there is none yet.
func inspect(ctx context.Context, cfg Config, newest int) (version int, err error) {
	exists, err := inspectFiles(cfg)
	if err != nil || !exists {
		return 0, err
	}
	tighten(cfg)
	c, err := connect(ctx, cfg.dsn(accessInspect))
	if err != nil {
		return 0, explain(cfg, err)
	}
	version, err = inspectSchema(c, newest)
	if err == nil {
		err = checkAtOpen(c, cfg)
	}
	if cerr := c.close(); err == nil {
		err = cerr
	}
	return version, err
}

func inspectFiles(cfg Config) (exists bool, err error) {
	if fi, err := os.Stat(filepath.Dir(cfg.Path)); err != nil {
		return false, fmt.Errorf("sqlite: folder of the database: %w", err)
	} else if !fi.IsDir() {
		return false, fmt.Errorf("sqlite: folder of the database is a file: %w", fs.ErrNotExist)
	}
	switch fi, err := os.Stat(cfg.Path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, fmt.Errorf("sqlite: database: %w", err)
	case !fi.Mode().IsRegular():
		return false, fmt.Errorf("sqlite: database is not a file: %w", chat.ErrCorrupt)
	case fi.Size() > 0:
		return true, nil
	}
	// SQLite would delete a WAL without a database. One that holds something
	// means that the database itself was lost.
	if fi, err := os.Stat(cfg.Path + "-wal"); err == nil && fi.Size() > 0 {
		return false, fmt.Errorf("sqlite: a WAL without its database: %w", chat.ErrCorrupt)
	}
	return false, nil
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
func checkAtOpen(c *conn, cfg Config) error {
	fi, err := os.Stat(cfg.Path)
	if err != nil {
		return fmt.Errorf("sqlite: database: %w", err)
	}
	if err := checkLength(c, cfg, fi.Size()); err != nil || fi.Size() > checkLimit {
		return err
	}
	return check(c, "PRAGMA quick_check(1)")
}

// checkLength finds a last page that is cut, which SQLite would read as zeros.
// While there is a WAL, it may still hold that page whole.
func checkLength(c *conn, cfg Config, size int64) error {
	if wal, err := os.Stat(cfg.Path + "-wal"); cfg.VFS != "" || err == nil && wal.Size() > 0 {
		return nil
	}
	page, err := c.int("PRAGMA page_size")
	if err == nil && size%page != 0 {
		err = fmt.Errorf("sqlite: last page is cut: %w", chat.ErrCorrupt)
	}
	return err
}

// check fails with chat.ErrCorrupt if the database is damaged. It sees no flipped
// bit within a text: that takes the encrypting VFS.
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

// explain finds out why the operating system does not let the database be opened,
// which SQLite does not tell. Nothing of ours has the file open at this point:
// closing it would drop SQLite's locks.
func explain(cfg Config, err error) error {
	perr := probeFile(cfg.Path)
	if perr == nil {
		perr = probeDir(filepath.Dir(cfg.Path))
	}
	if perr == nil {
		return err
	}
	if errors.Is(perr, fs.ErrPermission) || isReadOnly(perr) {
		perr = fmt.Errorf("%w: %w", ErrReadOnly, perr)
	}
	return fmt.Errorf("sqlite: %w, at first: %w", perr, err)
}

// probeFile opens the database as SQLite would.
func probeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the profile's own database
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func probeDir(dir string) error {
	f, err := os.CreateTemp(dir, ".kuvert-probe-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
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
