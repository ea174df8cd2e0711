package files

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.design/x/clipboard"
)

// Errors of ClipboardPicture.
var (
	// ErrNoClipboard: this computer gives no pictures from its clipboard.
	ErrNoClipboard = errors.New("clipboard cannot be read")
	// ErrClipboardEmpty: there is no picture in it.
	ErrClipboardEmpty = errors.New("no picture in the clipboard")
)

// clipboardWait is how long the program that owns the clipboard may take.
const clipboardWait = 5 * time.Second

// ClipboardPicture reads a picture (a PNG) from the system's clipboard. On Linux this
// needs X11 and its library; without them, and under plain Wayland, the error is
// ErrNoClipboard.
func ClipboardPicture(ctx context.Context) ([]byte, error) {
	type answer struct {
		data []byte
		err  error
	}
	// The library waits without end for an owner that does not answer: that is why
	// it gets a goroutine of its own, which ends when the owner does.
	got := make(chan answer, 1)
	go func() {
		if err := clipboard.Init(); err != nil {
			got <- answer{err: fmt.Errorf("%w: %w", ErrNoClipboard, err)}
			return
		}
		got <- answer{data: clipboard.Read(clipboard.FmtImage)}
	}()
	wait := time.NewTimer(clipboardWait)
	defer wait.Stop()
	select {
	case a := <-got:
		if a.err == nil && len(a.data) == 0 {
			return nil, ErrClipboardEmpty
		}
		return a.data, a.err
	case <-wait.C:
		return nil, fmt.Errorf("%w: its owner does not answer", ErrNoClipboard)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
