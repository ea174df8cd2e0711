// Package mailbox makes what two people need to leave each other mail on a
// machine that neither of them has to trust: the names and capabilities of
// queues, and the sealed blobs that lie in them.
//
// docs/protocol/mailbox-secrets.md describes the bytes. The package promises:
//
//   - Whoever keeps a queue learns nothing of a blob but its size, a Padmé size
//     of at least MinBlob bytes: not who wrote it, nor what kind it is.
//   - Sealing the same content twice under one key gives the same blob, so that
//     the mailbox can drop repetitions.
//   - Open bounds a blob before it does anything, and returns content only after
//     all of it was verified.
//   - It is pure: no I/O, no clock, no randomness of its own.
//
// A queue is a way for letters, not a proof of who wrote them: that is for the
// envelope inside, or the MAC of a status.
package mailbox

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/internal/padding"
)

// What a blob holds. The values are on the wire.
const (
	KindFrame  byte = 1 // a deliver frame (docs/protocol/messages.md)
	KindStatus byte = 2 // a status with its bundle (docs/protocol/sessions.md)
	KindBundle byte = 3 // the bundle of an invitation
	KindBlock  byte = 4 // a Block of a file (docs/protocol/attachments.md)
)

const (
	// MinBlob and MaxBlob bound a blob in bytes. MaxBlob holds the largest deliver
	// frame, 128 KiB, with room to spare.
	MinBlob = 512
	MaxBlob = 160 << 10
	// MaxContent bounds what Seal takes, in bytes.
	MaxContent = MaxBlob - overhead

	overhead = chacha20poly1305.NonceSizeX + 1 + padding.LengthSize + chacha20poly1305.Overhead

	// blobContext is the additional data of every blob.
	blobContext = canon.Prefix + "mailbox blob"
)

var (
	// ErrCannotOpen says that a blob was not sealed under this key, or was altered.
	ErrCannotOpen = errors.New("mailbox: cannot open the blob")
	// ErrMalformed says that a blob has not the form the protocol asks for.
	ErrMalformed = errors.New("mailbox: malformed blob")
	// ErrTooLarge says that content is over MaxContent.
	ErrTooLarge = errors.New("mailbox: content is over the limit")
)

// Queue is a way for one person's mail to another: the two names under which the
// mailbox knows it, which it alone can link, what opens either, and the key of
// the blobs, which it never sees.
type Queue struct {
	RecvID  [24]byte // the recipient lists and deletes with these
	RecvCap [32]byte
	SendID  [24]byte // the sender puts with these
	SendCap [32]byte
	Key     [32]byte // of the blobs (Kq)
}

// New draws a queue from rand.
func New(rand io.Reader) (Queue, error) {
	var q Queue
	if err := draw(rand, q.RecvID[:], q.RecvCap[:], q.SendID[:], q.SendCap[:], q.Key[:]); err != nil {
		return Queue{}, err
	}
	return q, nil
}

func draw(rand io.Reader, parts ...[]byte) error {
	for _, p := range parts {
		if _, err := io.ReadFull(rand, p); err != nil {
			return fmt.Errorf("mailbox: draw: %w", err)
		}
	}
	return nil
}

// LogValue keeps names and secrets out of logs.
func (Queue) LogValue() slog.Value { return slog.StringValue("[queue]") }

// String keeps names and secrets out of formatted text.
func (Queue) String() string { return "[queue]" }

// GoString keeps names and secrets out of formatted text.
func (Queue) GoString() string { return "[queue]" }

// Seal pads content, at most MaxContent bytes, and seals it. The nonce is
// computed from what is sealed, so that one content has one blob.
func Seal(key [32]byte, kind byte, content []byte) ([]byte, error) {
	if len(content) > MaxContent {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(content))
	}
	if !known(kind) {
		return nil, fmt.Errorf("%w: kind %d", ErrMalformed, kind)
	}
	size := padding.Padme(max(MinBlob, overhead+len(content)))
	plain := append([]byte{kind}, padding.Frame(content, size-overhead+padding.LengthSize)...)
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, fmt.Errorf("mailbox: seal: %w", err)
	}
	nonce := nonceOf(key, plain)
	out := append(make([]byte, 0, size), nonce[:]...)
	return aead.Seal(out, nonce[:], plain, []byte(blobContext)), nil
}

// Open is the reverse. The errors are [ErrCannotOpen] and [ErrMalformed].
func Open(key [32]byte, blob []byte) (kind byte, content []byte, err error) {
	if len(blob) < MinBlob || len(blob) > MaxBlob || padding.Padme(len(blob)) != len(blob) {
		return 0, nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(blob))
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return 0, nil, fmt.Errorf("mailbox: open: %w", err)
	}
	nonce, sealed := blob[:chacha20poly1305.NonceSizeX], blob[chacha20poly1305.NonceSizeX:]
	plain, err := aead.Open(nil, nonce, sealed, []byte(blobContext))
	if err != nil {
		return 0, nil, ErrCannotOpen
	}
	// With a nonce of another's choice one content would have many blobs, and one
	// blob could be made to open under two keys.
	if want := nonceOf(key, plain); !hmac.Equal(nonce, want[:]) {
		return 0, nil, ErrCannotOpen
	}
	content, err = padding.Content(plain[1:])
	if err != nil || !known(plain[0]) || len(blob) != padding.Padme(max(MinBlob, overhead+len(content))) {
		return 0, nil, fmt.Errorf("%w: what was sealed", ErrMalformed)
	}
	return plain[0], content, nil
}

func known(kind byte) bool { return kind >= KindFrame && kind <= KindBlock }

// nonceOf is the nonce for a padded plaintext: its HMAC under a key of its own.
func nonceOf(key [32]byte, plain []byte) [chacha20poly1305.NonceSizeX]byte {
	mac := canon.MAC(canon.KDF(key[:], nil, "mailbox-nonce", nil, 32), "mailbox-nonce", plain)
	return [chacha20poly1305.NonceSizeX]byte(mac[:chacha20poly1305.NonceSizeX])
}
