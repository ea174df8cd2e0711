package sqlite

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

// Salvaged is a message that was read from a damaged database, as far as what it
// refers to could be read, too. Of a message that is lost but for its files, all but
// its id is zero.
type Salvaged struct {
	Message chat.Message
	Contact chat.PersonID // zero if the conversation could not be read
	Name    string        // of the contact, "" if that could not be read
	Files   []chat.File   // by their place
}

// SalvageReport is what a salvage read.
type SalvageReport struct {
	Pages    int64 // that the database has
	Damaged  int64 // of them: could not be read at all
	Messages int   // handed on
	Lost     int   // rows that began on a whole page and went on in a damaged one
}

// Salvage reads every message that can still be read, page by page, without SQLite
// and without changing anything, and hands each on once, in the order of their
// pages; then the files whose messages are lost. A damaged page costs what stands on it and nothing else. Errors: those of
// cryptvfs.OpenPages, ctx's and fn's.
func Salvage(ctx context.Context, path string, key *cryptvfs.Key, fn func(Salvaged) error) (report SalvageReport, err error) {
	pages, err := cryptvfs.OpenPages(path, key)
	if err != nil {
		return report, classifyFile(err)
	}
	defer func() { err = errors.Join(err, pages.Close()) }()
	s := salvage{
		pages: pages, seen: map[chat.MessageID]bool{}, rooms: map[int64]salvagedRoom{},
		names: map[chat.PersonID]string{}, files: map[chat.MessageID][]chat.File{},
	}
	if err := s.walk(ctx, s.about); err != nil {
		return report, err
	}
	if err := s.walk(ctx, func(rowid int64, r record) error { return s.message(r, fn) }); err != nil {
		return s.report, err
	}
	for id, files := range s.files {
		if !s.seen[id] {
			if err := fn(Salvaged{Message: chat.Message{ID: id}, Files: files}); err != nil {
				return s.report, err
			}
		}
	}
	return s.report, nil
}

type salvagedRoom struct {
	id      chat.ConversationID
	contact chat.PersonID
}

type salvage struct {
	pages  *cryptvfs.Pages
	report SalvageReport
	seen   map[chat.MessageID]bool
	rooms  map[int64]salvagedRoom
	names  map[chat.PersonID]string
	files  map[chat.MessageID][]chat.File
}

// about takes in what is told of messages elsewhere: rows are known by their shape,
// since the page that says which table they are of may be the damaged one.
func (s *salvage) about(rowid int64, r record) error {
	switch {
	case r.isConversation():
		s.rooms[rowid] = salvagedRoom{chat.ConversationID(r[1].blob), chat.PersonID(r[2].blob)}
	case r.isContact():
		s.names[chat.PersonID(r[0].blob)] = string(r[1].blob)
	case r.isFile():
		s.file(r)
	}
	return nil
}

// file takes in one file of a message.
func (s *salvage) file(r record) {
	f := chat.File{
		Attachment: chat.Attachment{Name: string(r[10].blob), MediaType: string(r[11].blob), State: chat.FileState(r[4].n), Size: r[5].n}, //nolint:gosec // as it was stored
		Message:    chat.MessageID(r[1].blob), Place: int(r[2].n), ID: chat.FileID(r[3].blob),
		Identity: string(r[12].blob), Sealed: r[6].n,
	}
	copy(f.SHA256[:], r[7].blob) // zeros are stored as nothing
	copy(f.Manifest[:], r[8].blob)
	all := s.files[f.Message]
	at, found := slices.BinarySearchFunc(all, f, func(a, b chat.File) int { return cmp.Compare(a.Place, b.Place) })
	if !found {
		s.files[f.Message] = slices.Insert(all, at, f)
	}
}

func (s *salvage) message(r record, fn func(Salvaged) error) error {
	if len(r) < 12 || !r[0].isNull() || !r[1].isBlob(16) || !r[9].isBlob(32) && !r[9].isBlob(0) || !r[11].isText {
		return nil
	}
	for _, f := range r[2:9] {
		if !f.isInt() {
			return nil
		}
	}
	id := chat.MessageID(r[1].blob)
	if s.seen[id] {
		return nil
	}
	s.seen[id] = true
	room := s.rooms[r[2].n]
	m := chat.Message{
		ID: id, Conversation: room.id, Seq: uint64(r[3].n), Kind: chat.Kind(r[4].n), State: chat.State(r[5].n), //nolint:gosec // as it was stored
		SentAt: salvagedTime(r[7].n), ReceivedAt: salvagedTime(r[8].n), Text: string(r[11].blob),
	}
	copy(m.Sender[:], r[9].blob)
	copy(m.ReplyTo[:], r[10].blob)
	s.report.Messages++
	return fn(Salvaged{Message: m, Contact: room.contact, Name: s.names[room.contact], Files: s.files[id]})
}

func salvagedTime(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// The kinds of page that hold rows.
// https://sqlite.org/fileformat2.html#b_tree_pages
const (
	pageTable  = 13 // leaf of a table
	pageKeys   = 10 // leaf of a table without rowid
	pageBranch = 2  // inner page of one: it holds rows, too
)

// walk hands on every row of every page that can be read.
func (s *salvage) walk(ctx context.Context, fn func(rowid int64, r record) error) error {
	s.report = SalvageReport{Pages: s.pages.Count()}
	page := make([]byte, cryptvfs.PageSize)
	for n := int64(1); n <= s.pages.Count(); n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.pages.Page(n, page) != nil {
			s.report.Damaged++
			continue
		}
		if err := s.rows(n, page[:cryptvfs.UsableSize], fn); err != nil {
			return err
		}
	}
	return nil
}

// rows hands on the rows of one page.
func (s *salvage) rows(n int64, page []byte, fn func(rowid int64, r record) error) error {
	head := 0
	if n == 1 {
		head = 100
	}
	kind, cells := page[head], int(binary.BigEndian.Uint16(page[head+3:]))
	first := head + 8
	if kind == pageBranch {
		first = head + 12
	}
	if kind != pageTable && kind != pageKeys && kind != pageBranch || first+2*cells > len(page) {
		return nil
	}
	for i := range cells {
		at := int(binary.BigEndian.Uint16(page[first+2*i:]))
		if at < first || at >= len(page) {
			continue
		}
		rowid, raw, ok := s.cell(kind, page[at:])
		if !ok {
			continue
		}
		if r, ok := parseRecord(raw); ok {
			if err := fn(rowid, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxSalvagedRow bounds a row in bytes: no message, and no thumbnail, is larger.
const maxSalvagedRow = 1 << 20

// cell reads a cell with what of it lies on other pages.
func (s *salvage) cell(kind byte, b []byte) (rowid int64, raw []byte, ok bool) {
	if kind == pageBranch {
		if len(b) < 4 {
			return 0, nil, false
		}
		b = b[4:]
	}
	size, n := sqliteVarint(b)
	if n == 0 || size <= 0 || size > maxSalvagedRow {
		return 0, nil, false
	}
	b = b[n:]
	most := cryptvfs.UsableSize - 35
	if kind == pageTable {
		if rowid, n = sqliteVarint(b); n == 0 {
			return 0, nil, false
		}
		b = b[n:]
	} else {
		most = (cryptvfs.UsableSize-12)*64/255 - 23
	}
	here := int(size)
	if here > most {
		least := (cryptvfs.UsableSize-12)*32/255 - 23
		if here = least + (int(size)-least)%(cryptvfs.UsableSize-4); here > most {
			here = least
		}
	}
	if here == int(size) {
		return rowid, b[:min(here, len(b))], here <= len(b)
	}
	if here+4 > len(b) {
		return 0, nil, false
	}
	raw = append(make([]byte, 0, size), b[:here]...)
	raw, ok = s.rest(raw, int(size), int64(binary.BigEndian.Uint32(b[here:])))
	if !ok {
		s.report.Lost++
	}
	return rowid, raw, ok
}

// rest follows the pages on which a row goes on.
func (s *salvage) rest(raw []byte, size int, next int64) ([]byte, bool) {
	page := make([]byte, cryptvfs.PageSize)
	for len(raw) < size {
		if next == 0 || s.pages.Page(next, page) != nil {
			return nil, false
		}
		next = int64(binary.BigEndian.Uint32(page))
		raw = append(raw, page[4:4+min(size-len(raw), cryptvfs.UsableSize-4)]...)
	}
	return raw, true
}

// field is one value of a row.
type field struct {
	kind   int64 // SQLite's serial type
	n      int64
	blob   []byte
	isText bool
}

func (f field) isNull() bool         { return f.kind == 0 }
func (f field) isInt() bool          { return f.kind >= 1 && f.kind <= 9 && f.kind != 7 }
func (f field) isBlob(size int) bool { return !f.isText && f.blob != nil && len(f.blob) == size }

type record []field

func (r record) isConversation() bool {
	return len(r) >= 10 && r[0].isNull() && r[1].isBlob(16) && r[2].isBlob(32) && r[3].isInt() && r[7].blob != nil
}

func (r record) isContact() bool {
	return len(r) == 9 && r[0].isBlob(32) && r[1].isText && r[2].isText && r[3].isText && r[4].isInt()
}

func (r record) isFile() bool {
	return len(r) == 14 && r[0].isNull() && r[1].isBlob(16) && r[2].isInt() && r[3].isBlob(32) && r[4].isInt() && r[5].isInt() && r[6].isInt() &&
		(r[7].isBlob(32) || r[7].isBlob(0)) && (r[8].isBlob(32) || r[8].isBlob(0)) && r[10].isText && r[11].isText && r[12].isText
}

// parseRecord reads a row; false if it is none.
// https://sqlite.org/fileformat2.html#record_format
func parseRecord(b []byte) (r record, ok bool) {
	headLen, n := sqliteVarint(b)
	if n == 0 || headLen < int64(n) || headLen > int64(len(b)) {
		return nil, false
	}
	head, body := b[n:headLen], b[headLen:]
	for len(head) > 0 {
		kind, n := sqliteVarint(head)
		if n == 0 {
			return nil, false
		}
		head = head[n:]
		f, size := field{kind: kind}, fieldSize(kind)
		if size < 0 || size > int64(len(body)) {
			return nil, false
		}
		switch {
		case kind == 9:
			f.n = 1
		case kind >= 12:
			f.blob, f.isText = body[:size:size], kind%2 == 1
		case kind >= 1 && kind <= 6:
			f.n = signed(body[:size])
		}
		body = body[size:]
		r = append(r, f)
	}
	return r, true
}

// fieldSize is how many bytes a value of a serial type takes, -1 for no type.
func fieldSize(kind int64) int64 {
	switch {
	case kind < 0, kind == 10, kind == 11:
		return -1
	case kind >= 12:
		return (kind - 12) / 2
	default:
		return [...]int64{0, 1, 2, 3, 4, 6, 8, 8, 0, 0}[kind]
	}
}

func signed(b []byte) int64 {
	n := int64(int8(b[0])) //nolint:gosec // it is signed
	for _, c := range b[1:] {
		n = n<<8 | int64(c)
	}
	return n
}

// sqliteVarint reads a number of up to nine bytes; n is 0 if b is too short.
func sqliteVarint(b []byte) (v int64, n int) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return v<<8 | int64(b[8]), 9
		}
		v = v<<7 | int64(b[i]&0x7f)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}
