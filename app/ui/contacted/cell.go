package contacted

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// headPad is the room above and below a group's head.
const (
	headAbove = 14
	headBelow = 6
	cellPad   = 8 // at the sides
)

// cell is a line of the list: it shows a head or a machine.
type cell struct {
	widget.BaseWidget
	head, row          *fyne.Container
	title, why, learns *parts.Text
	name, where        *parts.Text
}

func newCell() *cell {
	c := &cell{
		title: parts.Label(""), why: parts.Muted(""), learns: parts.Muted(""),
		name: parts.Body(""), where: parts.Tiny(""),
	}
	c.head = parts.Pad(parts.Column(2, c.title, c.why, c.learns), headAbove, cellPad, headBelow, cellPad)
	c.row = parts.Pad(parts.Column(1, c.name, c.where), 4, cellPad, 4, cellPad+12)
	c.ExtendBaseWidget(c)
	return c
}

// set shows a line.
func (c *cell) set(l line, now time.Time) {
	c.head.Hidden, c.row.Hidden = !l.head(), l.head()
	if l.head() {
		c.title.SetText(parts.T(kindTitles[l.kind]) + " (" + parts.N("screens.contacted.count", l.count) + ")")
		c.why.SetText(parts.T("screens.contacted.why", parts.With("Why", parts.T("contacted."+l.kind+".why"))))
		c.learns.SetText(parts.T("screens.contacted.learns", parts.With("Learns", parts.T("contacted."+l.kind+".learns"))))
	} else {
		name, where := words(l.machine, now)
		c.name.SetText(name)
		c.where.SetText(where)
	}
	c.Refresh()
}

// words name a machine and say where it is and when it was contacted.
func words(m core.Contacted, now time.Time) (name, where string) {
	times := parts.Moment(m.Last, now)
	if m.Count > 1 {
		times = parts.T("screens.contacted.times", parts.With("N", m.Count, "First", parts.Moment(m.First, now), "Last", parts.Moment(m.Last, now)))
	}
	if m.Name == "" {
		return m.Addr, times
	}
	return m.Name, strings.Join([]string{m.Addr, times}, " · ")
}

// headHeight is how high the head is at a width.
func (c *cell) headHeight(width float32) float32 {
	c.head.Resize(fyne.NewSize(width, c.head.Size().Height))
	return c.head.MinSize().Height
}

// CreateRenderer implements fyne.Widget.
func (c *cell) CreateRenderer() fyne.WidgetRenderer { return &cellRenderer{c} }

type cellRenderer struct{ c *cell }

func (r *cellRenderer) Destroy()           {}
func (r *cellRenderer) MinSize() fyne.Size { return fyne.NewSize(100, rowHeight) }
func (r *cellRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.c.head, r.c.row}
}

func (r *cellRenderer) Layout(s fyne.Size) {
	r.c.head.Resize(s)
	r.c.row.Resize(s)
}

func (r *cellRenderer) Refresh() {
	r.c.head.Refresh()
	r.c.row.Refresh()
}
