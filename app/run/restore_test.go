package run

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// A restore that fails leaves no profile and no database, and the next one into the
// same folder works.
func TestRestoreIsWholeOrNothing(t *testing.T) {
	const pass = "correct horse battery"
	ctx := t.Context()
	how := Protection{KeyFile: filepath.Join(t.TempDir(), "key")}
	old := t.TempDir()
	if err := Create(ctx, old, core.NewProfile{Name: "Alice"}, how); err != nil {
		t.Fatal(err)
	}
	inst, err := Open(ctx, Options{Dir: old, Offline: true, Unlock: Unlock{KeyFile: how.KeyFile}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "alice.age")
	_, err = inst.Client().Backup(ctx, core.BackupOptions{Path: path, Passphrase: pass})
	me, err2 := inst.Client().Whoami(ctx)
	if err := errors.Join(err, err2, inst.Close()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	bad := filepath.Join(t.TempDir(), "bad.age")
	if err := os.WriteFile(bad, whole[:len(whole)-30], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, pass string
		want       error
	}{{path, "something else", chat.ErrBackupPassphrase}, {bad, pass, chat.ErrBackupDamaged}, {dir, pass, chat.ErrNotBackup}} {
		if _, err := Restore(ctx, dir, core.RestoreSource{Path: c.path, Passphrase: c.pass}, how); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
		if there, err := Exists(dir); there || err != nil {
			t.Errorf("a profile is there: %v", err)
		}
		if _, err := os.Stat(filepath.Join(dir, databaseFile)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a database is left: %v", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, databaseFile), []byte("of an attempt that was killed"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Restore(ctx, dir, core.RestoreSource{Path: path, Passphrase: pass}, how)
	if err != nil || r.ID != me.ID || r.Name != "Alice" {
		t.Fatalf("%+v %v", r, err)
	}
	if _, err := Restore(ctx, dir, core.RestoreSource{Path: path, Passphrase: pass}, how); !errors.Is(err, chat.ErrProfileExists) {
		t.Errorf("over a profile: %v", err)
	}
	inst, err = Open(ctx, Options{Dir: dir, Offline: true, Unlock: Unlock{KeyFile: how.KeyFile}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := inst.Client().Whoami(ctx)
	if err := errors.Join(err, inst.Close()); err != nil || got != me {
		t.Errorf("%+v, want %+v: %v", got, me, err)
	}
}
