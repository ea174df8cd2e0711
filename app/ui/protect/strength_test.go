package protect

import (
	"strings"
	"testing"
)

func TestStrength(t *testing.T) {
	for passphrase, want := range map[string]strength{
		"": empty, "abcdefg": short, "äöüäöüä": short, "passwort": weak, "Passwort1!": weak, "aaaaaaaaaaaaaaaaaaaa": weak,
		"12345678901234567890": weak, "Sommer2026": weak, "kuvertkuvertkuvert": weak,
		"Fenster Donau": weak, "Apfel Fenster Donau": fair, "w7#Kq2!vZ9": fair, "Apfel Fenster Donau Kreide": strong,
		strings.Repeat("x", MaxSize+1): long,
	} {
		if got := measure(passphrase); got != want {
			t.Errorf("%.40q: %d (%.1f bits), want %d", passphrase, got, guessBits(passphrase), want)
		}
	}
}
