// Package protect holds what the screens ask and say about the protection of a
// profile on this computer: passphrases, the emergency sheet, the screen that
// stands before a profile that is locked. What it shows it keeps no longer than it
// is shown; the work is its Guard's.
package protect

import (
	"context"
	"errors"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Limits of a passphrase, those of package run: the least length in characters, the
// greatest in bytes.
const (
	MinLength = 8
	MaxSize   = 1024
)

// Guard does what the screens ask for. Its methods are called away from the UI
// thread; with a passphrase they take about a second, with a keyring that does not
// answer five. Errors wrap the sentinels of package chat.
type Guard interface {
	// State says how the profile is protected.
	State(ctx context.Context) (State, error)
	// Asks reports whether the profile has a passphrase. It returns at once.
	Asks() (bool, error)
	// Verify says nil or chat.ErrWrongPassphrase.
	Verify(ctx context.Context, passphrase string) error
	// SetPassphrase sets or changes it; old is "" if there is none yet. From then on
	// it is asked for at the start.
	SetPassphrase(ctx context.Context, old, passphrase string) error
	// RemovePassphrase lets the keyring alone open the profile.
	RemovePassphrase(ctx context.Context, old string) error
	// AskAtStart says whether the passphrase is asked for at the start, or the
	// keyring opens the profile besides.
	AskAtStart(ctx context.Context, passphrase string, ask bool) error
	// NewSheet returns an emergency sheet as PDF; an earlier one is worth nothing
	// from then on. passphrase is "" if there is none.
	NewSheet(ctx context.Context, passphrase string) ([]byte, error)
	SheetGuard
}

// SheetGuard is what a forgotten passphrase needs.
type SheetGuard interface {
	// SheetFits reports whether text is complete and without a typing error.
	SheetFits(text string) bool
	// VerifySheet says nil, chat.ErrSheetMistyped or chat.ErrWrongPassphrase.
	VerifySheet(ctx context.Context, sheet string) error
	// Replace sets a new passphrase by the key of a sheet.
	Replace(ctx context.Context, sheet, passphrase string) error
}

// State is how a profile is protected.
type State struct {
	// The ways in which it may be opened.
	Passphrase, Keyring, KeyFile, Sheet bool
	// Unfit says why the keyring cannot open it without a question: nil if it can,
	// chat.ErrNoKeyring, chat.ErrPassphraseNeeded (this login has other profiles).
	Unfit error
}

var sentences = []struct {
	err error
	key string
}{
	{chat.ErrWrongPassphrase, "protect.wrong"},
	{chat.ErrSheetMistyped, "protect.sheet.wrong.char"},
	{chat.ErrPassphraseShort, "protect.hint.short"},
	{chat.ErrPassphraseNeeded, "protect.others"},
	{chat.ErrKeyringEmpty, "protect.keyring.empty"},
	{chat.ErrNoKeyring, "protect.keyring.none"},
	{chat.ErrKeyFile, "protect.keyfile"},
	{chat.ErrVault, "protect.vault"},
	{chat.ErrDiskFull, "screens.first.failed.full"},
	{chat.ErrReadOnly, "screens.fail.readonly.text"},
}

// Sentence says what happened and what to do.
func Sentence(err error) string {
	for _, s := range sentences {
		if errors.Is(err, s.err) {
			return parts.T(s.key, parts.With("N", MinLength))
		}
	}
	return parts.T("protect.failed")
}
