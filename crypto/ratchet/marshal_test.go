package ratchet

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	alice, bob := pair(t)
	seal(t, alice, start, "lost")
	mustOpen(t, &bob, start, seal(t, alice, start, "x"), "x")
	good, err := bob.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	edit := func(change func(b []byte) []byte) []byte { return change(bytes.Clone(good)) }
	keyAt := len(good) - skippedSize // of the one skipped key
	for name, bad := range map[string][]byte{
		"empty":                    {},
		"version":                  edit(func(b []byte) []byte { b[0] = 2; return b }),
		"unknown flag":             edit(func(b []byte) []byte { b[1] |= 0x80; return b }),
		"answer without a chain":   edit(func(b []byte) []byte { b[1] = flagAnswer; return b }),
		"cut":                      good[:len(good)-1],
		"byte at the end":          append(bytes.Clone(good), 0),
		"more keys than there are": edit(func(b []byte) []byte { b[keyAt-1] = 2; return b }),
		"65535 keys":               edit(func(b []byte) []byte { b[keyAt-1], b[keyAt-2] = 0xFF, 0xFF; return b }),
		"key not yet due":          edit(func(b []byte) []byte { b[keyAt+3] = 9; return b }),
		"messages over the limit":  edit(func(b []byte) []byte { b[2+6*32+8] = 1; return b }),
		"too large":                make([]byte, MaxStateSize+1),
	} {
		if _, err := Parse(bad); !errors.Is(err, ErrBadState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range good {
		if _, err := Parse(good[:i]); !errors.Is(err, ErrBadState) {
			t.Fatalf("parsed %d of %d bytes: %v", i, len(good), err)
		}
	}
}

// A stored ratchet key whose halves do not belong together is noticed when it is
// used.
func TestParseBadKeyPair(t *testing.T) {
	alice, bob := pair(t)
	stored, err := bob.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	stored[2+2*32] ^= 0x08 // of the private half
	bob, err = Parse(stored)
	if err != nil {
		t.Fatal(err)
	}
	refuse(t, bob, seal(t, alice, start, "x"), ErrBadState)
}

func TestCloneIsIndependent(t *testing.T) {
	alice, bob := pair(t)
	lost := [][]byte{seal(t, alice, start, "0"), seal(t, alice, start, "1")}
	mustOpen(t, &bob, start, seal(t, alice, start, "2"), "2")
	clone := bob.Clone()
	before := clone.Clone()
	// All on one copy: its chains are emptied, moved and begun anew.
	mustOpen(t, &bob, start, lost[0], "0")
	mustOpen(t, &alice, start, seal(t, bob, start, "3"), "3")
	lose(t, alice, 3)
	mustOpen(t, &bob, start, seal(t, alice, start, "4"), "4")
	same(t, clone, before)
	mustOpen(t, &clone, start, lost[1], "1")
	mustOpen(t, &bob, start, lost[1], "1")
}

func TestStateHidesItsKeys(t *testing.T) {
	alice, _ := pair(t)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "state", alice)
	for _, s := range []string{log.String(), fmt.Sprint(alice), fmt.Sprintf("%v %+v %#v %s", alice, alice, alice, alice)} {
		if !strings.Contains(s, redacted) || strings.Contains(s, fmt.Sprint(alice.rk[0])+" "+fmt.Sprint(alice.rk[1])) {
			t.Errorf("a state shows as %s", s)
		}
	}
}
