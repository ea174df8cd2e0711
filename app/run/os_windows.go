package run

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/windows"
)

func isReadOnly(err error) bool { return errors.Is(err, windows.ERROR_WRITE_PROTECT) }

func isDiskFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// private: the access list of the user's folder keeps others out.
func private(fs.FileMode) bool { return true }

// syncFolder: the file system's journal keeps the order of names.
func syncFolder(string) error { return nil }
