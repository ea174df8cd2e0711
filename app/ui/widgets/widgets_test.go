package widgets

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"pgregory.net/rapid"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

func window(t testing.TB, o fyne.CanvasObject, w, h float32) fyne.Window {
	a := test.NewTempApp(t)
	a.Settings().SetTheme(theme.New(theme.Light))
	win := a.NewWindow("t")
	t.Cleanup(win.Close)
	win.SetPadded(false)
	if o != nil {
		win.SetContent(o)
	}
	win.Resize(fyne.NewSize(w, h))
	return win
}

// TestWrap: lines keep every character except the spaces and breaks at their ends,
// in order, split no rune, and are not wider than the room unless one character
// is.
func TestWrap(t *testing.T) {
	window(t, nil, 10, 10)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("aäß  mMWi\n,.😊")), 0, 400, -1).Draw(t, "text")
		width := rapid.Float32Range(20, 300).Draw(t, "width")
		lines := wrap(text, width)
		at := 0
		for _, l := range lines {
			if l.start < at || l.end < l.start || strings.Trim(text[at:l.start], " \n") != "" {
				t.Fatalf("line %+v after %d in %q", l, at, text)
			}
			s := text[l.start:l.end]
			if strings.Contains(s, "\n") || !utf8.ValidString(s) {
				t.Fatalf("line %q", s)
			}
			if got := measure(s, theme.SizeText, false); got > width+1.5 && utf8.RuneCountInString(strings.TrimLeft(s, " ")) > 1 && strings.TrimLeft(s, " ") == s {
				t.Fatalf("%q is %v wide, not %v", s, got, width)
			}
			at = l.end
		}
		if strings.Trim(text[at:], " \n") != "" {
			t.Fatalf("%q is missing", text[at:])
		}
	})
}

// TestWrapHostile: a message of 64 KB is laid out at once, whatever it is made of.
func TestWrapHostile(t *testing.T) {
	window(t, nil, 10, 10)
	for _, s := range []string{strings.Repeat("W", 64<<10), strings.Repeat("ä", 32<<10), strings.Repeat(" ", 64<<10), strings.Repeat("\n", 64<<10), "\xff\xfe\x80", strings.Repeat("a ", 32<<10)} {
		if n := len(wrap(s, 500)); n == 0 || n > len(s)+1 {
			t.Errorf("%d lines", n)
		}
		for at := 0; at < len(s); {
			stop, gap := nextWord(s, at, len(s))
			if stop-at > longWord+utf8.UTFMax || gap <= at {
				t.Fatalf("a word of %d bytes is measured at once", stop-at)
			}
			at = gap
			if s[min(at, len(s)-1)] == '\n' {
				break // lines are cut before words
			}
		}
	}
}

func TestEmojiAlone(t *testing.T) {
	for s, want := range map[string]bool{
		"👍": true, "😂😂": true, "❤️": true, "👋🏽": true, "🇩🇪": true, "👨‍👩‍👧": true, "👍 👍": true,
		"": false, " ": false, "a": false, "👍 ok": false, "1": false, "→": false, strings.Repeat("👍", 13): false,
	} {
		if got := emojiAlone(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

// TestBubbleHoldsItsText: the time never covers the text, whatever that is made
// of, and nothing reaches out of the bubble.
func TestBubbleHoldsItsText(t *testing.T) {
	hard := []string{"Super 👍 danke 😊 ✅ 🎉 ❤️ 🙏 😂 👋🏽 🇩🇪 👨‍👩‍👧 ✓ → „Zitat“ – 5 € ½ × Ω", "👍", "مرحبا بالعالم", "你好，世界", "a\tb", strings.Repeat("W", 300), "Привет"}
	for _, s := range append(hard, texts...) {
		for _, width := range []float32{280, 780, 1300} {
			h, w := shownHistory(t, []Item{{Key: Key{ID: chat.MessageID{1}}, Seq: 1, Text: s, Own: true, Time: "09:41", Word: "Zugestellt", Mark: MarkDelivered}})
			w.Resize(fyne.NewSize(width, 600))
			v := h.at(0)
			left, right := v.bubble.pos.X, v.bubble.pos.X+v.bubble.size.Width
			foot := v.texts[v.nText-1]
			for _, c := range v.texts[:v.nText] {
				end := c.Position().X + c.MinSize().Width
				if c.Position().X < left-0.5 || end > right+0.5 {
					t.Errorf("%q at %v: %q reaches from %v to %v, the bubble from %v to %v", s, width, c.Text, c.Position().X, end, left, right)
				}
				if c != foot && c.Position().Y+c.MinSize().Height > foot.Position().Y+4 && end > foot.Position().X {
					t.Errorf("%q at %v: the time covers %q", s, width, c.Text)
				}
			}
		}
	}
}

func TestEllipsis(t *testing.T) {
	window(t, nil, 10, 10)
	for _, c := range []struct{ in, want string }{{"kurz", "kurz"}, {"zwei\nZeilen\tund  mehr", "zwei Zeilen und mehr"}} {
		if got := ellipsis(c.in, 500, 13, false); got != c.want {
			t.Errorf("%q: %q", c.in, got)
		}
	}
	for _, long := range []string{strings.Repeat("äöü ", 500), strings.Repeat("W", 70<<10)} {
		got := ellipsis(long, 100, 13, false)
		if !strings.HasSuffix(got, "…") || measure(got, 13, false) > 100 || !utf8.ValidString(got) {
			t.Errorf("%q", got)
		}
	}
}

func TestInitials(t *testing.T) {
	for name, want := range map[string]string{
		"Sabine Krüger": "SK", "Elektro Böhm GmbH": "EB", "Müller & Söhne GmbH & Co. KG": "MS", "Petra": "P", "élodie van der Berg": "ÉB",
		"AG": "A", "": "", "  ": "", "…": "", "Dr. Anna Maria Huber": "DH", "Verein e.V.": "V", "42 Grad": "4G", "O'Neill": "O", "(Anna) [Büro]": "AB",
	} {
		if got := Initials(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{1: "1", 99: "99", 100: "99+", 5000: "99+"} {
		if got := Count(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

func TestComposer(t *testing.T) {
	c := NewComposer(NewTips(nil), "hint", "send")
	w := window(t, c.Object(), 400, 200)
	var sent, edits []string
	taken, grew := true, 0
	c.OnSend = func(s string) bool { sent = append(sent, s); return taken }
	c.OnEdit = func(s string) { edits = append(edits, s) }
	c.OnRows = func() { grew++ }
	w.Canvas().Focus(c)
	key := func(k fyne.KeyName) { c.TypedKey(&fyne.KeyEvent{Name: k}) }
	if !c.send.Disabled() || c.MinSize().Height != composerHeight {
		t.Errorf("empty: %v, %v high", c.send.Disabled(), c.MinSize().Height)
	}
	key(fyne.KeyReturn)
	test.Type(c, "   ")
	if !c.send.Disabled() {
		t.Error("blanks can be sent")
	}
	key(fyne.KeyReturn)
	if len(sent) != 0 {
		t.Errorf("sent %q", sent)
	}
	test.Type(c, "Hallo ")
	key(fyne.KeyEnter)
	if len(sent) != 1 || sent[0] != "Hallo" || c.Text != "" || !c.send.Disabled() {
		t.Errorf("sent %q, left %q", sent, c.Text)
	}
	c.KeyDown(&fyne.KeyEvent{Name: desktop.KeyShiftRight})
	for range 9 {
		test.Type(c, "x")
		key(fyne.KeyReturn)
	}
	c.KeyUp(&fyne.KeyEvent{Name: desktop.KeyShiftRight})
	if c.rows != composerRows || grew == 0 || len(sent) != 1 {
		t.Errorf("%d rows, grew %d times, sent %q", c.rows, grew, sent)
	}
	taken = false
	test.Tap(c.send)
	if len(sent) != 2 || c.Text == "" {
		t.Error("what was not taken is gone")
	}
	n := len(edits)
	c.Set("Entwurf")
	if len(edits) != n || c.rows != 1 || c.CursorColumn != len("Entwurf") {
		t.Errorf("Set: told %d times, %d rows, cursor at %d", len(edits)-n, c.rows, c.CursorColumn)
	}
	test.Type(c, "!")
	if c.Text != "Entwurf!" {
		t.Errorf("the cursor is not at the end: %q", c.Text)
	}
	w.Canvas().Focus(c)
	c.KeyDown(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
	w.Canvas().Unfocus()
	w.Canvas().Focus(c)
	key(fyne.KeyReturn)
	if len(sent) != 3 {
		t.Error("a shift key that was let go elsewhere still counts")
	}
	paged, left := fyne.KeyName(""), false
	c.OnPage = func(k fyne.KeyName) bool { paged = k; return true }
	c.OnLeave = func() { left = true }
	key(fyne.KeyPageUp)
	key(fyne.KeyEscape)
	if paged != fyne.KeyPageUp || !left {
		t.Error("keys for the history are kept")
	}
}

func rows(n int) []Row {
	out := make([]Row, n)
	for i := range out {
		out[i] = Row{Contact: chat.PersonID{byte(i), byte(i >> 8), 1}, Name: "Name", Preview: "Text", Time: "09:41", Unread: i % 3}
	}
	return out
}

// TestList: any number of rows costs as much as those on screen; the pitch is 64;
// the wheel, the thumb and the keys reach all.
func TestList(t *testing.T) {
	l := NewList(NewTips(nil))
	w := window(t, l, 320, 500)
	l.SetRows(rows(2000))
	if len(l.views) > 10 {
		t.Errorf("%d views", len(l.views))
	}
	if d := l.views[1].Position().Y - l.views[0].Position().Y; d != theme.Row {
		t.Errorf("pitch %v", d)
	}
	var opened []chat.PersonID
	l.OnOpen = func(id chat.PersonID) { opened = append(opened, id) }
	test.Tap(l.views[2])
	w.Canvas().Focus(l)
	l.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnd})
	l.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	last := l.rows[1999].Contact
	if len(opened) != 2 || opened[0] != l.rows[2].Contact || opened[1] != last {
		t.Errorf("opened %v", opened)
	}
	if l.offset != l.reach() || l.thumb.at != 1 {
		t.Errorf("the last row is not in view: %v of %v", l.offset, l.reach())
	}
	l.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.NewDelta(0, 1e9)})
	if l.offset != 0 {
		t.Error("the wheel does not reach the top")
	}
	l.thumb.moved(0.5)
	if l.offset != l.reach()/2 {
		t.Error("the thumb does not reach the middle")
	}
	l.Select(l.rows[7].Contact)
	if id, ok := l.Step(1); !ok || id != l.rows[8].Contact {
		t.Error("the next one is another")
	}
	if _, ok := l.Step(5000); ok {
		t.Error("there is something after the end")
	}
	l.SetRows(rows(1))
	if l.offset != 0 || l.views[1].Visible() {
		t.Error("rows that are gone are seen")
	}
}

func TestChips(t *testing.T) {
	c := NewChips("Alle", "Ungelesen")
	w := window(t, c, 300, 40)
	var chosen []int
	c.OnChosen = func(i int) { chosen = append(chosen, i) }
	test.Tap(c.chips[1])
	test.Tap(c.chips[1])
	w.Canvas().Focus(c.chips[0])
	c.chips[0].TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	if len(chosen) != 2 || chosen[0] != 1 || chosen[1] != 0 || c.Chosen() != 0 {
		t.Errorf("chosen %v", chosen)
	}
}

func TestBanner(t *testing.T) {
	b := NewBanner()
	window(t, b, 800, 100)
	if b.Height(800) != 0 || b.Text() != "" {
		t.Error("an empty banner takes room")
	}
	done := false
	b.OnAction = func() { done = true }
	b.Set(ToneWarning, icons.Offline, "Keine Verbindung", "Ansehen")
	if b.Height(800) != theme.Banner {
		t.Errorf("%v high", b.Height(800))
	}
	test.Tap(b.link)
	if !done {
		t.Error("the link does nothing")
	}
	b.Set(ToneError, icons.Disk, strings.Repeat("Ein langer Satz. ", 20), "")
	if b.Height(400) <= 2*theme.Banner {
		t.Error("a long sentence is cut")
	}
	b.Set(ToneInfo, "", "", "")
	if b.Visible() {
		t.Error("it stays")
	}
}

func TestTips(t *testing.T) {
	var wait func()
	stopped := false
	tips := NewTips(func(_ time.Duration, f func()) func() { wait = f; return func() { stopped = true } })
	b := NewIconButton(tips, icons.Settings, "Einstellungen", nil)
	window(t, b, 36, 36)
	tips.Layer.Resize(fyne.NewSize(300, 200))
	b.MouseIn(nil)
	if tips.text.Visible() {
		t.Error("shown at once")
	}
	wait()
	if !tips.text.Visible() || tips.text.Text != "Einstellungen" {
		t.Error("not shown")
	}
	b.MouseOut()
	if tips.text.Visible() {
		t.Error("it stays")
	}
	b.MouseIn(nil)
	stopped = false
	b.MouseOut()
	if !stopped {
		t.Error("it comes although the pointer left")
	}
}

func TestIconButton(t *testing.T) {
	n := 0
	b := NewIconButton(NewTips(nil), icons.Settings, "x", func() { n++ })
	w := window(t, b, 36, 36)
	test.Tap(b)
	w.Canvas().Focus(b)
	b.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	b.Disable()
	test.Tap(b)
	if n != 2 {
		t.Errorf("pressed %d times", n)
	}
	if b.MinSize() != fyne.NewSquareSize(theme.HitArea) {
		t.Errorf("%v", b.MinSize())
	}
}

// TestFollowsTheme: after a change of theme everything has the new colours.
func TestFollowsTheme(t *testing.T) {
	h, w := shownHistory(t, sample(1, 30))
	fyne.CurrentApp().Settings().SetTheme(theme.New(theme.Dark))
	w.Canvas().Refresh(h)
	h.Refresh()
	want := theme.Color(theme.ColorOther)
	found := false
	for _, p := range h.placed {
		if !p.v.item.Own {
			found = true
			if p.v.rects[0].FillColor != want {
				t.Fatalf("a bubble is %v, want %v", p.v.rects[0].FillColor, want)
			}
		}
	}
	if !found {
		t.Fatal("no bubble of somebody else")
	}
}

// TestChipPassesKeysOn: Esc with the focus on a chip is the window's.
func TestChipPassesKeysOn(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(theme.New(theme.Light))
	c := NewMenuChip(NewTips(nil), "Von")
	w := test.NewTempWindow(t, c)
	var passed fyne.KeyName
	tapped := false
	w.Canvas().SetOnTypedKey(func(e *fyne.KeyEvent) { passed = e.Name })
	c.OnTap = func() { tapped = true }
	c.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if passed != fyne.KeyEscape || tapped {
		t.Errorf("passed on: %q, tapped: %v", passed, tapped)
	}
	c.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if passed != fyne.KeyEscape || !tapped {
		t.Errorf("passed on: %q, tapped: %v", passed, tapped)
	}
}
