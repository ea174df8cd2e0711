package core

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/kuvert-im/kuvert/app/backup"
	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
)

const (
	// backupPage is how many messages are read at once: no reader of the store is
	// held for longer than that takes.
	backupPage = 500
	// backupStates is of how many earlier messages an increment tells the states.
	backupStates = 20_000
)

// backups is the core's part of making backups.
type backups struct {
	mu      sync.Mutex // held while one is written
	running atomic.Bool
	percent atomic.Int64 // of the one being written
	trouble atomic.Value // BackupTrouble
	kick    chan struct{}

	// sealed says that the profile has moved, or is about to: nothing is written.
	sealed atomic.Bool
	moved  chan struct{} // closed once it has moved
	once   sync.Once

	work int // Config.BackupWork
}

func (b *backups) init(work int) {
	b.work = work
	b.kick, b.moved = make(chan struct{}, 1), make(chan struct{})
	b.trouble.Store(BackupFine)
}

// dump is one backup being written.
type dump struct {
	core *Core
	out  *backup.Writer
	// after is the number of the last message that an earlier file of the chain
	// holds, last that of the last message of this one.
	after, last int64
	files       bool
	size, held  int64                // of all files, and of those written, in bytes
	has         map[chat.FileID]bool // files that earlier ones hold; those of this one are added
}

// BackupSize implements Backups.
func (c *Core) BackupSize(ctx context.Context) (BackupSize, error) {
	return read(ctx, c, func(tx ReadTx) (s BackupSize, err error) {
		if s.Messages, err = tx.LastMessage(); err != nil {
			return s, err
		}
		s.Files, s.FileBytes, err = tx.HeldFiles()
		return s, err
	})
}

// Backup implements Backups.
func (c *Core) Backup(ctx context.Context, o BackupOptions) (BackupReport, error) {
	if c.backups.sealed.Load() {
		return BackupReport{}, chat.ErrMoved
	}
	r, err := c.writeWhole(ctx, o)
	if err != nil {
		return r, err
	}
	return r, c.update(ctx, func(s *step) error {
		state, err := backupStateFrom(s)
		if err != nil {
			return err
		}
		state.Once = r.MadeAt
		s.publish(event.Event{Kind: event.BackupChanged})
		return s.putBackupState(state)
	})
}

// writeWhole writes a backup of its own, which is no part of the automatic one.
func (c *Core) writeWhole(ctx context.Context, o BackupOptions) (BackupReport, error) {
	if !backupPassphrase(o.Passphrase) {
		return BackupReport{}, chat.ErrPassphraseShort
	}
	if !filepath.IsAbs(o.Path) {
		return BackupReport{}, fmt.Errorf("core: path of the backup is not absolute: %w", fs.ErrInvalid)
	}
	if !c.backups.mu.TryLock() {
		return BackupReport{}, chat.ErrBackupRunning
	}
	defer c.backups.mu.Unlock()
	id := backup.NewID()
	d := &dump{core: c, files: o.Files, has: map[chat.FileID]bool{}}
	return d.write(ctx, o.Path, o.Passphrase, backup.Header{ID: id, Chain: id})
}

func backupPassphrase(p string) bool {
	return utf8.ValidString(p) && utf8.RuneCountInString(p) >= MinBackupPassphrase && len(p) <= 1024
}

// write writes one file. The caller holds backups.mu.
func (d *dump) write(ctx context.Context, path, passphrase string, h backup.Header) (BackupReport, error) {
	c := d.core
	c.backups.percent.Store(0)
	c.backups.running.Store(true)
	c.bus.Publish(event.Event{Kind: event.BackupChanged})
	defer func() {
		c.backups.running.Store(false)
		c.bus.Publish(event.Event{Kind: event.BackupChanged})
	}()
	self, err := c.loadSelf(ctx)
	if err != nil {
		return BackupReport{}, err
	}
	h.MadeAt, h.Person, h.Files = c.now(), chat.PersonID(self.ID()).String(), d.files
	d.out, err = backup.Create(path, h, backup.Options{
		Passphrase: passphrase, Work: c.backups.work,
		Verifying: func(read, size int64) { c.backups.reach(c, 50+50*read/max(1, size)) },
	})
	if err != nil {
		return BackupReport{}, backupError(err)
	}
	if err := d.all(ctx); err != nil {
		d.out.Abort()
		return BackupReport{}, backupError(err)
	}
	done, err := d.out.Commit(ctx)
	if err != nil {
		return BackupReport{}, backupError(err)
	}
	return reportOf(path, done), nil
}

// reach notes how far the backup is, in per cent.
func (b *backups) reach(c *Core, percent int64) {
	percent = min(percent, 99)
	if b.percent.Swap(percent) != percent {
		c.bus.Publish(event.Event{Kind: event.BackupChanged})
	}
}

// messageWeight is what a message counts beside the bytes of files: with its index
// and its compression it takes about as long as that many of them.
const messageWeight = 1000

// tell notes how far the writing is: the first half of the work.
func (d *dump) tell(at int64) {
	of := (d.last-d.after)*messageWeight + d.size
	d.core.backups.reach(d.core, 50*((at-d.after)*messageWeight+d.held)/max(1, of))
}

func reportOf(path string, r backup.Result) BackupReport {
	return BackupReport{
		Path: path, MadeAt: r.MadeAt, Full: r.Number == 0, Size: r.Size, Contacts: r.Counts[kindContacts],
		Conversations: r.Counts[kindConversations], Messages: r.Counts[kindMessages], Waiting: r.Counts[kindOutbox],
		Files: r.Counts[backup.KindFiles] / 2, // each with its manifest
	}
}

// windowsDiskFull is ERROR_DISK_FULL.
const windowsDiskFull = syscall.Errno(112)

// backupError adds the sentinel to what the system says of the place of a backup.
func backupError(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), runtime.GOOS == "windows" && errors.Is(err, windowsDiskFull):
		return fmt.Errorf("%w: %w", chat.ErrDiskFull, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w", chat.ErrReadOnly, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", chat.ErrBackupFolder, err)
	}
	return err
}

// all writes everything. What is small is read from one snapshot; the messages
// follow in pages, up to the last one of that snapshot. Whatever the snapshot
// refers to is among them, unless it was deleted meanwhile; a message that was
// acknowledged meanwhile is sent again after a restore, and its recipient knows it.
func (d *dump) all(ctx context.Context) error {
	if err := d.core.view(ctx, d.head); err != nil {
		return err
	}
	for at := d.after; ; {
		next, err := d.page(ctx, at)
		if err != nil {
			return err
		}
		if next == at {
			break
		}
		at = next
		d.tell(at)
	}
	return d.states(ctx)
}

func (d *dump) head(tx ReadTx) error {
	last, err := tx.LastMessage()
	if err != nil {
		return err
	}
	d.last = last
	if d.files {
		if _, d.size, err = tx.HeldFiles(); err != nil {
			return err
		}
	}
	for _, part := range []func(ReadTx) error{d.profile, d.contacts, d.conversations, d.network, d.invitations, d.outbox, d.deleted} {
		if err := part(tx); err != nil {
			return err
		}
	}
	return nil
}

func (d *dump) profile(tx ReadTx) error {
	self, err := d.core.selfFrom(tx)
	if err != nil {
		return err
	}
	settings, err := tx.Settings()
	if err != nil {
		return err
	}
	return d.out.Put(kindProfile, profileLine{self.MarshalBackup(), settings})
}

func (d *dump) contacts(tx ReadTx) error {
	all, err := tx.Contacts()
	if err != nil {
		return err
	}
	for _, ct := range all {
		l := contactLine{Contact: ct}
		p, err := peerFrom(tx, ct.ID)
		if err != nil {
			return err
		}
		if l.Peer, err = p.ForBackup().Marshal(); err != nil {
			return fmt.Errorf("core: backup: %w", err)
		}
		hosts, err := tx.Hosts(ct.ID)
		if err != nil {
			return err
		}
		for _, h := range hosts {
			l.Hosts = append(l.Hosts, hostLine{h.HostKey[:], h.Addrs, h.SeenAt})
		}
		if err := d.out.Put(kindContacts, l); err != nil {
			return err
		}
	}
	return nil
}

func (d *dump) conversations(tx ReadTx) error {
	all, err := tx.Conversations()
	if err != nil {
		return err
	}
	for _, v := range all {
		l := conversationLine{ID: v.ID, Contact: v.Contact, ReadSeq: v.ReadSeq, Draft: v.Draft, LastAt: v.LastAt}
		timer, err := tx.Timer(v.ID)
		if err != nil {
			return err
		}
		if l.LastPlace, err = tx.LastPlace(v.ID); err != nil {
			return err
		}
		if timer.Version > 0 {
			l.Timer = timerLine{int64(timer.Life / time.Second), timer.Version, timer.By}
		}
		if err := d.out.Put(kindConversations, l); err != nil {
			return err
		}
	}
	return nil
}

func (d *dump) network(tx ReadTx) error {
	nodes, err := tx.Nodes()
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := d.out.Put(kindNodes, nodeLineOf(n)); err != nil {
			return err
		}
	}
	queues, err := tx.AllQueues()
	if err != nil {
		return err
	}
	for _, q := range queues {
		if err := d.out.Put(kindQueues, queueLineOf(q)); err != nil {
			return err
		}
	}
	return nil
}

func (d *dump) invitations(tx ReadTx) error {
	all, err := tx.Invitations()
	if err != nil {
		return err
	}
	for _, i := range all {
		if err := d.out.Put(kindInvitations, invitationLine{i.ID[:], i.CreatedAt, i.ExpiresAt, i.UsedBy, i.UsedAt}); err != nil {
			return err
		}
	}
	joinings, err := tx.Joinings()
	if err != nil {
		return err
	}
	for _, j := range joinings {
		if err := d.out.Put(kindJoinings, joiningLine{j.ID[:], j.Contact, j.Code, j.StartedAt}); err != nil {
			return err
		}
	}
	return nil
}

func (d *dump) outbox(tx ReadTx) error {
	people, err := tx.OutboxPeople()
	if err != nil {
		return err
	}
	for _, person := range people {
		for after := int64(0); ; {
			items, err := tx.Outbox(person, after, backupPage)
			if err != nil {
				return err
			}
			for _, it := range items {
				after = it.ID
				// What disappears is in no backup.
				if m, err := tx.Message(it.Message); err == nil && m.Life > 0 {
					continue
				}
				if err := d.out.Put(kindOutbox, outboxLine{it.Contact, it.Message, it.Type, it.Payload, it.CreatedAt}); err != nil {
					return err
				}
			}
			if len(items) < backupPage {
				break
			}
		}
	}
	return nil
}

func (d *dump) deleted(tx ReadTx) error {
	for at := (chat.MessageID{}); ; {
		ids, err := tx.Deleted(at, backupPage)
		if err != nil {
			return err
		}
		for _, id := range ids {
			at = id
			if err := d.out.Put(kindDeleted, deletedLine{id}); err != nil {
				return err
			}
		}
		if len(ids) < backupPage {
			return nil
		}
	}
}

// page writes the next messages with their files and returns the number of the last.
func (d *dump) page(ctx context.Context, after int64) (next int64, err error) {
	var lines []messageLine
	var held []chat.File
	next = after
	err = d.core.view(ctx, func(tx ReadTx) error {
		page, err := tx.StoredMessages(after, d.last, backupPage)
		if err != nil {
			return err
		}
		for _, m := range page {
			l := messageLineOf(m)
			if m.Attachments != nil {
				files, err := tx.Files(m.ID)
				if err != nil {
					return err
				}
				for _, f := range files {
					l.Files = append(l.Files, fileLineOf(f))
				}
				held = append(held, files...)
			}
			lines = append(lines, l)
			next = m.Num
		}
		return nil
	})
	if err != nil {
		return next, err
	}
	for _, l := range lines {
		if err := d.out.Put(kindMessages, l); err != nil {
			return next, err
		}
	}
	return next, d.contents(ctx, held, after)
}

// contents writes the sealed files that are here and in no earlier part.
// at is the number of the last message before.
func (d *dump) contents(ctx context.Context, files []chat.File, at int64) error {
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !d.files || f.State != chat.FileHere || d.has[f.ID] || d.core.files.store == nil {
			continue
		}
		if err := d.content(f.ID); err != nil {
			return err
		}
		d.tell(at)
	}
	return nil
}

func (d *dump) content(id chat.FileID) error {
	held, err := d.core.files.store.OpenFile(id)
	if errors.Is(err, chat.ErrNotFound) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	defer func() { _ = held.Close() }()
	hashes, err := io.ReadAll(io.NewSectionReader(held.Hashes(), 0, maxManifestSize))
	if err != nil {
		return err
	}
	name := hex.EncodeToString(id[:])
	if err := d.out.File(name+hashesSuffix, int64(len(hashes)), readerOf(hashes)); err != nil {
		return err
	}
	d.has[id] = true
	d.held += held.Size()
	return d.out.File(name, held.Size(), io.NewSectionReader(held, 0, held.Size()))
}

// states writes how far the latest messages of earlier parts have come since, and
// which of their files came since.
func (d *dump) states(ctx context.Context) error {
	for at := max(d.after-backupStates, 0); at < d.after; {
		var page []chat.StoredMessage
		var held []chat.File
		err := d.core.view(ctx, func(tx ReadTx) (err error) {
			if page, err = tx.StoredMessages(at, d.after, backupPage); err != nil {
				return err
			}
			for _, m := range page {
				if m.Attachments == nil {
					continue
				}
				files, err := tx.Files(m.ID)
				if err != nil {
					return err
				}
				held = append(held, files...)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		for _, m := range page {
			at = m.Num
			if err := d.out.Put(kindStates, messageLine{ID: m.ID, State: m.State, Unread: m.Unread}); err != nil {
				return err
			}
		}
		if err := d.contents(ctx, held, d.last); err != nil {
			return err
		}
	}
	return nil
}
