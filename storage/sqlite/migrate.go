package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

// copyLife is how long the copy made before a migration is kept after it has
// succeeded: long enough to notice that something is wrong, and no longer, since
// it still holds what is deleted from now on.
const copyLife = 7 * 24 * time.Hour

//go:embed migrations/*.sql
var migrationFiles embed.FS

// schema is every migration from an empty database to the newest version.
var schema = mustLoad(migrationFiles)

// migration n (from 1) turns version n-1 into n. One that was released is never
// changed, and a column never gets another meaning.
type migration struct {
	name string
	sql  string
}

func mustLoad(files fs.FS) []migration {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		panic(err)
	}
	steps := make([]migration, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err)
		}
		steps[i] = migration{name: filepath.Base(name), sql: string(text)}
	}
	return steps
}

// migrate brings c from version to the newest one, each step in a transaction of
// its own, and keeps a copy of what an older version wrote.
func migrate(ctx context.Context, cfg Config, db *cryptvfs.Database, c *conn, version int, steps []migration) error {
	if version == len(steps) {
		return removeOldCopies(cfg)
	}
	if version > 0 {
		if err := copyBefore(ctx, cfg, db, c, version); err != nil {
			return err
		}
	}
	for i := version; i < len(steps); i++ {
		if err := apply(ctx, c, steps[i], i+1); err != nil {
			return fmt.Errorf("sqlite: migration %s: %w", steps[i].name, err)
		}
		cfg.Log.Info("database schema is new", "version", i+1)
	}
	return syncDir(filepath.Dir(cfg.Path))
}

func apply(ctx context.Context, c *conn, m migration, version int) (err error) {
	if err := c.script(ctx, "BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = 1;"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = c.script(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	if err := c.script(ctx, m.sql); err != nil {
		return err
	}
	mark := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, version)
	if err := c.script(ctx, mark); err != nil {
		return err
	}
	// The commit fails if a row has lost its parent.
	return c.script(ctx, "COMMIT")
}

func copyName(path string, version int) string {
	return fmt.Sprintf("%s.v%d.copy", path, version)
}

// copyBefore writes a copy of the database beside it, with the same key. It
// appears under its name only when it is whole. Nobody else writes at this time.
func copyBefore(ctx context.Context, cfg Config, db *cryptvfs.Database, c *conn, version int) error {
	name := copyName(cfg.Path, version)
	part := name + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sqlite: copy before a migration: %w", err)
	}
	if _, err := c.int("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("sqlite: copy before a migration: %w", err)
	}
	if err := db.Copy(ctx, part); err != nil {
		return fmt.Errorf("sqlite: copy before a migration: %w", classifyFile(err))
	}
	if err := os.Rename(part, name); err != nil {
		return fmt.Errorf("sqlite: copy before a migration: %w", err)
	}
	return syncDir(filepath.Dir(name))
}

func removeOldCopies(cfg Config) error {
	names, err := filepath.Glob(globEscape(cfg.Path) + ".v*.copy*")
	if err != nil {
		return fmt.Errorf("sqlite: copies: %w", err)
	}
	for _, name := range names {
		fi, err := os.Stat(name)
		if err != nil || time.Since(fi.ModTime()) < copyLife {
			continue
		}
		if err := os.Remove(name); err != nil {
			cfg.Log.Warn("copy of an older database cannot be removed", "err", reason(err))
		}
	}
	return nil
}

// globEscape makes the letters of path mean themselves in a pattern.
func globEscape(path string) string {
	var b []byte
	for i := range len(path) {
		if c := path[i]; c == '*' || c == '?' || c == '[' {
			b = append(b, '[', c, ']')
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}
