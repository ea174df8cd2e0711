//go:build !unix

package cryptvfs

import "time"

var started = time.Now()

// cpuTime is the wall clock where there is no simple figure.
func cpuTime() time.Duration { return time.Since(started) }
