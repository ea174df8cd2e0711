package session

import "github.com/kuvert-im/kuvert/crypto/identity"

// labelErasure is what an entry of the deletion log is signed under (docs/gdpr.md).
const labelErasure = "erasure"

// SignErasure signs an entry of the deletion log with the identity.
func (s *Self) SignErasure(parts ...[]byte) [64]byte {
	return s.private.Sign(labelErasure, parts...)
}

// VerifyErasure reports whether id signed an entry of the deletion log.
func VerifyErasure(id identity.ID, sig [64]byte, parts ...[]byte) bool {
	return identity.Verify(id, sig, labelErasure, parts...)
}
