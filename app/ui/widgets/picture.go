package widgets

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/icons"
)

// Picture is a drawing or an icon that follows the theme.
type Picture struct {
	widget.BaseWidget
	img  *canvas.Image
	name string
	side float32 // least width and height
}

// NewPicture shows a resource.
func NewPicture(r *icons.Resource) *Picture {
	p := &Picture{img: canvas.NewImageFromResource(r), name: r.Name(), side: 1}
	p.img.FillMode = canvas.ImageFillContain
	p.ExtendBaseWidget(p)
	return p
}

// Set shows another resource.
func (p *Picture) Set(r *icons.Resource) {
	p.img.Resource = r
	p.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (p *Picture) CreateRenderer() fyne.WidgetRenderer { return &pictureRenderer{p} }

type pictureRenderer struct{ p *Picture }

func (r *pictureRenderer) Destroy()                     {}
func (r *pictureRenderer) Layout(s fyne.Size)           { r.p.img.Resize(s) }
func (r *pictureRenderer) MinSize() fyne.Size           { return fyne.NewSquareSize(r.p.side) }
func (r *pictureRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.p.img} }

// Refresh draws the picture anew if its colour changed.
func (r *pictureRenderer) Refresh() {
	if n := r.p.img.Resource.Name(); n != r.p.name {
		r.p.name = n
		r.p.img.Refresh()
	}
}
