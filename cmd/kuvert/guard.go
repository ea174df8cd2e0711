package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/run"
	"github.com/kuvert-im/kuvert/app/sheet"
	"github.com/kuvert-im/kuvert/app/ui/protect"
)

// guard protects the profile in a folder: what the screens ask of package run.
type guard struct {
	dir string
	// owner is what a sheet says of the profile, asked for when one is made.
	owner func(ctx context.Context) (name, language string)
}

var _ protect.Guard = guard{}

// State implements protect.Guard.
func (g guard) State(ctx context.Context) (protect.State, error) {
	l, err := run.Ways(g.dir)
	if err != nil {
		return protect.State{}, err
	}
	s := state(l)
	s.Unfit = run.KeyringWorks(ctx, g.dir)
	return s, nil
}

// state is what the screens know of a lock.
func state(l run.Lock) protect.State {
	return protect.State{Passphrase: l.Passphrase, Keyring: l.Keyring, KeyFile: l.KeyFile, Sheet: l.Sheet}
}

// Asks implements protect.Guard.
func (g guard) Asks() (bool, error) {
	l, err := run.Ways(g.dir)
	return l.Passphrase, err
}

// Verify implements protect.Guard.
func (g guard) Verify(ctx context.Context, passphrase string) error {
	return run.VerifyPassphrase(ctx, g.dir, passphrase)
}

// SetPassphrase implements protect.Guard. The keyring goes on opening a profile that
// had a passphrase besides.
func (g guard) SetPassphrase(ctx context.Context, old, passphrase string) error {
	had, err := g.Asks()
	if err != nil {
		return err
	}
	if err := run.SetPassphrase(ctx, g.dir, run.Unlock{Passphrase: old}, passphrase); err != nil || had {
		return err
	}
	return run.SetKeyring(ctx, g.dir, run.Unlock{Passphrase: passphrase}, false)
}

// RemovePassphrase implements protect.Guard.
func (g guard) RemovePassphrase(ctx context.Context, old string) error {
	u := run.Unlock{Passphrase: old}
	if err := run.SetKeyring(ctx, g.dir, u, true); err != nil {
		return err
	}
	return run.SetPassphrase(ctx, g.dir, u, "")
}

// AskAtStart implements protect.Guard.
func (g guard) AskAtStart(ctx context.Context, passphrase string, ask bool) error {
	return run.SetKeyring(ctx, g.dir, run.Unlock{Passphrase: passphrase}, !ask)
}

// SheetFits implements protect.Guard.
func (g guard) SheetFits(text string) bool { return run.SheetFits(text) }

// VerifySheet implements protect.Guard.
func (g guard) VerifySheet(_ context.Context, text string) error { return run.VerifySheet(g.dir, text) }

// Replace implements protect.Guard.
func (g guard) Replace(ctx context.Context, text, passphrase string) error {
	return run.SetPassphrase(ctx, g.dir, run.Unlock{Sheet: text}, passphrase)
}

// NewSheet implements protect.Guard.
func (g guard) NewSheet(ctx context.Context, passphrase string) ([]byte, error) {
	e, err := run.AddEmergency(ctx, g.dir, run.Unlock{Passphrase: passphrase})
	if err != nil {
		return nil, err
	}
	name, language := g.owner(ctx)
	host, _ := os.Hostname() // the sheet does without
	var pdf bytes.Buffer
	err = sheet.Sheet{Profile: name, Computer: host, Made: time.Now(), Key: e.Key, QR: e.QR, Language: language}.WritePDF(&pdf)
	return pdf.Bytes(), err
}

// locked reports whether a profile does not open for want of a passphrase or a key.
func locked(err error) bool {
	return errors.Is(err, chat.ErrLocked) || errors.Is(err, chat.ErrWrongPassphrase)
}

// printPattern names the sheets that are shown to be printed.
const printPattern = "kuvert-*-sheet.pdf"

// printout writes a sheet where the system's program for PDF finds it, for this user
// alone. forgetPrintouts takes it away.
func printout(pdf []byte) (string, error) {
	f, err := os.CreateTemp("", printPattern)
	if err != nil {
		return "", fmt.Errorf("kuvert: sheet: %w", err)
	}
	_, err = f.Write(pdf)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("kuvert: sheet: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return f.Name(), nil
}

// forgetPrintouts removes this user's sheets, also those that a crash left.
func forgetPrintouts() {
	all, _ := filepath.Glob(filepath.Join(os.TempDir(), printPattern)) // the pattern is right
	for _, path := range all {
		_ = os.Remove(path) // somebody else's stay
	}
}
