package widgets

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	ftheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/theme"
)

const (
	thumbWidth = 6
	thumbTrack = 14 // width in which the pointer may take it
	thumbLeast = 36 // height, however much there is
)

// scrollThumb shows where one is and may be dragged. It is seen while the pointer
// is over what scrolls, and takes no room.
type scrollThumb struct {
	widget.BaseWidget
	at, share float32 // both 0…1: the place, and how much of all is on screen
	hot       bool
	grabbed   bool
	grip      float32 // where in the thumb it was taken
	bar       *canvas.Rectangle
	// moved is called with the place that the person dragged it to.
	moved func(at float32)
	// hovered is called when the pointer comes and goes.
	hovered func(in bool)
}

var (
	_ fyne.Draggable    = (*scrollThumb)(nil)
	_ desktop.Mouseable = (*scrollThumb)(nil)
	_ desktop.Hoverable = (*scrollThumb)(nil)
)

func newScrollThumb(moved func(at float32), hovered func(in bool)) *scrollThumb {
	t := &scrollThumb{moved: moved, hovered: hovered, bar: canvas.NewRectangle(color.Transparent)}
	t.bar.CornerRadius = thumbWidth / 2
	t.ExtendBaseWidget(t)
	return t
}

// set moves the thumb; it is hidden when everything is on screen.
func (t *scrollThumb) set(at, share float32) {
	if t.at != at || t.share != share {
		t.at, t.share = at, share
		t.Refresh()
	}
}

func (t *scrollThumb) setHot(hot bool) {
	if t.hot != hot {
		t.hot = hot
		t.Refresh()
	}
}

func (t *scrollThumb) length() float32 {
	return min(t.Size().Height, max(thumbLeast, t.Size().Height*t.share))
}

func (t *scrollThumb) top() float32 { return (t.Size().Height - t.length()) * t.at }

// MouseDown implements desktop.Mouseable: a press beside the thumb brings it there.
func (t *scrollThumb) MouseDown(e *desktop.MouseEvent) {
	if t.share >= 1 || e.Button != desktop.MouseButtonPrimary {
		return
	}
	t.grip = e.Position.Y - t.top()
	if t.grip < 0 || t.grip > t.length() {
		t.grip = t.length() / 2
		t.drag(e.Position.Y)
	}
	t.grabbed = true
	t.Refresh()
}

// MouseUp implements desktop.Mouseable.
func (t *scrollThumb) MouseUp(*desktop.MouseEvent) { t.DragEnd() }

// Dragged implements fyne.Draggable.
func (t *scrollThumb) Dragged(e *fyne.DragEvent) {
	if t.grabbed {
		t.drag(e.Position.Y)
	}
}

// DragEnd implements fyne.Draggable.
func (t *scrollThumb) DragEnd() {
	t.grabbed = false
	t.Refresh()
}

func (t *scrollThumb) drag(y float32) {
	room := t.Size().Height - t.length()
	if room <= 0 {
		return
	}
	t.at = min(1, max(0, (y-t.grip)/room))
	t.Refresh()
	t.moved(t.at)
}

// MouseIn implements desktop.Hoverable.
func (t *scrollThumb) MouseIn(*desktop.MouseEvent) { t.hovered(true) }

// MouseMoved implements desktop.Hoverable.
func (t *scrollThumb) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (t *scrollThumb) MouseOut() { t.hovered(false) }

// CreateRenderer implements fyne.Widget.
func (t *scrollThumb) CreateRenderer() fyne.WidgetRenderer { return &scrollThumbRenderer{t} }

type scrollThumbRenderer struct{ t *scrollThumb }

func (r *scrollThumbRenderer) Destroy()                     {}
func (r *scrollThumbRenderer) MinSize() fyne.Size           { return fyne.NewSize(thumbTrack, thumbLeast) }
func (r *scrollThumbRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.t.bar} }

func (r *scrollThumbRenderer) Layout(s fyne.Size) {
	r.t.bar.Resize(fyne.NewSize(thumbWidth, r.t.length()))
	r.t.bar.Move(fyne.NewPos(s.Width-thumbWidth-2, r.t.top()))
}

func (r *scrollThumbRenderer) Refresh() {
	t := r.t
	t.bar.Hidden = t.share >= 1 || t.share <= 0 || (!t.hot && !t.grabbed)
	t.bar.FillColor = theme.Color(ftheme.ColorNameScrollBar)
	r.Layout(t.Size())
	canvas.Refresh(t.bar)
}
