package widgets

import (
	"image"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	ftheme "fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// Files are the files of a message, as its bubble shows them above the text. An
// Item points to them; what was handed to a history must not be changed.
type Files []FileCard

// FileCard is how a bubble shows a file: as a picture, as a row, or as both.
type FileCard struct {
	Picture bool // there is a thumbnail; History.Thumbnail gets it
	Row     bool
	Icon    icons.Name
	Name    string
	Note    string // size and state in words
	Bad     bool   // Note is about a fault
	// Part is how much of it is here, from 0 to 1; negative shows no bar.
	Part    float32
	Actions [3]FileAction
}

// FileAction is something to do with a file; one without a label is not shown.
type FileAction struct {
	Do    int // for History.OnFile
	Label string
}

// Same reports whether two bubbles show the same files.
func (f *Files) Same(g *Files) bool {
	return f == g || f != nil && g != nil && slices.Equal(*f, *g)
}

// Measures of files in a bubble, in dp.
const (
	PictureWidth  = 300
	PictureHeight = 200
	pictureRadius = 10
	tileGap       = 4 // between several pictures
	fileIcon      = 40
	fileGap       = 10 // between its icon and its name
	fileBetween   = 8  // between rows
	barHeight     = 4
)

// pictures is how many cards show a thumbnail.
func (f *Files) pictures() int {
	n := 0
	for i := range *f {
		if (*f)[i].Picture {
			n++
		}
	}
	return n
}

// layFiles places pictures and rows and returns where they end.
func (v *itemView) layFiles(x, y, w float32) float32 {
	files := v.item.Files
	if files == nil {
		return y
	}
	y = v.layPictures(x, y, w, files)
	for i := range *files {
		if c := &(*files)[i]; c.Row {
			y = v.layFile(x, y, w, i, c) + fileBetween
		}
	}
	if v.item.Text == "" {
		y -= fileBetween / 2
	}
	return y
}

// layPictures places one picture in full size, several as tiles, two in a row.
func (v *itemView) layPictures(x, y, w float32, files *Files) float32 {
	n := files.pictures()
	if n == 0 {
		return y
	}
	tw := w
	if n > 1 {
		tw = (w - tileGap) / 2
	}
	th := tw * PictureHeight / PictureWidth
	at := 0
	for i := range *files {
		if !(*files)[i].Picture {
			continue
		}
		px, py := x+float32(at%2)*(tw+tileGap), y+float32(at/2)*(th+tileGap)
		v.layPicture(px, py, tw, th, i)
		at++
	}
	return y + float32((n+1)/2)*(th+tileGap) - tileGap + fileBetween
}

func (v *itemView) layPicture(x, y, w, h float32, place int) {
	var img image.Image
	if v.h.Thumbnail != nil {
		img = v.h.Thumbnail(v.item.Key.ID, place)
	}
	if img == nil {
		v.rect(x, y, w, h, pictureRadius, theme.ColorQuote)
		v.icon(icons.Picture, x+(w-theme.Icon)/2, y+(h-theme.Icon)/2, theme.ColorMutedOnTint)
	} else {
		v.picture(img, x, y, w, h)
	}
	v.hits = append(v.hits, hit{fyne.NewPos(x, y), fyne.NewSize(w, h), func(fyne.Position) {
		if v.h.OnPicture != nil {
			v.h.OnPicture(v.item, place)
		}
	}})
}

// layFile places a row: icon, name, size and state, a bar, what can be done.
func (v *itemView) layFile(x, y, w float32, place int, c *FileCard) float32 {
	top := y
	v.rect(x, y, fileIcon, fileIcon, 8, theme.ColorQuote)
	v.icon(c.Icon, x+(fileIcon-theme.Icon)/2, y+(fileIcon-theme.Icon)/2, theme.ColorPrimaryOnTint)
	x, w = x+fileIcon+fileGap, w-fileIcon-fileGap
	v.text(middle(c.Name, w, theme.SizeText, true), x, y, theme.SizeText, true, ftheme.ColorNameForeground)
	y += height(theme.SizeText, true) + 1
	color := theme.ColorMutedOnTint
	if c.Bad {
		color = theme.ColorErrorOnTint
	}
	for _, l := range wrapSmall(c.Note, w) {
		v.text(l, x, y, theme.SizeStatus, false, color)
		y += height(theme.SizeStatus, false)
	}
	if c.Part >= 0 {
		y += 4
		v.rect(x, y, w, barHeight, barHeight/2, theme.ColorQuote)
		if part := min(1, c.Part); part > 0 {
			v.rect(x, y, max(barHeight, w*part), barHeight, barHeight/2, theme.ColorPrimaryOnTint)
		}
		y += barHeight
	}
	y = v.layActions(x, y, w, place, c)
	return max(y, top+fileIcon)
}

// layActions places what can be done as links, in as many lines as they need.
func (v *itemView) layActions(x, y, w float32, place int, c *FileCard) float32 {
	left, h := x, height(theme.SizeStatus, true)
	lines := float32(0)
	for _, a := range c.Actions {
		if a.Label == "" {
			continue
		}
		lw := measure(a.Label, theme.SizeStatus, true)
		if lines == 0 || left+lw > x+w {
			left = x
			y += cond(lines == 0, 4, h+4)
			lines++
		}
		v.text(a.Label, left, y, theme.SizeStatus, true, theme.ColorPrimaryOnTint)
		v.hits = append(v.hits, hit{fyne.NewPos(left-4, y-3), fyne.NewSize(lw+8, h+6), func(fyne.Position) {
			if v.h.OnFile != nil {
				v.h.OnFile(v.item, place, a.Do)
			}
		}})
		left += lw + 16
	}
	if lines > 0 {
		y += h
	}
	return y
}

func cond(b bool, yes, no float32) float32 {
	if b {
		return yes
	}
	return no
}

// icon takes an icon from the view's stock.
func (v *itemView) icon(n icons.Name, x, y float32, c fyne.ThemeColorName) {
	if v.nIcon == len(v.icons) {
		v.icons = append(v.icons, canvas.NewImageFromResource(nil))
	}
	o := v.icons[v.nIcon]
	v.nIcon++
	if res := icons.Colored(n, c); o.Resource == nil || o.Resource.Name() != res.Name() {
		o.Resource = res
		o.Refresh()
	}
	o.Resize(fyne.NewSquareSize(theme.Icon))
	o.Move(fyne.NewPos(x, y))
	v.objects = append(v.objects, o)
}

// picture takes a picture from the view's stock.
func (v *itemView) picture(img image.Image, x, y, w, h float32) {
	if v.nPicture == len(v.pictures) {
		p := canvas.NewImageFromImage(nil)
		p.FillMode, p.CornerRadius = canvas.ImageFillCover, pictureRadius
		v.pictures = append(v.pictures, p)
	}
	o := v.pictures[v.nPicture]
	v.nPicture++
	o.Resize(fyne.NewSize(w, h))
	o.Move(fyne.NewPos(x, y))
	if o.Image != img {
		o.Image = img
		o.Refresh()
	}
	v.objects = append(v.objects, o)
}

// Repaint lays a message out again, if it is on screen: one of its thumbnails is
// there now.
func (h *History) Repaint(id chat.MessageID) {
	if v := h.live[Key{Kind: ItemBubble, ID: id}]; v != nil && v.width > 0 {
		v.lay(v.width)
	}
}

// middle shortens a name in its middle, so that its end is seen: that says what
// kind of file it is.
func middle(s string, width, size float32, bold bool) string {
	if measure(s, size, bold) <= width {
		return s
	}
	runes := []rune(s)
	tail := runes[max(0, len(runes)-keptEnd):]
	for len(tail) > 1 && measure("…"+string(tail), size, bold) > width {
		tail = tail[1:]
	}
	lo, hi := 0, max(0, min(len(runes)-len(tail), 200))
	for lo < hi {
		mid := (lo + hi + 1) / 2
		if measure(string(runes[:mid])+"…"+string(tail), size, bold) <= width {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return string(runes[:lo]) + "…" + string(tail)
}

// keptEnd is how many characters of a shortened name's end stay.
const keptEnd = 10
