package backup

import (
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Progress says how far something is, with a button that ends it.
type Progress struct {
	root    *fyne.Container
	say     string
	text    *parts.Text
	percent int
	stop    *parts.Button
}

// NewProgress makes one.
func NewProgress(stop func()) *Progress {
	p := &Progress{say: parts.T("backup.running"), text: parts.Body(""), stop: parts.NewButton(parts.T("screens.cancel"), stop)}
	line := container.New(bar{p}, parts.Ground(theme.ColorNameInputBackground, barHeight/2, ""), parts.Ground(theme.ColorNamePrimary, barHeight/2, ""))
	p.root = parts.Column(parts.Gap, p.text, parts.Beside(16, nil, line, p.stop))
	p.Set(0)
	return p
}

// Object is what to show.
func (p *Progress) Object() fyne.CanvasObject { return p.root }

// Show shows or hides it.
func (p *Progress) Show(on bool) {
	if on {
		p.root.Show()
	} else {
		p.root.Hide()
	}
}

// Say sets the sentence above the bar.
func (p *Progress) Say(text string) {
	p.say = text
	p.Set(p.percent)
}

// Set says how far it is, in per cent.
func (p *Progress) Set(percent int) {
	p.percent = percent
	p.text.SetText(p.say + " " + strconv.Itoa(percent) + " %")
	p.root.Refresh()
}

// CanStop shows or hides the button.
func (p *Progress) CanStop(can bool) {
	if p.stop.Hidden == can {
		p.stop.Hidden = !can
		p.root.Refresh()
	}
}

// StopButton is the button that ends it.
func (p *Progress) StopButton() *parts.Button { return p.stop }

// bar lays out the ground and, on it, what is done.
type bar struct{ p *Progress }

const barHeight = 8

// MinSize implements fyne.Layout.
func (bar) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(80, barHeight) }

// Layout implements fyne.Layout.
func (b bar) Layout(o []fyne.CanvasObject, s fyne.Size) {
	for i, part := range []float32{1, float32(b.p.percent) / 100} {
		o[i].Move(fyne.NewPos(0, (s.Height-barHeight)/2))
		o[i].Resize(fyne.NewSize(s.Width*part, barHeight))
	}
}
