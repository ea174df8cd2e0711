package core

import (
	"context"
	"io"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Sizes of the transfer protocol (docs/protocol/attachments.md).
const (
	FileBlock     = 64 << 10 // bytes of each block of a sealed file but the last
	MaxFileBlocks = 32       // blocks one FileWant asks for
	MaxFileHashes = 2048     // entries of the manifest one FileWant asks for
)

// FileWant asks for a run of blocks of a sealed file, or of its manifest's entries.
type FileWant struct {
	Hashes       bool
	First, Count int64
}

// Transfers is the transfer protocol, the asking side.
type Transfers interface {
	// FetchFile asks a recognised, connected ref for parts of a sealed file of size
	// bytes. next returns what to ask for next, a FileWant with Count 0 at the end;
	// it is asked ahead of the answers. take is given every block by itself with its
	// index, by takers goroutines at once, and the manifest's entries as they come;
	// its error ends the transfer. data is valid until it returns. Errors wrap
	// chat.ErrUnreachable (try again), chat.ErrNotFound (not given), or take's.
	FetchFile(ctx context.Context, ref string, id chat.FileID, size int64, takers int, next func() FileWant, take func(w FileWant, i int64, data []byte) error) error
}

// FileStore keeps sealed files. storage/blob implements it. Errors wrap
// chat.ErrNotFound and chat.ErrDiskFull.
type FileStore interface {
	// NewFile begins a file whose id is not known yet.
	NewFile() (NewFile, error)
	// OpenFile opens a whole file.
	OpenFile(id chat.FileID) (HeldFile, error)
	// BeginFile opens a file under way, of size bytes, and makes it if there is none.
	// What an earlier process left is checked first.
	BeginFile(ctx context.Context, id chat.FileID, size int64) (PartFile, error)
	// RemoveFile removes all of a file. Quarantine puts a whole one aside that is
	// not what was announced.
	RemoveFile(id chat.FileID) error
	Quarantine(id chat.FileID) error
	// SweepFiles removes what is none of keep and was last written before a time,
	// and returns how many bytes that were. UsedBytes is what all files take.
	SweepFiles(keep []chat.FileID, before time.Time) (freed int64, err error)
	UsedBytes() (int64, error)
	// LeftBytes is about how much of a file under way is here.
	LeftBytes(id chat.FileID) int64
}

// NewFile is a sealed file being written.
type NewFile interface {
	io.Writer
	io.ReaderAt
	Hashes() io.Writer         // takes its manifest
	Keep(id chat.FileID) error // makes it durable and ends it
	Drop() error               // gives it up; after Keep it does nothing
}

// HeldFile is a whole sealed file, open for reading.
type HeldFile interface {
	io.ReaderAt
	io.Closer
	Size() int64
	Hashes() io.ReaderAt
}

// PartFile is a sealed file under way. Safe for concurrent use.
type PartFile interface {
	HasManifest() bool
	// WriteHashes appends to the manifest that is coming in, KeepHashes takes it
	// once it was checked.
	WriteHashes(b []byte, first bool) error
	KeepHashes() error
	// Put stores a block if it fits the manifest, else chat.ErrFileDamaged; known: it
	// was there.
	Put(i int64, block []byte) (known bool, err error)
	// Next returns the first run of missing blocks from a place on; count 0: none.
	Next(from, limit int64) (first, count int64)
	Got() int64 // bytes that are here
	Sync() error
	Finish() error // makes the file whole
	Close() error
}
