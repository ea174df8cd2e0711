package run

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// The ballast is a file that takes room as long as there is some. SQLite needs room
// even to delete: when the disk is full, the ballast goes, and nothing new is taken
// before there is room for it again.
const (
	ballastFile = "ballast"
	ballastSize = 16 << 20 // bytes
	// ballastRoom is how many bytes must be free before the ballast is made again.
	ballastRoom = 4 * ballastSize
)

// ballast is a profile's ballast. Safe for concurrent use.
type ballast struct {
	dir  string
	free func() (int64, error) // bytes

	mu    sync.Mutex
	spent bool
}

// keep makes the ballast if it is missing and there is room.
func (b *ballast) keep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keepLocked()
}

func (b *ballast) keepLocked() {
	path := filepath.Join(b.dir, ballastFile)
	if fi, err := os.Stat(path); err == nil && fi.Size() >= ballastSize {
		b.spent = false
		return
	}
	free, err := b.free()
	if err != nil || free < ballastRoom {
		return // without it everything goes as long as there is room
	}
	if err := writeBallast(path); err != nil {
		_ = os.Remove(path)
		return
	}
	b.spent = false
}

// writeBallast writes bytes that no file system can make smaller.
func writeBallast(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // in the profile
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.Reader, ballastSize)
	return errors.Join(err, f.Close())
}

// note frees the ballast if an error says that the disk is full.
func (b *ballast) note(err error) error {
	if !errors.Is(err, chat.ErrDiskFull) {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if gone := os.Remove(filepath.Join(b.dir, ballastFile)); gone == nil || errors.Is(gone, fs.ErrNotExist) {
		b.spent = true
	}
	return err
}

// Spent reports whether the ballast is used up, so that nothing new may be taken. It
// makes it again as soon as there is room.
func (b *ballast) Spent() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spent {
		b.keepLocked()
	}
	return b.spent
}

// ballastStore is a store that frees the ballast when there is no room any more.
type ballastStore struct {
	coreStore
	ballast *ballast
}

// Update implements core.Store.
func (s ballastStore) Update(ctx context.Context, fn func(core.Tx) error) error {
	return s.ballast.note(s.coreStore.Update(ctx, fn))
}
