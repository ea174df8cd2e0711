package picture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The parts of a JPEG that matter here.
const (
	markerSOI  = 0xD8
	markerEOI  = 0xD9
	markerSOS  = 0xDA
	markerAPP0 = 0xE0 // JFIF
	markerAPP1 = 0xE1 // Exif, XMP
	markerAPP2 = 0xE2 // colour profile, or more pictures
	markerAPPE = 0xEE // Adobe: how the colours are coded
	markerAPPF = 0xEF
	markerCOM  = 0xFE

	// maxSegments bounds the segments of a JPEG.
	maxSegments = 10_000
)

var (
	exifHead = []byte("Exif\x00\x00")
	iccHead  = []byte("ICC_PROFILE\x00")
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// CanStrip tells whether Strip knows a media type.
func CanStrip(kind string) bool {
	return kind == "image/jpeg" || kind == "image/png" || kind == "image/webp" || kind == "image/gif" || isHEIF(kind)
}

// Strip copies a picture without what does not show: Exif, XMP, comments, texts,
// previews, further pictures and whatever stands behind its end. Of a JPEG's Exif
// the orientation alone stays. The pixels are copied as they are. ErrNone for a
// kind that CanStrip does not know, ErrMalformed, or an error of src or dst.
func Strip(dst io.Writer, src io.ReadSeeker, kind string) error {
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("picture: %w", err)
	}
	w := bufio.NewWriter(dst)
	var err error
	switch {
	case kind == "image/jpeg":
		err = stripJPEG(w, bufio.NewReader(src))
	case kind == "image/png":
		err = stripPNG(w, bufio.NewReader(src))
	case kind == "image/gif":
		err = stripGIF(w, bufio.NewReader(src))
	case kind == "image/webp":
		err = stripWebP(w, src)
	case isHEIF(kind):
		err = stripHEIF(w, src)
	default:
		return ErrNone
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: it is cut off", ErrMalformed)
	}
	return errors.Join(err, w.Flush())
}

// nextMarker reads up to the next marker and returns it.
func nextMarker(r *bufio.Reader) (byte, error) {
	if b, err := r.ReadByte(); err != nil || b != 0xFF {
		return 0, errors.Join(err, ErrMalformed)
	}
	for {
		b, err := r.ReadByte()
		if err != nil || b != 0xFF {
			return b, err
		}
	}
}

// segment reads a segment's body.
func segment(r *bufio.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(size[:])) - 2
	if n < 0 {
		return nil, ErrMalformed
	}
	body := make([]byte, n)
	_, err := io.ReadFull(r, body)
	return body, err
}

func stripJPEG(w *bufio.Writer, r *bufio.Reader) error {
	if m, err := nextMarker(r); err != nil || m != markerSOI {
		return errors.Join(err, ErrMalformed)
	}
	_, _ = w.Write([]byte{0xFF, markerSOI})
	m, err := nextMarker(r)
	for range maxSegments {
		if err != nil {
			return err
		}
		if m == markerEOI {
			_, err := w.Write([]byte{0xFF, markerEOI})
			return err
		}
		body, err2 := segment(r)
		if err2 != nil {
			return err2
		}
		if kept := keptSegment(m, body); kept != nil {
			_, _ = w.Write([]byte{0xFF, m})
			_, _ = w.Write(binary.BigEndian.AppendUint16(nil, uint16(len(kept)+2))) //nolint:gosec // it was read from two bytes
			_, _ = w.Write(kept)
		}
		if m == markerSOS {
			m, err = copyScan(w, r)
		} else {
			m, err = nextMarker(r)
		}
	}
	return fmt.Errorf("%w: more than %d segments", ErrMalformed, maxSegments)
}

// keptSegment is what stays of a segment, nil for nothing.
func keptSegment(m byte, body []byte) []byte {
	switch {
	case m == markerAPP1 && bytes.HasPrefix(body, exifHead):
		if how := exifOrientation(body[len(exifHead):]); how > 1 {
			return exifWith(how)
		}
		return nil
	case m == markerAPP0 && bytes.HasPrefix(body, []byte("JFIF\x00")) && len(body) >= 14:
		return append(append([]byte{}, body[:12]...), 0, 0) // without its preview
	case m == markerAPP2 && bytes.HasPrefix(body, iccHead), m == markerAPPE:
		return body
	case m >= markerAPP0 && m <= markerAPPF, m == markerCOM:
		return nil
	}
	return body
}

// copyScan copies coded pixels up to the marker behind them.
func copyScan(w *bufio.Writer, r *bufio.Reader) (byte, error) {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		if b != 0xFF {
			_ = w.WriteByte(b)
			continue
		}
		for b == 0xFF {
			if b, err = r.ReadByte(); err != nil {
				return 0, err
			}
		}
		if b != 0 && (b < 0xD0 || b > 0xD7) {
			return b, nil
		}
		_, _ = w.Write([]byte{0xFF, b})
	}
}

// pngKept are the chunks besides the critical ones that change how a PNG looks.
var pngKept = map[string]bool{
	"tRNS": true, "gAMA": true, "cHRM": true, "sRGB": true, "iCCP": true, "cICP": true, "sBIT": true,
	"bKGD": true, "pHYs": true, "acTL": true, "fcTL": true, "fdAT": true,
}

func stripPNG(w *bufio.Writer, r *bufio.Reader) error {
	head := make([]byte, len(pngSignature))
	if _, err := io.ReadFull(r, head); err != nil || string(head) != pngSignature {
		return errors.Join(err, ErrMalformed)
	}
	_, _ = w.Write(head)
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(r, chunk[:]); err != nil {
			return err
		}
		kind, rest := string(chunk[4:]), int64(binary.BigEndian.Uint32(chunk[:]))+4
		out := io.Discard
		if chunk[4]&0x20 == 0 || pngKept[kind] {
			_, _ = w.Write(chunk[:])
			out = w
		}
		if _, err := io.CopyN(out, r, rest); err != nil || kind == "IEND" {
			return err
		}
	}
}

// The flags of a WebP's head that promise Exif and XMP.
const webpPromises = 0x08 | 0x04

func stripWebP(w *bufio.Writer, src io.ReadSeeker) error {
	var head [12]byte
	if _, err := io.ReadFull(src, head[:]); err != nil || Kind(head[:]) != "image/webp" {
		return errors.Join(err, ErrMalformed)
	}
	end := int64(binary.LittleEndian.Uint32(head[4:])) + 8
	size := int64(4)
	err := webpChunks(src, end, func(_ string, n int64) error { size += 8 + n; return nil })
	if err != nil {
		return err
	}
	_, _ = w.WriteString("RIFF")
	_, _ = w.Write(binary.LittleEndian.AppendUint32(nil, uint32(size))) //nolint:gosec // less than what was read
	_, _ = w.WriteString("WEBP")
	return webpChunks(src, end, func(kind string, n int64) error {
		_, _ = w.WriteString(kind)
		_, _ = w.Write(binary.LittleEndian.AppendUint32(nil, uint32(n))) //nolint:gosec // was read from four bytes
		body := io.LimitReader(src, n)
		if kind == "VP8X" {
			var flags [1]byte
			if _, err := io.ReadFull(body, flags[:]); err != nil {
				return err
			}
			_ = w.WriteByte(flags[0] &^ webpPromises)
			n--
		}
		_, err := io.CopyN(w, body, n)
		return err
	})
}

// webpKept are the chunks of a WebP that show.
var webpKept = map[string]bool{"VP8 ": true, "VP8L": true, "VP8X": true, "ALPH": true, "ANIM": true, "ANMF": true, "ICCP": true}

// webpChunks calls do for each chunk that stays, at its body, with its length made
// even.
func webpChunks(src io.ReadSeeker, end int64, do func(kind string, n int64) error) error {
	for at := int64(12); at+8 <= end; {
		var chunk [8]byte
		if _, err := src.Seek(at, io.SeekStart); err != nil {
			return fmt.Errorf("picture: %w", err)
		}
		if _, err := io.ReadFull(src, chunk[:]); err != nil {
			return err
		}
		n := int64(binary.LittleEndian.Uint32(chunk[4:]))
		n += n % 2
		if at += 8 + n; at > end {
			return ErrMalformed
		}
		if kind := string(chunk[:4]); webpKept[kind] {
			if err := do(kind, n); err != nil {
				return err
			}
		}
	}
	return nil
}
