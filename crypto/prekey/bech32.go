package prekey

import "strings"

// age takes and gives hybrid keys as Bech32 text only; the protocol carries them
// as bytes, a third shorter. These few lines of BIP 173 (without its limit of 90
// characters, as in age) translate. What we read was written by age itself.

const (
	bech32Digits    = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	bech32Checksum  = 6 // characters
	hrpRecipient    = "age1pq"
	hrpIdentity     = "age-secret-key-pq-"
	bech32Separator = "1"
)

// bech32Encode returns hrp (lower case), separator, data and checksum.
func bech32Encode(hrp string, data []byte) string {
	digits := regroup(data, 8, 5)
	mod := polymod(hrp, append(digits, make([]byte, bech32Checksum)...)) ^ 1
	for i := range bech32Checksum {
		digits = append(digits, byte(mod>>(5*(5-i)))&31)
	}
	var out strings.Builder
	out.WriteString(hrp + bech32Separator)
	for _, d := range digits {
		out.WriteByte(bech32Digits[d])
	}
	return out.String()
}

// bech32Data returns the bytes of a text that age produced.
func bech32Data(hrp, text string) []byte {
	text = strings.TrimPrefix(text, hrp+bech32Separator)
	digits := make([]byte, 0, len(text))
	for _, c := range text[:len(text)-bech32Checksum] {
		digits = append(digits, byte(strings.IndexRune(bech32Digits, c))) // 0 to 31
	}
	return regroup(digits, 5, 8)
}

// regroup turns groups of from bits into groups of to bits. The last group of an
// encoding (8 to 5) is filled with zeros; that of a decoding is those zeros, dropped.
func regroup(in []byte, from, to uint) []byte {
	out := make([]byte, 0, len(in)*int(from)/int(to)+1+bech32Checksum)
	var acc, bits uint
	for _, v := range in {
		acc, bits = acc<<from|uint(v), bits+from
		for bits >= to {
			bits -= to
			out = append(out, byte(acc>>bits)&(1<<to-1))
		}
		acc &= 1<<bits - 1
	}
	if bits > 0 && to < from {
		out = append(out, byte(acc<<(to-bits))&(1<<to-1))
	}
	return out
}

// polymod is BIP 173's checksum over the expanded hrp and the digits.
func polymod(hrp string, digits []byte) uint32 {
	sum := uint32(1)
	for i := range len(hrp) {
		sum = polystep(sum, hrp[i]>>5)
	}
	sum = polystep(sum, 0)
	for i := range len(hrp) {
		sum = polystep(sum, hrp[i]&31)
	}
	for _, d := range digits {
		sum = polystep(sum, d)
	}
	return sum
}

func polystep(sum uint32, v byte) uint32 {
	top := sum >> 25
	sum = sum&0x1ffffff<<5 ^ uint32(v)
	for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
		if top>>i&1 == 1 {
			sum ^= g
		}
	}
	return sum
}
