package uitest

import (
	"context"
	"os"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/assets/translations"
)

// Env is a window of Fyne's test driver with a client behind it. Work runs at
// once, so that a test sees what comes of it.
func Env(t testing.TB, c *Client, language string, w, h float32) parts.Env {
	t.Helper()
	a := test.NewTempApp(t)
	a.Settings().SetTheme(theme.New(theme.Light))
	if err := translations.Register(language); err != nil {
		t.Fatal(err)
	}
	win := a.NewWindow("test")
	t.Cleanup(win.Close)
	win.SetPadded(false)
	win.Resize(fyne.NewSize(w, h))
	return parts.Env{Client: c, Window: win, Work: Inline, Now: func() time.Time { return Now }}
}

// Inline runs work and shows what comes of it at once.
func Inline(work func(ctx context.Context) func()) {
	if show := work(context.Background()); show != nil {
		show()
	}
}

// Later keeps work until Run: what is seen meanwhile is what a slow core shows.
type Later struct {
	queue []func(ctx context.Context) func()
}

// Work queues.
func (l *Later) Work(work func(ctx context.Context) func()) { l.queue = append(l.queue, work) }

// Run does everything that is queued, in order, and what that queues.
func (l *Later) Run() {
	for len(l.queue) > 0 {
		next := l.queue[0]
		l.queue = l.queue[1:]
		Inline(next)
	}
}

// Waiting is how much is queued.
func (l *Later) Waiting() int { return len(l.queue) }

// All walks over everything visible in a window, overlays last, with absolute
// positions.
func All(w fyne.Window, visit func(o fyne.CanvasObject, at fyne.Position)) {
	all(w, func(o fyne.CanvasObject, at fyne.Position) bool {
		visit(o, at)
		return true
	})
}

// all is All; visit says whether to go into the object.
func all(w fyne.Window, visit func(o fyne.CanvasObject, at fyne.Position) bool) {
	roots := append([]fyne.CanvasObject{w.Content()}, w.Canvas().Overlays().List()...)
	for _, r := range roots {
		walk(r, r.Position(), visit)
	}
}

func walk(o fyne.CanvasObject, at fyne.Position, visit func(o fyne.CanvasObject, at fyne.Position) bool) {
	if o == nil || !o.Visible() || !visit(o, at) {
		return
	}
	var children []fyne.CanvasObject
	switch o := o.(type) {
	case *fyne.Container:
		children = o.Objects
	case fyne.Widget:
		children = test.WidgetRenderer(o).Objects()
	}
	for _, c := range children {
		if c != nil {
			walk(c, at.Add(c.Position()), visit)
		}
	}
}

// Texts are all words that a person sees, in order.
func Texts(w fyne.Window) []string {
	var out []string
	All(w, func(o fyne.CanvasObject, _ fyne.Position) {
		switch o := o.(type) {
		case *parts.Text:
			out = append(out, o.Text())
		case *canvas.Text:
			out = append(out, o.Text)
		}
	})
	return out
}

// Shown reports whether an object is seen in the window.
func Shown(w fyne.Window, o fyne.CanvasObject) bool {
	found := false
	All(w, func(other fyne.CanvasObject, _ fyne.Position) { found = found || other == o })
	return found
}

// Says reports whether a text stands somewhere in the window.
func Says(w fyne.Window, text string) bool {
	for _, t := range Texts(w) {
		if t == text {
			return true
		}
	}
	return false
}

// Button finds a button by its words, the last one drawn: that of a dialog before
// that of the screen below it.
func Button(t testing.TB, w fyne.Window, text string) *parts.Button {
	t.Helper()
	var found *parts.Button
	All(w, func(o fyne.CanvasObject, _ fyne.Position) {
		if b := asButton(o); b != nil && b.Text == text {
			found = b
		}
	})
	if found == nil {
		t.Fatalf("there is no button %q; the window says %q", text, Texts(w))
	}
	return found
}

// asButton returns o as a button, nil if it is none.
func asButton(o fyne.CanvasObject) *parts.Button {
	b, _ := o.(*parts.Button)
	return b
}

// Press presses a button that must be there and enabled.
func Press(t testing.TB, w fyne.Window, text string) {
	t.Helper()
	b := Button(t, w, text)
	if b.Disabled() {
		t.Fatalf("the button %q is disabled", text)
	}
	test.Tap(b)
}

// Settle lays everything out again, as a real window does whenever something wants
// another size.
func Settle(w fyne.Window) {
	z := w.Canvas().Size()
	for range 2 {
		w.Resize(z.AddWidthHeight(0, 1))
		w.Resize(z)
	}
}

// Overflow reports every text that is wider than the place it has, or that
// reaches beyond the window at the sides.
func Overflow(t testing.TB, w fyne.Window) {
	t.Helper()
	Settle(w)
	width := w.Canvas().Size().Width
	all(w, func(o fyne.CanvasObject, at fyne.Position) bool {
		if b := asButton(o); b != nil && (b.MinSize().Width > b.Size().Width+0.5 || at.X+b.Size().Width > width+0.5) {
			t.Errorf("button %q needs %.0f and has %.0f at %.0f", b.Text, b.MinSize().Width, b.Size().Width, at.X)
		}
		if o, ok := o.(*canvas.Text); ok {
			m := o.MinSize()
			if o.Text != "" && (m.Width > o.Size().Width+0.5 || at.X < -0.5 || at.X+m.Width > width+0.5) {
				t.Errorf("%q needs %.0f at %.0f and has %.0f of %.0f", o.Text, m.Width, at.X, o.Size().Width, width)
			}
		}
		if c, ok := o.(*fyne.Container); ok {
			within(t, c)
		}
		_, scrolls := o.(*widget.Entry) // its text moves with the cursor
		return !scrolls
	})
}

// within reports what is wider than the container it is in.
func within(t testing.TB, c *fyne.Container) {
	t.Helper()
	for _, o := range c.Objects {
		if o != nil && o.Visible() && o.Position().X+o.Size().Width > c.Size().Width+0.5 {
			t.Errorf("%T reaches to %.0f in a %T of %.0f", o, o.Position().X+o.Size().Width, c.Layout, c.Size().Width)
		}
	}
}

// Reach presses Tab until the focus comes round, and returns everything that had
// it, in order.
func Reach(w fyne.Window) []fyne.Focusable {
	var out []fyne.Focusable
	seen := map[fyne.Focusable]bool{}
	c := w.Canvas()
	c.Unfocus()
	for range 200 {
		test.FocusNext(c)
		f := c.Focused()
		if f == nil || seen[f] {
			return out
		}
		seen[f] = true
		out = append(out, f)
	}
	return out
}

// Reachable reports every button, field, switch or choice that Tab does not reach.
func Reachable(t testing.TB, w fyne.Window) {
	t.Helper()
	got := map[fyne.Focusable]bool{}
	for _, f := range Reach(w) {
		got[f] = true
	}
	All(w, func(o fyne.CanvasObject, _ fyne.Position) {
		f, ok := o.(fyne.Focusable)
		d, can := o.(fyne.Disableable)
		if ok && (!can || !d.Disabled()) && !got[f] {
			t.Errorf("the keyboard does not reach %T", o)
		}
	})
}

// Snapshot writes a picture of the window where KUVERT_SHOTS points, for a person
// to look at; it does nothing without that.
func Snapshot(t testing.TB, w fyne.Window, name string) {
	t.Helper()
	if dir := os.Getenv("KUVERT_SHOTS"); dir != "" {
		writePNG(t, dir+"/"+name+".png", w.Canvas().Capture())
	}
}
