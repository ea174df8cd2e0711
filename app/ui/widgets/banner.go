package widgets

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	ftheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// Tone is how serious a banner is.
type Tone int

// The tones.
const (
	ToneInfo Tone = iota
	ToneWarning
	ToneError
)

var tones = map[Tone]struct{ ground, sign fyne.ThemeColorName }{
	ToneInfo:    {theme.ColorSelected, theme.ColorPrimaryOnTint},
	ToneWarning: {theme.ColorWarningTint, ftheme.ColorNameWarning},
	ToneError:   {theme.ColorErrorTint, theme.ColorErrorOnTint},
}

// Banner is a sentence over the whole width that stays as long as it is true: an
// icon, what happened and what it means, and perhaps one thing to do. It is 36 dp
// high, or as many lines as the sentence needs.
type Banner struct {
	widget.BaseWidget
	tone   Tone
	icon   icons.Name
	text   string
	action string
	later  string // a word that puts the banner off; "" for none
	// OnAction is called when the thing to do is chosen, OnDismiss when the banner is
	// put off.
	OnAction, OnDismiss func()

	ground  *canvas.Rectangle
	img     *canvas.Image
	lines   []*canvas.Text
	link    *Link
	dismiss *Link
	bar     *canvas.Rectangle
	part    float32 // how much of something is done, 0 to 1; 0 shows no bar
}

// NewBanner makes a hidden banner.
func NewBanner() *Banner {
	b := &Banner{ground: canvas.NewRectangle(color.Transparent), img: canvas.NewImageFromResource(nil), bar: canvas.NewRectangle(color.Transparent)}
	b.link = NewLink("", func() {
		if b.OnAction != nil {
			b.OnAction()
		}
	})
	b.dismiss = NewLink("", func() {
		if b.OnDismiss != nil {
			b.OnDismiss()
		}
	})
	b.ExtendBaseWidget(b)
	b.Hide()
	return b
}

// SetDismiss shows a word that puts the banner off, or none.
func (b *Banner) SetDismiss(word string) {
	if b.later != word {
		b.later = word
		b.dismiss.SetText(word)
		b.Refresh()
	}
}

// Set shows a sentence; an empty one hides the banner. action may be empty.
func (b *Banner) Set(tone Tone, icon icons.Name, text, action string) {
	if b.tone == tone && b.icon == icon && b.text == text && b.action == action {
		return
	}
	b.tone, b.icon, b.text, b.action = tone, icon, text, action
	b.link.SetText(action)
	if text == "" {
		b.Hide()
		return
	}
	b.Show()
	b.Refresh()
}

// SetPart shows how much of what the banner speaks of is done, from 0 to 1.
func (b *Banner) SetPart(part float32) {
	if b.part != part {
		b.part = part
		b.Refresh()
	}
}

// Text is what the banner says, "" while it is hidden.
func (b *Banner) Text() string {
	if b.Hidden {
		return ""
	}
	return b.text
}

// Height is how high the banner is at a width.
func (b *Banner) Height(width float32) float32 {
	if b.Hidden {
		return 0
	}
	return max(theme.Banner, float32(len(b.flow(width)))*b.lineHeight()+16)
}

func (b *Banner) lineHeight() float32 { return height(theme.SizePreview, false) }

func (b *Banner) flow(width float32) []string {
	room := width - 44 - 16
	if b.action != "" {
		room -= b.link.MinSize().Width + 12
	}
	if b.later != "" {
		room -= b.dismiss.MinSize().Width
	}
	return parts.Wrap(b.text, max(60, room), func(s string) float32 { return measure(s, theme.SizePreview, false) })
}

// CreateRenderer implements fyne.Widget.
func (b *Banner) CreateRenderer() fyne.WidgetRenderer {
	r := &bannerRenderer{b}
	r.Refresh()
	return r
}

const bannerBar = 3 // height of the bar at its lower edge

type bannerRenderer struct{ b *Banner }

func (r *bannerRenderer) Destroy() {}

func (r *bannerRenderer) MinSize() fyne.Size {
	return fyne.NewSize(0, r.b.Height(max(r.b.Size().Width, 200)))
}

func (r *bannerRenderer) Objects() []fyne.CanvasObject {
	out := []fyne.CanvasObject{r.b.ground, r.b.bar, r.b.img, r.b.dismiss, r.b.link}
	for _, l := range r.b.lines {
		out = append(out, l)
	}
	return out
}

func (r *bannerRenderer) Layout(s fyne.Size) {
	b := r.b
	b.ground.Resize(s)
	b.bar.Move(fyne.NewPos(0, s.Height-bannerBar))
	b.bar.Resize(fyne.NewSize(s.Width*min(1, b.part), bannerBar))
	b.img.Resize(fyne.NewSquareSize(theme.Icon))
	b.img.Move(fyne.NewPos(16, (s.Height-theme.Icon)/2))
	text := b.flow(s.Width)
	for len(b.lines) < len(text) {
		b.lines = append(b.lines, newText(theme.SizePreview, false))
	}
	b.lines = b.lines[:len(text)]
	h := b.lineHeight()
	top := (s.Height - h*float32(len(text))) / 2
	for i, t := range text {
		set(b.lines[i], t, ftheme.ColorNameForeground)
		put(b.lines[i], 44, top+h*float32(i))
	}
	m := b.link.MinSize()
	b.link.Resize(m)
	b.link.Move(fyne.NewPos(s.Width-m.Width-12, (s.Height-m.Height)/2))
	d := b.dismiss.MinSize()
	b.dismiss.Resize(d)
	b.dismiss.Move(fyne.NewPos(s.Width-m.Width-12-d.Width, (s.Height-d.Height)/2))
}

func (r *bannerRenderer) Refresh() {
	t := tones[r.b.tone]
	r.b.ground.FillColor = theme.Color(t.ground)
	r.b.bar.FillColor = theme.Color(t.sign)
	if r.b.icon != "" {
		r.b.img.Resource = icons.Colored(r.b.icon, t.sign)
		r.b.img.Refresh()
	}
	r.b.link.Hidden = r.b.action == ""
	r.b.link.Refresh()
	r.b.dismiss.Hidden = r.b.later == ""
	r.b.dismiss.Refresh()
	r.Layout(r.b.Size())
	canvas.Refresh(r.b)
}

// Link is a word to press without a ground, as in a sentence.
type Link struct {
	widget.BaseWidget
	text             string
	tap              func()
	focused, hovered bool
	label            *canvas.Text
	ground           *canvas.Rectangle
}

var (
	_ fyne.Tappable      = (*Link)(nil)
	_ fyne.Focusable     = (*Link)(nil)
	_ desktop.Hoverable  = (*Link)(nil)
	_ desktop.Cursorable = (*Link)(nil)
	_ fyne.Accessible    = (*Link)(nil)
)

// NewLink makes a link.
func NewLink(text string, tap func()) *Link {
	l := &Link{text: text, tap: tap, label: newText(theme.SizePreview, true), ground: canvas.NewRectangle(color.Transparent)}
	l.ground.CornerRadius = 6
	l.ExtendBaseWidget(l)
	return l
}

// SetText changes the word.
func (l *Link) SetText(s string) {
	l.text = s
	l.Refresh()
}

// Tapped implements fyne.Tappable.
func (l *Link) Tapped(*fyne.PointEvent) { l.tap() }

// Cursor implements desktop.Cursorable.
func (l *Link) Cursor() desktop.Cursor { return desktop.PointerCursor }

// AccessibilityLabel implements fyne.Accessible.
func (l *Link) AccessibilityLabel() string { return l.text }

// AccessibilityRole implements fyne.Accessible.
func (l *Link) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// FocusGained implements fyne.Focusable.
func (l *Link) FocusGained() { l.focused = true; l.Refresh() }

// FocusLost implements fyne.Focusable.
func (l *Link) FocusLost() { l.focused = false; l.Refresh() }

// TypedRune implements fyne.Focusable.
func (l *Link) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (l *Link) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		l.tap()
	}
}

// MouseIn implements desktop.Hoverable.
func (l *Link) MouseIn(*desktop.MouseEvent) { l.hovered = true; l.Refresh() }

// MouseMoved implements desktop.Hoverable.
func (l *Link) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (l *Link) MouseOut() { l.hovered = false; l.Refresh() }

// CreateRenderer implements fyne.Widget.
func (l *Link) CreateRenderer() fyne.WidgetRenderer {
	r := &linkRenderer{l}
	r.Refresh()
	return r
}

type linkRenderer struct{ l *Link }

func (r *linkRenderer) Destroy() {}
func (r *linkRenderer) MinSize() fyne.Size {
	return fyne.NewSize(measure(r.l.text, theme.SizePreview, true)+16, 28)
}

func (r *linkRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.l.ground, r.l.label}
}

func (r *linkRenderer) Layout(s fyne.Size) {
	r.l.ground.Resize(s)
	m := r.l.label.MinSize()
	put(r.l.label, (s.Width-m.Width)/2, (s.Height-m.Height)/2)
}

func (r *linkRenderer) Refresh() {
	l := r.l
	l.ground.FillColor, l.ground.StrokeWidth = seeThrough(ftheme.ColorNamePrimary), 0
	if l.hovered {
		l.ground.FillColor = theme.Color(ftheme.ColorNameHover)
	}
	if l.focused {
		l.ground.StrokeWidth, l.ground.StrokeColor = 2, theme.Color(ftheme.ColorNamePrimary)
	}
	l.label.Text, l.label.Color = l.text, theme.Color(theme.ColorPrimaryOnTint)
	r.Layout(l.Size())
	l.ground.Refresh()
	l.label.Refresh()
}
