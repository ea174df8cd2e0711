// Package addcontact is the screen on which two people find each other: my code
// to be taken in by others, others' codes to be taken in by me, and the people in
// this network who chose to be visible. Whatever comes in, a picture, a file, a
// pasted text, is hostile until the core has accepted it; each way to be wrong has
// its own sentence.
package addcontact

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Config is what the screen is given.
type Config struct {
	parts.Env
	// Open shows the conversation with a new contact; nil shows no button for it.
	Open func(chat.PersonID)
	// OpenMailbox leads to where the access link of a mailbox belongs; nil shows no
	// button for it.
	OpenMailbox func(link string)
	// ClipboardPicture and PickFile are those of codes.Config.
	ClipboardPicture func(ctx context.Context) ([]byte, error)
	PickFile         func(chosen func(path string))
	// SaveFile saves data under a name and returns the path; nil saves into the
	// person's downloads. It runs away from the UI thread.
	SaveFile func(name string, data []byte) (path string, err error)
}

// Widths in dp.
const (
	maxWidth = 860
	// twoColumns is the width from which the two codes stand side by side.
	twoColumns = 620
	// codeSide is five pixels for each module of an invitation.
	codeSide = 325
)

// Screen is the screen. All its methods belong to the UI thread.
type Screen struct {
	cfg    Config
	mine   *mine
	theirs *theirs
	near   *nearby
	root   fyne.CanvasObject
}

// New builds the screen. Show fills it.
func New(cfg Config) *Screen {
	if cfg.SaveFile == nil {
		cfg.SaveFile = files.Save
	}
	s := &Screen{cfg: cfg}
	s.mine, s.theirs, s.near = newMine(&s.cfg), newTheirs(&s.cfg), newNearby(&s.cfg)
	right := parts.Column(parts.Section, s.theirs.root, s.near.root) // those who are near are seen without scrolling
	codes := container.New(&columns{from: twoColumns, gap: 16}, s.mine.root, right)
	all := parts.Column(parts.Section, s.near.waiting, s.near.requests.Object(), codes)
	s.near.relayout = all.Refresh
	s.root = container.NewVScroll(parts.Pad(parts.AtMost(maxWidth, all), parts.Edge, parts.Edge, parts.Edge, parts.Edge))
	return s
}

// Title names the screen.
func (s *Screen) Title() string { return parts.T("screens.add.title") }

// Object is what to show.
func (s *Screen) Object() fyne.CanvasObject { return s.root }

// Show is called each time the screen comes to the front.
func (s *Screen) Show() {
	s.theirs.form.Reset()
	s.mine.load()
	s.near.load()
}

// Hide is called when another screen takes its place.
func (s *Screen) Hide() { s.mine.stop() }

// Focus puts the keyboard where a link is pasted.
func (s *Screen) Focus() { s.cfg.Window.Canvas().Focus(s.theirs.form.Entry) }

// Changed is called with what happened in the core.
func (s *Screen) Changed(events []event.Event) {
	var near, mine bool
	for _, e := range events {
		switch e.Kind {
		case event.InvitationChanged:
			mine = true
		case event.NearbyChanged, event.PairingChanged, event.RequestChanged, event.SettingsChanged, event.ContactChanged:
			near = true
		default:
		}
	}
	if mine {
		s.mine.check()
	}
	if near {
		s.near.load()
	}
}

// Dropped takes what was dragged into the window.
func (s *Screen) Dropped(items []fyne.URI) { s.theirs.form.Dropped(items) }

// Offer takes in an invitation that was met on another screen.
func (s *Screen) Offer(code string) { s.theirs.form.Offer(code) }

// columns places two objects side by side from a width on, else one below the
// other.
type columns struct {
	from, gap, width float32
}

// Layout implements fyne.Layout.
func (c *columns) Layout(o []fyne.CanvasObject, s fyne.Size) {
	c.width = s.Width
	if s.Width >= c.from {
		w := (s.Width - c.gap) / 2
		for i, x := range o {
			x.Move(fyne.NewPos(float32(i)*(w+c.gap), 0))
			x.Resize(fyne.NewSize(w, s.Height))
		}
		return
	}
	y := float32(0)
	for _, x := range o {
		x.Resize(fyne.NewSize(s.Width, x.Size().Height))
		h := x.MinSize().Height
		x.Move(fyne.NewPos(0, y))
		x.Resize(fyne.NewSize(s.Width, h))
		y += h + c.gap
	}
}

// MinSize implements fyne.Layout.
func (c *columns) MinSize(o []fyne.CanvasObject) fyne.Size {
	var m fyne.Size
	sum := -c.gap
	for _, x := range o {
		w := c.width
		if w >= c.from {
			w = (w - c.gap) / 2
		}
		if w > 0 && x.Size().Width != w {
			x.Resize(fyne.NewSize(w, x.Size().Height))
		}
		m = m.Max(x.MinSize())
		sum += x.MinSize().Height + c.gap
	}
	if c.width < c.from {
		m.Height = sum
	}
	return m
}
