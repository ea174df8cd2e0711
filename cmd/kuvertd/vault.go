package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
	"github.com/kuvert-im/kuvert/app/sheet"
)

var vaultCommands = []command{
	{name: "passphrase", args: "show | check | set FILE | remove | keyring on|off | sheet FILE.pdf", says: "Show or change what opens the profile", min: 1, max: 2, setup: passphrase},
}

// readUnlock reads the files that --passphrase-file and --sheet-file name.
func (e *env) readUnlock() (err error) {
	e.unlock.KeyFile = e.keyFile
	if e.passphraseFile != "" {
		if e.unlock.Passphrase, err = readSecret(e.passphraseFile); err != nil {
			return err
		}
	}
	if e.sheetFile != "" {
		e.unlock.Sheet, err = readSecret(e.sheetFile)
	}
	return err
}

// readSecret reads the first line of a file.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", refusal{"the file " + path + " cannot be read", "give one that holds the passphrase on its first line", exitUsage}
	}
	defer func() { _ = f.Close() }()                             // it was only read
	b, err := io.ReadAll(io.LimitReader(f, run.MaxPassphrase+2)) // a line end may follow
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", refusal{"the first line of " + path + " is empty", "put the passphrase there", exitUsage}
	}
	return line, nil
}

// passphraseActions are the subcommands of passphrase: what each takes, and does.
var passphraseActions = map[string]struct {
	args int
	do   func(ctx context.Context, e *env, args []string) error
}{
	"show":    {0, func(ctx context.Context, e *env, _ []string) error { return e.showLock(ctx) }},
	"check":   {0, func(ctx context.Context, e *env, _ []string) error { return e.checkPassphrase(ctx) }},
	"set":     {1, func(ctx context.Context, e *env, args []string) error { return e.setPassphrase(ctx, args[0]) }},
	"remove":  {0, func(ctx context.Context, e *env, _ []string) error { return e.changePassphrase(ctx, "") }},
	"keyring": {1, func(ctx context.Context, e *env, args []string) error { return e.setKeyring(ctx, args[0]) }},
	"sheet":   {1, func(ctx context.Context, e *env, args []string) error { return e.makeSheet(ctx, args[0]) }},
}

func passphrase(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, args []string) error {
		a, ok := passphraseActions[args[0]]
		if !ok || len(args)-1 != a.args {
			return usagef("passphrase wants show, check, set FILE, remove, keyring on|off or sheet FILE.pdf")
		}
		return a.do(ctx, e, args[1:])
	}
}

// lockState is how a profile is protected, as JSON.
type lockState struct {
	Passphrase bool   `json:"passphrase"`
	Keyring    bool   `json:"keyring"`
	KeyFile    bool   `json:"key_file"`
	Sheet      bool   `json:"sheet"`
	Ask        bool   `json:"ask"`     // it does not open without a question
	Trouble    string `json:"trouble"` // why the keyring does not open it, or ""
}

func (e *env) showLock(ctx context.Context) error {
	l, err := run.Locked(ctx, e.profile)
	if err != nil {
		return err
	}
	s := lockState{Passphrase: l.Passphrase, Keyring: l.Keyring, KeyFile: l.KeyFile, Sheet: l.Sheet, Ask: l.Ask}
	if l.Why != nil {
		s.Trouble = explain(l.Why).Error
	}
	return e.show(s, func(w io.Writer) {
		fmt.Fprintf(w, "The profile opens by: %s.\n", strings.Join(s.ways(), ", "))
		if s.Trouble != "" {
			fmt.Fprintf(w, "But %s.\n", s.Trouble)
		}
	})
}

func (s lockState) ways() (out []string) {
	for _, way := range []struct {
		there bool
		name  string
	}{{s.Keyring, "the system's keyring"}, {s.Passphrase, "a passphrase"}, {s.KeyFile, "a key file"}, {s.Sheet, "an emergency sheet"}} {
		if way.there {
			out = append(out, way.name)
		}
	}
	return out
}

func (e *env) checkPassphrase(ctx context.Context) error {
	if e.unlock.Passphrase == "" {
		return usagef("--passphrase-file is missing")
	}
	if err := run.VerifyPassphrase(ctx, e.profile, e.unlock.Passphrase); err != nil {
		return err
	}
	return e.line(map[string]bool{"ok": true}, "This is the passphrase.")
}

func (e *env) setPassphrase(ctx context.Context, file string) error {
	next, err := readSecret(file)
	if err != nil {
		return err
	}
	return e.changePassphrase(ctx, next)
}

func (e *env) changePassphrase(ctx context.Context, next string) error {
	if err := run.SetPassphrase(ctx, e.profile, e.unlock, next); err != nil {
		return err
	}
	return e.showLock(ctx)
}

func (e *env) setKeyring(ctx context.Context, to string) error {
	if to != "on" && to != "off" {
		return usagef("passphrase keyring wants on or off")
	}
	if err := run.SetKeyring(ctx, e.profile, e.unlock, to == "on"); err != nil {
		return err
	}
	return e.showLock(ctx)
}

// makeSheet writes an emergency sheet. The key is in the file alone, not on the
// screen. The file is made first: a sheet that nobody has must not end an earlier
// one.
func (e *env) makeSheet(ctx context.Context, path string) error {
	s := sheet.Sheet{Made: time.Now()}
	s.Computer, _ = os.Hostname() // or none
	err := e.with(ctx, func(c core.Client) (err error) {
		me, err := c.Whoami(ctx)
		if err != nil {
			return err
		}
		s.Profile = me.Name
		s.Language, err = language(ctx, c)
		return err
	})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return refusal{"the file " + path + " cannot be made", "name one that does not exist yet, in a folder where you may write", exitFailed}
	}
	if err := errors.Join(e.fillSheet(ctx, s, f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return e.line(map[string]string{"file": path}, "The emergency sheet is in %s. Print it, then delete the file. Earlier sheets do not open the profile any more.", path)
}

func (e *env) fillSheet(ctx context.Context, s sheet.Sheet, f *os.File) error {
	key, err := run.AddEmergency(ctx, e.profile, e.unlock)
	if err != nil {
		return err
	}
	s.Key, s.QR = key.Key, key.QR
	return errors.Join(s.WritePDF(f), f.Sync())
}
