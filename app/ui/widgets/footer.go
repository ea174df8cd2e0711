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

	Backup, BackupTip string // "" while it is fresh
}

// Footer says at a glance how far this computer reaches and what waits on it.
type Footer struct {
	widget.BaseWidget
	tips        *Tips
	say         FooterText
	narrow      bool
	icon, clock *canvas.Image
	text, queue *canvas.Text
	disk        *canvas.Image
	backup      *canvas.Text
	ground      *canvas.Rectangle
	tip         string
	focused     bool
	hovered     bool
	// OnTap is called when it is pressed, OnBackup when that is where it speaks of the
	// backup.
	OnTap, OnBackup func()
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
		disk: canvas.NewImageFromResource(nil), backup: newText(theme.SizeStatus, false),
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
func (f *Footer) AccessibilityLabel() string {
	return f.say.Tip + ". " + f.say.QueueTip + ". " + f.say.BackupTip
}

// AccessibilityRole implements fyne.Accessible.
func (f *Footer) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// Tapped implements fyne.Tappable.
func (f *Footer) Tapped(e *fyne.PointEvent) {
	f.tips.Hide()
	if e != nil && f.onBackup(e.Position.X) && f.OnBackup != nil {
		f.OnBackup()
		return
	}
	if f.OnTap != nil {
		f.OnTap()
	}
}

// onBackup reports whether that is where the footer speaks of the backup.
func (f *Footer) onBackup(x float32) bool {
	if f.say.Backup == "" || x < f.disk.Position().X-8 {
		return false
	}
	return f.say.Queue == "" || x < f.clock.Position().X-8
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
	if f.onBackup(e.Position.X) {
		tip = f.say.BackupTip
	} else if f.say.Queue != "" && e.Position.X > f.clock.Position().X-8 {
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
	return []fyne.CanvasObject{r.f.ground, r.f.icon, r.f.text, r.f.clock, r.f.queue, r.f.disk, r.f.backup}
}

func (r *footerRenderer) Layout(s fyne.Size) {
	f := r.f
	const inset = 4
	f.ground.Move(fyne.NewPos(inset, inset))
	f.ground.Resize(fyne.NewSize(max(0, s.Width-2*inset), max(0, s.Height-2*inset)))
	y := (s.Height - footIcon) / 2
	f.icon.Resize(fyne.NewSquareSize(footIcon))
	f.clock.Resize(fyne.NewSquareSize(footIcon))
	f.disk.Resize(fyne.NewSquareSize(footIcon))
	if f.narrow {
		r.layoutNarrow(s, y)
		return
	}
	f.icon.Move(fyne.NewPos(theme.SidebarInset+4, y))
	ty := (s.Height - f.text.MinSize().Height) / 2
	put(f.text, theme.SidebarInset+4+footIcon+8, ty)
	q := f.queue.MinSize().Width
	right := s.Width - theme.SidebarInset - 4
	put(f.queue, right-q, ty)
	f.clock.Move(fyne.NewPos(right-q-6-footIcon, y))
	if f.say.Queue != "" {
		right -= q + 6 + footIcon + 12
	}
	b := f.backup.MinSize().Width
	put(f.backup, right-b, ty)
	f.disk.Move(fyne.NewPos(right-b-6-footIcon, y))
}

// layoutNarrow places the icons alone.
func (r *footerRenderer) layoutNarrow(s fyne.Size, y float32) {
	f := r.f
	shown := []*canvas.Image{f.icon}
	if f.say.Backup != "" {
		shown = append(shown, f.disk)
	}
	if f.say.Queue != "" {
		shown = append(shown, f.clock)
	}
	const gap = 8
	x := (s.Width - float32(len(shown))*(footIcon+gap) + gap) / 2
	for _, img := range shown {
		img.Move(fyne.NewPos(x, y))
		x += footIcon + gap
	}
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
	old := f.say.Backup != ""
	f.disk.Resource = icons.Colored(icons.Save, ftheme.ColorNameWarning)
	f.backup.Hidden, f.disk.Hidden = f.narrow || !old, !old
	set(f.backup, f.say.Backup, ftheme.ColorNameWarning)
	f.disk.Refresh()
	set(f.text, f.say.Text, theme.ColorMuted)
	set(f.queue, f.say.Queue, theme.ColorMuted)
	f.icon.Refresh()
	f.clock.Refresh()
	r.Layout(f.Size())
	canvas.Refresh(f)
}
