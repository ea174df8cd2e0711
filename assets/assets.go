// Package assets holds what the app ships besides code: the icons, all drawn for
// Kuvert. The words are in its sub-package translations.
package assets

import "embed"

// Icons are the outline icons in icons/NAME.svg: 20 dp square with a stroke of
// 1.75 in currentColor; the marks of a message's state are 16 × 10.
//
//go:embed icons/*.svg
var Icons embed.FS

// AppIcon is the app's icon, AppIconUnread the same with a mark for unread
// messages, for the tray. 256 pixels square.
var (
	//go:embed kuvert.png
	AppIcon []byte
	//go:embed kuvert-unread.png
	AppIconUnread []byte
)

// Empty is the drawing of an empty list, 96 dp square, in currentColor.
//
//go:embed empty.svg
var Empty []byte
