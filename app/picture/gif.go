package picture

import (
	"bufio"
	"errors"
	"io"
)

// The parts of a GIF (GIF89a specification, 12 to 27).
const (
	gifImage     = 0x2C
	gifExtension = 0x21
	gifTrailer   = 0x3B
	gifGraphic   = 0xF9 // how the next image is shown
	gifApp       = 0xFF
	gifTable     = 0x80 // flag: a colour table follows, its size in the lowest bits
)

// gifKept are the applications whose extensions change how a GIF looks: loops and
// colours.
var gifKept = map[string]bool{"NETSCAPE2.0": true, "ANIMEXTS1.0": true, "ICCRGBG1012": true}

// stripGIF copies a GIF without comments, texts and what programs left in it.
func stripGIF(w *bufio.Writer, r *bufio.Reader) error {
	head := make([]byte, 13)
	if _, err := io.ReadFull(r, head); err != nil || Kind(head) != "image/gif" {
		return errors.Join(err, ErrMalformed)
	}
	_, _ = w.Write(head)
	if err := gifColours(w, r, head[10]); err != nil {
		return err
	}
	for {
		kind, err := r.ReadByte()
		if err != nil {
			return err
		}
		switch kind {
		case gifTrailer:
			return w.WriteByte(kind)
		case gifImage:
			err = gifPixels(w, r)
		case gifExtension:
			err = gifExtra(w, r)
		default:
			err = ErrMalformed
		}
		if err != nil {
			return err
		}
	}
}

// gifColours copies a colour table, if flags say that there is one.
func gifColours(w *bufio.Writer, r *bufio.Reader, flags byte) error {
	if flags&gifTable == 0 {
		return nil
	}
	_, err := io.CopyN(w, r, 3<<(flags&7+1))
	return err
}

// gifPixels copies an image.
func gifPixels(w *bufio.Writer, r *bufio.Reader) error {
	head := make([]byte, 9)
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	_ = w.WriteByte(gifImage)
	_, _ = w.Write(head)
	if err := gifColours(w, r, head[8]); err != nil {
		return err
	}
	codeSize, err := r.ReadByte()
	if err != nil {
		return err
	}
	_ = w.WriteByte(codeSize)
	return gifBlocks(w, r)
}

// gifExtra copies an extension, if it shows.
func gifExtra(w *bufio.Writer, r *bufio.Reader) error {
	head, err := r.Peek(2 + len("NETSCAPE2.0"))
	if len(head) < 2 {
		return err
	}
	out := io.Discard
	if head[0] == gifGraphic || head[0] == gifApp && gifKept[string(head[2:])] {
		out = w
	}
	_, _ = out.Write([]byte{gifExtension, head[0]})
	_, _ = r.Discard(1)
	return gifBlocks(out, r)
}

// gifBlocks copies blocks up to the empty one.
func gifBlocks(w io.Writer, r *bufio.Reader) error {
	for {
		n, err := r.ReadByte()
		if err != nil {
			return err
		}
		_, _ = w.Write([]byte{n})
		if n == 0 {
			return nil
		}
		if _, err := io.CopyN(w, r, int64(n)); err != nil {
			return err
		}
	}
}
