//go:build !unix

package sqlite

// canNotSync: Windows keeps names durable by itself and refuses to sync folders.
func canNotSync(error) bool { return true }

// isReadOnly: Windows reports a missing permission instead.
func isReadOnly(error) bool { return false }
