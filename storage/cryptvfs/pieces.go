package cryptvfs

import (
	"errors"
	"fmt"
	"io"
)

// Piece is a page of the database, or of a frame of its WAL, opened.
type Piece struct {
	WAL    bool
	Number int64 // of the page or the frame, from 1
	// Content is the page, valid until the function returns; nil if it is damaged.
	Content []byte
}

// Pieces opens every page that is in the files, one by one: also free ones, and
// frames that SQLite has left behind. It takes and changes nothing, needs no sound
// head, and goes on after damage: for looking at what is really there, and for
// saving what can be read. The first error of fn ends it.
func Pieces(path string, key *Key, fn func(Piece) error) error {
	k, err := derive(key)
	if err != nil {
		return err
	}
	defer k.wipe()
	main := box{aead: k.page}
	err = pieces(path, pageOffset(1), pageSize, func(b []byte, n int64) error {
		p := Piece{Number: n}
		if main.openPage(b, n) {
			p.Content = b
		}
		return fn(p)
	})
	if err != nil {
		return err
	}
	wal := box{aead: k.wal}
	return pieces(path+walSuffix, frameOffset(1), sealedFrame, func(b []byte, n int64) error {
		return fn(Piece{WAL: true, Number: n, Content: wal.openRecord(b[sealedFrameHd:], kindFramePage, n)})
	})
}

// pieces reads a file in pieces of one size, from an offset on. One that is cut is
// left out; a missing file is empty.
func pieces(path string, from int64, size int, fn func(b []byte, n int64) error) (err error) {
	if n, err := sizeOf(systemDisk{}, path); err != nil || n == 0 {
		return err
	}
	f, err := systemDisk{}.open(path, false, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := make([]byte, size)
	for n := int64(1); ; n++ {
		switch _, err := f.ReadAt(b, from+(n-1)*int64(size)); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("cryptvfs: piece %d: %w", n, err)
		}
		if err := fn(b, n); err != nil {
			return err
		}
	}
}
