package failure

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

// TestEachFailureHasItsSentence, and none sounds like another.
func TestEachFailureHasItsSentence(t *testing.T) {
	uitest.Env(t, uitest.New("x"), "de", 680, 400)
	heard := map[string]error{}
	check := func(err error) {
		title, text := Sentences(fmt.Errorf("run: %w", err))
		if strings.HasPrefix(title, "screens.") || strings.HasPrefix(text, "screens.") {
			t.Errorf("%v: no words for it", err)
		}
		for _, s := range []string{title, text} {
			if other := heard[s]; other != nil {
				t.Errorf("%v and %v sound the same: %q", err, other, s)
			}
			heard[s] = err
		}
	}
	for _, s := range sentences {
		check(s.err)
	}
	check(errors.New("odd"))
}

func TestShow(t *testing.T) {
	for _, language := range []string{"de", "en"} {
		for _, s := range sentences {
			env := uitest.Env(t, uitest.New("x"), language, 680, 400)
			tried, ended := 0, 0
			Show(env.Window, s.err, "/home/sabine/.local/share/kuvert/with/a/very/long/name/that/does/not/fit", func() { tried++ }, func() { ended++ })
			env.Window.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
			uitest.Overflow(t, env.Window)
			uitest.Reachable(t, env.Window)
			if tried != 1 || ended != 0 {
				t.Errorf("%v: tried %d, ended %d", s.err, tried, ended)
			}
			Show(env.Window, s.err, "/x", nil, func() { ended++ })
			env.Window.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
			if tried != 1 || ended != 1 {
				t.Errorf("%v: tried %d, ended %d", s.err, tried, ended)
			}
		}
	}
}
