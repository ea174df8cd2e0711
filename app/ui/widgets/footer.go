package widgets

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	ftheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// FooterText is what the foot of the sidebar says. Tips are for the pointer.
type FooterText struct {
	Icon            icons.Name
	Text, Tip       string
	Queue, QueueTip string // "" while nothing waits
}

// Footer says at a glance how far this computer reaches and what waits on it.
type Footer struct {
	widget.BaseWidget
	tips        *Tips
	say         FooterText
	narrow      bool
	icon, clock *canvas.Image
	text, queue *canvas.Text
	ground      *canvas.Rectangle
	tip         string
	focused     bool
	hovered     bool
	// OnTap is called when it is pressed.
	OnTap func()
}

var (
	_ fyne.Tappable      = (*Footer)(nil)
	_ fyne.Focusable     = (*Footer)(nil)
	_ desktop.Hoverable  = (*Footer)(nil)
	_ desktop.Cursorable = (*Footer)(nil)
	_ fyne.Accessible    = (*Footer)(nil)
)

// NewFooter makes an empty footer.
func NewFooter(tips *Tips) *Footer {
	f := &Footer{
		tips: tips, icon: canvas.NewImageFromResource(nil), clock: canvas.NewImageFromResource(nil),
		text: newText(theme.SizeStatus, false), queue: newText(theme.SizeStatus, false), ground: canvas.NewRectangle(color.Transparent),
	}
	f.ground.CornerRadius = 8
	f.ExtendBaseWidget(f)
	return f
}

// Set changes what it says.
func (f *Footer) Set(s FooterText) {
	if f.say != s {
		f.say = s
		f.Refresh()
	}
}

// SetNarrow shows the icons alone.
func (f *Footer) SetNarrow(narrow bool) {
	f.narrow = narrow
	f.Refresh()
}

// AccessibilityLabel implements fyne.Accessible.
func (f *Footer) AccessibilityLabel() string { return f.say.Tip + ". " + f.say.QueueTip }

// AccessibilityRole implements fyne.Accessible.
func (f *Footer) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// Tapped implements fyne.Tappable.
func (f *Footer) Tapped(*fyne.PointEvent) {
	f.tips.Hide()
	if f.OnTap != nil {
		f.OnTap()
	}
}

// Cursor implements desktop.Cursorable.
func (f *Footer) Cursor() desktop.Cursor { return desktop.PointerCursor }

// FocusGained implements fyne.Focusable.
func (f *Footer) FocusGained() { f.focused = true; f.Refresh() }

// FocusLost implements fyne.Focusable.
func (f *Footer) FocusLost() { f.focused = false; f.Refresh() }

// TypedRune implements fyne.Focusable.
func (f *Footer) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (f *Footer) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		f.Tapped(nil)
	}
}

// MouseIn implements desktop.Hoverable.
func (f *Footer) MouseIn(e *desktop.MouseEvent) {
	f.hovered = true
	f.Refresh()
	f.MouseMoved(e)
}

// MouseMoved implements desktop.Hoverable.
func (f *Footer) MouseMoved(e *desktop.MouseEvent) {
	tip := f.say.Tip
	if f.say.Queue != "" && e.Position.X > f.clock.Position().X-8 {
		tip = f.say.QueueTip
	}
	if tip != f.tip {
		f.tip = tip
		f.tips.Show(f, tip)
	}
}

// MouseOut implements desktop.Hoverable.
func (f *Footer) MouseOut() {
	f.tip, f.hovered = "", false
	f.tips.Hide()
	f.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (f *Footer) CreateRenderer() fyne.WidgetRenderer {
	r := &footerRenderer{f}
	r.Refresh()
	return r
}

type footerRenderer struct{ f *Footer }

const footIcon = 16

func (r *footerRenderer) Destroy() {}
func (r *footerRenderer) MinSize() fyne.Size {
	return fyne.NewSize(theme.SidebarCollapsed, theme.Footer)
}

func (r *footerRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.f.ground, r.f.icon, r.f.text, r.f.clock, r.f.queue}
}

func (r *footerRenderer) Layout(s fyne.Size) {
	f := r.f
	const inset = 4
	f.ground.Move(fyne.NewPos(inset, inset))
	f.ground.Resize(fyne.NewSize(max(0, s.Width-2*inset), max(0, s.Height-2*inset)))
	y := (s.Height - footIcon) / 2
	f.icon.Resize(fyne.NewSquareSize(footIcon))
	f.clock.Resize(fyne.NewSquareSize(footIcon))
	if f.narrow {
		x, both := (s.Width-footIcon)/2, float32(0)
		if f.say.Queue != "" {
			both = (footIcon + 8) / 2
		}
		f.icon.Move(fyne.NewPos(x-both, y))
		f.clock.Move(fyne.NewPos(x+both, y))
		return
	}
	f.icon.Move(fyne.NewPos(theme.SidebarInset+4, y))
	ty := (s.Height - f.text.MinSize().Height) / 2
	put(f.text, theme.SidebarInset+4+footIcon+8, ty)
	q := f.queue.MinSize().Width
	right := s.Width - theme.SidebarInset - 4
	put(f.queue, right-q, ty)
	f.clock.Move(fyne.NewPos(right-q-6-footIcon, y))
}

func (r *footerRenderer) Refresh() {
	f := r.f
	queued := f.say.Queue != ""
	f.ground.FillColor, f.ground.StrokeWidth = seeThrough(ftheme.ColorNamePrimary), 0
	if f.hovered {
		f.ground.FillColor = theme.Color(ftheme.ColorNameHover)
	}
	if f.focused {
		f.ground.StrokeWidth, f.ground.StrokeColor = 2, theme.Color(ftheme.ColorNamePrimary)
	}
	if f.say.Icon != "" {
		f.icon.Resource = icons.Colored(f.say.Icon, theme.ColorMuted)
	}
	f.clock.Resource = icons.Colored(icons.Clock, theme.ColorMuted)
	f.text.Hidden, f.queue.Hidden = f.narrow, f.narrow || !queued
	f.clock.Hidden = !queued
	set(f.text, f.say.Text, theme.ColorMuted)
	set(f.queue, f.say.Queue, theme.ColorMuted)
	f.icon.Refresh()
	f.clock.Refresh()
	r.Layout(f.Size())
	canvas.Refresh(f)
}
