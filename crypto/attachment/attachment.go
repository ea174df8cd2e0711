// Package attachment seals a file for others to fetch in blocks, and opens what
// they fetched (docs/protocol/attachments.md).
//
// A file is encrypted once, to an age hybrid identity drawn for it alone, as a
// native age file: stock age opens it with the identity that the message
// carries. It promises:
//
//   - The size of the sealed file shows a Padmé size of the content, not the
//     content's own: zeros stand after it, inside the encryption.
//   - Every block of what was fetched can be checked by itself, before it is
//     stored, against a manifest; the manifest against the message.
//   - Open and Copy use one stanza of one type, and a short header only.
//   - It is pure: no files, no clock. What it reads and writes is the caller's.
//
// The identity opens the file: it is a secret.
package attachment

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"

	"filippo.io/age"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/internal/padding"
)

// Sizes, in bytes.
const (
	// BlockSize is the length of every block of a sealed file but the last, which
	// may be shorter.
	BlockSize = 64 << 10
	// HashSize is the length of a block's SHA-256 in the manifest.
	HashSize = sha256.Size
	// MaxSize is the largest content: its manifest has 32 MiB.
	MaxSize = 64 << 30
	// MinPadded is the least size that a content is padded to.
	MinPadded = 512

	// maxHeader bounds the age header: one hybrid stanza has 1.7 kB.
	maxHeader = 8 << 10
	// chunk and tag are those of age's STREAM, nonceSize is what stands before it.
	chunk     = 64 << 10
	tag       = 16
	nonceSize = 16

	stanzaHybrid = "mlkem768x25519"
)

var (
	// ErrMalformed says that a File, a manifest or a sealed file has not the form
	// the protocol asks for.
	ErrMalformed = errors.New("attachment: malformed")
	// ErrTooLarge says that content is over MaxSize.
	ErrTooLarge = errors.New("attachment: file is over the limit")
	// ErrCannotOpen says that the identity does not open the file, or that the file
	// was altered.
	ErrCannotOpen = errors.New("attachment: cannot open the file")
	// ErrWrongHash says that the file is not the one the message announced.
	ErrWrongHash = errors.New("attachment: file is not what was announced")
)

// File is what whoever opens an attachment has to know of it. The message carries
// it.
type File struct {
	Identity string // AGE-SECRET-KEY-PQ-1…, drawn for this file
	Sealed   int64  // size of the sealed file
	Size     int64  // size of the content
	Hash     [32]byte
	Manifest [32]byte // see Manifest
}

// ID names a file to those who hold it. It tells nothing of the content.
func (f File) ID() [32]byte { return canon.Hash("attachment", f.Manifest[:]) }

// LogValue keeps the identity out of logs.
func (File) LogValue() slog.Value { return slog.StringValue("[attachment]") }

// String keeps the identity out of formatted text.
func (File) String() string { return "[attachment]" }

// GoString keeps the identity out of formatted text.
func (File) GoString() string { return "[attachment]" }

// Check returns ErrMalformed unless the sizes fit each other and the identity is
// one.
func (f File) Check() error {
	if f.Size < 0 || f.Size > MaxSize {
		return fmt.Errorf("%w: size %d", ErrMalformed, f.Size)
	}
	header := f.Sealed - streamSize(padded(f.Size))
	if header < 1 || header > maxHeader {
		return fmt.Errorf("%w: %d bytes sealed of %d", ErrMalformed, f.Sealed, f.Size)
	}
	_, err := f.identity()
	return err
}

func (f File) identity() (*age.HybridIdentity, error) {
	id, err := age.ParseHybridIdentity(f.Identity)
	if err != nil {
		return nil, fmt.Errorf("%w: identity", ErrMalformed) // the cause would hold it
	}
	return id, nil
}

// padded is the size that a content of n bytes is padded to.
func padded(n int64) int64 { return int64(padding.Padme(int(max(n, MinPadded)))) }

// streamSize is the size of age's payload over n bytes, with its nonce.
func streamSize(n int64) int64 { return nonceSize + n + (n+chunk-1)/chunk*tag }

// Blocks is the number of blocks of a sealed file.
func Blocks(sealed int64) int64 { return (sealed + BlockSize - 1) / BlockSize }

// BlockLen is the length of block i of a sealed file, 0 beyond its end.
func BlockLen(sealed, i int64) int {
	return int(max(0, min(BlockSize, sealed-i*BlockSize)))
}

// HashBlock is a block's entry in the manifest.
func HashBlock(block []byte) [32]byte { return sha256.Sum256(block) }

// Manifest computes the hash that authenticates the hashes of all blocks: SHA-256
// over a context, the hashes in order, and the size of the sealed file as eight
// bytes, big endian. Write takes the hashes.
type Manifest struct{ hash.Hash }

// NewManifest begins a manifest's hash.
func NewManifest() Manifest {
	m := Manifest{sha256.New()}
	m.Write(canon.Frame("attachment-manifest"))
	return m
}

// Finish returns the hash for a sealed file of this size. It may be called once.
func (m Manifest) Finish(sealed int64) [32]byte {
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(sealed))) //nolint:gosec // a size
	return [32]byte(m.Sum(nil))
}

// Seal encrypts src to dst and writes the hashes of dst's blocks to hashes. All
// three are used in order and once. The error is that of a reader or writer, or
// ErrTooLarge.
func Seal(dst, hashes io.Writer, src io.Reader) (File, error) {
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		return File{}, fmt.Errorf("attachment: new identity: %w", err)
	}
	return seal(dst, hashes, src, id)
}

func seal(dst, hashes io.Writer, src io.Reader, id *age.HybridIdentity) (File, error) {
	out := &blockWriter{dst: dst, hashes: hashes, block: sha256.New(), manifest: NewManifest()}
	w, err := age.Encrypt(out, id.Recipient())
	if err != nil {
		return File{}, fmt.Errorf("attachment: seal: %w", err)
	}
	sum := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(w, sum)}, struct{ io.Reader }{io.LimitReader(src, MaxSize+1)}, make([]byte, chunk))
	if err != nil {
		return File{}, fmt.Errorf("attachment: seal: %w", err)
	}
	if n > MaxSize {
		return File{}, ErrTooLarge
	}
	if _, err := io.CopyN(w, zeros{}, padded(n)-n); err != nil {
		return File{}, fmt.Errorf("attachment: seal: %w", err)
	}
	if err := errors.Join(w.Close(), out.finish()); err != nil {
		return File{}, fmt.Errorf("attachment: seal: %w", err)
	}
	return File{
		Identity: id.String(), Sealed: out.size, Size: n,
		Hash: [32]byte(sum.Sum(nil)), Manifest: out.manifest.Finish(out.size),
	}, nil
}

// zeros is endless padding.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// blockWriter passes on what is written and hashes it block by block.
type blockWriter struct {
	dst, hashes io.Writer
	block       hash.Hash // of the block under way
	manifest    Manifest
	size        int64
}

func (b *blockWriter) Write(p []byte) (int, error) {
	if n, err := b.dst.Write(p); err != nil {
		return n, err
	}
	for rest := p; len(rest) > 0; {
		n := min(len(rest), int(BlockSize-b.size%BlockSize))
		b.block.Write(rest[:n])
		b.size += int64(n)
		rest = rest[n:]
		if b.size%BlockSize == 0 {
			if err := b.endBlock(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

func (b *blockWriter) endBlock() error {
	h := b.block.Sum(nil)
	b.block.Reset()
	b.manifest.Write(h)
	_, err := b.hashes.Write(h)
	return err
}

func (b *blockWriter) finish() error {
	if b.size%BlockSize == 0 {
		return nil
	}
	return b.endBlock()
}

// Open returns the content for reading at any place. src is the whole sealed file,
// whose blocks were checked; it is read as needed, and each part is authenticated
// before it is returned. ErrCannotOpen or ErrMalformed.
func (f File) Open(src io.ReaderAt) (*io.SectionReader, error) {
	id, err := f.opener(src)
	if err != nil {
		return nil, err
	}
	r, size, err := age.DecryptReaderAt(src, f.Sealed, id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotOpen, err)
	}
	if size != padded(f.Size) {
		return nil, fmt.Errorf("%w: %d bytes inside", ErrMalformed, size)
	}
	return io.NewSectionReader(r, 0, f.Size), nil
}

// Copy writes the content to dst and compares it with what was announced. Only if
// it returns nil was dst written the right content; the caller writes to a place
// that nobody reads before. ErrCannotOpen, ErrMalformed, ErrWrongHash, or dst's.
func (f File) Copy(dst io.Writer, src io.ReaderAt) error {
	id, err := f.opener(src)
	if err != nil {
		return err
	}
	r, err := age.Decrypt(io.NewSectionReader(src, 0, f.Sealed), id)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCannotOpen, err)
	}
	sum := sha256.New()
	in := &source{r: r}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(sum, dst)}, struct{ io.Reader }{io.LimitReader(in, f.Size)}, make([]byte, chunk))
	switch {
	case in.err != nil:
		return fmt.Errorf("%w: %w", ErrCannotOpen, in.err)
	case err != nil:
		return fmt.Errorf("attachment: copy: %w", err)
	}
	rest, err := countZeros(r)
	switch {
	case err != nil:
		return err
	case n != f.Size || n+rest != padded(f.Size):
		return fmt.Errorf("%w: %d bytes inside", ErrMalformed, n+rest)
	case [32]byte(sum.Sum(nil)) != f.Hash:
		return ErrWrongHash
	}
	return nil
}

// source tells the errors of reading from those of writing.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// countZeros reads padding to its end.
func countZeros(r io.Reader) (n int64, err error) {
	buf, none := make([]byte, chunk), make([]byte, chunk)
	for {
		k, err := r.Read(buf)
		if !bytes.Equal(buf[:k], none[:k]) {
			return 0, fmt.Errorf("%w: padding", ErrMalformed)
		}
		n += int64(k)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return 0, fmt.Errorf("%w: %w", ErrCannotOpen, err)
		}
	}
}

// opener checks the file's head and returns what opens it.
func (f File) opener(src io.ReaderAt) (age.Identity, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	head := make([]byte, min(maxHeader, f.Sealed))
	if n, err := src.ReadAt(head, 0); n < len(head) {
		return nil, fmt.Errorf("%w: %w", ErrCannotOpen, err)
	}
	if !bytes.Contains(head, []byte("\n--- ")) {
		return nil, fmt.Errorf("%w: header", ErrMalformed)
	}
	id, err := f.identity()
	return onlyStanza{id}, err
}

// onlyStanza takes a file with one hybrid stanza and nothing else.
type onlyStanza struct{ id *age.HybridIdentity }

// Unwrap implements age.Identity.
func (o onlyStanza) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != stanzaHybrid {
		return nil, fmt.Errorf("%w: stanzas", ErrMalformed)
	}
	return o.id.Unwrap(stanzas)
}
