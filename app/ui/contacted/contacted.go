// Package contacted is the page "who knows what": each machine that this computer
// contacted in the last 24 hours, why, and what that machine could learn.
package contacted

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

const (
	maxWidth  = 760
	rowHeight = 46
)

// kinds are the groups in their order: the known first.
var kinds = []string{"person", "invite", "node", "theirs", "search", "router", "stranger"}

var kindTitles = map[string]string{
	"person": "screens.contacted.person", "invite": "screens.contacted.invite", "node": "screens.contacted.node",
	"theirs": "screens.contacted.theirs", "search": "screens.contacted.search", "router": "screens.contacted.router",
	"stranger": "screens.contacted.stranger",
}

// line is one line of the list: a group's head, or a machine.
type line struct {
	kind    string
	count   int // of the group; a head's
	machine core.Contacted
}

func (l line) head() bool { return l.count > 0 }

// Screen is the page. Its methods belong to the UI thread.
type Screen struct {
	env    parts.Env
	newest parts.Newest
	lines  []line

	root  fyne.CanvasObject
	say   *parts.Say
	none  *parts.Text
	list  *widget.List
	probe *cell // measures how high the heads are
	width float32
}

// New builds the page. Show fills it.
func New(env parts.Env) *Screen {
	s := &Screen{env: env, say: parts.NewSay(), none: parts.Muted(parts.T("screens.contacted.none")).Centered(), probe: newCell()}
	s.list = widget.NewList(func() int { return len(s.lines) }, func() fyne.CanvasObject { return newCell() }, s.update)
	s.list.HideSeparators = true
	s.list.OnSelected = func(i widget.ListItemID) { s.list.Unselect(i) }
	s.none.Hide()
	stack := container.New(&measured{s}, s.list, parts.Pad(s.none, 32, 20, 0, 20))
	body := parts.Filled(8, parts.Pad(parts.Muted(parts.T("screens.contacted.text")), 0, cellPad, 0, cellPad), s.say, stack)
	s.root = parts.Pad(parts.AtMost(maxWidth, body), parts.Edge, parts.Edge, 0, parts.Edge)
	return s
}

// Title names the page.
func (s *Screen) Title() string { return parts.T("screens.contacted.title") }

// Object is what to show.
func (s *Screen) Object() fyne.CanvasObject { return s.root }

// Show is called each time the page comes to the front.
func (s *Screen) Show() { s.load() }

// Changed is called with what happened in the core. What is contacted changes all
// the time; the page follows when something that people notice did.
func (s *Screen) Changed(events []event.Event) {
	for _, e := range events {
		switch e.Kind {
		case event.NetworkChanged, event.NodeChanged, event.ContactChanged:
			s.load()
			return
		default:
		}
	}
}

func (s *Screen) load() {
	fresh := s.newest.Ask()
	s.env.Work(func(ctx context.Context) func() {
		all, err := s.env.Client.Contacted(ctx)
		return func() {
			switch {
			case !fresh():
			case err != nil:
				s.say.Set(parts.ToneError, parts.T("screens.code.unknown"))
			default:
				s.say.Clear()
				s.show(all)
			}
		}
	})
}

// show groups the machines by why they were contacted.
func (s *Screen) show(all []core.Contacted) {
	s.lines = nil
	for _, k := range kinds {
		var group []line
		for _, m := range all {
			if m.Kind == k {
				group = append(group, line{kind: k, machine: m})
			}
		}
		if len(group) > 0 {
			s.lines = append(append(s.lines, line{kind: k, count: len(group)}), group...)
		}
	}
	s.none.Hidden = len(s.lines) > 0
	s.measure()
	s.root.Refresh()
	s.list.Refresh()
}

// measure tells the list how high the heads are at the present width.
func (s *Screen) measure() {
	if s.width <= 0 {
		return
	}
	for i, l := range s.lines {
		h := float32(rowHeight)
		if l.head() {
			s.probe.set(l, s.env.Now())
			h = s.probe.headHeight(s.width)
		}
		s.list.SetItemHeight(i, h)
	}
}

func (s *Screen) update(i widget.ListItemID, o fyne.CanvasObject) {
	if c, ok := o.(*cell); ok && i < len(s.lines) {
		c.set(s.lines[i], s.env.Now())
	}
}

// measured gives its objects the same place and has the heads measured when its
// width changes.
type measured struct{ s *Screen }

// Layout implements fyne.Layout.
func (m *measured) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	if m.s.width != size.Width {
		m.s.width = size.Width
		m.s.measure()
	}
	for _, o := range objects {
		o.Resize(size)
	}
}

// MinSize implements fyne.Layout.
func (m *measured) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(200, 2*rowHeight) }
