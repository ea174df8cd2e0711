// Package ui is the main window: the list of conversations, a conversation, and
// the screens that open in its place.
//
// It asks core.Client and nothing else. One goroutine, the pump, listens to the
// core's events, asks for what changed away from the UI thread, and hands what it
// got to the window (pump.go, the only place that calls fyne.Do). On subscribing
// it takes a snapshot first, then the changes, so that nothing is missed.
//
// Everything else in this package and below it runs on the UI thread and never
// waits.
package ui
