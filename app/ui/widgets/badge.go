package widgets

import (
	"image/color"
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	ftheme "fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// badge is a count in a pill, 20 dp high.
type badge struct {
	pill *canvas.Rectangle
	text *canvas.Text
}

const badgeHeight = 20

func newBadge() *badge {
	b := &badge{pill: canvas.NewRectangle(color.Transparent), text: newText(theme.SizeCaption, true)}
	b.pill.CornerRadius = badgeHeight / 2
	return b
}

// Count is a number as a badge shows it.
func Count(n int) string {
	if n > 99 {
		return "99+"
	}
	return strconv.Itoa(n)
}

// set shows n, or nothing if it is 0, and returns the width.
func (b *badge) set(n int) float32 {
	b.pill.Hidden, b.text.Hidden = n <= 0, n <= 0
	if n <= 0 {
		return 0
	}
	b.pill.FillColor = theme.Color(ftheme.ColorNamePrimary)
	set(b.text, Count(n), ftheme.ColorNameForegroundOnPrimary)
	return max(badgeHeight, b.text.MinSize().Width+12)
}

// place puts the badge with its right edge at right and its middle at middle.
func (b *badge) place(right, middle, width float32) {
	b.pill.Resize(fyne.NewSize(width, badgeHeight))
	b.pill.Move(fyne.NewPos(right-width, middle-badgeHeight/2))
	m := b.text.MinSize()
	put(b.text, right-width/2-m.Width/2, middle-m.Height/2)
}
