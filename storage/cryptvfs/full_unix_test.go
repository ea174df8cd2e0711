//go:build unix

package cryptvfs

import "syscall"

const errNoSpace = syscall.ENOSPC
