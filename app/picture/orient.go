package picture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"io"
)

// oriented is a picture as it is to be looked at: cameras store it as the sensor
// was held and say by how much to turn it (Exif orientation, 1 to 8).
type oriented struct {
	image.Image
	how int
}

// Bounds implements image.Image.
func (o oriented) Bounds() image.Rectangle {
	b := o.Image.Bounds()
	if o.how >= 5 {
		return image.Rect(0, 0, b.Dy(), b.Dx())
	}
	return image.Rect(0, 0, b.Dx(), b.Dy())
}

// At implements image.Image.
func (o oriented) At(x, y int) color.Color {
	b := o.Image.Bounds()
	w, h := b.Dx()-1, b.Dy()-1
	switch o.how {
	case 2:
		x = w - x
	case 3:
		x, y = w-x, h-y
	case 4:
		y = h - y
	case 5:
		x, y = y, x
	case 6:
		x, y = y, h-x
	case 7:
		x, y = w-y, h-x
	case 8:
		x, y = w-y, x
	}
	return o.Image.At(b.Min.X+x, b.Min.Y+y)
}

// jpegOrientation finds the orientation of a JPEG, 1 if it says none.
func jpegOrientation(src io.Reader) int {
	r := bufio.NewReader(src)
	if head, err := r.Peek(3); err != nil || Kind(head) != "image/jpeg" {
		return 1
	}
	_, _ = r.Discard(2)
	for range maxSegments {
		marker, err := nextMarker(r)
		if err != nil || marker == markerSOS || marker == markerEOI {
			return 1
		}
		body, err := segment(r)
		if err != nil {
			return 1
		}
		if marker == markerAPP1 && bytes.HasPrefix(body, exifHead) {
			return exifOrientation(body[len(exifHead):])
		}
	}
	return 1
}

const tagOrientation = 0x0112

// exifOrientation reads the orientation from a TIFF header's first directory.
func exifOrientation(tiff []byte) int {
	if len(tiff) < 10 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if string(tiff[:2]) == "MM" {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			return 1
		}
		if how := int(order.Uint16(entries[8:])); order.Uint16(entries) == tagOrientation && how >= 1 && how <= 8 {
			return how
		}
		entries = entries[12:]
	}
	return 1
}

// exifWith is an Exif segment's body that says nothing but an orientation.
func exifWith(how int) []byte {
	b := append([]byte{}, exifHead...)
	b = append(b, "MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"...)
	return append(b, byte(how), 0, 0, 0, 0, 0, 0) //nolint:gosec // 1 to 8
}
