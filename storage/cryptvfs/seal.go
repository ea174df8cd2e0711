package cryptvfs

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"reflect"

	"golang.org/x/crypto/chacha20poly1305"
)

// Key is a database's key: 32 random bytes.
type Key = [KeySize]byte

// keys are what a database's key is turned into.
type keys struct {
	page  *secretAEAD
	wal   *secretAEAD
	check [sha256.Size]byte
}

// Labels for HKDF-SHA-256, without salt: the key is random.
const (
	pageLabel  = "kuvert/database/v1/page"
	walLabel   = "kuvert/database/v1/wal"
	checkLabel = "kuvert/database/v1/check"
)

func derive(key *Key) (*keys, error) {
	k := &keys{}
	for label, to := range map[string]**secretAEAD{pageLabel: &k.page, walLabel: &k.wal} {
		var err error
		if *to, err = newAEAD(key, label); err != nil {
			return nil, err
		}
	}
	check, err := hkdf.Key(sha256.New, key[:], nil, checkLabel, len(k.check))
	if err != nil {
		return nil, fmt.Errorf("cryptvfs: key check: %w", err)
	}
	copy(k.check[:], check)
	return k, nil
}

// wipe overwrites the derived keys. Nothing can be sealed or opened after it.
func (k *keys) wipe() {
	k.page.wipe()
	k.wal.wipe()
}

// secretAEAD is XChaCha20-Poly1305 whose key can be overwritten.
type secretAEAD struct {
	cipher.AEAD
	inside *Key // the key as the AEAD holds it
}

func newAEAD(key *Key, label string) (*secretAEAD, error) {
	sub, err := hkdf.Key(sha256.New, key[:], nil, label, KeySize)
	if err != nil {
		return nil, fmt.Errorf("cryptvfs: key: %w", err)
	}
	defer clear(sub)
	aead, err := chacha20poly1305.NewX(sub)
	if err != nil {
		return nil, fmt.Errorf("cryptvfs: cipher: %w", err)
	}
	return &secretAEAD{AEAD: aead, inside: keyInside(aead, Key(sub))}, nil
}

// keyInside finds the key within an AEAD, which has no way of its own to be
// overwritten: the type is a pointer to the key alone. Nil if it is not so any
// more, which a test would notice.
func keyInside(aead cipher.AEAD, key Key) *Key {
	v := reflect.ValueOf(aead)
	if v.Kind() != reflect.Pointer || v.Elem().Type().Size() != KeySize {
		return nil
	}
	if p := (*Key)(v.UnsafePointer()); *p == key {
		return p
	}
	return nil
}

func (a *secretAEAD) wipe() {
	if a.inside != nil {
		clear(a.inside[:])
	}
	a.AEAD = nil
}

// Kinds of what is sealed, the first byte of the additional data; the rest is the
// number of the page or frame.
const (
	kindPage      = 'D'
	kindWALHead   = 'H'
	kindMark      = 'M'
	kindFrameHead = 'F'
	kindFramePage = 'P'
)

// box seals and opens with one key. It is for one goroutine at a time.
type box struct {
	aead cipher.AEAD
	ad   [9]byte
}

func (x *box) additional(kind byte, n int64) []byte {
	x.ad[0] = kind
	binary.BigEndian.PutUint64(x.ad[1:], uint64(n))
	return x.ad[:]
}

// sealPage seals page n of the database from p into out, both a page long:
// ciphertext, tag, nonce. The reserved end of p is not kept.
func (x *box) sealPage(out, p []byte, n int64) {
	nonce := out[usableSize+tagSize : pageSize]
	_, _ = rand.Read(nonce) // never fails
	x.aead.Seal(out[:0], nonce, p[:usableSize], x.additional(kindPage, n))
}

// openPage opens page n in place; its reserved end is zero then. If it is not what
// was sealed, p is zero altogether and the result false.
func (x *box) openPage(p []byte, n int64) bool {
	nonce := p[usableSize+tagSize : pageSize]
	_, err := x.aead.Open(p[:0], nonce, p[:usableSize+tagSize], x.additional(kindPage, n))
	if err != nil {
		clear(p)
		return false
	}
	clear(p[usableSize:])
	return true
}

// sealRecord seals p into the beginning of out, which becomes overhead longer than
// p: nonce, ciphertext, tag.
func (x *box) sealRecord(out, p []byte, kind byte, n int64) {
	nonce := out[:nonceSize]
	_, _ = rand.Read(nonce) // never fails
	x.aead.Seal(out[nonceSize:nonceSize], nonce, p, x.additional(kind, n))
}

// openRecord opens a record in place and returns its content, nil if it is not
// what was sealed.
func (x *box) openRecord(b []byte, kind byte, n int64) []byte {
	p, err := x.aead.Open(b[nonceSize:nonceSize], b[:nonceSize], b[nonceSize:], x.additional(kind, n))
	if err != nil {
		return nil
	}
	return p
}
