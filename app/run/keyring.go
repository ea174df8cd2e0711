package run

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/vault"
)

const (
	// keyringService is under which name the system shows our entries.
	keyringService = "Kuvert"
	// keyringPatience is how long the system's keyring may take. Some ask for a
	// password of their own first: it goes on meanwhile, and a second try finds it
	// open.
	keyringPatience = 5 * time.Second
)

// ring is the operating system's keyring: the Secret Service on Linux, the
// credential manager on Windows, the keychain on macOS. None of them can be told
// to give up. Only a wrapping key lies there, never the database key.
type ring interface {
	Get(service, user string) (string, error)
	Set(service, user, secret string) error
	Delete(service, user string) error
}

// systemRing is the real one.
type systemRing struct{}

func (systemRing) Get(service, user string) (string, error) {
	if err := reachRing(); err != nil {
		return "", err
	}
	return keyring.Get(service, user)
}

func (systemRing) Set(service, user, secret string) error {
	if err := reachRing(); err != nil {
		return err
	}
	return keyring.Set(service, user, secret)
}

func (systemRing) Delete(service, user string) error {
	if err := reachRing(); err != nil {
		return err
	}
	return keyring.Delete(service, user)
}

// keyrings is the keyring at work, and how long to wait for it. A test replaces it.
var keyrings = newRings(systemRing{}, keyringPatience)

// rings bounds what is asked of a keyring: one call at a time, even if it hangs.
type rings struct {
	ring     ring
	patience time.Duration
	busy     chan struct{}
}

func newRings(r ring, patience time.Duration) *rings {
	return &rings{ring: r, patience: patience, busy: make(chan struct{}, 1)}
}

// call runs do, but waits for it no longer than patience. A call that hangs is left
// to end by itself, and keeps others out until then.
func (r *rings) call(ctx context.Context, do func(ring) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	select {
	case r.busy <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%w: an earlier question was not answered", chat.ErrNoKeyring)
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-r.busy }()
		done <- do(r.ring)
	}()
	select {
	case err := <-done:
		return keyringError(err)
	case <-ctx.Done():
		return fmt.Errorf("%w: no answer: %w", chat.ErrNoKeyring, ctx.Err())
	}
}

func keyringError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyring.ErrNotFound):
		return fmt.Errorf("%w: %w", chat.ErrKeyringEmpty, err)
	default:
		return fmt.Errorf("%w: %w", chat.ErrNoKeyring, err)
	}
}

// keyringGet returns the secret of the vault with that id. Errors: chat.ErrNoKeyring,
// chat.ErrKeyringEmpty.
func keyringGet(ctx context.Context, id string) ([]byte, error) {
	answer := make(chan string, 1) // not a variable: a late answer may come after us
	err := keyrings.call(ctx, func(r ring) error {
		text, err := r.Get(keyringService, id)
		answer <- text
		return err
	})
	if err != nil {
		return nil, err
	}
	secret, err := base64.StdEncoding.DecodeString(<-answer)
	if err != nil || len(secret) != vault.SecretSize {
		return nil, fmt.Errorf("%w: its entry is not ours", chat.ErrKeyringEmpty)
	}
	return secret, nil
}

func keyringSet(ctx context.Context, id string, secret []byte) error {
	text := base64.StdEncoding.EncodeToString(secret)
	return keyrings.call(ctx, func(r ring) error { return r.Set(keyringService, id, text) })
}

func keyringDelete(ctx context.Context, id string) error {
	return keyrings.call(ctx, func(r ring) error { return r.Delete(keyringService, id) })
}
