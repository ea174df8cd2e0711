package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
)

var backupCommands = []command{
	{name: "backup", args: "FILE [--with-files] | now | status | auto FOLDER [--with-files] | off", says: "Write everything into one encrypted file, or do so every day", min: 1, max: 2, long: true, setup: backup},
	{name: "restore", args: "FILE|FOLDER", says: "Make a profile of a backup, or of the newest in a folder", min: 1, max: 1, long: true, setup: restore},
	{name: "move", args: "FILE", says: "Write everything for another computer and send nothing from here any more", min: 1, max: 1, long: true, setup: move},
}

// backupFlags are the flags of what has to do with backups. secret returns the
// backup's passphrase: its own, else the profile's.
func backupFlags(f *pflag.FlagSet) (files *bool, secret func(*env) (string, error)) {
	files = f.Bool("with-files", false, "with the files of the messages")
	own := f.String("backup-passphrase-file", "", "file with the backup's passphrase on its first line; without it that of --passphrase-file")
	return files, func(e *env) (string, error) {
		if *own != "" {
			return readSecret(*own)
		}
		if e.unlock.Passphrase == "" {
			return "", usagef("a passphrase is missing: give --backup-passphrase-file FILE or --passphrase-file FILE")
		}
		return e.unlock.Passphrase, nil
	}
}

func backup(f *pflag.FlagSet) action {
	files, secret := backupFlags(f)
	return func(ctx context.Context, e *env, args []string) error {
		switch {
		case len(args) == 2 && args[0] == "auto":
			return e.autoBackup(ctx, args[1], *files, secret)
		case len(args) == 2:
			return usagef("backup wants FILE, now, status, auto FOLDER or off")
		case args[0] == "off":
			return e.with(ctx, func(c core.Client) error {
				return errors.Join(c.SetBackup(ctx, core.BackupSetup{}), e.backupStatus(ctx, c))
			})
		case args[0] == "status":
			return e.with(ctx, func(c core.Client) error { return e.backupStatus(ctx, c) })
		case args[0] == "now":
			return e.with(ctx, func(c core.Client) error {
				r, err := c.BackupNow(ctx)
				return errors.Join(err, e.reported(r, err))
			})
		}
		return e.writeBackup(ctx, args[0], *files, secret, core.Client.Backup)
	}
}

// writeBackup has the running Kuvert, or one opened for this, write a backup.
func (e *env) writeBackup(ctx context.Context, file string, files bool, secret func(*env) (string, error), write func(core.Client, context.Context, core.BackupOptions) (core.BackupReport, error)) error {
	o := core.BackupOptions{Files: files}
	var err error
	if o.Path, err = filepath.Abs(file); err != nil {
		return err
	}
	if o.Passphrase, err = secret(e); err != nil {
		return err
	}
	return e.with(ctx, func(c core.Client) error {
		r, err := write(c, ctx, o)
		return errors.Join(err, e.reported(r, err))
	})
}

// reported prints what was written, if anything was.
func (e *env) reported(r core.BackupReport, err error) error {
	if err != nil {
		return nil
	}
	return e.line(r, "Wrote %s and read it back: %d messages in %d conversations, %d contacts, %d files, %d bytes.",
		r.Path, r.Messages, r.Conversations, r.Contacts, r.Files, r.Size)
}

func (e *env) autoBackup(ctx context.Context, folder string, files bool, secret func(*env) (string, error)) error {
	s := core.BackupSetup{Files: files}
	var err error
	if s.Folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	if s.Passphrase, err = secret(e); err != nil {
		return err
	}
	return e.with(ctx, func(c core.Client) error {
		if err := c.SetBackup(ctx, s); err != nil {
			return err
		}
		return e.backupStatus(ctx, c)
	})
}

// backupTroubles says why the last attempt came to nothing.
var backupTroubles = map[core.BackupTrouble]string{
	core.BackupNoFolder:   "The folder is not there now; the backup waits for it.",
	core.BackupDiskFull:   "The disk of the folder is full.",
	core.BackupNotAllowed: "Kuvert may not write into the folder.",
	core.BackupFailed:     "The last backup failed; the file kuvert.log in the profile's folder says more.",
}

func (e *env) backupStatus(ctx context.Context, c core.Client) error {
	s, err := c.BackupStatus(ctx)
	if err != nil {
		return err
	}
	return e.show(s, func(w io.Writer) {
		switch {
		case s.Moved:
			fmt.Fprintln(w, "This profile has moved to another computer.")
		case !s.On:
			fmt.Fprintln(w, "There is no automatic backup.")
		case s.Last.IsZero():
			fmt.Fprintf(w, "Every day into %s; none was made yet.\n", s.Folder)
		default:
			fmt.Fprintf(w, "Every day into %s; the last one %s, %d bytes.\n", s.Folder, s.Last.Local().Format(time.DateTime), s.Size)
		}
		if says := backupTroubles[s.Trouble]; says != "" {
			fmt.Fprintln(w, says)
		}
		if s.Overdue {
			fmt.Fprintln(w, "There was no backup for more than 7 days.")
		}
	})
}

func restore(f *pflag.FlagSet) action {
	_, secret := backupFlags(f)
	keyring := f.Bool("keyring", false, "let the system's keyring open the profile as well as the passphrase")
	return func(ctx context.Context, e *env, args []string) error {
		pass, err := secret(e)
		if err != nil {
			return err
		}
		how := run.Protection{Passphrase: e.unlock.Passphrase, KeyFile: e.unlock.KeyFile, Keyring: *keyring}
		r, err := run.Restore(ctx, e.profile, core.RestoreSource{Path: args[0], Passphrase: pass}, how)
		if err != nil {
			return err
		}
		return e.line(r, "Restored the profile of %s as of %s: %d messages in %d conversations, %d contacts, %d files. End Kuvert on the old computer for good.",
			r.Name, r.MadeAt.Local().Format(time.DateTime), r.Messages, r.Conversations, r.Contacts, r.Files)
	}
}

func move(f *pflag.FlagSet) action {
	_, secret := backupFlags(f)
	return func(ctx context.Context, e *env, args []string) error {
		return e.writeBackup(ctx, args[0], true, secret, core.Client.Move)
	}
}
