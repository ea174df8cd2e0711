package identity

import (
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// safetyRounds slows down the search for a second key with a similar number, as in
// Signal's numeric fingerprint: 5200 rounds make 30 digits worth about 112 bits.
const safetyRounds = 5200

// SafetyNumber is what two people compare to know that nobody stands between
// them: 60 digits in 12 groups of five, the same on both sides. Each half is 30
// digits of one identity by Signal's iterated SHA-512; the lower half is first.
func SafetyNumber(a, b Public) string {
	groups := [][]string{halfNumber(a), halfNumber(b)}
	slices.SortFunc(groups, slices.Compare[[]string])
	return strings.Join(slices.Concat(groups...), " ")
}

// halfNumber is h0 = SHA-512(version | keys | ID), h_n = SHA-512(h_n-1 | keys),
// and six times five bytes of the last modulo 100000.
func halfNumber(p Public) []string {
	keys := slices.Concat(p.ID[:], p.DH[:])
	sum := sha512.Sum512(slices.Concat([]byte("kuvert/v1 safety"), keys, p.ID[:]))
	for range safetyRounds - 1 {
		sum = sha512.Sum512(append(sum[:], keys...))
	}
	out := make([]string, 6)
	for i := range out {
		var n [8]byte
		copy(n[3:], sum[5*i:5*i+5])
		out[i] = fmt.Sprintf("%05d", binary.BigEndian.Uint64(n[:])%100000)
	}
	return out
}
