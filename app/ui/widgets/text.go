package widgets

import (
	"image/color"
	"strings"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/kuvert-im/kuvert/app/ui/theme"
)

// maxWords is how many widths of words are remembered: a person's everyday words
// and some; at about 100 bytes each this stays under 2 MB. Longer words than
// keptWord are measured each time.
const (
	maxWords = 20000
	keptWord = 40
)

var widths = map[string]float32{}

// wordWidth is the width of a word at the size of text, remembered because
// measuring is most of the work of laying out a bubble.
func wordWidth(w string) float32 {
	if v, ok := widths[w]; ok {
		return v
	}
	if len(widths) >= maxWords {
		clear(widths)
	}
	v := measure(w, theme.SizeText, false)
	if len(w) <= keptWord {
		widths[strings.Clone(w)] = v
	}
	return v
}

func measure(s string, size float32, bold bool) float32 {
	return fyne.MeasureText(s, size, fyne.TextStyle{Bold: bold}).Width
}

func height(size float32, bold bool) float32 {
	return fyne.MeasureText("Äg", size, fyne.TextStyle{Bold: bold}).Height
}

// line is a part of a text that stands on one line: text[start:end].
type line struct {
	start, end int
	width      float32
}

// wrap breaks text into lines of at most width at spaces where it can, and inside
// a word that is wider than a line.
func wrap(text string, width float32) []line {
	var out []line
	for at := 0; at <= len(text); {
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			end = len(text) - at
		}
		out = append(out, wrapParagraph(text, at, at+end, width)...)
		at += end + 1
	}
	return out
}

func wrapParagraph(text string, start, end int, width float32) []line {
	var out []line
	space := wordWidth(" ")
	cur := line{start: start, end: start}
	for at := start; at < end; {
		stop, gap := nextWord(text, at, end)
		w := wordWidth(text[at:stop])
		if cur.end > cur.start && cur.width+w > width {
			out = append(out, cur.trimmed(text, space))
			cur = line{start: at, end: at}
		}
		for w > width && stop-at > utf8.RuneLen(firstRune(text[at:stop])) {
			cut := at + fitting(text[at:stop], width)
			out = append(out, line{at, cut, wordWidth(text[at:cut])})
			at = cut
			w = wordWidth(text[at:stop])
			cur = line{start: at, end: at}
		}
		cur.end, cur.width = gap, cur.width+w+space*float32(gap-stop)
		at = gap
	}
	out = append(out, cur.trimmed(text, space))
	for i, l := range out {
		out[i].width = max(l.width, symbolWidth(text[l.start:l.end]))
	}
	return out
}

// symbolWidth measures a line with symbols as a whole: they come from other fonts,
// and the sum of the words' widths is not theirs. Other lines give 0.
func symbolWidth(s string) float32 {
	for _, r := range s {
		if r >= firstSymbol {
			return measure(s, theme.SizeText, false)
		}
	}
	return 0
}

// firstSymbol begins what the text font does not hold: arrows, signs, emoji.
const firstSymbol = 0x2190

// maxBigEmoji is how many characters an emoji-only message may have to be shown
// large; one emoji may take up to ten.
const maxBigEmoji = 12

// emojiAlone reports whether a text is nothing but a few emoji.
func emojiAlone(s string) bool {
	n, pictures := 0, 0
	for _, r := range s {
		n++
		switch {
		case r >= 0x1F000 && r <= 0x1FAFF, r >= 0x2600 && r <= 0x27BF, r == 0x2764, r >= 0x2B00 && r <= 0x2BFF:
			pictures++
		case r == 0x200D, r == 0xFE0F, r >= 0xE0020 && r <= 0xE007F, r == ' ': // joiner, variant, tags
		default:
			return false
		}
	}
	return pictures > 0 && n <= maxBigEmoji
}

// trimmed drops the spaces at a line's end.
func (l line) trimmed(text string, space float32) line {
	for l.end > l.start && text[l.end-1] == ' ' {
		l.end--
		l.width -= space
	}
	return l
}

// longWord is how many bytes of a word are looked at together: more than a line
// holds. Without it a word of 64 KB would be measured again for each of its lines.
const longWord = 256

// nextWord returns where the word at at stops and where the spaces after it do.
func nextWord(text string, at, end int) (stop, gap int) {
	stop = at
	for stop < end && text[stop] != ' ' {
		stop++
		if stop-at >= longWord && stop < end && utf8.RuneStart(text[stop]) {
			return stop, stop
		}
	}
	gap = stop
	for gap < end && text[gap] == ' ' {
		gap++
	}
	return stop, gap
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// fitting is how many bytes of s fit into width, at least one rune.
func fitting(s string, width float32) int {
	best := utf8.RuneLen(firstRune(s))
	lo, hi := best, len(s)
	for lo <= hi {
		mid := (lo + hi) / 2
		for mid > best && mid < len(s) && !utf8.RuneStart(s[mid]) {
			mid--
		}
		if measure(s[:mid], theme.SizeText, false) <= width {
			best = mid
			lo = (lo+hi)/2 + 1
		} else {
			hi = mid - 1
		}
	}
	return max(1, best)
}

// ellipsis shortens s to width in one line.
func ellipsis(s string, width, size float32, bold bool) string {
	if i := strings.IndexAny(s, "\n\r\t"); i >= 0 {
		s = strings.Join(strings.Fields(s), " ")
	}
	if len(s) > 400 { // far more than a line holds; saves measuring a long text
		s = s[:400]
		for !utf8.ValidString(s) && len(s) > 396 {
			s = s[:len(s)-1]
		}
	}
	if measure(s, size, bold) <= width {
		return s
	}
	runes := []rune(s)
	lo, hi := 0, len(runes)
	for lo < hi {
		mid := (lo + hi + 1) / 2
		if measure(string(runes[:mid])+"…", size, bold) <= width {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return strings.TrimRight(string(runes[:lo]), " ") + "…"
}

// newText makes a one-line text in a colour of the theme; paint sets the colour.
func newText(size float32, bold bool) *canvas.Text {
	t := canvas.NewText("", nil)
	t.TextSize, t.TextStyle.Bold = size, bold
	return t
}

// put places a text with its top left corner at x, y and its own size.
func put(t *canvas.Text, x, y float32) fyne.Size {
	m := t.MinSize()
	t.Resize(m)
	t.Move(fyne.NewPos(x, y))
	return m
}

// set changes a text; it is redrawn only if something changed.
func set(t *canvas.Text, s string, c fyne.ThemeColorName) {
	col := theme.Color(c)
	if t.Text == s && t.Color == col {
		return
	}
	t.Text, t.Color = s, col
	t.Refresh()
}

// seeThrough is a colour that is not seen. Unlike color.Transparent it is not black
// underneath, which would show at the edges where it meets a stroke.
func seeThrough(n fyne.ThemeColorName) color.Color {
	c, _ := color.NRGBAModel.Convert(theme.Color(n)).(color.NRGBA)
	c.A = 0
	return c
}
