package core

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/kuvert-im/kuvert/app/backup"
	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/session"
)

const (
	hashesSuffix    = ".hashes"
	maxManifestSize = 33 << 20 // bytes of a file's manifest: of the largest file
	// restoreBatch is how many lines are stored in one transaction, restoreBytes how
	// many bytes of them. With fewer, the index of ids would be written to the disk
	// over and over.
	restoreBatch = 5000
	restoreBytes = 8 << 20
)

func readerOf(b []byte) io.Reader { return bytes.NewReader(b) }

// RestoreSource is what to restore from.
type RestoreSource struct {
	Path       string // a backup, or the folder of the automatic one
	Passphrase string
	// Progress is called with how far it is, in per cent; nil for nobody.
	Progress func(percent int)
}

// String keeps the passphrase out of texts.
func (RestoreSource) String() string { return "[restore source]" }

// GoString keeps the passphrase out of formatted text.
func (RestoreSource) GoString() string { return "[restore source]" }

// Restored is what a restore brought back.
type Restored struct {
	ID            chat.PersonID `json:"id"`
	Name          string        `json:"name"`
	MadeAt        time.Time     `json:"made_at"` // of the last file
	Parts         int           `json:"parts"`   // files read
	Contacts      int64         `json:"contacts"`
	Conversations int64         `json:"conversations"`
	Messages      int64         `json:"messages"`
	Waiting       int64         `json:"waiting"`
	Files         int64         `json:"files"`
}

// Restore puts a backup into an empty store, as a new installation of the same
// person: sessions are made anew with everybody, and what was never acknowledged is
// sent again. files may be nil: then files are offered, to be fetched anew. After an
// error the store is to be thrown away. Errors: those of backup.Open,
// chat.ErrBackupPart, chat.ErrBackupDamaged, chat.ErrProfileExists, and the store's.
func Restore(ctx context.Context, st Store, files FileStore, src RestoreSource) (Restored, error) {
	paths, err := backup.Parts(src.Path)
	if err != nil {
		return Restored{}, backupError(err)
	}
	r := &restore{store: st, files: files, src: src, places: map[chat.ConversationID]uint64{}, brought: map[chat.FileID]bool{}}
	if err := r.run(ctx, paths); err != nil {
		return Restored{}, backupError(err)
	}
	return r.out, nil
}

// BackupSeen is what can be told of a backup without reading all of it.
type BackupSeen struct {
	MadeAt time.Time // of the last file
	Parts  int       // files that a restore reads
	Files  bool      // with the files of the messages
}

// LookAtBackup says whether a restore from there can begin: the files are there, the
// passphrase opens them, and they are a backup. It takes about a second and changes
// nothing. Errors as of Restore.
func LookAtBackup(src RestoreSource) (BackupSeen, error) {
	paths, err := backup.Parts(src.Path)
	if err != nil {
		return BackupSeen{}, backupError(err)
	}
	in, err := backup.Open(paths[len(paths)-1], src.Passphrase)
	if err != nil {
		return BackupSeen{}, backupError(err)
	}
	if in.Number != len(paths)-1 { // it was given another name
		err = chat.ErrBackupPart
	}
	return BackupSeen{MadeAt: in.MadeAt, Parts: len(paths), Files: in.Files}, errors.Join(err, in.Close())
}

// restore is one restore under way.
type restore struct {
	store Store
	files FileStore
	src   RestoreSource
	out   Restored

	// How much is to be read, was read of the files before, and of the present one, in
	// bytes; of is 0 until the reading of all begins.
	of, before, now int64
	percent         int // told last

	batch    []func(Tx) error
	size     int // bytes in batch
	messages []chat.StoredMessage
	states   []chat.StoredMessage
	fileRows []chat.File

	shown    []chat.Conversation
	places   map[chat.ConversationID]uint64 // the last one of each
	contacts []chat.PersonID
	hashes   []byte // of the file to come
	brought  map[chat.FileID]bool
}

var errHeadEnds = errors.New("the small part ends")

// run reads the small part of the last file first: it says which conversations there
// are. Then it reads all messages, files and states in their order.
func (r *restore) run(ctx context.Context, paths []string) error {
	_, err := r.each(ctx, paths[len(paths)-1], r.head)
	if err != nil && !errors.Is(err, errHeadEnds) {
		return err
	}
	if r.out.ID.IsZero() {
		return fmt.Errorf("core: profile: %w", chat.ErrBackupDamaged)
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	before := backup.Header{}
	if err := r.measure(paths); err != nil {
		return err
	}
	for i, path := range paths {
		res, err := r.each(ctx, path, r.body)
		if err != nil {
			return err
		}
		if i > 0 && (res.Chain != before.Chain || res.Previous != before.ID || res.Number != i) || res.Person != r.out.ID.String() || i == 0 && res.Number != 0 {
			return fmt.Errorf("core: part %d: %w", i, chat.ErrBackupPart)
		}
		before = res.Header
		r.out.MadeAt = res.MadeAt
	}
	r.out.Parts = len(paths)
	return r.finish(ctx)
}

// each hands every item of a file on; what is collected is stored in between.
func (r *restore) each(ctx context.Context, path string, take func(backup.Item) error) (backup.Result, error) {
	in, err := backup.Open(path, r.src.Passphrase)
	if err != nil {
		return backup.Result{}, err
	}
	in.Watch(r.tell)
	res, err := in.Each(ctx, func(it backup.Item) error {
		if err := take(it); err != nil {
			return err
		}
		if r.size += len(it.Line); r.size >= restoreBytes || len(r.batch)+len(r.messages)+len(r.states) >= restoreBatch {
			return r.flush(ctx)
		}
		return nil
	})
	if err == nil {
		err = r.flush(ctx)
	}
	r.before += r.now
	return res, errors.Join(err, in.Close())
}

// measure begins to tell how far the restore is.
func (r *restore) measure(paths []string) error {
	r.of, r.before = 0, 0
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("core: restore: %w", err)
		}
		r.of += info.Size()
	}
	return nil
}

// tell passes on how far the restore is: read bytes of the present file.
func (r *restore) tell(read int64) {
	r.now = read
	if r.src.Progress == nil || r.of == 0 {
		return
	}
	if percent := int(min(99, 100*(r.before+read)/r.of)); percent != r.percent {
		r.percent = percent
		r.src.Progress(percent)
	}
}

// flush stores what was collected.
func (r *restore) flush(ctx context.Context) error {
	if len(r.batch)+len(r.messages)+len(r.states) == 0 {
		return nil
	}
	err := r.store.Update(ctx, func(tx Tx) error {
		for _, do := range r.batch {
			if err := do(tx); err != nil {
				return err
			}
		}
		added, err := tx.RestoreMessages(r.messages)
		if err != nil {
			return err
		}
		r.out.Messages += int64(added)
		if _, err := tx.RestoreMessages(r.states); err != nil {
			return err
		}
		return r.putFiles(tx)
	})
	r.batch, r.messages, r.states, r.fileRows, r.size = r.batch[:0], r.messages[:0], r.states[:0], r.fileRows[:0], 0
	return err
}

func (r *restore) putFiles(tx Tx) error {
	for _, f := range r.fileRows {
		if _, err := tx.Message(f.Message); errors.Is(err, chat.ErrNotFound) {
			continue // its conversation is there no more
		} else if err != nil {
			return err
		}
		if err := tx.PutFile(f); err != nil {
			return err
		}
	}
	return nil
}

func (r *restore) do(f func(Tx) error) { r.batch = append(r.batch, f) }

// put reads a line and has what it says stored.
func put[L, V any](r *restore, it backup.Item, value func(L) (V, error), store func(Tx, V) error) error {
	var l L
	if err := backup.Line(it, &l); err != nil {
		return err
	}
	v, err := value(l)
	if err != nil {
		return err
	}
	r.do(func(tx Tx) error { return store(tx, v) })
	return nil
}

// head takes the small part.
func (r *restore) head(it backup.Item) error {
	switch it.Kind {
	case kindProfile:
		return r.profile(it)
	case kindContacts:
		return r.contact(it)
	case kindConversations:
		return r.conversation(it)
	case kindNodes:
		return put(r, it, nodeLine.node, Tx.PutNode)
	case kindQueues:
		return put(r, it, queueLine.queue, func(tx Tx, q chat.Queue) error {
			if q.Contact.IsZero() && q.Invite != [16]byte{} {
				q.Until = time.UnixMilli(1).UTC() // of an invitation that nobody can answer any more
			}
			_, err := tx.PutQueue(q)
			return err
		})
	case kindInvitations:
		return put(r, it, invitationLine.invitation, Tx.PutInvitation)
	case kindJoinings:
		return put(r, it, joiningLine.joining, Tx.PutJoining)
	case kindDeleted:
		return put(r, it, func(l deletedLine) (chat.MessageID, error) { return l.ID, nil },
			func(tx Tx, id chat.MessageID) error { return tx.PutDeleted([]chat.MessageID{id}) })
	case kindOutbox:
		r.out.Waiting++
		return put(r, it, func(l outboxLine) (chat.OutboxItem, error) {
			return chat.OutboxItem{Contact: l.Contact, Message: l.Message, Type: l.Type, Payload: l.Payload, CreatedAt: l.CreatedAt}, nil
		}, func(tx Tx, it chat.OutboxItem) error {
			_, err := tx.AddOutbox(it)
			return err
		})
	}
	return errHeadEnds
}

func (r *restore) profile(it backup.Item) error {
	var l profileLine
	if err := backup.Line(it, &l); err != nil {
		return err
	}
	self, err := session.RestoreSelf(rand.Reader, time.Now().UTC(), l.Self)
	if err != nil {
		return fmt.Errorf("core: own keys: %w: %w", chat.ErrBackupDamaged, err)
	}
	blob, err := self.Marshal()
	if err != nil {
		return err
	}
	r.out.ID, r.out.Name = chat.PersonID(self.ID()), l.Settings[SettingName]
	seed := make([]byte, 32) // another machine, which contacts know by another key
	_, _ = rand.Read(seed)   // crypto/rand.Read never fails
	r.do(func(tx Tx) error {
		if _, err := tx.Secret(secretSelf); !errors.Is(err, chat.ErrNotFound) {
			return errors.Join(err, chat.ErrProfileExists)
		}
		errs := []error{tx.PutSecret(secretSelf, blob), tx.PutSecret(secretHost, seed)}
		for k, v := range l.Settings {
			errs = append(errs, tx.PutSetting(k, v))
		}
		state, err := json.Marshal(backupState{Since: time.Now().UTC()}) // nobody is warned of none at once
		errs = append(errs, err, tx.PutSecret(secretBackupState, state))
		if l.Settings[SettingBackupFolder] != "" {
			errs = append(errs, tx.PutSecret(secretBackupPass, []byte(r.src.Passphrase)))
		}
		return errors.Join(errs...)
	})
	return nil
}

func (r *restore) contact(it backup.Item) error {
	var l contactLine
	if err := backup.Line(it, &l); err != nil {
		return err
	}
	p, err := session.ParsePeer(l.Peer)
	if err != nil || chat.PersonID(p.ID()) != l.ID {
		return fmt.Errorf("core: contact: %w: %w", chat.ErrBackupDamaged, err)
	}
	var hosts []chat.Host
	for _, h := range l.Hosts {
		host := chat.Host{Contact: l.ID, Addrs: h.Addrs, SeenAt: h.SeenAt}
		if err := h.Key.into(host.HostKey[:]); err != nil {
			return err
		}
		hosts = append(hosts, host)
	}
	r.out.Contacts++
	if !l.Blocked {
		r.contacts = append(r.contacts, l.ID)
	}
	r.do(func(tx Tx) error {
		errs := []error{tx.PutContact(l.Contact), tx.PutPeer(l.ID, l.Peer)}
		for _, h := range hosts {
			errs = append(errs, tx.PutHost(h))
		}
		return errors.Join(errs...)
	})
	return nil
}

func (r *restore) conversation(it backup.Item) error {
	var l conversationLine
	if err := backup.Line(it, &l); err != nil {
		return err
	}
	r.out.Conversations++
	r.places[l.ID] = l.LastPlace
	r.shown = append(r.shown, chat.Conversation{ID: l.ID, Contact: l.Contact, ReadSeq: l.ReadSeq, LastAt: l.LastAt})
	r.do(func(tx Tx) error {
		errs := []error{tx.PutConversation(l.ID, l.Contact, l.LastAt), tx.SetDraft(l.ID, l.Draft)}
		if t := l.Timer; t.Version > 0 {
			errs = append(errs, tx.PutTimer(l.ID, chat.Timer{Life: time.Duration(t.Seconds) * time.Second, Version: t.Version, By: t.By}))
		}
		return errors.Join(errs...)
	})
	return nil
}

// body takes messages, their states and files.
func (r *restore) body(it backup.Item) error {
	switch it.Kind {
	case kindMessages:
		return r.message(it)
	case kindStates:
		var l messageLine
		if err := backup.Line(it, &l); err != nil {
			return err
		}
		r.states = append(r.states, l.message())
		return nil
	case backup.KindFiles:
		return r.file(it)
	}
	return nil // the small part, taken before
}

func (r *restore) message(it backup.Item) error {
	var l messageLine
	if err := backup.Line(it, &l); err != nil {
		return err
	}
	r.messages = append(r.messages, l.message())
	for i := range l.Files {
		f, err := l.Files[i].file(l.ID)
		if err != nil {
			return err
		}
		r.fileRows = append(r.fileRows, f)
	}
	return nil
}

// file takes a sealed file: first its manifest, then its content. Both are checked
// when it is opened, against what its message says.
func (r *restore) file(it backup.Item) (err error) {
	if r.files == nil {
		return nil
	}
	name, isHashes := strings.CutSuffix(it.Name, hashesSuffix)
	if isHashes {
		r.hashes, err = io.ReadAll(io.LimitReader(it.File, maxManifestSize))
		return err
	}
	raw, err := hex.DecodeString(name)
	if err != nil || len(raw) != 32 {
		return fmt.Errorf("core: name of a file: %w", chat.ErrBackupDamaged)
	}
	id := chat.FileID(raw)
	fresh, err := r.files.NewFile()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fresh.Drop()) }()
	if _, err := io.Copy(fresh, it.File); err != nil {
		return err
	}
	if _, err := fresh.Hashes().Write(r.hashes); err != nil {
		return err
	}
	if err := fresh.Keep(id); err != nil {
		return err
	}
	r.hashes, r.brought[id] = nil, true
	r.out.Files++
	return nil
}

// finish makes what was stored a profile: files that came are here, conversations
// are counted, and with everybody a session is begun.
func (r *restore) finish(ctx context.Context) error {
	if err := r.store.Update(ctx, r.markFiles); err != nil {
		return err
	}
	err := r.store.Update(ctx, func(tx Tx) error {
		for _, c := range r.shown {
			if err := tx.RestoreConversation(c, r.places[c.ID]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	c, err := New(Config{Store: r.store}) //nolint:contextcheck // it only reads who this is
	if err != nil {
		return err
	}
	return c.update(ctx, func(s *step) error {
		for _, id := range r.contacts {
			p, err := s.peer(id)
			if err != nil {
				return err
			}
			if _, err := s.ready(id, p); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *restore) markFiles(tx Tx) error {
	for id := range r.brought {
		all, err := tx.FilesOf(id)
		if err != nil {
			return err
		}
		for _, f := range all {
			if f.State == chat.FileOffered || f.State == chat.FileWaiting || f.State == chat.FilePaused {
				f.State = chat.FileHere
				if err := tx.PutFile(f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
