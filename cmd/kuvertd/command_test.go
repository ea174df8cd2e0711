package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kuvert-im/kuvert/app/chat"
)

func TestPick(t *testing.T) {
	all := []candidate[int]{
		{[]string{"abcdefgh"}, "Anna", 1},
		{[]string{"abxyzabc", "qqqq"}, "anna", 2},
		{[]string{"bbbbbbbb"}, "Bernd", 3},
		{[]string{"cccccccc"}, "Bernd", 4},
		{[]string{"dddddddd"}, "abcd", 5},
		{[]string{"eeeeeeee"}, "", 6},
	}
	for arg, want := range map[string]any{
		"abcdefgh": 1,                 // an id
		"ABCDEFGH": 1,                 // in any case
		"Anna":     1,                 // a name as written
		"anna":     2,                 //
		"ANNA":     chat.ErrAmbiguous, // two names in another case
		"abcd":     5,                 // a name comes before a prefix
		"abc":      1,                 // a prefix
		"ab":       chat.ErrAmbiguous, // of two
		"qq":       2,                 // a prefix of another id
		"Bernd":    chat.ErrAmbiguous, //
		"bb":       3,                 //
		"Clara":    chat.ErrNotFound,  //
		"":         chat.ErrNotFound,  // fits everything, means nothing
	} {
		got, err := pick(arg, all)
		if n, ok := want.(int); ok && (err != nil || got != n) || !ok && !errors.Is(err, want.(error)) {
			t.Errorf("%q is %d, %v; not %v", arg, got, err, want)
		}
	}
}

// TestFailures checks the words: a sentence of two halves for every error that is
// told, without a capital letter or a full stop in between.
func TestFailures(t *testing.T) {
	for _, k := range known {
		for _, text := range []string{k.Error, k.Advice} {
			if text == "" || strings.HasSuffix(text, ".") || strings.ToLower(text[:1]) != text[:1] {
				t.Errorf("%v: %q", k.err, text)
			}
		}
		if got := explain(fmt.Errorf("core: %w", k.err)); got != k.failure {
			t.Errorf("%v is told as %q", k.err, got.Error)
		}
	}
	for err, code := range map[error]int{
		chat.ErrNotFound: 3, chat.ErrAmbiguous: 3, chat.ErrProfileBusy: 4, chat.ErrRefused: 5,
		chat.ErrBlocked: 5, context.DeadlineExceeded: 6, usagef("x"): 2, errors.New("x"): 1,
		refusal{"a", "b", 5}: 5,
	} {
		if got := explain(err).code; got != code {
			t.Errorf("%v ends with %d, not %d", err, got, code)
		}
	}
}
