//go:build !linux

package run

// reachRing: the keyring of Windows and macOS is part of the system.
func reachRing() error { return nil }
