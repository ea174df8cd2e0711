package apptest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/apptest"
	"github.com/kuvert-im/kuvert/app/backup"
	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

func safety(w *apptest.World, p, of *apptest.Person) string {
	w.T.Helper()
	s, err := p.Core.Safety(context.Background(), of.Me())
	if err != nil {
		w.T.Fatal(err)
	}
	return fmt.Sprint(s)
}

// haveAll is sameTexts where two wrote without knowing of each other, so that the
// place of some is left to their ids.
func haveAll(t testing.TB, a, b *apptest.Person, want ...string) {
	t.Helper()
	sameTexts(t, a, b)
	got := a.Texts(b)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("have %q, want %q", got, want)
	}
}

func settle(w *apptest.World) { w.Advance(2 * time.Minute) }

// Alice backs up, goes on, loses her computer and restores the backup on another
// one: all is there, what was never acknowledged comes, nothing twice, and nobody is
// asked to compare numbers again.
func TestRestoreOnAnotherComputer(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		t := w.T
		bob.Receives(alice.Sends(bob, "eins"))
		alice.Receives(bob.Sends(alice, "zwei"))
		for _, p := range []struct{ a, b *apptest.Person }{{alice, bob}, {bob, alice}} {
			if err := p.a.Core.Verify(context.Background(), p.b.Me()); err != nil {
				t.Fatal(err)
			}
		}
		settle(w)
		bob.GoesOffline()
		waiting := alice.Sends(bob, "wartet schon in der Sicherung")
		before := [2]string{safety(w, alice, bob), safety(w, bob, alice)}
		path := alice.BacksUp("alice.age")
		w.Section("alice goes on, then her computer is gone")
		after := alice.Sends(bob, "nach der Sicherung")
		alice.Quits()
		bob.ComesOnline()
		missed := bob.Sends(alice, "an einen Computer, der weg ist")
		w.Advance(time.Hour)

		fresh := w.Restores(alice, path)
		fresh.Receives(missed)
		bob.Receives(waiting)
		bob.Sees(missed, chat.Delivered)
		fresh.Sees(waiting, chat.Delivered)
		bob.Receives(fresh.Sends(bob, "neu"))
		fresh.Receives(bob.Sends(fresh, "willkommen"))
		settle(w)
		haveAll(t, fresh, bob, "eins", "zwei", "wartet schon in der Sicherung", "an einen Computer, der weg ist", "neu", "willkommen")
		if got := [2]string{safety(w, fresh, bob), safety(w, bob, fresh)}; got != before {
			t.Errorf("safety numbers changed: %v, %v", before, got)
		}
		for _, p := range []struct{ a, b *apptest.Person }{{fresh, bob}, {bob, fresh}} {
			if ct, err := p.a.Core.Contact(context.Background(), p.b.Me()); err != nil || !ct.Verified {
				t.Errorf("%s has %s not verified any more: %v", p.a.Name, p.b.Name, err)
			}
			if l := p.a.Notices(p.b); slices.Contains(l, chat.NoticeBranch) {
				t.Errorf("%s was told of a second installation: %q", p.a.Name, l)
			}
		}
		_ = after // died with the computer, before anybody had it
	})
}

// What bob acknowledged after the backup is not asked for again, and what he got
// after the backup is known to him when it comes a second time.
func TestRestoreSendsAgainWhatWasAcknowledgedLater(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		bob.GoesOffline()
		m := alice.Sends(bob, "einmal")
		path := alice.BacksUp("alice.age")
		bob.ComesOnline()
		alice.Sees(m, chat.Delivered)
		alice.Quits()
		fresh := w.Restores(alice, path)
		fresh.Sees(m, chat.Delivered)
		settle(w)
		sameTexts(w.T, fresh, bob, "einmal")
	})
}

// The same when the two are never up at the same time.
func TestRestoreThroughAMailbox(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		s := w.Net.NewStation("office")
		alice.Uses(s)
		bob.Uses(s)
		bob.Receives(alice.Sends(bob, "eins"))
		settle(w)
		path := alice.BacksUp("alice.age")
		alice.Quits()
		missed := bob.Sends(alice, "an einen Computer, der weg ist")
		bob.Sees(missed, chat.Sent)
		bob.Quits()
		fresh := w.Restores(alice, path)
		fresh.Sends(bob, "ich bin wieder da")
		settle(w)
		fresh.Quits()
		for range 4 {
			bob.Starts()
			settle(w)
			bob.Quits()
			fresh.Starts()
			settle(w)
			fresh.Quits()
		}
		bob.Starts()
		settle(w)
		fresh.Starts()
		fresh.Receives(missed)
		bob.Sees(missed, chat.Delivered)
		settle(w)
		if ta, tb := fresh.Texts(bob), bob.Texts(fresh); !slices.Equal(ta, tb) || len(ta) != 3 {
			w.T.Errorf("%q and %q", ta, tb)
		}
	})
}

func TestRestoreKeepsEverything(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		t := w.T
		ctx := context.Background()
		read := bob.Sends(alice, "gelesen")
		alice.Receives(read)
		w.Reads(alice, bob)
		alice.Receives(bob.Sends(alice, "ungelesen"))
		content := []byte("Inhalt einer Datei")
		file := filepath.Join(w.Folder(), "brief.txt")
		if err := errors.Join(os.WriteFile(file, content, 0o600), alice.Core.SaveDraft(ctx, alice.With(bob), "ein Entwurf"),
			alice.Core.Rename(ctx, bob.Me(), "Robert"), alice.Core.SetSetting(ctx, core.SettingTheme, "dark")); err != nil {
			t.Fatal(err)
		}
		m, err := alice.Core.Send(ctx, alice.With(bob), core.Outgoing{Text: "anbei", Files: []string{file}})
		if err != nil {
			t.Fatal(err)
		}
		alice.Sees(m, chat.Delivered)
		alice.Invites()
		settle(w)
		want := seen(t, alice, bob)
		path := alice.BacksUp("alice.age")
		alice.Quits()
		fresh := w.Restores(alice, path)
		if got := seen(t, fresh, bob); got != want {
			t.Errorf("restored:\n%s\nwas:\n%s", got, want)
		}
		to := filepath.Join(w.Folder(), "wieder.txt")
		if err := fresh.Core.SaveFile(ctx, m, 0, to); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(to); err != nil || string(b) != string(content) {
			t.Errorf("file: %q %v", b, err)
		}
		if open, err := fresh.Core.Issued(ctx); err != nil || len(open) != 0 {
			t.Errorf("open invitations that nobody can answer: %d %v", len(open), err)
		}
		size, err := fresh.Core.BackupSize(ctx)
		if err != nil || size.Files != 1 {
			t.Errorf("size %+v %v", size, err)
		}
	})
}

// seen is what a person's screens show of somebody.
func seen(t testing.TB, p, with *apptest.Person) string {
	t.Helper()
	ctx := context.Background()
	cv, err := p.Core.Conversation(ctx, p.With(with))
	page, err2 := p.Core.Messages(ctx, chat.MessageQuery{Conversation: p.With(with), Limit: chat.MaxPage})
	ct, err3 := p.Core.Contact(ctx, with.Me())
	set, err4 := p.Core.Settings(ctx)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	ct.Online, ct.LastSeen = false, time.Time{}
	last := cv.Last
	cv.Last, cv.LastAt = nil, time.Time{}
	page = slices.DeleteFunc(page, func(m chat.Message) bool { return m.Kind == chat.KindNotice && m.Text != string(chat.NoticeConnected) })
	return fmt.Sprintf("%+v\n%s\n%+v\n%+v\n%+v", cv, last.ID, page, ct, set)
}

func TestRestoreRefuses(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		t := w.T
		for i := range 30 {
			alice.Sends(bob, fmt.Sprint(i))
		}
		path := alice.BacksUp("alice.age")
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			content []byte
			pass    string
			want    error
		}{
			"wrong passphrase": {whole, "something else", chat.ErrBackupPassphrase},
			"cut off":          {whole[:len(whole)-20], apptest.BackupPassphrase, chat.ErrBackupDamaged},
			"flipped":          {flipped(whole, len(whole)-100), apptest.BackupPassphrase, chat.ErrBackupDamaged},
			"foreign":          {[]byte("hello"), apptest.BackupPassphrase, chat.ErrNotBackup},
		} {
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := w.NewComputer(alice).Restore(core.RestoreSource{Path: path, Passphrase: c.pass})
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			for _, f := range []string{"", "-wal", "-shm"} {
				_ = os.Remove(filepath.Join(w.Folder(), "alice.db-new"+f))
			}
		}
		_, err = alice.Core.Backup(context.Background(), core.BackupOptions{Path: path, Passphrase: "short"})
		if !errors.Is(err, chat.ErrPassphraseShort) {
			t.Errorf("short passphrase: %v", err)
		}
		_, err = alice.Core.Backup(context.Background(), core.BackupOptions{Path: filepath.Join(w.Folder(), "no", "x.age"), Passphrase: apptest.BackupPassphrase})
		if !errors.Is(err, chat.ErrBackupFolder) {
			t.Errorf("no folder: %v", err)
		}
	})
}

func flipped(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

// A day for a month and more: a full file each month, an increment each day, and all
// of it comes back from the folder.
func TestAutomaticBackup(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		t := w.T
		ctx := context.Background()
		folder := filepath.Join(w.Folder(), "usb")
		set := core.BackupSetup{Folder: folder, Passphrase: apptest.BackupPassphrase, Files: true}
		if err := alice.Core.SetBackup(ctx, set); !errors.Is(err, chat.ErrBackupFolder) {
			t.Errorf("no folder: %v", err)
		}
		if err := errors.Join(os.Mkdir(folder, 0o700), alice.Core.SetBackup(ctx, set)); err != nil {
			t.Fatal(err)
		}
		for day := range 5 {
			bob.Receives(alice.Sends(bob, fmt.Sprint("Tag ", day)))
			w.Advance(24*time.Hour + time.Minute)
		}
		parts, err := backup.List(folder)
		if err != nil || len(parts) < 5 || parts[len(parts)-1].Number != len(parts)-1 {
			t.Fatalf("parts %+v %v", parts, err)
		}
		st, err := alice.Core.BackupStatus(ctx)
		if err != nil || !st.On || st.Overdue || st.Trouble != core.BackupFine || st.Last.IsZero() {
			t.Errorf("status %+v %v", st, err)
		}
		w.Section("the disk is pulled out")
		away := folder + "-away"
		if err := os.Rename(folder, away); err != nil {
			t.Fatal(err)
		}
		w.Advance(8 * 24 * time.Hour)
		st, err = alice.Core.BackupStatus(ctx)
		if err != nil || !st.Overdue || st.Trouble != core.BackupNoFolder {
			t.Errorf("status without the disk %+v %v", st, err)
		}
		if err := os.Rename(away, folder); err != nil {
			t.Fatal(err)
		}
		w.Advance(20 * time.Minute)
		if st, err = alice.Core.BackupStatus(ctx); err != nil || st.Overdue || st.Trouble != core.BackupFine {
			t.Errorf("status with the disk again %+v %v", st, err)
		}
		w.Section("months pass")
		bob.GoesOffline()
		months := 4
		if testing.Short() {
			months = 1 // then no chain is old enough to be removed
		}
		w.Advance(time.Duration(months) * 31 * 24 * time.Hour)
		bob.ComesOnline()
		settle(w)
		parts, err = backup.List(folder)
		chains := map[string]bool{}
		for _, p := range parts {
			chains[p.Chain] = true
		}
		if err != nil || len(chains) < 2 || len(chains) > 4 {
			t.Errorf("%d chains, %v", len(chains), err)
		}
		texts := alice.Texts(bob)
		settle(w)
		if _, err := alice.Core.BackupNow(ctx); err != nil {
			t.Fatal(err)
		}
		alice.Quits()
		fresh := w.Restores(alice, folder)
		if got := fresh.Texts(bob); !slices.Equal(got, texts) {
			t.Errorf("%q, want %q", got, texts)
		}
		bob.Receives(fresh.Sends(bob, "wieder da"))
		if st, err = fresh.Core.BackupStatus(ctx); err != nil || !st.On {
			t.Errorf("the restored profile makes no backups: %+v %v", st, err)
		}
	})
}

// What changes after a full backup is in the increments: states, read marks, new
// contacts, new messages.
func TestIncrements(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		t := w.T
		ctx := context.Background()
		set := core.BackupSetup{Folder: w.Folder(), Passphrase: apptest.BackupPassphrase}
		bob.GoesOffline()
		early := alice.Sends(bob, "früh")
		if err := alice.Core.SetBackup(ctx, set); err != nil {
			t.Fatal(err)
		}
		settle(w)
		bob.ComesOnline()
		alice.Sees(early, chat.Delivered)
		alice.Receives(bob.Sends(alice, "später"))
		carol := w.Person("carol")
		w.Pair(alice, carol)
		carol.Receives(alice.Sends(carol, "hallo"))
		settle(w)
		r, err := alice.Core.BackupNow(ctx)
		if err != nil || r.Full || r.Messages == 0 || r.Messages > 8 {
			t.Fatalf("increment %+v %v", r, err)
		}
		w.Section("what is deleted stays away, though the full backup has it")
		secret := alice.Sends(carol, "besser nicht")
		carol.Receives(secret)
		settle(w)
		if _, err := alice.Core.BackupNow(ctx); err != nil {
			t.Fatal(err)
		}
		if err := alice.Core.DeleteMessage(ctx, secret); err != nil {
			t.Fatal(err)
		}
		if _, err := alice.Core.BackupNow(ctx); err != nil {
			t.Fatal(err)
		}
		want := seen(t, alice, bob) + seen(t, alice, carol)
		alice.Quits()
		fresh := w.Restores(alice, w.Folder())
		if got := seen(t, fresh, bob) + seen(t, fresh, carol); got != want {
			t.Errorf("restored:\n%s\nwas:\n%s", got, want)
		}
		if fresh.State(early) != chat.Delivered {
			t.Errorf("early is %s", fresh.State(early))
		}
		carol.Receives(fresh.Sends(carol, "und weiter"))
	})
}

func TestMove(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		t := w.T
		ctx := context.Background()
		bob.Receives(alice.Sends(bob, "eins"))
		settle(w)
		no := core.BackupOptions{Path: filepath.Join(w.Folder(), "no", "x.age"), Passphrase: apptest.BackupPassphrase, Files: true}
		if _, err := alice.Core.Move(ctx, no); !errors.Is(err, chat.ErrBackupFolder) {
			t.Fatalf("move to nowhere: %v", err)
		}
		bob.Receives(alice.Sends(bob, "ging nicht"))
		bob.GoesOffline()
		waiting := alice.Sends(bob, "wartet noch")
		path := filepath.Join(w.Folder(), "umzug.age")
		if _, err := alice.Core.Move(ctx, core.BackupOptions{Path: path, Passphrase: apptest.BackupPassphrase, Files: true}); err != nil {
			t.Fatal(err)
		}
		bob.ComesOnline()
		missed := bob.Sends(alice, "an die neue")
		w.Advance(time.Hour)
		for range 2 {
			if st := bob.State(missed); st == chat.Delivered || st == chat.Sent {
				t.Errorf("a moved profile took a message: %s", st)
			}
			if _, err := alice.Core.Send(ctx, alice.With(bob), core.Outgoing{Text: "nein"}); !errors.Is(err, chat.ErrMoved) {
				t.Errorf("a moved profile sends: %v", err)
			}
			if got := alice.Texts(bob); len(got) != 3 {
				t.Errorf("a moved profile shows %q", got)
			}
			if st, err := alice.Core.BackupStatus(ctx); err != nil || !st.Moved || st.Overdue || st.MovedAt.IsZero() || st.MovedTo != path {
				t.Errorf("status %+v %v", st, err)
			}
			if got := bob.Texts(alice); slices.Contains(got, "wartet noch") {
				t.Error("a moved profile has sent what waited")
			}
			alice.Restarts()
			w.Advance(time.Hour)
		}
		w.Section("the file is lost on the way, and written once more")
		before, _ := alice.Core.BackupStatus(ctx)
		path = filepath.Join(w.Folder(), "umzug2.age")
		if _, err := alice.Core.Move(ctx, core.BackupOptions{Path: path, Passphrase: apptest.BackupPassphrase, Files: true}); err != nil {
			t.Fatal(err)
		}
		if st, err := alice.Core.BackupStatus(ctx); err != nil || st.MovedTo != path || !st.MovedAt.Equal(before.MovedAt) {
			t.Errorf("status %+v %v", st, err)
		}
		fresh := w.Restores(alice, path)
		fresh.Receives(missed)
		bob.Receives(waiting)
		settle(w)
		haveAll(t, fresh, bob, "eins", "ging nicht", "wartet noch", "an die neue")
	})
}

// What the screens show: how far writing and restoring are, that a single backup
// counts, and that nobody is warned right after a restore.
func TestBackupProgressAndWarning(t *testing.T) {
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		t := w.T
		ctx := context.Background()
		bob.Receives(alice.Sends(bob, "eins"))
		overdue := func(p *apptest.Person, want bool, when string) core.BackupStatus {
			t.Helper()
			st, err := p.Core.BackupStatus(ctx)
			if err != nil || st.Overdue != want {
				t.Errorf("%s: %+v %v", when, st, err)
			}
			return st
		}
		overdue(alice, false, "on the first day")
		w.Advance(core.BackupWarn + time.Hour)
		overdue(alice, true, "after a week")
		path := alice.BacksUp("alice.age")
		if st := overdue(alice, false, "after a backup"); st.Once.IsZero() || st.Running || st.Percent != 0 {
			t.Errorf("%+v", st)
		}
		seen, err := core.LookAtBackup(core.RestoreSource{Path: path, Passphrase: apptest.BackupPassphrase})
		if err != nil || seen.Parts != 1 || !seen.Files || seen.MadeAt.IsZero() {
			t.Errorf("%+v %v", seen, err)
		}
		if _, err := core.LookAtBackup(core.RestoreSource{Path: path, Passphrase: "something else"}); !errors.Is(err, chat.ErrBackupPassphrase) {
			t.Errorf("%v", err)
		}
		alice.Quits()
		n, last := w.NewComputer(bob), 0
		_, err = n.Restore(core.RestoreSource{Path: bob.BacksUp("bob.age"), Passphrase: apptest.BackupPassphrase, Progress: func(percent int) {
			if percent <= last || percent > 99 {
				t.Errorf("%d after %d per cent", percent, last)
			}
			last = percent
		}})
		if err != nil || last != 99 {
			t.Errorf("ended at %d per cent: %v", last, err)
		}
		overdue(w.Restores(alice, path), false, "right after a restore")
	})
}
