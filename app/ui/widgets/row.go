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

// Row is one entry of the list of conversations.
type Row struct {
	Contact  chat.PersonID
	Name     string
	Verified bool
	Online   bool
	// Lead stands before the preview in the text's colour: "Ich:", "Entwurf:".
	Lead  string
	Draft bool // Lead is a draft's, shown in the error colour
	// Icon stands before the preview: of a message with files.
	Icon    icons.Name
	Preview string
	Mark    Mark // of the last message, if it is an own one
	Time    string
	Unread  int
}

// rowView shows a Row; the list reuses it.
type rowView struct {
	widget.BaseWidget
	row                       Row
	selected, cursor, narrow  bool
	hovered                   bool
	ground                    *canvas.Rectangle
	avatar                    *Avatar
	name, lead, preview, time *canvas.Text
	shield, clip              *canvas.Image
	badge                     *badge
	sign                      *sign
	list                      *List
}

var (
	_ fyne.Tappable     = (*rowView)(nil)
	_ desktop.Hoverable = (*rowView)(nil)
)

func newRowView(l *List) *rowView {
	v := &rowView{
		list: l, ground: canvas.NewRectangle(color.Transparent), avatar: NewAvatar(theme.AvatarRow, theme.ColorSidebar),
		name: newText(theme.SizeText, false), lead: newText(theme.SizePreview, false), preview: newText(theme.SizePreview, false),
		time: newText(theme.SizeCaption, false), shield: canvas.NewImageFromResource(nil), clip: canvas.NewImageFromResource(nil), badge: newBadge(), sign: newSign(),
	}
	v.ground.CornerRadius = 10
	v.ExtendBaseWidget(v)
	return v
}

// Tapped implements fyne.Tappable.
func (v *rowView) Tapped(*fyne.PointEvent) { v.list.open(v.row.Contact) }

// MouseIn implements desktop.Hoverable.
func (v *rowView) MouseIn(*desktop.MouseEvent) {
	v.hovered = true
	v.list.hover(true)
	if v.narrow {
		v.list.tips.Show(v, v.row.Name)
	}
	v.Refresh()
}

// MouseMoved implements desktop.Hoverable.
func (v *rowView) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (v *rowView) MouseOut() {
	v.hovered = false
	v.list.hover(false)
	v.list.tips.Hide()
	v.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (v *rowView) CreateRenderer() fyne.WidgetRenderer { return &rowRenderer{v} }

type rowRenderer struct{ v *rowView }

func (r *rowRenderer) Destroy()           {}
func (r *rowRenderer) MinSize() fyne.Size { return fyne.NewSize(theme.SidebarCollapsed, theme.Row) }
func (r *rowRenderer) Layout(fyne.Size)   { r.v.layout() }

func (r *rowRenderer) Refresh() {
	r.v.layout()
	canvas.Refresh(r.v)
}

func (r *rowRenderer) Objects() []fyne.CanvasObject {
	v := r.v
	return []fyne.CanvasObject{v.ground, v.avatar.Container, v.name, v.shield, v.lead, v.clip, v.preview, v.time, v.sign.img, v.badge.pill, v.badge.text}
}

const rowInset = 8 // of the selection, on both sides

// layout places and paints everything.
func (v *rowView) layout() {
	s := v.Size()
	ring := v.paintGround(s)
	v.avatar.Resize(fyne.NewSquareSize(theme.AvatarRow))
	v.avatar.Move(fyne.NewPos(theme.SidebarInset+2, (theme.Row-theme.AvatarRow)/2))
	v.avatar.Set(v.row.Contact, v.row.Name, v.row.Online, ring)
	for _, o := range []fyne.CanvasObject{v.name, v.lead, v.preview, v.time} {
		if v.narrow {
			o.Hide()
		} else {
			o.Show()
		}
	}
	v.shield.Hidden = v.narrow || !v.row.Verified
	v.clip.Hidden = v.narrow || v.row.Icon == ""
	bw := v.badge.set(v.row.Unread)
	if v.narrow {
		v.sign.set(MarkNone, ring)
		v.badge.place(s.Width-6, 16, bw)
		return
	}
	muted := theme.ColorMuted
	if v.selected {
		muted = theme.ColorMutedOnTint
	}
	left, right := float32(theme.SidebarInset+2+theme.AvatarRow+12), s.Width-theme.SidebarInset-4
	v.layoutTop(left, right, muted)
	v.layoutBottom(left, right, bw, muted)
}

// paintGround shows selection, pointer and keyboard, and returns the colour that
// the row stands on.
func (v *rowView) paintGround(s fyne.Size) fyne.ThemeColorName {
	v.ground.Resize(fyne.NewSize(s.Width-2*rowInset, s.Height-4))
	v.ground.Move(fyne.NewPos(rowInset, 2))
	ring := theme.ColorSidebar
	v.ground.FillColor, v.ground.StrokeWidth = seeThrough(ftheme.ColorNamePrimary), 0
	switch {
	case v.selected:
		ring = theme.ColorSelected
		v.ground.FillColor = theme.Color(ring)
	case v.hovered:
		v.ground.FillColor = theme.Color(ftheme.ColorNameHover)
	}
	if v.cursor {
		v.ground.StrokeWidth, v.ground.StrokeColor = 2, theme.Color(ftheme.ColorNamePrimary)
	}
	return ring
}

// layoutTop is the line of the name and the time.
func (v *rowView) layoutTop(left, right float32, muted fyne.ThemeColorName) {
	timeColor := muted
	if v.row.Unread > 0 {
		timeColor = ftheme.ColorNamePrimary
		if v.selected {
			timeColor = theme.ColorPrimaryOnTint
		}
	}
	set(v.time, v.row.Time, timeColor)
	tm := v.time.MinSize()
	put(v.time, right-tm.Width, 15)
	room := right - tm.Width - 8 - left
	if v.row.Verified {
		room -= 18
	}
	v.name.TextStyle.Bold = v.row.Unread > 0
	set(v.name, ellipsis(v.row.Name, room, theme.SizeText, v.name.TextStyle.Bold), ftheme.ColorNameForeground)
	nm := put(v.name, left, 12)
	if v.row.Verified {
		v.shield.Resource = icons.Colored(icons.ShieldCheck, muted)
		v.shield.Resize(fyne.NewSquareSize(14))
		v.shield.Move(fyne.NewPos(left+nm.Width+4, 12+(nm.Height-14)/2))
		v.shield.Refresh()
	}
}

// clipSide is the side of the icon before a preview.
const clipSide = 14

// layoutBottom is the line of the preview, with the count or the sign at its end.
func (v *rowView) layoutBottom(left, right, badgeWidth float32, muted fyne.ThemeColorName) {
	const y = 33
	end := right
	mark := v.row.Mark
	if badgeWidth > 0 {
		mark = MarkNone
		end -= badgeWidth + 8
	}
	h := height(theme.SizePreview, false)
	v.badge.place(right, y+h/2, badgeWidth)
	v.sign.set(mark, muted)
	if mark != MarkNone {
		v.sign.place(right-markWidth+1, y+(h-markHeight)/2+1)
		end -= markWidth + 8
	}
	leadColor := muted
	if v.row.Draft {
		leadColor = ftheme.ColorNameError
		if v.selected {
			leadColor = theme.ColorErrorOnTint
		}
	}
	set(v.lead, v.row.Lead, leadColor)
	lead := put(v.lead, left, y).Width
	if lead > 0 {
		lead += 4
	}
	if v.row.Icon != "" {
		v.clip.Resource = icons.Colored(v.row.Icon, muted)
		v.clip.Resize(fyne.NewSquareSize(clipSide))
		v.clip.Move(fyne.NewPos(left+lead, y+(h-clipSide)/2+0.5))
		v.clip.Refresh()
		lead += clipSide + 4
	}
	set(v.preview, ellipsis(v.row.Preview, end-left-lead, theme.SizePreview, false), muted)
	put(v.preview, left+lead, y)
}
