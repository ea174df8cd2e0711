package widgets

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
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
	tip         string
}

var (
	_ desktop.Hoverable = (*Footer)(nil)
	_ fyne.Accessible   = (*Footer)(nil)
)

// NewFooter makes an empty footer.
func NewFooter(tips *Tips) *Footer {
	f := &Footer{
		tips: tips, icon: canvas.NewImageFromResource(nil), clock: canvas.NewImageFromResource(nil),
		text: newText(theme.SizeStatus, false), queue: newText(theme.SizeStatus, false),
	}
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

// SetNarrow shows the icon alone.
func (f *Footer) SetNarrow(narrow bool) {
	f.narrow = narrow
	f.Refresh()
}

// AccessibilityLabel implements fyne.Accessible.
func (f *Footer) AccessibilityLabel() string { return f.say.Tip + ". " + f.say.QueueTip }

// AccessibilityRole implements fyne.Accessible.
func (f *Footer) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// MouseIn implements desktop.Hoverable.
func (f *Footer) MouseIn(e *desktop.MouseEvent) { f.MouseMoved(e) }

// MouseMoved implements desktop.Hoverable.
func (f *Footer) MouseMoved(e *desktop.MouseEvent) {
	tip := f.say.Tip
	if f.say.Queue != "" && (f.narrow || e.Position.X > f.clock.Position().X-8) {
		tip = f.say.QueueTip
	}
	if tip != f.tip {
		f.tip = tip
		f.tips.Show(f, tip)
	}
}

// MouseOut implements desktop.Hoverable.
func (f *Footer) MouseOut() {
	f.tip = ""
	f.tips.Hide()
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
	return []fyne.CanvasObject{r.f.icon, r.f.text, r.f.clock, r.f.queue}
}

func (r *footerRenderer) Layout(s fyne.Size) {
	f := r.f
	y := (s.Height - footIcon) / 2
	f.icon.Resize(fyne.NewSquareSize(footIcon))
	f.clock.Resize(fyne.NewSquareSize(footIcon))
	if f.narrow {
		f.icon.Move(fyne.NewPos((s.Width-footIcon)/2, y))
		f.clock.Move(f.icon.Position())
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
	if f.say.Icon != "" {
		f.icon.Resource = icons.Colored(f.say.Icon, theme.ColorMuted)
	}
	f.clock.Resource = icons.Colored(icons.Clock, theme.ColorMuted)
	f.text.Hidden, f.queue.Hidden = f.narrow, f.narrow || !queued
	f.clock.Hidden, f.icon.Hidden = !queued, f.narrow && queued
	set(f.text, f.say.Text, theme.ColorMuted)
	set(f.queue, f.say.Queue, theme.ColorMuted)
	f.icon.Refresh()
	f.clock.Refresh()
	r.Layout(f.Size())
	canvas.Refresh(f)
}
