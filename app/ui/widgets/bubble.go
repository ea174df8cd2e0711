package widgets

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	ftheme "fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

const (
	quoteHeight = 42
	quoteBar    = 3
	quoteRadius = 6
	quoteLeast  = 160 // width of a quote in a short bubble
	footGap     = 12  // between a text's last line and the time
	moreSide    = 28
	panelWidth  = 340
	panelShut   = 32 // side of the place to press that closes the panel
	panelCross  = 14
	bigEmoji    = 36 // size of a text that is nothing but emoji
)

// baseline is how far under its top a text of a size stands.
func baseline(size float32) float32 {
	_, b := fyne.CurrentApp().Driver().RenderedTextSize("x", size, fyne.TextStyle{}, nil)
	return b
}

// bubbleGeometry is what is worked out before anything is placed.
type bubbleGeometry struct {
	lines      []line
	lineHeight float32
	foot       float32 // width of word, time and sign
	inner      float32 // width of the content
	inline     bool    // the foot stands on the last line
	more       float32 // height of the link to the rest of the text
}

// geometry fits text and foot into a bubble of at most most.
func (v *itemView) geometry(most float32) bubbleGeometry {
	it := &v.item
	room := most - 2*theme.BubblePadX
	v.textSize = theme.SizeText
	g := bubbleGeometry{foot: v.footWidth()}
	if it.Files != nil { // the text is as wide as the pictures
		room = min(room, PictureWidth)
		g.inner = room
	}
	switch {
	case it.Files != nil && it.Text == "":
	case emojiAlone(it.Text):
		v.textSize = bigEmoji
		g.lines = []line{{0, len(it.Text), min(room, measure(it.Text, bigEmoji, false))}}
	default:
		g.lines = wrap(it.shown(), room)
	}
	g.lineHeight = height(v.textSize, false)
	for _, l := range g.lines {
		g.inner = max(g.inner, l.width)
	}
	if it.Quote != "" {
		want := max(quoteLeast, measure(it.Quote, theme.SizeStatus, false), measure(it.QuoteWho, theme.SizeStatus, true))
		g.inner = max(g.inner, min(want+quoteBar+17, room))
	}
	if it.More != "" {
		g.inner = max(g.inner, min(room, measure(it.More, theme.SizePreview, true)))
		g.more = g.lineHeight + 6
	}
	if len(g.lines) == 0 { // nothing but files
		g.inner = min(max(g.inner, g.foot), room)
		return g
	}
	last := g.lines[len(g.lines)-1].width + footGap + g.foot + g.more*1000 // never on a line with the link
	g.inline = last <= max(g.inner, room*boolean(len(g.lines) == 1))
	if g.inline {
		g.inner = max(g.inner, last)
	}
	g.inner = min(max(g.inner, g.foot), room)
	return g
}

func boolean(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

// foot is what stands before the sign.
func (v *itemView) foot() string {
	if v.item.Word != "" {
		return v.item.Word + " · " + v.item.Time
	}
	return v.item.Time
}

func (v *itemView) footWidth() float32 {
	w := measure(v.foot(), theme.SizeCaption, false)
	if v.item.Mark != MarkNone {
		w += 4 + markWidth
	}
	return w
}

// layBubble lays out a message and what belongs under it.
func (v *itemView) layBubble(w float32) float32 {
	it := &v.item
	x0, cw := column(w)
	most := min(theme.BubbleMax, cw*theme.BubbleShare-theme.Gutter)
	g := v.geometry(most)
	width := g.inner + 2*theme.BubblePadX
	x, y := x0+theme.Gutter, float32(theme.GapGroup)
	if it.Own {
		x = x0 + cw - theme.Gutter - width
	}
	if it.First {
		y = theme.GapSender
	}
	top := y
	ground := v.rect(x, y, width, 1, 0, "")
	y += theme.BubblePadY
	y = v.layQuote(x+theme.BubblePadX, y, g.inner)
	y = v.layFiles(x+theme.BubblePadX, y, min(g.inner, PictureWidth))
	v.layText(x+theme.BubblePadX, y, g)
	y += g.lineHeight * float32(len(g.lines))
	y = v.layRest(x+theme.BubblePadX, y, g)
	y = v.layFoot(x+width-theme.BubblePadX, y, g)
	v.layGround(ground, x, top, width, y-top)
	v.layMore(x, top, width, y-top)
	y = v.layNote(x0, cw, y)
	y = v.layPanel(x0, cw, y)
	v.layCursor(x, top, width)
	return y
}

// layGround shapes the bubble: the corners where it meets its group are small.
func (v *itemView) layGround(r *canvas.Rectangle, x, y, w, h float32) {
	it := &v.item
	fill := theme.ColorOther
	r.TopLeftCornerRadius, r.TopRightCornerRadius = theme.Radius, theme.Radius
	r.BottomLeftCornerRadius, r.BottomRightCornerRadius = theme.Radius, theme.Radius
	if it.Own {
		fill = theme.ColorOwn
		r.BottomRightCornerRadius = theme.Tail
		if !it.First {
			r.TopRightCornerRadius = theme.Tail
		}
	} else {
		r.BottomLeftCornerRadius = theme.Tail
		if !it.First {
			r.TopLeftCornerRadius = theme.Tail
		}
		r.StrokeWidth, r.StrokeColor = 1, theme.Color(ftheme.ColorNameSeparator)
	}
	r.FillColor = theme.Color(fill)
	r.Resize(fyne.NewSize(w, h))
	r.Move(fyne.NewPos(x, y))
	v.bubble = hit{pos: fyne.NewPos(x, y), size: fyne.NewSize(w, h)}
}

func (v *itemView) layQuote(x, y, w float32) float32 {
	it := &v.item
	if it.Quote == "" {
		return y
	}
	v.rect(x, y, w, quoteHeight, quoteRadius, theme.ColorQuote)
	v.rect(x, y, quoteBar, quoteHeight, 1.5, theme.ColorPrimaryOnTint)
	room := w - quoteBar - 15
	v.text(ellipsis(it.QuoteWho, room, theme.SizeStatus, true), x+quoteBar+7, y+4, theme.SizeStatus, true, theme.ColorPrimaryOnTint)
	v.text(ellipsis(it.Quote, room, theme.SizeStatus, false), x+quoteBar+7, y+21, theme.SizeStatus, false, theme.ColorMutedOnTint)
	v.hits = append(v.hits, hit{fyne.NewPos(x, y), fyne.NewSize(w, quoteHeight), func(fyne.Position) { v.h.call(v.h.OnQuote, v.item) }})
	return y + quoteHeight + 6
}

func (v *itemView) layText(x, y float32, g bubbleGeometry) {
	v.lines, v.textPos = g.lines, fyne.NewPos(x, y)
	v.laySelection(g.lineHeight)
	for i, l := range g.lines {
		if l.end > l.start {
			v.text(v.item.Text[l.start:l.end], x, y+float32(i)*g.lineHeight, v.textSize, false, ftheme.ColorNameForeground)
		}
	}
}

// layRest places the link to the rest of a long text.
func (v *itemView) layRest(x, y float32, g bubbleGeometry) float32 {
	if v.item.More == "" {
		return y
	}
	w := measure(v.item.More, theme.SizePreview, true)
	v.text(v.item.More, x, y+5, theme.SizePreview, true, theme.ColorPrimaryOnTint)
	v.hits = append(v.hits, hit{fyne.NewPos(x-4, y+2), fyne.NewSize(w+8, g.more), func(fyne.Position) { v.h.call(v.h.OnMore, v.item) }})
	return y + g.more
}

// laySelection paints what is selected of the text.
func (v *itemView) laySelection(lineHeight float32) {
	from, to := v.h.selectionIn(v.item.Key)
	if from >= to {
		return
	}
	for i, l := range v.lines {
		a, b := max(from, l.start), min(to, l.end)
		if a >= b {
			continue
		}
		x := measure(v.item.Text[l.start:a], v.textSize, false)
		w := measure(v.item.Text[l.start:b], v.textSize, false) - x
		v.rect(v.textPos.X+x, v.textPos.Y+float32(i)*lineHeight, w, lineHeight, 2, ftheme.ColorNameSelection)
	}
}

// layFoot places word, time and sign at the right and returns the bubble's bottom.
func (v *itemView) layFoot(right, y float32, g bubbleGeometry) float32 {
	it := &v.item
	h := height(theme.SizeCaption, false)
	fy := y + 1
	if g.inline {
		fy = y - g.lineHeight + baseline(v.textSize) - baseline(theme.SizeCaption)
	} else {
		y += h + 2
	}
	x := right - g.foot
	c := theme.ColorMutedOnTint
	if it.Mark == MarkFailed {
		c = theme.ColorErrorOnTint
	}
	v.text(v.foot(), x, fy, theme.SizeCaption, false, c)
	if it.Mark != MarkNone {
		if v.sign == nil {
			v.sign = newSign()
		}
		v.sign.set(it.Mark, theme.ColorMutedOnTint)
		v.sign.place(right-markWidth, fy+(h-markHeight)/2)
		v.objects = append(v.objects, v.sign.img)
	}
	if it.Own {
		v.hits = append(v.hits, hit{fyne.NewPos(x-4, fy-4), fyne.NewSize(g.foot+8, h+8), func(fyne.Position) { v.h.call(v.h.OnDetails, v.item) }})
	}
	return y + theme.BubblePadY
}

// layMore places the button for the menu beside the bubble while the pointer is
// over it.
func (v *itemView) layMore(x, y, w, h float32) {
	if !v.hovered {
		return
	}
	bx := x + w + 8
	if v.item.Own {
		bx = x - 8 - moreSide
	}
	by := y + (h-moreSide)/2
	r := v.rect(bx, by, moreSide, moreSide, moreSide/2, ftheme.ColorNameBackground)
	r.StrokeWidth, r.StrokeColor = 1, theme.Color(ftheme.ColorNameSeparator)
	if v.more == nil {
		v.more = canvas.NewImageFromResource(nil)
	}
	res := icons.Colored(icons.More, theme.ColorMuted)
	if v.more.Resource == nil || v.more.Resource.Name() != res.Name() {
		v.more.Resource = res
		v.more.Refresh()
	}
	v.more.Resize(fyne.NewSquareSize(theme.Icon))
	v.more.Move(fyne.NewPos(bx+(moreSide-theme.Icon)/2, by+(moreSide-theme.Icon)/2))
	v.objects = append(v.objects, v.more)
	v.hits = append(v.hits, hit{fyne.NewPos(bx, by), fyne.NewSquareSize(moreSide), func(abs fyne.Position) { v.h.menu(v.item, abs) }})
}

// layNote says under the bubble what it waits for or why it failed, and what can
// be done.
func (v *itemView) layNote(x0, cw, y float32) float32 {
	it := &v.item
	if it.Note == "" {
		return y
	}
	c := theme.ColorMuted
	if it.Failed {
		c = ftheme.ColorNameError
	}
	h := height(theme.SizeStatus, false)
	right := x0 + cw - theme.Gutter - 2
	y += 3
	top := y
	for _, l := range wrapSmall(it.Note, min(theme.BubbleMax, cw*theme.BubbleShare)) {
		v.text(l, right-measure(l, theme.SizeStatus, false), y, theme.SizeStatus, false, c)
		y += h
	}
	if !it.Failed {
		left := x0 + cw*(1-theme.BubbleShare)
		v.hits = append(v.hits, hit{fyne.NewPos(left, top), fyne.NewSize(right-left, y-top), func(fyne.Position) { v.h.call(v.h.OnDetails, v.item) }})
	}
	if it.Action != "" {
		w := measure(it.Action, theme.SizeStatus, true)
		v.text(it.Action, right-w, y+2, theme.SizeStatus, true, ftheme.ColorNamePrimary)
		v.hits = append(v.hits, hit{fyne.NewPos(right-w-6, y-2), fyne.NewSize(w+12, h+8), func(fyne.Position) { v.h.call(v.h.OnAction, v.item) }})
		y += h + 4
	}
	return y + 3
}

// layPanel shows where the message is, line by line; the first line is bold.
func (v *itemView) layPanel(x0, cw, y float32) float32 {
	it := &v.item
	if it.Detail == "" {
		return y
	}
	w := min(panelWidth, cw-2*theme.Gutter)
	x := x0 + theme.Gutter
	if it.Own {
		x = x0 + cw - theme.Gutter - w
	}
	y += 4
	ground := v.rect(x, y, w, 1, 10, theme.ColorSidebar)
	ground.StrokeWidth, ground.StrokeColor = 1, theme.Color(ftheme.ColorNameSeparator)
	top, h := y, height(theme.SizeStatus, false)
	y += 10
	for i, para := range strings.Split(it.Detail, "\n") {
		c, room := theme.ColorMuted, w-28
		if i == 0 {
			c, room = ftheme.ColorNameForeground, w-28-panelShut
		}
		for _, l := range wrapSmall(para, room) {
			v.text(l, x+12, y, theme.SizeStatus, i == 0, c)
			y += h
		}
		y += 3
	}
	y += 7
	ground.Resize(fyne.NewSize(w, y-top))
	v.layShut(x+w-panelShut-2, top+2)
	return y + 2
}

// layShut places the cross that closes the panel.
func (v *itemView) layShut(x, y float32) {
	if v.shut == nil {
		v.shut = canvas.NewImageFromResource(nil)
	}
	res := icons.Colored(icons.Close, theme.ColorMuted)
	if v.shut.Resource == nil || v.shut.Resource.Name() != res.Name() {
		v.shut.Resource = res
		v.shut.Refresh()
	}
	v.shut.Resize(fyne.NewSquareSize(panelCross))
	v.shut.Move(fyne.NewPos(x+(panelShut-panelCross)/2, y+(panelShut-panelCross)/2))
	v.objects = append(v.objects, v.shut)
	v.hits = append(v.hits, hit{fyne.NewPos(x, y), fyne.NewSquareSize(panelShut), func(fyne.Position) { v.h.call(v.h.OnDetails, v.item) }})
}

// layCursor rings the message that the keyboard is on, or that a search led to.
func (v *itemView) layCursor(x, y, w float32) {
	if v.cursor || v.item.Marked {
		r := v.rect(x-3, y-2, w+6, v.bubble.size.Height+4, theme.Radius+2, "")
		r.StrokeWidth, r.StrokeColor = 2, theme.Color(ftheme.ColorNamePrimary)
	}
}
