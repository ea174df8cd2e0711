package cryptvfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// walFound is what a look through the WAL finds.
type walFound struct {
	state walState
	// whole is the last frame that ends a transaction.
	whole int64
	pages map[int64]struct{} // in whole transactions
	page1 []byte             // page 1's head in the newest of them, nil if none has it
}

// scanWAL looks through a WAL that a crash may have left: what SQLite will take
// over from it, and whether something is missing that was durable.
func (db *Database) scanWAL() (walFound, error) {
	path := db.path + walSuffix
	size, err := sizeOf(db.disk, path)
	if err != nil || size < walStart {
		return walFound{}, err // too short for a head: nothing was ever in it
	}
	f, err := db.disk.open(path, false, true)
	if err != nil {
		return walFound{}, err
	}
	s := walScan{f: f, box: box{aead: db.keys.wal}, pages: map[int64]struct{}{}}
	err = errors.Join(s.run(size), f.Close())
	return s.found, err
}

type walScan struct {
	f     diskFile
	box   box
	found walFound
	order binary.ByteOrder // of the checksum's words
	sum   [2]uint32        // of everything up to here
	buf   [sealedFrame]byte

	pages map[int64]struct{} // in the transaction that is not whole yet
	page1 []byte
}

func (s *walScan) run(size int64) error {
	marked, err := s.head(size)
	if err != nil || !s.found.state.live {
		return err
	}
	for n := int64(1); ; n++ {
		ok, err := s.frame(n)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
	}
	if s.found.whole < marked {
		return fmt.Errorf("cryptvfs: WAL holds %d frames of %d: %w", s.found.whole, marked, ErrDamaged)
	}
	s.found.state.sure = s.found.whole
	return nil
}

// head reads the WAL's head and its mark: up to which frame it must be whole.
func (s *walScan) head(size int64) (marked int64, err error) {
	b := s.buf[:walStart]
	if _, err := s.f.ReadAt(b, 0); err != nil {
		return 0, fmt.Errorf("cryptvfs: WAL's head: %w", err)
	}
	if size == walStart && allZero(b) {
		return 0, nil // made longer, and cut off before it was written
	}
	h := s.box.openRecord(b[:sealedHead], kindWALHead, 0)
	if h == nil || !s.begin(h) {
		return 0, fmt.Errorf("cryptvfs: WAL's head: %w", ErrDamaged)
	}
	mark := s.box.openRecord(b[sealedHead:], kindMark, 0)
	if mark == nil || [8]byte(mark) != s.found.state.salt {
		return 0, nil
	}
	return int64(binary.BigEndian.Uint64(mark[8:])), nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// walMagic is the head's first number; its last bit tells the checksum's byte
// order.
const walMagic = 0x377f0682

// begin takes the head in; false if SQLite would not.
func (s *walScan) begin(h []byte) bool {
	magic := binary.BigEndian.Uint32(h)
	s.order = binary.LittleEndian
	if magic&1 != 0 {
		s.order = binary.BigEndian
	}
	s.checksum(h[:24])
	s.found.state = walState{live: true, salt: saltOf(h)}
	s.found.pages = map[int64]struct{}{}
	return magic&^1 == walMagic && binary.BigEndian.Uint32(h[8:]) == pageSize && s.matches(h[24:])
}

// frame takes frame n in. It is false where the log ends: at a frame that was not
// finished, or is left over from before.
func (s *walScan) frame(n int64) (bool, error) {
	got, err := s.f.ReadAt(s.buf[:], frameOffset(n))
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("cryptvfs: WAL's frame %d: %w", n, err)
	}
	if got < sealedFrame {
		return false, nil
	}
	h := s.box.openRecord(s.buf[:sealedFrameHd], kindFrameHead, n)
	p := s.box.openRecord(s.buf[sealedFrameHd:], kindFramePage, n)
	if h == nil || p == nil || [8]byte(h[8:16]) != s.found.state.salt {
		return false, nil
	}
	s.checksum(h[:8])
	s.checksum(p)
	if !s.matches(h[16:]) {
		return false, nil
	}
	s.take(n, h, p)
	return true, nil
}

// take notes a frame, and all of its transaction if it ends one.
func (s *walScan) take(n int64, h, p []byte) {
	page := int64(binary.BigEndian.Uint32(h))
	s.pages[page] = struct{}{}
	if page == 1 {
		s.page1 = append([]byte(nil), p[:sqliteHeadSize]...)
	}
	if !endsTransaction(h) {
		return
	}
	s.found.whole = n
	for page := range s.pages {
		s.found.pages[page] = struct{}{}
	}
	clear(s.pages)
	s.found.page1 = s.page1
}

// checksum is SQLite's, over whole pairs of words.
// https://sqlite.org/fileformat2.html#checksum_algorithm
func (s *walScan) checksum(b []byte) {
	s0, s1 := s.sum[0], s.sum[1]
	for ; len(b) >= 8; b = b[8:] {
		s0 += s.order.Uint32(b) + s1
		s1 += s.order.Uint32(b[4:]) + s0
	}
	s.sum = [2]uint32{s0, s1}
}

func (s *walScan) matches(b []byte) bool {
	return binary.BigEndian.Uint32(b) == s.sum[0] && binary.BigEndian.Uint32(b[4:]) == s.sum[1]
}
