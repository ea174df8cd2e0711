package cryptvfs

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// Sizes in bytes; docs/storage-format.md has the layout.
const (
	// KeySize is the length of a database's key.
	KeySize = 32

	pageSize  = 4096 // SQLite's, and that of most disks
	nonceSize = 24
	tagSize   = 16
	overhead  = nonceSize + tagSize
	// usableSize is what SQLite may use of a page; the rest is its reserved space.
	usableSize = pageSize - overhead

	// headSize is the clear head in front of the first page.
	headSize = pageSize
	// lockPage is the page that SQLite never uses (its lock bytes, at 1 GiB),
	// counted from 1.
	lockPage = 1<<30/pageSize + 1
)

// formatVersion is raised when a reader of the old format could not read the new.
const formatVersion = 1

// Places in the head.
const (
	headMagic   = "Kuvert database\n"
	headVersion = len(headMagic)
	headPage    = headVersion + 4
	headCheck   = 32
	headSum     = headSize - sha256.Size
)

// head builds the clear head of a database. Its check tells the right key from a
// wrong one and nothing else of it.
func (k *keys) head() []byte {
	b := make([]byte, headSize)
	copy(b, headMagic)
	binary.BigEndian.PutUint32(b[headVersion:], formatVersion)
	binary.BigEndian.PutUint32(b[headPage:], pageSize)
	copy(b[headCheck:], k.check[:])
	sum := sha256.Sum256(b[:headSum])
	copy(b[headSum:], sum[:])
	return b
}

// checkHead says what is wrong with a head; b may be shorter than one.
func (k *keys) checkHead(b []byte) error {
	whole := make([]byte, headSize)
	copy(whole, b)
	sum := sha256.Sum256(whole[:headSum])
	sound := bytes.Equal(sum[:], whole[headSum:])
	ours := bytes.HasPrefix(whole, []byte(headMagic))
	rightKey := subtle.ConstantTimeCompare(whole[headCheck:][:len(k.check)], k.check[:]) == 1
	version := binary.BigEndian.Uint32(whole[headVersion:])
	switch {
	case ours && !sound, !ours && rightKey:
		return fmt.Errorf("cryptvfs: head: %w", ErrDamaged)
	case !ours:
		return fmt.Errorf("cryptvfs: %w", ErrNotEncrypted)
	case version != formatVersion:
		return fmt.Errorf("cryptvfs: format %d, known is %d: %w", version, formatVersion, ErrNewerFormat)
	case !rightKey:
		return fmt.Errorf("cryptvfs: %w", ErrWrongKey)
	default:
		return nil
	}
}

// Places in SQLite's own head, at the beginning of page 1.
const (
	sqliteHeadSize = 100
	sqliteWrite    = 18 // 2: WAL mode
	sqliteRead     = 19
	sqliteReserved = 20
)

// emptyPage1 is page 1 of an empty database in WAL mode with our page size and
// reserved space. It is written ready-made: SQLite would first have to be told the
// reserved space, and needs a rollback journal to get into WAL mode.
// https://sqlite.org/fileformat2.html#the_database_header
func emptyPage1() []byte {
	p := make([]byte, pageSize)
	copy(p, "SQLite format 3\x00")
	binary.BigEndian.PutUint16(p[16:], pageSize)
	p[sqliteWrite], p[sqliteRead], p[sqliteReserved] = 2, 2, overhead
	p[21], p[22], p[23] = 64, 32, 32            // payload fractions, always these
	binary.BigEndian.PutUint32(p[24:], 1)       // change counter
	binary.BigEndian.PutUint32(p[28:], 1)       // pages
	binary.BigEndian.PutUint32(p[44:], 4)       // schema format
	binary.BigEndian.PutUint32(p[56:], 1)       // UTF-8
	binary.BigEndian.PutUint32(p[92:], 1)       // change counter the version is for
	binary.BigEndian.PutUint32(p[96:], 3054001) // SQLite's version
	p[100] = 13                                 // an empty leaf of a table
	binary.BigEndian.PutUint16(p[105:], usableSize)
	return p
}

// isPage1 reports whether p may be written as page 1: in WAL mode, with the space
// for nonce and tag left free.
func isPage1(p []byte) bool {
	return p[sqliteWrite] == 2 && p[sqliteRead] == 2 && p[sqliteReserved] == overhead
}
