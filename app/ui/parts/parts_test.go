package parts_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"pgregory.net/rapid"

	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

func runes(s string) float32 { return float32(utf8.RuneCountInString(s)) }

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		width float32
		want  string
	}{
		{"", 5, ""},
		{"one two three", 7, "one two|three"},
		{"one two three", 3, "one|two|thr|ee"},
		{"a\nb", 9, "a|b"},
		{"äöü äöü", 3, "äöü|äöü"},
		{"  two   blanks ", 20, "two blanks"},
		{"xy", 0.5, "xy"}, // nothing fits: shown as it is, not lost
	} {
		if got := strings.Join(parts.Wrap(c.text, c.width, runes), "|"); got != c.want {
			t.Errorf("%q in %v: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

// TestWrapLosesNothing: whatever the text, no character is lost or swapped, and
// no line is too wide.
func TestWrapLosesNothing(t *testing.T) {
	bare := func(s string) string { return strings.Join(strings.Fields(s), "") }
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`[a-zä ß\n]{0,60}`).Draw(rt, "text")
		width := float32(rapid.IntRange(1, 20).Draw(rt, "width"))
		lines := parts.Wrap(text, width, runes)
		if bare(strings.Join(lines, "")) != bare(text) {
			rt.Fatalf("%q became %q", text, lines)
		}
		for _, l := range lines {
			if runes(l) > width {
				rt.Fatalf("%q is wider than %v", l, width)
			}
		}
	})
}

// TestColumnFollowsWidth: a wrapped text is as high as its lines at the width it
// really has, and what follows stands right below.
func TestColumnFollowsWidth(t *testing.T) {
	env := uitest.Env(t, uitest.New("Sabine"), "de", 600, 400)
	long, below := parts.Body(strings.Repeat("Wort ", 60)), parts.Body("unten")
	col := parts.Column(10, long, below)
	env.Window.SetContent(col)
	var last float32
	for _, w := range []float32{600, 300, 150} {
		col.Resize(fyne.NewSize(w, 400))
		h := long.MinSize().Height
		if h <= last {
			t.Errorf("at %v the text is %v high, not more than at the wider width (%v)", w, h, last)
		}
		if got := below.Position().Y; got != h+10 {
			t.Errorf("at %v the next stands at %v, want %v", w, got, h+10)
		}
		last = h
	}
	long.Hide()
	col.Refresh()
	if got := below.Position().Y; got != 0 {
		t.Errorf("a hidden object keeps its room: the next stands at %v", got)
	}
}

// TestQRCodeIsReadable: at every size and scale the code on the screen is one that
// our own reader reads, without any distortion by the drawing.
func TestQRCodeIsReadable(t *testing.T) {
	for _, scale := range []float32{1, 1.25, 1.5, 2} {
		env := uitest.Env(t, uitest.New("Sabine"), "de", 600, 400)
		c, ok := env.Window.Canvas().(test.WindowlessCanvas)
		if !ok {
			t.Skip("the test canvas cannot be scaled")
		}
		c.SetScale(scale)
		code := parts.NewQRCode(325)
		if err := code.SetCode(uitest.SampleCode(1)); err != nil {
			t.Fatal(err)
		}
		for _, w := range []float32{200, 263, 325, 500} {
			env.Window.SetContent(container.NewWithoutLayout(code))
			code.Resize(fyne.NewSize(w, 400))
			code.Resize(fyne.NewSize(w, code.MinSize().Height))
			got, err := qr.DecodeImage(t.Context(), env.Window.Canvas().Capture())
			if err != nil || got != uitest.SampleCode(1) {
				t.Errorf("scale %v, %v wide: %v", scale, w, err)
			}
		}
	}
}

func TestQRCodeRefuses(t *testing.T) {
	uitest.Env(t, uitest.New("Sabine"), "de", 600, 400)
	code := parts.NewQRCode(325)
	if err := code.SetCode("not a code"); !errors.Is(err, qr.ErrNotEncodable) {
		t.Errorf("got %v", err)
	}
}

func key(f fyne.Focusable, names ...fyne.KeyName) {
	for _, n := range names {
		f.TypedKey(&fyne.KeyEvent{Name: n})
	}
}

func TestChoiceByKeyboard(t *testing.T) {
	env := uitest.Env(t, uitest.New("Sabine"), "de", 600, 400)
	var got []int
	g := parts.NewChoiceGroup(0, [2]string{"A", "first"}, [2]string{"B", "second"})
	g.OnChanged = func(i int) { got = append(got, i) }
	env.Window.SetContent(parts.Column(8, g.Objects()...))
	env.Window.Canvas().Focus(g.Objects()[0].(fyne.Focusable))
	key(env.Window.Canvas().Focused(), fyne.KeyDown)
	key(env.Window.Canvas().Focused(), fyne.KeyDown) // already the last
	key(env.Window.Canvas().Focused(), fyne.KeyUp)
	if g.Selected() != 0 || len(got) != 2 || got[0] != 1 || got[1] != 0 {
		t.Errorf("chosen %d by way of %v", g.Selected(), got)
	}
	g.SetSelected(1)
	if len(got) != 2 {
		t.Error("SetSelected calls back")
	}
}

func TestSwitch(t *testing.T) {
	env := uitest.Env(t, uitest.New("Sabine"), "de", 600, 400)
	var got []bool
	s := parts.NewSwitch("Sichtbar", "Erklärung", func(on bool) { got = append(got, on) })
	env.Window.SetContent(s)
	s.TypedRune(' ')
	key(s, fyne.KeyReturn)
	test.Tap(s)
	s.SetOn(false)
	s.Disable()
	test.Tap(s)
	if len(got) != 3 || !got[0] || got[1] || !got[2] || s.On() {
		t.Errorf("turned %v, now %v", got, s.On())
	}
}

func TestSay(t *testing.T) {
	env := uitest.Env(t, uitest.New("Sabine"), "de", 600, 400)
	s := parts.NewSay()
	below := parts.Body("unten")
	col := parts.Column(10, s, below)
	env.Window.SetContent(col)
	if s.Visible() || below.Position().Y != 0 {
		t.Error("an empty line takes room")
	}
	s.Set(parts.ToneError, "Fehler")
	col.Refresh()
	if !s.Visible() || s.Text() != "Fehler" || below.Position().Y == 0 {
		t.Errorf("shown %v, says %q, next at %v", s.Visible(), s.Text(), below.Position().Y)
	}
	s.Clear()
	if s.Visible() || s.Text() != "" {
		t.Error("a cleared line is still there")
	}
}

// TestButtonByKeyboard: Enter presses it as Space does; Escape is for the window.
func TestButtonByKeyboard(t *testing.T) {
	env := uitest.Env(t, uitest.New("Sabine"), "de", 600, 400)
	pressed, left := 0, 0
	b, c, s := parts.Primary("Weiter", func() { pressed++ }), parts.NewChoiceGroup(0, [2]string{"Ja", "Nein"}).Objects()[0], parts.NewSwitch("", "", nil)
	env.Window.SetContent(container.NewVBox(b, c, s))
	env.Window.Canvas().SetOnTypedKey(func(e *fyne.KeyEvent) {
		if e.Name == fyne.KeyEscape {
			left++
		}
	})
	for _, name := range []fyne.KeyName{fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace} {
		env.Window.Canvas().Focus(b)
		key(b, name)
	}
	for _, f := range []fyne.Focusable{b, c.(fyne.Focusable), s} {
		env.Window.Canvas().Focus(f)
		key(f, fyne.KeyEscape)
	}
	b.Disable()
	key(b, fyne.KeyReturn)
	if pressed != 3 || left != 3 {
		t.Errorf("pressed %d times, left %d times", pressed, left)
	}
}

func TestModal(t *testing.T) {
	env := uitest.Env(t, uitest.New("Sabine"), "de", 600, 400)
	env.Window.SetContent(parts.Body("unten"))
	done := 0
	m := parts.Ask(env.Window, "Frage?", "Text", "Zurück", "Tun", true, func() { done++ })
	if !m.Visible() {
		t.Error("it is not shown")
	}
	uitest.Press(t, env.Window, "Zurück")
	if m.Visible() || done != 0 {
		t.Error("going back does it")
	}
	m = parts.Ask(env.Window, "Frage?", "Text", "Zurück", "Tun", true, func() { done++ })
	key(env.Window.Canvas().Focused(), fyne.KeyEscape)
	if m.Visible() || done != 0 {
		t.Error("Escape does not go back")
	}
	parts.Ask(env.Window, "Frage?", "Text", "Zurück", "Tun", true, func() { done++ })
	uitest.Press(t, env.Window, "Tun")
	if n := len(env.Window.Canvas().Overlays().List()); done != 1 || n != 0 {
		t.Errorf("done %d times, %d are left", done, n)
	}
	if env.Window.Canvas().OnTypedKey() != nil {
		t.Error("the window's own keys are gone")
	}
}

func TestMoment(t *testing.T) {
	uitest.Env(t, uitest.New("Sabine"), "de", 600, 400)
	now := time.Date(2025, 11, 24, 0, 10, 0, 0, time.Local)
	for want, at := range map[string]time.Time{
		"heute um 00:05":         now.Add(-5 * time.Minute),
		"gestern um 23:50":       now.Add(-20 * time.Minute),
		"am 22.11.2025 um 00:10": now.AddDate(0, 0, -2),
		"am 24.11.2024 um 00:10": now.AddDate(-1, 0, 0),
	} {
		if got := parts.Moment(at, now); got != want {
			t.Errorf("%v: %q, want %q", at, got, want)
		}
	}
}

// TestNewest: answers may come in any order; an old one never covers a new one.
func TestNewest(t *testing.T) {
	var n parts.Newest
	first, second, third := n.Ask(), n.Ask(), n.Ask()
	if !second() || first() || !third() || second() {
		t.Error("an old answer was taken, or a new one was not")
	}
}

// TestOrder: without a lane of its own an order goes with the rest.
func TestOrder(t *testing.T) {
	var work, tell int
	count := func(n *int) func(func(ctx context.Context) func()) {
		return func(func(ctx context.Context) func()) { *n++ }
	}
	parts.Env{Work: count(&work)}.Order(nil)
	parts.Env{Work: count(&work), Tell: count(&tell)}.Order(nil)
	if work != 1 || tell != 1 {
		t.Errorf("work %d, tell %d", work, tell)
	}
}

func TestBytes(t *testing.T) {
	uitest.Env(t, uitest.New("x"), "de", 100, 100)
	for n, want := range map[int64]string{
		-1: "0 B", 0: "0 B", 999: "999 B", 1000: "1 KB", 1500: "1,5 KB", 9_940: "9,9 KB", 9_960: "10 KB", 999_400: "999 KB",
		999_600: "1 MB", 12_000_000: "12 MB", 1_000_000_000: "1 GB", 2_500_000_000_000: "2,5 TB", 5_000_000_000_000_000: "5000 TB",
	} {
		if got := parts.Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// TestAnswersSkipHidden: a hidden button takes no room, and neither does a gap for
// it.
func TestAnswersSkipHidden(t *testing.T) {
	env := uitest.Env(t, uitest.New("x"), "de", 400, 100)
	a, b, c := parts.Primary("A", nil), parts.Primary("B", nil), parts.Primary("C", nil)
	b.Hide()
	env.Window.SetContent(parts.Answers(a, b, c))
	if right := a.Position().X + a.Size().Width; c.Position().X-right > parts.Gap+0.5 {
		t.Errorf("a gap of %.0f", c.Position().X-right)
	}
}
