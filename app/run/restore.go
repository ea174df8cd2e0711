package run

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run/fileport"
)

// Restore makes a profile in dir of a backup, with a vault of its own. Until all of
// it is there and was checked there is no profile, and after an error nothing of it
// is left. Errors: those of Create and of core.Restore.
func Restore(ctx context.Context, dir string, src core.RestoreSource, how Protection) (out core.Restored, err error) {
	if src.Path, err = filepath.Abs(src.Path); err != nil {
		return out, explain(err)
	}
	err = makeProfile(ctx, dir, how, func(dir string, st coreStore) error {
		files, err := fileport.Open(ctx, filepath.Join(dir, filesDir), st)
		if err != nil {
			return explain(err)
		}
		r, err := core.Restore(ctx, st, files, src)
		out = r
		return explain(errors.Join(err, files.Close()))
	})
	if err != nil {
		return core.Restored{}, err
	}
	return out, nil
}
