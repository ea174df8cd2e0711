package run

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/crypto/vault"
)

func init() {
	// The floor: the tests try many passphrases.
	chooseCost = func() vault.Cost { return vault.Cost{Passes: vault.MinPasses, Memory: vault.MinMemory, Lanes: 4} }
}

const (
	right = "vier Wörter sind besser"
	other = "correct horse battery"
)

// fakeRing is a keyring in memory that can be made to fail or hang.
type fakeRing struct {
	mu      sync.Mutex
	entries map[string]string
	err     error
	hang    chan struct{} // calls wait until it is closed
}

func (f *fakeRing) call(do func() error) error {
	f.mu.Lock()
	hang := f.hang
	f.mu.Unlock()
	if hang != nil {
		<-hang
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	return do()
}

func (f *fakeRing) Get(s, u string) (secret string, err error) {
	err = f.call(func() error {
		var ok bool
		if secret, ok = f.entries[s+"/"+u]; !ok {
			return keyring.ErrNotFound
		}
		return nil
	})
	return secret, err
}

func (f *fakeRing) Set(s, u, secret string) error {
	return f.call(func() error { f.entries[s+"/"+u] = secret; return nil })
}

func (f *fakeRing) Delete(s, u string) error {
	return f.call(func() error { delete(f.entries, s+"/"+u); return nil })
}

func (f *fakeRing) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// login is one person's login: folders and a keyring of its own.
type login struct {
	t    *testing.T
	home string
	ring *fakeRing
}

func newLogin(t *testing.T) *login {
	t.Helper()
	home, err := os.MkdirTemp("", "kuvert-") // short: sockets lie in it
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(home) })
	for _, name := range []string{"XDG_RUNTIME_DIR", "XDG_DATA_HOME", "HOME", "LOCALAPPDATA"} {
		t.Setenv(name, home)
	}
	t.Setenv(keyFileEnv, "")
	l := &login{t: t, home: home, ring: &fakeRing{entries: map[string]string{}}}
	before := keyrings
	keyrings = newRings(l.ring, 200*time.Millisecond)
	t.Cleanup(func() { keyrings = before })
	return l
}

func (l *login) create(name string, how Protection) (string, error) {
	dir := filepath.Join(l.home, name)
	return dir, Create(l.t.Context(), dir, core.NewProfile{Name: name, Network: core.NetworkLAN}, how)
}

// made is create, which must not fail.
func (l *login) made(name string, how Protection) string {
	l.t.Helper()
	dir, err := l.create(name, how)
	must(l.t, err)
	return dir
}

// opens opens and closes a profile.
func opens(t *testing.T, dir string, u Unlock) error {
	t.Helper()
	i, err := Open(t.Context(), Options{Dir: dir, Offline: true, Unlock: u})
	if err != nil {
		return err
	}
	me, err := i.Client().Whoami(t.Context())
	must(t, err)
	if me.Name == "" {
		t.Error("nobody")
	}
	return i.Close()
}

// wants checks an error against sentinels; without any it must be nil.
func wants(t *testing.T, what string, err error, sentinels ...error) {
	t.Helper()
	if len(sentinels) == 0 && err != nil {
		t.Errorf("%s: %v", what, err)
	}
	for _, s := range sentinels {
		if !errors.Is(err, s) {
			t.Errorf("%s: %v, not %v", what, err, s)
		}
	}
}

// contents are the hashes of a folder's files, without log and locks.
func contents(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	out := map[string][32]byte{}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "lock") || strings.Contains(path, logFile) {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = sha256.Sum256(b)
		return err
	}))
	return out
}

func unchanged(t *testing.T, what, dir string, before map[string][32]byte) {
	t.Helper()
	if after := contents(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%s: files were changed", what)
	}
}

func TestKeyring(t *testing.T) {
	l := newLogin(t)
	dir := l.made("alice", Protection{})
	wants(t, "by the keyring", opens(t, dir, Unlock{}))
	lock, err := Locked(t.Context(), dir)
	if err != nil || lock != (Lock{Keyring: true}) {
		t.Errorf("%+v, %v", lock, err)
	}
	if len(l.ring.entries) != 1 {
		t.Fatalf("%d entries", len(l.ring.entries))
	}
	v, _, err := readVault(dir)
	must(t, err)
	key, err := unlock(t.Context(), v, Unlock{})
	must(t, err)
	for name, secret := range l.ring.entries {
		if name != "Kuvert/"+v.ID() || len(secret) != 44 {
			t.Errorf("%s: %d characters", name, len(secret))
		}
		if raw, err := keyringGet(t.Context(), v.ID()); err != nil || bytes.Equal(raw, key[:]) {
			t.Errorf("the database key lies in the keyring, or nothing: %v", err)
		}
	}
	moved := filepath.Join(l.home, "moved")
	must(t, os.Rename(dir, moved))
	wants(t, "a folder that was moved", opens(t, moved, Unlock{}))
	wants(t, "a passphrase that there is not", opens(t, moved, Unlock{Passphrase: right}), chat.ErrWrongPassphrase)
	wants(t, "the last way", SetKeyring(t.Context(), moved, Unlock{}, false), chat.ErrPassphraseNeeded)
	wants(t, "no passphrase", SetPassphrase(t.Context(), moved, Unlock{}, ""))
	wants(t, "a passphrase too", SetPassphrase(t.Context(), moved, Unlock{}, right))
	wants(t, "without the keyring", SetKeyring(t.Context(), moved, Unlock{}, false))
	wants(t, "now asked for", opens(t, moved, Unlock{}), chat.ErrLocked)
	wants(t, "and opened", opens(t, moved, Unlock{Passphrase: right}))
	if len(l.ring.entries) != 0 {
		t.Error("the entry stays in the keyring")
	}
}

// TestNoKeyring: nothing is made, and what is said makes a second try possible.
func TestNoKeyring(t *testing.T) {
	l := newLogin(t)
	l.ring.err = errors.New("The name org.freedesktop.secrets was not provided by any .service files")
	dir, err := l.create("alice", Protection{})
	wants(t, "no keyring", err, chat.ErrNoKeyring)
	wants(t, "no keyring", KeyringWorks(t.Context(), dir), chat.ErrNoKeyring)
	if there, err := Exists(dir); there || err != nil {
		t.Errorf("a profile is there: %v", err)
	}
	_, err = l.create("alice", Protection{Passphrase: right, Keyring: true})
	wants(t, "a keyring was asked for", err, chat.ErrNoKeyring)
	l.made("alice", Protection{Passphrase: right})
	wants(t, "by passphrase", opens(t, dir, Unlock{Passphrase: right}))
	wants(t, "the keyring now", SetKeyring(t.Context(), dir, Unlock{Passphrase: right}, true), chat.ErrNoKeyring)
	l.ring.err = nil
	wants(t, "a keyring again", SetKeyring(t.Context(), dir, Unlock{Passphrase: right}, true))
	wants(t, "without a question", opens(t, dir, Unlock{}))
}

// TestKeyringHangs: it is given up on, one call at a time, and recovers.
func TestKeyringHangs(t *testing.T) {
	l := newLogin(t)
	dir := l.made("alice", Protection{Passphrase: right, Keyring: true})
	hang := make(chan struct{})
	l.ring.set(func() { l.ring.hang = hang })
	goroutines := runtime.NumGoroutine()
	for range 5 {
		start := time.Now()
		wants(t, "hangs", opens(t, dir, Unlock{}), chat.ErrLocked, chat.ErrNoKeyring)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("waited %v", d)
		}
	}
	if n := runtime.NumGoroutine(); n > goroutines+2 {
		t.Errorf("%d goroutines were left", n-goroutines)
	}
	lock, err := Locked(t.Context(), dir)
	if err != nil || !lock.Ask || !lock.Passphrase || !errors.Is(lock.Why, chat.ErrNoKeyring) {
		t.Errorf("%+v, %v", lock, err)
	}
	start := time.Now()
	if lock, err = Ways(dir); err != nil || lock != (Lock{Passphrase: true, Keyring: true}) || time.Since(start) > 150*time.Millisecond {
		t.Errorf("%+v, %v after %v", lock, err, time.Since(start))
	}
	wants(t, "the passphrase always works", opens(t, dir, Unlock{Passphrase: right}))
	l.ring.set(func() { l.ring.hang = nil })
	close(hang)
	wants(t, "it answers again", opens(t, dir, Unlock{}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := keyringGet(ctx, "x"); err == nil {
		t.Error("a call after the end")
	}
}

func TestKeyringForgets(t *testing.T) {
	l := newLogin(t)
	dir := l.made("alice", Protection{Passphrase: right, Keyring: true})
	for what, secret := range map[string]string{"nothing": "", "garbage": "%%%", "another's": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="} {
		for name := range l.ring.entries {
			if l.ring.entries[name] = secret; secret == "" {
				delete(l.ring.entries, name)
			}
		}
		before := contents(t, dir)
		wants(t, what, opens(t, dir, Unlock{}), chat.ErrLocked, chat.ErrKeyringEmpty)
		unchanged(t, what, dir, before)
		lock, err := Locked(t.Context(), dir)
		if err != nil || !lock.Ask || !errors.Is(lock.Why, chat.ErrKeyringEmpty) {
			t.Errorf("%s: %+v, %v", what, lock, err)
		}
		wants(t, what, opens(t, dir, Unlock{Passphrase: right}))
		wants(t, what, SetKeyring(t.Context(), dir, Unlock{Passphrase: right}, true))
		wants(t, what, opens(t, dir, Unlock{}))
	}
}

func TestPassphrase(t *testing.T) {
	l := newLogin(t)
	for _, bad := range []string{"sieben7", strings.Repeat("x", MaxPassphrase+1), "\xff12345678"} {
		_, err := l.create("alice", Protection{Passphrase: bad})
		wants(t, "a bad passphrase", err, chat.ErrPassphraseShort)
	}
	dir := l.made("alice", Protection{Passphrase: right})
	if len(l.ring.entries) != 0 {
		t.Error("something lies in the keyring")
	}
	before := contents(t, dir)
	wants(t, "without", opens(t, dir, Unlock{}), chat.ErrLocked)
	start := time.Now()
	wants(t, "wrong", opens(t, dir, Unlock{Passphrase: other}), chat.ErrWrongPassphrase)
	if d := time.Since(start); d < 5*time.Millisecond {
		t.Errorf("a wrong passphrase cost %v", d)
	}
	wants(t, "wrong", VerifyPassphrase(t.Context(), dir, other), chat.ErrWrongPassphrase)
	wants(t, "right", VerifyPassphrase(t.Context(), dir, right))
	wants(t, "from a wrong one", SetPassphrase(t.Context(), dir, Unlock{Passphrase: other}, other), chat.ErrWrongPassphrase)
	wants(t, "to a short one", SetPassphrase(t.Context(), dir, Unlock{Passphrase: right}, "short"), chat.ErrPassphraseShort)
	wants(t, "to none", SetPassphrase(t.Context(), dir, Unlock{Passphrase: right}, ""), chat.ErrPassphraseNeeded)
	unchanged(t, "refusals", dir, before)

	i, err := Open(t.Context(), Options{Dir: dir, Offline: true, Unlock: Unlock{Passphrase: right}})
	must(t, err)
	wants(t, "while somebody runs it", SetPassphrase(t.Context(), dir, Unlock{Passphrase: right}, other))
	must(t, i.Close())
	wants(t, "the old one", opens(t, dir, Unlock{Passphrase: right}), chat.ErrWrongPassphrase)
	wants(t, "the new one", opens(t, dir, Unlock{Passphrase: other}))

	database := filepath.Join(dir, databaseFile)
	before = contents(t, dir)
	wants(t, "back", SetPassphrase(t.Context(), dir, Unlock{Passphrase: other}, right))
	after := contents(t, dir)
	if before[database] != after[database] || before[filepath.Join(dir, vaultFile)] == after[filepath.Join(dir, vaultFile)] {
		t.Error("the database was rewritten, or the vault was not")
	}
}

func TestEmergency(t *testing.T) {
	l := newLogin(t)
	dir := l.made("alice", Protection{Passphrase: right})
	_, err := AddEmergency(t.Context(), dir, Unlock{Passphrase: other})
	wants(t, "by a wrong passphrase", err, chat.ErrWrongPassphrase)
	first, err := AddEmergency(t.Context(), dir, Unlock{Passphrase: right})
	must(t, err)
	second, err := AddEmergency(t.Context(), dir, Unlock{Passphrase: right})
	must(t, err)
	wants(t, "an earlier sheet", VerifySheet(dir, first.QR), chat.ErrWrongPassphrase)
	wants(t, "the sheet", VerifySheet(dir, strings.Join(second.Key, " ")))
	wants(t, "half of it", VerifySheet(dir, strings.Join(second.Key[:5], " ")), chat.ErrSheetMistyped)
	if !SheetFits(second.QR) || SheetFits(second.QR+"0") {
		t.Error("SheetFits")
	}
	wants(t, "an earlier sheet", opens(t, dir, Unlock{Sheet: first.QR}), chat.ErrWrongPassphrase)
	wants(t, "mistyped", opens(t, dir, Unlock{Sheet: strings.Join(second.Key[:8], " ")}), chat.ErrSheetMistyped)
	wants(t, "typed", opens(t, dir, Unlock{Sheet: strings.ToLower(strings.Join(second.Key, "-"))}))
	o := Options{Dir: dir, Offline: true}
	_, err = OpenEmergency(t.Context(), o, second.QR, "")
	wants(t, "without a new passphrase", err, chat.ErrPassphraseShort)
	_, err = OpenEmergency(t.Context(), o, first.QR, other)
	wants(t, "by an earlier sheet", err, chat.ErrWrongPassphrase)
	i, err := OpenEmergency(t.Context(), o, second.QR, other)
	must(t, err)
	must(t, i.Close())
	wants(t, "the forgotten one", opens(t, dir, Unlock{Passphrase: right}), chat.ErrWrongPassphrase)
	wants(t, "the new one", opens(t, dir, Unlock{Passphrase: other}))
	wants(t, "the sheet again", opens(t, dir, Unlock{Sheet: second.QR}))
	if s := fmt.Sprintf("%v %+v %#v %v %#v", second, second, second, Unlock{Sheet: second.QR}, Protection{Passphrase: right}); strings.Contains(s, second.Key[0]) || strings.Contains(s, right) {
		t.Error("a secret is in a text: " + s)
	}
}

// TestSecondProfile: the keyring opens to whoever uses the login.
func TestSecondProfile(t *testing.T) {
	l := newLogin(t)
	wants(t, "before the first", KeyringWorks(t.Context(), filepath.Join(l.home, "alice")))
	first := l.made("alice", Protection{})
	wants(t, "of the first", KeyringWorks(t.Context(), first))
	wants(t, "of a second", KeyringWorks(t.Context(), filepath.Join(l.home, "bob")), chat.ErrPassphraseNeeded)
	for _, how := range []Protection{{}, {Keyring: true}, {Passphrase: right, Keyring: true}} {
		_, err := l.create("bob", how)
		wants(t, "a second one by the keyring", err, chat.ErrPassphraseNeeded)
	}
	if len(l.ring.entries) != 1 {
		t.Errorf("%d entries in the keyring", len(l.ring.entries))
	}
	second := l.made("bob", Protection{Passphrase: right})
	wants(t, "the keyring later", SetKeyring(t.Context(), second, Unlock{Passphrase: right}, true), chat.ErrPassphraseNeeded)
	wants(t, "the first goes on", opens(t, first, Unlock{}))
	lock, err := Locked(t.Context(), first)
	if err != nil || !lock.Others {
		t.Errorf("%+v, %v", lock, err)
	}
	link := filepath.Join(l.home, "link")
	if err := os.Symlink(second, link); err == nil {
		must(t, os.RemoveAll(first))
		wants(t, "the same folder by another path", SetKeyring(t.Context(), link, Unlock{Passphrase: right}, true))
	}
	must(t, os.RemoveAll(second))
	l.made("carol", Protection{}) // the others are gone
	must(t, os.Remove(filepath.Join(l.home, "kuvert-profiles")))
	must(t, os.Mkdir(filepath.Join(l.home, "kuvert-profiles"), 0o700))
	if _, err := l.create("dave", Protection{}); err == nil {
		t.Error("a list that cannot be read was taken for an empty one")
	}
}

func TestKeyFile(t *testing.T) {
	l := newLogin(t)
	file := filepath.Join(l.home, "key")
	dir := l.made("alice", Protection{KeyFile: file})
	info, err := os.Stat(file)
	must(t, err)
	if !private(info.Mode()) {
		t.Errorf("mode %v", info.Mode())
	}
	wants(t, "by the file", opens(t, dir, Unlock{KeyFile: file}))
	wants(t, "without", opens(t, dir, Unlock{}), chat.ErrLocked)
	t.Setenv(keyFileEnv, file)
	wants(t, "by the environment", opens(t, dir, Unlock{}))
	l.made("bob", Protection{})
	b, err := os.ReadFile(file)
	must(t, err)
	damaged := map[string][]byte{"empty": nil, "garbage": []byte("!!"), "long": append(b, b...), "short": b[:20]}
	for what, content := range damaged {
		must(t, os.WriteFile(file, content, 0o600))
		wants(t, what, opens(t, dir, Unlock{}), chat.ErrKeyFile)
	}
	must(t, os.WriteFile(file, []byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"), 0o600))
	wants(t, "another file", opens(t, dir, Unlock{}), chat.ErrWrongPassphrase)
	must(t, os.WriteFile(file, b, 0o600))
	if runtime.GOOS != "windows" {
		must(t, os.Chmod(file, 0o640))
		wants(t, "readable by others", opens(t, dir, Unlock{}), chat.ErrKeyFile)
		_, err := l.create("carol", Protection{})
		wants(t, "readable by others", err, chat.ErrKeyFile)
	}
	must(t, os.Remove(file))
	wants(t, "gone", opens(t, dir, Unlock{}), chat.ErrKeyFile)
	if _, err := os.Stat(filepath.Join(l.home, "kuvert-profiles")); err == nil {
		t.Error("a profile of a machine is in the list of the login")
	}
}

// TestVaultDamage damages the vault, its copy, or both.
func TestVaultDamage(t *testing.T) {
	l := newLogin(t)
	dir := l.made("alice", Protection{KeyFile: filepath.Join(l.home, "key")})
	u := Unlock{KeyFile: filepath.Join(l.home, "key")}
	main, second := filepath.Join(dir, vaultFile), filepath.Join(dir, vaultCopy)
	whole, err := os.ReadFile(main)
	must(t, err)
	flipped := func(at int) []byte {
		b := bytes.Clone(whole)
		b[at] ^= 0x10
		return b
	}
	newer := bytes.Replace(whole, []byte("vault 1"), []byte("vault 2"), 1)
	for what, bad := range map[string][]byte{
		"bit at the head": flipped(3), "bit in the sum": flipped(20), "bit in the salt": flipped(120), "bit at the end": flipped(len(whole) - 1),
		"empty": {}, "cut": whole[:len(whole)/2], "zeros": make([]byte, len(whole)), "huge": bytes.Repeat(whole, 100), "newer, sum wrong": newer,
	} {
		for _, path := range []string{main, second} {
			must(t, os.WriteFile(path, bad, 0o600))
			wants(t, what, opens(t, dir, u))
			mended, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(mended, whole) {
				t.Errorf("%s: %s was not mended: %v", what, path, err)
			}
		}
		must(t, os.WriteFile(main, bad, 0o600))
		must(t, os.WriteFile(second, bad, 0o600))
		before := contents(t, dir)
		wants(t, what, opens(t, dir, u), chat.ErrVault)
		wants(t, what, SetPassphrase(t.Context(), dir, u, other), chat.ErrVault)
		_, err := l.create("alice", Protection{Passphrase: other})
		wants(t, what, err, chat.ErrProfileExists)
		unchanged(t, what, dir, before)
		must(t, os.WriteFile(main, whole, 0o600))
		must(t, os.WriteFile(second, whole, 0o600))
	}
	must(t, os.Remove(main))
	must(t, os.Remove(second))
	before := contents(t, dir)
	wants(t, "no vault", opens(t, dir, u), chat.ErrVault)
	_, err = l.create("alice", Protection{Passphrase: other})
	wants(t, "no vault", err, chat.ErrProfileExists)
	unchanged(t, "no vault", dir, before)
	must(t, os.WriteFile(second, whole, 0o600))
	wants(t, "the copy alone", opens(t, dir, u))
	must(t, os.WriteFile(main+".new", []byte("a write that was cut off"), 0o600))
	wants(t, "an unfinished write", opens(t, dir, u))
	wants(t, "and the next one", SetPassphrase(t.Context(), dir, u, other))
}

// crashAt lets the n-th renaming from now on fail, as if the power had gone just
// before it.
func crashAt(t *testing.T, n int) (reached *bool) {
	reached = new(bool)
	rename = func(from, to string) error {
		if n--; n == 0 {
			*reached = true
			return errors.New("power cut")
		}
		if *reached {
			t.Error("written after the power cut")
		}
		return os.Rename(from, to)
	}
	t.Cleanup(func() { rename = os.Rename })
	return reached
}

// TestPowerCutInChange: the old passphrase opens or the new one, never both, never
// none.
func TestPowerCutInChange(t *testing.T) {
	l := newLogin(t)
	dir := l.made("alice", Protection{Passphrase: right})
	now, next := right, other
	for n := 1; ; n++ {
		reached := crashAt(t, n)
		err := SetPassphrase(t.Context(), dir, Unlock{Passphrase: now}, next)
		rename = os.Rename
		if !*reached {
			must(t, err)
			if n != 3 {
				t.Errorf("%d renamings", n-1)
			}
			return
		}
		byOld, byNew := opens(t, dir, Unlock{Passphrase: now}), opens(t, dir, Unlock{Passphrase: next})
		if (byOld == nil) == (byNew == nil) {
			t.Errorf("cut at %d: old %v, new %v", n, byOld, byNew)
		}
		// Also by what a thief finds who deletes the vault and leaves its copy.
		if v, _, err := readVaultFile(filepath.Join(dir, vaultCopy)); byNew == nil && err == nil {
			if _, err := v.OpenPassphrase(now); err == nil {
				t.Errorf("cut at %d: the copy opens by the old one", n)
			}
		}
		if byNew == nil {
			now, next = next, now
		}
	}
}

// TestStaleCopy: right after a change that was cut off, before anything mends it.
func TestStaleCopy(t *testing.T) {
	l := newLogin(t)
	dir := l.made("alice", Protection{Passphrase: right})
	crashAt(t, 2)
	if err := SetPassphrase(t.Context(), dir, Unlock{Passphrase: right}, other); err == nil {
		t.Fatal("not cut off")
	}
	rename = os.Rename
	if _, err := os.Stat(filepath.Join(dir, vaultCopy)); err == nil {
		t.Error("the old copy lies beside the new vault")
	}
	must(t, os.WriteFile(filepath.Join(dir, vaultCopy), []byte("damaged"), 0o600))
	wants(t, "a bad copy", SetPassphrase(t.Context(), dir, Unlock{Passphrase: other}, right))
	wants(t, "after all", opens(t, dir, Unlock{Passphrase: right}))
}

// TestPowerCutInCreate: there is a profile or none, and Create can be called again.
func TestPowerCutInCreate(t *testing.T) {
	for n := 1; ; n++ {
		l := newLogin(t)
		reached := crashAt(t, n)
		dir, err := l.create("alice", Protection{Passphrase: right})
		rename = os.Rename
		if !*reached {
			must(t, err)
			if n != 4 {
				t.Errorf("%d renamings", n-1)
			}
			break
		}
		if err == nil {
			t.Fatalf("cut at %d: no error", n)
		}
		there, err := Exists(dir)
		must(t, err)
		_, err = l.create("alice", Protection{Passphrase: other})
		if there {
			wants(t, fmt.Sprintf("cut at %d", n), err, chat.ErrProfileExists)
			wants(t, fmt.Sprintf("cut at %d", n), opens(t, dir, Unlock{Passphrase: right}))
		} else {
			wants(t, fmt.Sprintf("cut at %d", n), err)
			wants(t, fmt.Sprintf("cut at %d", n), opens(t, dir, Unlock{Passphrase: other}))
		}
	}
	l := newLogin(t)
	dir, err := l.create("a\tb", Protection{})
	wants(t, "a bad name", err, chat.ErrBadName)
	if there, err := Exists(dir); there || err != nil {
		t.Errorf("half a profile is one: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, vaultMaking)); err != nil {
		t.Errorf("the test did not come as far as the database: %v", err)
	}
	wants(t, "nothing there", opens(t, dir, Unlock{}), chat.ErrNoProfile)
	if len(l.ring.entries) != 0 {
		t.Error("a profile that was not made has an entry in the keyring")
	}
}

// TestChangesWait: changes from several sides at once all count.
func TestChangesWait(t *testing.T) {
	l := newLogin(t)
	dir := l.made("alice", Protection{Passphrase: right})
	var wg sync.WaitGroup
	var sheet Emergency
	var first, second, third error
	wg.Go(func() { sheet, first = AddEmergency(t.Context(), dir, Unlock{Passphrase: right}) })
	wg.Go(func() { second = SetKeyring(t.Context(), dir, Unlock{Passphrase: right}, true) })
	wg.Go(func() { third = SetPassphrase(t.Context(), dir, Unlock{Passphrase: right}, right) })
	wg.Wait()
	must(t, errors.Join(first, second, third))
	wants(t, "keyring", opens(t, dir, Unlock{}))
	wants(t, "sheet", opens(t, dir, Unlock{Sheet: sheet.QR}))
	wants(t, "passphrase", opens(t, dir, Unlock{Passphrase: right}))
}

// TestDatabaseOfAnother: a vault and a database that do not belong together, and a
// vault whose database is gone.
func TestDatabaseOfAnother(t *testing.T) {
	l := newLogin(t)
	alice, bob := l.made("alice", Protection{Passphrase: right}), l.made("bob", Protection{Passphrase: other})
	for _, name := range []string{vaultFile, vaultCopy} {
		b, err := os.ReadFile(filepath.Join(bob, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(alice, name), b, 0o600))
	}
	before := contents(t, alice)
	wants(t, "another's vault", opens(t, alice, Unlock{Passphrase: other}), chat.ErrVault)
	unchanged(t, "another's vault", alice, before)
	for _, lose := range []func(string) error{func(p string) error { return os.Truncate(p, 0) }, os.Remove} {
		must(t, lose(filepath.Join(bob, databaseFile)))
		before = contents(t, bob)
		wants(t, "no database", opens(t, bob, Unlock{Passphrase: other}), chat.ErrCorrupt)
		unchanged(t, "no database", bob, before)
	}
}

// TestSealedOnDisk looks for what was written, and for the key, in every file.
func TestSealedOnDisk(t *testing.T) {
	l := newLogin(t)
	dir := filepath.Join(l.home, "alice")
	must(t, Create(t.Context(), dir, core.NewProfile{Name: "Unverkennbar Planted", Network: core.NetworkLAN}, Protection{Passphrase: right}))
	v, _, err := readVault(dir)
	must(t, err)
	key, err := v.OpenPassphrase(right)
	must(t, err)
	files := 0
	must(t, filepath.WalkDir(l.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		for _, secret := range [][]byte{[]byte("Unverkennbar"), []byte(right), key[:], []byte("SQLite format 3")} {
			if bytes.Contains(b, secret) {
				t.Errorf("%s holds %q", path, secret)
			}
		}
		return err
	}))
	if files < 5 {
		t.Errorf("only %d files", files)
	}
}

func TestNoVaultNoProfile(t *testing.T) {
	l := newLogin(t)
	dir := filepath.Join(l.home, "none")
	_, err := Locked(t.Context(), dir)
	wants(t, "Locked", err, chat.ErrNoProfile)
	wants(t, "SetPassphrase", SetPassphrase(t.Context(), dir, Unlock{}, right), chat.ErrNoProfile)
	wants(t, "VerifyPassphrase", VerifyPassphrase(t.Context(), dir, right), chat.ErrNoProfile)
	if _, err := os.Stat(dir); err == nil {
		t.Error("something was made")
	}
}
