package parts

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
)

// AvatarSide is the diameter of an avatar in such a row, in dp.
const AvatarSide = 36

// Person is a row with a name, a detail under it and buttons at the right; avatar
// may be nil.
func Person(avatar fyne.CanvasObject, name, detail string, right fyne.CanvasObject) fyne.CanvasObject {
	text := Column(1, Label(name), Tiny(detail))
	row := Beside(12, avatar, text, right)
	return container.NewStack(Ground(theme.ColorNameBackground, Radius, theme.ColorNameSeparator), Pad(row, 10, 12, 10, 12))
}

// Day is a date as people write it.
func Day(t time.Time) string { return t.Local().Format(T("screens.layout.day")) }

// Moment is a date with its time, said by its distance from now: today,
// yesterday, else the date.
func Moment(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	clock := With("Time", t.Format("15:04"), "Day", Day(t))
	switch {
	case sameDay(t, now):
		return T("screens.moment.today", clock)
	case sameDay(t, now.AddDate(0, 0, -1)):
		return T("screens.moment.yesterday", clock)
	}
	return T("screens.moment.day", clock)
}

func sameDay(a, b time.Time) bool {
	ay, am, ad := a.Date()
	by, bm, bd := b.Date()
	return ay == by && am == bm && ad == bd
}
