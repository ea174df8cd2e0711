package ratchet

import (
	"crypto/mlkem"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/kuvert-im/kuvert/crypto/internal/kdf"
)

type key = kdf.Key

const (
	ekSize = mlkem.EncapsulationKeySize768
	ctSize = mlkem.CiphertextSize768

	// A header has exactly one of these four sizes, which tell what it holds.
	headerPlain  = 32 + 4 + 4
	headerAnswer = headerPlain + ctSize
	headerOffer  = headerPlain + ekSize
	headerBoth   = headerPlain + ekSize + ctSize

	nonceSize     = chacha20poly1305.NonceSizeX
	sealedMinimum = nonceSize + headerPlain + chacha20poly1305.Overhead
)

// A header says where in the two ratchets a message stands.
type header struct {
	dh  key    // the sender's ratchet key
	pn  uint32 // messages in the sender's chain before this one
	n   uint32 // number of the message in its chain, from 0
	kem []byte // ek | ct, either may be missing
	ek  []byte // offered encapsulation key, or nil; part of kem
	ct  []byte // answer to the reader's own offer, or nil; part of kem
}

func (h *header) bytes() []byte {
	b := make([]byte, 0, headerPlain+len(h.ek)+len(h.ct))
	b = append(b, h.dh[:]...)
	b = binary.BigEndian.AppendUint32(b, h.pn)
	b = binary.BigEndian.AppendUint32(b, h.n)
	b = append(b, h.ek...)
	return append(b, h.ct...)
}

// parseHeader reads an authenticated header. The slices of the result share b.
func parseHeader(b []byte) (*header, error) {
	if !headerSize(len(b)) {
		return nil, fmt.Errorf("%w: header of %d bytes", ErrTampered, len(b))
	}
	h := &header{dh: key(b[:32]), pn: binary.BigEndian.Uint32(b[32:]), n: binary.BigEndian.Uint32(b[36:]), kem: b[headerPlain:]}
	rest := h.kem
	if len(b) == headerOffer || len(b) == headerBoth {
		h.ek, rest = rest[:ekSize], rest[ekSize:]
	}
	if len(rest) > 0 {
		h.ct = rest
	}
	return h, nil
}

func headerSize(n int) bool {
	return n == headerPlain || n == headerAnswer || n == headerOffer || n == headerBoth
}

// tag identifies the chain a header belongs to: everything in it that is the
// same in all messages of the chain.
func (h *header) tag() (t key) {
	d := sha256.New()
	d.Write(h.dh[:])
	d.Write(binary.BigEndian.AppendUint32(nil, h.pn))
	d.Write(h.kem)
	d.Sum(t[:0])
	return t
}

// seal encrypts the header: nonce | XChaCha20-Poly1305(hk, header).
func (h *header) seal(hk *key, rand io.Reader) ([]byte, error) {
	plain := h.bytes()
	out := make([]byte, nonceSize, nonceSize+len(plain)+chacha20poly1305.Overhead)
	if _, err := io.ReadFull(rand, out); err != nil {
		return nil, fmt.Errorf("ratchet: draw header nonce: %w", err)
	}
	aead, err := chacha20poly1305.NewX(hk[:])
	if err != nil {
		return nil, fmt.Errorf("ratchet: header cipher: %w", err)
	}
	return aead.Seal(out, out, plain, nil), nil
}

// openHeader returns the plain header, or false if hk is not its key.
func openHeader(hk *key, sealed []byte) ([]byte, bool) {
	aead, err := chacha20poly1305.NewX(hk[:])
	if err != nil {
		return nil, false
	}
	plain, err := aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], nil)
	return plain, err == nil
}

var b64 = base64.RawStdEncoding.Strict()

// decodeSealed reads the stanza's argument and checks that its size is one a
// header can have.
func decodeSealed(arg string) ([]byte, error) {
	if len(arg) > b64.EncodedLen(sealedMinimum-headerPlain+headerBoth) || strings.ContainsAny(arg, "\r\n") {
		return nil, fmt.Errorf("%w: argument of %d characters", ErrTampered, len(arg))
	}
	sealed, err := b64.DecodeString(arg)
	if err != nil {
		return nil, fmt.Errorf("%w: argument is no canonical base64", ErrTampered)
	}
	if !headerSize(len(sealed) - nonceSize - chacha20poly1305.Overhead) {
		return nil, fmt.Errorf("%w: encrypted header of %d bytes", ErrTampered, len(sealed))
	}
	return sealed, nil
}

// wrapAAD is what the wrapped file key is bound to beside the message key.
func wrapAAD(ad *key, sealed []byte) []byte {
	return slices.Concat([]byte(StanzaType+"\x00"), ad[:], sealed)
}

func wrapFileKey(mk, ad *key, sealed, fileKey []byte) ([]byte, error) {
	wk := kdf.Wrap(*mk, sealed)
	aead, err := chacha20poly1305.New(wk[:])
	if err != nil {
		return nil, fmt.Errorf("ratchet: wrap cipher: %w", err)
	}
	return aead.Seal(nil, make([]byte, chacha20poly1305.NonceSize), fileKey, wrapAAD(ad, sealed)), nil
}

func unwrapFileKey(mk, ad *key, sealed, body []byte) ([]byte, error) {
	wk := kdf.Wrap(*mk, sealed)
	aead, err := chacha20poly1305.New(wk[:])
	if err != nil {
		return nil, fmt.Errorf("ratchet: wrap cipher: %w", err)
	}
	fileKey, err := aead.Open(nil, make([]byte, chacha20poly1305.NonceSize), body, wrapAAD(ad, sealed))
	if err != nil {
		return nil, fmt.Errorf("%w: wrapped file key", ErrTampered)
	}
	return fileKey, nil
}
