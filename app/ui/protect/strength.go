package protect

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// strength is how hard a passphrase is to guess, in steps that a person can act on.
type strength int

const (
	empty strength = iota
	short
	weak
	fair
	strong
	long
)

// What a character is worth in bits, by guess: people write words. A digit or a
// sign is worth more than a letter only where it stands in no row such as 1234.
const (
	letterBits = 2.5
	otherBits  = 4
	blankBits  = 1
	rowBits    = 0.5 // repeats the one before, or follows on it

	fairBits   = 30
	strongBits = 50
)

// common are words that are tried first. Each counts as one letter.
var common = []string{
	"passphrase", "passwort", "password", "kennwort", "kuvert", "geheim", "secret", "qwertz", "qwerty", "asdf",
	"hallo", "hello", "admin", "sommer", "summer", "winter", "schatz", "willkommen", "welcome", "iloveyou", "letmein",
}

// measure guesses the strength. It helps to choose; only the length is enforced.
func measure(passphrase string) strength {
	n := utf8.RuneCountInString(passphrase)
	bits := guessBits(passphrase)
	switch {
	case n == 0:
		return empty
	case n < MinLength:
		return short
	case len(passphrase) > MaxSize:
		return long
	case bits < fairBits:
		return weak
	case bits < strongBits:
		return fair
	}
	return strong
}

func guessBits(passphrase string) float64 {
	text := strings.ToLower(passphrase)
	for _, word := range common {
		text = strings.ReplaceAll(text, word, word[:1])
	}
	bits, before := 0.0, rune(-10)
	for _, r := range text {
		switch d := r - before; {
		case d >= -1 && d <= 1:
			bits += rowBits
		case unicode.IsSpace(r):
			bits += blankBits
		case unicode.IsLetter(r):
			bits += letterBits
		default:
			bits += otherBits
		}
		before = r
	}
	return bits
}
