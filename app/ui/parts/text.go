package parts

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Text is a paragraph that wraps at words, without the padding that a label has,
// so that it lines up with what stands beside it. Its height follows its width:
// place it in a Column.
type Text struct {
	widget.BaseWidget
	text  string
	size  float32
	style fyne.TextStyle
	align fyne.TextAlign
	color fyne.ThemeColorName
	lines []*canvas.Text
	width float32 // for which lines were broken
}

var (
	_ fyne.Widget     = (*Text)(nil)
	_ fyne.Accessible = (*Text)(nil)
)

// Size of text in dp.
const (
	SizeTitle = 18
	SizeHead  = 15
	SizeBody  = 14
	SizeSmall = 13
	SizeTiny  = 12
)

func newText(s string, size float32, bold bool, c fyne.ThemeColorName) *Text {
	t := &Text{text: s, size: size, style: fyne.TextStyle{Bold: bold}, color: c}
	t.ExtendBaseWidget(t)
	return t
}

// Title is a screen's or card's heading.
func Title(s string) *Text { return newText(s, SizeTitle, true, theme.ColorNameForeground) }

// Head is a section's heading.
func Head(s string) *Text { return newText(s, SizeHead, true, theme.ColorNameForeground) }

// Label names a field or a thing.
func Label(s string) *Text { return newText(s, SizeBody, true, theme.ColorNameForeground) }

// Body is plain text.
func Body(s string) *Text { return newText(s, SizeBody, false, theme.ColorNameForeground) }

// Muted explains; it is less important than what it stands under.
func Muted(s string) *Text { return newText(s, SizeSmall, false, theme.ColorNamePlaceHolder) }

// Tiny is for details and fine print.
func Tiny(s string) *Text { return newText(s, SizeTiny, false, theme.ColorNamePlaceHolder) }

// Centered aligns the lines in the middle and returns t.
func (t *Text) Centered() *Text { t.align = fyne.TextAlignCenter; return t }

// Trailing aligns the lines at the right and returns t.
func (t *Text) Trailing() *Text { t.align = fyne.TextAlignTrailing; return t }

// Colored sets the colour's name and returns t.
func (t *Text) Colored(c fyne.ThemeColorName) *Text { t.color = c; return t }

// Mono sets a fixed-width style and a size, and returns t.
func (t *Text) Mono(size float32) *Text { t.style.Monospace, t.size = true, size; return t }

// Text returns what it says.
func (t *Text) Text() string { return t.text }

// SetText changes what it says.
func (t *Text) SetText(s string) {
	if t.text != s {
		t.text, t.width = s, -1
		t.Refresh()
	}
}

// SetColor changes the colour's name.
func (t *Text) SetColor(c fyne.ThemeColorName) {
	if t.color != c {
		t.color = c
		t.Refresh()
	}
}

// AccessibilityLabel implements fyne.Accessible.
func (t *Text) AccessibilityLabel() string { return t.text }

// AccessibilityRole implements fyne.Accessible.
func (t *Text) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer implements fyne.Widget.
func (t *Text) CreateRenderer() fyne.WidgetRenderer {
	t.width = -1
	return &textRenderer{t}
}

func (t *Text) measure(s string) float32 { return fyne.MeasureText(s, t.size, t.style).Width }

// flow breaks the text for a width and makes a line of each part.
func (t *Text) flow(width float32) {
	if width == t.width {
		return
	}
	t.width = width
	parts := Wrap(t.text, width, t.measure)
	for len(t.lines) < len(parts) {
		t.lines = append(t.lines, canvas.NewText("", theme.Color(t.color)))
	}
	t.lines = t.lines[:len(parts)]
	for i, l := range t.lines {
		l.Text = parts[i]
	}
	t.restyle()
}

func (t *Text) restyle() {
	c := t.Theme().Color(t.color, fyne.CurrentApp().Settings().ThemeVariant())
	for _, l := range t.lines {
		l.Color, l.TextSize, l.TextStyle, l.Alignment = c, t.size, t.style, t.align
	}
}

// lineHeight is a little more than the font's, for paragraphs.
func (t *Text) lineHeight() float32 { return fyne.MeasureText("M", t.size, t.style).Height + 1 }

type textRenderer struct{ t *Text }

func (r *textRenderer) Destroy() {}

func (r *textRenderer) Layout(s fyne.Size) {
	r.t.flow(s.Width)
	h := r.t.lineHeight()
	for i, l := range r.t.lines {
		l.Move(fyne.NewPos(0, float32(i)*h))
		l.Resize(fyne.NewSize(s.Width, h))
	}
}

// MinSize is the widest word, up to a sensible limit, and the height of the lines
// at the present width.
func (r *textRenderer) MinSize() fyne.Size {
	w := r.t.Size().Width
	if w <= 0 {
		w = r.t.measure(r.t.text) + 1
	}
	r.t.flow(w)
	narrow := float32(0)
	for _, word := range strings.Fields(r.t.text) {
		narrow = max(narrow, min(r.t.measure(word), 120))
	}
	return fyne.NewSize(narrow, float32(max(1, len(r.t.lines)))*r.t.lineHeight())
}

func (r *textRenderer) Objects() []fyne.CanvasObject {
	out := make([]fyne.CanvasObject, len(r.t.lines))
	for i, l := range r.t.lines {
		out[i] = l
	}
	return out
}

func (r *textRenderer) Refresh() {
	r.t.width = -1
	r.Layout(r.t.Size())
	r.t.restyle()
	canvas.Refresh(r.t)
}

// Wrap breaks text into lines of at most width, at spaces where it can. A word
// that is wider than a line is broken inside.
func Wrap(text string, width float32, measure func(string) float32) []string {
	var out []string
	for para := range strings.SplitSeq(text, "\n") {
		line := ""
		for _, word := range strings.Fields(para) {
			joined := word
			if line != "" {
				joined = line + " " + word
			}
			if measure(joined) <= width {
				line = joined
				continue
			}
			if line != "" {
				out = append(out, line)
			}
			var broken []string
			broken, line = breakWord(word, width, measure)
			out = append(out, broken...)
		}
		out = append(out, line)
	}
	return out
}

// breakWord cuts a word into full lines and a rest.
func breakWord(word string, width float32, measure func(string) float32) (full []string, rest string) {
	for measure(word) > width {
		cut := 0
		for i := range word {
			if i > 0 && measure(word[:i]) > width {
				break
			}
			cut = i
		}
		if cut == 0 { // not even one character fits
			return full, word
		}
		full, word = append(full, word[:cut]), word[cut:]
	}
	return full, word
}
