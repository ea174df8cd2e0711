package codes

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

func TestSentenceOfPathError(t *testing.T) {
	f := New(Config{Env: uitest.Env(t, uitest.New("x"), "de", 100, 100)})
	if got := f.sentence(&fs.PathError{Op: "read", Err: errors.New("input/output error")}); got != parts.T("screens.code.unreadable") {
		t.Errorf("got %q", got)
	}
}
