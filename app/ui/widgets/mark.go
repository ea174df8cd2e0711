package widgets

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// Mark is how far an own message has come, as its sign shows it.
type Mark int8

// The marks. MarkNone is for other people's messages.
const (
	MarkNone Mark = iota
	MarkQueued
	MarkSent
	MarkDelivered
	MarkRead
	MarkFailed
)

const (
	markWidth  = 16
	markHeight = 10
)

var markIcons = map[Mark]icons.Name{
	MarkQueued: icons.TickClock, MarkSent: icons.Tick, MarkDelivered: icons.Ticks,
	MarkRead: icons.TicksRead, MarkFailed: icons.TickFailed,
}

// markColor is the sign's colour on a ground; muted is that ground's colour for
// less important text.
func markColor(m Mark, muted fyne.ThemeColorName) fyne.ThemeColorName {
	switch m {
	case MarkRead:
		return theme.ColorPrimaryOnTint
	case MarkFailed:
		return theme.ColorErrorOnTint
	case MarkNone, MarkQueued, MarkSent, MarkDelivered:
	}
	return muted
}

// sign is a mark on screen. It is drawn anew only when it changes.
type sign struct {
	img  *canvas.Image
	name string
}

func newSign() *sign {
	s := &sign{img: canvas.NewImageFromResource(nil)}
	s.img.Hide()
	return s
}

func (s *sign) set(m Mark, muted fyne.ThemeColorName) {
	s.img.Hidden = m == MarkNone
	if m == MarkNone {
		return
	}
	res := icons.Colored(markIcons[m], markColor(m, muted))
	if name := res.Name(); name != s.name {
		s.name, s.img.Resource = name, res
		s.img.Refresh()
	}
}

func (s *sign) place(x, y float32) {
	s.img.Resize(fyne.NewSize(markWidth, markHeight))
	s.img.Move(fyne.NewPos(x, y))
}
