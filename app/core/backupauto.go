package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/kuvert-im/kuvert/app/backup"
	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
)

// Secrets of the automatic backup. They are not in backups.
const (
	secretBackupPass  = "backup_passphrase"
	secretBackupState = "backup_state" // JSON of backupState
	secretBackupFiles = "backup_files" // ids of the files that the present chain holds, 32 bytes each
)

// backupState is what the automatic backup remembers.
type backupState struct {
	Since  time.Time     `json:"since"`  // when it was set up, or the profile restored
	Folder string        `json:"folder"` // that the chains lie in
	Once   time.Time     `json:"once"`   // when one of its own was written
	Size   int64         `json:"size"`   // of the last file
	Chains []backupChain `json:"chains"` // oldest first; increments go to the last
}

type backupChain struct {
	ID     string    `json:"id"`
	Last   string    `json:"last"`   // id of the last file
	Number int       `json:"number"` // of that file
	After  int64     `json:"after"`  // number of the last message in it
	Files  bool      `json:"files"`
	Began  time.Time `json:"began"`
	LastAt time.Time `json:"last_at"`
}

func backupStateFrom(tx ReadTx) (s backupState, err error) {
	b, err := tx.Secret(secretBackupState)
	if errors.Is(err, chat.ErrNotFound) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	return s, err
}

func (s *backupState) present() *backupChain {
	if len(s.Chains) == 0 {
		return nil
	}
	return &s.Chains[len(s.Chains)-1]
}

func (s *backupState) last() time.Time {
	if c := s.present(); c != nil {
		return c.LastAt
	}
	return time.Time{}
}

// grows reports whether the next file may be an increment.
func (s *backupState) grows(setup BackupSetup, now time.Time) bool {
	c := s.present()
	if c == nil || s.Folder != setup.Folder || c.Files != setup.Files || c.Number >= maxIncrements {
		return false
	}
	age := now.Sub(c.Began)
	return age >= 0 && age < backupFull
}

func backupSetupFrom(tx ReadTx) (s BackupSetup, err error) {
	set, err := tx.Settings()
	if err != nil {
		return s, err
	}
	s.Folder, s.Files = set[SettingBackupFolder], set[SettingBackupFiles] == "true"
	pass, err := tx.Secret(secretBackupPass)
	if errors.Is(err, chat.ErrNotFound) {
		err = nil
	}
	s.Passphrase = string(pass)
	return s, err
}

// SetBackup implements Backups.
func (c *Core) SetBackup(ctx context.Context, s BackupSetup) error {
	if s.Folder != "" {
		if !filepath.IsAbs(s.Folder) {
			return fmt.Errorf("core: folder of the backup is not absolute: %w", fs.ErrInvalid)
		}
		if info, err := os.Stat(s.Folder); err != nil || !info.IsDir() {
			return errors.Join(chat.ErrBackupFolder, err)
		}
		if s.Passphrase != "" && !backupPassphrase(s.Passphrase) {
			return chat.ErrPassphraseShort
		}
	}
	err := c.update(ctx, func(st *step) error { return st.setBackup(s) })
	if err == nil {
		c.backups.note(c, BackupFine)
		c.backups.wake()
	}
	return err
}

func (s *step) setBackup(b BackupSetup) error {
	have, err := backupSetupFrom(s)
	if err != nil {
		return err
	}
	state, err := backupStateFrom(s)
	if err != nil {
		return err
	}
	switch {
	case b.Folder == "":
		b.Files = false
		err = s.DeleteSecret(secretBackupPass)
	case b.Passphrase == "" && have.Passphrase == "":
		return chat.ErrPassphraseShort
	case b.Passphrase != "" && b.Passphrase != have.Passphrase:
		state.Folder = "" // another passphrase opens the files from now on: a new chain
		err = s.PutSecret(secretBackupPass, []byte(b.Passphrase))
	}
	if state.Since.IsZero() {
		state.Since = s.env.Now
	}
	s.publish(event.Event{Kind: event.BackupChanged})
	s.publish(event.Event{Kind: event.SettingsChanged})
	return errors.Join(err, s.putBackupState(state),
		s.PutSetting(SettingBackupFolder, b.Folder), s.PutSetting(SettingBackupFiles, strconv.FormatBool(b.Files)))
}

func (s *step) putBackupState(state backupState) error {
	b, err := json.Marshal(state)
	if err != nil {
		return err
	}
	return s.PutSecret(secretBackupState, b)
}

// BackupStatus implements Backups.
func (c *Core) BackupStatus(ctx context.Context) (BackupStatus, error) {
	return read(ctx, c, func(tx ReadTx) (BackupStatus, error) {
		setup, err := backupSetupFrom(tx)
		if err != nil {
			return BackupStatus{}, err
		}
		state, err := backupStateFrom(tx)
		if err != nil {
			return BackupStatus{}, err
		}
		trouble, _ := c.backups.trouble.Load().(BackupTrouble)
		s := BackupStatus{
			On: setup.Folder != "" && setup.Passphrase != "", Folder: setup.Folder, Files: setup.Files, Last: state.last(),
			Size: state.Size, Once: state.Once, Running: c.backups.running.Load(), Trouble: trouble, Moved: c.hasMoved(),
		}
		if s.Running {
			s.Percent = int(c.backups.percent.Load())
		}
		if s.Moved {
			if s.MovedAt, s.MovedTo, err = movedFrom(tx); err != nil {
				return s, err
			}
		}
		if s.On && !s.Last.IsZero() {
			s.Next = s.Last.Add(BackupEvery)
		}
		s.Overdue, err = c.overdue(tx, s, state)
		return s, err
	})
}

// overdue reports whether too much could be lost. Who has written nothing for as
// long as that, and never had a backup, is not bothered.
func (c *Core) overdue(tx ReadTx, s BackupStatus, state backupState) (bool, error) {
	if s.Moved {
		return false, nil
	}
	since := s.Last
	if s.Once.After(since) {
		since = s.Once
	}
	if since.IsZero() {
		since = state.Since
	}
	if !since.IsZero() {
		return c.now().Sub(since) >= BackupWarn, nil
	}
	first, err := tx.StoredMessages(0, 1<<62, 1)
	if err != nil || len(first) == 0 {
		return false, err
	}
	began := first[0].ReceivedAt
	if began.IsZero() {
		began = first[0].SentAt
	}
	return c.now().Sub(began) >= BackupWarn, nil
}

func (b *backups) wake() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// note keeps what stands in the way of a backup.
func (b *backups) note(c *Core, t BackupTrouble) {
	if b.trouble.Swap(t) != t {
		c.bus.Publish(event.Event{Kind: event.BackupChanged})
	}
}

// backupLoop makes the automatic backup when it is due.
func (c *Core) backupLoop(ctx context.Context) error {
	t := time.NewTimer(backupFirst)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		case <-c.backups.kick:
		}
		c.backupDue(ctx)
		t.Reset(backupLook)
	}
}

// backupDue makes a backup if the last one is a day old.
func (c *Core) backupDue(ctx context.Context) {
	st, err := c.BackupStatus(ctx)
	if err != nil || !st.On || st.Running || st.Moved {
		return
	}
	if age := c.now().Sub(st.Last); age >= 0 && age < BackupEvery {
		return
	}
	if _, err := c.BackupNow(ctx); err != nil && ctx.Err() == nil {
		c.log.Warn("no backup was made", "why", string(BackupTroubleOf(err)))
	}
}

// BackupTroubleOf is the trouble that an error of BackupNow is.
func BackupTroubleOf(err error) BackupTrouble {
	switch {
	case err == nil:
		return BackupFine
	case errors.Is(err, chat.ErrBackupFolder):
		return BackupNoFolder
	case errors.Is(err, chat.ErrDiskFull):
		return BackupDiskFull
	case errors.Is(err, chat.ErrReadOnly):
		return BackupNotAllowed
	}
	return BackupFailed
}

// BackupNow implements Backups.
func (c *Core) BackupNow(ctx context.Context) (BackupReport, error) {
	if c.backups.sealed.Load() {
		return BackupReport{}, chat.ErrMoved
	}
	if !c.backups.mu.TryLock() {
		return BackupReport{}, chat.ErrBackupRunning
	}
	defer c.backups.mu.Unlock()
	r, err := c.autoBackup(ctx)
	if ctx.Err() == nil && !errors.Is(err, chat.ErrNotFound) {
		c.backups.note(c, BackupTroubleOf(err))
	}
	return r, err
}

// autoBackup adds a file to the automatic backup. The caller holds backups.mu.
func (c *Core) autoBackup(ctx context.Context) (BackupReport, error) {
	var setup BackupSetup
	var state backupState
	var held []byte
	err := c.view(ctx, func(tx ReadTx) (err error) {
		if setup, err = backupSetupFrom(tx); err != nil {
			return err
		}
		if state, err = backupStateFrom(tx); err != nil {
			return err
		}
		held, err = tx.Secret(secretBackupFiles)
		if errors.Is(err, chat.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		return BackupReport{}, err
	}
	if setup.Folder == "" || setup.Passphrase == "" {
		return BackupReport{}, fmt.Errorf("core: no automatic backup is set up: %w", chat.ErrNotFound)
	}
	if info, err := os.Stat(setup.Folder); err != nil || !info.IsDir() {
		return BackupReport{}, errors.Join(chat.ErrBackupFolder, err)
	}
	return c.addPart(ctx, setup, state, held)
}

// addPart writes an increment, or a full backup if that is due or what was written
// before is not all there.
func (c *Core) addPart(ctx context.Context, setup BackupSetup, state backupState, held []byte) (BackupReport, error) {
	now := c.now()
	d := &dump{core: c, files: setup.Files, has: map[chat.FileID]bool{}}
	h := backup.Header{ID: backup.NewID()}
	if state.grows(setup, now) && chainWhole(setup.Folder, state.present()) {
		ch := state.present()
		h.Chain, h.Number, h.Previous, d.after = ch.ID, ch.Number+1, ch.Last, ch.After
		for id := range slices.Chunk(held, 32) {
			if len(id) == 32 {
				d.has[chat.FileID(id)] = true
			}
		}
	} else {
		h.Chain = h.ID
		state.Chains = append(state.Chains, backupChain{ID: h.ID, Began: now, Files: setup.Files})
	}
	path := filepath.Join(setup.Folder, backup.Name(now, h.Chain, h.Number))
	r, err := d.write(ctx, path, setup.Passphrase, h)
	if err != nil {
		return r, err
	}
	ch := state.present()
	ch.Last, ch.Number, ch.After, ch.LastAt = h.ID, h.Number, d.last, now
	state.Folder, state.Size = setup.Folder, r.Size
	if h.Number == 0 {
		c.pruneChains(setup.Folder, &state, now)
	}
	return r, c.update(ctx, func(s *step) error {
		s.publish(event.Event{Kind: event.BackupChanged})
		return errors.Join(s.putBackupState(state), s.PutSecret(secretBackupFiles, idBytes(d.has)))
	})
}

func idBytes(ids map[chat.FileID]bool) []byte {
	out := make([]byte, 0, 32*len(ids))
	for id := range ids {
		out = append(out, id[:]...)
	}
	return out
}

// chainWhole reports whether all files of a chain are in the folder. An increment to
// something that a person moved away could never be restored.
func chainWhole(folder string, ch *backupChain) bool {
	paths, err := backup.ChainOf(folder, ch.ID)
	return err == nil && len(paths) == ch.Number+1
}

// pruneChains removes the chains that ended long ago; the present one stays.
func (c *Core) pruneChains(folder string, state *backupState, now time.Time) {
	present := state.present().ID
	state.Chains = slices.DeleteFunc(state.Chains, func(ch backupChain) bool {
		if ch.ID == present || now.Sub(ch.LastAt) < backupKeep {
			return false
		}
		if err := backup.Remove(folder, ch.ID); err != nil {
			c.log.Warn("old backup was not removed", "err", BackupTroubleOf(backupError(err)))
			return false
		}
		return true
	})
}
