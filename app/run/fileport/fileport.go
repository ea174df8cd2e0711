// Package fileport is the folder of sealed files as the core wants it:
// storage/blob and app/core know nothing of each other, and this package is the
// little that lies between.
package fileport

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/storage/blob"
)

// Store is a *blob.Store as a core.FileStore.
type Store struct{ *blob.Store }

var (
	_ core.FileStore = Store{}
	_ core.NewFile   = (*blob.Draft)(nil)
	_ core.HeldFile  = (*blob.File)(nil)
	_ core.PartFile  = (*blob.Part)(nil)
)

// secretKey names the key of the files' names in the store.
const secretKey = "file_names"

// Open opens the folder of a profile's files. The key of their names is drawn once
// and kept in the profile's database.
func Open(ctx context.Context, dir string, st core.Store) (Store, error) {
	var key [32]byte
	load := func(tx core.ReadTx) error {
		b, err := tx.Secret(secretKey)
		if err == nil && len(b) != len(key) {
			err = chat.ErrCorrupt
		}
		copy(key[:], b)
		return err
	}
	err := st.View(ctx, load)
	if errors.Is(err, chat.ErrNotFound) {
		_, _ = rand.Read(key[:]) // crypto/rand.Read never fails
		err = st.Update(ctx, func(tx core.Tx) error { return tx.PutSecret(secretKey, key[:]) })
	}
	if err != nil {
		return Store{}, err
	}
	s, err := blob.Open(dir, key)
	return Store{s}, err
}

// NewFile implements core.FileStore.
func (s Store) NewFile() (core.NewFile, error) { return given[core.NewFile](s.New()) }

// OpenFile implements core.FileStore.
func (s Store) OpenFile(id chat.FileID) (core.HeldFile, error) {
	return given[core.HeldFile](s.Store.OpenFile(id))
}

// BeginFile implements core.FileStore.
func (s Store) BeginFile(ctx context.Context, id chat.FileID, size int64) (core.PartFile, error) {
	return given[core.PartFile](s.Begin(ctx, id, size))
}

// given keeps a nil pointer from becoming an interface that is not nil.
func given[I any, T any](v *T, err error) (out I, _ error) {
	if err == nil {
		out, _ = any(v).(I)
	}
	return out, err
}

// RemoveFile implements core.FileStore.
func (s Store) RemoveFile(id chat.FileID) error { return s.Remove(id) }

// SweepFiles implements core.FileStore.
func (s Store) SweepFiles(keep []chat.FileID, before time.Time) (int64, error) {
	return s.Sweep(keep, before)
}

// UsedBytes implements core.FileStore.
func (s Store) UsedBytes() (int64, error) { return s.Usage() }

// LeftBytes implements core.FileStore.
func (s Store) LeftBytes(id chat.FileID) int64 { return s.Left(id) }
