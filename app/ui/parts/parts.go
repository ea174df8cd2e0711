// Package parts holds what several screens are made of: text that wraps, columns,
// choices, a QR code, a line that says what went wrong. The parts know the theme
// by its names alone and never ask the core.
package parts

import (
	"context"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"

	"github.com/kuvert-im/kuvert/app/core"
)

// Env is what a screen is given.
type Env struct {
	Client core.Client
	Window fyne.Window
	// Work runs work away from the UI thread and what it returns, if not nil, on
	// it. ctx ends with the window. It never blocks.
	Work func(work func(ctx context.Context) (show func()))
	// Tell is Work for orders: one runs after the other, as they were given. nil
	// is Work.
	Tell func(work func(ctx context.Context) (show func()))
	// Now is the time; tests stop it.
	Now func() time.Time
}

// Measures in dp, from the interface's grid of 4.
const (
	Gap     = 8  // between things that belong together
	Section = 24 // between sections
	Edge    = 20 // around a pane
	Radius  = 10
)

// Order gives an order: what is switched on and off again stays off.
func (e Env) Order(work func(ctx context.Context) (show func())) {
	if e.Tell != nil {
		e.Tell(work)
		return
	}
	e.Work(work)
}

// Newest keeps an answer that comes late from covering a newer one. It belongs to
// the UI thread.
type Newest struct{ asked, shown uint64 }

// Ask is called with each question; fresh says, when the answer is there, whether
// no answer to a later question was shown yet.
func (n *Newest) Ask() (fresh func() bool) {
	n.asked++
	mine := n.asked
	return func() bool {
		if mine < n.shown {
			return false
		}
		n.shown = mine
		return true
	}
}

// T is the text of a key in the language that is spoken. data fills the text's
// fields.
func T(key string, data ...map[string]any) string {
	if len(data) == 0 {
		return lang.X(key, key)
	}
	return lang.X(key, key, data[0])
}

// N is the text of a key for a number.
func N(key string, n int) string {
	return lang.XN(key, key, n, map[string]any{"N": strconv.Itoa(n)})
}

// Bytes is a size as people write it, such as "1,2 MB".
func Bytes(n int64) string {
	const kilo = 1000
	if n < kilo {
		return strconv.FormatInt(max(0, n), 10) + " B"
	}
	v := float64(n)
	for _, unit := range []string{"KB", "MB", "GB", "TB"} {
		v /= kilo
		switch {
		case v < 9.95:
			digits := strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
			return strings.Replace(digits, ".", T("screens.layout.decimal"), 1) + " " + unit
		case v < kilo-0.5 || unit == "TB":
			return strconv.FormatFloat(v, 'f', 0, 64) + " " + unit
		}
	}
	return ""
}

// Count is a number with its thousands apart, as in "12.345".
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	mark := map[string]string{",": ".", ".": ","}[T("screens.layout.decimal")]
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + mark + s[i:]
	}
	return s
}

// With is a shorter map for T.
func With(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if k, ok := pairs[i].(string); ok {
			m[k] = pairs[i+1]
		}
	}
	return m
}
