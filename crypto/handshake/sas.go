package handshake

import (
	"encoding/binary"
	"fmt"
	"log/slog"

	"github.com/kuvert-im/kuvert/crypto/canon"
)

// SASKey is what the six digits are derived from: HKDF-Extract(0, RK0). It may be
// kept with a session, where RK0 must not be.
type SASKey [32]byte

func newSASKey(rk0 [32]byte) SASKey { return SASKey(canon.Extract(rk0[:], nil)) }

// Digits returns the six digits that both people of a session see if nobody
// stands between them: HKDF-Expand(k, "sas" | TH | extra, 8) modulo 1,000,000.
// extra is the responder's nonce when pairing by click, otherwise empty.
func (k SASKey) Digits(th [32]byte, extra []byte) string {
	out := canon.Expand(k[:], "sas", [][]byte{th[:], extra}, 8)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(out)%1_000_000)
}

// LogValue keeps the key out of logs.
func (SASKey) LogValue() slog.Value { return slog.StringValue("[key]") }

// SAS returns the six digits from the root key itself: HKDF(RK0, "sas" | TH | extra).
func SAS(rk0, th [32]byte, extra []byte) string { return newSASKey(rk0).Digits(th, extra) }
