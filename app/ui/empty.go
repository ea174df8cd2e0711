package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	ftheme "fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

const drawing = 96

// emptyPane stands where a conversation will be: with a button while there is
// nobody to write to, else with a hint.
type emptyPane struct {
	root        *fyne.Container
	title, text *parts.Text
	button      fyne.CanvasObject
	body        fyne.CanvasObject
}

func newEmptyPane(u *UI) *emptyPane {
	e := &emptyPane{title: parts.Title("").Centered(), text: parts.Muted("").Centered()}
	button := parts.Primary(t("main.add"), u.ShowAddContact)
	e.button = container.NewCenter(button)
	picture := container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(drawing), newDrawing()))
	e.body = parts.Middle(360, parts.Column(12, picture, e.title, e.text, parts.Space(4), e.button))
	e.root = container.NewStack(parts.Ground(ftheme.ColorNameBackground, 0, ""), parts.Pad(e.body, 20, 20, 20, 20))
	return e
}

// newDrawing is the picture of an envelope; it follows the theme.
func newDrawing() fyne.CanvasObject {
	return widgets.NewPicture(icons.Empty(theme.ColorMuted))
}

// show sets the words; before the first answer of the core there are none.
func (e *emptyPane) show(ready, contacts bool) {
	show(e.body, ready)
	show(e.button, !contacts)
	if contacts {
		e.title.SetText(t("main.choose.title"))
		e.text.SetText(t("main.choose.text"))
	} else {
		e.title.SetText(t("main.empty.title"))
		e.text.SetText(t("main.empty.text"))
	}
	e.root.Refresh()
	canvas.Refresh(e.root)
}
