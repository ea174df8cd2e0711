package chat

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of the files of a message.
const (
	MaxFiles        = 16
	MaxFileNameSize = 255 // bytes
	// MaxFileSize is the largest file, in bytes.
	MaxFileSize = 64 << 30
)

// Errors about files that a caller decides on.
var (
	ErrFileNotHere  = errors.New("file is not on this computer yet")
	ErrFileDamaged  = errors.New("file is not what its sender announced")
	ErrFileAccess   = errors.New("file cannot be read or written")
	ErrFileTooLarge = errors.New("file is too large")
	ErrPhotoData    = errors.New("picture is damaged: what does not show cannot be removed from it")
)

// FileID names a sealed file: to those who hold it, on the wire and in the store.
type FileID = [32]byte

// FileHash is the SHA-256 of a file's content.
type FileHash [32]byte

// String returns the hash in hexadecimal.
func (h FileHash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h FileHash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *FileHash) UnmarshalText(b []byte) error {
	raw, err := hex.DecodeString(string(b))
	if err != nil || len(raw) != len(h) {
		return fmt.Errorf("chat: hash %q: %w", b, ErrBadID)
	}
	copy(h[:], raw)
	return nil
}

// FileState is how it stands with a file on this computer. The values are stored;
// never change them.
type FileState int8

// The states of a file.
const (
	FileHere    FileState = 1 // whole and checked
	FileWaiting FileState = 2 // is fetched as soon as somebody who has it is connected
	FileOffered FileState = 3 // is fetched when this person wants it
	FilePaused  FileState = 4 // this person stopped it; what is here stays
	FileDamaged FileState = 5 // was not what its sender had announced; put aside
	FileMissing FileState = 6 // not here, and its sender had it no more when asked
	FileRemoved FileState = 7 // was here, and was removed to make room
)

var fileStateNames = map[FileState]string{
	FileHere: "here", FileWaiting: "waiting", FileOffered: "offered", FilePaused: "paused",
	FileDamaged: "damaged", FileMissing: "missing", FileRemoved: "removed",
}

// String returns the state's name as the command line prints it.
func (s FileState) String() string {
	if n, ok := fileStateNames[s]; ok {
		return n
	}
	return fmt.Sprintf("file_state(%d)", int8(s))
}

// MarshalText implements encoding.TextMarshaler.
func (s FileState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *FileState) UnmarshalText(b []byte) error {
	for k, n := range fileStateNames {
		if n == string(b) {
			*s = k
			return nil
		}
	}
	return fmt.Errorf("chat: file state %q: %w", b, ErrUnsupported)
}

// Attachment is what a message shows of one of its files.
type Attachment struct {
	// Name is what the sender called it: any text, to be shown by ShownFileName and
	// never used as a path.
	Name      string    `json:"name"`
	Size      int64     `json:"size"`       // bytes of the content
	MediaType string    `json:"media_type"` // as the sender says
	SHA256    FileHash  `json:"sha256"`     // of the content
	State     FileState `json:"state"`
	Thumbnail bool      `json:"thumbnail"` // there is a small picture of it
}

// File is all that is known of one file of a message.
type File struct {
	Attachment
	Message  MessageID
	Place    int // among the message's files, from 0
	ID       FileID
	Identity string // opens it
	Sealed   int64  // size of the sealed file
	Manifest [32]byte
	Picture  []byte // the thumbnail
	// MailedAt is when all of it lay in a mailbox of the recipient.
	MailedAt time.Time
}

// ShownFileName is a file's name as a screen shows it: what cannot be seen, or
// would change how the rest is read, shows as a box; the end, which says what
// kind of file it is, is never out of sight.
func ShownFileName(name string) string {
	shown := strings.Map(func(r rune) rune {
		if r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r) {
			return r
		}
		return '\uFFFD'
	}, name)
	if strings.TrimSpace(shown) == "" {
		return "\uFFFD"
	}
	return shown
}

// reservedNames are devices on Windows, whatever follows after a dot.
var reservedNames = func() map[string]bool {
	m := map[string]bool{"CON": true, "PRN": true, "AUX": true, "NUL": true, "CONIN$": true, "CONOUT$": true}
	for _, n := range "0123456789¹²³" {
		m["COM"+string(n)], m["LPT"+string(n)] = true, true
	}
	return m
}()

// SaveFileName is a name to suggest when a file is saved: one folder entry on
// every system, whatever the sender called it.
func SaveFileName(name string) string {
	safe := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r != ' ' && (!unicode.IsGraphic(r) || unicode.Is(unicode.Zs, r)) {
			return '_'
		}
		return r
	}, name)
	safe = strings.TrimRight(strings.TrimSpace(safe), ". ")
	stem, _, _ := strings.Cut(safe, ".")
	if reservedNames[strings.ToUpper(strings.TrimSpace(stem))] || strings.HasPrefix(safe, ".") {
		safe = "_" + safe
	}
	if safe == "" {
		return "_"
	}
	return CutFileName(safe)
}

// CutFileName shortens a name to MaxFileNameSize bytes and keeps its ending.
func CutFileName(name string) string {
	if len(name) <= MaxFileNameSize {
		return name
	}
	end := ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 32 {
		name, end = name[:i], name[i:]
	}
	keep := MaxFileNameSize - len(end)
	for keep > 0 && !utf8.RuneStart(name[keep]) {
		keep--
	}
	return name[:keep] + end
}

// passive are endings of files that nothing runs when they are opened.
var passive = map[string]bool{
	".txt": true, ".csv": true, ".md": true, ".pdf": true, ".png": true, ".jpg": true, ".jpeg": true, ".gif": true, ".webp": true,
	".heic": true, ".mp3": true, ".m4a": true, ".ogg": true, ".opus": true, ".wav": true, ".mp4": true, ".mov": true, ".webm": true,
	".docx": true, ".xlsx": true, ".pptx": true, ".odt": true, ".ods": true, ".odp": true, ".zip": true, ".json": true, ".ics": true, ".vcf": true,
}

// maxHarmless keeps a path short enough for every system, in bytes; maxEnding is how
// much of that an ending may take.
const (
	maxHarmless = 100
	maxEnding   = 20
)

// HarmlessFileName is SaveFileName for files that are written in numbers, without
// anybody looking at each: at most 100 bytes and ".data", which all but passive
// files get behind their names. A click must not start what somebody else has sent.
func HarmlessFileName(name string) string {
	name = SaveFileName(name)
	end := path.Ext(name)
	if len(name) > maxHarmless {
		stem := strings.ToValidUTF8(name[:maxHarmless-min(len(end), maxEnding)], "")
		name = stem + end
		if len(end) > maxEnding {
			name = stem
		}
	}
	if !passive[strings.ToLower(path.Ext(name))] {
		name += ".data"
	}
	return name
}
