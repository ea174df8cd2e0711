package rights

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/gdpr"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// section is a card with a heading.
func section(key string, icon icons.Name, objects ...fyne.CanvasObject) fyne.CanvasObject {
	head := parts.Beside(10, parts.Mark(icons.New(icon)), parts.Head(parts.T(key)), nil)
	return parts.Card(parts.Column(12, append([]fyne.CanvasObject{head}, objects...)...), 20)
}

func button(key string, icon icons.Name, do func()) *parts.Button {
	return parts.NewButtonWithIcon(parts.T(key), icons.New(icon), do)
}

// table shows how much of what is kept, since when, and for how long. What there is
// nothing of is left out.
func table(held []chat.Holding, used core.FileUsage) []fyne.CanvasObject {
	row := func(what, count, since fyne.CanvasObject) fyne.CanvasObject {
		return container.New(&columns{}, what, count, since)
	}
	out := []fyne.CanvasObject{parts.Pad(row(parts.Tiny(parts.T("rights.held.what")), parts.Tiny(parts.T("rights.held.count")).Trailing(),
		parts.Tiny(parts.T("rights.held.since")).Trailing()), 0, 0, 4, 0)}
	for _, h := range held {
		if h.Count == 0 {
			continue
		}
		since := "–"
		if gdpr.Since(h) {
			since = parts.Day(h.Oldest)
		}
		name := parts.T("gdpr.kept." + h.Kind)
		if h.Kind == "files" && used.Bytes > 0 {
			name += " (" + parts.Bytes(used.Bytes) + ")"
		}
		what := parts.Column(1, parts.Body(name), parts.Tiny(parts.T("gdpr.kept."+h.Kind+".how")))
		out = append(out, parts.Line(), parts.Pad(row(what, parts.Body(parts.Count(h.Count)).Trailing(), parts.Body(since).Trailing()), 7, 0, 7, 0))
	}
	if len(out) == 1 {
		return []fyne.CanvasObject{parts.Muted(parts.T("rights.held.none"))}
	}
	return out
}

// The columns' widths in dp, and the room between them.
const (
	countWidth = 70
	sinceWidth = 86
	columnGap  = 12
)

// columns places a wide first column and two narrow ones.
type columns struct{ width float32 }

func (c *columns) first(width float32) float32 {
	return max(40, width-countWidth-sinceWidth-2*columnGap)
}

// Layout implements fyne.Layout.
func (c *columns) Layout(o []fyne.CanvasObject, s fyne.Size) {
	c.width = s.Width
	w := c.first(s.Width)
	for i, at := range []struct{ x, w float32 }{{0, w}, {w + columnGap, countWidth}, {s.Width - sinceWidth, sinceWidth}} {
		o[i].Move(fyne.NewPos(at.x, 0))
		o[i].Resize(fyne.NewSize(at.w, s.Height))
	}
}

// MinSize implements fyne.Layout.
func (c *columns) MinSize(o []fyne.CanvasObject) fyne.Size {
	if c.width > 0 {
		o[0].Resize(fyne.NewSize(c.first(c.width), o[0].Size().Height))
	}
	return fyne.NewSize(countWidth+sinceWidth+2*columnGap+80, o[0].MinSize().Height)
}
