// Package kdf holds the key derivations of the ratchet, apart from its state,
// so that they can be checked against other implementations one by one.
//
// Every function is HKDF or HMAC over SHA-256 as docs/protocol/messages.md
// writes it down. Products use package ratchet; only it and the tests that hold
// it to other implementations import this one.
package kdf

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
)

// Size is the length in bytes of every key and secret of the ratchet.
const Size = 32

// The info strings of the derivations. A root step that mixes in a KEM secret
// has its own, so that no root step can be read as the other kind.
const (
	InfoRoot    = "kuvert/v1 root"
	InfoRootKEM = "kuvert/v1 root-kem"
	InfoWrap    = "kuvert/v1 wrap"
)

// The one-byte inputs of a chain step, as in Signal's specification §7.2.
const (
	chainMessage = 0x01
	chainNext    = 0x02
)

// Key is one 32-byte key.
type Key = [Size]byte

// Root makes one root step: from the root key and a Diffie-Hellman result,
// followed by a KEM secret if ss is not nil, to the next root key, a chain key
// and the header key of the chain after that one.
func Root(rk Key, dh, ss []byte) (next, chain, header Key) {
	info, ikm := InfoRoot, dh
	if ss != nil {
		info, ikm = InfoRootKEM, append(append(make([]byte, 0, 2*Size), dh...), ss...)
	}
	out := Derive(ikm, rk[:], info, 3*Size)
	return Key(out[:Size]), Key(out[Size : 2*Size]), Key(out[2*Size:])
}

// Chain makes one chain step: to the next chain key and this message's key.
func Chain(ck Key) (next, message Key) {
	h := hmac.New(sha256.New, ck[:])
	h.Write([]byte{chainMessage})
	h.Sum(message[:0])
	h.Reset() // keeps the key
	h.Write([]byte{chainNext})
	h.Sum(next[:0])
	return next, message
}

// Wrap derives the key that wraps a file key. The salt covers the header's
// random nonce: a message key derived twice, after an old copy of the state
// came back, never wraps two file keys under one wrap key.
func Wrap(mk Key, encHeader []byte) Key {
	salt := sha256.Sum256(encHeader)
	return Key(Derive(mk[:], salt[:], InfoWrap, Size))
}

// Derive is HKDF-SHA-256, extract and expand, to n bytes.
func Derive(ikm, salt []byte, info string, n int) []byte {
	out, err := hkdf.Key(sha256.New, ikm, salt, info, n)
	if err != nil {
		// Only a length over 255 hashes or a FIPS mode that forbids HKDF ends here.
		panic("ratchet: hkdf: " + err.Error())
	}
	return out
}
