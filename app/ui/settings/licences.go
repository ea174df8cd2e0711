package settings

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/parts"
)

const licencesWidth = 640

// showLicences shows the text in a list of its lines: as one text it would be
// laid out as a whole, which takes seconds.
func (s *Screen) showLicences() {
	lines := strings.Split(s.cfg.Licences, "\n")
	list := widget.NewList(func() int { return len(lines) }, func() fyne.CanvasObject {
		return parts.Tiny("")
	}, func(i widget.ListItemID, o fyne.CanvasObject) {
		if t, ok := o.(*parts.Text); ok && i < len(lines) {
			t.SetText(lines[i])
		}
	})
	list.HideSeparators = true
	hold := canvas.NewRectangle(nil)
	hold.SetMinSize(fyne.NewSize(0, max(120, s.cfg.Window.Canvas().Size().Height-220)))
	m := parts.NewModal(s.cfg.Window, licencesWidth)
	m.OnClose = m.Hide
	shut := m.Primary(parts.T("screens.close"), m.Hide)
	m.Show(parts.Column(10, parts.Title(parts.T("screens.settings.licences")), container.NewStack(hold, list), parts.Answers(shut)))
	m.Focus(shut)
}
