package parts

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/icons"
)

// Tone says how a sentence is meant. It shows by an icon and by colour.
type Tone int

// The tones.
const (
	ToneInfo Tone = iota
	ToneGood
	ToneWarning
	ToneError
)

// Say is a line on a screen that says what happened. It is hidden while there is
// nothing to say, and takes no room then.
type Say struct {
	widget.BaseWidget
	text *Text
	icon *widget.Icon
	busy *widget.Activity
	row  *fyne.Container
}

// NewSay returns a hidden one.
func NewSay() *Say {
	s := &Say{text: Body(""), icon: widget.NewIcon(nil), busy: widget.NewActivity()}
	s.busy.Hide()
	mark := container.New(square(18), s.icon, s.busy)
	s.row = Beside(10, mark, s.text, nil)
	s.ExtendBaseWidget(s)
	s.Hide()
	return s
}

// Set shows a sentence; an empty one hides the line.
func (s *Say) Set(tone Tone, text string) {
	s.stop()
	s.icon.SetResource(toneIcon(tone))
	s.icon.Show()
	s.show(text)
}

// Busy shows that something takes its time.
func (s *Say) Busy(text string) {
	s.icon.Hide()
	s.busy.Show()
	s.busy.Start()
	s.show(text)
}

// Clear hides the line.
func (s *Say) Clear() {
	s.stop()
	s.show("")
}

// Text returns what the line says, "" while it is hidden.
func (s *Say) Text() string {
	if s.Hidden {
		return ""
	}
	return s.text.Text()
}

func (s *Say) stop() {
	s.busy.Stop()
	s.busy.Hide()
}

func (s *Say) show(text string) {
	s.text.SetText(text)
	if text == "" {
		s.Hide()
	} else {
		s.Show()
	}
	s.Refresh()
}

func toneIcon(t Tone) fyne.Resource {
	switch t {
	case ToneGood:
		return icons.Colored(icons.Check, theme.ColorNameSuccess)
	case ToneWarning:
		return icons.Colored(icons.Warning, theme.ColorNameWarning)
	case ToneError:
		return icons.Colored(icons.Alert, theme.ColorNameError)
	case ToneInfo:
	}
	return icons.Colored(icons.Info, theme.ColorNamePrimary)
}

// CreateRenderer implements fyne.Widget.
func (s *Say) CreateRenderer() fyne.WidgetRenderer {
	return &sayRenderer{s, Ground(theme.ColorNameInputBackground, Radius, ""), Pad(s.row, 10, 12, 10, 12)}
}

type sayRenderer struct {
	s      *Say
	ground fyne.CanvasObject
	body   *fyne.Container
}

func (r *sayRenderer) Destroy() {}
func (r *sayRenderer) Layout(z fyne.Size) {
	r.ground.Resize(z)
	r.body.Resize(z)
}
func (r *sayRenderer) MinSize() fyne.Size { return r.body.MinSize() }
func (r *sayRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.ground, r.body}
}

func (r *sayRenderer) Refresh() {
	r.ground.Refresh()
	r.body.Refresh()
	canvas.Refresh(r.s)
}

// square gives its objects the same square place.
type square float32

func (q square) Layout(objects []fyne.CanvasObject, s fyne.Size) {
	for _, o := range objects {
		o.Move(fyne.NewPos((s.Width-float32(q))/2, (s.Height-float32(q))/2))
		o.Resize(fyne.NewSquareSize(float32(q)))
	}
}

func (q square) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSquareSize(float32(q)) }

// Mark is an icon of 20 dp that stands beside text.
func Mark(icon fyne.Resource) fyne.CanvasObject {
	return container.New(square(20), widget.NewIcon(icon))
}
