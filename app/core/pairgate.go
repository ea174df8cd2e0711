package core

import (
	"slices"
	"time"
)

// Limits of the pairings that others begin with this machine, over all addresses
// together: the network's own limits count each address by itself.
const (
	pairsPerMinute = 10
	// pairsUnrevealed is how many may end before the other side has revealed what
	// it had committed itself to: each is a try that only the trying side saw the
	// outcome of. They count for an hour; then comes the pause.
	pairsUnrevealed = 3
	pairsCounted    = time.Hour
	pairsPause      = 10 * time.Minute
)

// pairGate decides which pairings of others begin. It is guarded by pairs.mu; its
// times are those of the process's own clock.
type pairGate struct {
	begun  []time.Time // within the last minute
	open   int         // under way and not revealed yet
	missed []time.Time // ended without being revealed
	until  time.Time   // end of the pause
}

// admit counts a pairing that somebody else begins, and reports whether it may.
func (g *pairGate) admit(now time.Time) bool {
	g.begun = since(g.begun, now.Add(-time.Minute))
	g.missed = since(g.missed, now.Add(-pairsCounted))
	if now.Before(g.until) || len(g.begun) >= pairsPerMinute || g.open+len(g.missed) >= pairsUnrevealed {
		return false
	}
	g.begun = append(g.begun, now)
	g.open++
	return true
}

// revealed notes that the other side kept its word.
func (g *pairGate) revealed() { g.open-- }

// unrevealed notes that a pairing ended before.
func (g *pairGate) unrevealed(now time.Time) {
	g.open--
	if g.missed = append(since(g.missed, now.Add(-pairsCounted)), now); len(g.missed) >= pairsUnrevealed {
		g.missed, g.until = nil, now.Add(pairsPause)
	}
}

// since returns the times after a moment, of an ascending list.
func since(times []time.Time, after time.Time) []time.Time {
	return slices.DeleteFunc(times, func(t time.Time) bool { return !t.After(after) })
}
