package discovery

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/windows"
)

// shareAddress lets several profiles on one machine listen to the broadcast.
func shareAddress(_, _ string, c syscall.RawConn) error {
	var opErr error
	err := c.Control(func(fd uintptr) {
		opErr = windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_REUSEADDR, 1)
	})
	if err == nil {
		err = opErr
	}
	if err != nil {
		return fmt.Errorf("discovery: share address: %w", err)
	}
	return nil
}
