package widgets

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	ftheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// HeadText is what the head of a conversation says.
type HeadText struct {
	ID           chat.PersonID
	Name         string
	Status       string
	Online       bool
	Verified     bool
	VerifiedText string // "verifiziert"
}

// Head is the head of a conversation: who it is, how they can be reached, whether
// they are verified. Pressing it leads to the details.
type Head struct {
	widget.BaseWidget
	say          HeadText
	tap          func()
	avatar       *Avatar
	name, status *canvas.Text
	verified     *canvas.Text
	shield       *canvas.Image
	info, find   *IconButton
	ground       *canvas.Rectangle
	hovered      bool
}

var (
	_ fyne.Tappable      = (*Head)(nil)
	_ desktop.Hoverable  = (*Head)(nil)
	_ desktop.Cursorable = (*Head)(nil)
)

// NewHead makes an empty head; details is what leads to the details is called, and
// search what begins a search in the conversation.
func NewHead(tips *Tips, details string, tap func(), search string, find func()) *Head {
	h := &Head{
		tap: tap, avatar: NewAvatar(theme.AvatarHeader, ftheme.ColorNameBackground), name: newText(theme.SizeName, true),
		status: newText(theme.SizeStatus, false), verified: newText(theme.SizeStatus, false), shield: canvas.NewImageFromResource(nil),
		info: NewIconButton(tips, icons.Info, details, tap), find: NewIconButton(tips, icons.Search, search, find), ground: canvas.NewRectangle(color.Transparent),
	}
	h.ground.CornerRadius = 10
	h.ExtendBaseWidget(h)
	return h
}

// Set changes what it says.
func (h *Head) Set(s HeadText) {
	if h.say != s {
		h.say = s
		h.Refresh()
	}
}

// Text returns what it says.
func (h *Head) Text() HeadText { return h.say }

// Tapped implements fyne.Tappable.
func (h *Head) Tapped(*fyne.PointEvent) { h.tap() }

// Cursor implements desktop.Cursorable.
func (h *Head) Cursor() desktop.Cursor {
	if h.hovered {
		return desktop.PointerCursor
	}
	return desktop.DefaultCursor
}

// MouseIn implements desktop.Hoverable.
func (h *Head) MouseIn(e *desktop.MouseEvent) { h.MouseMoved(e) }

// MouseMoved implements desktop.Hoverable.
func (h *Head) MouseMoved(e *desktop.MouseEvent) {
	h.setHovered(e.Position.X <= h.ground.Position().X+h.ground.Size().Width)
}

// MouseOut implements desktop.Hoverable.
func (h *Head) MouseOut() { h.setHovered(false) }

func (h *Head) setHovered(on bool) {
	if h.hovered != on {
		h.hovered = on
		h.Refresh()
	}
}

// CreateRenderer implements fyne.Widget.
func (h *Head) CreateRenderer() fyne.WidgetRenderer {
	r := &headRenderer{h}
	r.Refresh()
	return r
}

type headRenderer struct{ h *Head }

func (r *headRenderer) Destroy()           {}
func (r *headRenderer) MinSize() fyne.Size { return fyne.NewSize(200, theme.Header) }
func (r *headRenderer) Objects() []fyne.CanvasObject {
	h := r.h
	return []fyne.CanvasObject{h.ground, h.avatar.Container, h.name, h.status, h.shield, h.verified, h.find, h.info}
}

func (r *headRenderer) Layout(s fyne.Size) {
	h := r.h
	const left = theme.Gutter - 4
	h.info.Resize(fyne.NewSquareSize(theme.HitArea))
	h.info.Move(fyne.NewPos(s.Width-theme.HitArea-10, (s.Height-theme.HitArea)/2))
	h.find.Resize(fyne.NewSquareSize(theme.HitArea))
	h.find.Move(fyne.NewPos(s.Width-2*theme.HitArea-10, (s.Height-theme.HitArea)/2))
	h.avatar.Resize(fyne.NewSquareSize(theme.AvatarHeader))
	h.avatar.Move(fyne.NewPos(left, (s.Height-theme.AvatarHeader)/2))
	x := float32(left + theme.AvatarHeader + 12)
	room := s.Width - x - 2*theme.HitArea - 20
	h.name.Text = ellipsis(h.say.Name, room, theme.SizeName, true)
	nm := put(h.name, x, 9)
	sw := r.layoutStatus(x, 9+nm.Height, room)
	h.ground.Move(fyne.NewPos(left-6, 4))
	h.ground.Resize(fyne.NewSize(x-left+6+max(nm.Width, sw)+10, s.Height-8))
}

// layoutStatus places the line under the name and returns its width.
func (r *headRenderer) layoutStatus(x, y, room float32) float32 {
	h := r.h
	tail := float32(0)
	h.verified.Text = h.say.VerifiedText
	if h.say.Verified {
		tail = measure(" · ", theme.SizeStatus, false) + 16 + h.verified.MinSize().Width
	}
	status := ellipsis(h.say.Status, room-tail, theme.SizeStatus, false)
	if h.say.Verified {
		status += " · "
	}
	h.status.Text = status
	sm := put(h.status, x, y)
	h.shield.Resize(fyne.NewSquareSize(14))
	h.shield.Move(fyne.NewPos(x+sm.Width, y+(sm.Height-14)/2))
	put(h.verified, x+sm.Width+16, y)
	return sm.Width + tail
}

func (r *headRenderer) Refresh() {
	h := r.h
	h.avatar.Set(h.say.ID, h.say.Name, h.say.Online, ftheme.ColorNameBackground)
	h.name.Color = theme.Color(ftheme.ColorNameForeground)
	h.status.Color, h.verified.Color = theme.Color(theme.ColorMuted), theme.Color(theme.ColorMuted)
	h.shield.Hidden, h.verified.Hidden = !h.say.Verified, !h.say.Verified
	h.shield.Resource = icons.Colored(icons.ShieldCheck, theme.ColorMuted)
	h.shield.Refresh()
	h.ground.FillColor = color.Transparent
	if h.hovered {
		h.ground.FillColor = theme.Color(ftheme.ColorNameHover)
	}
	r.Layout(h.Size())
	canvas.Refresh(h)
}
