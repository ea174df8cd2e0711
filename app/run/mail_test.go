package run

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/kuvert-im/kuvert/crypto/vault"
	"github.com/kuvert-im/kuvert/storage/mailstore"
)

// keepsMail opens a profile that keeps mail for others, looks into its folder and
// runs it to its end.
func keepsMail(t *testing.T, dir string) {
	t.Helper()
	inst, err := Open(t.Context(), loopback(dir))
	must(t, err)
	must(t, inst.net.KeepMail(t.Context(), [][32]byte{{1}, {2}}))
	files, err := filepath.Glob(filepath.Join(dir, mailFile+"*"))
	must(t, err)
	for _, path := range files {
		b, err := os.ReadFile(path)
		must(t, err)
		if path == filepath.Join(dir, mailFile) && !bytes.HasPrefix(b, []byte("Kuvert database\n")) {
			t.Errorf("it begins with %q", b[:min(16, len(b))])
		}
		if bytes.Contains(b, []byte("SQLite format 3")) || bytes.Contains(b, []byte("CREATE TABLE")) {
			t.Errorf("%s is not encrypted", path)
		}
	}
	if len(files) == 0 {
		t.Error("there is no file")
	}
	ctx, cancel := context.WithCancel(t.Context())
	must(t, inst.Run(ctx, cancel))
}

// TestMailOfOthersIsEncrypted: what a desktop keeps for others is in the vault like
// everything else, and what lay there before it was is gone.
func TestMailOfOthersIsEncrypted(t *testing.T) {
	dir := newProfile(t)
	path := filepath.Join(dir, mailFile)
	plain, err := mailstore.Open(path, mailstore.Options{})
	must(t, err)
	must(t, plain.Close())
	keepsMail(t, dir)
	keepsMail(t, dir)
	must(t, os.WriteFile(path, []byte("damaged by the disk"), 0o600))
	keepsMail(t, dir)

	v, _, err := readVault(dir)
	must(t, err)
	secret, err := readKeyFile(os.Getenv(keyFileEnv))
	must(t, err)
	key, err := v.OpenSecret(vault.KeyFile, secret)
	must(t, err)
	for what, k := range map[string]vault.Key{"mail": key.Mail(), "database": key} {
		s, err := mailstore.Open(path, mailstore.Options{Key: (*[vault.KeySize]byte)(&k)})
		if (err == nil) != (what == "mail") {
			t.Errorf("with the key of the %s: %v", what, err)
		}
		if err == nil {
			must(t, s.Close())
		}
	}
}
