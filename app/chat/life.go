package chat

import (
	"fmt"
	"time"
)

// MaxLife bounds how long a message that disappears may live.
const MaxLife = 366 * 24 * time.Hour

// UnreadLife is how long beyond its life a message that nobody reads stays.
const UnreadLife = 30 * 24 * time.Hour

// lives are the lives that a person may choose from, by their names.
var lives = []struct {
	name string
	life time.Duration
}{
	{"off", 0},
	{"1h", time.Hour},
	{"1d", 24 * time.Hour},
	{"7d", 7 * 24 * time.Hour},
	{"30d", 30 * 24 * time.Hour},
	{"90d", 90 * 24 * time.Hour},
}

// Lives returns the lives that a person may choose from, 0 (for ever) first.
func Lives() []time.Duration {
	all := make([]time.Duration, len(lives))
	for i, l := range lives {
		all[i] = l.life
	}
	return all
}

// LifeName is a life's name on the command line and in keys of translations:
// "off", "1h", "1d", "7d", "30d", "90d", and "other" for what nobody here can choose.
func LifeName(life time.Duration) string {
	for _, l := range lives {
		if l.life == life {
			return l.name
		}
	}
	return "other"
}

// ParseLife is the reverse of LifeName; ErrUnsupported for anything else.
func ParseLife(name string) (time.Duration, error) {
	for _, l := range lives {
		if l.name == name {
			return l.life, nil
		}
	}
	return 0, fmt.Errorf("chat: life %q: %w", name, ErrUnsupported)
}

// Timer is what new messages of a conversation get as their life.
type Timer struct {
	Life time.Duration
	// Version counts the changes; of two with the same one that of the higher By
	// holds, on every side.
	Version uint64
	By      PersonID
}

// After reports whether t holds against another timer.
func (t Timer) After(o Timer) bool {
	if t.Version != o.Version {
		return t.Version > o.Version
	}
	return t.By.String() > o.By.String()
}

// TimerNotice is the line that tells of a changed timer: "timer_1h" if the contact
// changed it, "timer_1h_own" if this person did.
func TimerNotice(life time.Duration, own bool) Notice {
	n := Notice("timer_" + LifeName(life))
	if own {
		n += "_own"
	}
	return n
}
