package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
	"github.com/kuvert-im/kuvert/app/ui/firststart"
	"github.com/kuvert-im/kuvert/app/ui/protect"
)

const passphrase = "Apfel Fenster Donau Kreide"

// TestPassphraseLimits: the screens ask for what the profile takes.
func TestPassphraseLimits(t *testing.T) {
	if protect.MinLength != run.MinPassphrase || protect.MaxSize != run.MaxPassphrase {
		t.Errorf("%d to %d, want %d to %d", protect.MinLength, protect.MaxSize, run.MinPassphrase, run.MaxPassphrase)
	}
}

// TestGuard goes through what the screens ask of a profile with a passphrase, on a
// machine without a keyring.
func TestGuard(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
	dir := filepath.Join(t.TempDir(), "profile")
	how := protection(firststart.Answers{Passphrase: passphrase})
	if err := run.Create(t.Context(), dir, core.NewProfile{Name: "Sabine", Network: core.NetworkLAN}, how); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	g := guard{dir: dir, owner: func(context.Context) (string, string) { return "Sabine", "de" }}
	if asks, err := g.Asks(); err != nil || !asks {
		t.Errorf("asks %v, %v", asks, err)
	}
	pdf, err := g.NewSheet(ctx, passphrase)
	if err != nil || !bytes.HasPrefix(pdf, []byte("%PDF")) {
		t.Fatalf("sheet of %d bytes, %v", len(pdf), err)
	}
	s, err := g.State(ctx)
	if err != nil || !s.Passphrase || !s.Sheet || s.Keyring {
		t.Errorf("%+v, %v", s, err)
	}
	const next = "Kreide Donau Fenster Apfel"
	if err := g.SetPassphrase(ctx, "falsch", next); !errors.Is(err, chat.ErrWrongPassphrase) {
		t.Errorf("changed by a wrong passphrase: %v", err)
	}
	if err := g.SetPassphrase(ctx, passphrase, next); err != nil {
		t.Fatal(err)
	}
	if err := g.Verify(ctx, passphrase); !errors.Is(err, chat.ErrWrongPassphrase) {
		t.Errorf("the old one is still good: %v", err)
	}
	if err := g.RemovePassphrase(ctx, next); !errors.Is(err, chat.ErrNoKeyring) && !errors.Is(err, chat.ErrPassphraseNeeded) {
		t.Errorf("removed without a keyring: %v", err)
	}
	if err := g.Verify(ctx, next); err != nil {
		t.Errorf("the passphrase is gone: %v", err)
	}
	if g.SheetFits("0000") || !errors.Is(g.VerifySheet(ctx, "0000"), chat.ErrSheetMistyped) {
		t.Error("takes four characters for a sheet's key")
	}
}

// TestPrintouts: a sheet to be printed is for this user alone, and goes.
func TestPrintouts(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	path, err := printout([]byte("%PDF"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	forgetPrintouts()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the sheet stays: %v", err)
	}
}
