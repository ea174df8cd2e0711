// Package backup is the file that a backup is (docs/backup-format.md): an age file
// that a passphrase opens, and in it a tar archive of JSON lines and sealed files.
//
// What it promises:
//
//   - Any age opens it, and any tar and gzip read what is inside.
//   - A Writer keeps about a megabyte in memory, however much it is given, beside
//     what scrypt takes for a moment (256 MiB at the usual work factor).
//   - There is either no file of the name, the one that was there before, or a new
//     whole one that was synced and then read back from the disk and compared:
//     never half of one.
//   - A Reader gives nothing on that the file's authentication has not covered, and
//     says at the end whether all was there that the manifest at its end lists.
//
// What the lines mean is app/core's. Neither type is safe for concurrent use.
package backup

import "time"

// Version is that of the format. A reader refuses a newer one.
const Version = 1

const format = "kuvert-backup"

// The names of what is always there.
const (
	headerName   = "kuvert-backup.json"
	manifestName = "manifest.json"
	filesPrefix  = "files/"
	linesSuffix  = ".jsonl.gz"
)

// Limits, in bytes.
const (
	chunkSize   = 1 << 20   // of lines before they are compressed into a member
	maxLine     = 4 << 20   // of one line
	maxChunk    = 8 << 20   // of a member of lines, compressed or not: a chunk and one line
	maxHeader   = 64 << 10  // of the header
	maxManifest = 256 << 20 // of the manifest
	bufferSize  = 64 << 10  // of what is read and written at once
)

// usualWork is the work factor of scrypt: 2^18, age's own default. maxWork is up to
// which a file is opened.
const (
	usualWork = 18
	maxWork   = 20
)

// Header says which backup a file is.
type Header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// ID is this file's, in hexadecimal. Chain is the ID of the full backup that it
	// belongs to, and Number its place after that: 0 for the full one itself.
	// Previous is the ID of the one before it.
	ID       string    `json:"id"`
	Chain    string    `json:"chain"`
	Number   int       `json:"number"`
	Previous string    `json:"previous,omitempty"`
	MadeAt   time.Time `json:"made_at"`
	// Person is the id of whose backup it is.
	Person string `json:"person"`
	// Files says that the messages' files are in it.
	Files bool `json:"files"`
}

// manifest is the last member.
type manifest struct {
	Counts  map[string]int64 `json:"counts"` // lines and files by kind
	Members []member         `json:"members"`
}

type member struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Result is what a written or read backup holds.
type Result struct {
	Header
	Counts map[string]int64 // lines and files by kind
	Size   int64            // of the age file, bytes; 0 of one that was read
}

// KindFiles is the kind of files in Result.Counts.
const KindFiles = "files"
