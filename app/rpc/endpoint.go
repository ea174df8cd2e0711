package rpc

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
)

// endpointName is a name for a profile that is short and says nothing about it.
// Paths of sockets over 104 to 108 bytes fail, a profile's own path may be
// longer.
func endpointName(profile string) string {
	if abs, err := filepath.Abs(profile); err == nil {
		profile = abs
	}
	if real, err := filepath.EvalSymlinks(profile); err == nil {
		profile = real
	}
	h := sha256.Sum256([]byte("kuvert/v1 socket\x00" + profile))
	return "kuvert-" + hex.EncodeToString(h[:12])
}
