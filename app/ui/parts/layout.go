package parts

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// column stacks objects from the top and gives each the full width before it asks
// for its height, so that wrapped text is measured as it will stand.
type column struct {
	gap   float32
	width float32 // at which the heights were last taken
}

// Column stacks objects with a gap between them.
func Column(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(&column{gap: gap}, objects...)
}

// heightAt is o's height at a width.
func heightAt(o fyne.CanvasObject, width float32) float32 {
	if o.Size().Width != width {
		o.Resize(fyne.NewSize(width, o.Size().Height))
	}
	return o.MinSize().Height
}

// Layout implements fyne.Layout.
func (c *column) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	c.width = size.Width
	y := float32(0)
	for _, o := range objects {
		if !o.Visible() {
			continue
		}
		h := heightAt(o, size.Width)
		if s, ok := o.(*spacer); ok && s.grow {
			h = max(h, size.Height-c.rest(objects, size.Width))
		}
		o.Move(fyne.NewPos(0, y))
		o.Resize(fyne.NewSize(size.Width, h))
		y += h + c.gap
	}
}

// rest is the height of everything when nothing grows.
func (c *column) rest(objects []fyne.CanvasObject, width float32) float32 {
	sum, n := float32(0), 0
	for _, o := range objects {
		if o.Visible() {
			sum += heightAt(o, width)
			n++
		}
	}
	return sum + c.gap*float32(max(0, n-1))
}

// MinSize implements fyne.Layout.
func (c *column) MinSize(objects []fyne.CanvasObject) fyne.Size {
	w := float32(0)
	for _, o := range objects {
		if o.Visible() {
			w = max(w, o.MinSize().Width)
		}
	}
	return fyne.NewSize(w, c.rest(objects, max(w, c.width)))
}

// Filled stacks objects like Column; the last one gets all the room that is left.
func Filled(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(&filled{column{gap: gap}}, objects...)
}

type filled struct{ column }

// Layout implements fyne.Layout.
func (f *filled) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	f.column.Layout(objects, size)
	if n := len(objects); n > 0 {
		last := objects[n-1]
		last.Resize(fyne.NewSize(size.Width, max(0, size.Height-last.Position().Y)))
	}
}

// spacer is empty room.
type spacer struct {
	widget.BaseWidget
	h    float32
	grow bool
}

// Space is empty room of a height.
func Space(h float32) fyne.CanvasObject {
	s := &spacer{h: h}
	s.ExtendBaseWidget(s)
	return s
}

// Spring takes what room is left in a Column.
func Spring() fyne.CanvasObject {
	s := &spacer{grow: true}
	s.ExtendBaseWidget(s)
	return s
}

// CreateRenderer implements fyne.Widget.
func (s *spacer) CreateRenderer() fyne.WidgetRenderer {
	r := canvas.NewRectangle(color.Transparent)
	r.SetMinSize(fyne.NewSize(0, s.h))
	return widget.NewSimpleRenderer(r)
}

// Pad puts room around an object: top, right, bottom, left.
func Pad(o fyne.CanvasObject, top, right, bottom, left float32) *fyne.Container {
	return container.New(&padding{top, right, bottom, left}, o)
}

// padding is a padded layout that, unlike Fyne's, measures at the true width.
type padding struct{ top, right, bottom, left float32 }

// Layout implements fyne.Layout.
func (p *padding) Layout(objects []fyne.CanvasObject, s fyne.Size) {
	for _, o := range objects {
		o.Move(fyne.NewPos(p.left, p.top))
		o.Resize(fyne.NewSize(max(0, s.Width-p.left-p.right), max(0, s.Height-p.top-p.bottom)))
	}
}

// MinSize implements fyne.Layout.
func (p *padding) MinSize(objects []fyne.CanvasObject) fyne.Size {
	m := fyne.Size{}
	for _, o := range objects {
		m = m.Max(o.MinSize())
	}
	return m.Add(fyne.NewSize(p.left+p.right, p.top+p.bottom))
}

// narrow centres an object that is at most max wide; its height is its own, or
// all there is.
type narrow struct {
	max    float32
	middle bool
}

// AtMost keeps an object at most width wide, centred, from the top.
func AtMost(width float32, o fyne.CanvasObject) *fyne.Container {
	return container.New(&narrow{max: width}, o)
}

// Middle keeps an object at most width wide, centred both ways; from the top when
// there is too little room.
func Middle(width float32, o fyne.CanvasObject) *fyne.Container {
	return container.New(&narrow{max: width, middle: true}, o)
}

// Layout implements fyne.Layout.
func (n *narrow) Layout(objects []fyne.CanvasObject, s fyne.Size) {
	for _, o := range objects {
		w := min(n.max, s.Width)
		h, y := s.Height, float32(0)
		if n.middle {
			h = heightAt(o, w)
			y = max(0, (s.Height-h)/2)
		}
		o.Move(fyne.NewPos((s.Width-w)/2, y))
		o.Resize(fyne.NewSize(w, h))
	}
}

// MinSize implements fyne.Layout.
func (n *narrow) MinSize(objects []fyne.CanvasObject) fyne.Size {
	m := fyne.Size{}
	for _, o := range objects {
		m = m.Max(o.MinSize())
	}
	m.Width = min(m.Width, n.max)
	return m
}

// Row places objects side by side at their own widths, centred vertically.
func Row(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedHBoxLayout(gap), centered(objects)...)
}

func centered(objects []fyne.CanvasObject) []fyne.CanvasObject {
	out := make([]fyne.CanvasObject, len(objects))
	for i, o := range objects {
		out[i] = container.New(vcenter{}, o)
	}
	return out
}

// vcenter centres vertically and fills horizontally.
type vcenter struct{}

func (vcenter) Layout(objects []fyne.CanvasObject, s fyne.Size) {
	for _, o := range objects {
		h := heightAt(o, s.Width)
		o.Move(fyne.NewPos(0, max(0, (s.Height-h)/2)))
		o.Resize(fyne.NewSize(s.Width, min(h, s.Height)))
	}
}

func (vcenter) MinSize(objects []fyne.CanvasObject) fyne.Size {
	m := fyne.Size{}
	for _, o := range objects {
		m = m.Max(o.MinSize())
	}
	return m
}

// Beside gives left (may be nil) and right (may be nil) their own widths and main
// what is left; all are centred vertically.
func Beside(gap float32, left, main, right fyne.CanvasObject) *fyne.Container {
	b := &beside{gap: gap, left: left, main: main, right: right}
	var all []fyne.CanvasObject
	for _, o := range []fyne.CanvasObject{left, main, right} {
		if o != nil {
			all = append(all, o)
		}
	}
	return container.New(b, all...)
}

type beside struct {
	gap               float32
	left, main, right fyne.CanvasObject
	width             float32
}

func shown(o fyne.CanvasObject) bool { return o != nil && o.Visible() }

// Layout implements fyne.Layout.
func (b *beside) Layout(_ []fyne.CanvasObject, s fyne.Size) {
	b.width = s.Width
	x, end := float32(0), s.Width
	if shown(b.left) {
		m := b.left.MinSize()
		b.place(b.left, x, m.Width, m.Height, s.Height)
		x += m.Width + b.gap
	}
	if shown(b.right) {
		m := b.right.MinSize()
		b.place(b.right, end-m.Width, m.Width, m.Height, s.Height)
		end -= m.Width + b.gap
	}
	if shown(b.main) {
		w := max(0, end-x)
		b.place(b.main, x, w, heightAt(b.main, w), s.Height)
	}
}

func (b *beside) place(o fyne.CanvasObject, x, w, h, total float32) {
	o.Move(fyne.NewPos(x, max(0, (total-h)/2)))
	o.Resize(fyne.NewSize(w, h))
}

// MinSize implements fyne.Layout.
func (b *beside) MinSize([]fyne.CanvasObject) fyne.Size {
	side, h := float32(0), float32(0)
	for _, o := range []fyne.CanvasObject{b.left, b.right} {
		if shown(o) {
			side += o.MinSize().Width + b.gap
			h = max(h, o.MinSize().Height)
		}
	}
	if !shown(b.main) {
		return fyne.NewSize(side, h)
	}
	if b.width > side {
		h = max(h, heightAt(b.main, b.width-side))
	}
	m := b.main.MinSize()
	return fyne.NewSize(side+m.Width, max(h, m.Height))
}

// Pair places two objects side by side, equally wide, or one below the other where
// that is too narrow for them.
func Pair(gap float32, a, b fyne.CanvasObject) *fyne.Container {
	return container.New(&pair{gap: gap}, a, b)
}

type pair struct{ gap, width float32 }

func (p *pair) fits(o []fyne.CanvasObject, width float32) bool {
	half := (width - p.gap) / 2
	for _, x := range o {
		if x.MinSize().Width > half {
			return false
		}
	}
	return true
}

// Layout implements fyne.Layout.
func (p *pair) Layout(o []fyne.CanvasObject, s fyne.Size) {
	p.width = s.Width
	at, size, step := fyne.Position{}, fyne.NewSize((s.Width-p.gap)/2, s.Height), fyne.NewDelta((s.Width+p.gap)/2, 0)
	if !p.fits(o, s.Width) {
		size = fyne.NewSize(s.Width, (s.Height-p.gap)/2)
		step = fyne.NewDelta(0, size.Height+p.gap)
	}
	for _, x := range o {
		x.Move(at)
		x.Resize(size)
		at = at.Add(step)
	}
}

// MinSize implements fyne.Layout.
func (p *pair) MinSize(o []fyne.CanvasObject) fyne.Size {
	var m fyne.Size
	for _, x := range o {
		m = m.Max(x.MinSize())
	}
	if p.width > 0 && !p.fits(o, p.width) {
		m.Height = 2*m.Height + p.gap
	}
	return m
}

// Line is a separator, 1 dp high.
func Line() fyne.CanvasObject {
	return newFill(theme.ColorNameSeparator, 0, 1, "")
}

// fill is a rectangle in the theme's colours that follows a change of theme.
type fill struct {
	widget.BaseWidget
	color, stroke fyne.ThemeColorName
	radius        float32
	min           fyne.Size
	rect          *canvas.Rectangle
}

func newFill(c fyne.ThemeColorName, radius, height float32, stroke fyne.ThemeColorName) *fill {
	f := &fill{color: c, stroke: stroke, radius: radius, min: fyne.NewSize(0, height)}
	f.ExtendBaseWidget(f)
	return f
}

// Ground is a rectangle in the theme's colour c with rounded corners, outlined in
// the theme's colour stroke unless that is empty.
func Ground(c fyne.ThemeColorName, radius float32, stroke fyne.ThemeColorName) fyne.CanvasObject {
	return newFill(c, radius, 0, stroke)
}

func (f *fill) set(c, stroke fyne.ThemeColorName, width float32) {
	f.color, f.stroke = c, stroke
	if f.rect != nil {
		f.rect.StrokeWidth = width
		f.Refresh()
	}
}

// CreateRenderer implements fyne.Widget.
func (f *fill) CreateRenderer() fyne.WidgetRenderer {
	f.rect = canvas.NewRectangle(nil)
	f.rect.CornerRadius = f.radius
	f.rect.SetMinSize(f.min)
	if f.stroke != "" {
		f.rect.StrokeWidth = 1
	}
	f.paint()
	return &fillRenderer{f}
}

func (f *fill) paint() {
	v := fyne.CurrentApp().Settings().ThemeVariant()
	f.rect.FillColor = color.Transparent
	if f.stroke != "" {
		f.rect.StrokeColor = f.Theme().Color(f.stroke, v)
		f.rect.FillColor = clear(f.rect.StrokeColor)
	}
	if f.color != "" {
		f.rect.FillColor = f.Theme().Color(f.color, v)
	}
}

// clear is c fully transparent: the painter mixes the outline with the ground's
// colour at the edge, and transparent black would darken it.
func clear(c color.Color) color.Color {
	n, ok := color.NRGBAModel.Convert(c).(color.NRGBA)
	if !ok {
		return color.Transparent
	}
	n.A = 0
	return n
}

type fillRenderer struct{ f *fill }

func (r *fillRenderer) Destroy()                     {}
func (r *fillRenderer) Layout(s fyne.Size)           { r.f.rect.Resize(s) }
func (r *fillRenderer) MinSize() fyne.Size           { return r.f.rect.MinSize() }
func (r *fillRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.f.rect} }
func (r *fillRenderer) Refresh() {
	r.f.paint()
	canvas.Refresh(r.f.rect)
}

// Card is a white (or dark) sheet with an outline around an object.
func Card(o fyne.CanvasObject, padding float32) *fyne.Container {
	return container.NewStack(Ground(theme.ColorNameBackground, 14, theme.ColorNameSeparator), Pad(o, padding, padding, padding, padding))
}
