package widgets

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/theme"
)

var texts = []string{
	"Ok", "Kein Problem.", "Guten Morgen! Haben Sie das Angebot für Müller & Söhne schon rausgeschickt?",
	"Die Lieferung kommt voraussichtlich am Donnerstag zwischen 9 und 11 Uhr. Bitte achten Sie darauf, dass jemand im Lager ist und die Palette direkt prüft – letztes Mal fehlten zwei Kartons, und die Spedition hat das erst nach drei Wochen anerkannt.",
	"Zeile eins\nZeile zwei\n\nZeile vier", "Donaudampfschifffahrtsgesellschaftskapitänsmützenfabrikverwaltungsangestellter",
}

// sample is n messages with places from first on.
func sample(first, n int) []Item {
	out := make([]Item, n)
	for i := range out {
		k := first + i
		h := uint32(k) * 2654435761
		out[i] = Item{
			Key: Key{Kind: ItemBubble, ID: chat.MessageID{byte(k >> 16), byte(k >> 8), byte(k), 1}}, Seq: uint64(k), Day: "Heute",
			Text: texts[int(h>>9)%len(texts)], Own: h>>13%5 < 2, First: h>>3%2 == 0, Time: "09:41", Mark: Mark(h >> 20 % 6),
		}
		if !out[i].Own {
			out[i].Mark = MarkNone
		}
	}
	return out
}

func shownHistory(t testing.TB, items []Item) (*History, fyne.Window) {
	a := test.NewTempApp(t)
	a.Settings().SetTheme(theme.New(theme.Light))
	h := NewHistory(NewTips(nil), "newest")
	w := a.NewWindow("t")
	t.Cleanup(w.Close)
	w.SetPadded(false)
	w.SetContent(h)
	w.Resize(fyne.NewSize(780, 600))
	h.SetExtent(1, uint64(len(items)))
	h.SetItems(items, false, false)
	return h, w
}

// sound checks what must always hold of what is on screen.
func sound(t *testing.T, h *History) {
	t.Helper()
	s := h.Size()
	if len(h.items) == 0 {
		return
	}
	if len(h.placed) == 0 {
		t.Fatal("nothing is on screen")
	}
	for k, p := range h.placed {
		if p.v.item != h.items[p.i] || p.v.Position().Y != p.y || !p.v.Visible() || p.v.Size() != fyne.NewSize(s.Width, p.v.height) {
			t.Fatalf("item %d: view %+v at %v, wanted at %v", p.i, p.v.item, p.v.Position(), p.y)
		}
		if k > 0 && (p.i != h.placed[k-1].i-1 || abs(p.y+p.v.height-h.placed[k-1].y) > 0.01) {
			t.Fatalf("items %d and %d do not meet", p.i, h.placed[k-1].i)
		}
	}
	low, high := h.placed[0], h.placed[len(h.placed)-1]
	if high.i > 0 && high.y > 0.01 {
		t.Fatalf("a gap of %v above", high.y)
	}
	if bottom := low.y + low.v.height; low.i < len(h.items)-1 && bottom < s.Height-0.01 && !(high.i == 0 && high.y >= -0.01) {
		t.Fatalf("a gap under item %d of %d: it ends at %v", low.i, len(h.items), bottom)
	}
	if len(h.live) != len(h.placed) {
		t.Fatalf("%d views live, %d are on screen", len(h.live), len(h.placed))
	}
	if h.thumb.at < 0 || h.thumb.at > 1 {
		t.Fatalf("thumb at %v", h.thumb.at)
	}
}

// TestRandomScrolling: whatever is done, items meet, nothing hangs in the air, and
// the number of views stays that of a screen.
func TestRandomScrolling(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	items := sample(1, 300)
	h, w := shownHistory(t, items)
	first, last := 100, 200
	h.SetExtent(1, 300)
	set := func() { h.SetItems(items[first:last], first > 0, last < 300) }
	set()
	for i := range 1500 {
		switch r.IntN(9) {
		case 0, 1, 2:
			h.ScrollBy(r.Float32()*800 - 400)
		case 3:
			first = max(0, first-r.IntN(30))
			set()
		case 4:
			last = min(300, last+r.IntN(30))
			set()
		case 5:
			if last-first > 120 {
				first, last = first+r.IntN(40), last-r.IntN(40)
				set()
			}
		case 6:
			h.ShowAt(items[first+r.IntN(last-first)].Key, r.Float32()*500)
		case 7:
			w.Resize(fyne.NewSize(300+r.Float32()*900, 150+r.Float32()*700))
		case 8:
			h.thumbMoved(r.Float32())
		}
		sound(t, h)
		if n := len(h.live) + len(h.pool); n > 120 {
			t.Fatalf("step %d: %d views", i, n)
		}
	}
}

// TestAnchorStays: what is loaded above or below does not move what one reads.
func TestAnchorStays(t *testing.T) {
	items := sample(1, 400)
	h, _ := shownHistory(t, items[100:200])
	h.SetItems(items[100:200], true, true)
	h.ScrollBy(700)
	where := func() (Key, float32) { p := h.placed[0]; return h.items[p.i].Key, p.y }
	k, y := where()
	for _, part := range [][2]int{{50, 200}, {50, 300}, {0, 400}, {120, 260}} {
		h.SetItems(items[part[0]:part[1]], true, true)
		if k2, y2 := where(); k2 != k || abs(y2-y) > 0.01 {
			t.Fatalf("after %v: %v at %v, was %v at %v", part, k2, y2, k, y)
		}
	}
}

// TestFollows: at the bottom the view follows what is new; away from it, it stays.
func TestFollows(t *testing.T) {
	items := sample(1, 200)
	h, _ := shownHistory(t, items[:100])
	h.SetItems(items[:101], false, false)
	if h.anchor != 100 || !h.AtEnd() {
		t.Error("does not follow")
	}
	h.ScrollBy(500)
	if h.AtEnd() || !h.jump.Visible() {
		t.Error("reading back counts as the bottom, or there is no way down")
	}
	p := h.placed[0]
	key, y := h.items[p.i].Key, p.y
	h.SetItems(items[:150], false, false)
	if p = h.placed[0]; h.items[p.i].Key != key || p.y != y {
		t.Error("moved while one reads back")
	}
	test.Tap(h.jump)
	if !h.AtEnd() || h.anchor != 149 {
		t.Error("the button does not lead down")
	}
}

func TestAsksForMore(t *testing.T) {
	items := sample(1, 300)
	h, _ := shownHistory(t, nil)
	older, newer := 0, 0
	h.OnOlder, h.OnNewer = func() { older++ }, func() { newer++ }
	h.SetItems(items[100:200], true, true)
	h.ShowAt(items[150].Key, 100)
	older, newer = 0, 0
	h.asked.older, h.asked.newer = false, false
	h.ScrollBy(1)
	if older != 0 || newer != 0 {
		t.Errorf("in the middle: older %d, newer %d", older, newer)
	}
	for range 100 {
		h.ScrollBy(300)
	}
	if older != 1 {
		t.Errorf("at the upper end: asked %d times", older)
	}
	for range 200 {
		h.ScrollBy(-300)
	}
	if newer != 1 {
		t.Errorf("at the lower end: asked %d times", newer)
	}
	h.SetItems(items[50:200], false, false)
	for range 200 {
		h.ScrollBy(300)
	}
	if older != 1 {
		t.Error("asks although there is nothing")
	}
	if h.placed[len(h.placed)-1].i != 0 || h.placed[len(h.placed)-1].y < 0 {
		t.Error("the beginning is not reached")
	}
}

func TestThumb(t *testing.T) {
	items := sample(1, 1000)
	h, _ := shownHistory(t, nil)
	h.SetExtent(1, 1000)
	var sought []uint64
	h.OnSeek = func(seq uint64) { sought = append(sought, seq) }
	h.SetItems(items[800:], true, false)
	if h.thumb.at != 1 {
		t.Errorf("at the bottom the thumb is at %v", h.thumb.at)
	}
	drag := func(y float32) {
		h.thumb.MouseDown(&desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(5, h.thumb.top()+2)}, Button: desktop.MouseButtonPrimary})
		h.thumb.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(5, y)}})
		h.thumb.DragEnd()
	}
	drag(300)
	if len(sought) != 1 || sought[0] < 450 || sought[0] > 570 {
		t.Fatalf("the middle is sought at %v", sought)
	}
	h.SetItems(items[400:600], true, true)
	h.ShowAt(items[sought[0]].Key, 300)
	if h.thumb.at < 0.4 || h.thumb.at > 0.6 {
		t.Errorf("in the middle the thumb is at %v", h.thumb.at)
	}
	sought = nil
	drag(h.thumb.top() + 10)
	if len(sought) != 0 {
		t.Error("a place that is loaded is sought")
	}
	drag(0)
	if len(sought) != 1 || sought[0] != 1 {
		t.Errorf("the beginning is sought at %v", sought)
	}
	asked := false
	h.OnBottom = func() { asked = true }
	drag(5000)
	if !asked {
		t.Error("the end is not asked for")
	}
}

// TestSeen: only what was on screen to its end counts as read.
func TestSeen(t *testing.T) {
	items := sample(1, 100)
	h, _ := shownHistory(t, items)
	if h.Seen() != 100 {
		t.Errorf("at the bottom %d is seen", h.Seen())
	}
	h.ScrollBy(60)
	low := h.placed[0]
	if low.y+low.v.height > h.Size().Height && h.Seen() >= h.items[low.i].Seq {
		t.Errorf("%d hangs over the edge and counts as seen", h.Seen())
	}
	tall := Item{Key: Key{Kind: ItemBubble, ID: chat.MessageID{9}}, Seq: 101, Text: strings.Repeat("Zeile\n", 100), Time: "1"}
	h.SetItems(append(slices.Clone(items), tall), false, false)
	h.ShowAt(tall.Key, -20)
	if h.Seen() != 101 {
		t.Errorf("what fills the screen is not seen: %d", h.Seen())
	}
}

func (h *History) at(i int) *itemView { return h.live[h.items[i].Key] }

func TestSelect(t *testing.T) {
	items := []Item{{Key: Key{ID: chat.MessageID{1}}, Seq: 1, Text: "Grüße aus Köln, bis bald.", Time: "9"}, {Key: Key{ID: chat.MessageID{2}}, Seq: 2, Text: "Eins\nZwei", Time: "9"}}
	h, _ := shownHistory(t, items)
	copied := ""
	h.OnCopy = func(s string) { copied = s }
	v := h.at(0)
	press := func(x, y float32) {
		v.MouseDown(&desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: v.textPos.AddXY(x, y)}, Button: desktop.MouseButtonPrimary})
	}
	drag := func(x, y float32) {
		v.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: v.textPos.AddXY(x, y)}})
	}
	after := func(s string) float32 { return measure(s, theme.SizeText, false) }
	press(after("Grüße "), 8)
	drag(after("Grüße aus Köln"), 8)
	h.Copy()
	if copied != "aus Köln" {
		t.Errorf("selected %q", copied)
	}
	drag(-50, 8)
	if h.Selected() != "Grüße " {
		t.Errorf("backwards %q", h.Selected())
	}
	v.clicks = clicks{}
	press(after("Grüße aus K"), 8)
	press(after("Grüße aus K"), 8)
	if h.Selected() != "Köln" {
		t.Errorf("a double click selects %q", h.Selected())
	}
	press(after("Grüße aus K"), 8)
	if h.Selected() != items[0].Text {
		t.Errorf("a third selects %q", h.Selected())
	}
	v = h.at(1)
	v.clicks = clicks{}
	press(after("Ei"), 8)
	drag(after("Zw"), 8+height(theme.SizeText, false))
	if h.Selected() != "ns\nZw" {
		t.Errorf("over two lines %q", h.Selected())
	}
	h.at(0).MouseDown(&desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(700, 5)}, Button: desktop.MouseButtonPrimary})
	if h.Selected() != "" {
		t.Error("a press beside the text leaves the selection")
	}
}

func TestHistoryKeys(t *testing.T) {
	h, w := shownHistory(t, sample(1, 200))
	var menu, details uint64
	h.OnMenu = func(it Item, _ fyne.Position) { menu = it.Seq }
	h.OnDetails = func(it Item) { details = it.Seq }
	copied := ""
	h.OnCopy = func(s string) { copied = s }
	w.Canvas().Focus(h)
	key := func(k fyne.KeyName) { h.TypedKey(&fyne.KeyEvent{Name: k}) }
	for range 30 {
		key(fyne.KeyUp)
	}
	it, ok := h.cursorItem()
	if !ok || it.Seq != 170 || h.live[it.Key] == nil {
		t.Fatalf("30 up from 200 is %d, or not on screen", it.Seq)
	}
	key(fyne.KeyReturn)
	key(desktop.KeyMenu)
	h.TypedShortcut(&fyne.ShortcutCopy{})
	if details != 170 || menu != 170 || copied != it.Text {
		t.Errorf("details %d, menu %d, copied %q", details, menu, copied)
	}
	key(fyne.KeyHome)
	if h.placed[len(h.placed)-1].i != 0 {
		t.Error("Home does not lead to the beginning")
	}
	key(fyne.KeyEnd)
	if !h.AtEnd() {
		t.Error("End does not lead to the end")
	}
	top := h.items[h.placed[len(h.placed)-1].i].Seq
	key(fyne.KeyPageUp)
	if low := h.items[h.placed[0].i].Seq; low > top+2 || low < top-1 {
		t.Errorf("a page up leads from %d to %d", top, low)
	}
	typed := rune(0)
	h.OnRune = func(r rune) { typed = r }
	h.TypedRune('x')
	if typed != 'x' {
		t.Error("typing goes nowhere")
	}
}

func TestHits(t *testing.T) {
	it := Item{
		Key: Key{ID: chat.MessageID{1}}, Seq: 1, Own: true, Text: "Hallo", Time: "9", Mark: MarkFailed, Word: "x",
		Quote: "Zitat", QuoteWho: "Wer", Note: "Grund", Failed: true, Action: "Nochmal", More: "Mehr",
	}
	h, _ := shownHistory(t, []Item{it})
	var got []string
	note := func(s string) func(Item) { return func(Item) { got = append(got, s) } }
	h.OnQuote, h.OnDetails, h.OnAction, h.OnMore = note("quote"), note("details"), note("action"), note("more")
	h.OnMenu = func(Item, fyne.Position) { got = append(got, "menu") }
	v := h.at(0)
	v.MouseMoved(&desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: v.bubble.pos.AddXY(5, 5)}})
	for _, target := range v.hits {
		v.Tapped(&fyne.PointEvent{Position: target.pos.AddXY(target.size.Width/2, target.size.Height/2)})
	}
	slices.Sort(got)
	if want := []string{"action", "details", "menu", "more", "quote"}; !slices.Equal(got, want) {
		t.Errorf("pressed %q", got)
	}
	got = nil
	v.TappedSecondary(&fyne.PointEvent{Position: v.bubble.pos.AddXY(5, 5)})
	v.TappedSecondary(&fyne.PointEvent{Position: fyne.NewPos(5, 5)})
	if !slices.Equal(got, []string{"menu"}) {
		t.Errorf("the second button: %q", got)
	}
	v.MouseOut()
	if len(v.hits) != 4 {
		t.Error("the menu's button stays")
	}
}

func BenchmarkOpenHistory(b *testing.B) {
	for _, n := range []int{100, 600} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			items := sample(1, n)
			h, _ := shownHistory(b, nil)
			for b.Loop() {
				h.SetItems(nil, false, false)
				h.SetItems(items, true, false)
			}
		})
	}
}

func BenchmarkScrollHistory(b *testing.B) {
	items := sample(1, 600)
	h, _ := shownHistory(b, items)
	dy := float32(40)
	for b.Loop() {
		h.ScrollBy(dy)
		if top := h.placed[len(h.placed)-1].i; top == 0 || h.AtEnd() {
			dy = -dy
		}
	}
}
