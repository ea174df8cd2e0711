package run

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/vault"
)

// maxKeyFile bounds a key file in bytes: the secret in base64 and a line end.
const maxKeyFile = 128

// readKeyFile reads a key file, which nobody else may be able to read (where the
// system knows such modes). Errors wrap chat.ErrKeyFile.
func readKeyFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", chat.ErrKeyFile, err)
	}
	if !info.Mode().IsRegular() || !private(info.Mode()) {
		return nil, fmt.Errorf("%w: its mode is %v, not 0600", chat.ErrKeyFile, info.Mode())
	}
	text, err := readBounded(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", chat.ErrKeyFile, err)
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(secret) != vault.SecretSize {
		return nil, fmt.Errorf("%w: not a key file", chat.ErrKeyFile)
	}
	return secret, nil
}

// makeKeyFile reads a key file, and makes it first if it is missing.
func makeKeyFile(path string) ([]byte, error) {
	secret, err := readKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	secret = random(vault.SecretSize)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the owner named it
	if err != nil {
		return nil, fmt.Errorf("%w: %w", chat.ErrKeyFile, err)
	}
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(secret) + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", chat.ErrKeyFile, err)
	}
	return secret, nil
}
