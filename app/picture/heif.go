package picture

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Limits of a HEIF file.
const (
	// maxIndex bounds the boxes that are read into memory: the index of the items, in
	// bytes.
	maxIndex = 8 << 20
	// maxBoxes bounds the boxes on the highest level.
	maxBoxes = 1000
)

// heifBrands are the first brands of HEIF files (ISO/IEC 23008-12, 10) and of AVIF,
// which is one, with their media types.
var heifBrands = map[string]string{
	"heic": "image/heic", "heix": "image/heic", "hevc": "image/heic", "hevx": "image/heic",
	"heim": "image/heic", "heis": "image/heic", "hevm": "image/heic", "hevs": "image/heic",
	"mif1": "image/heif", "mif2": "image/heif", "msf1": "image/heif", "avif": "image/avif", "avis": "image/avif",
}

// isHEIF tells whether a media type is one of heifBrands'.
func isHEIF(kind string) bool {
	return kind == "image/heic" || kind == "image/heif" || kind == "image/avif"
}

// box is a box of ISO/IEC 14496-12: a length, a type, a body.
type box struct {
	kind           string
	at, body, next int64 // where it begins, its body does, and what follows does
}

// parseBox reads the head of the box at a place that ends at most at end.
func parseBox(head []byte, at, end int64) (box, error) {
	if len(head) < 8 {
		return box{}, ErrMalformed
	}
	b := box{kind: string(head[4:8]), at: at, body: at + 8}
	switch size := int64(binary.BigEndian.Uint32(head)); size {
	case 0:
		b.next = end
	case 1:
		if len(head) < 16 || head[8] != 0 {
			return box{}, ErrMalformed
		}
		b.body, b.next = at+16, at+int64(binary.BigEndian.Uint64(head[8:])) //nolint:gosec // below 2^56
	default:
		b.next = at + size
	}
	if b.next < b.body || b.next > end {
		return box{}, ErrMalformed
	}
	return b, nil
}

// children calls do for each box in data[from:].
func children(data []byte, from int64, do func(box) error) error {
	end := int64(len(data))
	for at := from; at < end; {
		b, err := parseBox(data[at:min(at+16, end)], at, end)
		if err != nil {
			return err
		}
		if err := do(b); err != nil {
			return err
		}
		at = b.next
	}
	return nil
}

// blank makes a box one that says nothing and keeps its place.
func blank(data []byte, b box) {
	copy(data[b.at+4:], "free")
	clear(data[b.body:b.next])
}

// span is a stretch of a file, or of an item data box.
type span struct {
	from, to int64
	put      []byte // in its place; nil: what is there
}

// heif is what is known of a HEIF file while it is stripped.
type heif struct {
	src   io.ReadSeeker
	boxes []box
	meta  []byte // the index, edited
	moov  []byte // the index of a sequence, edited; nil: there is none

	items map[uint32]string // their types
	kept  []span            // in the file: coded pixels
	gone  []span            // in the file: items that do not show
	inner []span            // in the index's own data: coded pixels
	data  box               // the index's own data
}

// stripHEIF copies a HEIF file. Everything keeps its place, for the coded pixels are
// found by their offsets; what does not show is overwritten: items that are no
// pictures (Exif, XMP), data no picture refers to, boxes that are not known. What
// stands behind the last box that is kept is left out.
func stripHEIF(w *bufio.Writer, src io.ReadSeeker) error {
	h := &heif{src: src, items: map[uint32]string{}}
	if err := h.read(); err != nil {
		return err
	}
	if err := h.edit(); err != nil {
		return err
	}
	return h.write(w)
}

// read finds the boxes of the highest level and reads the index.
func (h *heif) read() error {
	end, err := h.src.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("picture: %w", err)
	}
	for at := int64(0); at < end; {
		if len(h.boxes) == maxBoxes {
			return fmt.Errorf("%w: more than %d boxes", ErrMalformed, maxBoxes)
		}
		head, err := h.bytes(at, min(at+16, end))
		if err != nil {
			return err
		}
		b, err := parseBox(head, at, end)
		if err != nil && h.meta != nil && !topKept[string(head[min(4, len(head)):min(8, len(head))])] {
			break // something behind the picture
		}
		if err != nil {
			return err
		}
		h.boxes = append(h.boxes, b)
		at = b.next
		if err := h.note(b); err != nil {
			return err
		}
	}
	if len(h.boxes) < 2 || h.boxes[0].kind != "ftyp" || h.meta == nil {
		return fmt.Errorf("%w: it lacks an index", ErrMalformed)
	}
	return nil
}

// note reads a box of the highest level if it is an index.
func (h *heif) note(b box) (err error) {
	switch {
	case b.kind == "meta" && h.meta == nil:
		h.meta, err = h.index(b)
	case b.kind == "moov" && h.moov == nil:
		h.moov, err = h.index(b)
	case b.kind == "meta", b.kind == "moov", b.kind == "moof":
		err = fmt.Errorf("%w: two of %s, or fragments", ErrMalformed, b.kind)
	}
	return err
}

func (h *heif) bytes(from, to int64) ([]byte, error) {
	if _, err := h.src.Seek(from, io.SeekStart); err != nil {
		return nil, fmt.Errorf("picture: %w", err)
	}
	b := make([]byte, to-from)
	_, err := io.ReadFull(h.src, b)
	return b, err
}

// index reads a whole box.
func (h *heif) index(b box) ([]byte, error) {
	if b.next-b.at > maxIndex || b.body != b.at+8 {
		return nil, fmt.Errorf("%w: an index of %d bytes", ErrMalformed, b.next-b.at)
	}
	return h.bytes(b.at, b.next)
}

// metaKept are the boxes of the index that tell how the picture is put together.
var metaKept = map[string]bool{
	"hdlr": true, "pitm": true, "iinf": true, "iref": true, "iprp": true, "iloc": true, "idat": true, "grpl": true, "dinf": true,
}

// edit takes out of the index what does not show.
func (h *heif) edit() error {
	found := map[string]box{}
	err := children(h.meta, 12, func(b box) error { // behind the head, version and flags
		switch {
		case found[b.kind].kind != "":
			return fmt.Errorf("%w: two of %s", ErrMalformed, b.kind)
		case metaKept[b.kind]:
			found[b.kind] = b
		default:
			blank(h.meta, b)
		}
		return nil
	})
	if err != nil {
		return err
	}
	h.data = found["idat"]
	if b, ok := found["iprp"]; ok {
		if err := blankNotes(h.meta[:b.next], b.body); err != nil {
			return err
		}
	}
	if err := h.readItems(found["iinf"]); err != nil {
		return err
	}
	if err := h.readPlaces(found["iloc"]); err != nil {
		return err
	}
	if !h.allThere() {
		return fmt.Errorf("%w: it is cut off", ErrMalformed)
	}
	h.keepOnly()
	if h.moov == nil {
		return nil
	}
	return blankNotes(h.moov, 8)
}

// allThere tells whether all coded pixels lie in boxes for data, so that none are
// overwritten.
func (h *heif) allThere() bool {
	for _, s := range h.kept {
		if !slices.ContainsFunc(h.boxes, func(b box) bool { return b.kind == "mdat" && b.body <= s.from && s.to <= b.next }) {
			return false
		}
	}
	for _, s := range h.inner {
		if s.to > h.data.next {
			return false
		}
	}
	return true
}

// notes are boxes that say something about a picture or a sequence without changing
// how it looks: names, descriptions, places, times.
var notes = map[string]bool{
	"udta": true, "meta": true, "uuid": true, "udes": true, "altt": true, "crtt": true, "mdft": true, "free": true, "skip": true,
}

// blankNotes blanks the notes among the boxes in data[from:], and within those that
// hold others.
func blankNotes(data []byte, from int64) error {
	return children(data, from, func(b box) error {
		switch {
		case notes[b.kind]:
			blank(data, b)
		case b.kind == "ipco", b.kind == "trak", b.kind == "mdia":
			return blankNotes(data[:b.next], b.body)
		case b.kind == "mvhd", b.kind == "tkhd", b.kind == "mdhd": // when it was made and changed
			times := int64(8)
			if b.next-b.body > 4 && data[b.body] == 1 {
				times = 16
			}
			clear(data[min(b.body+4, b.next):min(b.body+4+times, b.next)])
		}
		return nil
	})
}

// pictureItems are the types of items that are pictures, or put pictures together.
var pictureItems = map[string]bool{
	"hvc1": true, "hev1": true, "lhv1": true, "av01": true, "avc1": true, "vvc1": true, "evc1": true, "jpeg": true, "j2k1": true, "unci": true,
	"mski": true, "grid": true, "iovl": true, "iden": true, "tmap": true,
}

// fields reads the numbers of a box one after the other; what is missing is 0.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) uint(size int) (v uint64) {
	if len(f.b) < size {
		f.short, f.b = true, nil
		return 0
	}
	for _, c := range f.b[:size] {
		v = v<<8 | uint64(c)
	}
	f.b = f.b[size:]
	return v
}

// sized reads a number of two bytes, or of four where the box has wide ones.
func (f *fields) sized(wide bool) uint64 {
	if wide {
		return f.uint(4)
	}
	return f.uint(2)
}

// readItems reads what the items are and takes out their names.
func (h *heif) readItems(b box) error {
	if b.next-b.body < 6 {
		return fmt.Errorf("%w: no items", ErrMalformed)
	}
	first := b.body + 6
	if h.meta[b.body] != 0 {
		first += 2
	}
	return children(h.meta[:b.next], min(first, b.next), func(e box) error {
		f := fields{b: h.meta[e.body:e.next]}
		version := f.uint(1)
		f.uint(3)
		if e.kind != "infe" || version != 2 && version != 3 {
			return fmt.Errorf("%w: %s of version %d", ErrMalformed, e.kind, version)
		}
		id := uint32(f.sized(version == 3)) //nolint:gosec // of four bytes at most
		f.uint(2)
		kind := make([]byte, 4)
		binary.BigEndian.PutUint32(kind, uint32(f.uint(4))) //nolint:gosec // of four bytes
		if _, twice := h.items[id]; twice || f.short {
			return fmt.Errorf("%w: item %d", ErrMalformed, id)
		}
		h.items[id] = string(kind)
		name, _, _ := bytes.Cut(f.b, []byte{0})
		for i := range name {
			name[i] = ' '
		}
		return nil
	})
}

// readPlaces reads where the items' data are (ISO/IEC 14496-12, 8.11.3).
func (h *heif) readPlaces(b box) error {
	f := fields{b: h.meta[b.body:b.next]}
	version := f.uint(1)
	f.uint(3)
	sizes := f.uint(2)
	w := widths{offset: int(sizes >> 12), length: int(sizes >> 8 & 15), base: int(sizes >> 4 & 15), index: int(sizes & 15)}
	if version == 0 {
		w.index = 0
	}
	if max(w.offset, w.length, w.base, w.index) > 8 || version > 2 {
		return fmt.Errorf("%w: places of version %d", ErrMalformed, version)
	}
	for range f.sized(version == 2) {
		if f.short {
			break
		}
		if err := h.readPlace(&f, version, w); err != nil {
			return err
		}
	}
	if f.short {
		return fmt.Errorf("%w: places are cut off", ErrMalformed)
	}
	return nil
}

// widths tells how many bytes the numbers of a place have.
type widths struct{ offset, length, base, index int }

// readPlace reads where one item's data are.
func (h *heif) readPlace(f *fields, version uint64, w widths) error {
	id := uint32(f.sized(version == 2)) //nolint:gosec // of four bytes at most
	var method uint64
	if version > 0 {
		method = f.uint(2) & 15
	}
	elsewhere, from := f.uint(2), f.uint(w.base)
	for range f.uint(2) {
		f.uint(w.index)
		at, n := from+f.uint(w.offset), f.uint(w.length)
		if f.short || method > 1 || elsewhere != 0 || n == 0 || at > maxCounted || n > maxCounted {
			return fmt.Errorf("%w: place of item %d", ErrMalformed, id)
		}
		h.place(h.items[id], method == 1, span{from: int64(at), to: int64(at + n)}) //nolint:gosec // below maxCounted
	}
	return nil
}

// maxCounted bounds a file's offsets, so that their sums do not overflow.
const maxCounted = 1 << 60

// noExif is an Exif item that says nothing: an offset, and an empty directory.
var noExif = []byte("\x00\x00\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00")

// place notes where data of an item of a type are.
func (h *heif) place(kind string, inner bool, s span) {
	if kind == "Exif" && s.to-s.from >= int64(len(noExif)) {
		s.put = noExif
	}
	switch {
	case inner && pictureItems[kind]:
		h.inner = append(h.inner, span{from: s.from + h.data.body, to: s.to + h.data.body})
	case inner: // is overwritten with all that no picture refers to
	case pictureItems[kind]:
		h.kept = append(h.kept, s)
	default:
		h.gone = append(h.gone, s)
	}
}

// keepOnly settles what stays of the data: what pictures refer to, or, where there is
// a sequence, all but what other items refer to.
func (h *heif) keepOnly() {
	byPlace := func(a, b span) int { return cmp.Compare(a.from, b.from) }
	for _, s := range [][]span{h.kept, h.gone, h.inner} {
		slices.SortFunc(s, byPlace)
	}
	if h.data.kind != "" {
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		own := bytes.NewReader(h.meta)
		_ = copySpans(w, own, h.data.body, h.data.next, h.inner)
		_ = w.Flush()
		copy(h.meta[h.data.body:h.data.next], out.Bytes())
	}
	if h.moov != nil {
		h.kept = slices.Concat(h.kept, between(h.gone))
	}
	for _, s := range h.gone {
		if s.put != nil && !slices.ContainsFunc(h.kept, func(k span) bool { return k.from < s.to && s.from < k.to }) {
			h.kept = append(h.kept, span{from: s.from, to: s.from + int64(len(s.put)), put: s.put})
		}
	}
	slices.SortFunc(h.kept, byPlace)
}

// between are the stretches of a file that no span covers; spans are in order.
func between(spans []span) (out []span) {
	at := int64(0)
	for _, s := range spans {
		if s.from > at {
			out = append(out, span{from: at, to: s.from})
		}
		at = max(at, s.to)
	}
	return append(out, span{from: at, to: maxCounted})
}

// write writes the boxes.
func (h *heif) write(w *bufio.Writer) error {
	boxes := h.boxes
	for !topKept[boxes[len(boxes)-1].kind] {
		boxes = boxes[:len(boxes)-1]
	}
	for _, b := range boxes {
		var err error
		switch b.kind {
		case "meta":
			_, err = w.Write(h.meta)
		case "moov":
			_, err = w.Write(h.moov)
		case "ftyp":
			err = copySpans(w, h.src, b.at, b.next, []span{{from: b.at, to: b.next}})
		case "mdat":
			err = errors.Join(
				copySpans(w, h.src, b.at, b.body, []span{{from: b.at, to: b.body}}),
				copySpans(w, h.src, b.body, b.next, h.kept))
		default:
			head, err2 := h.bytes(b.at, b.body)
			if err2 != nil {
				return err2
			}
			blank(head, box{body: b.body - b.at, next: b.body - b.at})
			_, _ = w.Write(head)
			err = copySpans(w, h.src, b.body, b.next, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// topKept are the boxes of the highest level that matter.
var topKept = map[string]bool{"ftyp": true, "meta": true, "moov": true, "mdat": true}

// copySpans writes src from a place to another: spans, which are in order, and zeros
// between them.
func copySpans(w *bufio.Writer, src io.ReadSeeker, from, to int64, spans []span) error {
	at := from
	for _, s := range spans {
		s.put = s.put[:max(0, min(int64(len(s.put)), to-s.from))]
		whole := s.from >= at
		s.from, s.to = max(s.from, at), min(s.to, to)
		if s.from >= s.to {
			continue
		}
		if err := zeros(w, s.from-at); err != nil {
			return err
		}
		at = s.to
		switch {
		case len(s.put) == 0:
			if _, err := src.Seek(s.from, io.SeekStart); err != nil {
				return fmt.Errorf("picture: %w", err)
			}
			if _, err := io.CopyN(w, src, s.to-s.from); err != nil {
				return err
			}
		case whole:
			_, _ = w.Write(s.put)
		default:
			_ = zeros(w, s.to-s.from)
		}
	}
	return zeros(w, to-at)
}

// zeros writes n zeros.
func zeros(w *bufio.Writer, n int64) error {
	var none [4096]byte
	for n > 0 {
		k := min(n, int64(len(none)))
		if _, err := w.Write(none[:k]); err != nil {
			return err
		}
		n -= k
	}
	return nil
}
