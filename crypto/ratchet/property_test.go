package ratchet

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world is two people and the envelopes between them, any of which may be lost,
// delivered twice, late, or altered on the way.
type world struct {
	sides  [2]*State
	now    time.Time
	flying []flight
	opened map[string]bool
	sealed int
}

type flight struct {
	to   int
	blob []byte
	text string
}

func (w *world) seal(t *rapid.T) {
	from := rapid.IntRange(0, 1).Draw(t, "from")
	if !w.sides[from].CanSend() {
		return
	}
	text := fmt.Sprint("message ", w.sealed)
	w.sealed++
	w.flying = append(w.flying, flight{1 - from, seal(t, w.sides[from], w.now, text), text})
}

func (w *world) pick(t *rapid.T) int {
	if len(w.flying) == 0 {
		t.Skip("nothing is on its way")
	}
	return rapid.IntRange(0, len(w.flying)-1).Draw(t, "which")
}

func (w *world) deliver(t *rapid.T) {
	i := w.pick(t)
	w.arrive(t, w.flying[i])
	if rapid.IntRange(0, 3).Draw(t, "stays") > 0 { // else it comes again
		w.flying = append(w.flying[:i], w.flying[i+1:]...)
	}
}

func (w *world) arrive(t *rapid.T, f flight) {
	got, err := open(&w.sides[f.to], w.now, f.blob)
	switch {
	case w.opened[f.text]:
		if !errors.Is(err, ErrUsed) && !errors.Is(err, ErrNotMine) {
			t.Fatalf("%q came twice: %q, %v", f.text, got, err)
		}
	case err != nil || got != f.text:
		t.Fatalf("%q: opened %q, %v", f.text, got, err)
	default:
		w.opened[f.text] = true
	}
}

// tamper delivers an altered copy first, straight on the state, as a careless
// caller would: only what comes after a good wrap may change it.
func (w *world) tamper(t *rapid.T) {
	f := w.flying[w.pick(t)]
	bad := bytes.Clone(f.blob)
	bad[rapid.IntRange(0, len(bad)-1).Draw(t, "where")] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
	if got, err := open(&w.sides[f.to], w.now, bad); err == nil {
		t.Fatalf("an altered envelope opened as %q", got)
	}
}

func (w *world) restart(t *rapid.T) {
	i := rapid.IntRange(0, 1).Draw(t, "who")
	stored, err := w.sides[i].Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(stored)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Marshal()
	if err != nil || !bytes.Equal(stored, again) {
		t.Fatalf("stored form changed in a restart: %v", err)
	}
	w.sides[i] = s
}

func (w *world) check(t *rapid.T) {
	for _, s := range w.sides {
		if s.SkippedCount() > MaxSkipTotal {
			t.Fatalf("%d skipped keys", s.SkippedCount())
		}
	}
}

func TestPropertyConversation(t *testing.T) {
	steps := 0
	rapid.Check(t, func(rt *rapid.T) {
		alice, bob := pair(t)
		w := &world{sides: [2]*State{alice, bob}, now: start, opened: map[string]bool{}}
		rt.Repeat(map[string]func(*rapid.T){
			"":        w.check,
			"seal":    w.seal,
			"seal2":   w.seal, // more often than the rest
			"deliver": w.deliver,
			"tamper":  w.tamper,
			"restart": w.restart,
			"wait":    func(*rapid.T) { w.now = w.now.Add(13 * time.Hour) },
			"lose": func(t *rapid.T) {
				i := w.pick(t)
				w.flying = append(w.flying[:i], w.flying[i+1:]...)
			},
		})
		for len(w.flying) > 0 { // and then the network gets well
			i := rapid.IntRange(0, len(w.flying)-1).Draw(rt, "last")
			w.arrive(rt, w.flying[i])
			w.flying = append(w.flying[:i], w.flying[i+1:]...)
		}
		for _, s := range w.sides {
			if s.kemAt != start.Unix() {
				steps++
			}
		}
	})
	if steps == 0 {
		t.Error("no run made a KEM step: the test does not reach what it is for")
	}
}
