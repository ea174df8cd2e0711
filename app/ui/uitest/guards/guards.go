// Package guards has a protect.Guard for tests. It is apart from uitest, which the
// packages below protect are tested with.
package guards

import (
	"context"
	"strings"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/protect"
)

// SheetKey is the key of the sheet that a Guard takes.
const SheetKey = "0123 4567 89AB CDEF GHJK MNPQ RSTV WXYZ 0000"

// Guard protects a profile that is not there.
type Guard struct {
	Is         protect.State
	Passphrase string
	Sheets     int
	// Fail is what every deed fails with.
	Fail error
}

var _ protect.Guard = (*Guard)(nil)

// State implements protect.Guard.
func (g *Guard) State(context.Context) (protect.State, error) { return g.Is, g.Fail }

// Asks implements protect.Guard.
func (g *Guard) Asks() (bool, error) { return g.Is.Passphrase, g.Fail }

// Verify implements protect.Guard.
func (g *Guard) Verify(_ context.Context, passphrase string) error {
	if g.Fail == nil && passphrase != g.Passphrase {
		return chat.ErrWrongPassphrase
	}
	return g.Fail
}

// SetPassphrase implements protect.Guard.
func (g *Guard) SetPassphrase(ctx context.Context, old, passphrase string) error {
	if err := g.Verify(ctx, old); err != nil {
		return err
	}
	g.Passphrase, g.Is.Passphrase, g.Is.Keyring = passphrase, true, false
	return nil
}

// RemovePassphrase implements protect.Guard.
func (g *Guard) RemovePassphrase(ctx context.Context, old string) error {
	if err := g.Verify(ctx, old); err != nil {
		return err
	}
	g.Passphrase, g.Is.Passphrase, g.Is.Keyring = "", false, true
	return nil
}

// AskAtStart implements protect.Guard.
func (g *Guard) AskAtStart(ctx context.Context, passphrase string, ask bool) error {
	if err := g.Verify(ctx, passphrase); err != nil {
		return err
	}
	g.Is.Keyring = !ask
	return nil
}

// NewSheet implements protect.Guard.
func (g *Guard) NewSheet(ctx context.Context, passphrase string) ([]byte, error) {
	if err := g.Verify(ctx, passphrase); err != nil {
		return nil, err
	}
	g.Sheets++
	g.Is.Sheet = true
	return []byte("%PDF-1.3"), nil
}

// SheetFits implements protect.Guard: every complete key that does not end in X.
func (g *Guard) SheetFits(text string) bool { return !strings.HasSuffix(text, "X") }

// VerifySheet implements protect.Guard.
func (g *Guard) VerifySheet(_ context.Context, sheet string) error {
	if g.Fail == nil && bare(sheet) != bare(SheetKey) {
		return chat.ErrWrongPassphrase
	}
	return g.Fail
}

// Replace implements protect.Guard.
func (g *Guard) Replace(ctx context.Context, sheet, passphrase string) error {
	if err := g.VerifySheet(ctx, sheet); err != nil {
		return err
	}
	g.Passphrase = passphrase
	return nil
}

func bare(key string) string { return strings.ToUpper(strings.ReplaceAll(key, " ", "")) }
