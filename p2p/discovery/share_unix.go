//go:build unix

package discovery

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// shareAddress lets several profiles on one machine listen to the broadcast.
// Linux needs SO_REUSEADDR, the BSDs and macOS SO_REUSEPORT.
func shareAddress(_, _ string, c syscall.RawConn) error {
	var opErr error
	err := c.Control(func(fd uintptr) {
		opErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		if opErr == nil {
			opErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}
	})
	if err == nil {
		err = opErr
	}
	if err != nil {
		return fmt.Errorf("discovery: share address: %w", err)
	}
	return nil
}
