package cryptvfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Pages reads what can still be read of a damaged database, page by page. It takes
// no lock, changes nothing, and does not need SQLite: nobody should have the
// database open meanwhile. It is for one goroutine.
type Pages struct {
	main, wal diskFile
	keys      *keys
	count     int64
	frames    map[int64]int64 // page → newest frame of the WAL that can be read
}

// OpenPages opens a database to be salvaged. ErrWrongKey if the head is whole and
// says so; a damaged head is no obstacle.
func OpenPages(path string, key *Key) (_ *Pages, err error) {
	k, err := derive(key)
	if err != nil {
		return nil, err
	}
	p := &Pages{keys: k, frames: map[int64]int64{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if p.main, err = (systemDisk{}).open(path, false, true); err != nil {
		return nil, err
	}
	if err := k.readHead(p.main); err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotEncrypted) {
		return nil, err
	}
	size, err := p.main.size()
	if err != nil {
		return nil, err
	}
	p.count = pagesIn(size)
	return p, p.readWAL(path + walSuffix)
}

// readWAL finds the newest frame of each page: those of the log that was written
// last, up to its end or the first frame that cannot be read.
func (p *Pages) readWAL(path string) error {
	size, err := sizeOf(systemDisk{}, path)
	if err != nil || size < walStart {
		return err
	}
	if p.wal, err = (systemDisk{}).open(path, false, true); err != nil {
		return err
	}
	return p.Frames(func(n, page int64, live bool, _ []byte) error {
		if live {
			p.frames[page] = n
			p.count = max(p.count, page)
		}
		return nil
	})
}

// Frames hands on every frame of the WAL that can be read, also those of an earlier
// log (live is false) and of a transaction that never ended. b is valid until fn
// returns.
func (p *Pages) Frames(fn func(n, page int64, live bool, b []byte) error) error {
	if p.wal == nil {
		return nil
	}
	x := box{aead: p.keys.wal}
	buf := make([]byte, sealedFrame)
	var salt []byte
	if _, err := p.wal.ReadAt(buf[:walStart], 0); err == nil {
		if h := x.openRecord(buf[:sealedHead], kindWALHead, 0); h != nil {
			s := saltOf(h)
			salt = s[:]
		}
	}
	for n := int64(1); ; n++ {
		got, err := p.wal.ReadAt(buf, frameOffset(n))
		if got < len(buf) {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("cryptvfs: WAL's frame %d: %w", n, err)
		}
		h := x.openRecord(buf[:sealedFrameHd], kindFrameHead, n)
		b := x.openRecord(buf[sealedFrameHd:], kindFramePage, n)
		if h == nil || b == nil {
			continue
		}
		live := salt != nil && [8]byte(salt) == [8]byte(h[8:16])
		if err := fn(n, int64(binary.BigEndian.Uint32(h)), live, b); err != nil {
			return err
		}
	}
}

// Count is how many pages there are; they are numbered from 1.
func (p *Pages) Count() int64 { return p.count }

// Page reads page n into b, which has room for a page, as SQLite last left it; what
// follows UsableSize bytes is of no meaning. ErrDamaged if it cannot be read.
func (p *Pages) Page(n int64, b []byte) error {
	if frame, ok := p.frames[n]; ok && p.frame(frame, b) {
		return nil
	}
	return p.MainPage(n, b)
}

// MainPage is Page without the WAL.
func (p *Pages) MainPage(n int64, b []byte) error {
	got, err := p.main.ReadAt(b[:pageSize], pageOffset(n))
	x := box{aead: p.keys.page}
	if n < 1 || got < pageSize || !x.openPage(b[:pageSize], n) {
		clear(b)
		return fmt.Errorf("cryptvfs: page %d: %w", n, errors.Join(ErrDamaged, notEnd(err)))
	}
	return nil
}

func notEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (p *Pages) frame(n int64, b []byte) bool {
	buf := make([]byte, sealedFrame)
	if got, _ := p.wal.ReadAt(buf, frameOffset(n)); got < len(buf) {
		return false
	}
	x := box{aead: p.keys.wal}
	page := x.openRecord(buf[sealedFrameHd:], kindFramePage, n)
	copy(b, page)
	return page != nil
}

// Sizes of a page in bytes: as it is read, and what SQLite uses of it.
const (
	PageSize   = pageSize
	UsableSize = usableSize
)

// Close closes the files and overwrites the keys.
func (p *Pages) Close() error {
	var errs []error
	for _, f := range []diskFile{p.main, p.wal} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	p.keys.wipe()
	return errors.Join(errs...)
}
