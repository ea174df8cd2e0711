package ui

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	ftheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// viewer shows a picture over the whole window. Escape closes it, and so does a press
// beside its buttons.
type viewer struct {
	widget.BaseWidget
	u      *UI
	image  *canvas.Image
	shade  *canvas.Rectangle
	bar    fyne.CanvasObject
	say    *parts.Say
	middle fyne.CanvasObject // say, where the picture would be
	shown  bool
}

var (
	_ fyne.Tappable  = (*viewer)(nil)
	_ fyne.Focusable = (*viewer)(nil)
)

// viewerBar is the height of the line over the picture.
const viewerBar = 56

func newViewer(u *UI, name string, save func()) *viewer {
	v := &viewer{u: u, image: canvas.NewImageFromImage(nil), shade: canvas.NewRectangle(color.Transparent), say: parts.NewSay()}
	v.image.FillMode = canvas.ImageFillContain
	title := widget.NewLabel(name)
	title.Truncation, title.TextStyle.Bold = fyne.TextTruncateEllipsis, true
	buttons := parts.Row(4,
		widgets.NewIconButton(u.tips, icons.Save, t("file.saveas"), save),
		widgets.NewIconButton(u.tips, icons.Close, t("main.close"), v.close))
	v.bar = container.NewStack(parts.Ground(ftheme.ColorNameBackground, 0, ""), parts.Pad(parts.Beside(8, nil, title, buttons), 0, 12, 0, 12))
	v.middle = parts.Middle(360, v.say)
	v.ExtendBaseWidget(v)
	return v
}

func (v *viewer) show() {
	v.shown = true
	v.u.tips.Hide()
	c := v.u.cfg.Window.Canvas()
	c.Overlays().Add(v)
	v.Resize(c.Size())
	c.Focus(v)
}

func (v *viewer) close() {
	if v.shown {
		v.shown = false
		v.u.tips.Hide()
		v.u.cfg.Window.Canvas().Overlays().Remove(v)
		v.image.Image = nil
		v.u.conv.focus()
	}
}

// set shows a picture.
func (v *viewer) set(img image.Image) {
	v.image.Image = img
	v.image.Refresh()
}

// Tapped implements fyne.Tappable.
func (v *viewer) Tapped(*fyne.PointEvent) { v.close() }

// FocusGained implements fyne.Focusable.
func (v *viewer) FocusGained() {}

// FocusLost implements fyne.Focusable.
func (v *viewer) FocusLost() {}

// TypedRune implements fyne.Focusable.
func (v *viewer) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (v *viewer) TypedKey(e *fyne.KeyEvent) {
	if e.Name == fyne.KeyEscape {
		v.close()
	}
}

// CreateRenderer implements fyne.Widget.
func (v *viewer) CreateRenderer() fyne.WidgetRenderer {
	r := &viewerRenderer{v}
	r.Refresh()
	return r
}

type viewerRenderer struct{ v *viewer }

func (r *viewerRenderer) Destroy()           {}
func (r *viewerRenderer) MinSize() fyne.Size { return fyne.NewSize(200, 150) }

func (r *viewerRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.v.shade, r.v.image, r.v.middle, r.v.bar}
}

func (r *viewerRenderer) Layout(s fyne.Size) {
	v := r.v
	put(v.shade, 0, 0, s.Width, s.Height)
	put(v.bar, 0, 0, s.Width, viewerBar)
	const edge = 16
	put(v.image, edge, viewerBar+edge, max(0, s.Width-2*edge), max(0, s.Height-viewerBar-2*edge))
	put(v.middle, edge, viewerBar, max(0, s.Width-2*edge), max(0, s.Height-viewerBar))
}

func (r *viewerRenderer) Refresh() {
	r.v.shade.FillColor = theme.Color(theme.ColorSidebar)
	r.v.shade.Refresh()
	r.v.bar.Refresh()
	r.v.middle.Refresh()
	canvas.Refresh(r.v)
}

// showPicture opens a file's picture: its thumbnail at once, then the picture itself.
func (c *conversation) showPicture(id chat.MessageID, place int) {
	a, ok := c.attachment(id, place)
	if !ok || a.State != chat.FileHere {
		return // its row says what can be done
	}
	person := c.id
	v := newViewer(c.u, chat.ShownFileName(a.Name), func() { c.fileDo(id, place, fileSaveAs) })
	if img, known := c.thumbs.find(fileKey{id, place}); known && img != nil {
		v.set(img)
	}
	v.show()
	c.u.openly(c.u.pump.Work)(func(ctx context.Context) func() {
		data, err := c.u.cfg.Client.FileView(ctx, id, place)
		var img image.Image
		if err == nil {
			img, _, err = image.Decode(bytes.NewReader(data))
		}
		return func() {
			switch {
			case !v.shown || person != c.id:
			case err == nil:
				v.set(img)
			case errors.Is(err, chat.ErrFileTooLarge):
				v.say.Set(parts.ToneInfo, t("file.view.large"))
			default:
				c.u.log.Warn("showing a picture failed", "error", err)
				v.say.Set(parts.ToneError, t(viewError(err)))
			}
		}
	})
}

func viewError(err error) string {
	if errors.Is(err, chat.ErrFileDamaged) || errors.Is(err, chat.ErrFileNotHere) {
		return saveError(err)
	}
	return "file.view.failed"
}
