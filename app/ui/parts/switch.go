package parts

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Switch turns something on and off: what it is and a sentence about it on the
// left, the switch on the right. The whole row can be clicked; with the focus on
// it, space and Enter turn it.
type Switch struct {
	widget.DisableableWidget
	on          bool
	title, text *Text
	focused     bool
	hovered     bool
	// OnChanged is called when the person turns it, not by SetOn.
	OnChanged func(on bool)
}

var (
	_ fyne.Focusable     = (*Switch)(nil)
	_ fyne.Tappable      = (*Switch)(nil)
	_ desktop.Hoverable  = (*Switch)(nil)
	_ desktop.Cursorable = (*Switch)(nil)
	_ fyne.Accessible    = (*Switch)(nil)
)

// NewSwitch returns one that is off; text may be empty.
func NewSwitch(title, text string, changed func(on bool)) *Switch {
	s := &Switch{title: Body(title), text: Muted(text), OnChanged: changed}
	if text == "" {
		s.text.Hide()
	}
	s.ExtendBaseWidget(s)
	return s
}

// On reports whether it is on.
func (s *Switch) On() bool { return s.on }

// SetOn shows it on or off without calling OnChanged.
func (s *Switch) SetOn(on bool) {
	if s.on != on {
		s.on = on
		s.Refresh()
	}
}

func (s *Switch) toggle() {
	if s.Disabled() {
		return
	}
	s.SetOn(!s.on)
	if s.OnChanged != nil {
		s.OnChanged(s.on)
	}
}

// Tapped implements fyne.Tappable.
func (s *Switch) Tapped(*fyne.PointEvent) { s.toggle() }

// FocusGained implements fyne.Focusable.
func (s *Switch) FocusGained() { s.focused = true; s.Refresh() }

// FocusLost implements fyne.Focusable.
func (s *Switch) FocusLost() { s.focused = false; s.Refresh() }

// TypedRune implements fyne.Focusable.
func (s *Switch) TypedRune(r rune) {
	if r == ' ' {
		s.toggle()
	}
}

// TypedKey implements fyne.Focusable.
func (s *Switch) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		s.toggle()
	case fyne.KeyEscape:
		PassKey(s, e)
	}
}

// MouseIn implements desktop.Hoverable.
func (s *Switch) MouseIn(*desktop.MouseEvent) { s.hovered = true; s.Refresh() }

// MouseMoved implements desktop.Hoverable.
func (s *Switch) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (s *Switch) MouseOut() { s.hovered = false; s.Refresh() }

// Cursor implements desktop.Cursorable.
func (s *Switch) Cursor() desktop.Cursor {
	if s.Disabled() {
		return desktop.DefaultCursor
	}
	return desktop.PointerCursor
}

// AccessibilityLabel implements fyne.Accessible.
func (s *Switch) AccessibilityLabel() string { return s.title.text }

// AccessibilityRole implements fyne.Accessible.
func (s *Switch) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// Measures of the switch in dp.
const (
	trackWidth  = 36
	trackHeight = 20
	knobInset   = 4
	ringInset   = 3
)

// CreateRenderer implements fyne.Widget.
func (s *Switch) CreateRenderer() fyne.WidgetRenderer {
	r := &switchRenderer{s: s, track: canvas.NewRectangle(nil), ring: canvas.NewRectangle(nil), knob: canvas.NewCircle(nil)}
	r.track.CornerRadius, r.ring.CornerRadius = trackHeight/2, trackHeight/2+ringInset
	r.body = Pad(Column(1, s.title, s.text), 2, trackWidth+20, 2, 0)
	r.Refresh()
	return r
}

type switchRenderer struct {
	s           *Switch
	track, ring *canvas.Rectangle
	knob        *canvas.Circle
	body        *fyne.Container
}

func (r *switchRenderer) Destroy() {}

func (r *switchRenderer) Layout(z fyne.Size) {
	r.body.Resize(z)
	x, y := z.Width-trackWidth-ringInset, float32(2)
	r.track.Move(fyne.NewPos(x, y))
	r.track.Resize(fyne.NewSize(trackWidth, trackHeight))
	r.ring.Move(fyne.NewPos(x-ringInset, y-ringInset))
	r.ring.Resize(fyne.NewSize(trackWidth+2*ringInset, trackHeight+2*ringInset))
	const d = trackHeight - 2*knobInset
	kx := x + knobInset
	if r.s.on {
		kx = x + trackWidth - knobInset - d
	}
	r.knob.Move(fyne.NewPos(kx, y+knobInset))
	r.knob.Resize(fyne.NewSquareSize(d))
}

func (r *switchRenderer) MinSize() fyne.Size {
	return r.body.MinSize().Max(fyne.NewSize(0, trackHeight+4))
}

func (r *switchRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.body, r.ring, r.track, r.knob}
}

// Refresh paints: on is a filled track with the knob at the right, off an outlined
// one with the knob at the left, so that the place says it as well as the colour.
func (r *switchRenderer) Refresh() {
	th, v := r.s.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	get := func(n fyne.ThemeColorName) {
		c := th.Color(n, v)
		r.track.StrokeColor, r.track.FillColor, r.track.StrokeWidth = c, th.Color(theme.ColorNameBackground, v), 2
		r.knob.FillColor = c
		if r.s.on {
			r.track.FillColor, r.knob.FillColor = c, th.Color(theme.ColorNameForegroundOnPrimary, v)
		}
	}
	switch {
	case r.s.Disabled():
		get(theme.ColorNameDisabled)
	case r.s.on:
		get(theme.ColorNamePrimary)
	default:
		get(theme.ColorNamePlaceHolder)
	}
	r.ring.StrokeWidth = 0
	r.ring.FillColor = clear(th.Color(theme.ColorNameFocus, v))
	if r.s.focused {
		r.ring.FillColor = th.Color(theme.ColorNameFocus, v)
	} else if r.s.hovered && !r.s.Disabled() {
		r.ring.FillColor = th.Color(theme.ColorNameHover, v)
	}
	title := theme.ColorNameForeground
	if r.s.Disabled() {
		title = theme.ColorNameDisabled
	}
	r.s.title.SetColor(title)
	r.Layout(r.s.Size())
	canvas.Refresh(r.s)
}
