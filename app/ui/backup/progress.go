package backup

import (
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Progress says how far something is, with a button that ends it.
type Progress struct {
	root *fyne.Container
	text *parts.Text
	bar  *widget.ProgressBar
	stop *parts.Button
}

// NewProgress makes one.
func NewProgress(stop func()) *Progress {
	p := &Progress{text: parts.Body(""), bar: widget.NewProgressBar(), stop: parts.NewButton(parts.T("screens.cancel"), stop)}
	p.bar.Max = 100
	p.bar.TextFormatter = func() string { return strconv.Itoa(int(p.bar.Value)) + " %" }
	p.root = parts.Column(parts.Gap, p.text, parts.Beside(parts.Gap, nil, p.bar, p.stop))
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
func (p *Progress) Say(text string) { p.text.SetText(text) }

// Set says how far it is, in per cent.
func (p *Progress) Set(percent int) {
	if p.text.Text() == "" {
		p.Say(parts.T("backup.running"))
	}
	p.bar.SetValue(float64(percent))
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
