package core

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/attachment"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/mailbox"
)

const (
	// maxMailedFile is up to which size files go through mailboxes too, beside their
	// message; larger ones wait until both are up.
	maxMailedFile = 8<<20 + 16<<10 // bytes, sealed
	// mailedBatch is how many blocks are put into a mailbox at a time.
	mailedBatch = 8
)

// mail puts the small files of messages that a mailbox has taken there as well, in
// the background: what is written meanwhile does not wait for them.
func (fs *files) mail(person chat.PersonID, items []chat.OutboxItem, host HostKey) {
	ctx := fs.core.lanes.running()
	if fs.store == nil || ctx == nil {
		return
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	waiting, runs := fs.mails[person]
	for _, it := range items {
		if it.Type == envelope.TypeMessage {
			waiting = append(waiting, mailedMessage{it.Message, host})
		}
	}
	if len(waiting) == 0 {
		return
	}
	fs.mails[person] = waiting
	if !runs {
		fs.core.lanes.goRun(func() { fs.mailAll(ctx, person) })
	}
}

// mailedMessage is a message that a node has taken.
type mailedMessage struct {
	id   chat.MessageID
	host HostKey
}

// mailAll mails the files of messages until none waits.
func (fs *files) mailAll(ctx context.Context, person chat.PersonID) {
	for {
		fs.mu.Lock()
		waiting := fs.mails[person]
		if len(waiting) == 0 || ctx.Err() != nil {
			delete(fs.mails, person)
			fs.mu.Unlock()
			return
		}
		m := waiting[0]
		fs.mails[person] = waiting[1:]
		fs.mu.Unlock()
		if err := fs.mailMessage(ctx, person, m.id, m.host); err != nil && ctx.Err() == nil {
			fs.core.log.Info("files not left in a mailbox", "err", err) // they are fetched when both are up
		}
	}
}

func (fs *files) mailMessage(ctx context.Context, person chat.PersonID, id chat.MessageID, host HostKey) error {
	all, err := read(ctx, fs.core, func(tx ReadTx) ([]chat.File, error) { return tx.Files(id) })
	if err != nil {
		return err
	}
	for _, f := range all {
		if f.State != chat.FileHere || f.Sealed > maxMailedFile || !f.MailedAt.IsZero() {
			continue
		}
		q, n, err := fs.queueAt(ctx, person, host)
		if err != nil {
			return err
		}
		if done, err := fs.mailFile(ctx, person, f, q, n); err != nil || !done {
			return err
		}
		err = fs.core.update(ctx, func(s *step) error {
			now, err := fileOf(s, f.Message, f.Place)
			if err != nil {
				return err
			}
			now.MailedAt = s.env.Now
			return s.PutFile(now)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// queueAt finds the queue for a person at a node.
func (fs *files) queueAt(ctx context.Context, person chat.PersonID, host HostKey) (q chat.Queue, n Node, err error) {
	err = fs.core.view(ctx, func(tx ReadTx) error {
		ways, err := fs.core.mailWays(tx, person)
		if err != nil {
			return err
		}
		for _, q = range ways {
			if q.Host == host {
				n, err = nodeOf(tx, q)
				return err
			}
		}
		return fmt.Errorf("core: queue: %w", chat.ErrNotFound)
	})
	return q, n, err
}

// mailFile puts a file's manifest and blocks into a queue. It stops, and reports
// that it is not done, as soon as the recipient is connected.
func (fs *files) mailFile(ctx context.Context, person chat.PersonID, f chat.File, q chat.Queue, n Node) (done bool, err error) {
	held, err := fs.store.OpenFile(f.ID)
	if err != nil {
		return false, err
	}
	defer held.Close() //nolint:errcheck // only read
	hashes := make([]byte, attachment.HashSize*attachment.Blocks(f.Sealed))
	if _, err := held.Hashes().ReadAt(hashes, 0); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	blobs := [][]byte{}
	put := func(b mailbox.Block) error {
		content, err := b.Encode()
		if err != nil {
			return err
		}
		blob, err := mailbox.Seal(q.Key, mailbox.KindBlock, content)
		blobs = append(blobs, blob)
		return err
	}
	if err := put(mailbox.Block{File: f.ID, Index: mailbox.Manifest, Data: hashes}); err != nil {
		return false, err
	}
	last := attachment.Blocks(f.Sealed) - 1
	for i := int64(0); i <= last; i++ {
		block := make([]byte, attachment.BlockLen(f.Sealed, i))
		if _, err := held.ReadAt(block, i*attachment.BlockSize); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if err := put(mailbox.Block{File: f.ID, Index: uint32(i), Data: block}); err != nil { //nolint:gosec // a small file
			return false, err
		}
		if len(blobs) < mailedBatch && i < last {
			continue
		}
		if fs.core.net.Connected(person.String()) {
			return false, nil
		}
		if err := fs.putMail(ctx, q, n, blobs); err != nil {
			return false, err
		}
		blobs = blobs[:0]
	}
	return true, nil
}

func (fs *files) putMail(ctx context.Context, q chat.Queue, n Node, blobs [][]byte) error {
	ctx, cancel := context.WithTimeout(ctx, postTime)
	defer cancel()
	taken, err := fs.core.net.PutMail(ctx, n, q.SendID, q.SendCap, blobs)
	if err == nil && taken < len(blobs) {
		err = chat.ErrQuota
	}
	return err
}

// takeMailBlock takes a block of a file that came through a mailbox, if a message
// of the same person announced it and it is to be fetched.
func (in *inbox) takeMailBlock(person chat.PersonID, content []byte) (answer byte, err error) {
	b, err := mailbox.ParseBlock(content)
	if err != nil {
		return in.refuse("malformed block", err), nil
	}
	shared, err := in.FileShared(b.File, person)
	if err != nil {
		return 0, err
	}
	all, err := in.FilesOf(b.File)
	if err != nil {
		return 0, err
	}
	for _, f := range all {
		if !shared || f.State != chat.FileWaiting || in.core.files.store == nil {
			continue
		}
		in.then(func() { in.core.files.takeMailed(f, b) })
		return AnswerCommitted, nil
	}
	return AnswerDuplicate, nil // it is here, or comes when it is asked for
}

// takeMailed stores a block from a mailbox. What cannot be stored comes from its
// sender when both are up.
func (fs *files) takeMailed(f chat.File, b mailbox.Block) {
	if err := fs.storeMailed(f, b); err != nil {
		fs.core.log.Info("a file's block from a mailbox was not stored", "err", err)
	}
}

func (fs *files) storeMailed(f chat.File, b mailbox.Block) error {
	fs.mu.Lock()
	direct := fs.active[f.ID] != nil
	fs.mu.Unlock()
	if direct {
		return nil // it comes a faster way
	}
	ctx := context.Background() // after the commit: it is finished, whatever ends
	part, err := fs.store.BeginFile(ctx, f.ID, f.Sealed)
	if err != nil {
		return err
	}
	whole, err := putMailed(part, f, b)
	if err = errors.Join(err, part.Close()); err != nil || !whole {
		return err
	}
	return fs.whole(ctx, f)
}

// putMailed stores a block, or the manifest, and makes the file whole if it was the
// last one.
func putMailed(part PartFile, f chat.File, b mailbox.Block) (whole bool, err error) {
	if b.Index == mailbox.Manifest {
		sum := attachment.NewManifest()
		sum.Write(b.Data)
		if sum.Finish(f.Sealed) != f.Manifest {
			return false, errWrongManifest
		}
		if part.HasManifest() {
			return false, nil
		}
		return false, errors.Join(part.WriteHashes(b.Data, true), part.KeepHashes())
	}
	if _, err := part.Put(int64(b.Index), b.Data); err != nil {
		return false, err
	}
	if err := part.Sync(); err != nil {
		return false, err
	}
	if _, missing := part.Next(0, 1); missing > 0 {
		return false, nil
	}
	return true, part.Finish()
}
