// Package widgets holds what the main window is made of: avatars, rows, bubbles,
// the virtual history, the composer and small parts around them.
//
// Widgets show what they are given and report what a person does through
// callbacks. They never ask the core, never wait, and take their colours from the
// theme by name. All of it belongs to the UI thread.
package widgets
