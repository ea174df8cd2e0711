package canon

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// check walks over b, which must be exactly one item in deterministic form. It
// allocates nothing: keys are compared in place.
func check(b []byte) error {
	rest, err := item(b, 1)
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return malformed("bytes after the end")
	}
	return nil
}

func malformed(why string) error { return fmt.Errorf("%w: %s", ErrMalformed, why) }

// CBOR's major types.
const (
	majorUint, majorNegative, majorBytes, majorText = 0, 1, 2, 3
	majorArray, majorMap                            = 4, 5
	majorSimple                                     = 7
)

// item checks one item at the start of b and returns what follows it.
func item(b []byte, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return nil, malformed("nested too deeply")
	}
	major, n, rest, err := head(b)
	if err != nil {
		return nil, err
	}
	switch major {
	case majorUint, majorNegative:
		return rest, nil
	case majorBytes, majorText:
		return str(major, n, rest)
	case majorArray:
		return array(n, rest, depth)
	case majorMap:
		return pairs(n, rest, depth)
	case majorSimple:
		return simple(n, b[0], rest)
	default: // tags
		return nil, malformed("a tag")
	}
}

// head reads an item's first byte and argument, which must be as short as it can.
func head(b []byte) (major int, n uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, 0, nil, malformed("cut short")
	}
	major, info := int(b[0]>>5), b[0]&31
	if info < 24 {
		return major, uint64(info), b[1:], nil
	}
	if info > 27 {
		return 0, 0, nil, malformed("reserved or indefinite length")
	}
	size := 1 << (info - 24)
	if len(b) < 1+size {
		return 0, 0, nil, malformed("cut short")
	}
	var full [8]byte
	copy(full[8-size:], b[1:1+size])
	n = binary.BigEndian.Uint64(full[:])
	if n < shortest(info) {
		return 0, 0, nil, malformed("a longer form than need be")
	}
	return major, n, b[1+size:], nil
}

// shortest is the least number that needs an argument of this size.
func shortest(info byte) uint64 {
	switch info {
	case 24:
		return 24
	case 25:
		return 1 << 8
	case 26:
		return 1 << 16
	default:
		return 1 << 32
	}
}

func str(major int, n uint64, b []byte) ([]byte, error) {
	if n > uint64(len(b)) {
		return nil, malformed("cut short")
	}
	if major == majorText && !utf8.Valid(b[:n]) {
		return nil, malformed("text that is not UTF-8")
	}
	return b[n:], nil
}

func array(n uint64, b []byte, depth int) (_ []byte, err error) {
	if n > uint64(len(b)) { // each element takes a byte at least
		return nil, malformed("cut short")
	}
	for range n {
		if b, err = item(b, depth+1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func pairs(n uint64, b []byte, depth int) ([]byte, error) {
	if n > uint64(len(b))/2 {
		return nil, malformed("cut short")
	}
	var last []byte
	for range n {
		rest, err := item(b, depth+1)
		if err != nil {
			return nil, err
		}
		key := b[:len(b)-len(rest)]
		if last != nil && bytes.Compare(last, key) >= 0 {
			return nil, malformed("keys out of order, or one twice")
		}
		last = key
		if b, err = item(rest, depth+1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// simple allows false, true and null; we have no use for floats.
func simple(n uint64, first byte, rest []byte) ([]byte, error) {
	if first&31 > 23 || n < 20 || n > 22 {
		return nil, malformed("a float or an unknown simple value")
	}
	return rest, nil
}
