package server

import (
	"errors"

	"golang.org/x/sys/windows"
)

// isInUse knows what Windows says of a port that somebody holds for himself.
func isInUse(err error) bool {
	return errors.Is(err, windows.WSAEADDRINUSE) || errors.Is(err, windows.WSAEACCES)
}
