package blob

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriting lets the system begin to write a range to the disk, so that the last
// fsync of a large file finds little to do. It promises nothing.
func startWriting(f *os.File, from, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), from, n, unix.SYNC_FILE_RANGE_WRITE) //nolint:gosec // a descriptor fits
}
