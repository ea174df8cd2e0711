package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/kuvert-im/kuvert/app/chat"
)

// The ballast goes when the disk is full, and comes again when there is room.
func TestBallast(t *testing.T) {
	free := int64(1 << 30)
	b := &ballast{dir: t.TempDir(), free: func() (int64, error) { return free, nil }}
	there := func() bool {
		fi, err := os.Stat(filepath.Join(b.dir, ballastFile))
		return err == nil && fi.Size() == ballastSize
	}
	b.keep()
	if !there() || b.Spent() {
		t.Fatal("no ballast")
	}
	if err := errors.New("something else"); b.note(err) != err || !there() { //nolint:errorlint // the same
		t.Error("freed for nothing")
	}
	free = ballastRoom - 1
	_ = b.note(fmt.Errorf("x: %w", chat.ErrDiskFull))
	if there() || !b.Spent() {
		t.Error("not freed")
	}
	free = ballastRoom
	if b.Spent() || !there() {
		t.Error("not made again")
	}
	free = 0
	small := &ballast{dir: t.TempDir(), free: b.free}
	if small.keep(); small.Spent() {
		t.Error("a disk without room for the ballast takes nothing")
	}
}
